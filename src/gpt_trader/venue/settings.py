"""How shall the simulated exchange behave? Every assumption of the simulation that is not part of a product."""

from __future__ import annotations

import math
import random
import re
from decimal import Decimal
from enum import StrEnum
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.schedule import WeeklyHours
from gpt_trader.core.values import ZERO, Value

__all__ = [
    "NS_PER_MS",
    "BarModel",
    "FeeTier",
    "FundingSource",
    "Latency",
    "MarginWindow",
    "QueueModel",
    "VenueSettings",
    "parse_fee_tiers",
]

DRAWS: Final = 1 << 14
"""So many latencies are drawn from a distribution; then they start over."""
P99: Final = NormalDist().inv_cdf(0.99)
NS_PER_MS: Final = 1_000_000
LATENCY_MS_MAX: Final = 60_000
_TIER: Final = re.compile(r"(\d+(?:\.\d+)?)\s*:\s*(-?\d+(?:\.\d+)?)\s*/\s*(-?\d+(?:\.\d+)?)")


class QueueModel(StrEnum):
    """How the queue in front of a resting order shortens. New orders always join its back."""

    BACK = "back"
    """By trades at the price; never more are ahead than the level shows. The most patient assumption about cancels."""
    PROPORTIONAL = "proportional"
    """By trades, and by our share of what leaves the level without a trade."""
    TRADES = "trades"
    """By trades alone, whatever the level shows: for feeds whose depth is late, merged or sampled."""


class FundingSource(StrEnum):
    """Whose funding rate is paid."""

    MARKET = "market"
    """Funding rows of the market; none where it has none."""
    VENUE = "venue"
    """The venue's own rule, from samples of mark and index; funding rows of the market are not used."""
    NONE = "none"
    """Nobody pays."""


class MarginWindow(StrEnum):
    """Which of a product's two sets of margin rates holds."""

    OVERNIGHT = "overnight"
    """The stricter one, at any hour."""
    INTRADAY = "intraday"
    """The lower one, at any hour."""
    SCHEDULE = "schedule"
    """Intraday within the hours of the day window, overnight outside."""


class BarModel(Value, frozen=True, kw_only=True):
    """How the venue models a book from bars. Every number is stated in results."""

    half_spread_bps: Decimal = Decimal(1)
    """Distance of the best prices from the price of the path; at least one tick."""
    level_step_bps: Decimal = Decimal(1)
    """Distance between two levels; at least one tick."""
    levels: int = 10
    level_share: Decimal = Decimal("0.02")
    """Each level shows this share of the average volume of the closed bars; at least one lot."""
    passive_share: Decimal = Decimal("0.10")
    """Resting orders get at most this share of a bar's volume."""


class Latency(Value, frozen=True, kw_only=True):
    """How long a message is under way: constant, drawn from a distribution, or as recorded.

    Messages of one direction never overtake one another.
    """

    milliseconds: Decimal = ZERO
    """Of every message; the median where a 99th percentile is given."""
    p99_milliseconds: Decimal = ZERO
    """Above zero: drawn from the lognormal distribution with this 99th percentile."""
    recorded_milliseconds: tuple[Decimal, ...] = ()
    """Taken one after the other, and again from the start; instead of the other two."""

    def series_ns(self, name: str, seed: int) -> NDArray[np.int64]:
        """Latencies in the order in which messages take them. Raises ConfigError naming the setting."""
        known = (self.milliseconds, self.p99_milliseconds, *self.recorded_milliseconds)
        if not all(value.is_finite() and 0 <= value <= LATENCY_MS_MAX for value in known):
            raise ConfigError(f"{name}: latencies must lie between 0 and {LATENCY_MS_MAX} ms")
        if self.recorded_milliseconds:
            return np.array([int(value * NS_PER_MS) for value in self.recorded_milliseconds], np.int64)
        if self.p99_milliseconds == ZERO:
            return np.array([int(self.milliseconds * NS_PER_MS)], np.int64)
        return self._drawn(name, seed)

    def _drawn(self, name: str, seed: int) -> NDArray[np.int64]:
        """Every quantile of the distribution once, in an order that the seed gives."""
        if not ZERO < self.milliseconds <= self.p99_milliseconds:
            raise ConfigError(f"{name}: the 99th percentile must not lie below the median, and the median above zero")
        median = float(self.milliseconds) * NS_PER_MS
        sigma = math.log(float(self.p99_milliseconds / self.milliseconds)) / P99
        normal = NormalDist()
        values = [round(median * math.exp(sigma * normal.inv_cdf((n + 0.5) / DRAWS))) for n in range(DRAWS)]
        random.Random(f"{seed}:{name}").shuffle(values)
        return np.array(values, np.int64)


class FeeTier(Value, frozen=True, kw_only=True):
    """Fees from a traded value of the last 30 UTC days on."""

    volume_from: Decimal
    maker_rate: Decimal
    taker_rate: Decimal


def parse_fee_tiers(text: str) -> tuple[FeeTier, ...]:
    """`0:0.00095/0.001, 100000:0.0008/0.0009`: volume, maker and taker rate. Raises ConfigError naming the item."""
    return tuple(_tier(item) for part in text.split(",") if (item := part.strip()))


def _tier(item: str) -> FeeTier:
    match = _TIER.fullmatch(item)
    if match is None:
        raise ConfigError(f"fee_tiers: {item!r} is not VOLUME:MAKER/TAKER such as 0:0.00095/0.001")
    volume, maker, taker = (Decimal(number) for number in match.groups())
    return FeeTier(volume_from=volume, maker_rate=maker, taker_rate=taker)


class VenueSettings(Value, frozen=True, kw_only=True):
    """What is assumed of the exchange beside its products. The defaults are those of the bare venue: no latency."""

    entry_latency: Latency = Latency()
    """From sending an order or cancel to its arrival at the venue."""
    ack_latency: Latency = Latency()
    """From what happens to our orders and money to our knowing of it."""
    feed_latency: Latency = Latency()
    """From what happens in the market to our seeing it."""
    feed_latency_recorded: bool = False
    """Take the receive times of the recording instead."""
    seed: int = 0
    queue_model: QueueModel = QueueModel.BACK
    funding: FundingSource = FundingSource.MARKET
    margin_window: MarginWindow = MarginWindow.OVERNIGHT
    day_hours: WeeklyHours | None = None
    """When the intraday window is open, for margin_window SCHEDULE."""
    session_break: WeeklyHours | None = None
    """When the venue is shut every week: products are halted at its start and open again at its end."""
    fee_tiers: tuple[FeeTier, ...] = ()
    """By rising volume, the first from zero; without any, the rates of each product hold."""
    volume_before: Decimal = ZERO
    """Traded value of the account in the 30 days before the start."""
    bracket_collar_bps: Decimal = Decimal(500)
    """A triggered bracket gets out at no worse a price than this far behind its stop."""
    bar_model: BarModel = BarModel()
