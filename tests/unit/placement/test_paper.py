"""What does an order cost on paper? Filled by the book, or when the other side comes; nothing is given away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.builders import START_NS, D, a_book, a_snapshot, an_order

from gpt_trader.config.bot import ExecutionConfig
from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.values import (
    ApprovedOrder,
    BookView,
    Mark,
    OrderState,
    OrderType,
    PaperCost,
    Side,
    TimeInForce,
)
from gpt_trader.execution.handlers.executor import OrderExecutorHandler
from gpt_trader.placement.paper import FOLLOWED_SECONDS_MAX, PaperDesk, follow
from gpt_trader.placement.tactics import make_tactics

TAKER, MAKER = D("10"), D("9.5")
"""Fees of the product in basis points."""


class Market:
    """A middle for each second; the last one stays."""

    def __init__(self, clock: ManualClock, mids: Sequence[int]) -> None:
        self._clock = clock
        self._mids = mids

    def _mid(self) -> Decimal:
        return D(self._mids[min((self._clock.now_ns() - START_NS) // NS, len(self._mids) - 1)])

    def book(self, symbol: str, depth: int) -> BookView | None:
        return a_book(mid=self._mid(), now_ns=self._clock.now_ns())

    def touch(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        return self._mid() - 5, self._mid() + 5

    def mark(self, symbol: str) -> Mark | None:
        return None

    def last_price(self, symbol: str) -> Decimal | None:
        return None

    def index_price(self, symbol: str) -> Decimal | None:
        return None

    def funding_rate(self, symbol: str) -> Decimal:
        return D(0)


def on_paper(*mids: int, book: BookView | None = None, **changes: Any) -> tuple[PaperCost, PaperDesk]:
    """One order of a tactic, followed to its end over these middles."""
    clock = ManualClock(START_NS)
    market = Market(clock, mids or (60_000,))
    snapshot = a_snapshot()
    if book is not None:
        snapshot = msgspec.structs.replace(snapshot, market=msgspec.structs.replace(snapshot.market, book=book))
    order = an_order(created_ns=START_NS, valid_until_ns=START_NS + 60 * NS, **changes)
    approved = ApprovedOrder(order=order, snapshot=snapshot)
    desk = PaperDesk(order.symbol, market, clock, snapshot.market.book, 5.0)
    tactics = make_tactics(
        ExecutionConfig(), RiskConfig(), works=desk, takes=desk, rests=desk, clock=clock, run_tag="paper"
    )

    async def work() -> None:
        await OrderExecutorHandler(tactics.by_name, tactics.resting).handle(approved)
        await follow(clock, desk)

    asyncio.run(work())
    return desk.cost(approved), desk


def test_what_is_taken_pays_the_levels_of_the_decisions_book() -> None:
    """Half a unit more than the best level shows pays the next one; the fee is the taker's."""
    cost, _ = on_paper(quantity=D("1.5"))
    assert cost.average_price == (D(60_005) + D("0.5") * D(60_010)) / D("1.5")
    assert cost.all_in_bps == (((cost.average_price * D("1.001")) - 60_000) / 60_000 * 10_000).quantize(D("0.0001"))


def test_a_sale_is_the_mirror_image() -> None:
    """Above zero costs us on either side."""
    (bought, _), (sold, _) = on_paper(quantity=D(1)), on_paper(quantity=D(1), side=Side.SELL)
    assert sold.average_price == D(59_995)
    assert abs(sold.all_in_bps - bought.all_in_bps) < D("0.01")
    assert sold.all_in_bps > TAKER


def test_nothing_is_taken_beyond_what_the_book_shows() -> None:
    """Ten of twelve are there; the rest waits at the collar and the rising market leaves it behind: that is missed."""
    cost, desk = on_paper(60_000, *([61_000] * 40), quantity=D(12))
    assert cost.filled == D(10)
    assert desk.orders[0].state is OrderState.EXPIRED
    assert cost.all_in_bps > TAKER * 10 / 12 + D("166") * 2 / 12  # 2 of 12 missed a move of 167 bps
    assert cost.is_over


def test_what_rests_fills_when_the_other_side_reaches_its_price_and_not_before() -> None:
    """At the touch alone it stands last in the queue."""
    stays, _ = on_paper(*([60_000] * 40), quantity=D(1), tactic="simple_limit")
    assert (stays.filled, stays.all_in_bps) == (D(0), D(0))
    comes, desk = on_paper(60_000, 59_990, quantity=D(1), tactic="simple_limit")
    assert comes.average_price == desk.first_price == D(60_000)
    assert comes.all_in_bps == MAKER


def test_an_order_left_resting_is_followed_for_so_long_and_told_as_it_stands() -> None:
    """A limit that nobody reaches has no end of its own."""
    cost, desk = on_paper(
        quantity=D(1), order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, limit_price=D(59_000)
    )
    assert (cost.is_over, cost.filled) == (False, D(0))
    assert desk.orders[0].state is OrderState.ACTIVE
    assert FOLLOWED_SECONDS_MAX == 3600


def test_a_fill_or_kill_takes_all_or_nothing() -> None:
    """Twelve are not there within the book."""
    fok: dict[str, Any] = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.FOK, "limit_price": D(61_000)}
    assert on_paper(quantity=D(12), **fok)[0].filled == D(0)
    assert on_paper(quantity=D(10), **fok)[0].filled == D(10)


def test_an_order_that_waits_for_a_trigger_is_not_followed() -> None:
    """Nobody knows what it will meet."""
    _, desk = on_paper(
        quantity=D(1),
        side=Side.SELL,
        order_type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTC,
        stop_price=D(59_000),
        limit_price=D(58_900),
    )
    assert desk.waits_for_trigger
    assert desk.orders[0].filled == D(0)


@pytest.mark.parametrize("tactic", ["aggressive_limit", "post_only_chase", "twap", "iceberg"])
def test_every_tactic_comes_to_its_end_on_paper(tactic: str) -> None:
    """In a market that swings around the arrival price, with orders of the tactic's own making."""
    cost, desk = on_paper(*[60_000 + 20 * (step % 3) for step in range(900)], quantity=D("0.5"), tactic=tactic)
    assert cost.is_over
    assert sum(order.filled for order in desk.orders) == cost.filled <= D("0.5")
    assert cost.filled > 0
    assert all(order.is_settled for order in desk.orders)


def test_a_post_only_quote_that_would_take_is_refused_and_quoted_again() -> None:
    """It never pays the taker's fee."""
    cost, desk = on_paper(*[60_000 - 10 * step for step in range(90)], quantity=D("0.1"), tactic="post_only_chase")
    assert cost.filled == D("0.1")
    assert all(order.taken_value == 0 for order in desk.orders)
