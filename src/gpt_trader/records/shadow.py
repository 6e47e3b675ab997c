"""What would the candidate have done otherwise, and for how much? The figures of a shadow, from the log alone.

Paper is compared with paper: both orders of an intent are worked by the same rules beside the same market, so what is
wrong with the paper is wrong with both. How wrong it is shows beside what the engine that traded really paid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.events import Event, ShadowDecided, ShadowEnded, ShadowPriced, ShadowStarted
from gpt_trader.core.values import ZERO, Purpose, Value
from gpt_trader.records.tca import CostAnalysis, IntentCost

__all__ = ["ORDERS_MIN", "Compared", "Followed", "PaperRow", "ShadowAnalysis"]

ORDERS_MIN: Final = 20
"""Orders priced for both below which nothing is said of their difference."""
NORMAL_95: Final = Decimal("1.96")
"""Of a mean of `ORDERS_MIN` and more, two-sided."""
MATTERS_BPS: Final = Decimal("0.05")
"""A smaller difference than this is none, however sure it is."""
GRAIN: Final = Decimal("0.0001")


class Followed(msgspec.Struct, kw_only=True):
    """One intent, decided by both."""

    decided: ShadowDecided
    features: str
    """Of the candidate, as it looked on then."""
    priced: ShadowPriced | None = None

    @property
    def pair(self) -> tuple[str, str, str]:
        """Who traded, and who looked on with what."""
        return self.decided.traded.engine, self.decided.candidate.engine, self.features

    @property
    def difference_bps(self) -> Decimal | None:
        """Candidate less traded, all in; below zero the candidate was cheaper. None unless both came to an end."""
        if self.priced is None or self.priced.traded is None or self.priced.candidate is None:
            return None
        if not (self.priced.traded.is_over and self.priced.candidate.is_over):
            return None
        return self.priced.candidate.all_in_bps - self.priced.traded.all_in_bps


class PaperRow(Value, frozen=True, kw_only=True):
    """Cost on paper of the orders that both would have sent, all in, in basis points; each order counts once."""

    name: str
    orders: int
    traded_bps: Decimal
    candidate_bps: Decimal
    difference_bps: Decimal
    error_bps: Decimal | None
    """Half of the 95 % interval of the difference; None for fewer than two orders."""

    @property
    def is_enough(self) -> bool:
        return self.orders >= ORDERS_MIN and self.error_bps is not None

    @property
    def verdict(self) -> str:
        """Too few, cheaper, dearer or alike: of the candidate."""
        if self.error_bps is None or not self.is_enough:
            return "too few"
        if abs(self.difference_bps) <= max(self.error_bps, MATTERS_BPS):
            return "alike"
        return "cheaper" if self.difference_bps < 0 else "dearer"


class Compared(msgspec.Struct, kw_only=True):
    """All intents that the same two engines decided."""

    traded: str
    candidate: str
    features: str
    intents: list[Followed] = msgspec.field(default_factory=list)
    real: list[tuple[Decimal, Decimal]] = msgspec.field(default_factory=list)
    """(really paid, on paper) of the engine that traded, all in, by intent."""

    @property
    def alike(self) -> int:
        return sum(1 for each in self.intents if not each.decided.differs)

    @property
    def differences(self) -> Counter[str]:
        """How many differ in what."""
        return Counter(name for each in self.intents for name in each.decided.differs)

    @property
    def at_the_door(self) -> Counter[str]:
        """Approved by the engine that traded, and did not leave."""
        return Counter(each.decided.door for each in self.intents if each.decided.door)

    def refused_by_one(self, *, candidate: bool) -> Counter[str]:
        """Codes of what one refused and the other approved."""
        sides = ((each.decided.candidate, each.decided.traded) for each in self.intents)
        pairs = sides if candidate else ((traded, mine) for mine, traded in sides)
        return Counter(one.code for one, other in pairs if one.code and not other.code)

    @property
    def refused_by_both(self) -> int:
        return sum(1 for each in self.intents if each.decided.traded.code and each.decided.candidate.code)

    def both_approved(self) -> list[Followed]:
        return [each for each in self.intents if each.decided.traded.is_approved and each.decided.candidate.is_approved]

    def sizes(self, purpose: Purpose) -> list[Decimal]:
        """Candidate's quantity as a share of the traded one."""
        return sorted(
            each.decided.candidate.quantity / each.decided.traded.quantity
            for each in self.both_approved()
            if each.decided.purpose is purpose and each.decided.traded.quantity
        )

    @property
    def notional_share(self) -> Decimal | None:
        """What the candidate would have traded of the notional that the other approved, refusals included."""
        traded = sum((each.decided.traded.quantity * each.decided.arrival_mid for each in self.intents), ZERO)
        mine = sum((each.decided.candidate.quantity * each.decided.arrival_mid for each in self.intents), ZERO)
        return mine / traded if traded else None

    @property
    def tactics(self) -> Counter[tuple[str, str]]:
        """Pairs of tactics that are not the same."""
        pairs = ((each.decided.traded.tactic, each.decided.candidate.tactic) for each in self.both_approved())
        return Counter(pair for pair in pairs if pair[0] != pair[1])

    @property
    def expected(self) -> tuple[int, Decimal] | None:
        """Orders, and mean difference of what was expected of them, bps."""
        found = [
            each.decided.candidate.expected_bps - each.decided.traded.expected_bps
            for each in self.both_approved()
            if each.decided.candidate.expected_bps is not None and each.decided.traded.expected_bps is not None
        ]
        return (len(found), _mean(found)) if found else None

    def rows(self) -> tuple[PaperRow, ...]:
        """By purpose, and of all; rows of nothing are left out."""
        groups = (
            ("entries", [each for each in self.intents if each.decided.purpose is Purpose.ENTRY]),
            ("exits", [each for each in self.intents if each.decided.purpose is Purpose.EXIT]),
            ("all", self.intents),
        )
        return tuple(row for name, group in groups if (row := _row(name, group)) is not None)

    @property
    def unpriced(self) -> int:
        """Approved by both, and not comparable on paper: waits for a trigger, or had not come to its end."""
        return sum(1 for each in self.both_approved() if each.difference_bps is None)

    @property
    def paper_error(self) -> tuple[int, Decimal, Decimal] | None:
        """Orders, what was really paid and what paper says, means in bps, of the engine that traded."""
        if not self.real:
            return None
        return len(self.real), _mean([each for each, _ in self.real]), _mean([each for _, each in self.real])

    def largest(self, count: int) -> list[Followed]:
        """Those that differ most in cost on paper, then those that differ in anything else."""
        apart = [each for each in self.intents if each.decided.differs]
        return sorted(apart, key=lambda each: -abs(each.difference_bps or ZERO))[:count]


