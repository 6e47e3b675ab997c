"""LiveRiskManager: what may be sent, how much of it, and which rule said no. Numbers are computed by hand."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import START_NS, D, a_market, a_product, a_request, a_snapshot, an_account, an_order

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.events import OrderApproved
from gpt_trader.core.values import (
    Exposure,
    Mode,
    NormalizedOrderRequest,
    OrderType,
    Purpose,
    Side,
    Snapshot,
)
from gpt_trader.risk.manager import LiveRiskManager

WIDE: dict[str, Any] = {
    "max_leverage": 100,
    "max_exposure_pct": D(10),
    "max_position_pct_per_symbol": D(10),
    "max_position_size_pct": D(10),
    "max_concurrent_positions": 0,
    "order_rate_per_minute_max": 0,
    "enable_pre_trade_liq_projection": False,
}


def wide(**changes: Any) -> RiskConfig:
    """Nothing but venue size and margin bind, beside what the test sets."""
    return RiskConfig(**{**WIDE, **changes})


def exposed(position: str = "0", *, mark: str = "60000", symbol: str = "BTC-PERP", **parts: str) -> Exposure:
    amounts: dict[str, Any] = {name: D(amount) for name, amount in parts.items()}
    return Exposure(symbol=symbol, position=D(position), mark=D(mark), **amounts)


def approved(config: RiskConfig, request: NormalizedOrderRequest, quantity: str | int | Decimal) -> Decimal:
    return LiveRiskManager(config).approve(request, D(quantity), START_NS).quantity


def refused(config: RiskConfig, request: NormalizedOrderRequest, quantity: str | int | Decimal) -> Refused:
    with pytest.raises(Refused) as caught:
        LiveRiskManager(config).approve(request, D(quantity), START_NS)
    assert caught.value.stage is Stage.RISK
    return caught.value


# --- how much ----------------------------------------------------------------------------------------------------
CAPS = [
    # name, configuration, exposure, expected quantity of a wish for 100
    ("order_size_cap", {"max_position_size_pct": D("0.05")}, exposed(), "0.08"),  # 5000 / 60000 = 0.0833
    ("order_notional_cap", {"max_notional_per_order": D(12_000)}, exposed(), "0.2"),
    ("symbol_exposure_cap", {"max_position_pct_per_symbol": D("0.2")}, exposed(), "0.33"),  # 20000 / 60000
    ("symbol_exposure_cap", {"max_position_pct_per_symbol": D("0.2")}, exposed("0.2"), "0.13"),
    ("symbol_exposure_cap", {"max_position_pct_per_symbol": D("0.2")}, exposed(working_buy="0.2"), "0.13"),
    ("symbol_exposure_cap", {"max_position_pct_per_symbol": D("0.2")}, exposed("0.1", working_buy="0.2"), "0.03"),
    # short 0.3 and already closing 0.3: the close may fill after the entry, so it frees nothing
    ("symbol_exposure_cap", {"max_position_pct_per_symbol": D("0.2")}, exposed("-0.3", closing_buy="0.3"), "0.33"),
    # short 0.3 without a close: the first 0.3 only bring it back to zero
    ("symbol_exposure_cap", {"max_position_pct_per_symbol": D("0.2")}, exposed("-0.3"), "0.63"),
    ("symbol_notional_cap", {"max_notional_per_symbol": {"BTC-PERP": D(15_000)}}, exposed(), "0.25"),
    ("symbol_quantity_cap", {"max_quantity_per_symbol": {"BTC-PERP": D("0.5")}}, exposed("0.4"), "0.1"),
    ("leverage_cap", {"max_leverage": 2}, exposed(), "3.33"),  # 200000 / 60000
    ("leverage_cap", {"leverage_max_per_symbol": {"BTC-PERP": 3}}, exposed(), "5"),
    ("liquidation_buffer", {"enable_pre_trade_liq_projection": True, "min_liquidation_buffer_pct": D("0.5")}, exposed(), "12.43"),  # 50000 / (60000 * 0.067)
    ("margin_available", {}, exposed(), "16.5"),  # 100000 / (60000 * (0.1 + 0.001)) = 16.5017
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "exposure", "expected"), CAPS)
def test_entry_shrinks_to_the_tightest_cap_and_names_it(
    name: str, config: dict[str, Any], exposure: Exposure, expected: str
) -> None:
    """The smallest cap wins; position, working and unknown orders count; the result lies on the lot grid."""
    request = a_request(snapshot=a_snapshot(exposure=exposure))
    result = LiveRiskManager(wide(**config)).approve(request, D(100), START_NS)
    assert result.quantity == D(expected)
    assert result.trace["bound_by"] == name


def test_wish_below_all_caps_is_approved_as_asked() -> None:
    """Nothing is ever enlarged, and the trace says that nothing was bound."""
    result = LiveRiskManager(wide()).approve(a_request(), D("0.1"), START_NS)
    assert (result.quantity, result.trace["bound_by"]) == (D("0.1"), "")


def test_wish_off_the_grid_is_floored() -> None:
    """Towards zero, never up to the minimum size."""
    assert approved(wide(), a_request(), "0.1199") == D("0.11")


def test_trace_holds_every_number_used() -> None:
    """Who reads the trace can do the arithmetic again."""
    snapshot = a_snapshot(position=D("0.1"), others=(exposed("10", mark="3000", symbol="ETH-PERP"),))
    trace = LiveRiskManager(RiskConfig()).approve(a_request(snapshot=snapshot), D(1), START_NS).trace
    assert trace["bound_by"] == "order_size_cap"
    assert (trace["mark"], trace["equity"], trace["position"], trace["reach"]) == (60_000, 100_000, D("0.1"), D("0.1"))
    assert (trace["total_exposure_cap_limit"], trace["total_exposure_cap_used"]) == (80_000, 30_000)
    assert trace["symbol_exposure_cap_room"] == D("0.2333333333333333333333333333")
    assert (trace["mark_age_seconds"], trace["account_age_seconds"]) == (0, 0)
    assert trace["quantity"] == D("0.08")


def test_other_symbols_use_the_total_cap() -> None:
    """80 % of 100000 less 20 ETH at 3000 leaves 20000: a third of a bitcoin."""
    request = a_request(snapshot=a_snapshot(others=(exposed("20", mark="3000", symbol="ETH-PERP"),)))
    assert approved(wide(max_exposure_pct=D("0.8")), request, 5) == D("0.33")


def test_unknown_orders_of_other_symbols_count_at_full_notional() -> None:
    """20 ETH that may still be bought count as if they were held."""
    request = a_request(snapshot=a_snapshot(others=(exposed(mark="3000", symbol="ETH-PERP", working_buy="20"),)))
    assert approved(wide(max_exposure_pct=D("0.8")), request, 5) == D("0.33")


def test_three_bitcoin_and_a_hundred_ether_refuse_another() -> None:
    """The original let this through: 450 % of equity held, caps of 20 % and 80 %."""
    others = (exposed("100", mark="3000", symbol="ETH-PERP"),)
    snapshot = a_snapshot(exposure=exposed("3", mark="50000"), others=others, market=a_market(mark=D(50_000)))
    refusal = refused(RiskConfig(), a_request(snapshot=snapshot), "0.1")
    assert refusal.code is Refusal.SYMBOL_EXPOSURE_CAP
    assert refusal.numbers["reach"] == 3


def test_many_small_orders_meet_the_same_cap() -> None:
    """The original judged each order alone: 30 orders of 0.1 all passed a cap of 20 %."""
    risk = LiveRiskManager(wide(max_position_pct_per_symbol=D("0.2")))
    position = D(0)
    with pytest.raises(Refused, match="symbol_exposure_cap"):
        for _ in range(30):
            request = a_request(snapshot=a_snapshot(position=position, mark=D(50_000)))
            position += risk.approve(request, D("0.1"), START_NS).quantity
    assert position == D("0.4")


def test_leverage_cap_of_the_hour() -> None:
    """START lies at 15:06 UTC: by day 2 times equity, by night 1."""
    tables = {"day_leverage_max_per_symbol": {"BTC-PERP": 2}, "night_leverage_max_per_symbol": {"BTC-PERP": 1}}
    day = wide(daytime_start_utc="08:00", daytime_end_utc="20:00", **tables)
    night = wide(daytime_start_utc="20:00", daytime_end_utc="08:00", **tables)
    assert approved(day, a_request(), 5) == D("3.33")
    assert approved(night, a_request(), 5) == D("1.66")


def test_short_side_uses_the_short_rates() -> None:
    """Overnight shorts cost more margin than longs: 0.306 against 0.1."""
    rates = msgspec.structs.replace(a_product().margin_intraday, initial_short=D("0.3"))
    request = a_request(an_order(side=Side.SELL), a_snapshot(margin=rates))
    assert approved(wide(), request, 100) == D("5.53")  # 100000 / (60000 * 0.301)


def test_free_margin_of_the_venue_binds() -> None:
    """606 USD free at 10 % margin and 0.1 % fee carry a tenth of a bitcoin."""
    request = a_request(snapshot=a_snapshot(account=an_account(available_margin=D(606))))
    result = LiveRiskManager(wide()).approve(request, D(5), START_NS)
    assert (result.quantity, result.trace["bound_by"]) == (D("0.1"), "margin_available")


def test_larger_than_the_venue_takes_is_cut() -> None:
    """One order is never larger than the venue's maximum."""
    request = a_request(snapshot=a_snapshot(product=a_product(max_quantity=D("0.5"))))
    assert approved(wide(), request, 2) == D("0.5")


