"""The adapter over the simulated venue keeps the promises of the port, on the market's time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.builders import a_product

from gpt_trader.config.bot import VenueConfig
from gpt_trader.core.clock import NS, SimulationOver, VirtualClock, run_virtual
from gpt_trader.core.errors import (
    ConfigError,
    InsufficientBalanceError,
    InvalidOrderError,
    OrderNotFoundError,
    Refusal,
    Refused,
    VenueUnavailableError,
)
from gpt_trader.core.values import Account, Bar, OrderState, OrderTicket, OrderType, Side, TimeInForce, TradingStatus
from gpt_trader.exchange.base import FillUpdate, FundingUpdate, OrderUpdate, ProductChanged
from gpt_trader.exchange.paper import PaperExchange, venue_settings
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import BAR, FUNDING, LEVEL, ROW, STATUS, TRADE
from gpt_trader.venue.settings import Latency, VenueSettings

D = Decimal
START = 1_750_000_020 * NS
LATENCY_NS = 30_000_000


def _row(seconds: float, kind: int, side: int, *values: int) -> tuple[int, ...]:
    ts = START + round(seconds * NS)
    return (ts, ts, kind, side, 0, 0, *values, *[0] * (5 - len(values)))


BOOK = [
    _row(0, LEVEL, 1, 11_999, 50),
    _row(0, LEVEL, -1, 12_001, 50),
    _row(0, TRADE, 1, 12_000, 1),
]
LATER = [_row(600, FUNDING, 0, 0)]


class Paper:
    """A paper exchange on a small market, and everything that it told, with the time of the telling."""

    def __init__(self, rows: list[tuple[int, ...]], *, cash: str = "100000", start_ns: int = START) -> None:
        stream = ArrayStream([a_product()], np.array(rows, ROW), start_ns=start_ns)
        self.clock = VirtualClock(start_ns)
        self.exchange = PaperExchange(stream, clock=self.clock, cash=D(cash))
        self.told: list[tuple[float, Any]] = []

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Start the exchange and run `work` on the market's time."""

        async def main() -> Any:
            await self.exchange.start(["BTC-PERP"], self._hear, self._hear)
            return await work()

        return run_virtual(self.clock, self.exchange, main)

    def _hear(self, update: object) -> None:
        self.told.append(((self.clock.now_ns() - START) / NS, update))

    def heard(self, kind: type) -> list[Any]:
        return [update for _, update in self.told if isinstance(update, kind)]


def a_ticket(**changes: Any) -> OrderTicket:
    """A market buy of 0.10."""
    ticket = OrderTicket(
        client_order_id="gt-test-1",
        intent_id="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.10"),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        valid_until_ns=START + 60 * NS,
    )
    return msgspec.structs.replace(ticket, **changes)


def a_limit(**changes: Any) -> OrderTicket:
    fields = {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(59_900)}
    return a_ticket(**{**fields, **changes})


# --- sending ----------------------------------------------------------------------------------------------------------
def test_send_returns_with_the_acknowledgement_after_both_latencies() -> None:
    """30 ms out and 30 ms back; the fill follows by the account stream, at the same moment."""
    paper = Paper(BOOK + LATER)

    async def work() -> tuple[OrderUpdate, int]:
        before = paper.clock.now_ns()
        update = await paper.exchange.send(paper.exchange.prepare(a_ticket()))
        return update, paper.clock.now_ns() - before

    update, waited = paper.run(work)
    assert (update.state, update.client_order_id, waited) == (OrderState.ACTIVE, "gt-test-1", 2 * LATENCY_NS)
    kinds = [type(each).__name__ for each in (update for _, update in paper.told)]
    assert kinds == ["OrderUpdate", "FillUpdate", "OrderUpdate", "Account"]


def test_fill_carries_price_fee_and_the_time_of_the_trade() -> None:
    """The trade happened one entry latency after the send; it is told one ack latency later."""
    paper = Paper(BOOK + LATER)

    async def work() -> int:
        sent = paper.clock.now_ns()
        await paper.exchange.send(paper.exchange.prepare(a_ticket()))
        return sent

    sent = paper.run(work)
    fill = paper.heard(FillUpdate)[0]
    assert (fill.price, fill.quantity, fill.fee, fill.cause) == (D(60_005), D("0.10"), D("6.0005"), "OWN")
    assert fill.trade_ns == sent + LATENCY_NS


def test_the_same_id_again_returns_the_order_that_exists() -> None:
    """A retry after the fill places nothing, and says FILLED."""
    paper = Paper(BOOK + LATER)

    async def work() -> OrderUpdate:
        prepared = paper.exchange.prepare(a_ticket())
        await paper.exchange.send(prepared)
        return await paper.exchange.send(prepared)

    update = paper.run(work)
    assert (update.state, update.filled) == (OrderState.FILLED, D("0.10"))
    assert [position.quantity for position in paper.exchange.venue.positions()] == [D("0.10")]


