"""How much does the advanced engine want?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.builders import START_NS, D, a_book, a_market, a_snapshot, an_order

from gpt_trader.config.risk import PositionSizingMethod, RiskConfig, SizingMode
from gpt_trader.core.clock import NS, ManualClock
from gpt_trader.core.errors import Refusal, Refused
from gpt_trader.core.values import (
    BookView,
    NormalizedOrderRequest,
    OrderRequest,
    OrderType,
    Side,
    Snapshot,
    TimeInForce,
)
from gpt_trader.execution.advanced.sizing import DynamicSizingHelper
from gpt_trader.execution.handlers.risk import Sized


def thin_book(**changes: object) -> BookView:
    """Asks: 0.1 at 60 005, 0.1 at 60 035, 1 at 60 600; bids mirrored. Middle 60 000."""
    book = BookView(
        bids=((D(59_995), D("0.1")), (D(59_965), D("0.1")), (D(59_400), D(1))),
        asks=((D(60_005), D("0.1")), (D(60_035), D("0.1")), (D(60_600), D(1))),
        received_ns=START_NS,
    )
    return msgspec.structs.replace(book, **changes)


def request(order: OrderRequest | None = None, snapshot: Snapshot | None = None) -> NormalizedOrderRequest:
    return NormalizedOrderRequest(
        order=order or an_order(quantity=D(1)), snapshot=snapshot or a_snapshot(market=a_market(book=thin_book()))
    )


def helper(
    *, sizing: bool = False, impact: bool = True, simulated: bool = True, **limits: object
) -> DynamicSizingHelper:
    settings = {"max_market_impact_bps": D(3), "position_sizing_method": PositionSizingMethod.FIXED, **limits}
    return DynamicSizingHelper(
        config=RiskConfig.model_validate(settings),
        clock=ManualClock(START_NS),
        dynamic_sizing=sizing,
        impact_guard=impact,
        simulated=simulated,
        edge=lambda _: None,
    )


def test_a_size_is_rounded_once_when_it_is_final() -> None:
    """Asked were 0.13247 and the grid of the request says 0.13: the factor 1.5 is of what was asked."""
    asked = msgspec.structs.replace(request(an_order(quantity=D("0.13"))), trace={"asked_quantity": D("0.13247")})
    sized = helper(sizing=True, impact=False, position_sizing_multiplier=D("1.5")).size(asked)
    assert sized.quantity == D("0.13247") * D("1.5")


@pytest.mark.parametrize(
    ("mode", "cap_bps", "quantity"),
    [
        # 0.1 costs 5/60000 = 0.83 bps; 0.2 costs 20/60000 = 3.33 bps; 0.17 costs (0.5 + 0.07*35)/0.17 = 17.35 -> 2.89
        (SizingMode.CONSERVATIVE, D(3), D("0.17")),
        (SizingMode.CONSERVATIVE, D("3.4"), D("0.20")),
        (SizingMode.CONSERVATIVE, D("0.9"), D("0.10")),
        # all of 1 costs (0.5 + 3.5 + 0.8*600)/1 = 484/60000 = 80.7 bps
        (SizingMode.STRICT, D(81), D(1)),
    ],
)
def test_the_impact_cap_gives_the_size_computed_by_hand(mode: SizingMode, cap_bps: Decimal, quantity: Decimal) -> None:
    """The largest size on the lot grid whose average price stays under the cap."""
    sizer = helper(sizing_mode=mode, max_market_impact_bps=cap_bps)
    sized = sizer.size(request())
    assert sized.quantity == quantity
    assert sizer.confirm(request(), sized.quantity)["final_impact_bps"] <= cap_bps  # type: ignore[operator]


def test_strict_takes_nothing_when_not_everything_fits() -> None:
    """All or nothing, and the refusal carries the room there was."""
    with pytest.raises(Refused) as caught:
        helper(sizing_mode=SizingMode.STRICT).size(request())
    assert caught.value.code is Refusal.MARKET_IMPACT
    assert caught.value.numbers["impact_room"] == D("0.17")


def test_when_not_even_one_contract_fits_the_entry_is_refused() -> None:
    """Half the spread alone is above the cap."""
    with pytest.raises(Refused) as caught:
        helper(max_market_impact_bps=D("0.5")).size(request())
    assert caught.value.code is Refusal.MARKET_IMPACT


@pytest.mark.parametrize("quantity", [D(3), D("0.01")])
def test_an_exit_keeps_its_size_under_both_features(quantity: Decimal) -> None:
    """Never enlarged, never shrunk: getting out is not sized."""
    sizer = helper(sizing=True, position_sizing_method=PositionSizingMethod.INTELLIGENT, max_market_impact_bps=D(1))
    order = an_order(side=Side.SELL, quantity=quantity, reduce_only=True)
    assert sizer.size(request(order)).quantity == quantity
    assert sizer.confirm(request(order), quantity) == {}


def test_with_both_flags_off_the_size_is_as_asked_and_the_book_is_not_needed() -> None:
    """Each flag switches its own feature only."""
    snapshot = a_snapshot(market=a_market(book=None))
    assert helper(impact=False).size(request(snapshot=snapshot)).quantity == D(1)


def test_volatility_targeting_scales_the_asked_size() -> None:
    """Target 38.2 % a year against 4 % a day (76.4 % a year): half of what was asked."""
    sizer = helper(
        sizing=True,
        impact=False,
        position_sizing_method=PositionSizingMethod.VOLATILITY,
        volatility_target_annual=D("0.3821"),
    )
    snapshot = a_snapshot(market=a_market(sigma_day=D("0.04")))
    sized = sizer.size(request(snapshot=snapshot))
    assert sized.quantity == pytest.approx(D("0.5"), rel=D("1e-3"))
    assert sized.trace["sigma_day"] == D("0.04")


@pytest.mark.parametrize(
    ("market", "code"),
    [
        (a_market(book=None), Refusal.STALE_BOOK),
        (a_market(book=thin_book(received_ns=START_NS - 3600 * NS)), Refusal.STALE_BOOK),
        (a_market(book=thin_book(asks=())), Refusal.MARKET_IMPACT),
    ],
)
def test_without_a_fresh_book_an_entry_is_refused_and_no_price_is_invented(market: object, code: Refusal) -> None:
    """Missing, old or one-sided."""
    with pytest.raises(Refused) as caught:
        helper().size(request(snapshot=a_snapshot(market=market)))
    assert caught.value.code is code


def test_a_modelled_book_is_good_enough_in_a_simulation_and_refused_live() -> None:
    """Bars know no depth; real money does not trade on a guess."""
    snapshot = a_snapshot(market=a_market(book=thin_book(modelled=True)))
    assert helper(simulated=True).size(request(snapshot=snapshot)).quantity > 0
    with pytest.raises(Refused) as caught:
        helper(simulated=False).size(request(snapshot=snapshot))
    assert caught.value.code is Refusal.MODELLED_BOOK


def test_a_worked_order_is_judged_by_the_square_root_law() -> None:
    """1 * 0.04 * sqrt(q / 40 000) <= 3 bps allows q = 40 000 * (0.0003 / 0.04)^2 = 2.25."""
    snapshot = a_snapshot(market=a_market(book=None, sigma_day=D("0.04"), volume_day=D(40_000)))
    sizer = helper(impact_coefficient=D(1))
    worked = an_order(quantity=D(5), tactic="simple_limit")
    assert sizer.size(request(worked, snapshot)).quantity == D("2.25")


def test_confirm_looks_again_at_the_final_size() -> None:
    """What risk lets through is measured once more."""
    with pytest.raises(Refused) as caught:
        helper().confirm(request(), D("0.2"))
    assert caught.value.code is Refusal.MARKET_IMPACT
    assert caught.value.numbers["quantity"] == D("0.2")


def test_half_the_spread_is_part_of_the_impact() -> None:
    """5 above a middle of 60 000 is 0.8333 bps for any size that the first level holds."""
    trace = helper().confirm(request(snapshot=a_snapshot(market=a_market(book=a_book()))), D("0.5"))
    assert trace["final_impact_bps"] == pytest.approx(D("0.8333"), abs=D("0.0001"))


# 1 at 3 bp: 0.17 fits, so it takes 6 slices of ceil(100 / 6) = 17 lots, the last with the remaining 15.
def aggressive(order: OrderRequest) -> Sized:
    return helper(sizing_mode=SizingMode.AGGRESSIVE).size(request(order))


@pytest.mark.parametrize(
    ("changes", "tactic"),
    [
        ({}, "twap"),
        ({"tactic": "market"}, "twap"),
        ({"tactic": "iceberg"}, "iceberg"),
        ({"tactic": "aggressive_limit"}, "twap"),
        (
            {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": D(60_000)},
            "iceberg",
        ),
    ],
)
def test_aggressive_takes_all_of_it_in_slices_that_each_fit(changes: dict[str, Any], tactic: str) -> None:
    """The full size, worked by a slicing tactic; the impact rule then judges one slice."""
    sized = aggressive(an_order(quantity=D(1), **changes))
    assert (sized.quantity, sized.slice_quantity_max, sized.tactic) == (D(1), D("0.17"), tactic)
    assert (sized.trace["slices"], sized.trace["slice_quantity"]) == (6, D("0.17"))


def test_aggressive_leaves_alone_what_fits_whole() -> None:
    """0.17 needs no slices and keeps its tactic."""
    sized = aggressive(an_order(quantity=D("0.17")))
    assert (sized.quantity, sized.slice_quantity_max, sized.tactic) == (D("0.17"), None, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"time_in_force": TimeInForce.FOK},
        {"order_type": OrderType.LIMIT, "time_in_force": TimeInForce.IOC, "limit_price": D(60_000)},
    ],
)
def test_what_must_go_whole_is_not_sliced(changes: dict[str, Any]) -> None:
    """It is refused by the impact rule, which says why."""
    with pytest.raises(Refused) as caught:
        aggressive(an_order(quantity=D(1), **changes))
    assert caught.value.code is Refusal.MARKET_IMPACT
    assert "slicing" in caught.value.numbers


def test_aggressive_gives_up_beyond_twenty_slices() -> None:
    """At 0.9 bp only 0.1 fits: 3 would take thirty orders."""
    with pytest.raises(Refused) as caught:
        helper(sizing_mode=SizingMode.AGGRESSIVE, max_market_impact_bps=D("0.9")).size(request(an_order(quantity=D(3))))
    assert caught.value.code is Refusal.MARKET_IMPACT
