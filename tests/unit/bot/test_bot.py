"""Does the bot turn bars into positions, look after itself, and end in order? On scripted strategies and small markets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.builders import START_NS, D
from tests.house_under_test import House, a_house, steady_market

from gpt_trader.config.bot import BotConfig, StrategyConfig
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Number, StoreError
from gpt_trader.core.events import (
    OrderApproved,
    OrderRefused,
    OrderSubmitted,
    RunEnded,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event, not the builtin
    TradingSignalGenerated,
)
from gpt_trader.core.values import Bar
from gpt_trader.strategies.base import Signal, StopMove, Strategy, Want

MINUTE_NS = 60 * NS


class Scripted:
    """Answers the n-th bar that is no history with the n-th word of a script; a word may be an error to raise."""

    name = "scripted"

    def __init__(self, script: Sequence[Signal | StopMove | Exception | None], warmup_bars: int = 0) -> None:
        self.warmup_bars = warmup_bars
        self.bars: list[Bar] = []
        self.positions: list[float] = []
        self._script = list(script)

    def decide(self, bar: Bar, position: float) -> Signal | StopMove | None:
        self.bars.append(bar)
        self.positions.append(position)
        if bar.history or not self._script:
            return None
        word = self._script.pop(0)
        if isinstance(word, Exception):
            raise word
        return word

    def state(self) -> Mapping[str, Number]:
        return {}

    def restore(self, state: Mapping[str, Number]) -> None:
        """It remembers nothing."""


LONG = Signal(want=Want.LONG, fraction=D("0.1"), reason="up")
SHORT = Signal(want=Want.SHORT, fraction=D("0.1"), reason="down")
FLAT = Signal(want=Want.FLAT, reason="enough")


@contextmanager
def a_scripted_house(
    folder: Path, strategy: Strategy, *, minutes: int = 8, config: BotConfig | None = None, **options: Any
) -> Iterator[House]:
    """A quiet market at 60,000 with a bar each minute."""
    market = steady_market([60_000] * (minutes * 12), seconds_each=5)

    def make(_: StrategyConfig) -> Strategy:
        return strategy

    with a_house(folder, config, market, strategy=make, **options) as house:
        yield house


def traded(house: House, minutes: int = 7) -> str:
    """Run for so long, stop, and return the reason."""

    async def scenario() -> str:
        reason = await house.bot.run_until_stopped(house.clock.now_ns() + minutes * MINUTE_NS, "end of duration")
        await house.bot.stop(reason)
        return reason

    return str(house.run(scenario))


def sent(house: House) -> list[tuple[str, bool, Any]]:
    return [(event.side.value, event.reduce_only, event.quantity) for event in house.of(OrderSubmitted)]


# --- from bars to positions ------------------------------------------------------------------------------------------
def test_a_wish_becomes_a_position_of_its_share_of_equity(tmp_path: Path) -> None:
    """10 % of 100,000 at 60,000, in contracts of 0.01."""
    with a_scripted_house(tmp_path, Scripted([LONG])) as house:
        traded(house)

        assert house.bot.ledger.position("BTC-PERP").quantity == D("0.16")
        house.check_invariants()


def test_the_strategy_is_told_its_position(tmp_path: Path) -> None:
    """With every bar, signed."""
    strategy = Scripted([SHORT])
    with a_scripted_house(tmp_path, strategy) as house:
        traded(house)

    assert strategy.positions[0] == 0
    assert strategy.positions[-1] == -0.16


def test_the_other_way_is_a_close_and_then_an_open(tmp_path: Path) -> None:
    """Two orders; the close is reduce-only."""
    with a_scripted_house(tmp_path, Scripted([LONG, None, SHORT])) as house:
        traded(house)

        assert sent(house) == [("BUY", False, D("0.16")), ("SELL", True, D("0.16")), ("SELL", False, D("0.16"))]


def test_flat_only_closes(tmp_path: Path) -> None:
    """And of nothing makes nothing."""
    with a_scripted_house(tmp_path, Scripted([FLAT, LONG, None, FLAT, FLAT])) as house:
        traded(house)

        assert sent(house) == [("BUY", False, D("0.16")), ("SELL", True, D("0.16"))]
        assert house.bot.ledger.position("BTC-PERP").quantity == 0


def test_a_wish_that_is_fulfilled_is_not_fulfilled_again(tmp_path: Path) -> None:
    """A strategy may say on every bar what it wants to have."""
    with a_scripted_house(tmp_path, Scripted([LONG, LONG, LONG])) as house:
        traded(house)

        assert len(sent(house)) == 1
        assert len(house.of(TradingSignalGenerated)) == 3


def test_the_intent_is_named_after_strategy_symbol_bar_and_wish(tmp_path: Path) -> None:
    """So that a decision that is taken twice has one name."""
    with a_scripted_house(tmp_path, Scripted([LONG])) as house:
        traded(house)

        (signal,) = house.of(TradingSignalGenerated)
        (approved,) = house.of(OrderApproved)
        assert signal.intent_id == f"scripted:BTC-PERP:{signal.bar_close_ns // NS}:long"
        assert approved.intent_id == f"{signal.intent_id}:open"


def test_the_first_bars_are_history(tmp_path: Path) -> None:
    """As many as the strategy needs; it cannot want anything on them."""
    strategy = Scripted([LONG], warmup_bars=3)
    with a_scripted_house(tmp_path, strategy) as house:
        traded(house)

        (signal,) = house.of(TradingSignalGenerated)
    assert [bar.history for bar in strategy.bars[:5]] == [True, True, True, False, False]
    assert signal.bar_close_ns == strategy.bars[3].close_ns


def test_nothing_is_decided_at_the_very_end(tmp_path: Path) -> None:
    """An order of the last bar would reach a market that is over."""
    first_minute_ns = -(-START_NS // MINUTE_NS) * MINUTE_NS
    second_bar_ns = first_minute_ns + 2 * MINUTE_NS  # what was before the first full minute makes no bar
    with a_scripted_house(tmp_path, Scripted([None, LONG])) as house:

        async def scenario() -> str:
            return await house.bot.run_until_stopped(second_bar_ns)

        house.run(scenario)

        assert house.bot.last_bars["BTC-PERP"].close_ns == second_bar_ns
        assert house.of(TradingSignalGenerated) == []


def test_the_latest_bar_is_at_hand(tmp_path: Path) -> None:
    """For whoever shows it."""
    strategy = Scripted([])
    with a_scripted_house(tmp_path, strategy) as house:
        traded(house)

        assert house.bot.last_bars["BTC-PERP"].close_ns == strategy.bars[-1].close_ns


# --- what goes wrong --------------------------------------------------------------------------------------------------
def test_f106_a_strategy_that_raises_pauses_its_entries(tmp_path: Path) -> None:
    """It is reported with its error, the run goes on, and nothing more is opened."""
    with a_scripted_house(tmp_path, Scripted([KeyError("oops"), LONG])) as house:
        assert traded(house) == "end of duration"

        (error,) = house.of(SystemError)
        assert (error.source, error.message) == ("strategy scripted", "KeyError: 'oops'")
        assert [event.symbol for event in house.of(SymbolPaused)] == ["BTC-PERP"]
        assert [event.code for event in house.of(OrderRefused)] == ["entries_paused"]
        assert sent(house) == []


def test_a_strategy_that_raised_can_still_close(tmp_path: Path) -> None:
    """Entries are paused, exits are not."""
    with a_scripted_house(tmp_path, Scripted([LONG, KeyError("oops"), FLAT])) as house:
        traded(house)

        assert house.bot.ledger.position("BTC-PERP").quantity == 0


class Forgetful(Scripted):
    """Cannot say what it knows."""

    def state(self) -> Mapping[str, Number]:
        raise KeyError("lost")


def test_a_strategy_that_cannot_say_what_it_knows_is_paused(tmp_path: Path) -> None:
    """Its position can still be closed, and the run ends in order."""
    with a_scripted_house(tmp_path, Forgetful([LONG, FLAT])) as house:
        traded(house)

        assert house.of(SystemError)[0].message == "KeyError: 'lost'"
        assert [event.symbol for event in house.of(SymbolPaused)] == ["BTC-PERP"]
        assert len(house.of(RunEnded)) == 1


def test_a_store_that_fails_stops_the_run(tmp_path: Path) -> None:
    """Nothing is sent that is not written down, so nothing is left to do; the reason names the store."""
    with a_scripted_house(tmp_path, Scripted([LONG])) as house:

        async def scenario() -> str:
            house.bot.bus.store_failed = "disk full"
            return await house.bot.run_until_stopped(house.clock.now_ns() + 3 * MINUTE_NS)

        assert house.run(scenario) == "the event store failed: disk full"
        with pytest.raises(StoreError, match="disk full"):
            asyncio.run(house.bot.stop("the event store failed"))
        assert house.adapter.bodies == []


# --- closing by hand --------------------------------------------------------------------------------------------------
def test_a_position_is_closed_through_the_front_door(tmp_path: Path) -> None:
    """Approved, written down and reconciled like any other order, under the operator's name."""
    with a_scripted_house(tmp_path, Scripted([LONG])) as house:

        async def scenario() -> Any:
            await house.bot.run_until_stopped(house.clock.now_ns() + 3 * MINUTE_NS)
            return await house.bot.close_position("BTC-PERP", "enough", "key-1")

        report = house.run(scenario)

        assert report.intent_id.startswith("operator:BTC-PERP:key-1")
        assert house.bot.ledger.position("BTC-PERP").quantity == 0
        assert house.of(OrderApproved)[-1].strategy == "operator"
        house.check_invariants()


