"""What do we hold, and what did it earn?"""

from __future__ import annotations

import random
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import START_NS, Recorder, a_fill, a_run_started

from gpt_trader.core.events import Event, FundingApplied, OrderFilled, PositionClosed, PositionOpened, TransferObserved
from gpt_trader.core.values import Position, Side
from gpt_trader.records import ledger as ledger_module
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.ledger import EquityTracker, Ledger, share_of, to_grid

D = Decimal
SYMBOL = "BTC-PERP"
GRID = 10**8

SIDES = st.sampled_from(Side)
QUANTITIES = st.integers(1, 10**7).map(lambda lots: D(lots).scaleb(-4))
PRICES = st.integers(1, 10**8).map(lambda ticks: D(ticks).scaleb(-3))
MONEY = st.integers(-(10**14), 10**14).map(lambda grains: D(grains).scaleb(-10))
FEES = MONEY.map(lambda amount: amount / 100)
TRADES = st.tuples(SIDES, QUANTITIES, PRICES, FEES)


def fills(trades: list[tuple[Side, Decimal, Decimal, Decimal]], symbol: str = SYMBOL) -> list[OrderFilled]:
    return [
        a_fill(symbol=symbol, trade_id=f"t{number}", side=side, quantity=quantity, price=price, fee=fee)
        for number, (side, quantity, price, fee) in enumerate(trades)
    ]


def funding(amount: Decimal, funding_ns: int = 1, symbol: str = SYMBOL) -> FundingApplied:
    return FundingApplied(
        at_ns=START_NS, symbol=symbol, funding_ns=funding_ns, amount=amount, rate=D(0), position=D(1), price=D(1)
    )


def transfer(amount: Decimal, key: str = "k") -> TransferObserved:
    return TransferObserved(at_ns=START_NS, amount=amount, key=key)


def ledger_of(*events: Event) -> Ledger:
    ledger = Ledger()
    ledger.replay(events)
    return ledger


def buy(quantity: str, price: str, **changes: object) -> OrderFilled:
    return a_fill(side=Side.BUY, quantity=D(quantity), price=D(price), fee=D(0), **changes)


def sell(quantity: str, price: str, **changes: object) -> OrderFilled:
    return a_fill(side=Side.SELL, quantity=D(quantity), price=D(price), fee=D(0), **changes)


# --- a position ---------------------------------------------------------------------------------------------------
def test_an_empty_ledger_is_flat() -> None:
    """Nothing happened: no position, no money."""
    ledger = Ledger()
    assert ledger.position(SYMBOL) == Position(symbol=SYMBOL, quantity=D(0), entry_price=D(0))
    assert (ledger.positions(), ledger.cash, ledger.equity({})) == ({}, D(0), D(0))


def test_buying_twice_averages_the_price() -> None:
    """The entry price is cost over quantity; the opening time is that of the first trade."""
    ledger = ledger_of(buy("1", "100", trade_ns=5), buy("3", "200", trade_id="t2", trade_ns=9))
    assert ledger.position(SYMBOL) == Position(symbol=SYMBOL, quantity=D(4), entry_price=D(175), opened_ns=5)
    assert ledger.positions() == {SYMBOL: ledger.position(SYMBOL)}


def test_closing_a_part_takes_its_share_of_the_cost() -> None:
    """The average price of what stays does not move."""
    ledger = ledger_of(buy("1", "100"), buy("1", "200", trade_id="t2"), sell("1", "180", trade_id="t3"))
    assert ledger.realised == 30
    assert ledger.position(SYMBOL).entry_price == 150


def test_a_short_earns_when_the_price_falls() -> None:
    """Signs of a short position, closed in two parts."""
    ledger = ledger_of(sell("2", "100"), buy("1", "90", trade_id="t2"))
    assert (ledger.position(SYMBOL).quantity, ledger.realised) == (D(-1), D(10))
    assert ledger.unrealised({SYMBOL: D(95)}) == 5
    ledger.apply(buy("1", "120", trade_id="t3"))
    assert (ledger.positions(), ledger.realised) == ({}, D(-10))


