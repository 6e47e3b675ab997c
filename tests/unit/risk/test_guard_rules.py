"""What the guards see: every reading with numbers computed by hand, and the band in which nothing changes."""

from typing import Any

import msgspec
import pytest
from tests.builders import START_NS, D

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.risk.guard_rules import (
    GUARDS,
    Action,
    Baselines,
    EquityMark,
    GuardInput,
    GuardSymbol,
    Reading,
    annualised,
)

EVEN = EquityMark(at_ns=START_NS - 3600 * NS, equity=D(100_000))
BASELINES = Baselines(day=EVEN, rolling=EVEN)


def a_symbol(**changes: Any) -> GuardSymbol:
    """Flat, with a fresh mark."""
    symbol = GuardSymbol(symbol="BTC-PERP", mark=D(60_000), mark_received_ns=START_NS)
    return msgspec.structs.replace(symbol, **changes)


def figures(*symbols: GuardSymbol, **changes: Any) -> GuardInput:
    found = GuardInput(now_ns=START_NS, equity=D(100_000), symbols=symbols or (a_symbol(),))
    return msgspec.structs.replace(found, **changes)


def all_readings(found: GuardInput, config: RiskConfig, baselines: Baselines = BASELINES) -> list[Reading]:
    return [reading for guard in GUARDS for reading in guard.read(found, baselines, config)]


def reading(name: str, found: GuardInput, **config: Any) -> Reading:
    (one,) = (each for each in all_readings(found, RiskConfig(**config)) if each.guard == name)
    return one


def names(found: GuardInput, **config: Any) -> set[str]:
    return {each.guard for each in all_readings(found, RiskConfig(**config))}


@pytest.mark.parametrize(("equity", "tripped"), [("99900.01", False), ("99900", True), ("99000", True)])
def test_daily_loss_trips_when_the_limit_is_reached(equity: str, tripped: bool) -> None:
    """100 USD from 100000."""
    found = reading("daily_loss_utc_day", figures(equity=D(equity)), daily_loss_limit=D(100))
    assert (found.value, found.threshold, found.tripped) == (D(100_000) - D(equity), D(100), tripped)
    assert found.action is Action.CANCEL_ENTRIES


@pytest.mark.parametrize(
    ("usd", "share", "threshold"),
    [("5000", "0.02", "2000"), ("1500", "0.02", "1500"), ("0", "0.02", "2000"), ("1500", "0", "1500")],
)
def test_daily_loss_takes_the_tighter_limit(usd: str, share: str, threshold: str) -> None:
    """USD, or percent of the equity at the day's start; zero is off."""
    found = reading("daily_loss_utc_day", figures(), daily_loss_limit=D(usd), daily_loss_limit_pct=D(share))
    assert found.threshold == D(threshold)


def test_daily_loss_is_off_when_both_limits_are() -> None:
    """Then there is no reading, rather than one that never trips."""
    assert not {"daily_loss_utc_day", "daily_loss_24h"} & names(figures(), daily_loss_limit=D(0))


@pytest.mark.parametrize(("equity", "transfers", "loss"), [("50000", "-50000", "0"), ("150000", "60000", "10000")])
def test_daily_loss_is_net_of_transfers(equity: str, transfers: str, loss: str) -> None:
    """A withdrawal is no loss, and a deposit hides none."""
    found = reading("daily_loss_utc_day", figures(equity=D(equity), cash_flows=D(transfers)))
    assert found.value == D(loss)


def test_rolling_loss_looks_back_over_midnight() -> None:
    """1000 below the equity of yesterday, though even since midnight."""
    yesterday = EquityMark(at_ns=START_NS - 86_400 * NS, equity=D(101_000))
    baselines = Baselines(day=EVEN, rolling=yesterday)
    found = all_readings(figures(), RiskConfig(daily_loss_limit=D(1_000)), baselines)
    assert {(each.guard, each.value) for each in found if each.tripped} == {("daily_loss_24h", D(1_000))}


def test_trip_carries_its_baseline() -> None:
    """The numbers of the arithmetic go into the event."""
    found = reading("daily_loss_utc_day", figures(equity=D(90_000)))
    assert found.numbers["baseline_equity"] == 100_000
    assert found.numbers["equity"] == 90_000


@pytest.mark.parametrize(("maintenance", "tripped"), [("85000", False), ("85001", True)])
def test_liquidation_buffer_of_the_account(maintenance: str, tripped: bool) -> None:
    """(100000 - maintenance) / 100000 against 15 %."""
    found = reading("liquidation_buffer", figures(maintenance_margin=D(maintenance)))
    assert found.tripped is tripped


def test_no_equity_is_no_buffer() -> None:
    """Equity of zero or below trips instead of failing on a division."""
    assert reading("liquidation_buffer", figures(equity=D(-1))).tripped


