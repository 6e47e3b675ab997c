"""How did equity, exposure and margin move? Reckoned after the run from its log and the prices of its market.

Nothing of this slows the run: positions and cash follow from fills and funding, prices from the market's own rows.
Floats, for drawing and for statistics; money in statements is exact and comes from the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.values import ProductSpec
from gpt_trader.report.price_path import SymbolPrices
from gpt_trader.report.run_story import RunStory

__all__ = ["Curves", "SymbolCurve", "draw_curves", "drawdown_of"]

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True)
class SymbolCurve:
    """One symbol at every bar close."""

    symbol: str
    high: Floats
    low: Floats
    last: Floats
    quantity: Floats
    """Signed."""
    notional: Floats
    """Signed, at the last price."""
    unrealised: Floats


@dataclass(frozen=True)
class Curves:
    """The account at every bar close, in the quote currency."""

    times_ns: Times
    equity: Floats
    cash: Floats
    fees: Floats
    """Paid so far; above zero cost us."""
    funding: Floats
    liquidation: Floats
    """What liquidations made real, less their fees, so far."""
    price: Floats
    """Price PnL so far, without what was liquidated."""
    transfers: Floats
    initial_margin: Floats
    maintenance_margin: Floats
    symbols: tuple[SymbolCurve, ...]

    @property
    def is_known(self) -> bool:
        """There is at least one moment at which equity could be reckoned."""
        return bool(len(self.times_ns)) and not bool(np.isnan(self.equity).all())

    @property
    def drawdown(self) -> Floats:
        return drawdown_of(self.equity - self.transfers)

    @property
    def exposure(self) -> Floats:
        """Sum of notional without its sign, as a share of equity; NaN where equity is not above zero."""
        gross = sum((np.abs(each.notional) for each in self.symbols), np.zeros(len(self.times_ns)))
        return _share(gross, self.equity)

    @property
    def headroom(self) -> Floats:
        """What may be lost before the venue liquidates, as a share of equity; 1 without a position."""
        return _share(self.equity - self.maintenance_margin, self.equity)


def drawdown_of(equity: Floats) -> Floats:
    """Fall from the highest value so far, as a share of it: zero or below."""
    peak = np.maximum.accumulate(equity)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(peak > 0, equity / peak - 1.0, -1.0)


def _share(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def draw_curves(
    story: RunStory,
    prices: Sequence[SymbolPrices],
    products: Sequence[ProductSpec],
    overnight: Sequence[tuple[int, bool]],
    end_ns: int,
) -> Curves:
    """At every bar close up to `end_ns`; `overnight` says since when which margin rates held.

    A symbol without a price yet is flat, so it counts nothing.
    """
    times = prices[0].times_ns
    times = times[: int(np.searchsorted(times, end_ns, side="right"))]
    specs = {product.symbol: product for product in products}
    symbols = tuple(_symbol_curve(story, each, times) for each in prices)
    steps = story.steps
    at = np.searchsorted(np.array(steps.at_ns, np.int64), times, side="right")
    realised, fees, funding, transfers, liquidation = (
        _after(values, at) for values in (steps.realised, steps.fees, steps.funding, steps.transfers, steps.liquidation)
    )
    cash = float(story.ledger.starting_cash) + realised - fees + funding + transfers
    unrealised = sum((each.unrealised for each in symbols), np.zeros(len(times)))
    liquidation_fees = _after(steps.liquidation_fees, at)
    initial, maintenance = _margin(symbols, specs, _nights(times, overnight))
    return Curves(
        times_ns=times,
        equity=cash + unrealised,
        cash=cash,
        fees=fees - liquidation_fees,
        funding=funding,
        liquidation=liquidation,
        price=realised + unrealised - liquidation - liquidation_fees,
        transfers=transfers,
        initial_margin=initial,
        maintenance_margin=maintenance,
        symbols=symbols,
    )


def _after(values: Sequence[float], at: NDArray[np.intp]) -> Floats:
    """Value after the step before each time; zero before the first."""
    return np.concatenate([[0.0], np.array(values, np.float64)])[at]


def _symbol_curve(story: RunStory, prices: SymbolPrices, times: Times) -> SymbolCurve:
    held = story.held.get(prices.symbol)
    count = len(times)
    high, low, last = (values[:count] for values in (prices.high, prices.low, prices.last))
    if held is None:
        quantity = cost = np.zeros(count)
    else:
        at = np.searchsorted(np.array(held.at_ns, np.int64), times, side="right")
        quantity, cost = _after(held.quantity, at), _after(held.cost, at)
    notional = np.where(quantity != 0, quantity * last, 0.0)
    return SymbolCurve(
        symbol=prices.symbol,
        high=high,
        low=low,
        last=last,
        quantity=quantity,
        notional=notional,
        unrealised=notional - cost,
    )


def _margin(
    symbols: Sequence[SymbolCurve], specs: Mapping[str, ProductSpec], night: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """(initial, maintenance) with the rates of the side that is held and of the window that was open."""
    count = len(night)
    initial, maintenance = np.zeros(count), np.zeros(count)
    for each in symbols:
        spec, long = specs[each.symbol], each.notional > 0
        size = np.abs(each.notional)
        day_rates, night_rates = spec.margin_intraday, spec.margin_overnight
        initial += size * _held_rate(
            long,
            night,
            (day_rates.initial_long, day_rates.initial_short),
            (night_rates.initial_long, night_rates.initial_short),
        )
        maintenance += size * _held_rate(
            long,
            night,
            (day_rates.maintenance_long, day_rates.maintenance_short),
            (night_rates.maintenance_long, night_rates.maintenance_short),
        )
    return initial, maintenance


def _held_rate(
    long: NDArray[np.bool_],
    night: NDArray[np.bool_],
    by_day: tuple[Decimal, Decimal],
    by_night: tuple[Decimal, Decimal],
) -> Floats:
    """Rate for a long or a short position, by day or by night."""
    day_rate = np.where(long, float(by_day[0]), float(by_day[1]))
    return np.where(night, np.where(long, float(by_night[0]), float(by_night[1])), day_rate)


def _nights(times_ns: Times, overnight: Sequence[tuple[int, bool]]) -> NDArray[np.bool_]:
    """Whether the overnight rates hold at each time."""
    starts = np.array([at_ns for at_ns, _ in overnight], np.int64)
    states = np.array([night for _, night in overnight], np.bool_)
    return states[np.maximum(0, np.searchsorted(starts, times_ns, side="right") - 1)]