class ShadowAnalysis:
    """Fed with the events of a run, oldest first."""

    def __init__(self) -> None:
        self.started: list[ShadowStarted] = []
        self.ended: list[ShadowEnded] = []
        self._followed: dict[str, Followed] = {}
        self._costs = CostAnalysis()

    def take(self, event: Event) -> None:
        self._costs.take(event)
        match event:
            case ShadowStarted():
                self.started.append(event)
            case ShadowEnded():
                self.ended.append(event)
            case ShadowDecided():
                self._followed[event.intent_id] = Followed(decided=event, features=self.started[-1].features)
            case ShadowPriced() if event.intent_id in self._followed:
                self._followed[event.intent_id].priced = event
            case _:
                pass

    def compared(self) -> tuple[Compared, ...]:
        """One for each pair of engines, in the order in which they met."""
        found: dict[tuple[str, str, str], Compared] = {}
        for intent_id, each in self._followed.items():
            traded, candidate, features = each.pair
            group = found.setdefault(each.pair, Compared(traded=traded, candidate=candidate, features=features))
            group.intents.append(each)
            cost = self._costs.intents.get(("", intent_id))
            if cost is not None:
                group.real.extend(_real_and_paper(cost, each))
        return tuple(found.values())


def _real_and_paper(cost: IntentCost, followed: Followed) -> Iterator[tuple[Decimal, Decimal]]:
    """Of an order that was filled whole, in the log and on paper: what was missed is a matter of its own."""
    paper = followed.priced.traded if followed.priced is not None else None
    if paper is None or not cost.wanted or cost.filled < cost.wanted or paper.filled < cost.wanted:
        return
    shortfall = sum((fill.shortfall for fill in cost.fills), ZERO)
    yield shortfall / (cost.wanted * cost.arrival) * 10_000, paper.all_in_bps


def _row(name: str, group: Iterable[Followed]) -> PaperRow | None:
    priced = [(each.priced, each.difference_bps) for each in group]
    differences = [difference for _, difference in priced if difference is not None]
    if not differences:
        return None
    pairs = [
        (event.traded.all_in_bps, event.candidate.all_in_bps)
        for event, difference in priced
        if event is not None and difference is not None and event.traded is not None and event.candidate is not None
    ]
    return PaperRow(
        name=name,
        orders=len(differences),
        traded_bps=_mean([each for each, _ in pairs]),
        candidate_bps=_mean([each for _, each in pairs]),
        difference_bps=_mean(differences),
        error_bps=_error(differences),
    )


def _mean(values: Sequence[Decimal]) -> Decimal:
    return (sum(values, ZERO) / len(values)).quantize(GRAIN)


def _error(values: Sequence[Decimal]) -> Decimal | None:
    """Half of the 95 % interval of the mean, by the sample's own deviation."""
    count = len(values)
    if count < 2:
        return None
    mean = sum(values, ZERO) / count
    variance = sum(((value - mean) ** 2 for value in values), ZERO) / (count - 1)
    return (NORMAL_95 * (variance / count).sqrt()).quantize(GRAIN)