@pytest.mark.parametrize(("position", "liquidation"), [("1", "52000"), ("-1", "68000")])
def test_liquidation_distance_of_a_symbol(position: str, liquidation: str) -> None:
    """8000 / 60000 = 13.3 % is nearer than 15 %."""
    found = figures(a_symbol(position=D(position), liquidation_price=D(liquidation)))
    near = reading("liquidation_distance", found)
    assert (near.tripped, near.action, near.symbol) == (True, Action.PAUSE_SYMBOL, "BTC-PERP")


@pytest.mark.parametrize(("age_seconds", "tripped"), [(180, False), (360, False), (361, True), (18_000, True)])
def test_stale_mark_pauses_the_symbol(age_seconds: int, tripped: bool) -> None:
    """At twice max_mark_staleness_seconds; the original called a mark of five hours fresh."""
    found = reading("mark_staleness", figures(a_symbol(mark_received_ns=START_NS - age_seconds * NS)))
    assert (found.value, found.tripped, found.action) == (D(age_seconds), tripped, Action.PAUSE_SYMBOL)


def test_mark_never_seen_is_stale() -> None:
    """Missing is not fresh, and no age is invented for it."""
    found = reading("mark_staleness", figures(a_symbol(mark=None, mark_received_ns=0)))
    assert (found.value, found.tripped, found.numbers["mark"]) == (D(-1), True, "never seen")


@pytest.mark.parametrize(
    ("notional", "tripped", "calm"),
    [("80000", False, True), ("80001", False, False), ("88000", False, False), ("88001", True, False)],
)
def test_exposure_trips_a_tenth_above_the_cap_and_is_calm_at_it(notional: str, tripped: bool, calm: bool) -> None:
    """Cap 80 %: what the market moved must not flicker around the cap."""
    found = reading("exposure", figures(a_symbol(worst_notional=D(notional))))
    assert (found.tripped, found.calm) == (tripped, calm)


def test_exposure_adds_all_symbols_and_concentration_takes_each() -> None:
    """50 % and 40 %: more than 88 % in all; each more than 22 % for one."""
    found = figures(a_symbol(worst_notional=D(50_000)), a_symbol(symbol="ETH-PERP", worst_notional=D(40_000)))
    tripped = {(each.guard, each.symbol) for each in all_readings(found, RiskConfig()) if each.tripped}
    assert tripped == {("exposure", ""), ("concentration", "BTC-PERP"), ("concentration", "ETH-PERP")}


def test_exposure_without_equity_trips() -> None:
    """Nothing stands behind it."""
    assert reading("exposure", figures(a_symbol(worst_notional=D(1)), equity=D(0))).tripped


def test_volatility_is_annualised_from_the_bar_length() -> None:
    """1 % a minute is 725 % a year (the original read 0.14 and did nothing); 1 % a day is 19 %."""
    assert round(annualised(D("0.01"), 60), 3) == D("7.250")
    assert round(annualised(D("0.01"), 86_400), 4) == D("0.1910")


@pytest.mark.parametrize(
    ("bar_sigma", "expected"),
    [
        ("0.0000", set()),
        ("0.0008", {"volatility_warning"}),  # 0.58 a year
        ("0.0012", {"volatility_warning", "volatility_reduce_only"}),  # 0.87
        ("0.0020", {"volatility_warning", "volatility_reduce_only", "volatility_kill"}),  # 1.45
    ],
)
def test_volatility_has_three_steps(bar_sigma: str, expected: set[str]) -> None:
    """Recorded, reduce-only, kill."""
    config = RiskConfig(
        enable_volatility_circuit_breaker=True,
        volatility_warning_threshold=D("0.5"),
        volatility_reduce_only_threshold=D("0.8"),
        volatility_kill_switch_threshold=D("1.2"),
    )
    found = all_readings(figures(a_symbol(bar_sigma=D(bar_sigma))), config)
    assert {each.guard for each in found if each.tripped} == expected


def test_volatility_of_the_day_pauses_the_symbol() -> None:
    """15 % since midnight."""
    found = reading(
        "volatility_day", figures(a_symbol(day_volatility=D("0.15"))), enable_volatility_circuit_breaker=True
    )
    assert (found.tripped, found.action) == (True, Action.PAUSE_SYMBOL)


@pytest.mark.parametrize("enabled", [True, False])
def test_volatility_that_is_not_known_or_not_watched_gives_no_reading(enabled: bool) -> None:
    """Too few bars yet, or switched off."""
    found = figures(a_symbol(bar_sigma=None if enabled else D(1)))
    assert not [name for name in names(found, enable_volatility_circuit_breaker=enabled) if "volatility" in name]
