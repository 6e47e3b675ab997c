"""Costs as markets make them, without a market: for the bets on a rollout's coin alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import Final

from gpt_trader.bot.rollout.evidence import Evidence, Unit

Draw = Callable[[], float]
SD_BPS: Final = 10.0


def normal(draw: Random) -> Draw:
    return lambda: draw.gauss(0, SD_BPS)


def heavy_tails(draw: Random) -> Draw:
    """Student's t with three degrees of freedom."""

    def cost() -> float:
        squares = sum(draw.gauss(0, 1) ** 2 for _ in range(3)) / 3
        return SD_BPS / sqrt(3) * draw.gauss(0, 1) / sqrt(squares)

    return cost


def echoing(draw: Random) -> Draw:
    """Each cost carries nine tenths of the one before."""
    last = 0.0

    def cost() -> float:
        nonlocal last
        last = 0.9 * last + draw.gauss(0, SD_BPS * sqrt(1 - 0.81))
        return last

    return cost


def bursts(draw: Random) -> Draw:
    """Up to a dozen orders share most of their luck."""
    left, shared = 0, 0.0

    def cost() -> float:
        nonlocal left, shared
        if not left:
            left, shared = draw.randrange(1, 12), draw.gauss(0, 0.9 * SD_BPS)
        left -= 1
        return shared + draw.gauss(0, 0.44 * SD_BPS)

    return cost


def lopsided(draw: Random) -> Draw:
    """Without a variance, all on the dear side."""
    return lambda: (draw.paretovariate(1.5) - 3) * 4


def regimes(draw: Random) -> Draw:
    """Calm, stormy, and drifting by turns."""
    seen, scale, centre = 0, 1.0, 0.0

    def cost() -> float:
        nonlocal seen, scale, centre
        if seen % 60 == 0:
            scale, centre = draw.choice((0.2, 1.0, 1.6)), draw.uniform(-15, 15)
        seen += 1
        return centre + scale * draw.gauss(0, SD_BPS)

    return cost


MARKETS: Final[Mapping[str, Callable[[Random], Draw]]] = {
    "normal": normal,
    "heavy tails": heavy_tails,
    "echoing": echoing,
    "bursts": bursts,
    "lopsided": lopsided,
    "regimes": regimes,
}


@dataclass(frozen=True)
class Found:
    """What came of one rollout."""

    rolled_back_after: int | None
    """Candidate orders; None when it never was."""
    passed_after: int | None
    """Candidate orders after which it was known for not worse; None when it never was."""


def try_candidate(
    market: str,
    seed: int,
    *,
    worse_bps: float,
    orders: int,
    share: float = 0.1,
    limit_bps: float = 8.0,
    steps: int = 1,
    to_the_end: bool = False,
) -> Found:
    """Positions of two orders each, until so many orders of the candidate are done or it is rolled back."""
    draw = Random(seed)
    cost = MARKETS[market](draw)
    evidence = Evidence(limit_bps=limit_bps, reject_limit=0.2, sd_bps=SD_BPS, steps=steps)
    done, passed = 0, None
    while done < orders:
        candidate = draw.random() < share
        more = worse_bps if candidate else 0.0
        opening, closing = cost() + more, cost() + more
        unit = Unit(symbol="S", candidate=candidate, share=share, opening=opening, others=(closing,), orders=2)
        evidence.opened(unit)
        done += candidate
        if evidence.broken() and not to_the_end:
            return Found(done, passed)
        evidence.closed(unit)
        done += candidate
        if passed is None and evidence.not_worse.is_proven:
            passed = done
        if evidence.broken() and not to_the_end:
            return Found(done, passed)
    return Found(None, passed)
