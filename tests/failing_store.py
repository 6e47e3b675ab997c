"""A bot that trades into a store that fails: it names what is wrong, and nothing is sent that is not written down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.builders import an_order
from tests.house_under_test import House

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import StoreError


def small(house: House, name: str) -> Any:
    now_ns = house.clock.now_ns()
    return an_order(intent_id=name, created_ns=now_ns, valid_until_ns=now_ns + 60 * NS)


async def trade_into(
    house: House, trouble: Callable[[], contextlib.AbstractContextManager[object]], named: str
) -> None:
    """One order goes well; then the trouble begins. The next ends in an error by name, and neither it nor what the bot
    does on its way out sends anything."""
    await house.bot.engine.place_order(small(house, "sound"))
    sent = len(house.adapter.bodies)
    assert sent == 1
    with trouble():
        with pytest.raises(StoreError, match=named):
            for number in range(50):  # room for a page or two may be left
                await house.bot.engine.place_order(small(house, f"lost-{number}"))
                sent = len(house.adapter.bodies)
        assert len(house.adapter.bodies) == sent
        reason = await house.bot.run_until_stopped(house.clock.now_ns() + 300 * NS)
        assert reason.startswith("the event store failed")
        with pytest.raises(StoreError, match=named):
            await house.bot.stop(reason)
        assert len(house.adapter.bodies) == sent
