"""How sure can one be that the candidate is worse, at any moment, on any market? Bets on the coin that assigned it.

Which engine opens a position is decided by a coin (the hash of the intent's id): candidate with probability `p`, its
share. If both engines are equal, a position's costs say nothing of the coin that was thrown for it. So bet on it: after
a position's costs are seen, stake on "the candidate opened this one" with the odds that a candidate worse by `d` would
give, `q = p * r / (1 - p + p * r)` with `r` the likelihood ratio of the costs. The stake grows by `q / p` if it was the
candidate, by `(1 - q) / (1 - p)` if not. Between equal engines that is a fair game whatever the costs look like: heavy
tails, bursts, regimes and a wrong model cost power and never honesty, for nothing is random in it but the coin. Who
stops when his stake has grown to `1 / alpha` is wrong with probability `alpha` at most, however often he looks.

A position is one throw: all its orders go to one engine, so they are one bet together. Three stakes are held (on the
opening order as soon as it is done, on the others, and on all of them, when the position is closed), and one on venue
rejects; the false-alarm rate is shared out among them and among the steps. The likelihood is a logistic one, shifted:
no single order, however dear, counts for more than `d` over its scale. Its centre and scale come from the baseline's
orders before; `d` is a mixture over one, two and four times the limit.

The other way round, "the candidate is worse by the limit" is bet against in the same way, with the limit taken off the
candidate's costs; a step is passed by that proof.

Sources: Ville 1939 (a fair game's stake reaches 1/alpha with probability alpha at most); Robbins 1970 and Wald 1945
(mixtures, sequential likelihood ratios); Shafer 2021, "Testing by Betting"; Waudby-Smith and Ramdas 2024, "Estimating
means of bounded random variables by betting"; Bojinov and Shephard 2019, "Time Series Experiments and Causal Estimands"
(chance is in the assignment alone); Johari et al. 2022, "Always Valid Inference" (looking at any time).
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from math import exp, log, log1p, pi, sqrt
from typing import Final

import msgspec

__all__ = [
    "ALPHA",
    "POWER",
    "STAKES",
    "Bet",
    "Evidence",
    "Unit",
    "detectable_bps",
    "detectable_rejects",
    "orders_until_known",
    "winsorised_sd",
]

ALPHA: Final = 0.02
"""Probability that an equal candidate is rolled back, over the whole rollout."""
POWER: Final = 0.95
"""Probability that a candidate worse by the limit is found within the planned orders, and does not pass a step."""
STAKES: Final[Mapping[str, float]] = {"opening": 0.25, "others": 0.25, "position": 0.35, "rejects": 0.15}
"""How the false-alarm rate is shared out."""
SHIFTS: Final = ((1.0, 0.5), (2.0, 0.25), (4.0, 0.25))
"""Multiples of the limit that are bet on, and their weights."""
KEPT_BACK: Final = 0.02
"""Share of every stake that is not put at risk: one surprising position costs a factor of 50 at most."""
REFERENCE_COSTS: Final = 200
"""Baseline costs that centre and scale are taken from."""
REFERENCE_MIN: Final = 8
"""With fewer there is no centre, and no bet."""
REFERENCE_EAGER: Final = 50
MEASURE_EVERY: Final = 10
"""Up to so many costs they are measured anew with each, later with every tenth."""
SCALE_WEIGHT: Final = 20
"""Baseline costs that the planned scale counts for."""
EDGE_DEVIATIONS: Final = 4.0
"""Costs further from the centre than this many median deviations say no more of the next one than these."""
ECHO_MAX: Final = 0.95
SHIFT_PER_SCALE_MAX: Final = 4.0
"""Costs that are all alike have no scale; it is never taken for smaller than the limit over this."""
COSTS_MAX: Final = 20
"""Orders of one position that are bet on."""
REJECTS_BEFORE: Final = 0.005
"""Reject rate of the baseline before anything was seen; it counts for REJECT_WEIGHT orders."""
REJECT_WEIGHT: Final = 100
SCALE_OF_SD: Final = sqrt(3) / pi
"""Of a logistic distribution."""
SCALE_OF_MEDIAN_DEVIATION: Final = 1 / log(3)
DRAWN_IN: Final = 0.05
GUESSES: Final = 60
"""Halvings when a limit is looked for."""


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """One throw of the coin: a position from its opening to its end. Costs are all-in basis points, above zero bad."""

    symbol: str
    candidate: bool
    share: float
    """Probability with which it went to the candidate."""
    opening: float | None = None
    """None where it was not filled, and nothing is known to be missed."""
    others: tuple[float, ...] = ()
    orders: int = 0
    rejects: int = 0
    """Of these by the venue."""


class Bet(msgspec.Struct, frozen=True, kw_only=True):
    """How a stake stands."""

    name: str
    growth: float
    """Natural logarithm of what one unit has become."""
    needed: float
    """Where it proves the claim."""

    @property
    def is_proven(self) -> bool:
        return self.growth >= self.needed


def _softplus(value: float) -> float:
    return value + log1p(exp(-value)) if value > 0 else log1p(exp(value))


def log_ratio(z: float, shift: float) -> float:
    """Logarithm of f(z - shift) / f(z) of the standard logistic density; between -shift and shift."""
    return shift + 2 * (_softplus(-z) - _softplus(shift - z))


def odds_factor(ratio: float, share: float, *, candidate: bool) -> float:
    """By what a stake grows that was put on the candidate with these (log) odds; 1 where there was no choice."""
    if not 0 < share < 1:
        return 1.0
    weight = share * exp(min(ratio, 500.0))
    among = 1 - share + weight
    fair = weight / share / among if candidate else 1 / among
    return KEPT_BACK + (1 - KEPT_BACK) * fair


class Reference:
    """What the baseline pays: a centre by symbol where there is enough of it, how much of the last deviation comes back
    in the next (orders of one burst share their luck), and the scale of what is left."""

    def __init__(self, sd_bps: float) -> None:
        self._planned = sd_bps * SCALE_OF_SD
        self._costs: deque[tuple[str, float]] = deque(maxlen=REFERENCE_COSTS)
        """In order of time."""
        self._added = 0
        self._centres: dict[str, float] = {}
        """By symbol; that of all under an empty name."""
        self._echo = 0.0
        self._scale = self._planned
        self._edge = 0.0

    def add(self, symbol: str, cost: float) -> None:
        self._costs.append((symbol, cost))
        self._added += 1
        if self._added >= REFERENCE_MIN and (self._added < REFERENCE_EAGER or self._added % MEASURE_EVERY == 0):
            self._measure()

    def values(self, symbol: str) -> tuple[float, float] | None:
        """(expected cost, scale) in this symbol; None while too little is known."""
        if not self._centres:
            return None
        last, cost = self._costs[-1]
        carried = self._echo * self._drawn(cost - self._centre(last))
        return self._centre(symbol) + carried, self._scale

    def _centre(self, symbol: str) -> float:
        return self._centres.get(symbol, self._centres[""])

    def _drawn(self, deviation: float) -> float:
        return max(-self._edge, min(self._edge, deviation))

    def _measure(self) -> None:
        by_symbol: dict[str, list[float]] = {"": [cost for _, cost in self._costs]}
        for symbol, cost in self._costs:
            by_symbol.setdefault(symbol, []).append(cost)
        self._centres = {
            symbol: _median(costs) for symbol, costs in by_symbol.items() if not symbol or len(costs) >= SCALE_WEIGHT
        }
        apart = [cost - self._centre(symbol) for symbol, cost in self._costs]
        self._edge = EDGE_DEVIATIONS * _median([abs(each) for each in apart])
        drawn = [self._drawn(each) for each in apart]
        self._echo = _echo(drawn)
        left = [abs(now - self._echo * before) for before, now in itertools.pairwise(drawn)]
        seen = _median(left) * SCALE_OF_MEDIAN_DEVIATION
        self._scale = (SCALE_WEIGHT * self._planned + len(left) * seen) / (SCALE_WEIGHT + len(left))


def _echo(deviations: Sequence[float]) -> float:
    """First autocorrelation, drawn towards none while little is seen; never below zero."""
    square = sum(each * each for each in deviations)
    if not square:
        return 0.0
    together = sum(before * now for before, now in itertools.pairwise(deviations)) / square
    return max(0.0, min(ECHO_MAX, together - 1 / sqrt(len(deviations))))


def _median(values: Sequence[float]) -> float:
    ranked, middle = sorted(values), len(values) // 2
    return ranked[middle] if len(ranked) % 2 else (ranked[middle - 1] + ranked[middle]) / 2


class Costs:
    """One stake on costs: which orders of a position it looks at, and what is known of the baseline's."""

    def __init__(self, sd_bps: float, limit_bps: float, *, opening: bool, others: bool) -> None:
        self._takes = opening, others
        self._limit = limit_bps
        self._references = Reference(sd_bps), Reference(sd_bps)
        self.begin()

    def begin(self) -> None:
        """Bet anew; what is known of the baseline stays."""
        self._worse = [0.0 for _ in SHIFTS]
        self._not_worse = 0.0

    @property
    def worse(self) -> float:
        """Growth of the stake on "the candidate is worse"."""
        parts = [log(weight) + growth for (_, weight), growth in zip(SHIFTS, self._worse, strict=True)]
        top = max(parts)
        return top + log(sum(exp(part - top) for part in parts))

    @property
    def not_worse(self) -> float:
        """Growth of the stake on "the candidate is not worse by the limit"."""
        return self._not_worse

    def take(self, unit: Unit) -> None:
        """Bet on one position, then learn from it."""
        costs = self._seen(unit)
        measured = [(reference.values(unit.symbol), cost, reference) for cost, reference in costs]
        known = [(values, cost) for values, cost, _ in measured if values is not None]
        if known:
            self._bet(unit, [(cost - centre, self._scale(scale)) for (centre, scale), cost in known])
        if not unit.candidate:
            for _, cost, reference in measured:
                reference.add(unit.symbol, cost)

    def _seen(self, unit: Unit) -> list[tuple[float, Reference]]:
        opening, others = self._takes
        first = [(unit.opening, self._references[0])] if opening and unit.opening is not None else []
        return [*first, *((cost, self._references[1]) for cost in (unit.others[:COSTS_MAX] if others else ()))]

    def _scale(self, scale: float) -> float:
        return max(scale, self._limit / SHIFT_PER_SCALE_MAX)

    def _bet(self, unit: Unit, apart: Sequence[tuple[float, float]]) -> None:
        """`apart`: how far each cost lies from the baseline's centre, and the scale of that."""
        for number, (multiple, _) in enumerate(SHIFTS):
            shift = multiple * self._limit
            ratio = sum(log_ratio(cost / scale, shift / scale) for cost, scale in apart)
            self._worse[number] += log(odds_factor(ratio, unit.share, candidate=unit.candidate))
        # With the limit taken off, a candidate that is worse by just that is like the baseline; one that is equal is
        # better by it.
        off = self._limit if unit.candidate else 0.0
        ratio = sum(log_ratio((off - cost) / scale, self._limit / scale) for cost, scale in apart)
        self._not_worse += log(odds_factor(ratio, unit.share, candidate=unit.candidate))


