"""How does a run get into a notebook? Its fills, round trips, refusals and equity as Parquet, money exact."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value
from gpt_trader.market.parquet import require_parquet
from gpt_trader.report.curves import Curves
from gpt_trader.report.facts import RunFacts
from gpt_trader.report.round_trips import RoundTrip
from gpt_trader.report.run_story import FillLine, RefusalLine, RunStory

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FILES", "export_run"]

FILES: Final = ("fills.parquet", "round_trips.parquet", "refusals.parquet", "equity.parquet")
DIGITS: Final = 38
PLACES: Final = 12
"""Of every Decimal: finer than any tick, lot or unit of money of ours; averages are rounded half-even."""
_STEP: Final = Decimal(1).scaleb(-PLACES)
_EXACT: Final = Context(prec=64, rounding=ROUND_HALF_EVEN)
TIMES: Final = frozenset({"at_ns", "opened_ns", "closed_ns"})


def export_run(folder: Path, facts: RunFacts, story: RunStory, curves: Curves) -> tuple[Path, ...]:
    """Write the files of FILES into `folder`, whose earlier ones are replaced.

    Times are UTC with nanoseconds, money and quantities decimal128, curves float64; run id, engine, market and event
    hash stand in the metadata of each file. Raises ConfigError without PyArrow, or where it cannot be written.
    """
    require_parquet()
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    tables = (
        _rows(story.fills, FillLine),
        _rows(story.trips, RoundTrip, net=[trip.net for trip in story.trips]),
        _rows(story.refusals, RefusalLine),
        _equity(curves),
    )
    known = {
        b"run": facts.summary.run.encode(),
        b"engine": facts.summary.engine.encode(),
        b"market_digest": facts.summary.market_digest.encode(),
        b"event_hash": story.digest.encode(),
    }
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in zip(FILES, tables, strict=True):
            parquet.write_table(table.replace_schema_metadata(known), folder / name, compression="zstd")
            written.append(folder / name)
    except OSError as error:
        raise ConfigError(
            f"--export {folder}: cannot be written ({error.strerror}). Fix: name another place"
        ) from error
    return tuple(written)


def _rows(lines: Sequence[Value], kind: type[Value], **more: Sequence[Decimal]) -> pa.Table:
    """One column for each field that is a plain value; a mapping becomes JSON text."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    decimals = pa.decimal128(DIGITS, PLACES)
    arrays: dict[str, pa.Array] = {}
    for field in msgspec.structs.fields(kind):
        values = [msgspec.structs.asdict(line)[field.name] for line in lines]
        if field.name in TIMES:
            arrays[field.name] = pa.array(values, pa.timestamp("ns", tz="UTC"))
        elif field.type is Decimal:
            arrays[field.name] = pa.array([_on_grid(value) for value in values], decimals)
        elif field.type is int:
            arrays[field.name] = pa.array(values, pa.int64())
        else:
            arrays[field.name] = pa.array([_text(value) for value in values], pa.string())
    for name, amounts in more.items():
        arrays[name] = pa.array([_on_grid(value) for value in amounts], decimals)
    return pa.table(arrays)


def _on_grid(value: Decimal) -> Decimal:
    return value.quantize(_STEP, context=_EXACT)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()


def _equity(curves: Curves) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    arrays: dict[str, pa.Array] = {
        "at_ns": pa.array(curves.times_ns, pa.timestamp("ns", tz="UTC")),
        "equity": pa.array(curves.equity),
        "cash": pa.array(curves.cash),
        "drawdown": pa.array(curves.drawdown),
        "price_pnl": pa.array(curves.price),
        "fees": pa.array(curves.fees),
        "funding": pa.array(curves.funding),
        "liquidation": pa.array(curves.liquidation),
        "initial_margin": pa.array(curves.initial_margin),
        "maintenance_margin": pa.array(curves.maintenance_margin),
    }
    for each in curves.symbols:
        arrays[f"{each.symbol} price"] = pa.array(each.last)
        arrays[f"{each.symbol} position"] = pa.array(each.quantity)
    return pa.table(arrays)