# --- too little --------------------------------------------------------------------------------------------------
def test_account_too_small_for_one_contract_names_the_equity() -> None:
    """One contract is 600 USD; at 5 % an order that takes 12000 of equity."""
    request = a_request(snapshot=a_snapshot(account=an_account(equity=D(1_000))))
    refusal = refused(RiskConfig(), request, "0.02")
    assert refusal.code is Refusal.BELOW_ONE_CONTRACT
    assert (refusal.numbers["cap"], refusal.numbers["equity_needed"]) == ("order_size_cap", 12_000)


def test_wish_below_one_contract_names_the_equity() -> None:
    """0.004 of 100000: the same share would be 0.01 with 250000."""
    refusal = refused(wide(), a_request(), "0.004")
    assert refusal.code is Refusal.BELOW_ONE_CONTRACT
    assert refusal.numbers["equity_needed"] == 250_000


def test_full_cap_is_refused_by_its_own_name() -> None:
    """What is held fills the cap; the account is not too small."""
    refusal = refused(wide(max_position_pct_per_symbol=D("0.2")), a_request(snapshot=a_snapshot(position=D("0.33"))), 1)
    assert refusal.code is Refusal.SYMBOL_EXPOSURE_CAP


def test_minimum_notional_holds_on_the_final_quantity() -> None:
    """A cap may shrink an order below what the venue takes; it is refused, never bumped up."""
    product = a_product(min_notional=D(6_000))
    config = wide(max_notional_per_symbol={"BTC-PERP": D(5_000)})
    refusal = refused(config, a_request(snapshot=a_snapshot(product=product)), 1)
    assert refusal.code is Refusal.SYMBOL_NOTIONAL_CAP
    assert refusal.numbers["least"] == D("0.1")


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity"])
def test_f27_nonsense_quantity_is_refused(quantity: str) -> None:
    """Zero, negative and not a number never pass, whatever sized them."""
    assert refused(wide(), a_request(), quantity).code is Refusal.INVALID_QUANTITY