class Rejects:
    """The stake on "the venue rejects more of the candidate's orders", by the limit more."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._orders = 0
        self._rejects = 0
        self.begin()

    def begin(self) -> None:
        """Bet anew; what is known of the baseline stays."""
        self.worse = 0.0

    @property
    def rate(self) -> float:
        """Of the baseline, drawn towards what it was before anything was seen."""
        return (self._rejects + REJECTS_BEFORE * REJECT_WEIGHT) / (self._orders + REJECT_WEIGHT)

    def take(self, unit: Unit) -> None:
        """Bet on one position, then learn from it."""
        ratio = reject_ratio(unit.orders, unit.rejects, self.rate, self._limit)
        self.worse += log(odds_factor(ratio, unit.share, candidate=unit.candidate))
        if not unit.candidate:
            self._orders += unit.orders
            self._rejects += unit.rejects


def reject_ratio(orders: int, rejects: int, rate: float, limit: float) -> float:
    """Log likelihood of so many rejects at `rate` plus the limit, against `rate`."""
    worse = min(0.99, rate + limit)
    return rejects * log(worse / rate) + (orders - rejects) * log((1 - worse) / (1 - rate))


class Evidence:
    """All stakes of a rollout. Positions are told twice: when the opening is done, and when they are closed."""

    def __init__(self, *, limit_bps: float, reject_limit: float, sd_bps: float, steps: int) -> None:
        """`steps`: how many of them compare the engines; those at a share of 100 % do not."""
        self._alpha = ALPHA / max(1, steps)
        self._limit_bps = limit_bps
        self._costs = {
            "opening": Costs(sd_bps, limit_bps, opening=True, others=False),
            "others": Costs(sd_bps, limit_bps, opening=False, others=True),
            "position": Costs(sd_bps, limit_bps, opening=True, others=True),
        }
        self._rejects = Rejects(reject_limit)

    def begin_step(self) -> None:
        """What was proven at another share is no proof at this one."""
        for stake in self._costs.values():
            stake.begin()
        self._rejects.begin()

    def opened(self, unit: Unit) -> None:
        """The opening order is done; the rest of `unit` is not looked at yet."""
        self._costs["opening"].take(unit)

    def closed(self, unit: Unit) -> None:
        """The position is closed, or never came about."""
        self._costs["others"].take(unit)
        self._costs["position"].take(unit)
        self._rejects.take(unit)

    def bets(self) -> tuple[Bet, ...]:
        """That the candidate is worse: one of them proven is a breach."""
        growths = {**{name: stake.worse for name, stake in self._costs.items()}, "rejects": self._rejects.worse}
        return tuple(
            Bet(name=name, growth=growths[name], needed=-log(self._alpha * share)) for name, share in STAKES.items()
        )

    def broken(self) -> Bet | None:
        """The bet that is proven, if one is."""
        return next((bet for bet in self.bets() if bet.is_proven), None)

    @property
    def not_worse(self) -> Bet:
        """That the candidate is not worse by the limit: what a step is passed by."""
        return Bet(name="not worse", growth=self._costs["position"].not_worse, needed=-log(1 - POWER))


def winsorised_sd(values: Sequence[float]) -> float:
    """Standard deviation with the outermost twentieth on either side drawn in to what is left; two values and more."""
    ranked = sorted(values)
    out = int(len(ranked) * DRAWN_IN)
    low, high = ranked[out], ranked[-1 - out]
    drawn = [max(low, min(high, value)) for value in values]
    mean = sum(drawn) / len(drawn)
    return sqrt(sum((value - mean) ** 2 for value in drawn) / (len(drawn) - 1))


# --- what a plan can promise ------------------------------------------------------------------------------------------
def _growth_needed(alpha: float) -> float:
    """Mean growth with which a stake, whose variance is twice its mean, reaches 1/alpha with probability POWER."""
    z = 1.6449  # the 95th percentile of the normal distribution
    needed = -log(alpha) - log(SHIFTS[0][1])
    root = (z * sqrt(2) + sqrt(2 * z * z + 4 * needed)) / 2
    return root * root


def detectable_bps(*, orders: int, share: float, sd_bps: float, steps: int) -> float:
    """The smallest difference of cost that is found with probability POWER within so many candidate orders.

    Wald's approximation: at a difference `d` the stake grows by `(1 - share) * d^2 / (2 sd^2)` an order of the
    candidate on average.
    """
    if share >= 1:
        return 0.0
    growth = _growth_needed(ALPHA / max(1, steps) * STAKES["position"])
    return sd_bps * sqrt(2 * growth / (orders * (1 - share)))


def orders_until_known(*, limit_bps: float, share: float, sd_bps: float, growth_left: float) -> int:
    """About how many more candidate orders an equal candidate needs to be known for not worse; 0 without a choice."""
    if share >= 1 or growth_left <= 0:
        return 0
    an_order = (1 - share) * limit_bps * limit_bps / (2 * sd_bps * sd_bps)
    return int(growth_left / an_order) + 1


def detectable_rejects(*, orders: int, share: float, rate: float, steps: int) -> float:
    """The same for venue rejects: by how much more often, as a share of the orders."""
    if share >= 1:
        return 0.0
    low, high = 0.0, 0.98 - rate
    for _ in range(GUESSES):
        middle = (low + high) / 2
        if _finds_rejects(middle, orders=orders, share=share, rate=rate, steps=steps):
            high = middle
        else:
            low = middle
    return high


def _finds_rejects(limit: float, *, orders: int, share: float, rate: float, steps: int) -> bool:
    """Mean and variance of the growth per order, where the candidate is worse by the limit."""
    mean = square = 0.0
    for candidate, chance in ((True, share), (False, 1 - share)):
        rejected = rate + limit if candidate else rate
        for rejects, likely in ((1, rejected), (0, 1 - rejected)):
            factor = odds_factor(reject_ratio(1, rejects, rate, limit), share, candidate=candidate)
            mean += chance * likely * log(factor)
            square += chance * likely * log(factor) ** 2
    all_orders = orders / share
    needed = -log(ALPHA / max(1, steps) * STAKES["rejects"])
    spread = sqrt(max(0.0, square - mean * mean) * all_orders)
    return mean * all_orders - 1.6449 * spread >= needed
