"""Where else can one look at a search? Its sets and its curves as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gpt_trader.core.errors import ConfigError
from gpt_trader.report.research_facts import ResearchFacts

__all__ = ["export_sets"]


def export_sets(folder: Path, facts: ResearchFacts) -> Iterator[Path]:
    """`sets.parquet`, a row for each set, and `walk_forward.parquet`, a row for each choice. Raises ConfigError."""
    sets: dict[str, list[object]] = {"number": [each.number for each in facts.sets]}
    for place, name in enumerate(facts.names):
        sets[name] = [_number(each.values[place]) for each in facts.sets]
    sets["state"] = [each.state for each in facts.sets]
    sets["reason"] = [each.reason for each in facts.sets]
    for place, measure in enumerate(facts.measures):
        sets[measure.name] = [each.measures[place] for each in facts.sets]
    for name in dict.fromkeys(name for each in facts.sets for name in each.figures):
        sets.setdefault(name, [each.figures.get(name) for each in facts.sets])
    yield _write(folder / "sets.parquet", sets)
    if facts.folds:
        folds: dict[str, list[object]] = {
            "scheme": [fold.scheme for fold in facts.folds],
            "train_from_ns": [fold.train_from_ns for fold in facts.folds],
            "train_to_ns": [fold.train_to_ns for fold in facts.folds],
            "test_to_ns": [fold.test_to_ns for fold in facts.folds],
            "set": [fold.number for fold in facts.folds],
            "seen": [fold.seen for fold in facts.folds],
            "traded": [fold.traded for fold in facts.folds],
            "traded_return": [fold.traded_return for fold in facts.folds],
        }
        yield _write(folder / "walk_forward.parquet", folds)


def _number(text: str) -> object:
    """Numbers as numbers, so that a column of them can be drawn."""
    try:
        return float(text)
    except ValueError:
        return text


def _write(path: Path, columns: dict[str, list[object]]) -> Path:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    mixed = {
        name: [str(value) for value in values] if any(isinstance(v, str) for v in values) else values
        for name, values in columns.items()
    }
    try:
        parquet.write_table(pa.table(mixed), path)
    except OSError as error:
        raise ConfigError(f"export {path}: cannot be written ({error}). Fix: check the disk, owner and mode") from error
    return path
