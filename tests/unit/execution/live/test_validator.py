"""Would the baseline send this?"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.builders import START_NS, D, a_book, a_market, a_snapshot, an_order
from tests.house_under_test import steady_market

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import ManualClock, VirtualClock
from gpt_trader.core.errors import Refusal, Refused, VenueUnavailableError
from gpt_trader.core.values import (
    Candidate,
    NormalizedOrderRequest,
    OrderRequest,
    OrderType,
    Side,
    Snapshot,
    TimeInForce,
)
from gpt_trader.exchange.base import OrderPreview, PreparedOrder
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.execution.live.preview import VenuePreview
from gpt_trader.execution.live.validator import OrderValidator


class Previewing(PaperExchange):
    """The paper exchange with a preview that answers as told, an error, or not at all."""

    answer: OrderPreview | None = OrderPreview()

    async def preview(self, prepared: PreparedOrder) -> OrderPreview:
        if self.answer is None:
            await asyncio.sleep(3600)
        if self.answer is not None and "unavailable" in self.answer.warnings:
            raise VenueUnavailableError("503")
        assert self.answer is not None
        return self.answer


def validate(
    order: OrderRequest,
    snapshot: Snapshot | None = None,
    *,
    multipliers: dict[str, Decimal] | None = None,
    preview: OrderPreview | bool | None = False,
    guard_bps: int = 50,
) -> NormalizedOrderRequest:
    market = steady_market([60_000] * 5)
    adapter = Previewing(market, clock=VirtualClock(market.start_ns), cash=D(100_000))
    if not isinstance(preview, bool):
        adapter.answer = preview
    validator = OrderValidator(
        config=RiskConfig(slippage_guard_bps=D(guard_bps)),
        clock=ManualClock(START_NS),
        slippage_multipliers=multipliers or {},
        preview=None if preview is False else VenuePreview(adapter, 0.01),
    )
    return asyncio.run(validator.validate(Candidate(order=order, snapshot=snapshot or a_snapshot())))


def code_of(*arguments: Any, **options: Any) -> Refusal:
    with pytest.raises(Refused) as caught:
        validate(*arguments, **options)
    return caught.value.code


CLOSE = an_order(side=Side.SELL, quantity=D("0.1"), reduce_only=True)


@pytest.mark.parametrize("tif", [TimeInForce.FOK, TimeInForce.GTD])
def test_the_baseline_knows_gtc_and_ioc_only(tif: TimeInForce) -> None:
    """Anything else is refused by name, never downgraded."""
    order = an_order(order_type=OrderType.LIMIT, limit_price=D(60_000), time_in_force=tif, expire_ns=START_NS + 1)
    assert code_of(order) is Refusal.UNSUPPORTED_TIF


def test_post_only_belongs_to_the_other_engine() -> None:
    """The baseline stays small."""
    order = an_order(order_type=OrderType.LIMIT, limit_price=D(59_000), time_in_force=TimeInForce.GTC, post_only=True)
    assert code_of(order) is Refusal.UNSUPPORTED_ORDER_TYPE


def test_the_expected_slippage_is_the_walk_through_the_book_times_the_multiplier() -> None:
    """1.5 of ten levels of 1: average 60 006.67, 1.1111 bps against 60 000; times 1.5 is 1.6667."""
    trace = validate(an_order(quantity=D("1.5")), multipliers={"BTC-PERP": D("1.5")}).trace
    assert trace["book_walk_bps"] == pytest.approx(D("1.1111"), abs=D("0.0001"))
    assert trace["expected_slippage_bps"] == pytest.approx(D("1.6667"), abs=D("0.0001"))


@pytest.mark.parametrize(("multiplier", "passes"), [(D(2), True), (D(3), False)])
def test_the_multiplier_of_a_symbol_decides_at_the_guard(multiplier: Decimal, passes: bool) -> None:
    """A walk of 1.1111 bps against a guard of 3."""
    order, options = an_order(quantity=D("1.5")), {"multipliers": {"BTC-PERP": multiplier}, "guard_bps": 3}
    if passes:
        validate(order, **options)  # type: ignore[arg-type]
    else:
        assert code_of(order, **options) is Refusal.SLIPPAGE_GUARD


def test_a_multiplier_of_another_symbol_changes_nothing() -> None:
    """Multipliers are per symbol."""
    validate(an_order(quantity=D("1.5")), multipliers={"ETH-PERP": D(1000)}, guard_bps=3)


@pytest.mark.parametrize("book", [None, a_book(asks=())])
def test_an_entry_without_a_book_is_refused_and_an_exit_goes_on(book: Any) -> None:
    """No price is invented for an entry; an exit is protected by its collar."""
    market = a_market(book=book)
    assert code_of(an_order(), a_snapshot(market=market)) is Refusal.STALE_BOOK
    close = an_order(side=Side.BUY, reduce_only=True)
    assert validate(close, a_snapshot(position=D(-1), market=market)).trace["expected_slippage_bps"] == "unknown"


def test_slippage_never_holds_an_exit_back() -> None:
    """Getting out may cost."""
    validate(CLOSE, a_snapshot(position=D(1)), multipliers={"BTC-PERP": D(10_000)}, guard_bps=1)


def test_errors_of_the_preview_refuse_entries_and_exits() -> None:
    """The venue says that it would fail."""
    answer = OrderPreview(errors=("PREVIEW_INSUFFICIENT_FUND",))
    assert code_of(an_order(), preview=answer) is Refusal.PREVIEW_REJECTED
    assert code_of(CLOSE, a_snapshot(position=D(1)), preview=answer) is Refusal.PREVIEW_REJECTED


def test_warnings_of_the_preview_are_recorded() -> None:
    """They refuse nothing, and are not lost."""
    trace = validate(an_order(), preview=OrderPreview(warnings=("BIG_ORDER",), commission=D("6.1"))).trace
    assert (trace["preview_warnings"], trace["preview_commission"]) == ("BIG_ORDER", D("6.1"))


@pytest.mark.parametrize("answer", [None, OrderPreview(warnings=("unavailable",))])
def test_a_silent_preview_refuses_an_entry_and_lets_an_exit_go_on(answer: OrderPreview | None) -> None:
    """Too late or unreachable."""
    assert code_of(an_order(), preview=answer) is Refusal.PREVIEW_UNAVAILABLE
    assert validate(CLOSE, a_snapshot(position=D(1)), preview=answer).trace["preview"] == "unavailable"


def test_prices_go_to_the_tick_on_the_safe_side(tmp_path: Path) -> None:
    """A buy limit of 59 994.9 becomes 59 990."""
    order = an_order(order_type=OrderType.LIMIT, limit_price=D("59994.9"), time_in_force=TimeInForce.GTC)
    assert validate(order).order.limit_price == D(59_990)


@pytest.mark.parametrize("snapshot", [a_snapshot(), a_snapshot(market=a_market(book=None))], ids=["a book", "none"])
def test_a_slippage_guard_of_zero_is_off(snapshot: Snapshot) -> None:
    """It neither refuses everything nor asks for a book."""
    assert validate(an_order(quantity=D(3)), snapshot, guard_bps=0).trace == {}


def test_a_trailing_stop_is_refused_and_a_target_is_said_not_to_be_kept() -> None:
    """What the baseline does not offer is named, one way or the other."""
    assert code_of(an_order(trailing_stop=D("0.01"))) is Refusal.UNSUPPORTED_ORDER_TYPE
    assert "target_kept" in validate(an_order(target_price=D(61_000))).trace