def test_two_sends_of_one_order_at_once_are_both_answered() -> None:
    """The second asker gets the order as the first one's send left it."""
    paper = Paper(BOOK + LATER)

    async def work() -> list[OrderUpdate]:
        prepared = paper.exchange.prepare(a_limit())
        return list(await asyncio.gather(paper.exchange.send(prepared), paper.exchange.send(prepared)))

    assert [update.state for update in paper.run(work)] == [OrderState.ACTIVE, OrderState.ACTIVE]


def test_refusal_of_the_venue_raises_with_its_code() -> None:
    """A post-only order that crosses was looked at and refused."""
    paper = Paper(BOOK + LATER)

    async def work() -> None:
        await paper.exchange.send(paper.exchange.prepare(a_limit(limit_price=D(60_005), post_only=True)))

    with pytest.raises(InvalidOrderError) as caught:
        paper.run(work)
    assert caught.value.code == "post_only_cross"


def test_too_little_margin_raises_insufficient_balance() -> None:
    """600 of initial margin do not come out of 100."""
    paper = Paper(BOOK + LATER, cash="100")

    async def work() -> None:
        await paper.exchange.send(paper.exchange.prepare(a_ticket()))

    with pytest.raises(InsufficientBalanceError):
        paper.run(work)


def test_a_sender_who_gives_up_hears_of_the_order_by_the_stream() -> None:
    """The request had left: a timeout of the caller does not undo it."""
    paper = Paper(BOOK + LATER)

    async def work() -> OrderUpdate:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(paper.exchange.send(paper.exchange.prepare(a_ticket())), 0.01)
        with pytest.raises(OrderNotFoundError):
            await paper.exchange.order("gt-test-1", "")
        await paper.clock.sleep(1)
        return await paper.exchange.order("gt-test-1", "")

    assert paper.run(work).state is OrderState.FILLED
    assert [update.state for update in paper.heard(OrderUpdate)] == [OrderState.ACTIVE, OrderState.FILLED]


# --- cancelling -------------------------------------------------------------------------------------------------------
def test_cancel_is_told_by_the_stream_before_it_returns() -> None:
    """Returning is no proof, but here the proof has come by then."""
    paper = Paper(BOOK + LATER)

    async def work() -> tuple[OrderUpdate, ...]:
        await paper.exchange.send(paper.exchange.prepare(a_limit()))
        assert len(await paper.exchange.open_orders()) == 1
        await paper.exchange.cancel("gt-test-1", "", "BTC-PERP")
        return await paper.exchange.open_orders()

    assert paper.run(work) == ()
    assert paper.heard(OrderUpdate)[-1].state is OrderState.CANCELLED


def test_cancel_that_comes_too_late_says_so() -> None:
    """The order was filled before."""
    paper = Paper(BOOK + LATER)

    async def work() -> None:
        await paper.exchange.send(paper.exchange.prepare(a_ticket()))
        await paper.exchange.cancel("gt-test-1", "", "BTC-PERP")

    with pytest.raises(InvalidOrderError, match="too late, the order is FILLED"):
        paper.run(work)


def test_cancel_of_an_order_nobody_sent_is_not_found() -> None:
    """Nothing leaves for an id that the venue cannot know."""
    paper = Paper(BOOK + LATER)

    async def work() -> None:
        await paper.exchange.cancel("gt-other", "", "BTC-PERP")

    with pytest.raises(OrderNotFoundError):
        paper.run(work)


# --- reading ----------------------------------------------------------------------------------------------------------
def test_fills_go_on_from_a_cursor() -> None:
    """The second page holds only what came after the first."""
    paper = Paper(BOOK + LATER)

    async def work() -> list[list[str]]:
        pages = []
        cursor = ""
        for number in (1, 2):
            await paper.exchange.send(paper.exchange.prepare(a_ticket(client_order_id=f"gt-{number}")))
            page = await paper.exchange.fills(cursor)
            cursor = page.cursor
            pages.append([fill.client_order_id for fill in page.fills])
        return pages

    assert paper.run(work) == [["gt-1"], ["gt-2"]]


def test_account_and_positions_are_the_venues_truth() -> None:
    """Equity is cash and what the position is worth at the mark."""
    paper = Paper(BOOK + LATER)

    async def work() -> tuple[Account, Any]:
        await paper.exchange.send(paper.exchange.prepare(a_ticket()))
        return await paper.exchange.balances(), await paper.exchange.positions()

    account, positions = paper.run(work)
    assert [(each.quantity, each.entry_price) for each in positions] == [(D("0.10"), D(60_005))]
    assert account.cash == D(100_000) - D("6.0005")
    assert account.equity == account.cash - D("0.5")
    assert account == paper.heard(Account)[-1]


