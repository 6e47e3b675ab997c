"""Is the catalogue complete, and does it say what the guards say of themselves?"""

from __future__ import annotations

import pytest
from tests.builders import START_NS, D

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.errors import Refusal
from gpt_trader.risk.catalogue import CATALOGUE
from gpt_trader.risk.guard_rules import GUARDS
from gpt_trader.risk.guard_values import Baselines, EquityMark, GuardInput, GuardSymbol, Reading

EVERYTHING_ON = RiskConfig.model_validate(
    {
        "enable_volatility_circuit_breaker": True,
        "max_net_exposure_pct": D("0.5"),
        "exposure_groups": {"majors": ("BTC-PERP",)},
        "max_exposure_pct_per_group": {"majors": D("0.5")},
        "loss_streak_max": 4,
        "daily_loss_limit_pct": D("0.02"),
    }
)
GUARD_ROWS = {entry.name: entry for entry in CATALOGUE if entry.kind == "guard"}


def every_reading() -> list[Reading]:
    """All guards, over a symbol of which everything is known."""
    symbol = GuardSymbol(
        symbol="BTC-PERP",
        position=D(1),
        mark=D(100),
        mark_received_ns=START_NS,
        worst_notional=D(100),
        liquidation_price=D(50),
        bar_sigma=D("0.001"),
        day_volatility=D("0.01"),
        next_maintenance=D(5),
    )
    mark = EquityMark(at_ns=START_NS, equity=D(1000))
    figures = GuardInput(disk_free_gb=D(1), now_ns=START_NS, equity=D(1000), symbols=(symbol,))
    return [
        reading for guard in GUARDS for reading in guard.read(figures, Baselines(day=mark, rolling=mark), EVERYTHING_ON)
    ]


def test_every_guard_has_its_row_and_no_row_is_of_nothing() -> None:
    """NAME_failure stands for whatever guard errs."""
    assert {reading.guard for reading in every_reading()} == GUARD_ROWS.keys() - {"NAME_failure"}


@pytest.mark.parametrize("reading", every_reading(), ids=lambda reading: reading.guard)
def test_a_row_says_what_its_guard_says(reading: Reading) -> None:
    """Unit, action and way back, word for word."""
    entry = GUARD_ROWS[reading.guard]
    assert (entry.unit, entry.action, entry.way_back) == (reading.unit, reading.action.value, reading.way_back.value)


def test_rules_are_refusal_codes_and_settings_exist() -> None:
    """A row that names nothing real would be believed."""
    fields = RiskConfig.model_fields.keys()
    for entry in CATALOGUE:
        assert entry.kind == "guard" or entry.name in set(Refusal)
        assert set(entry.settings) | set(entry.switch.split()) <= fields
    assert len({(entry.kind, entry.name) for entry in CATALOGUE}) == len(CATALOGUE)


def test_a_switch_is_off_where_its_limit_is_zero() -> None:
    """And on where it is set."""
    loss = GUARD_ROWS["loss_streak"]
    assert (loss.is_on(RiskConfig()), loss.is_on(EVERYTHING_ON)) == (False, True)
    assert loss.values(EVERYTHING_ON) == {"loss_streak_max": 4}
