"""Cutting positions by a share, as a guard asks for it: through the front door, rounded up to whole lots."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from tests.builders import D, an_order
from tests.house_under_test import a_house

from gpt_trader.core.clock import NS
from gpt_trader.core.events import OrderApproved, OrderSubmitted
from gpt_trader.core.values import Side


@pytest.mark.parametrize(
    ("share", "left"), [(D("0.3"), D("0.14")), (D("0.31"), D("0.13")), (D(1), D(0)), (D(0), D("0.2"))]
)
@pytest.mark.parametrize("side", list(Side))
def test_positions_are_cut_by_at_least_the_share(tmp_path: Path, share: Decimal, left: Decimal, side: Side) -> None:
    """Of 0.2 in lots of 0.01: 0.3 is 0.06; 0.31 is 0.062, rounded up to 0.07."""
    with a_house(tmp_path) as house:

        async def scenario() -> None:
            now_ns = house.clock.now_ns()
            opening = an_order(side=side, quantity=D("0.2"), created_ns=now_ns, valid_until_ns=now_ns + 60 * NS)
            await house.bot.engine.place_order(opening)
            await house.bot.reduce_positions(share, "margin_window")

        house.run(scenario)
        assert abs(house.bot.ledger.position("BTC-PERP").quantity) == left
        assert all(event.reduce_only for event in house.of(OrderSubmitted)[1:])
        assert [event.strategy for event in house.of(OrderApproved)[1:]] == (["guards"] if share else [])
        house.check_invariants()
