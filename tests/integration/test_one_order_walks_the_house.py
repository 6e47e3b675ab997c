"""One order, from the signal to the ledger: the list of events is the walk of ARCHITECTURE.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import D
from tests.house_under_test import a_config, a_house

from gpt_trader.core.clock import NS
from gpt_trader.core.events import OrderApproved, OrderFilled, OrderSubmitted, TradingSignalGenerated

FLAGS = [{}, {"enable_dynamic_position_sizing": True, "enable_market_impact_guard": True}]


@pytest.mark.parametrize("flags", FLAGS, ids=["live", "advanced"])
def test_one_order_walks_the_house(tmp_path: Path, flags: dict[str, bool]) -> None:
    """Signal, approval, durable intent, acknowledgement, fill, position, answer: in this order, all of one intent."""
    with a_house(tmp_path, a_config(**flags)) as house:

        async def scenario() -> None:
            signal = TradingSignalGenerated(
                at_ns=house.clock.now_ns(),
                intent_id="walk:BTC-PERP:1:long",
                strategy="walk",
                symbol="BTC-PERP",
                action="LONG",
                bar_close_ns=house.clock.now_ns(),
                reason="to be seen",
                fraction=D("0.1"),
            )
            house.bot.bus.publish(signal)
            await house.bot.on_trading_signal(signal)

        house.run(scenario)
        walked = [event for event in house.events if event.intent_id.startswith("walk:")]
        assert [type(event).__name__ for event in walked] == [
            "TradingSignalGenerated",
            "OrderApproved",
            "OrderSubmitted",
            "OrderPlaced",
            "OrderFilled",
            "PositionOpened",
            "OrderReconciled",
        ]
        (approved,) = house.of(OrderApproved)
        (submitted,) = house.of(OrderSubmitted)
        (filled,) = house.of(OrderFilled)
        # 10 % of 100 000 at 60 000 is 0.1666..., in contracts of 0.01: 0.16
        assert approved.quantity == submitted.quantity == filled.quantity == D("0.16")
        assert filled.client_order_id == submitted.client_order_id
        assert filled.price == D(60_005)
        assert filled.fee == D("0.16") * D(60_005) * D("0.001")
        house.check_invariants()


def test_a_flip_is_a_close_and_an_open(tmp_path: Path) -> None:
    """From long to short by two orders: the close carries reduce-only, the open starts from flat."""
    with a_house(tmp_path) as house:

        async def scenario() -> None:
            for number, action in enumerate(("LONG", "SHORT")):
                signal = TradingSignalGenerated(
                    at_ns=house.clock.now_ns(),
                    intent_id=f"flip:BTC-PERP:{number}:{action.lower()}",
                    strategy="flip",
                    symbol="BTC-PERP",
                    action=action,
                    bar_close_ns=house.clock.now_ns(),
                    fraction=D("0.1"),
                )
                house.bot.bus.publish(signal)
                await house.bot.on_trading_signal(signal)
                await house.clock.sleep(1)

        house.run(scenario)
        sent = [(event.side.value, event.reduce_only, event.quantity) for event in house.of(OrderSubmitted)]
        assert sent == [("BUY", False, D("0.16")), ("SELL", True, D("0.16")), ("SELL", False, D("0.16"))]
        assert house.bot.ledger.position("BTC-PERP").quantity == D("-0.16")
        house.check_invariants()


def test_the_bot_trades_a_strategy_on_bars_and_stops_in_order(tmp_path: Path) -> None:
    """The baseline on a market that falls and rises: it trades, the run ends with its last words in the log."""
    from tests.house_under_test import steady_market

    prices = [60_000 - 5 * step for step in range(40)] + [59_800 + 20 * step for step in range(40)]
    prices += [60_580 - 40 * step for step in range(60)]
    with a_house(tmp_path, market=steady_market(prices, seconds_each=60)) as house:

        async def scenario() -> str:
            reason = await house.bot.run_until_stopped(house.clock.now_ns() + 138 * 60 * NS)
            await house.bot.stop(reason)
            return reason

        assert house.run(scenario) == "end of market"
        kinds = house.kinds()
        assert "OrderFilled" in kinds
        assert "StopKept" in kinds
        assert kinds[-1] == "RunEnded"
        house.check_invariants()