def test_closing_nothing_is_nothing(tmp_path: Path) -> None:
    """No order of zero."""
    with a_scripted_house(tmp_path, Scripted([])) as house:

        async def scenario() -> Any:
            return await house.bot.close_position("BTC-PERP", "enough", "key-1")

        assert house.run(scenario) is None
        assert sent(house) == []


# --- the end ----------------------------------------------------------------------------------------------------------
def test_the_first_request_to_stop_is_kept(tmp_path: Path) -> None:
    """A second reason would hide why it really stopped."""
    with a_scripted_house(tmp_path, Scripted([])) as house:

        async def scenario() -> str:
            for reason in ("first", "second"):
                house.bot.request_stop(reason)
            return await house.bot.run_until_stopped()

        assert house.run(scenario) == "first"


def test_a_request_before_the_start_is_no_error(tmp_path: Path) -> None:
    """A signal may come at any time."""
    with a_scripted_house(tmp_path, Scripted([])) as house:
        house.bot.request_stop("early")

        assert traded(house, 1) == "end of duration"


def test_the_last_word_says_what_stays_open(tmp_path: Path) -> None:
    """Stopping closes no position; the log says so."""
    with a_scripted_house(tmp_path, Scripted([LONG])) as house:
        reason = traded(house)

        ended = house.events[-1]
        assert isinstance(ended, RunEnded)
        assert (ended.reason, ended.open_orders, ended.open_positions) == (reason, (), {"BTC-PERP": D("0.16")})


