"""Which tables tell a run? Money, statistics, costs, trips and settings as cells of text, for any page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import iso
from gpt_trader.report.facts import RunFacts, SettingLine
from gpt_trader.report.numbers import money, moved, price
from gpt_trader.report.round_trips import RoundTrip
from gpt_trader.report.run_story import PnlSplit, RunStory
from gpt_trader.report.statistics import Figure, MonthReturns
from gpt_trader.report.summary import RunSummary, meaning_of
from gpt_trader.report.tca_tables import CostTable, cost_section

__all__ = [
    "TRIPS_SHOWN",
    "Cell",
    "Column",
    "Grid",
    "Row",
    "cost_grids",
    "guard_grid",
    "identity_grid",
    "month_rows",
    "refusal_grid",
    "setting_grid",
    "statement_grid",
    "statistics_grid",
    "tone_of",
    "trip_grid",
]

TRIPS_SHOWN: Final = 500
"""A page with more would be slow to open; the export has all."""
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Column:
    name: str
    number: bool = False
    sorts_by_number: bool = False


@dataclass(frozen=True)
class Cell:
    text: str
    tone: str = ""
    sort: float | None = None


@dataclass(frozen=True)
class Row:
    cells: tuple[Cell, ...]
    tone: str = ""


@dataclass(frozen=True)
class Grid:
    id: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    note: str = ""
    empty: str = "Nothing."
    tall: bool = field(default=False)
    """Scrolls by itself and can be sorted."""


def tone_of(value: Decimal | float) -> str:
    """Green above zero, red below."""
    return "up" if value > 0 else "down" if value < 0 else ""


def _row(*texts: str, tone: str = "") -> Row:
    return Row(tuple(Cell(text) for text in texts), tone)


# --- money ------------------------------------------------------------------------------------------------------------
def statement_grid(summary: RunSummary, split: PnlSplit) -> Grid:
    """From equity at the start to equity at the end; the parts add up to the last digit."""
    lines: list[tuple[str, Decimal, str]] = [
        ("Price", split.price, "realised and unrealised, of what was not liquidated"),
        ("Fees", -split.fees, "paid for our own trades"),
        ("Funding", split.funding, "above zero is received"),
    ]
    if split.liquidation_price or split.liquidation_fees:
        lines.append(("Liquidation, price", split.liquidation_price, "loss that the exchange made real"))
        lines.append(("Liquidation, fees", -split.liquidation_fees, "below the rate where the account had no more"))
    if split.transfers:
        lines.append(("Transfers", split.transfers, "cash that is no trade, fee or funding"))
    rows = [Row((Cell("Equity at start"), Cell(money(summary.equity_start)), Cell(iso_text(summary.start), "dim")))]
    rows += [Row((Cell(name), Cell(moved(value), tone_of(value)), Cell(what, "dim"))) for name, value, what in lines]
    end = (
        Cell("Equity at end"),
        Cell(money(summary.equity_end)),
        Cell("with what is open at the exchange's mark", "dim"),
    )
    rows.append(Row(end, "sum"))
    return Grid(
        "statement",
        "Profit and loss",
        (Column(""), Column("account currency", number=True), Column("")),
        rows,
        note=f"Exact, from the ledger: {summary.equity_start:f} {split.total:+f} = {summary.equity_end:f}.",
    )


def iso_text(moment: str) -> str:
    """`2026-01-05 00:00:00` of a time with milliseconds."""
    return moment[:19]


def cost_grids(story: RunStory) -> list[Grid]:
    """By engine, tactic, symbol, hour and order type; empty when nothing was wanted."""
    return [_cost_grid(table) for table in cost_section(story.costs)]


def _cost_grid(table: CostTable) -> Grid:
    columns = tuple(Column(name, number=number >= table.text_columns) for number, name in enumerate(table.headers))
    rows = [Row(tuple(Cell(text) for text in row)) for row in table.rows]
    return Grid("", table.title, columns, rows, " ".join(table.notes))


# --- figures ----------------------------------------------------------------------------------------------------------
def statistics_grid(figures: Iterable[Figure]) -> Grid:
    rows = [
        Row((Cell(each.name), Cell(each.value, "missing" if each.missing else ""), Cell(each.note, "dim")))
        for each in figures
    ]
    return Grid(
        "statistics",
        "Statistics",
        (Column(""), Column("", number=True), Column("")),
        rows,
        note="By jquantstats, from equity at bar closes. A year has 365.25 days. What so short a run cannot say is "
        "not said.",
    )


def month_rows(table: Sequence[MonthReturns]) -> dict[str, object]:
    """For the template: names and rows of cells."""
    rows = [
        {
            "year": each.year,
            "cells": [_share_cell(value) for value in (*each.months, each.whole)],
        }
        for each in table
    ]
    return {"names": MONTHS, "rows": rows}


def _share_cell(value: float | None) -> Cell:
    if value is None:
        return Cell("")
    return Cell(f"{value:+.2%}" if round(value, 4) else "0.00%", tone_of(round(value, 4)))


# --- what was done ----------------------------------------------------------------------------------------------------
def trip_grid(trips: Sequence[RoundTrip], ticks: Mapping[str, Decimal]) -> Grid:
    """The first TRIPS_SHOWN, and how many more there are."""
    shown = trips[:TRIPS_SHOWN]
    more = f"The first {len(shown):,} of {len(trips):,}; --export has all. " if len(trips) > len(shown) else ""
    columns = (
        Column("no", number=True),
        Column("symbol"),
        Column("side"),
        Column("opened, UTC"),
        Column("held", number=True),
        *(Column(name, number=True) for name in ("quantity", "entry", "exit", "price", "fees", "funding", "net")),
        Column("closed by"),
    )
    return Grid(
        "trips",
        "Round trips",
        columns,
        [_trip_row(trip, ticks[trip.symbol]) for trip in shown],
        note=f"{more}From flat to flat; net is price less fees plus funding. A click on a heading sorts.",
        empty="No position was opened and closed.",
        tall=True,
    )


def _trip_row(trip: RoundTrip, tick: Decimal) -> Row:
    amounts = (trip.price_pnl, -trip.fees, trip.funding)
    return Row(
        (
            Cell(str(trip.number), sort=trip.number),
            Cell(trip.symbol),
            Cell("long" if trip.side.sign > 0 else "short", "up" if trip.side.sign > 0 else "down"),
            Cell(iso(trip.opened_ns)[:19]),
            Cell(_held(trip.seconds), sort=trip.seconds),
            Cell(f"{trip.quantity:f}", sort=float(trip.quantity)),
            Cell(price(trip.entry_price, tick), sort=float(trip.entry_price)),
            Cell(price(trip.exit_price, tick), sort=float(trip.exit_price)),
            *(Cell(moved(amount), sort=float(amount)) for amount in amounts),
            Cell(moved(trip.net), tone_of(trip.net), sort=float(trip.net)),
            Cell(trip.exit_reason or "no signal", "alarm" if trip.exit_reason == "liquidation" else "dim"),
        )
    )


def _held(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:.1f} d"


def refusal_grid(summary: RunSummary) -> Grid:
    rows = [
        Row((Cell(code), Cell(f"{count:,}"), Cell(meaning_of(code), "dim")))
        for code, count in sorted(summary.refusals.items(), key=lambda item: -item[1])
    ]
    rows += [
        Row((Cell(f"rejected: {code}"), Cell(f"{count:,}"), Cell("by the exchange", "dim")))
        for code, count in sorted(summary.venue_rejects.items())
    ]
    return Grid("refusals", "Refusals", (Column("code"), Column("times", number=True), Column("")), rows)


def guard_grid(story: RunStory) -> Grid:
    """The newest trip of each guard, and how often it tripped."""
    last = {trip.guard: trip for trip in story.guards}
    rows = [
        _row(
            guard,
            f"{story.metrics.guard_trips[guard]:,}",
            f"last {iso(trip.at_ns)[:19]}: {trip.value:f} at a threshold of {trip.threshold:f} {trip.unit}, "
            f"so {trip.action}",
        )
        for guard, trip in sorted(last.items())
    ]
    return Grid("guards", "Guards", (Column("guard"), Column("times", number=True), Column("")), rows)


# --- what it was ------------------------------------------------------------------------------------------------------
def setting_grid(name: str, title: str, lines: Iterable[SettingLine]) -> Grid:
    rows = [
        Row((Cell(line.path), Cell(line.value, "wide"), Cell(line.unit, "dim"), Cell(line.source, "dim")))
        for line in lines
    ]
    return Grid(name, title, (Column("setting"), Column("value"), Column("unit"), Column("source")), rows)


def identity_grid(facts: RunFacts, story: RunStory) -> Grid:
    """What makes this run this run, and how it can be had again."""
    summary = facts.summary
    engine = ", then ".join(f"{each.engine} ({each.reason})" for each in story.engines)
    config = story.started.config_digest if story.started else ""
    rows = [
        _row("Run", summary.run),
        _row("Engine", engine),
        _row("Events", f"{story.events:,}, hash {story.digest}"),
        _row("Market", f"{summary.market}, sha256 {summary.market_digest}"),
        _row("Traded", f"{iso_text(summary.start)} to {iso_text(summary.end)} UTC, {summary.stopped_by}"),
        _row("Seed", str(summary.seed)),
        _row("Configuration", f"profile {summary.profile}, sha256 {config}"),
        _row("Computed", f"in {facts.real_seconds:,.1f} s by gpt-trader {facts.code_version}"),
        _row("Store", summary.store),
    ]
    return Grid(
        "identity",
        "Identity",
        (Column(""), Column("")),
        [Row((row.cells[0], Cell(row.cells[1].text, "wide"))) for row in rows],
        note="The same settings, market and seed give the same events, byte for byte: the hash proves it.",
    )