# --- doors that are shut to entries ------------------------------------------------------------------------------
SHUT: list[tuple[Refusal, dict[str, Any], dict[str, Any]]] = [
    (Refusal.KILL_SWITCH, {"kill_switch_enabled": True}, {}),
    (Refusal.REDUCE_ONLY_MODE, {"reduce_only_mode": True}, {}),
    (Refusal.REDUCE_ONLY_MODE, {}, {"mode": Mode.REDUCE_ONLY}),
    (Refusal.ENTRIES_PAUSED, {}, {"pause_reason": "guard mark_staleness"}),
    (Refusal.NO_EQUITY, {}, {"account": an_account(equity=D(0))}),
    (Refusal.STALE_MARK, {}, {"market": a_market(now_ns=START_NS - 181 * NS)}),
    (Refusal.STALE_MARK, {}, {"market": msgspec.structs.replace(a_market(), mark=None)}),
    (Refusal.STALE_ACCOUNT, {}, {"account": an_account(now_ns=START_NS - 181 * NS)}),
]


@pytest.mark.parametrize(("code", "config", "changes"), SHUT)
def test_entry_is_refused(code: Refusal, config: dict[str, Any], changes: dict[str, Any]) -> None:
    """Each shut door has its own code."""
    assert refused(wide(**config), a_request(snapshot=a_snapshot(**changes)), "0.1").code is code


