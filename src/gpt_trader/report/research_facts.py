"""What does a search of many runs amount to? Plain values, for its page, its tables and machines."""

from __future__ import annotations

from gpt_trader.core.values import Value

__all__ = [
    "CurveFacts",
    "EvidenceFacts",
    "FoldFacts",
    "HarderFacts",
    "MeasureFacts",
    "Neighbour",
    "ResearchFacts",
    "SetFacts",
]


class MeasureFacts(Value, frozen=True, kw_only=True):
    """What was sought."""

    name: str
    rises: bool
    """More is better."""
    unit: str
    meaning: str


class SetFacts(Value, frozen=True, kw_only=True):
    """One set of values and what it gave."""

    number: int
    values: tuple[str, ...]
    """In the order of the names."""
    state: str
    reason: str
    measures: tuple[float | None, ...]
    """In the order of the measures; None where the run does not have it."""
    figures: dict[str, float]


class FoldFacts(Value, frozen=True, kw_only=True):
    """One choice of walk-forward, and what came of it."""

    scheme: str
    train_from_ns: int
    train_to_ns: int
    """Where the choice was made; it was traded from here."""
    test_to_ns: int
    number: int
    values: tuple[str, ...]
    seen: float
    """The first measure on the past that it was chosen by."""
    traded: float
    """The same on what followed."""
    traded_return: float


class CurveFacts(Value, frozen=True, kw_only=True):
    """A line over time."""

    name: str
    times_ns: tuple[int, ...]
    values: tuple[float, ...]


class HarderFacts(Value, frozen=True, kw_only=True):
    """The same choices, where trading costs more or takes longer."""

    name: str
    unseen_return: float
    unseen_sharpe: float
    best_return: float
    """Of the best set over the whole market."""
    best_sharpe: float


class Neighbour(Value, frozen=True, kw_only=True):
    """The best set with one value changed, for each value that was tried."""

    name: str
    values: tuple[str, ...]
    measures: tuple[float, ...]
    """Of the first measure."""


class EvidenceFacts(Value, frozen=True, kw_only=True):
    """What the verdict rests on; ratios are a year's, of returns of days where there are enough of them."""

    days: float
    unseen_days: float
    unseen_return: float
    unseen_sharpe: float
    unseen_sharpe_error: float
    """One standard error."""
    best_sharpe: float
    best_sharpe_error: float
    luck_chance: float
    """How often as many sets without any edge have a best one as good."""
    settled_days: float | None
    """How many unseen days would settle it, if walk-forward's ratio were the true one; None where it is not above 0."""


class ResearchFacts(Value, frozen=True, kw_only=True):
    """Everything that is shown of one search."""

    study: str
    market: str
    market_digest: str
    market_notes: tuple[str, ...]
    modelled_book: bool
    start_ns: int
    end_ns: int
    bar_seconds: int
    step_seconds: int
    profile: str
    strategy: str
    engine: str
    symbols: tuple[str, ...]
    sampler: str
    seed: int
    code_version: str
    names: tuple[str, ...]
    """Of the dimensions."""
    paths: tuple[str, ...]
    """Of their settings."""
    spans: tuple[str, ...]
    """Where each was sought."""
    measures: tuple[MeasureFacts, ...]
    sets: tuple[SetFacts, ...]
    left_out: int
    """Combinations whose settings do not go together; they were not tried."""
    left_out_reason: str
    best: int | None
    """Number of the best set by the first measure; None where none came to its end."""
    front: tuple[int, ...]
    """Numbers of the sets that none beats in every measure."""
    finding: str
    """The verdict in a word; empty where none was asked for."""
    headline: str
    reasons: tuple[str, ...]
    evidence: EvidenceFacts | None
    folds: tuple[FoldFacts, ...]
    curves: tuple[CurveFacts, ...]
    harder: tuple[HarderFacts, ...]
    neighbours: tuple[Neighbour, ...]
    importance: dict[str, float]
