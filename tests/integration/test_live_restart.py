"""What if the bot was away? A run on the Coinbase adapter goes on where it ended, with what happened meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.exchange_places import PRICE
from tests.live_house import D, a_live_config, live_house, live_venue

from gpt_trader.core.values import OrderType, Side, TimeInForce


def test_what_filled_while_the_bot_was_away_is_booked_once(tmp_path: Path) -> None:
    """A resting order fills between two boots; the second knows the trade, its fee and the position, and closes it."""

    async def scenario() -> None:
        with live_venue(tmp_path / "venue") as venue:
            async with live_house(venue, tmp_path, a_live_config()) as house:
                await house.place(Side.BUY, "0.05")
                await house.place(
                    Side.BUY,
                    "0.02",
                    order_type=OrderType.LIMIT,
                    time_in_force=TimeInForce.GTC,
                    limit_price=PRICE - 300,
                )
                await house.eventually(lambda: house.held() == D("0.05"), "the first order filled")
                (resting,) = house.living()
            body = {"do": "jump", "product": "BTC-PERP", "percent": "-1"}
            await asyncio.to_thread(venue.admin, "/market", body)
            await asyncio.to_thread(venue.wait_for_order, resting.venue_order_id, "FILLED")
            async with live_house(venue, tmp_path, a_live_config()) as house:
                await house.settled()
                assert house.held() == D("0.07")
                assert house.bot.ledger.duplicates == 0
                await house.place(Side.SELL, "0.07", reduce_only=True, intent_id="test:second boot")
                await house.settled()
                assert house.held() == 0
                house.check_invariants()

    asyncio.run(scenario())