@pytest.mark.parametrize(("code", "config", "changes"), SHUT)
def test_exit_passes_every_door_that_is_shut_to_entries(
    code: Refusal, config: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Kill switch, pauses, stale data and lost equity never hold back a close."""
    request = a_request(an_order(side=Side.SELL, reduce_only=True), a_snapshot(position=D(3), **changes))
    assert approved(wide(**config), request, 100) == 3, code


@pytest.mark.parametrize("mode", [Mode.CANCEL_ONLY, Mode.FROZEN])
@pytest.mark.parametrize("reduce_only", [False, True])
def test_nothing_leaves_when_only_cancels_may(mode: Mode, reduce_only: bool) -> None:
    """CANCEL_ONLY and FROZEN hold for closes too."""
    request = a_request(an_order(side=Side.SELL, reduce_only=reduce_only), a_snapshot(position=D(3), mode=mode))
    assert refused(wide(), request, 1).code is Refusal.NOT_ALLOWED_BY_MODE


def test_exit_on_a_stale_mark_records_its_age() -> None:
    """Five hours old: the close goes on and says so."""
    snapshot = a_snapshot(position=D(3), market=a_market(now_ns=START_NS - 18_000 * NS))
    request = a_request(an_order(side=Side.SELL, reduce_only=True), snapshot)
    assert LiveRiskManager(wide()).approve(request, D(3), START_NS).trace["mark_age_seconds"] == 18_000


# --- exits -------------------------------------------------------------------------------------------------------
EXITS = [
    # side, asked, position, closing, expected
    (Side.SELL, "100", "3", "0", "3"),  # the original sold 100 and was short 97
    (Side.SELL, "1", "3", "0", "1"),
    (Side.SELL, "100", "3", "2", "1"),
    (Side.BUY, "100", "-3", "0", "3"),
    (Side.BUY, "2.999", "-3", "0", "2.99"),
]


@pytest.mark.parametrize(("side", "asked", "position", "closing", "expected"), EXITS)
def test_exit_is_clamped_to_what_is_open(side: Side, asked: str, position: str, closing: str, expected: str) -> None:
    """At most the position less what already closes it; never enlarged."""
    exposure = exposed(position, closing_buy=closing) if side is Side.BUY else exposed(position, closing_sell=closing)
    request = a_request(an_order(side=side, reduce_only=True), a_snapshot(exposure=exposure))
    assert approved(wide(), request, asked) == D(expected)


@pytest.mark.parametrize(("side", "position"), [(Side.SELL, "0"), (Side.SELL, "-3"), (Side.BUY, "3")])
def test_exit_with_nothing_to_reduce_is_refused(side: Side, position: str) -> None:
    """Flat, or the position is on the same side."""
    request = a_request(an_order(side=side, reduce_only=True), a_snapshot(position=D(position)))
    assert refused(wide(), request, 1).code is Refusal.NOTHING_TO_REDUCE


def test_exit_ignores_entry_caps() -> None:
    """A position far above every cap can still be closed in full."""
    request = a_request(an_order(side=Side.SELL, reduce_only=True), a_snapshot(position=D(30)))
    assert approved(RiskConfig(), request, 30) == 30


def test_exit_larger_than_the_venue_takes_goes_in_parts() -> None:
    """The largest order the venue takes is better than a refusal; the bound is named."""
    request = a_request(an_order(side=Side.SELL, reduce_only=True), a_snapshot(position=D(80)))
    result = LiveRiskManager(wide()).approve(request, D(80), START_NS)
    assert (result.quantity, result.trace["bound_by"]) == (D(50), "venue_size_cap")


# --- the single trade --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"protective_stop": D(58_799)}, Refusal.STOP_TOO_FAR),  # 2.0017 % below 60000
        ({"protective_stop": D(60_000)}, Refusal.INVALID_STOP),
        ({"protective_stop": D(59_000), "target_price": D(61_499)}, Refusal.REWARD_TOO_SMALL),  # 1.499 : 1
    ],
)
def test_trade_that_breaks_its_own_rule_is_refused(changes: dict[str, Any], code: Refusal) -> None:
    """Stop distance and reward for risk."""
    assert refused(wide(), a_request(an_order(**changes)), "0.1").code is code


@pytest.mark.parametrize(
    "changes",
    [
        {"protective_stop": D(58_800)},  # exactly 2 %
        {"protective_stop": D(59_000), "target_price": D(61_500)},  # exactly 1.5 : 1
        {"side": Side.SELL, "protective_stop": D(61_000), "target_price": D(58_500)},
        {"target_price": D(60_001)},  # no stop: not judged
        {},  # no stop, no target: not judged
    ],
)
def test_trade_at_the_limit_passes(changes: dict[str, Any]) -> None:
    """Limits are inclusive, and what a signal does not state is not judged."""
    assert approved(wide(), a_request(an_order(**changes)), "0.1") == D("0.1")


def test_position_count_holds_for_new_symbols_only() -> None:
    """Two held, two allowed: a third is refused, adding to one that is held is not."""
    others = (exposed("1", symbol="ETH-PERP"), exposed(working_sell="1", symbol="SOL-PERP"), exposed(symbol="XRP-PERP"))
    config = wide(max_concurrent_positions=2)
    assert refused(config, a_request(snapshot=a_snapshot(others=others)), "0.1").code is Refusal.POSITION_COUNT_CAP
    assert approved(config, a_request(snapshot=a_snapshot(others=others[1:], position=D(1))), "0.1") == D("0.1")


def test_a_refusal_tells_what_was_known_until_then() -> None:
    """The state that was judged, beside the numbers of the rule, each once."""
    snapshot = a_snapshot(account=an_account(equity=D(1_000)))
    with pytest.raises(Refused) as refused:
        LiveRiskManager(wide()).approve(a_request(snapshot=snapshot), D("0.001"), START_NS)
    before, numbers = refused.value.before, refused.value.numbers
    assert refused.value.code is Refusal.BELOW_ONE_CONTRACT
    assert {"mark_age_seconds", "account_age_seconds", "position", "reach", "other_positions"} <= before.keys()
    assert {"mark", "equity", "least"} <= numbers.keys()
    assert not before.keys() & numbers.keys()


def test_f78_order_rate_counts_entries_of_the_boot_before() -> None:
    """A bot that is started again and again is held back like one that stays."""
    risk = LiveRiskManager(wide(order_rate_per_minute_max=1))
    approved = OrderApproved(
        at_ns=START_NS - 59 * NS,
        strategy="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        asked=D(1),
        quantity=D(1),
        order_type=OrderType.MARKET,
        purpose=Purpose.ENTRY,
        engine="",
        tactic="market",
        arrival_mid=D(1),
    )
    risk.restore(msgspec.structs.replace(approved, purpose=Purpose.EXIT))
    risk.restore(msgspec.structs.replace(approved, at_ns=START_NS - 61 * NS))
    risk.approve(a_request(), D("0.1"), START_NS)
    risk = LiveRiskManager(wide(order_rate_per_minute_max=1))
    risk.restore(approved)
    with pytest.raises(Refused, match="order_rate_cap"):
        risk.approve(a_request(), D("0.1"), START_NS)


def test_order_rate_counts_approved_entries_of_a_minute() -> None:
    """Two a minute: the third waits until the first is a minute old; exits are never held back."""
    risk = LiveRiskManager(wide(order_rate_per_minute_max=2))
    risk.approve(a_request(), D("0.1"), START_NS)
    risk.approve(a_request(), D("0.1"), START_NS + 1)
    with pytest.raises(Refused, match="order_rate_cap"):
        risk.approve(a_request(), D("0.1"), START_NS + 60 * NS - 1)
    closing = a_request(an_order(side=Side.SELL, reduce_only=True), a_snapshot(position=D(3)))
    assert risk.approve(closing, D(1), START_NS + 60 * NS - 1).quantity == 1
    assert risk.approve(a_request(), D("0.1"), START_NS + 60 * NS).quantity == D("0.1")


def test_refused_entries_do_not_use_up_the_rate() -> None:
    """Only what was let through counts."""
    risk = LiveRiskManager(wide(order_rate_per_minute_max=1))
    with pytest.raises(Refused):
        risk.approve(a_request(), D("0.001"), START_NS)
    assert risk.approve(a_request(), D("0.1"), START_NS).quantity == D("0.1")


def test_reload_judges_by_the_new_limits_and_keeps_the_rate() -> None:
    """The kill switch can be thrown on a running bot."""
    risk = LiveRiskManager(wide(order_rate_per_minute_max=5))
    risk.approve(a_request(), D("0.1"), START_NS)
    risk.reload(wide(order_rate_per_minute_max=1))
    with pytest.raises(Refused, match="order_rate_cap"):
        risk.approve(a_request(), D("0.1"), START_NS)
    risk.reload(wide(kill_switch_enabled=True))
    with pytest.raises(Refused, match="kill_switch"):
        risk.approve(a_request(), D("0.1"), START_NS)


# --- for any input -----------------------------------------------------------------------------------------------
def decimals(low: str, high: str, places: int = 2) -> st.SearchStrategy[Decimal]:
    return st.decimals(D(low), D(high), places=places)


@st.composite
def exposures(draw: st.DrawFn, symbol: str) -> Exposure:
    amount = st.just(D(0)) | decimals("0", "2")
    return Exposure(
        symbol=symbol,
        position=draw(decimals("-2", "2")),
        working_buy=draw(amount),
        working_sell=draw(amount),
        closing_buy=draw(amount),
        closing_sell=draw(amount),
        mark=draw(decimals("100", "1000")),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    exposure = draw(exposures("BTC-PERP"))
    equity = draw(decimals("1000", "100000"))
    available = draw(decimals("-100", "100000"))
    return a_snapshot(
        exposure=exposure,
        others=tuple(draw(st.lists(exposures("ETH-PERP"), max_size=1))),
        account=an_account(equity=equity, available_margin=available),
        market=a_market(mark=exposure.mark),
    )


@st.composite
def configs(draw: st.DrawFn) -> RiskConfig:
    share = decimals("0.02", "10")
    return wide(
        max_leverage=draw(st.integers(1, 20)),
        max_exposure_pct=draw(share),
        max_position_pct_per_symbol=draw(share),
        max_position_size_pct=draw(share),
        max_notional_per_symbol={"BTC-PERP": draw(decimals("100", "10000"))},
        max_quantity_per_symbol={"BTC-PERP": draw(decimals("0.01", "10"))},
        enable_pre_trade_liq_projection=True,
        min_liquidation_buffer_pct=draw(decimals("0", "0.5")),
    )


@settings(deadline=None)  # a busy machine is no defect
@given(snapshots(), configs(), st.sampled_from(Side), decimals("0.01", "50", 3))
def test_entry_never_leads_above_any_cap(snapshot: Snapshot, config: RiskConfig, side: Side, wish: Decimal) -> None:
    """Whatever is held and working: after approval the worst case obeys every cap, or only brings back to zero."""
    try:
        quantity = approved(config, a_request(an_order(side=side), snapshot), wish)
    except Refused:
        return
    exposure, equity = snapshot.exposure, snapshot.account.equity
    worst = exposure.worst_quantity(side, quantity)
    notional = worst * exposure.mark
    others = sum((other.worst_notional for other in snapshot.others), D(0))
    assert 0 < quantity <= wish
    assert quantity % snapshot.product.lot == 0
    assert quantity * exposure.mark <= config.max_position_size_pct * equity
    if worst > 0:
        assert worst <= config.max_quantity_per_symbol["BTC-PERP"]
        assert notional <= config.max_notional_per_symbol["BTC-PERP"]
        assert notional <= config.max_position_pct_per_symbol * equity
        assert notional + others <= config.max_exposure_pct * equity
        assert notional + others <= config.max_leverage * equity
        assert notional * snapshot.margin.initial_long <= equity
        maintenance = notional * snapshot.margin.maintenance_long + others * config.default_maintenance_margin_rate
        assert equity - maintenance >= config.min_liquidation_buffer_pct * equity


@settings(deadline=None)  # a busy machine is no defect
@given(snapshots(), configs(), st.sampled_from(Side), decimals("0.01", "50", 3))
def test_exit_never_increases_or_crosses(snapshot: Snapshot, config: RiskConfig, side: Side, wish: Decimal) -> None:
    """With everything that already closes filled too, a close ends between the position and zero."""
    try:
        quantity = approved(config, a_request(an_order(side=side, reduce_only=True), snapshot), wish)
    except Refused:
        return
    exposure = snapshot.exposure
    closing = exposure.closing_buy if side is Side.BUY else exposure.closing_sell
    end = exposure.position + side.sign * (quantity + closing)
    assert 0 < quantity <= wish
    assert abs(end) <= abs(exposure.position)
    assert end * exposure.position >= 0
