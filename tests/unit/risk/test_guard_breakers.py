"""Breakers, portfolio limits, drift and margin windows: what is measured, and when it trips. All computed by hand."""

from __future__ import annotations

from typing import Any

import pytest
from tests.builders import START_NS, D

from gpt_trader.config.risk import RiskConfig
from gpt_trader.risk.guard_rules import GUARDS
from gpt_trader.risk.guard_values import Action, Baselines, EquityMark, GuardInput, GuardSymbol, Reading

NOTHING = Baselines(day=EquityMark(at_ns=0, equity=D(0)), rolling=EquityMark(at_ns=0, equity=D(0)))
READ = {guard.name: guard.read for guard in GUARDS}


def symbol(name: str = "BTC-PERP", **changes: Any) -> GuardSymbol:
    return GuardSymbol(symbol=name, mark=D(100), mark_received_ns=START_NS, **changes)


def readings(guard: str, *symbols: GuardSymbol, limits: dict[str, Any] | None = None, **figures: Any) -> list[Reading]:
    """Equity 1 000 unless the case says otherwise."""
    given = GuardInput(now_ns=START_NS, symbols=symbols or (symbol(),), **{"equity": D(1000), **figures})
    return list(READ[guard](given, NOTHING, RiskConfig.model_validate(limits or {})))


def tripped(guard: str, *symbols: GuardSymbol, limits: dict[str, Any] | None = None, **figures: Any) -> bool:
    return any(reading.tripped for reading in readings(guard, *symbols, limits=limits, **figures))


@pytest.mark.parametrize(("count", "trips"), [(0, False), (4, False), (5, True)])
def test_f19_rejects_trip_at_their_count(count: int, trips: bool) -> None:
    """Five of the last ten minutes, by default."""
    assert tripped("rejects", rejects_recent=("gt-1",) * count) is trips


@pytest.mark.parametrize(
    ("guard", "limit", "figures"),
    [
        ("rejects", {"reject_breaker_count": 0}, {"rejects_recent": ("gt-1",) * 99}),
        ("loss_streak", {"loss_streak_max": 0}, {"losses_in_a_row": 99}),
    ],
)
def test_zero_switches_a_breaker_off(guard: str, limit: dict[str, int], figures: dict[str, int]) -> None:
    """No reading at all: nothing is shown as watched that is not."""
    assert readings(guard, limits=limit, **figures) == []


def test_losses_in_a_row_trip_to_reduce_only() -> None:
    """The fourth of four."""
    (reading,) = readings("loss_streak", limits={"loss_streak_max": 4}, losses_in_a_row=4)
    assert (reading.tripped, reading.action) == (True, Action.REDUCE_ONLY)


def test_costly_intents_pause_their_symbol_only() -> None:
    """Three of BTC pause BTC."""
    found = readings(
        "slippage", symbol(slippage_recent=("gt-1",) * 3), symbol("ETH-PERP", slippage_recent=("gt-1",) * 2)
    )
    assert [(each.symbol, each.tripped, each.action) for each in found] == [
        ("BTC-PERP", True, Action.PAUSE_SYMBOL),
        ("ETH-PERP", False, Action.PAUSE_SYMBOL),
    ]


@pytest.mark.parametrize(
    ("drift", "seconds", "trips", "calm"),
    [(0, 0, False, True), (1, 10, False, False), (1, D("10.1"), True, False)],
)
def test_drift_trips_once_it_has_stood(drift: int, seconds: Any, trips: bool, calm: bool) -> None:
    """Trades on their way differ for moments; what stands longer than ten seconds is drift."""
    (reading,) = readings("drift", symbol(position=D(3), drift=D(drift), drift_seconds=D(seconds)))
    assert (reading.tripped, reading.calm) == (trips, calm)
    if trips:
        assert reading.numbers == {"ledger": D(3), "venue": D(2), "seconds": D("10.1")}


@pytest.mark.parametrize(
    ("btc", "eth", "trips"),
    [(D(3), D(3), True), (D(3), D(-3), False), (D("5.5"), D(0), False), (D("-5.6"), D(0), True)],
)
def test_net_exposure_is_longs_less_shorts(btc: Any, eth: Any, trips: bool) -> None:
    """At 100 each and 1 000 of equity: 600 net against 50 % and its slack of a tenth trips, 550 does not."""
    held = (symbol(position=btc), symbol("ETH-PERP", position=eth))
    assert tripped("portfolio", *held, limits={"max_net_exposure_pct": D("0.5")}) is trips


def test_a_group_pauses_its_members() -> None:
    """BTC 300 and ETH 300 are 60 % in majors, above 50 % and its slack; SOL belongs to another."""
    limits = {
        "exposure_groups": "majors:BTC-PERP+ETH-PERP,alts:SOL-PERP",
        "max_exposure_pct_per_group": {"majors": D("0.5"), "alts": D("0.5")},
    }
    held = [symbol(name, worst_notional=D(300)) for name in ("BTC-PERP", "ETH-PERP", "SOL-PERP")]
    found = readings("portfolio", *held, limits=limits)
    assert [(each.symbol, each.tripped) for each in found] == [
        ("BTC-PERP", True),
        ("ETH-PERP", True),
        ("SOL-PERP", False),
    ]
    assert found[0].numbers["group"] == "majors"


def test_a_cap_of_an_unknown_group_is_an_error() -> None:
    """A limit that would never act."""
    with pytest.raises(ValueError, match="exposure_groups lacks"):
        RiskConfig.model_validate({"max_exposure_pct_per_group": {"majors": D("0.5")}})


@pytest.mark.parametrize(("margin", "trips", "cut"), [(800, False, None), (860, True, D(10) / D(860))])
def test_the_window_to_come_is_measured_by_the_same_buffer(margin: int, trips: bool, cut: Any) -> None:
    """Equity 1 000, buffer 15 %: 850 can be carried; of 860 the share 10/860 is too much."""
    (reading,) = readings("margin_window", symbol(next_maintenance=D(margin)))
    assert reading.tripped is trips
    if cut is not None:
        assert reading.action is Action.REDUCE
        assert reading.numbers["cut"] == 1 - D(850) / D(860)


def test_without_a_window_in_sight_there_is_no_reading() -> None:
    """Nothing is measured by rates that nobody will ask for."""
    assert readings("margin_window") == []