def test_a_third_is_rounded_once_and_the_rest_stays_exact() -> None:
    """Cost is moved on the 1e-8 grid; closing the remainder takes exactly what is left."""
    ledger = ledger_of(buy("3", "0.33333333"), sell("1", "1", trade_id="t2"))
    assert ledger.totals(SYMBOL).cost == D("0.66666666")
    ledger.apply(sell("2", "1", trade_id="t3"))
    assert ledger.totals(SYMBOL).cost == 0
    assert ledger.realised == D("2.00000001")


@pytest.mark.parametrize(
    ("amount", "rounded"), [("0.000000005", "0"), ("0.000000015", "2e-8"), ("-0.000000025", "-2e-8")]
)
def test_ties_go_to_the_even_digit(amount: str, rounded: str) -> None:
    """Half-even on the 1e-8 grid, as in the venue's kernel."""
    assert to_grid(D(amount)) == D(rounded)
    assert share_of(D(amount) * 3, D(1), D(3)) == D(rounded)


# --- money --------------------------------------------------------------------------------------------------------
def test_every_kind_of_money_stands_apart() -> None:
    """Price, fees, funding and transfers each have a sum, in total and by symbol."""
    ledger = ledger_of(
        a_run_started(cash=D(1000)),
        a_fill(quantity=D(1), price=D(100), fee=D("0.5")),
        funding(D("-0.25")),
        transfer(D(50)),
    )
    assert (ledger.fees, ledger.funding, ledger.transfers) == (D("0.5"), D("-0.25"), D(50))
    assert ledger.cash == D("1049.25")
    assert ledger.price_pnl({SYMBOL: D(103)}) == 3
    assert ledger.equity({SYMBOL: D(103)}) == D("1052.25")
    totals = ledger.totals(SYMBOL)
    assert (totals.quantity, totals.cost, totals.fees, totals.funding) == (D(1), D(100), D("0.5"), D("-0.25"))


def test_funding_that_is_told_while_flat_belongs_to_no_later_position() -> None:
    """It counts for the run; the next position begins with none."""
    told: list[Event] = []
    ledger = Ledger(publish=told.append)
    later = (buy("1", "100", trade_id="t3"), sell("1", "100", trade_id="t4"))
    for event in (buy("1", "100"), sell("1", "100", trade_id="t2"), funding(D("-3")), *later):
        ledger.apply(event)
    assert ledger.funding == D("-3")
    assert [event.funding for event in told if isinstance(event, PositionClosed)] == [D(0), D(0)]


def test_a_missing_mark_is_never_zero() -> None:
    """Equity of an open position without a price is not a number that anybody may use."""
    ledger = ledger_of(buy("1", "100"))
    with pytest.raises(ValueError, match="BTC-PERP: 1 are open and there is no mark"):
        ledger.equity({"ETH-PERP": D(1)})
    ledger.apply(sell("1", "100", trade_id="t2"))
    assert ledger.equity({}) == 0


def test_the_first_balance_counts() -> None:
    """A run begins once, whatever later boots say."""
    assert ledger_of(a_run_started(cash=D(10)), a_run_started(cash=D(99))).starting_cash == 10


@pytest.mark.parametrize(
    ("event", "other"),
    [
        (a_fill(), a_fill(trade_id="t2")),
        (a_fill(), a_fill(venue_order_id="v2")),
        (a_fill(), a_fill(symbol="ETH-PERP")),
        (funding(D(1)), funding(D(1), funding_ns=2)),
        (funding(D(1)), funding(D(1), symbol="ETH-PERP")),
        (transfer(D(1)), transfer(D(1), key="k2")),
    ],
)
def test_each_fact_counts_once(event: Event, other: Event) -> None:
    """The same key again changes nothing and is counted as a duplicate; another key counts."""
    ledger = ledger_of(event)
    before = state(ledger)
    ledger.apply(event)
    assert (state(ledger), ledger.duplicates) == (before, 1)
    ledger.apply(other)
    assert state(ledger) != before
    assert ledger.duplicates == 1


