"""Which values would have been best, and is that more than luck? The whole of `gpt-trader optimize`, without its face.

Search, walk-forward, verdict, and the same choices where trading costs more. Everything that was run is kept in the
study's database, so whatever ends this process ends nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gpt_trader.config.bot import CredentialsConfig
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.stream import MarketStream
from gpt_trader.market.view import Floats
from gpt_trader.research.search.measures import Measure
from gpt_trader.research.search.shared_market import MarketHead, share_market
from gpt_trader.research.search.space import Dimension, Values, grid, grid_size
from gpt_trader.research.search.study import GRID, TPE, Plan, Search, Tell, open_search
from gpt_trader.research.search.trial import Harder, Outcome, State, Task, config_of
from gpt_trader.research.search.verdict import Evidence, Verdict, judge, weigh
from gpt_trader.research.search.walk_forward import Fold, Scheme, WalkForward, cut_folds, walk_forward
from gpt_trader.research.search.workers import Setup, Workers
from gpt_trader.strategies.catalogue import find_strategy, make_strategy

__all__ = ["Found", "Request", "Scenario", "choose_sampler", "choose_step", "optimize", "prepare"]

GRID_MAX: Final = 1000
"""A larger grid is walked only when it is asked for by name."""
STEPS_MAX: Final = 20_000
HOUR: Final = 3600
DAY: Final = 86_400
PRUNED_AT: Final = (1 / 3, 2 / 3)
"""Of what the search may learn of."""
SCENARIOS: Final = (
    ("twice the fees", Harder(fees=2)),
    ("twice the spread", Harder(spread=2)),
    ("twice the latency", Harder(latency=2)),
    ("all of them", Harder(fees=2, spread=2, latency=2)),
)


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    study: str
    space: tuple[Dimension, ...]
    measures: tuple[Measure, ...]
    sampler: str
    trials: int
    batch: int
    seed: int
    schemes: tuple[Scheme, ...]
    folds: int
    prune: bool
    harder: bool
    """Ask what would be if trading cost more."""
    storage: str
    resume: bool


@dataclass(frozen=True)
class Prepared:
    """What is known before the first trial: everything that can be refused has been."""

    request: Request
    setup: Setup
    settings_digest: str
    listed: tuple[Values, ...]
    left_out: int
    left_out_reason: str

    @property
    def total(self) -> int:
        """Trials of the search itself."""
        return len(self.listed) if self.request.sampler == GRID else self.request.trials

    @property
    def steps(self) -> int:
        """Of the curve over the whole market; the first and the last may be shorter than the others."""
        head, step_ns = self.setup.head, self.setup.step_seconds * NS
        return -(-head.end_ns // step_ns) - head.start_ns // step_ns

    def step_ns(self, step: int) -> int:
        """When a step of that curve ends; 0 is its start. Steps end at whole multiples of their length."""
        head, length_ns = self.setup.head, self.setup.step_seconds * NS
        return min(head.end_ns, (head.start_ns // length_ns + step) * length_ns) if step else head.start_ns


@dataclass(frozen=True)
class Scenario:
    """Walk-forward's choices and the best set, where trading costs more."""

    name: str
    unseen: Floats
    """Worth of 1 at the first choice, after each step."""
    best: Outcome


@dataclass(frozen=True)
class Found:
    """What came of it."""

    outcomes: tuple[Outcome, ...]
    best: Outcome | None
    importance: dict[str, float]
    forward: tuple[WalkForward, ...]
    """One for each scheme that was asked for; the verdict is of the first."""
    evidence: Evidence | None
    verdict: Verdict | None
    scenarios: tuple[Scenario, ...]


def choose_sampler(space: Sequence[Dimension], trials: int | None) -> str:
    """A grid where it is small enough to be walked to its end, else TPE."""
    size = grid_size(space)
    return GRID if size is not None and size <= GRID_MAX and (trials is None or size <= trials) else TPE


