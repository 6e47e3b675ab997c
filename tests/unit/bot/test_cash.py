"""Is money that a venue tells as a sum booked as what it is: funding, its estimate and true-up, or a transfer?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.builders import MINUTE_NS, D, Recorder, a_fill, a_product, an_account

from gpt_trader.bot.account import CashWatch
from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.events import FundingApplied, RunStarted, SystemError, TransferObserved  # noqa: A004 - the event
from gpt_trader.core.values import Account, Mark, ProductSpec, Side
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.records.ledger import Ledger

SYMBOL = "BTC-PERP"
HOUR_NS = 3600 * NS


class Venue:
    """As much of an adapter as the watch asks of one."""

    def __init__(self) -> None:
        self.money = an_account()
        self.rate = D("0.0001")
        self.market = self

    def account(self) -> Account:
        return self.money

    def products(self) -> dict[str, ProductSpec]:
        return {SYMBOL: a_product()}

    def mark(self, symbol: str) -> Mark:
        return Mark(price=D(60_000), venue_ns=0, received_ns=0)

    def funding_rate(self, symbol: str) -> Decimal:
        return self.rate


class Desk:
    """The watch over a ledger that holds 0.1 long since long ago."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(MINUTE_NS - NS)
        self.recorder = Recorder(folder, self.clock)
        self.venue = Venue()
        self.ledger = Ledger()
        self.ledger.follow(self.recorder.bus)
        orders = OrderManager(self.recorder.bus, self.clock)
        venue: Any = self.venue
        self.watch = CashWatch(
            bus=self.recorder.bus, clock=self.clock, adapter=venue, ledger=self.ledger, orders=orders
        )
        self.recorder.bus.publish(
            RunStarted(
                at_ns=0,
                run_id="r",
                profile="p",
                environment="e",
                config_digest="",
                code_version="",
                market="",
                seed=0,
                cash=D(100_000),
                funding=D(5),
            )
        )
        self.watch.begin(D(5))
        self.recorder.bus.publish(a_fill(side=Side.BUY, quantity=D("0.1"), fee=D(0), trade_ns=MINUTE_NS - 10 * HOUR_NS))

    def money(self, **changes: Any) -> None:
        """The venue says so now."""
        self.venue.money = an_account(now_ns=self.clock.now_ns(), **changes)
        self.watch.on_account(self.venue.money)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.recorder.events if isinstance(event, kind)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.clock.advance(1)
    yield made
    made.recorder.close()


def test_what_the_sum_has_beyond_the_ledger_is_paid(desk: Desk) -> None:
    """Once, however often it is told, at the funding time before."""
    desk.clock.advance(3)
    desk.money(funding=D("4.4"))
    desk.money(funding=D("4.4"))

    (event,) = desk.of(FundingApplied)
    assert (event.symbol, event.amount, event.kind, event.funding_ns) == (SYMBOL, D("-0.6"), "PAID", MINUTE_NS)
    assert desk.ledger.funding == D("-0.6")


def test_a_late_venue_is_estimated_and_trued_up(desk: Desk) -> None:
    """Longs pay mark times rate; what the venue then books replaces it to the last digit."""
    desk.money(funding=D(5))
    desk.clock.advance(60)
    desk.watch.reckon_late_funding()
    assert desk.of(FundingApplied) == []

    desk.clock.advance(120)
    desk.watch.reckon_late_funding()
    desk.watch.reckon_late_funding()
    (estimate,) = desk.of(FundingApplied)
    assert (estimate.amount, estimate.kind) == (D("-0.6"), "ESTIMATE")

    desk.money(funding=D("4.35"))
    assert [event.kind for event in desk.of(FundingApplied)] == ["ESTIMATE", "TRUE_UP"]
    assert desk.ledger.funding == D("-0.65")


def test_a_restart_does_not_count_again(desk: Desk) -> None:
    """The sum of before is in the log: only what came since is new."""
    desk.clock.advance(3)
    desk.money(funding=D("4.4"))
    venue: Any = desk.venue
    again = CashWatch(
        bus=desk.recorder.bus,
        clock=desk.clock,
        adapter=venue,
        ledger=desk.ledger,
        orders=OrderManager(desk.recorder.bus, desk.clock),
    )
    for event in desk.recorder.events:
        again.restore(event)
    again.on_account(an_account(funding=D("4.4")))
    assert len(desk.of(FundingApplied)) == 1
    again.on_account(an_account(funding=D("4.1")))
    assert desk.ledger.funding == D("-0.9")


def test_cash_that_nothing_explains_is_a_transfer(desk: Desk) -> None:
    """After it stood still for a minute, and equity moved with it."""
    marks = {SYMBOL: D(60_000)}
    for _ in range(3):
        desk.money(cash=D(102_500), equity=D(102_500))
        desk.watch.compare(marks)
        desk.clock.advance(61)

    (event,) = desk.of(TransferObserved)
    assert event.amount == D(2500)
    assert desk.ledger.transfers == D(2500)


def test_a_settlement_into_cash_is_no_transfer(desk: Desk) -> None:
    """Cash moved and equity did not: a loss must not be taken for money carried out."""
    for _ in range(4):
        desk.money(cash=D(99_000), equity=D(100_000))
        desk.watch.compare({SYMBOL: D(60_000)})
        desk.clock.advance(61)

    assert desk.of(TransferObserved) == []


def test_rounding_of_the_venue_is_no_transfer(desk: Desk) -> None:
    """Less than a unit of the account's currency is left alone."""
    for _ in range(4):
        desk.money(cash=D("100000.4"), equity=D("100000.4"))
        desk.watch.compare({SYMBOL: D(60_000)})
        desk.clock.advance(61)

    assert desk.of(TransferObserved) == []


def test_funding_while_nothing_was_ever_held_is_reported(tmp_path: Path) -> None:
    """It belongs to no symbol, and is not hidden."""
    recorder = Recorder(tmp_path)
    venue: Any = Venue()
    watch = CashWatch(
        bus=recorder.bus,
        clock=recorder.clock,
        adapter=venue,
        ledger=Ledger(),
        orders=OrderManager(recorder.bus, recorder.clock),
    )
    watch.begin(D(0))
    watch.on_account(an_account(funding=D(3)))
    assert [type(event) for event in recorder.events] == [SystemError]
    recorder.close()
