"""What came of the run? One value with all figures, as JSON for machines and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["END_OF_MARKET", "STOPPED_BY", "RunSummary", "money", "render_summary", "to_json"]

END_OF_MARKET = "end of market"
STOPPED_BY = "stopped by "
"""How a run that was ended by a signal says so; the name of the signal follows."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one run. Money is in the account currency; equity_start + price_pnl - fees + funding = equity_end."""

    run: str
    profile: str
    engine: str
    engine_reason: str
    market: str
    market_digest: str
    market_notes: tuple[str, ...]
    start: str
    end: str
    stopped_by: str
    seed: int
    dry_run: bool
    signals: int
    orders: int
    fills: int
    buys: int
    sells: int
    refusals: Mapping[str, int]
    open_orders: tuple[str, ...]
    positions: Mapping[str, Decimal]
    equity_start: Decimal
    equity_end: Decimal
    price_pnl: Decimal
    fees: Decimal
    funding: Decimal
    transfers: Decimal
    liquidations: int
    max_drawdown: Decimal
    """Largest fall from a peak of equity, as a share of the peak."""
    arrival_cost: Decimal
    """What fills cost against the middle of the book when each was decided; fees apart."""
    arrival_cost_bps: Decimal | None
    guards: Mapping[str, int]
    """How often each guard tripped."""
    system_errors: int
    event_count: int
    event_hash: str
    store: str


def to_json(summary: RunSummary) -> str:
    """One line; decimals as strings."""
    return msgspec.json.encode(summary).decode()


def money(value: Decimal) -> str:
    """Two digits and separators, with a sign where it matters."""
    return f"{value:,.2f}"


def render_summary(summary: RunSummary) -> RenderableType:
    """The end of a run as a person wants to read it."""
    return Group(_heading(summary), _figures(summary), *_remarks(summary))


def _heading(summary: RunSummary) -> Text:
    return Text.assemble(
        ("\nRun ", "bold"),
        summary.run,
        f"  {summary.profile} on {summary.market}, {summary.start} to {summary.end}  ({summary.stopped_by})\n",
        ("Engine ", "bold"),
        (summary.engine, "cyan"),
        f"  because {summary.engine_reason}",
    )


def _figures(summary: RunSummary) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    cost = "" if summary.arrival_cost_bps is None else f"{summary.arrival_cost_bps:.2f} bps of what was traded"
    rows = (
        ("Signals", str(summary.signals), ""),
        ("Orders", str(summary.orders), f"{len(summary.open_orders)} still open"),
        ("Fills", str(summary.fills), f"{summary.buys} buys, {summary.sells} sells"),
        ("Equity at start", money(summary.equity_start), ""),
        ("  price PnL", f"{summary.price_pnl:+,.2f}", "realised and unrealised"),
        ("  fees", f"{-summary.fees:+,.2f}", ""),
        ("  funding", f"{summary.funding:+,.2f}", "above zero is received"),
        ("Equity at end", money(summary.equity_end), f"{_change(summary):+.3%}"),
        ("Maximum drawdown", f"{summary.max_drawdown:.3%}", "from the highest equity"),
        ("Cost against arrival", money(summary.arrival_cost), cost),
    )
    for row in rows:
        table.add_row(*row)
    if summary.transfers:
        table.add_row("  transfers", f"{summary.transfers:+,.2f}", "cash that is no trade, fee or funding")
    if summary.liquidations:
        table.add_row("Liquidations", str(summary.liquidations), "fills made by the venue", style="bold red")
    return table


def _change(summary: RunSummary) -> Decimal:
    return summary.equity_end / summary.equity_start - 1 if summary.equity_start else Decimal(0)


def _remarks(summary: RunSummary) -> list[Text]:
    remarks = [Text()]
    if summary.dry_run:
        remarks.append(Text("Dry run: everything was decided, nothing was sent.", "yellow"))
    if summary.refusals:
        counts = ", ".join(f"{code} {count}" for code, count in sorted(summary.refusals.items()))
        remarks.append(Text.assemble(("Refused: ", "bold"), counts))
    if summary.guards:
        counts = ", ".join(f"{guard} {count}" for guard, count in sorted(summary.guards.items()))
        remarks.append(Text.assemble(("Guards tripped: ", "bold"), counts))
    for symbol, quantity in summary.positions.items():
        remarks.append(Text.assemble(("Still open: ", "bold"), f"{quantity:+} {symbol}"))
    remarks.extend(Text.assemble(("Still working: ", "bold"), order) for order in summary.open_orders)
    if summary.system_errors:
        remarks.append(Text(f"System errors: {summary.system_errors}; see the event log", "bold red"))
    remarks.extend(Text(f"Note: {note}", "dim") for note in summary.market_notes)
    remarks.append(Text.assemble(("Event log: ", "bold"), f"{summary.event_count} events, hash {summary.event_hash}"))
    remarks.append(Text.assemble(("Store: ", "bold"), summary.store))
    return remarks