def choose_step(stream: MarketStream) -> int:
    """Seconds between two points of an equity curve: hours, unless the market is very long or very short."""
    seconds = (stream.end_ns - stream.start_ns) // NS
    if seconds > STEPS_MAX * HOUR:
        return DAY
    return HOUR if seconds >= 2 * DAY and stream.bar_seconds <= HOUR else max(stream.bar_seconds, 1)


def prepare(request: Request, loaded: Loaded, market: MarketStream, home: Path) -> Prepared:
    """Check everything and lay the market down for the workers. Raises ConfigError, MarketDataError, StoreError."""
    base = loaded.config.model_copy(update={"credentials": CredentialsConfig()})  # no key leaves this process
    listed, refused = [], []
    for values in grid(request.space) if request.sampler == GRID else ():
        try:
            make_strategy(config_of(base, values).strategy)
        except ConfigError as error:
            refused.append(str(error))
        else:
            listed.append(values)
    if request.sampler == GRID and not listed:
        raise ConfigError(f"--space: not one of {len(refused)} combinations is allowed; the first: {refused[0]}")
    if request.schemes and request.measures[0].of_curve is None:
        raise ConfigError(
            f"--metric {request.measures[0].name}: walk-forward chooses by what a part of the market can tell. Fix: "
            "name a measure of the equity curve first, such as sharpe, or --walk-forward none"
        )
    step = choose_step(market)
    rows = share_market(market, home / "research" / "markets")
    setup = Setup(base, MarketHead.of(market), rows, step)
    prepared = Prepared(
        request, setup, _settings_digest(loaded), tuple(listed), len(refused), refused[0] if refused else ""
    )
    for scheme in request.schemes:
        cut_folds(prepared.steps, scheme, request.folds)
    return prepared


def _settings_digest(loaded: Loaded) -> str:
    """With the code of a strategy of one's own: trials of two versions of it are not one search."""
    source = find_strategy(loaded.config.strategy).source
    code = Path(source).read_bytes() if Path(source).is_file() else source.encode()
    return hashlib.sha256(loaded.digest.encode() + code).hexdigest()


def optimize(prepared: Prepared, workers: Workers, stage: Callable[[str, int], Tell]) -> Found:
    """Search, and judge. `stage` is told what begins and of how many trials, and gives what is told of each.

    Raises ResearchError, StoreError, ConfigError; what had ended by then is kept.
    """
    request = prepared.request
    with closing(_open(prepared, request.study, None)) as search:
        _run(search, workers, stage, "trials")
        outcomes, importance = search.outcomes(), search.importance()
    forward = tuple(_forward(prepared, scheme, outcomes, workers, stage) for scheme in request.schemes)
    complete = [outcome for outcome in outcomes if outcome.state is State.COMPLETE]
    best = _best(complete, request.measures[0], prepared.setup.step_seconds)
    evidence = None
    if forward:
        curves = [np.array(outcome.curve) for outcome in complete]
        evidence = weigh(curves, forward[0].curve, prepared.setup.step_seconds, request.seed)
    harder = forward and best is not None and request.harder
    return Found(
        outcomes=tuple(outcomes),
        best=best,
        importance=importance,
        forward=forward,
        evidence=evidence,
        verdict=None if evidence is None else judge(evidence),
        scenarios=_scenarios(prepared, forward[0], best, workers, stage) if harder and best is not None else (),
    )


# --- the search -------------------------------------------------------------------------------------------------------
def _open(prepared: Prepared, name: str, fold: Fold | None) -> Search:
    """The search over the whole market, or that of one fold, which learns of the fold's past alone."""
    request, head, step_ns = prepared.request, prepared.setup.head, prepared.setup.step_seconds * NS
    start = head.start_ns if fold is None else prepared.step_ns(fold.train_start)
    end = head.end_ns if fold is None else prepared.step_ns(fold.test_end)
    told = head.end_ns if fold is None else prepared.step_ns(fold.train_end)
    judged = told
    if fold is None and request.schemes and request.sampler != TPE:
        judged = start + cut_folds(prepared.steps, request.schemes[0], request.folds)[0].train_end * step_ns
    plan = Plan(
        name=name,
        space=request.space,
        measures=request.measures,
        sampler=request.sampler,
        trials=request.trials,
        seed=request.seed,
        batch=request.batch,
        start_ns=start,
        end_ns=end,
        told_ns=told,
        step_seconds=prepared.setup.step_seconds,
        listed=prepared.listed,
        floors_ns=tuple(start + round((judged - start) * share) for share in PRUNED_AT) if request.prune else (),
        costs=any(measure.needs_costs for measure in request.measures),
    )
    return open_search(plan, request.storage, head.digest, prepared.settings_digest, resume=request.resume)


