"""What does the log of a run not say? Its settings with their sources, its market, and how the exchange was simulated.

Kept as `facts.json` beside the event store: what is needed to report on a run later, without running it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.config.load import Loaded, value_at
from gpt_trader.config.names import known_settings, plain
from gpt_trader.config.sources import Layer
from gpt_trader.core.errors import ConfigError, StoreError
from gpt_trader.core.values import ProductSpec, Value
from gpt_trader.report.summary import RunSummary

__all__ = ["FACTS_NAME", "RunFacts", "SettingLine", "read_facts", "settings_of", "write_facts"]

FACTS_NAME: Final = "facts.json"
FORMAT: Final = 1


class SettingLine(Value, frozen=True, kw_only=True):
    """One setting as it counted."""

    path: str
    value: str
    unit: str
    source: str
    """Layer and place, such as `environment RISK_MAX_LEVERAGE`."""
    chosen: bool
    """Somebody set it; False is the default."""


class RunFacts(Value, frozen=True, kw_only=True):
    """Everything about a run beside its log."""

    format: int = FORMAT
    summary: RunSummary
    code_version: str
    market_place: str
    """As asked for: `synthetic`, a dataset or a path."""
    from_ns: int | None = None
    to_ns: int | None = None
    start_ns: int
    end_ns: int
    bar_seconds: int
    modelled_book: bool
    products: tuple[ProductSpec, ...]
    marks: Mapping[str, Decimal]
    """The venue's word at the end, for what is held."""
    settings: tuple[SettingLine, ...]
    overnight: tuple[tuple[int, bool], ...]
    """(from when, whether the overnight margin rates held), in order."""
    assumptions: tuple[str, ...]
    """How the exchange was simulated, one sentence each."""
    real_seconds: float
    """What the run took to compute, without its report."""


def settings_of(loaded: Loaded) -> tuple[SettingLine, ...]:
    """Every setting with its source; of a secret only whether it is set."""
    found = []
    for path, known in known_settings().items():
        source, value = loaded.sources[path], plain(value_at(loaded.config, path))
        shown = value if not known.secret or value == "set" else "not set"
        found.append(
            SettingLine(
                path=path,
                value=_text(shown),
                unit=known.unit,
                source=str(source),
                chosen=source.layer is not Layer.DEFAULT,
            )
        )
    return tuple(found)


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}:{item}" for key, item in value.items()) or "none"
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def write_facts(store: Path, facts: RunFacts) -> None:
    """Beside the store. Raises StoreError where it cannot be written."""
    path = store.with_name(FACTS_NAME)
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=1))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; check the disk, its free space, owner and mode") from error


def read_facts(store: Path) -> RunFacts:
    """Raises ConfigError where the run has none, StoreError where they are damaged."""
    path = store.with_name(FACTS_NAME)
    try:
        facts = msgspec.json.decode(path.read_bytes(), type=RunFacts)
    except FileNotFoundError:
        raise ConfigError(
            f"{path.parent.name}: no {FACTS_NAME} beside the store; it was made by an older release, or ended from "
            "outside. Fix: report on a run that came to its end"
        ) from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; check owner and mode of the file") from error
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: damaged ({error}); run it again") from error
    if facts.format != FORMAT:
        raise StoreError(f"{path}: format {facts.format}, this program reads {FORMAT}; run it again")
    return facts
