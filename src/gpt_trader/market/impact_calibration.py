"""How large is Y of the square-root law here? Estimated from the signed trades of a market, with its uncertainty.

The law (Toth et al. 2011; Almgren et al. 2005): `impact = Y * sigma_day * sqrt(q / V_day)`. Public data shows no orders
that were worked over time, so their stand-in is the net flow of a stretch of time: q is the quantity bought by takers
less that sold by takers, the impact is the log return of the last trades over the stretch. Least squares through the
origin over all stretches,

    return = Y * x + noise,  x = sign(q) * sigma_day * sqrt(|q| / V_day),  Y = sum(x * return) / sum(x^2),

with the standard error of White 1980 (noise may differ from stretch to stretch): `sqrt(sum(x^2 e^2)) / sum(x^2)`.
What this cannot tell apart: flow that moves the price, and news that moves both; it therefore errs on the large side.
Short stretches also carry the bounce between bid and ask. Floats are used: it is statistics, not money.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.rows import TRADE
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["SECONDS", "ImpactBucket", "ImpactFit", "calibrate_impact"]

SECONDS: Final = 300
"""Length of a stretch where nobody says otherwise."""
STRETCHES_MIN: Final = 30
"""Fewer with a net flow say nothing."""
BUCKETS: Final = 5
DAY_SECONDS: Final = 86_400
BPS: Final = 10_000
NORMAL_95: Final = 1.959963984540054

Floats = NDArray[np.float64]


class ImpactBucket(msgspec.Struct, frozen=True, kw_only=True):
    """Stretches of similar flow: what was measured beside what the fitted law says."""

    stretches: int
    share_of_day: float
    """Median |q| / V_day."""
    measured_bps: float
    """Mean return in the direction of the flow."""
    law_bps: float


class ImpactFit(msgspec.Struct, frozen=True, kw_only=True):
    """Y and how sure it is."""

    market: str
    symbol: str
    coefficient: float
    """Y; the value of risk.impact_coefficient."""
    standard_error: float
    low: float
    high: float
    """Ends of the interval of 95 %."""
    r_squared: float
    """Share of the returns' squares that the flow explains."""
    stretches: int
    seconds: int
    trades: int
    sigma_day: float
    volume_day: float
    """Base units."""
    buckets: tuple[ImpactBucket, ...]

    @property
    def is_usable(self) -> bool:
        """Above zero with some certainty, and within what risk.impact_coefficient may be."""
        return self.low > 0 and self.coefficient <= 10


def calibrate_impact(
    stream: MarketStream,
    symbol: str | None = None,
    *,
    seconds: int = SECONDS,
    tell: Callable[[int], None] | None = None,
) -> ImpactFit:
    """Read the market once and fit Y of one product (its only one, where none is named).

    Raises ConfigError for a symbol that is not there, MarketDataError where the trades do not carry the estimate.
    """
    index = _product(stream, symbol)
    spec = stream.products[index]
    flow = _Flow(stream.start_ns, stream.end_ns, seconds)
    for chunk in stream.chunks():
        flow.add(chunk[(chunk["kind"] == TRADE) & (chunk["product"] == index)])
        if tell and len(chunk):
            tell(int(chunk["ts"][-1]))
    if not flow.trades:
        raise MarketDataError(f"{stream.name}: {spec.symbol} has no single trades. Fix: take a market with trades")
    if not flow.sided:
        raise MarketDataError(
            f"{stream.name}: the trades of {spec.symbol} do not say who was the taker. Fix: take a market that does"
        )
    return _fit(flow, stream.name, spec.symbol, float(spec.lot), seconds)


def _product(stream: MarketStream, symbol: str | None) -> int:
    listed = [product.symbol for product in stream.products]
    if symbol is None and len(listed) == 1:
        return 0
    if symbol not in listed:
        said = "which product?" if symbol is None else f"{symbol} is not in it."
        raise ConfigError(f"{stream.name}: {said} Fix: --product {' or '.join(listed)}")
    return listed.index(symbol)


class _Flow:
    """Net flow, volume and last price of each stretch, gathered chunk by chunk."""

    def __init__(self, start_ns: int, end_ns: int, seconds: int) -> None:
        self._start_ns = start_ns
        self._length_ns = seconds * NS
        self.days = max(1, end_ns - start_ns) / NS / DAY_SECONDS
        count = max(1, (end_ns - start_ns) // self._length_ns)  # whole stretches only
        self.net, self.volume, self.price = np.zeros(count), np.zeros(count), np.full(count, np.nan)
        self.trades = 0
        self.sided = 0

    def add(self, rows: Rows) -> None:
        """Trades of the product, in order of time."""
        place = (rows["ts"] - self._start_ns) // self._length_ns
        inside = (place >= 0) & (place < len(self.net))
        rows, place = rows[inside], place[inside]
        self.trades += len(rows)
        self.sided += int(np.count_nonzero(rows["side"]))
        np.add.at(self.net, place, rows["b"] * rows["side"].astype(np.int64))
        np.add.at(self.volume, place, rows["b"])
        self.price[place] = rows["a"]  # of several trades in a stretch the last one stays


def _fit(flow: _Flow, market: str, symbol: str, lot: float, seconds: int) -> ImpactFit:
    returns, net = _returns(flow)
    sigma_day = float(np.std(returns, ddof=1)) * (DAY_SECONDS / seconds) ** 0.5 if len(returns) > 1 else 0.0
    volume_day = float(flow.volume.sum()) / flow.days
    moved = net != 0
    share = np.abs(net[moved]) / volume_day
    x, y = np.sign(net[moved]) * sigma_day * np.sqrt(share), returns[moved]
    squares = float(x @ x)
    if len(x) < STRETCHES_MIN or squares == 0:
        raise MarketDataError(
            f"{market}: {symbol} has {len(x)} stretches of {seconds} s with a net flow, fewer than {STRETCHES_MIN}, or "
            "its price never moves. Fix: take a longer market or shorter stretches (--seconds)"
        )
    coefficient = float(x @ y) / squares
    noise = y - coefficient * x
    error = float(np.sqrt(((x * noise) ** 2).sum())) / squares
    return ImpactFit(
        market=market,
        symbol=symbol,
        coefficient=coefficient,
        standard_error=error,
        low=coefficient - NORMAL_95 * error,
        high=coefficient + NORMAL_95 * error,
        r_squared=1 - float(noise @ noise) / float(y @ y),
        stretches=len(x),
        seconds=seconds,
        trades=flow.trades,
        sigma_day=sigma_day,
        volume_day=volume_day * lot,
        buckets=_buckets(share, np.sign(net[moved]) * y, coefficient * sigma_day),
    )


def _returns(flow: _Flow) -> tuple[Floats, Floats]:
    """Log returns between the ends of stretches, and the flow in between; without trades the price is carried."""
    known = ~np.isnan(flow.price)
    first = int(np.argmax(known))
    carried = np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))[first:]
    prices = flow.price[carried]
    return np.diff(np.log(prices)), flow.net[first + 1 :]


def _buckets(share: Floats, toward: Floats, scale: float) -> tuple[ImpactBucket, ...]:
    """From the smallest flows to the largest, equally many each."""
    found = []
    for part in np.array_split(np.argsort(share, kind="stable"), BUCKETS):
        law = scale * np.sqrt(share[part])
        found.append(
            ImpactBucket(
                stretches=len(part),
                share_of_day=float(np.median(share[part])),
                measured_bps=float(toward[part].mean()) * BPS,
                law_bps=float(law.mean()) * BPS,
            )
        )
    return tuple(found)