def test_after_stopping_nothing_is_opened(tmp_path: Path) -> None:
    """A signal that comes late is refused by name."""
    with a_scripted_house(tmp_path, Scripted([])) as house:

        async def scenario() -> None:
            await house.bot.stop("enough")
            await house.bot.on_trading_signal(
                TradingSignalGenerated(
                    at_ns=house.clock.now_ns(),
                    intent_id="late:BTC-PERP:1:long",
                    strategy="late",
                    symbol="BTC-PERP",
                    action="LONG",
                    bar_close_ns=house.clock.now_ns(),
                    fraction=D("0.1"),
                )
            )

        house.run(scenario)

        assert [event.code for event in house.of(OrderRefused)] == ["shutting_down"]
        assert house.adapter.bodies == []


# --- looking after itself ---------------------------------------------------------------------------------------------
def test_equity_is_sampled_with_every_bar(tmp_path: Path) -> None:
    """Its fall from the highest is the drawdown: a fee and half a spread of 0.16."""
    with a_scripted_house(tmp_path, Scripted([LONG])) as house:
        traded(house)

        lost = D("0.16") * D(60_005) * D("0.001") + D("0.16") * 5
        assert house.bot.equity.max_drawdown == pytest.approx(lost / 100_000)


def test_marks_are_of_what_is_traded_or_held(tmp_path: Path) -> None:
    """By symbol, and only where there is one."""
    with a_scripted_house(tmp_path, Scripted([])) as house:
        assert house.bot.marks() == {}
        traded(house, 1)

        assert house.bot.marks() == {"BTC-PERP": D(60_000)}
