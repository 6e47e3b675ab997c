"""Sizing: each method's formula by hand, and the rule for what is not known."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.builders import D

from gpt_trader.config.risk import PositionSizingMethod, RiskConfig
from gpt_trader.risk.sizing import (
    Edge,
    SizingInputs,
    drawdown_taper,
    edge_of,
    fixed_fraction,
    kelly_share,
    size_entry,
    volatility_scale,
)

SIGMA_DAY = D("0.40") / D(365).sqrt()
"""40 % a year."""
GOOD = Edge(mean=D("0.002"), variance=D("0.01"), trades=100)
"""Full Kelly 0.2, a quarter of it 0.05: 5000 of 100000, one twelfth of a bitcoin at 60000."""
BAD = Edge(mean=D("-0.002"), variance=D("0.01"), trades=100)


def inputs(**changes: Any) -> SizingInputs:
    return msgspec.structs.replace(SizingInputs(asked=D(1), equity=D(100_000), mark=D(60_000)), **changes)


def target(method: PositionSizingMethod, figures: SizingInputs, **config: Any) -> Decimal:
    return size_entry(figures, RiskConfig(position_sizing_method=method, **config)).quantity


def test_fixed_fraction() -> None:
    """10 % of 100000 at 50000."""
    assert fixed_fraction(D("0.1"), D(100_000), D(50_000)) == D("0.2")


@pytest.mark.parametrize(
    ("sigma_day", "expected"), [(SIGMA_DAY, D("0.5")), (SIGMA_DAY / 100, D(2)), (D(0), None), (None, None)]
)
def test_volatility_scale(sigma_day: Decimal | None, expected: Decimal | None) -> None:
    """Target 20 % of 40 % a year is a half; calm doubles at most; nothing measured, no opinion."""
    scale = volatility_scale(D("0.20"), sigma_day)
    assert scale == expected if scale is None else abs(scale - (expected or 0)) < D("1e-20")


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        (GOOD, D("0.05")),
        (BAD, D(0)),
        (msgspec.structs.replace(GOOD, trades=29), None),
        (msgspec.structs.replace(GOOD, variance=D(0)), None),
        (None, None),
    ],
)
def test_kelly_share(edge: Edge | None, expected: Decimal | None) -> None:
    """mean / variance times a quarter; below zero is zero; too few trades have no opinion."""
    assert kelly_share(edge, D("0.25"), 30) == expected


def test_edge_of_closed_trades() -> None:
    """Mean 2, sample variance 1."""
    assert edge_of([D(1), D(2), D(3)]) == Edge(mean=D(2), variance=D(1), trades=3)
    assert edge_of([D(1)]) is None


@pytest.mark.parametrize(
    ("drawdown", "expected"),
    [("0", "1"), ("0.05", "1"), ("0.10", "0.6666666666666666666666666667"), ("0.20", "0"), ("0.5", "0")],
)
def test_drawdown_taper(drawdown: str, expected: str) -> None:
    """One up to 5 %, zero from 20 %, linear between."""
    assert drawdown_taper(D(drawdown), D("0.05"), D("0.20")) == D(expected)


def test_fixed_is_what_was_asked() -> None:
    """The neutral setting: the engines agree."""
    figures = inputs(sigma_day=SIGMA_DAY, edge=BAD, drawdown=D("0.5"), strength=D("0.1"))
    assert target(PositionSizingMethod.FIXED, figures) == 1


def test_volatility_scales_what_was_asked() -> None:
    """Half the size at twice the target's volatility."""
    assert abs(target(PositionSizingMethod.VOLATILITY, inputs(sigma_day=SIGMA_DAY)) - D("0.5")) < D("1e-20")


def test_kelly_is_a_share_of_equity() -> None:
    """5 % of 100000 at 60000."""
    assert target(PositionSizingMethod.KELLY, inputs(edge=GOOD)) == D(5_000) / D(60_000)


def test_kelly_without_edge_takes_nothing() -> None:
    """Trades that lose on average are not worth taking."""
    assert target(PositionSizingMethod.KELLY, inputs(edge=BAD)) == 0


@pytest.mark.parametrize("method", PositionSizingMethod)
def test_nothing_known_leaves_the_size_as_asked(method: PositionSizingMethod) -> None:
    """No volatility, no trades, no strength: no rule has an opinion, and none is invented."""
    sizing = size_entry(inputs(), RiskConfig(position_sizing_method=method))
    assert sizing.quantity == 1
    assert "1.0" not in {str(sizing.trace.get(name)) for name in ("strength", "volatility_scale", "kelly_share")}


def test_intelligent_takes_the_smaller_and_tapers_it() -> None:
    """Kelly (1/12) is smaller than volatility (1/2); drawdown 10 % leaves 2/3, strength 0.6 leaves 0.6 of that."""
    figures = inputs(sigma_day=SIGMA_DAY, edge=GOOD, drawdown=D("0.10"), strength=D("0.6"))
    expected = D(1) / 12 * 2 / 3 * D("0.6")
    assert abs(target(PositionSizingMethod.INTELLIGENT, figures) - expected) < D("1e-20")


def test_intelligent_without_strength_is_not_judged_by_it() -> None:
    """A strategy without an opinion is not punished for it."""
    figures = inputs(edge=GOOD)
    assert target(PositionSizingMethod.INTELLIGENT, figures) == D(5_000) / D(60_000)


def test_multiplier_scales_every_method() -> None:
    """By hand: half of what was asked."""
    assert target(PositionSizingMethod.FIXED, inputs(), position_sizing_multiplier=D("0.5")) == D("0.5")


def test_trace_says_what_is_not_known() -> None:
    """Who asks why the size was as asked finds the answer."""
    trace = size_entry(inputs(), RiskConfig()).trace
    assert (trace["sigma_day"], trace["volatility_scale"]) == ("unknown", "no opinion")
    assert (trace["closed_trades"], trace["kelly_share"]) == (0, "no opinion")
