"""What does the risk stage add by itself? A stop where the profile asks for one, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from tests.builders import START_NS, D, a_request, a_snapshot, an_order

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import ManualClock
from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.values import ApprovedOrder, Exposure, OrderRequest, OrderType, Side, TimeInForce
from gpt_trader.execution.handlers.risk import RiskManagementHandler
from gpt_trader.execution.live.sizing import AskedSize
from gpt_trader.risk.manager import LiveRiskManager

WIDE = {"max_position_size_pct": 1, "max_position_pct_per_symbol": 1, "max_exposure_pct": 1}


def approve(order: OrderRequest, **limits: Any) -> ApprovedOrder:
    """By the baseline, with room enough."""
    config = RiskConfig.model_validate({"enable_protective_stops": True, **WIDE, **limits})
    handler = RiskManagementHandler(AskedSize(), LiveRiskManager(config), ManualClock(START_NS))
    return handler.handle(a_request(order, a_snapshot(position=D(1) if order.reduce_only else D(0))))


@pytest.mark.parametrize(("side", "stop"), [(Side.BUY, 58_800), (Side.SELL, 61_200)])
def test_a_missing_stop_is_set(side: Side, stop: int) -> None:
    """2 % from the mark of 60 000, and the trace says whose it is."""
    approved = approve(an_order(side=side))
    assert approved.order.protective_stop == D(stop)
    assert approved.trace["default_stop_loss_pct"] == D("0.02")
    assert approved.trace["stop_distance"] == D("0.02")


def test_it_is_measured_from_the_price_that_the_entry_names() -> None:
    """A limit of 59 000 gets its stop at 57 820."""
    order = an_order(order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, limit_price=D(59_000))
    assert approve(order).order.protective_stop == D(57_820)


@pytest.mark.parametrize(
    "changes",
    [{"protective_stop": D(59_500)}, {"trailing_stop": D("0.01")}],
    ids=["a stop of its own", "a trail of its own"],
)
def test_what_an_entry_has_is_left_alone(changes: dict[str, Any]) -> None:
    """The strategy knows better than a default."""
    approved = approve(an_order(**changes))
    assert approved.order.protective_stop == changes.get("protective_stop")
    assert "default_stop_loss_pct" not in approved.trace


def test_an_exit_gets_no_stop() -> None:
    """There is nothing left to protect."""
    assert approve(an_order(side=Side.SELL, reduce_only=True)).order.protective_stop is None


def test_nothing_is_set_where_nobody_asked() -> None:
    """enable_protective_stops is off by default."""
    assert approve(an_order(), enable_protective_stops=False).order.protective_stop is None


def test_a_default_further_than_allowed_cannot_be_configured() -> None:
    """It would refuse every entry that it protects."""
    with pytest.raises(ValueError, match="default_stop_loss_pct"):
        approve(an_order(), default_stop_loss_pct=D("0.03"))


def test_the_count_of_positions_is_capped_at_three() -> None:
    """Three are held elsewhere: a fourth symbol is refused by name."""
    others = tuple(Exposure(symbol=f"{name}-PERP", position=D(1), mark=D(1)) for name in ("ETH", "SOL", "XRP"))
    handler = RiskManagementHandler(
        AskedSize(), LiveRiskManager(RiskConfig.model_validate(WIDE)), ManualClock(START_NS)
    )
    with pytest.raises(Refused) as caught:
        handler.handle(a_request(an_order(), a_snapshot(others=others)))
    assert caught.value.code is Refusal.POSITION_COUNT_CAP
