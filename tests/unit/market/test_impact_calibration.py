"""Y is found again where it was put, is told from chance, and is refused where the data does not carry it."""

from __future__ import annotations

from math import exp, sqrt
from pathlib import Path
from random import Random
from statistics import stdev

import numpy as np
import pytest
from tests.builders import START_NS, a_product, some_bars

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.impact_calibration import ImpactFit, calibrate_impact
from gpt_trader.market.importing import open_named
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import ROW, TRADE

SECONDS = 60
COUNT = 400


def a_market(
    strength: float, noise: float, *, sided: bool = True, seed: int = 5
) -> tuple[ArrayStream, list[float], list[int]]:
    """One trade a minute; its log return is `strength * sign * sqrt(lots)` and noise. Returns them and the lots too."""
    draw = Random(seed)
    rows, returns, flows, price = [], [], [], 10_000_000.0
    for minute in range(COUNT):
        lots, sign = draw.randint(1, 400), draw.choice((-1, 1))
        change = strength * sign * sqrt(lots) + draw.gauss(0, noise)
        price *= exp(change)
        at_ns = START_NS + minute * SECONDS * NS
        rows.append((at_ns, at_ns, TRADE, sign if sided else 0, 0, 0, round(price), lots, 0, 0, 0))
        returns.append(change)
        flows.append(sign * lots)
    market = ArrayStream(
        [a_product()], np.array(rows, dtype=ROW), name="made", end_ns=START_NS + COUNT * SECONDS * NS, chunk_rows=37
    )
    return market, returns, flows


def fitted(strength: float, noise: float, seed: int = 5) -> tuple[ImpactFit, float]:
    """The fit, and Y as it follows from how the market was made: strength * sqrt(V_day) / sigma_day."""
    market, returns, flows = a_market(strength, noise, seed=seed)
    sigma_day = stdev(returns[1:]) * sqrt(86_400 / SECONDS)
    volume_day = sum(abs(lots) for lots in flows) * 86_400 / (COUNT * SECONDS)
    return calibrate_impact(market, seconds=SECONDS), strength * sqrt(volume_day) / sigma_day


def test_the_coefficient_is_found_again() -> None:
    """Without noise to the last digits, and all of the movement is explained."""
    fit, truth = fitted(1e-4, 0.0)
    assert fit.coefficient == pytest.approx(truth, rel=1e-4)
    assert fit.r_squared == pytest.approx(1, abs=1e-6)
    assert (fit.stretches, fit.trades, fit.seconds) == (COUNT - 1, COUNT, SECONDS)


def test_the_standard_error_is_honest() -> None:
    """With noise the truth lies within two of them about nineteen times in twenty."""
    fits = [fitted(1e-4, 2e-3, seed) for seed in range(20)]
    assert sum(abs(fit.coefficient - truth) < 2 * fit.standard_error for fit, truth in fits) >= 16
    assert all(fit.is_usable for fit, _ in fits)


def test_flow_that_moves_nothing_is_told_from_flow_that_does() -> None:
    """Zero lies in the interval of 95 % about nineteen times in twenty, and then it is not to be used."""
    fits = [calibrate_impact(a_market(0.0, 1e-3, seed=seed)[0], seconds=SECONDS) for seed in range(20)]
    holding = [fit for fit in fits if fit.low < 0 < fit.high]
    assert len(holding) >= 16
    assert not any(fit.is_usable for fit in holding)


def test_buckets_show_the_law_beside_the_measurement() -> None:
    """Five, from small flows to large ones, all stretches in one of them."""
    fit, _ = fitted(1e-4, 0.0)
    assert sum(each.stretches for each in fit.buckets) == fit.stretches
    assert [each.share_of_day for each in fit.buckets] == sorted(each.share_of_day for each in fit.buckets)
    for each in fit.buckets:
        assert each.measured_bps == pytest.approx(each.law_bps, rel=1e-3)


def test_trades_without_a_taker_are_refused() -> None:
    """Without a side there is no net flow; zero flow is not what was measured."""
    with pytest.raises(MarketDataError, match="who was the taker"):
        calibrate_impact(a_market(1e-4, 0.0, sided=False)[0], seconds=SECONDS)


def test_bars_are_refused() -> None:
    """They have no trades."""
    with pytest.raises(MarketDataError, match="no single trades"):
        calibrate_impact(ArrayStream([a_product()], some_bars(100, 101, 102), name="bars"))


def test_too_short_a_market_is_refused() -> None:
    """400 minutes are two stretches of three hours."""
    with pytest.raises(MarketDataError, match="fewer than 30"):
        calibrate_impact(a_market(1e-4, 0.0)[0], seconds=3 * 3600)


def test_a_symbol_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    """The one there is."""
    with pytest.raises(ConfigError, match="BTC-PERP"):
        calibrate_impact(a_market(1e-4, 0.0)[0], "ETH-PERP")


def test_a_recorded_market_gives_a_coefficient_of_order_one(shared_data: Path, tmp_path: Path) -> None:
    """What the literature says of Y; this quarter of an hour is short, so stretches are too."""
    market = open_named(tmp_path, str(shared_data / "binance_usdm_btcusdt_20240808_raw.gz"))
    fit = calibrate_impact(market, seconds=5)
    assert 0.1 < fit.coefficient < 10
    assert fit.is_usable
