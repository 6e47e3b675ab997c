"""Which values are tried next, and what was found? One search, kept by Optuna in a database, so that it can go on.

Values are asked for in batches of a fixed size, each trial with a seed of its own number, and what a batch gave is
known only to the next. So the table does not depend on how many workers there were, in which order they ended, or
whether the search was killed in between.
"""

from __future__ import annotations

import base64
import json
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gpt_trader.core.errors import ConfigError, StoreError
from gpt_trader.research.search.measures import Measure
from gpt_trader.research.search.space import Dimension, Values
from gpt_trader.research.search.trial import Floor, Outcome, State, Task
from gpt_trader.research.search.workers import Workers

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

__all__ = ["GRID", "RANDOM", "TPE", "Plan", "Search", "open_search"]

GRID: Final = "grid"
RANDOM: Final = "random"
TPE: Final = "tpe"
STARTUP_TRIALS: Final = 16
"""Drawn at random before TPE begins to learn."""
JUDGES_MIN: Final = 4
"""Pruning waits until so many trials have been measured at a floor."""
OUTCOME: Final = "outcome"
DEFINITION: Final = "definition"

Tell = Callable[[int], None]
"""Called with how many more trials have ended."""


@dataclass(frozen=True)
class Plan:
    """What one search is."""

    name: str
    space: tuple[Dimension, ...]
    measures: tuple[Measure, ...]
    """What is sought; with more than one, the front of those that none beats in all."""
    sampler: str
    trials: int
    seed: int
    batch: int
    start_ns: int
    end_ns: int
    """Trials run from start to end."""
    told_ns: int
    """The search learns of the market up to here only; what lies behind is for the judge."""
    step_seconds: int
    listed: tuple[Values, ...] = ()
    """For a grid: all combinations that are allowed."""
    floors_ns: tuple[int, ...] = ()
    """Where trials are measured on their way, to be pruned; within what the search may learn of."""
    costs: bool = False

    @property
    def definition(self) -> Mapping[str, Any]:
        """What must be the same for a search to go on."""
        return {
            "space": [f"{each.path}={each.choices or (each.low, each.high, each.step)}" for each in self.space],
            "measures": [measure.name for measure in self.measures],
            "sampler": self.sampler,
            "seed": self.seed,
            "batch": self.batch,
            "range": [self.start_ns, self.end_ns, self.told_ns],
            "step_seconds": self.step_seconds,
            "floors": list(self.floors_ns),
        }