# --- time -------------------------------------------------------------------------------------------------------------
def test_bars_are_delivered_at_their_close() -> None:
    """The clock stands at the close of the bar when the listener is called."""
    paper = Paper([*BOOK, _row(70, TRADE, 1, 12_010, 2), _row(130, TRADE, 1, 12_000, 1)])

    async def work() -> None:
        await paper.clock.sleep(125)

    paper.run(work)
    bars = [(at, update.close) for at, update in paper.told if isinstance(update, Bar)]
    assert bars == [(60.0, 60_000.0), (120.0, 60_050.0)]


def test_funding_and_halts_are_told() -> None:
    """Each on the stream where the port promises it."""
    rows = [*BOOK, _row(60, FUNDING, 0, 10**8), _row(90, STATUS, 0, 4), *LATER]
    paper = Paper(rows)

    async def work() -> None:
        await paper.exchange.send(paper.exchange.prepare(a_ticket()))
        await paper.clock.sleep(100)

    paper.run(work)
    paid = paper.heard(FundingUpdate)[0]
    assert (paid.funding_ns, paid.amount, paid.position) == (START + 60 * NS, D("-0.6"), D("0.10"))
    assert [change.status for change in paper.heard(ProductChanged)] == [TradingStatus.HALTED]
    assert paper.exchange.products()["BTC-PERP"].status is TradingStatus.HALTED


def test_liquidation_is_told_with_its_cause() -> None:
    """The venue's own order has a name of the venue's and the cause LIQUIDATION."""
    crash = [_row(60, LEVEL, 1, 11_999, 0), _row(60, LEVEL, 1, 8_000, 90), _row(60, TRADE, -1, 8_000, 1)]
    paper = Paper([*BOOK, *crash, *LATER], cash="700")

    async def work() -> None:
        await paper.exchange.send(paper.exchange.prepare(a_ticket()))
        await paper.clock.sleep(100)

    paper.run(work)
    fill = paper.heard(FillUpdate)[-1]
    assert (fill.client_order_id, fill.cause, fill.quantity) == ("liquidation-1", "LIQUIDATION", D("0.10"))
    assert paper.exchange.account().cash == 0


def test_timers_run_on_after_the_market_has_ended() -> None:
    """Ten minutes of rows do not keep a timer of an hour from firing."""
    paper = Paper(BOOK + LATER)

    async def work() -> int:
        await paper.clock.sleep(3600)
        return paper.clock.now_ns()

    assert paper.run(work) >= START + 3600 * NS


def test_waiting_for_nothing_ends_the_simulation() -> None:
    """No timer, no rows, nothing under way: nobody would ever wake."""
    paper = Paper(BOOK + LATER)

    async def work() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(SimulationOver):
        paper.run(work)


# --- starting and preparing ---------------------------------------------------------------------------------------------
def test_start_returns_once_every_symbol_has_a_price() -> None:
    """The first price of this market comes after five seconds."""
    paper = Paper([_row(5, TRADE, 1, 12_000, 1), *LATER])

    async def work() -> int:
        return paper.clock.now_ns() - START

    assert 5 * NS <= paper.run(work) < 6 * NS


def test_start_gives_up_on_a_market_without_a_price() -> None:
    """A minute of silence is an error, not an endless wait."""
    paper = Paper([_row(0, FUNDING, 0, 0), _row(300, TRADE, 1, 12_000, 1)])

    async def work() -> None:
        pass

    with pytest.raises(VenueUnavailableError, match="no price of BTC-PERP"):
        paper.run(work)


def test_start_names_a_symbol_that_the_market_does_not_have() -> None:
    """And what it has instead."""
    paper = Paper(BOOK)

    async def main() -> None:
        await paper.exchange.start(["ETH-PERP"], lambda _: None, lambda _: None)

    with pytest.raises(ConfigError, match="ETH-PERP is not in this market; it has BTC-PERP"):
        run_virtual(paper.clock, paper.exchange, main)