def test_the_memory_for_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A soak of a year must not grow; the newest keys are the ones that come again."""
    monkeypatch.setattr(ledger_module, "KEYS_MAX", 3)
    ledger = ledger_of(*(buy("1", "1", trade_id=str(number)) for number in range(10)))
    assert len(ledger._keys) == 3
    ledger.apply(buy("1", "1", trade_id="9"))
    assert ledger.duplicates == 1


def test_f32_a_trade_whose_key_made_room_is_not_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an outage with more trades than are remembered, those from before are not booked once more."""
    monkeypatch.setattr(ledger_module, "KEYS_MAX", 3)
    trades = [buy("1", "1", trade_id=str(number), trade_ns=START_NS + number) for number in range(10)]
    ledger = ledger_of(*trades)

    assert all(ledger.counted(each.symbol, each.venue_order_id, each.trade_id, each.trade_ns) for each in trades)
    assert not ledger.counted(SYMBOL, "venue-9", "new", START_NS + 10)


# --- what it tells ------------------------------------------------------------------------------------------------
def test_opening_and_closing_are_told(tmp_path: Path) -> None:
    """Live, a position's life is published with its result; changes of size are not."""
    recorder = Recorder(tmp_path)
    ledger = Ledger(publish=recorder.bus.publish)
    ledger.follow(recorder.bus)
    for event in (
        a_fill(quantity=D(1), price=D(100), fee=D(1)),
        a_fill(quantity=D(1), price=D(102), fee=D(1), trade_id="t2"),
        funding(D(-3)),
        a_fill(quantity=D(2), price=D(110), fee=D(2), side=Side.SELL, trade_id="t3"),
    ):
        recorder.bus.publish(event)
    recorder.close()
    told = [event for event in recorder.events if isinstance(event, PositionOpened | PositionClosed)]
    opened, closed = told
    assert isinstance(opened, PositionOpened)
    assert (opened.quantity, opened.entry_price, opened.client_order_id) == (D(1), D(100), "gt-test-1")
    assert isinstance(closed, PositionClosed)
    assert (closed.realised_pnl, closed.fees, closed.funding) == (D(18), D(4), D(-3))


def test_f64_a_flip_is_told_as_a_close_and_an_open() -> None:
    """Both facts, in this order, after the position has changed; the fee is divided by quantity."""
    told: list[Event] = []
    ledger = Ledger(publish=lambda event: told.append(event) or seen.append(ledger.position(SYMBOL).quantity))  # type: ignore[func-returns-value]
    seen: list[Decimal] = []
    ledger.apply(buy("1", "100"))
    ledger.apply(a_fill(side=Side.SELL, quantity=D(4), price=D(110), fee=D(1), trade_id="t2"))
    assert [type(event) for event in told] == [PositionOpened, PositionClosed, PositionOpened]
    closed, opened = told[1:]
    assert isinstance(closed, PositionClosed)
    assert isinstance(opened, PositionOpened)
    assert (closed.realised_pnl, closed.fees, opened.quantity, opened.entry_price) == (D(10), D("0.25"), D(-3), D(110))
    assert seen == [1, -3, -3]


def test_funding_after_the_close_is_not_lost() -> None:
    """It counts for the run and the symbol, though the position's life is over."""
    ledger = ledger_of(buy("1", "100"), sell("1", "100", trade_id="t2"), funding(D(-1)))
    assert (ledger.funding, ledger.totals(SYMBOL).funding, ledger.cash) == (D(-1), D(-1), D(-1))


def test_replay_tells_nobody() -> None:
    """What stored events led to is in the store already."""
    told: list[Event] = []
    ledger = Ledger(publish=told.append)
    ledger.replay([buy("1", "100")])
    assert told == []
    ledger.apply(sell("1", "100", trade_id="t2"))
    assert [type(event) for event in told] == [PositionClosed]


