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
    check_signal,
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
