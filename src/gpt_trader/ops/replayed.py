"""What came of a replay? Decisions compared, and those that are not the same."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Difference", "Replayed"]


@dataclass(frozen=True)
class Difference:
    """One decision that is not the same, by what it was about."""

    at_ns: int
    about: str
    recorded: str
    replayed: str


@dataclass(frozen=True)
class Replayed:
    """What became of a replay."""

    recorded: int
    """Decisions of the log that were compared."""
    replayed: int
    equal: int
    """How many came out the same, with every number behind them."""
    differences: tuple[Difference, ...]
    """By time; empty when every decision is the same."""
    whole_log: bool | None
    """Every event of the log is the same, what a shadow wrote apart; None where that was not asked (changes, a part of
    the run, a live market)."""
    notes: tuple[str, ...] = ()
    """What was not decided again, and why."""

    @property
    def is_same(self) -> bool:
        return not self.differences and self.equal == self.recorded == self.replayed