def test_the_ledger_from_the_store_is_the_live_one(tmp_path: Path) -> None:
    """Replay of the log gives the same state, to the last digit, in the next process too."""
    recorder = Recorder(tmp_path)
    live = Ledger(publish=recorder.bus.publish)
    live.follow(recorder.bus)
    draw = random.Random(3)
    recorder.bus.publish(a_run_started())
    for number in range(300):
        recorder.bus.publish(
            a_fill(
                trade_id=str(draw.randrange(250)),
                symbol=draw.choice(["BTC-PERP", "ETH-PERP"]),
                side=draw.choice(list(Side)),
                quantity=D(draw.randrange(1, 999)) / 1000,
                price=D(draw.randrange(1, 10**9)) / 1000,
                fee=D(draw.randrange(10**9)) / 10**9,
            )
        )
        recorder.bus.publish(funding(D(draw.randrange(-(10**9), 10**9)) / 10**8, funding_ns=number // 2))
    recorder.close()
    with EventStore.open(tmp_path / "events.sqlite", "test-run", 2, durable=False) as store:
        again = ledger_of(*(item.event for item in store.read()))
    assert state(again) == state(live)
    assert again.duplicates == live.duplicates > 0


# --- laws ---------------------------------------------------------------------------------------------------------
def state(ledger: Ledger) -> object:
    sums = (ledger.starting_cash, ledger.realised, ledger.fees, ledger.funding, ledger.transfers, ledger.cash)
    return sums, [ledger.totals(symbol) for symbol in ledger.symbols()], ledger.positions()


@given(
    cash=MONEY,
    trades=st.lists(TRADES, max_size=30),
    more=st.lists(TRADES, max_size=10),
    moved=st.tuples(st.lists(MONEY, max_size=5), st.lists(MONEY, max_size=3)),
    mark=PRICES,
)
def test_the_balance_holds_to_the_last_digit(
    cash: Decimal,
    trades: list[tuple[Side, Decimal, Decimal, Decimal]],
    more: list[tuple[Side, Decimal, Decimal, Decimal]],
    moved: tuple[list[Decimal], list[Decimal]],
    mark: Decimal,
) -> None:
    """starting cash + price PnL - fees + funding + transfers = equity, and that is what trading moved plus what is held."""
    events: list[Event] = [a_run_started(cash=cash), *fills(trades), *fills(more, "ETH-PERP")]
    events += [funding(amount, number) for number, amount in enumerate(moved[0])]
    events += [transfer(amount, str(number)) for number, amount in enumerate(moved[1])]
    ledger = ledger_of(*events)
    at = {SYMBOL: mark, "ETH-PERP": mark + 1}
    parts = to_grid(cash) + ledger.price_pnl(at) - ledger.fees + ledger.funding + ledger.transfers
    assert parts == ledger.equity(at)
    traded = sum(-Fraction(each.side.sign * each.quantity * each.price) for each in (*fills(trades), *fills(more)))
    held = sum(Fraction(position.quantity * at[symbol]) for symbol, position in ledger.positions().items())
    moves = sum(map(to_grid, moved[0] + moved[1])) - sum(to_grid(each[3]) for each in trades + more)
    assert Fraction(ledger.equity(at)) == Fraction(to_grid(cash) + moves) + traded + held
    totals = [ledger.totals(symbol) for symbol in ledger.symbols()]
    assert sum(each.realised for each in totals) == ledger.realised
    assert sum(each.fees for each in totals) == ledger.fees == sum(to_grid(each[3]) for each in trades + more)
    assert sum(each.funding for each in totals) == ledger.funding
    assert ledger.equity(at) == to_grid(ledger.equity(at))


def rounded(value: Fraction) -> Fraction:
    """Half-even on the grid; Python's own round of a fraction is exact."""
    return Fraction(round(value * GRID), GRID)


def reference(trades: list[tuple[Side, Decimal, Decimal, Decimal]]) -> tuple[Fraction, Fraction, Fraction]:
    """Position, cost and realised PnL by the rule of the module, in exact fractions."""
    held = cost = realised = Fraction(0)
    for side, quantity, price, _ in trades:
        left, sign = Fraction(quantity), side.sign
        if held * sign < 0:
            closing = min(left, abs(held))
            moved = rounded(cost * closing / abs(held))
            realised += (rounded(closing * Fraction(price)) - moved) * (1 if held > 0 else -1)
            cost, held, left = cost - moved, held + sign * closing, left - closing
        if left:
            held, cost = held + sign * left, cost + rounded(left * Fraction(price))
    return held, cost, realised


@given(trades=st.lists(TRADES, max_size=40))
def test_f82_it_equals_a_reference_in_exact_fractions(trades: list[tuple[Side, Decimal, Decimal, Decimal]]) -> None:
    """No digit is lost to the precision of Decimal."""
    totals = ledger_of(*fills(trades)).totals(SYMBOL)
    assert (Fraction(totals.quantity), Fraction(totals.cost), Fraction(totals.realised)) == reference(trades)


@given(trades=st.lists(TRADES, min_size=1, max_size=15), draw=st.randoms(use_true_random=False))
def test_f34_duplicates_change_nothing_wherever_they_come(
    trades: list[tuple[Side, Decimal, Decimal, Decimal]], draw: random.Random
) -> None:
    """A stream, a poll and a restart may each tell a fill again."""
    once = fills(trades)
    often = [event for place in range(len(once)) for event in (once[place], *draw.choices(once[: place + 1], k=2))]
    assert state(ledger_of(*often)) == state(ledger_of(*once))


@given(opening=TRADES, quantity=QUANTITIES, price=PRICES, fee=FEES)
def test_a_flip_is_a_close_and_an_open(
    opening: tuple[Side, Decimal, Decimal, Decimal], quantity: Decimal, price: Decimal, fee: Decimal
) -> None:
    """One trade through zero gives the state of two trades that meet at zero."""
    side, held, _, _ = opening
    through = held + quantity
    close_fee = share_of(to_grid(fee), held, through)
    first = fills([opening])
    flip = a_fill(trade_id="f", side=side.opposite, quantity=through, price=price, fee=fee)
    close = a_fill(trade_id="c", side=side.opposite, quantity=held, price=price, fee=close_fee)
    reopen = a_fill(trade_id="o", side=side.opposite, quantity=quantity, price=price, fee=to_grid(fee) - close_fee)
    assert state(ledger_of(*first, flip)) == state(ledger_of(*first, close, reopen))


def test_a_fill_is_cheap() -> None:
    """Ten microseconds are the goal; a hundred would be felt in a backtest."""
    events = fills([(draw_side, D("0.01"), D(60_000), D("0.6")) for draw_side in (Side.BUY, Side.SELL) * 2000])
    ledger = Ledger()
    began = time.process_time()
    for event in events:
        ledger.apply(event)
    assert (time.process_time() - began) / len(events) < 50e-6


# --- drawdown -----------------------------------------------------------------------------------------------------
def test_drawdown_is_measured_from_the_highest_equity() -> None:
    """Share and amount of the deepest fall stay; the present one recovers."""
    tracker = EquityTracker()
    for at_ns, equity in enumerate((D(100), D(120), D(90), D(110), D(150), D(140)), start=1):
        tracker.sample(at_ns, equity)
    assert (tracker.high_water, tracker.max_drawdown, tracker.max_drawdown_amount) == (D(150), D("0.25"), D(30))
    assert tracker.drawdown == D(10) / 150


def test_a_loss_from_the_start_is_a_drawdown() -> None:
    """The first sample is the first high water."""
    tracker = EquityTracker()
    tracker.sample(1, D(100))
    tracker.sample(2, D(99))
    assert tracker.drawdown == tracker.max_drawdown == D("0.01")


def test_transfers_are_neither_profit_nor_loss() -> None:
    """Money taken out is no drawdown, money put in no new high."""
    tracker = EquityTracker()
    tracker.sample(1, D(100))
    tracker.sample(2, D(40), transfers=D(-60))
    assert (tracker.drawdown, tracker.high_water) == (D(0), D(100))
    tracker.sample(3, D(1000), transfers=D(900))
    assert (tracker.drawdown, tracker.high_water) == (D(0), D(100))