def _run(search: Search, workers: Workers, stage: Callable[[str, int], Tell], what: str) -> None:
    tell = stage(what, search.total)
    tell(len(search.outcomes()))
    search.run(workers, tell)


def _forward(
    prepared: Prepared,
    scheme: Scheme,
    outcomes: Sequence[Outcome],
    workers: Workers,
    stage: Callable[[str, int], Tell],
) -> WalkForward:
    """A sampler that learns would have learned of what it is judged on, so it searches anew for each choice."""
    request, step_seconds = prepared.request, prepared.setup.step_seconds
    folds = cut_folds(prepared.steps, scheme, request.folds)
    if request.sampler != TPE:
        return walk_forward(folds, lambda _: (0, outcomes), request.measures[0], step_seconds)

    def table(fold: Fold) -> tuple[int, Sequence[Outcome]]:
        place = folds.index(fold) + 1
        with closing(_open(prepared, f"{request.study}/{scheme}-{place}", fold)) as own:
            _run(own, workers, stage, f"{scheme} {place} of {len(folds)}")
            return fold.train_start, own.outcomes()

    return walk_forward(folds, table, request.measures[0], step_seconds)


def _best(complete: Sequence[Outcome], measure: Measure, step_seconds: float) -> Outcome | None:
    """The lowest number of those that are equally good."""

    def goodness(outcome: Outcome) -> float:
        value = measure.value(np.array(outcome.curve), outcome.figures, step_seconds)
        return -np.inf if np.isnan(value) else value if measure.rises else -value

    return max(complete, key=goodness, default=None)


# --- where trading costs more -----------------------------------------------------------------------------------------
def _scenarios(
    prepared: Prepared, forward: WalkForward, best: Outcome, workers: Workers, stage: Callable[[str, int], Tell]
) -> tuple[Scenario, ...]:
    """The same choices, each set run again over the whole market; nothing is chosen anew."""
    head = prepared.setup.head
    chosen = {outcome.values_key: outcome for outcome in (best, *(each.chosen for each in forward.stretches))}
    scenarios = [each for each in SCENARIOS if head.modelled_book or each[1].spread == 1]
    tasks = [
        Task(number, outcome.values, head.start_ns, head.end_ns, harder=harder)
        for number, (harder, outcome) in enumerate(
            (harder, outcome) for _, harder in scenarios for outcome in chosen.values()
        )
    ]
    tell = stage("what if", len(tasks))
    done: dict[int, Outcome] = {}
    for outcome in workers.results(tasks):
        done[outcome.number] = outcome
        tell(1)
    found = []
    for place, (name, _) in enumerate(scenarios):
        of_set = {key: done[place * len(chosen) + number] for number, key in enumerate(chosen)}
        if all(outcome.state is State.COMPLETE for outcome in of_set.values()):
            found.append(Scenario(name, _cut_again(forward, of_set), of_set[best.values_key]))
    return tuple(found)


def _cut_again(forward: WalkForward, of_set: dict[tuple[tuple[str, str], ...], Outcome]) -> Floats:
    parts = [np.ones(1)]
    for stretch in forward.stretches:
        curve = np.array(of_set[stretch.chosen.values_key].curve[stretch.fold.train_end : stretch.fold.test_end + 1])
        parts.append(parts[-1][-1] * curve[1:] / curve[0] if curve[0] > 0 else np.zeros(len(curve) - 1))
    return np.concatenate(parts)
