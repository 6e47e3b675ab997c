"""How is the cost of trading shown? Tables of text with their units and signs, for the terminal and for reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from gpt_trader.core.values import ZERO, Value
from gpt_trader.records.tca import CostAnalysis, CostRow
from gpt_trader.report.numbers import HUNDREDTH, adding_up, money, share

__all__ = ["SECTION", "SIGNS", "CostTable", "cost_section", "cost_table", "row_object", "whole_parts"]

SECTION: Final = (("engine",), ("tactic",), ("symbol",), ("hour",), ("order_type", "liquidity"))
"""The tables that a report shows, each by these keys."""
PARTS: Final = ("delay", "spread", "impact", "fees")
NOTHING: Final = "-"
SIGNS: Final = (
    "Costs in basis points (1/10,000) of the notional at the arrival price; above zero cost us. "
    "delay + spread + impact + fees = shortfall, of what was filled. missed and all in (shortfall and missed) are of "
    "what was wanted. Mark-outs: above zero the market went our way. Notional in the quote currency."
)
"""To be shown once beside any number of tables."""


class CostTable(Value, frozen=True, kw_only=True):
    """One table, ready to be shown."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int
    """So many columns at the left are names; the others are numbers."""
    notes: tuple[str, ...] = ()


def cost_section(analysis: CostAnalysis) -> tuple[CostTable, ...]:
    """The cost section of a report; empty when nothing was filled or wanted."""
    if not analysis.intents:
        return ()
    return tuple(cost_table(analysis, by) for by in SECTION)


def cost_table(analysis: CostAnalysis, by: Sequence[str]) -> CostTable:
    """Costs by these keys, with a row of everything when there are several. Raises ConfigError for an unknown key."""
    rows, whole = analysis.rows(by), analysis.rows()
    columns = _columns(rows)
    shown = [(*row.key, *(cell(row) for _, cell in columns)) for row in rows]
    if by and len(rows) > 1:
        shown.append(("all", *[""] * (len(by) - 1), *(cell(whole[0]) for _, cell in columns)))
    return CostTable(
        title=f"Cost by {' and '.join(name.replace('_', ' ') for name in by)}" if by else "Cost",
        headers=(*(name.replace("_", " ") for name in by), *(header for header, _ in columns)),
        rows=tuple(shown),
        text_columns=len(by),
        notes=(*_comparison(by, rows), *_remarks(analysis, whole)),
    )


def row_object(by: Sequence[str], row: CostRow) -> dict[str, Any]:
    """A row for machines: exact amounts in the quote currency, basis points, and counts; decimals as text."""
    amounts = {**row.parts, "shortfall": row.shortfall}
    return {
        **dict(zip(by, row.key, strict=True)),
        "intents": row.intents,
        "fills": row.fills,
        "unquoted_fills": row.unquoted,
        "notional": str(row.notional),
        "amounts": {name: f"{amount:f}" for name, amount in amounts.items()},
        "bps": {name: _text(row.bps(amount)) for name, amount in amounts.items()},
        "wanted_notional": _text(row.wanted),
        "fill_rate": _text(row.fill_rate),
        "missed": _text(row.missed),
        "missed_intents": row.missed_intents,
        "all_in_bps": _text(row.all_in),
        "mark_out_bps": {seconds: _text(bps) for seconds, bps in row.mark_outs.items()},
    }


def whole_parts(row: CostRow) -> dict[str, Decimal]:
    """Parts and shortfall in hundredths of a basis point, so rounded that what is shown adds up to what is shown."""
    if not row.notional:
        return {}
    total = (row.bps(row.shortfall) or ZERO).quantize(HUNDREDTH)
    parts = {name: row.bps(amount) or ZERO for name, amount in row.parts.items()}
    return {**adding_up(parts, total), "shortfall": total}


def _columns(rows: Sequence[CostRow]) -> list[tuple[str, Callable[[CostRow], str]]]:
    """Header and cell of every column; what rows by a property of the fill cannot know is left out."""
    wanted = any(row.wanted is not None for row in rows)
    columns: list[tuple[str, Callable[[CostRow], str]]] = [
        ("intents", lambda row: f"{row.intents:,}"),
        ("fills", lambda row: f"{row.fills:,}"),
        ("notional", lambda row: money(row.notional)),
    ]
    if wanted:
        columns.insert(2, ("filled", lambda row: NOTHING if row.fill_rate is None else share(row.fill_rate)))
    columns += [(name, partial(_part, name=name)) for name in (*PARTS, "shortfall")]
    if wanted:
        columns += [("missed", lambda row: _rounded(row.missed_bps)), ("all in", lambda row: _rounded(row.all_in))]
    seconds = sorted({each for row in rows for each in row.mark_outs}, key=int)
    return columns + [(f"mark-out {each} s", partial(_mark_out, seconds=each)) for each in seconds]


def _part(row: CostRow, name: str) -> str:
    parts = whole_parts(row)
    return f"{parts[name]:.2f}" if parts else NOTHING


def _mark_out(row: CostRow, seconds: str) -> str:
    return _rounded(row.mark_outs.get(seconds))


def _comparison(by: Sequence[str], rows: Sequence[CostRow]) -> Iterator[str]:
    """By how much each group is dearer than the cheapest, and what it filled: the sentence a decision needs. The first
    key is compared, within each group of the others."""
    if not by or by[0] == "hour":
        return
    for group in dict.fromkeys(row.key[1:] for row in rows):
        judged = [(row.all_in, row) for row in rows if row.all_in is not None and row.key[1:] == group]
        if len(judged) < 2:
            continue
        judged.sort(key=lambda pair: pair[0])
        least, cheapest = judged[0]
        within = f"{', '.join(group)}: " if group else ""
        yield (
            f"{within}{cheapest.key[0]} cost least: {least:.2f} bps all in, {_filled(cheapest)} of what was wanted was "
            "filled."
        )
        for bps, row in judged[1:]:
            yield f"{within}{row.key[0]} cost {bps - least:.2f} bps more ({bps:.2f}), {_filled(row)} was filled."


def _filled(row: CostRow) -> str:
    return "nothing" if row.fill_rate is None else share(row.fill_rate)


def _remarks(analysis: CostAnalysis, whole: Sequence[CostRow]) -> Iterator[str]:
    """What the figures do not contain."""
    for row in whole:
        if row.unquoted:
            yield f"{row.unquoted} fills had no quote at sending: their delay and spread are within impact."
    if analysis.unpriced_fills:
        yield f"{analysis.unpriced_fills} fills of no order of ours (liquidations, foreign ones) are in no row."


def _rounded(bps: Decimal | None) -> str:
    return NOTHING if bps is None else f"{bps:.2f}"


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
