"""Pure pre-trade rules: hours, margins, least sizes and stops of our own."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.builders import START_NS, D, a_product, a_request, a_snapshot, an_account, an_order

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import Exposure, Side
from gpt_trader.risk.rules import (
    Cap,
    caps,
    check_reward_risk,
    check_signal,
    check_stop_distance,
    initial_margin,
    is_daytime,
    leverage_cap,
    maintenance_margin,
    maintenance_rate,
    protective_stop_price,
    smallest_tradable,
    tightest,
)

DAY = {"daytime_start_utc": "08:00", "daytime_end_utc": "20:00"}
OVER_MIDNIGHT = {"daytime_start_utc": "22:00", "daytime_end_utc": "02:00"}


@pytest.mark.parametrize(
    ("hours", "time_of_day", "expected"),
    [
        ({}, 0, True),
        (DAY, 8 * 3600 - 1, False),
        (DAY, 8 * 3600, True),
        (DAY, 20 * 3600 - 1, True),
        (DAY, 20 * 3600, False),
        (OVER_MIDNIGHT, 23 * 3600, True),
        (OVER_MIDNIGHT, 1 * 3600, True),
        (OVER_MIDNIGHT, 2 * 3600, False),
        (OVER_MIDNIGHT, 12 * 3600, False),
    ],
)
def test_daytime_includes_its_start_and_not_its_end(hours: dict[str, str], time_of_day: int, expected: bool) -> None:
    """UTC, also over midnight; without times it is always day."""
    assert is_daytime(RiskConfig(**hours), (20_000 * 86_400 + time_of_day) * NS) is expected  # type: ignore[arg-type]


def test_maintenance_rate_prefers_the_venue_then_the_hour_then_the_default() -> None:
    """Configured rates stand in only where the venue names none."""
    config = RiskConfig(**DAY, day_mmr_per_symbol={"BTC-PERP": D("0.02")})  # type: ignore[arg-type]
    venue = a_product().margin_intraday
    silent = msgspec.structs.replace(venue, maintenance_long=D(0))
    assert maintenance_rate("BTC-PERP", venue, Side.BUY, config, START_NS) == D("0.067")
    assert maintenance_rate("BTC-PERP", silent, Side.BUY, config, START_NS) == D("0.02")
    assert maintenance_rate("ETH-PERP", None, Side.BUY, config, START_NS) == D("0.005")


def test_margin_is_that_of_the_worse_side() -> None:
    """Long 1 with 4 to sell may end short 3; shorts cost 20 %, longs 10 %."""
    rates = msgspec.structs.replace(a_product().margin_intraday, initial_short=D("0.2"), maintenance_short=D("0.1"))
    exposure = Exposure(symbol="X", position=D(1), working_sell=D(4), mark=D(100), margin=rates)
    assert initial_margin(exposure, RiskConfig(), START_NS) == 60
    assert maintenance_margin(exposure, RiskConfig(), START_NS) == 30


def test_margin_of_others_is_never_less_than_the_venue_asks() -> None:
    """The account's maintenance margin beyond our own position belongs to the others: 5000 - 4020."""
    other = Exposure(symbol="ETH-PERP", position=D(1), mark=D(3_000))  # 15 USD at the default rate
    account = an_account(maintenance_margin=D(5_000))
    request = a_request(snapshot=a_snapshot(position=D(1), others=(other,), account=account))
    buffer = next(cap for cap in caps(request, RiskConfig(), START_NS) if cap.name == "liquidation_buffer")
    assert (buffer.used, buffer.limit, buffer.per_unit) == (D(980), D(85_000), D(4_020))


def test_leverage_is_bounded_by_the_initial_margin_rate() -> None:
    """At 24.5 % initial margin no more than 4.08 times equity can be held, whatever the configuration allows."""
    rates = msgspec.structs.replace(a_product().margin_intraday, initial_long=D("0.245"))
    cap = leverage_cap(a_snapshot(margin=rates), Side.BUY, RiskConfig(max_leverage=20), START_NS)
    assert cap.quantize(D("0.01")) == D("4.08")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, "0.01"), ({"min_quantity": D("0.05")}, "0.05"), ({"min_notional": D(650)}, "0.02")],
)
def test_smallest_tradable_is_the_largest_of_all_minima(changes: dict[str, Any], expected: str) -> None:
    """650 USD at 60000 is 0.0108: two lots."""
    assert smallest_tradable(a_product(**changes), D(60_000)) == D(expected)


@pytest.mark.parametrize(
    ("side", "limit_price", "expected"),
    [(Side.BUY, None, 58_800), (Side.SELL, None, 61_200), (Side.BUY, D(59_001), 57_825)],
)
def test_own_stop_lies_at_the_configured_distance_on_the_tick(
    side: Side, limit_price: Decimal | None, expected: int
) -> None:
    """2 % from the entry; 57820.98 rounds up to 57825, so that a sell stop triggers no later."""
    order = an_order(side=side, limit_price=limit_price)
    assert protective_stop_price(order, D(60_000), a_product(), RiskConfig()) == expected


def test_signal_rule_names_the_stage_it_is_asked_at() -> None:
    """Validation and risk share the rule."""
    with pytest.raises(Refused) as caught:
        check_signal(an_order(confluence=1.0), RiskConfig(), Stage.SIGNAL)
    assert (caught.value.stage, caught.value.code) == (Stage.SIGNAL, Refusal.LOW_CONFLUENCE)


