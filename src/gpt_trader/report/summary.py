"""What came of the run? One value with all figures, as JSON for machines and as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gpt_trader.core.errors import Refusal
from gpt_trader.report.numbers import adding_up, money, moved, share

__all__ = ["END_OF_DURATION", "END_OF_MARKET", "STOPPED_BY", "RunSummary", "meaning_of", "print_summary", "to_json"]

END_OF_MARKET: Final = "end of market"
END_OF_DURATION: Final = "end of duration"
STOPPED_BY: Final = "stopped by "
"""How a run that was ended by a signal says so; the name of the signal follows."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one run, in the account currency.

    equity_start + price_pnl - fees + funding + transfers = equity_end, to the last digit; a simulated account has no
    transfers.
    """

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
    """By code: what our own rules did not let through."""
    venue_rejects: Mapping[str, int]
    """By the venue's code: orders that were sent and not taken."""
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


def print_summary(console: Console, summary: RunSummary) -> None:
    """The end of a run as a person wants to read it. What may be copied stands on a line of its own, never broken."""
    console.print(Group(_heading(summary), Padding(_figures(summary), (1, 0), expand=False), *_remarks(summary)))
    console.print(
        Text.assemble(("Events  ", "bold"), f"{summary.event_count}, hash {summary.event_hash}"), soft_wrap=True
    )
    console.print(Text.assemble(("Store   ", "bold"), summary.store), soft_wrap=True)
    console.print(
        Text("Read it with `gpt-trader events show last`, check it with `gpt-trader events verify last`.", "dim")
    )


def meaning_of(code: str) -> str:
    """What a refusal's code says; empty for a code of another release."""
    return next((refusal.meaning for refusal in Refusal if refusal.value == code), "")


def _heading(summary: RunSummary) -> Text:
    return Text.assemble(
        "\n",
        (summary.engine, "bold cyan"),
        f"  by {summary.engine_reason}\n",
        f"{summary.profile} on {summary.market}, {_moment(summary.start)} to {_moment(summary.end)}, ",
        (summary.stopped_by, "bold" if summary.stopped_by.startswith(STOPPED_BY) else ""),
    )


def _moment(iso: str) -> str:
    return f"{iso[:19]}Z"


def _figures(summary: RunSummary) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for row in (*_money_rows(summary), ("", "", ""), *_count_rows(summary)):
        table.add_row(*row)
    return table


def _money_rows(summary: RunSummary) -> Iterator[tuple[str, str, str]]:
    """Whoever adds up the parts gets the difference, to the cent."""
    parts = {
        "price PnL": summary.price_pnl,
        "fees": -summary.fees,
        "funding": summary.funding,
        "transfers": summary.transfers,
    }
    shown = adding_up(parts, round(summary.equity_end, 2) - round(summary.equity_start, 2))
    yield "Equity at start", money(summary.equity_start), ""
    yield "  price PnL", moved(shown["price PnL"]), "realised and unrealised, before costs"
    yield "  fees", moved(shown["fees"]), ""
    yield "  funding", moved(shown["funding"]), "above zero is received"
    if summary.transfers:
        yield "  transfers", moved(shown["transfers"]), "cash that is no trade, fee or funding"
    yield "Equity at end", money(summary.equity_end), f"{_change(summary):+.3%}"
    yield "Maximum drawdown", share(summary.max_drawdown, 3), "from the highest equity"
    if summary.arrival_cost_bps is not None:
        basis_points = f"{summary.arrival_cost_bps:.2f} bps against the mid when decided"
        yield "Cost against arrival", money(summary.arrival_cost), basis_points


def _count_rows(summary: RunSummary) -> Iterator[tuple[str, str, str]]:
    yield "Signals", f"{summary.signals:,}", ""
    yield "Orders", f"{summary.orders:,}", f"{len(summary.open_orders)} still open"
    for code, count in sorted(summary.venue_rejects.items()):
        yield f"  rejected: {code}", f"{count:,}", "by the venue"
    yield "Fills", f"{summary.fills:,}", f"{summary.buys:,} buys, {summary.sells:,} sells"
    if summary.liquidations:
        yield "  liquidations", f"{summary.liquidations:,}", "fills that the venue made to close what was not covered"
    yield "Refused", f"{sum(summary.refusals.values()):,}", ""
    for code, count in sorted(summary.refusals.items()):
        yield f"  {code}", f"{count:,}", meaning_of(code)
    yield "Guards tripped", f"{sum(summary.guards.values()):,}", ""
    for guard, count in sorted(summary.guards.items()):
        yield f"  {guard}", f"{count:,}", ""


def _change(summary: RunSummary) -> Decimal:
    return summary.equity_end / summary.equity_start - 1 if summary.equity_start else Decimal(0)


def _remarks(summary: RunSummary) -> Iterator[Text]:
    if summary.dry_run:
        yield Text("Dry run: everything was decided, nothing was sent.", "yellow")
    for symbol, quantity in summary.positions.items():
        yield Text.assemble(("Still open: ", "bold yellow"), f"{quantity:+f} {symbol}")
    if summary.positions and summary.stopped_by.startswith(STOPPED_BY):
        yield Text("Stopping closes no position.", "dim")
    for order in summary.open_orders:
        yield Text.assemble(("Still working: ", "bold yellow"), f"order {order}")
    if summary.system_errors:
        yield Text(
            f"System errors: {summary.system_errors}; see `gpt-trader events show last --type SystemError`", "bold red"
        )
    for note in summary.market_notes:
        yield Text(f"Note: {note}", "dim")
