"""Did a run keep its promises? Reads a log again, or as it grows, and gives each invariant its verdict."""

from __future__ import annotations

from typing import Final

from gpt_trader.bot.invariants.log import LogWatch
from gpt_trader.bot.invariants.table import INVARIANTS, Invariant, Place
from gpt_trader.core.events import InvariantBroken
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import Value
from gpt_trader.records.logs import StoredLog

__all__ = ["HOLDS", "Review", "Verdict", "review", "unseen"]

HOLDS: Final = "holds"
BROKEN: Final = "broken"
NOT_IN_A_LOG: Final = "not shown by a log"
CHAIN: Final = 24
BREAKS_MAX: Final = 20


class Verdict(Value, frozen=True, kw_only=True):
    """One invariant, and what is known of it."""

    number: int
    name: str
    promise: str
    policy: str
    places: tuple[str, ...]
    kept_by: str = ""
    said: str = ""
    """holds, broken, or `not shown by a log`; empty where nothing was looked at."""
    breaks: tuple[str, ...] = ()


def unseen() -> tuple[Verdict, ...]:
    """The promises alone."""
    return tuple(_verdict(invariant, "", ()) for invariant in INVARIANTS)


class Review:
    """Fed with the events of a log, in order."""

    def __init__(self) -> None:
        self._log = LogWatch()
        self._found: dict[int, list[str]] = {}

    def take(self, recorded: Recorded) -> None:
        """Look at the next event."""
        event = recorded.event
        if isinstance(event, InvariantBroken):
            told = f"sequence {recorded.sequence}, by the running bot: {event.symbol} {event.detail}"
            self.note(event.number, told)
        self._log.take(event)
        for broken in self._log.broken:
            self.note(broken.number, f"sequence {recorded.sequence}: {broken.symbol} {broken.detail}")
        self._log.broken.clear()

    def note(self, number: int, detail: str) -> None:
        """Something else has found an invariant broken."""
        self._found.setdefault(number, []).append(detail)

    def verdicts(self) -> tuple[Verdict, ...]:
        """Of everything that was taken so far."""
        return tuple(_judged(invariant, self._found.get(invariant.number, [])) for invariant in INVARIANTS)


def review(log: StoredLog) -> tuple[Verdict, ...]:
    """Every promise beside the log of one run. Raises StoreError when there is no store."""
    looked = Review()
    for each in log.verify(looked.take).breaks:
        looked.note(CHAIN, str(each))
    return looked.verdicts()


def _judged(invariant: Invariant, breaks: list[str]) -> Verdict:
    shown = Place.EVENT in invariant.places or invariant.number == CHAIN
    said = BROKEN if breaks else HOLDS if shown else NOT_IN_A_LOG
    return _verdict(invariant, said, tuple(breaks[:BREAKS_MAX]))


def _verdict(invariant: Invariant, said: str, breaks: tuple[str, ...]) -> Verdict:
    return Verdict(
        number=invariant.number,
        name=invariant.name,
        promise=invariant.promise,
        policy=invariant.policy.value,
        places=tuple(place.value for place in invariant.places),
        kept_by=invariant.kept_by,
        said=said,
        breaks=breaks,
    )
