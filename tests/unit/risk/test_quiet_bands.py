"""Between which marks the guards need not look: the edges by hand, and the promise for any positions."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import START_NS, D
from tests.unit.risk.test_guard_rules import BASELINES, a_symbol, all_readings, figures

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.risk.guard_rules import Baselines, EquityMark
from gpt_trader.risk.quiet_bands import quiet_bands

FREE = (0.0, float("inf"))


def test_band_of_a_long_ends_where_the_loss_limit_is_reached() -> None:
    """1 BTC at 60000, equity 100000 even on the day, limit 1000: 59000. Exposure trips above: never, it shrinks."""
    config = RiskConfig(
        daily_loss_limit=D(1_000), max_exposure_pct=D(2), max_position_pct_per_symbol=D(2), max_position_size_pct=D(2)
    )
    held = a_symbol(position=D(1), worst_notional=D(60_000))
    found = quiet_bands(figures(held, maintenance_margin=D(4_020)), BASELINES, config)
    assert found is not None
    low, high = found.bands["BTC-PERP"]
    assert 59_000 < low < 59_000.01
    assert high == float("inf")
    assert found.until_ns == (START_NS // (3600 * NS) + 1) * 3600 * NS


def test_two_symbols_share_what_is_left() -> None:
    """Each may lose half of the 1000 USD: 1 BTC down to 59500, 10 ETH short up to 3050; a flat one is free."""
    config = RiskConfig(
        daily_loss_limit=D(1_000), max_exposure_pct=D(2), max_position_pct_per_symbol=D(2), max_position_size_pct=D(2)
    )
    held = (
        a_symbol(position=D(1), worst_notional=D(60_000)),
        a_symbol(symbol="ETH-PERP", mark=D(3_000), position=D(-10), worst_notional=D(30_000)),
        a_symbol(symbol="SOL-PERP", mark=D(100)),
    )
    found = quiet_bands(figures(*held), BASELINES, config)
    assert found is not None
    assert found.bands["BTC-PERP"][0] == pytest.approx(59_500, rel=1e-6)
    assert found.bands["ETH-PERP"][1] == pytest.approx(3_050, rel=1e-6)
    assert found.bands["SOL-PERP"] == FREE


def test_band_when_flat_has_no_bounds() -> None:
    """Nothing depends on the mark."""
    found = quiet_bands(figures(), BASELINES, RiskConfig())
    assert found is not None
    assert found.bands == {"BTC-PERP": FREE}


def test_no_band_is_promised_where_every_bar_counts() -> None:
    """A volatility breaker looks at every bar, and without a mark nothing can be said."""
    watched = RiskConfig(enable_volatility_circuit_breaker=True)
    assert quiet_bands(figures(), BASELINES, watched) is None
    assert quiet_bands(figures(a_symbol(mark=None)), BASELINES, RiskConfig()) is None


def amounts(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(D(low), D(high), places=2)


@settings(deadline=None)
@given(st.data())
def test_inside_the_bands_no_verdict_changes(data: st.DataObject) -> None:
    """For any longs and shorts, with working orders and liquidation prices: moving the marks inside their bands
    changes no verdict; the promise under which a backtest may skip the guards."""
    mark, rate = D(1_000), D("0.05")
    held = []
    for number in range(data.draw(st.integers(1, 3))):
        position, working = data.draw(amounts(-50, 50)), data.draw(amounts(0, 10))
        held.append(
            a_symbol(
                symbol=f"C{number}-PERP",
                mark=mark,
                position=position,
                worst_notional=(abs(position) + working) * mark,
                liquidation_price=data.draw(st.none() | amounts(1, 3_000)),
            )
        )
    margin = sum(abs(each.position) for each in held) * mark * rate
    found = figures(*held, equity=data.draw(amounts(5_000, 100_000)), maintenance_margin=margin)
    day = EquityMark(at_ns=START_NS, equity=data.draw(amounts(5_000, 100_000)))
    baselines = Baselines(day=day, rolling=day)
    config = RiskConfig(
        daily_loss_limit=data.draw(amounts(0, 90_000)),
        max_exposure_pct=D(8),
        max_position_pct_per_symbol=D(5),
        max_net_exposure_pct=data.draw(amounts(0, 6)),
        exposure_groups={"majors": ("C0-PERP", "C1-PERP")},
        max_exposure_pct_per_group={"majors": D(6)},
    )
    quiet = quiet_bands(found, baselines, config)
    if quiet is None or any(each.tripped for each in all_readings(found, config, baselines)):
        return
    moved, change, after_margin = [], D(0), D(0)
    for each in held:
        low, high = quiet.bands[each.symbol]
        if not low < mark < high:
            return
        after = data.draw(st.decimals(D(low).quantize(D("0.01")), D(min(high, 100_000)).quantize(D("0.01")), places=2))
        after = after if low < after < high else mark
        moved.append(msgspec.structs.replace(each, mark=after, worst_notional=each.worst_notional / mark * after))
        change += each.position * (after - mark)
        after_margin += abs(each.position) * after * rate
    then = figures(*moved, equity=found.equity + change, maintenance_margin=after_margin)
    assert not any(each.tripped for each in all_readings(then, config, baselines))


def test_drift_or_a_margin_window_in_sight_leave_no_quiet() -> None:
    """Both change with time alone, so the guards keep looking."""
    for restless in (a_symbol(drift=D("0.1")), a_symbol(next_maintenance=D(1))):
        assert quiet_bands(figures(restless), BASELINES, RiskConfig()) is None


def test_quiet_ends_where_the_next_margin_window_comes_near() -> None:
    """Before the hour, if that is sooner."""
    found = quiet_bands(figures(window_lead_ns=START_NS + 5), BASELINES, RiskConfig())
    assert found is not None
    assert found.until_ns == START_NS + 5


def test_portfolio_caps_narrow_the_band() -> None:
    """Long 1 BTC, equity 100 000: a net cap of 60 % and its slack is met where (40 000 + p) * 0.66 = p, at about 77 647."""
    held = a_symbol(position=D(1), worst_notional=D(60_000))
    limits = {"max_exposure_pct": D(5), "max_position_pct_per_symbol": D(5), "daily_loss_limit": D(0)}
    wide = quiet_bands(figures(held), BASELINES, RiskConfig.model_validate(limits))
    narrow = quiet_bands(
        figures(held), BASELINES, RiskConfig.model_validate({**limits, "max_net_exposure_pct": D("0.6")})
    )
    assert wide is not None
    assert narrow is not None
    assert wide.bands["BTC-PERP"][1] == float("inf")
    assert narrow.bands["BTC-PERP"][1] == pytest.approx(0.66 * 40_000 / (1 - 0.66), rel=1e-6)
