"""Where did the market go after we traded?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.builders import START_NS, D
from tests.house_under_test import a_config, a_house, steady_market

from gpt_trader.core.events import FillMarked, MissMarked, OrderFilled, TradingSignalGenerated

RISING = [60_000] * 10 + [60_050] * 200
"""One price a second: 50 higher from the tenth second on."""


def a_wish(at_ns: int, **changes: Any) -> TradingSignalGenerated:
    fields: dict[str, Any] = {
        "at_ns": at_ns,
        "intent_id": f"walk:BTC-PERP:{at_ns}:long",
        "strategy": "walk",
        "symbol": "BTC-PERP",
        "action": "LONG",
        "bar_close_ns": at_ns,
        "fraction": D("0.1"),
    }
    return TradingSignalGenerated(**fields | changes)


def test_a_fill_is_marked_at_its_horizons(tmp_path: Path) -> None:
    """Bought at the fifth second: the same a second later, 50 higher after 10 s and after a minute; one event."""
    with a_house(tmp_path, market=steady_market(RISING)) as house:

        async def scenario() -> None:
            await house.clock.sleep(5)
            await house.bot.on_trading_signal(a_wish(house.clock.now_ns()))
            await house.clock.sleep(70)

        house.run(scenario)
        (filled,) = house.of(OrderFilled)
        (marked,) = house.of(FillMarked)
        assert marked.mids == {"1": 60_000, "10": 60_050, "60": 60_050}
        assert marked.at_ns == filled.at_ns + 60_000_000_000
        assert (marked.intent_id, marked.trade_id) == (filled.intent_id, filled.trade_id)


def test_an_orderly_end_writes_what_was_measured(tmp_path: Path) -> None:
    """A run that stops 20 s after a fill keeps the marks of 1 s and 10 s."""
    with a_house(tmp_path, market=steady_market(RISING)) as house:

        async def scenario() -> None:
            await house.clock.sleep(5)
            await house.bot.on_trading_signal(a_wish(house.clock.now_ns()))
            await house.clock.sleep(20)
            await house.bot.stop("enough")

        house.run(scenario)
        (marked,) = house.of(FillMarked)
        assert marked.mids == {"1": 60_000, "10": 60_050}


def test_what_an_order_missed_is_marked_at_its_end(tmp_path: Path) -> None:
    """A limit that nobody hits is cancelled after 30 s: all of it is missed, at the middle of that moment."""
    with a_house(tmp_path, market=steady_market(RISING)) as house:

        async def scenario() -> None:
            await house.clock.sleep(5)
            await house.bot.on_trading_signal(a_wish(house.clock.now_ns()), tactic="simple_limit")
            await house.clock.sleep(40)

        house.run(scenario)
        (missed,) = house.of(MissMarked)
        assert (missed.unfilled, missed.mid) == (D("0.16"), 60_050)
        assert house.of(FillMarked) == []


def test_nothing_is_marked_when_it_is_switched_off(tmp_path: Path) -> None:
    """A sweep of thousands of backtests need not pay for it."""
    config = a_config()
    off = config.model_copy(update={"run": config.run.model_copy(update={"mark_outs": False})})
    with a_house(tmp_path, off, steady_market(RISING)) as house:

        async def scenario() -> None:
            await house.bot.on_trading_signal(a_wish(START_NS))
            await house.clock.sleep(70)

        house.run(scenario)
        assert len(house.of(OrderFilled)) == 1
        assert house.of(FillMarked) == []


def test_a_second_fill_is_not_kept_waiting_by_the_first(tmp_path: Path) -> None:
    """Its first mark is due before the last of the earlier fill."""
    with a_house(tmp_path, market=steady_market(RISING)) as house:

        async def scenario() -> None:
            await house.bot.on_trading_signal(a_wish(house.clock.now_ns()))
            await house.clock.sleep(15)
            await house.bot.on_trading_signal(a_wish(house.clock.now_ns(), action="FLAT"))
            await house.clock.sleep(20)
            await house.bot.stop("enough")

        house.run(scenario)
        first, second = house.of(FillMarked)
        assert list(first.mids) == list(second.mids) == ["1", "10"]