def test_tightest_is_the_first_of_equals() -> None:
    """The order of the rules is fixed, so the name of the cap is too."""
    first = Cap(name="first", code=Refusal.LEVERAGE_CAP, limit=D(10), per_unit=D(2))
    second = Cap(name="second", code=Refusal.LEVERAGE_CAP, limit=D(5), per_unit=D(1))
    assert tightest((first, second)) is first


@pytest.mark.parametrize(
    ("reach", "used", "room"), [("0", "0", "5"), ("2", "0", "3"), ("7", "0", "0"), ("-2", "0", "7"), ("-2", "99", "2")]
)
def test_room_of_a_cap(reach: str, used: str, room: str) -> None:
    """What brings a position back to zero is free, even where the others have used the cap up."""
    cap = Cap(name="x", code=Refusal.LEVERAGE_CAP, limit=D(50), per_unit=D(10), reach=D(reach), used=D(used))
    assert cap.room == D(room)


def test_room_rounds_down() -> None:
    """A third is never rounded up past the limit."""
    cap = Cap(name="x", code=Refusal.LEVERAGE_CAP, limit=D(2), per_unit=D(3))
    assert cap.room * 3 <= 2


def test_equity_needed_is_where_the_quantity_just_fits() -> None:
    """20 % of equity must carry 3 more at 100 beside 2 held and 400 of others: 4500."""
    cap = Cap(
        name="x", code=Refusal.LEVERAGE_CAP, limit=D(0), per_unit=D(100), used=D(400), reach=D(2), equity_share=D("0.2")
    )
    assert cap.equity_needed(D(3)) == 4_500


def others(**quantities: int) -> tuple[Exposure, ...]:
    """Positions in other symbols, each at a mark of 100."""
    return tuple(Exposure(symbol=f"{name}-PERP", position=D(held), mark=D(100)) for name, held in quantities.items())


def cap_named(name: str, config: RiskConfig, side: Side = Side.BUY, **quantities: int) -> Cap:
    """Equity 10 000, nothing held in BTC, whose mark is 100."""
    snapshot = a_snapshot(mark=D(100), account=an_account(equity=D(10_000)), others=others(**quantities))
    (found,) = [cap for cap in caps(a_request(an_order(side=side), snapshot), config, START_NS) if cap.name == name]
    return found


@pytest.mark.parametrize(("side", "room"), [(Side.BUY, 20), (Side.SELL, 80)])
def test_net_exposure_counts_other_symbols_with_their_sign(side: Side, room: int) -> None:
    """50 % of 10 000 is 5 000 net; ETH long 3 000 leaves 2 000 to a buy, and 8 000 to a sale."""
    config = RiskConfig(max_net_exposure_pct=D("0.5"))
    assert cap_named("net_exposure_cap", config, side, ETH=30).room == D(room)


def test_an_order_that_may_turn_another_position_counts_as_if_it_had() -> None:
    """ETH is short 30, but a buy of 40 works: toward long it counts 10, not minus 30."""
    other = Exposure(symbol="ETH-PERP", position=D(-30), working_buy=D(40), mark=D(100))
    snapshot = a_snapshot(mark=D(100), account=an_account(equity=D(10_000)), others=(other,))
    request = a_request(an_order(), snapshot)
    (cap,) = [
        each
        for each in caps(request, RiskConfig(max_net_exposure_pct=D("0.5")), START_NS)
        if each.name == "net_exposure_cap"
    ]
    assert cap.room == D(40)


def test_a_group_shares_its_cap_and_others_do_not_count() -> None:
    """60 % of 10 000 for majors: ETH takes 3 000 of it, SOL nothing; short or long is the same here."""
    config = RiskConfig.model_validate(
        {"exposure_groups": "majors:BTC-PERP+ETH-PERP", "max_exposure_pct_per_group": {"majors": D("0.6")}}
    )
    cap = cap_named("group_exposure_cap_majors", config, ETH=-30, SOL=50)
    assert (cap.room, cap.code) == (D(30), Refusal.GROUP_EXPOSURE_CAP)


def test_without_portfolio_limits_there_are_no_such_caps() -> None:
    """Both are off by default."""
    names = {cap.name for cap in caps(a_request(), RiskConfig(), START_NS)}
    assert not {name for name in names if name.startswith(("net_exposure", "group_exposure"))}


@pytest.mark.parametrize(
    ("changes", "distance"),
    [
        ({"trailing_stop": D("0.01")}, D("0.01")),
        ({"trailing_stop": D("0.01"), "protective_stop": D(59_700)}, D("0.005")),
        ({"trailing_stop": D("0.01"), "protective_stop": D(59_100)}, D("0.01")),
        ({"trailing_stop": D("0.01"), "side": Side.SELL}, D("0.01")),
    ],
)
def test_a_trailing_stop_is_judged_where_it_begins(changes: dict[str, Any], distance: Any) -> None:
    """Of two stops the nearer one is what would be lost first."""
    found = check_stop_distance(an_order(**changes), D(60_000), RiskConfig())
    assert found["stop_distance"] == distance


def test_a_trail_wider_than_allowed_is_too_far() -> None:
    """3 % against 2 %."""
    with pytest.raises(Refused) as caught:
        check_stop_distance(an_order(trailing_stop=D("0.03")), D(60_000), RiskConfig())
    assert caught.value.code is Refusal.STOP_TOO_FAR


def test_reward_is_measured_against_a_trail_too() -> None:
    """1 % of risk and 1.2 % of reward are 1.2 to 1."""
    with pytest.raises(Refused) as caught:
        check_reward_risk(an_order(trailing_stop=D("0.01"), target_price=D(60_720)), D(60_000), RiskConfig())
    assert caught.value.numbers["reward_risk"] == D("1.2")