def test_prepare_is_pure_and_frozen() -> None:
    """The same ticket gives the same bytes, whatever the bot adds to it for itself."""
    exchange = Paper(BOOK).exchange
    one, two = exchange.prepare(a_ticket()), exchange.prepare(a_ticket(strategy="other", arrival_mid=D(1)))
    assert (one.body, one.digest) == (two.body, two.digest)
    assert msgspec.json.decode(one.body)["quantity"] == "0.10"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"symbol": "ETH-PERP"}, Refusal.UNKNOWN_SYMBOL),
        ({"time_in_force": TimeInForce.GTC}, Refusal.UNSUPPORTED_TIF),
        ({"quantity": D("0.105")}, Refusal.INVALID_QUANTITY),
        ({"quantity": D("NaN")}, Refusal.INVALID_QUANTITY),
        ({"limit_price": D(60_000)}, Refusal.INVALID_PRICE),
        ({"order_type": OrderType.LIMIT}, Refusal.INVALID_PRICE),
        ({"order_type": OrderType.LIMIT, "limit_price": D(60_001)}, Refusal.INVALID_PRICE),
        ({"post_only": True}, Refusal.POST_ONLY_WITH_IMMEDIATE),
        ({"stop_price": D(60_000)}, Refusal.INVALID_STOP),
        (
            {"order_type": OrderType.STOP_LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(60_000)},
            Refusal.INVALID_STOP,
        ),
        (
            {"order_type": OrderType.BRACKET, "time_in_force": TimeInForce.GTC, "limit_price": D(60_000)},
            Refusal.INVALID_STOP,
        ),
        (
            {"order_type": OrderType.BRACKET, "time_in_force": TimeInForce.IOC, "limit_price": D(60_000)},
            Refusal.UNSUPPORTED_TIF,
        ),
        (
            {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTD, "limit_price": D(60_000)},
            Refusal.INVALID_EXPIRY,
        ),
    ],
)
def test_prepare_refuses_by_name_what_the_venue_cannot_do(changes: dict[str, Any], refusal: Refusal) -> None:
    """Nothing is downgraded, rounded or guessed."""
    with pytest.raises(Refused) as caught:
        Paper(BOOK).exchange.prepare(a_ticket(**changes))
    assert caught.value.code is refusal


def test_bars_as_market_publish_a_modelled_book() -> None:
    """Somebody who sizes by the book sees that it is modelled."""
    rows = [_row(60 * minute, BAR, 0, 12_000, 12_010, 11_990, 12_000, 1000) for minute in range(1, 4)]
    paper = Paper(rows, start_ns=START)

    async def work() -> Any:
        await paper.clock.sleep(65)
        return paper.exchange.market.book("BTC-PERP", 5)

    book = paper.run(work)
    assert book.modelled
    assert len(book.bids) == 5


# --- what the configuration assumes of it -------------------------------------------------------------------------------
def test_every_assumption_can_be_configured() -> None:
    """Each setting of the profile reaches the venue."""
    asked = VenueConfig(
        entry_latency_ms=20,
        entry_latency_p99_ms=90,
        ack_latency_recorded_ms=(D(5), D(7)),
        feed_latency_ms=3,
        queue_model="proportional",
        funding="venue",
        margin_window="schedule",
        session_break="Fri 17:00-18:00 America/New_York",
        fee_tiers="0:0.00095/0.001, 100000:0.0008/0.0009",
        fee_volume_before=D(5),
        bracket_collar_bps=D(100),
        bar_levels=3,
    )
    made = venue_settings(asked, seed=11)
    assert made.entry_latency == Latency(milliseconds=D(20), p99_milliseconds=D(90))
    assert made.ack_latency.recorded_milliseconds == (D(5), D(7))
    assert (made.feed_latency.milliseconds, made.seed) == (D(3), 11)
    assert (made.queue_model, made.funding, made.margin_window) == ("proportional", "venue", "schedule")
    assert made.day_hours is not None
    assert made.session_break is not None
    assert [tier.volume_from for tier in made.fee_tiers] == [D(0), D(100_000)]
    assert (made.volume_before, made.bracket_collar_bps, made.bar_model.levels) == (D(5), D(100), 3)


def test_defaults_of_the_configuration_are_those_of_the_venue() -> None:
    """But for 30 ms each way, which a bare venue does not have."""
    made = venue_settings(VenueConfig(), seed=0)
    bare = VenueSettings(
        entry_latency=Latency(milliseconds=D(30)), ack_latency=Latency(milliseconds=D(30)), day_hours=made.day_hours
    )
    assert made == bare


def test_a_bracket_is_one_order_with_two_prices() -> None:
    """It rests, takes its profit, and its stop is gone with it."""
    paper = Paper([*BOOK, _row(5, TRADE, 1, 12_101, 50), *LATER])

    async def work() -> OrderUpdate:
        await paper.exchange.send(paper.exchange.prepare(a_ticket()))
        bracket = a_limit(
            client_order_id="gt-bracket",
            side=Side.SELL,
            order_type=OrderType.BRACKET,
            limit_price=D(60_500),
            stop_price=D(59_500),
            reduce_only=True,
        )
        await paper.exchange.send(paper.exchange.prepare(bracket))
        await paper.clock.sleep(10)
        return await paper.exchange.order("gt-bracket", "")

    update = paper.run(work)
    assert (update.state, update.average_price) == (OrderState.FILLED, D(60_500))
    assert paper.exchange.venue.positions() == ()