def open_search(plan: Plan, storage: str, market_digest: str, settings_digest: str, *, resume: bool) -> Search:
    """A new search, or one that goes on where it was left.

    Raises ConfigError where a search of this name is there and was not to be resumed, or was another one.
    """
    optuna = import_optuna()
    definition = {**plan.definition, "market": market_digest, "settings": settings_digest}
    try:
        kept = optuna.storages.RDBStorage(_with_driver(storage))
        known = {each.study_name for each in kept.get_all_studies()}
        if plan.name in known and not resume:
            raise ConfigError(
                f"search {plan.name}: it is there already. Fix: --resume goes on with it (or shows it again), --study "
                "NAME begins another"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(
                storage=kept,
                study_name=plan.name,
                directions=["maximize" if measure.rises else "minimize" for measure in plan.measures],
                load_if_exists=True,
            )
    except (ImportError, OSError, ValueError) as error:
        raise ConfigError(f"--storage {_hidden(storage)}: {error}") from error
    except _database_errors() as error:
        raise StoreError(f"--storage {_hidden(storage)}: {str(error).splitlines()[0]}") from error
    before = study.user_attrs.get(DEFINITION)
    if before is None:
        study.set_user_attr(DEFINITION, json.loads(json.dumps(definition, default=str)))
    else:
        _refuse_another(plan.name, before, json.loads(json.dumps(definition, default=str)))
    return Search(plan, study, kept)


class Search:
    """One study and what is known of its trials."""

    def __init__(self, plan: Plan, study: Study, storage: RDBStorage) -> None:
        self.plan = plan
        self._study = study
        self._storage = storage

    def close(self) -> None:
        """Let the database go; what was told is kept."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def outcomes(self) -> list[Outcome]:
        """Of all trials that have ended, by number."""
        found = (_outcome_of(trial) for trial in self._study.get_trials(deepcopy=False))
        return [outcome for outcome in found if outcome is not None]

    @property
    def total(self) -> int:
        """How many trials there will be."""
        return len(self.plan.listed) if self.plan.sampler == GRID else self.plan.trials

    def run(self, workers: Workers, tell: Tell) -> None:
        """Go on to the end; what has ended is kept at once. Raises ResearchError, StoreError."""
        try:
            self._run(workers, tell)
        except _database_errors() as error:
            raise StoreError(f"search {self.plan.name}: {str(error).splitlines()[0]}") from error

    def importance(self) -> dict[str, float]:
        """How much of the first measure's best tenth is decided by each dimension (PED-ANOVA: Watanabe, Bansal and
        Hutter 2023); empty where too few trials tell."""
        optuna = import_optuna()
        complete = [each for each in self.outcomes() if each.state is State.COMPLETE]
        if len(complete) < 2 * STARTUP_TRIALS or len(self.plan.space) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            target = None if len(self.plan.measures) == 1 else lambda trial: float(trial.values[0])
            try:
                found = optuna.importance.get_param_importances(self._study, evaluator=evaluator, target=target)
            except (ValueError, RuntimeError):  # all trials are alike
                return {}
        return {name: float(value) for name, value in found.items() if not isnan(value)}

    # --- asking and telling ---------------------------------------------------------------------------------------
    def _run(self, workers: Workers, tell: Tell) -> None:
        distributions = {each.name: _distribution(each) for each in self.plan.space}
        while True:
            trials = self._study.get_trials(deepcopy=False)
            asked = self._fill(trials, distributions)
            if not asked:
                return
            tasks = {trial.number: self._task(trial, trials) for trial in asked}
            by_number = {trial.number: trial for trial in asked}
            known = {outcome.values_key: outcome for outcome in self.outcomes() if outcome.state is State.COMPLETE}
            fresh = []
            for number, task in tasks.items():
                same = known.get(tuple(sorted(task.values.items())))
                if same is None:
                    fresh.append(task)
                else:  # TPE may ask again for what it knows: the answer is the same
                    self._tell(by_number[number], replace(same, number=number))
                    tell(1)
            for outcome in workers.results(fresh):
                self._tell(by_number[outcome.number], outcome)
                tell(1)

    def _fill(self, trials: Sequence[FrozenTrial], distributions: Mapping[str, BaseDistribution]) -> list[Trial]:
        """The trials of the batch under way: those that were left running, and those still to be asked for."""
        optuna = import_optuna()
        left = [
            optuna.trial.Trial(self._study, trial._trial_id)  # noqa: SLF001 - Optuna has no other way to take one up
            for trial in trials
            if trial.state is optuna.trial.TrialState.RUNNING
        ]
        size, count = self.plan.batch, len(trials)
        end = min(self.total, (count // size + 1) * size if count % size or not left else count)
        return [*left, *(self._ask(number, distributions) for number in range(count, end))]

    def _ask(self, number: int, distributions: Mapping[str, BaseDistribution]) -> Trial:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            self._study.sampler = self._sampler(number)
            trial = self._study.ask(dict(distributions))
        assert trial.number == number, "one search is run by one process at a time"
        return trial

    def _sampler(self, number: int) -> BaseSampler:
        """Seeded by the trial, so that what it draws does not depend on who was asked before in this process."""
        optuna = import_optuna()
        seed = (self.plan.seed * 1_000_003 + number) % (1 << 32)
        found: BaseSampler = optuna.samplers.RandomSampler(seed=seed)
        if self.plan.sampler == TPE:
            found = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        elif self.plan.sampler == GRID:
            listed = self.plan.listed[number]
            fixed = {each.name: _number(each, listed[each.path]) for each in self.plan.space}
            found = optuna.samplers.PartialFixedSampler(fixed, found)
        return found

    def _task(self, trial: Trial, trials: Sequence[FrozenTrial]) -> Task:
        plan = self.plan
        values = {each.path: each.text(trial.params[each.name]) for each in plan.space}
        return Task(
            number=trial.number,
            values=values,
            start_ns=plan.start_ns,
            end_ns=plan.end_ns,
            metric=plan.measures[0].name,
            floors=tuple(self._floor(place, at_ns, trial.number, trials) for place, at_ns in enumerate(plan.floors_ns)),
            costs=plan.costs,
        )

    def _floor(self, place: int, at_ns: int, number: int, trials: Sequence[FrozenTrial]) -> Floor:
        """The median of what trials of earlier batches had reached there."""
        first = number // self.plan.batch * self.plan.batch
        outcomes = (_outcome_of(trial) for trial in trials if trial.number < first)
        reached = [each.climbed[place] for each in outcomes if each is not None and len(each.climbed) > place]
        return Floor(at_ns, median(reached) if len(reached) >= JUDGES_MIN else None)

    def _tell(self, trial: Trial, outcome: Outcome) -> None:
        """The outcome first: a trial that has been told is never run again."""
        states = import_optuna().trial.TrialState
        trial.set_user_attr(OUTCOME, _written(outcome))
        if outcome.state is State.COMPLETE:
            values = told_values(self.plan, outcome)
            if not any(isnan(value) for value in values):
                self._study.tell(trial, values)
                return
        pruned = outcome.state is State.PRUNED
        self._study.tell(trial, state=states.PRUNED if pruned else states.FAIL)


def told_values(plan: Plan, outcome: Outcome) -> list[float]:
    """The measures of a trial over the part of the market that the search may learn of."""
    steps = max(1, (plan.told_ns - plan.start_ns) // (plan.step_seconds * 1_000_000_000))
    curve = np.array(outcome.curve[: steps + 1] if plan.told_ns < plan.end_ns else outcome.curve)
    return [measure.value(curve, outcome.figures, plan.step_seconds) for measure in plan.measures]


def import_optuna() -> Any:
    """Raises ConfigError where the extra is not installed."""
    try:
        import optuna  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigError(
            "a search needs optuna, which is not part of the core. Fix: pip install 'gpt-trader[research]' (in a "
            "checkout: .venv/bin/pip install -e '.[research]')"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


# --- how values and outcomes are written ------------------------------------------------------------------------------
def _distribution(dimension: Dimension) -> BaseDistribution:
    kinds, low, step = import_optuna().distributions, dimension.low, dimension.step
    last = dimension.high if step is None else low + step * ((dimension.size or 1) - 1)
    found: BaseDistribution
    if dimension.choices:
        found = kinds.CategoricalDistribution(dimension.choices)
    elif dimension.whole:
        found = kinds.IntDistribution(int(low), int(last), step=int(step or 1))
    else:
        found = kinds.FloatDistribution(float(low), float(last), step=None if step is None else float(step))
    return found


def _number(dimension: Dimension, text: str) -> str | int | float:
    if dimension.choices:
        return text
    return int(text) if dimension.whole else float(text)


def _written(outcome: Outcome) -> dict[str, Any]:
    curve = zlib.compress(np.array(outcome.curve, "<f8").tobytes())
    return {
        "values": dict(outcome.values),
        "state": outcome.state.value,
        "reason": outcome.reason,
        "figures": dict(outcome.figures),
        "curve": base64.b85encode(curve).decode(),
        "climbed": list(outcome.climbed),
    }


def _outcome_of(trial: FrozenTrial) -> Outcome | None:
    """None for one that has not ended."""
    if not trial.state.is_finished() or OUTCOME not in trial.user_attrs:
        return None
    kept = trial.user_attrs[OUTCOME]
    curve = np.frombuffer(zlib.decompress(base64.b85decode(kept["curve"])), "<f8")
    return Outcome(
        number=trial.number,
        values=kept["values"],
        state=State(kept["state"]),
        reason=kept["reason"],
        figures=kept["figures"],
        curve=tuple(curve.tolist()),
        climbed=tuple(kept["climbed"]),
    )


def _refuse_another(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differs = [part for part in now if before.get(part) != now[part]]
    if differs:
        told = "; ".join(f"{part} was {before.get(part)}, is {now[part]}" for part in differs)
        raise ConfigError(f"search {name}: it was another one: {told}. Fix: --study NAME begins a new one")


def _with_driver(storage: str) -> str:
    """Our driver of PostgreSQL, where a URL names none."""
    for scheme in ("postgresql://", "postgres://"):
        if storage.startswith(scheme):
            return "postgresql+psycopg://" + storage.removeprefix(scheme)
    return storage


def _hidden(storage: str) -> str:
    """Without user and password."""
    scheme, separator, place = storage.partition("://")
    return f"{scheme}{separator}{place.rpartition('@')[2]}"


def _database_errors() -> tuple[type[Exception], ...]:
    from optuna.exceptions import StorageInternalError  # noqa: PLC0415 - an extra
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - comes with it

    return (StorageInternalError, SQLAlchemyError)
