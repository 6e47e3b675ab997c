"""What is shown of a search? Its outcomes as plain values, for a page, tables and machines."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import numpy as np

from gpt_trader import __version__
from gpt_trader.market.view import Floats
from gpt_trader.report.research_facts import (
    CurveFacts,
    EvidenceFacts,
    FoldFacts,
    HarderFacts,
    MeasureFacts,
    Neighbour,
    ResearchFacts,
    SetFacts,
)
from gpt_trader.research.search.optimize import Found, Prepared
from gpt_trader.research.search.space import Dimension
from gpt_trader.research.search.trial import Outcome, State
from gpt_trader.research.search.verdict import annual_sharpe, days_to_settle, period_returns
from gpt_trader.research.search.walk_forward import WalkForward

__all__ = ["facts_of_search"]


def facts_of_search(prepared: Prepared, found: Found, engine: str) -> ResearchFacts:
    """`engine` is the name of the one that trades."""
    request, setup = prepared.request, prepared.setup
    head, verdict = setup.head, found.verdict
    sets = tuple(_set(prepared, outcome) for outcome in found.outcomes)
    return ResearchFacts(
        study=request.study,
        market=head.name,
        market_digest=head.digest,
        market_notes=head.notes,
        modelled_book=head.modelled_book,
        start_ns=head.start_ns,
        end_ns=head.end_ns,
        bar_seconds=head.bar_seconds,
        step_seconds=setup.step_seconds,
        profile=setup.base.profile,
        strategy=setup.base.strategy.name,
        engine=engine,
        symbols=setup.base.symbols,
        sampler=request.sampler,
        seed=request.seed,
        code_version=__version__,
        names=tuple(dimension.name for dimension in request.space),
        paths=tuple(dimension.path for dimension in request.space),
        spans=tuple(_span(dimension) for dimension in request.space),
        measures=tuple(
            MeasureFacts(name=each.name, rises=each.rises, unit=each.unit, meaning=each.meaning)
            for each in request.measures
        ),
        sets=sets,
        left_out=prepared.left_out,
        left_out_reason=prepared.left_out_reason,
        best=None if found.best is None else found.best.number,
        front=_front(sets, tuple(measure.rises for measure in request.measures)),
        finding="" if verdict is None else verdict.finding.value,
        headline="" if verdict is None else verdict.headline,
        reasons=() if verdict is None else verdict.reasons,
        evidence=_evidence(found),
        folds=tuple(fold for forward in found.forward for fold in _folds(prepared, forward)),
        curves=_curves(prepared, found),
        harder=_harder(prepared, found),
        neighbours=_neighbours(prepared, found),
        importance=found.importance,
    )


def _evidence(found: Found) -> EvidenceFacts | None:
    evidence = found.evidence
    if evidence is None:
        return None
    return EvidenceFacts(
        days=evidence.days,
        unseen_days=evidence.unseen_days,
        unseen_return=evidence.unseen_return,
        unseen_sharpe=evidence.unseen_sharpe,
        unseen_sharpe_error=evidence.unseen_sharpe_error,
        best_sharpe=evidence.best_sharpe,
        best_sharpe_error=evidence.sharpe_error,
        luck_chance=evidence.check.chance,
        settled_days=days_to_settle(evidence.unseen_sharpe),
    )


def _set(prepared: Prepared, outcome: Outcome) -> SetFacts:
    curve, step_seconds = np.array(outcome.curve), prepared.setup.step_seconds
    whole = outcome.state is State.COMPLETE
    values = [m.value(curve, outcome.figures, step_seconds) if whole else None for m in prepared.request.measures]
    return SetFacts(
        number=outcome.number,
        values=_values(prepared, outcome),
        state=outcome.state.value,
        reason=outcome.reason,
        measures=tuple(None if value is None or isnan(value) else value for value in values),
        figures=dict(outcome.figures),
    )


def _values(prepared: Prepared, outcome: Outcome) -> tuple[str, ...]:
    return tuple(outcome.values[dimension.path] for dimension in prepared.request.space)


def _span(dimension: Dimension) -> str:
    if dimension.choices:
        return " | ".join(dimension.choices)
    step = "any between" if dimension.step is None else f"in steps of {dimension.step}"
    return f"{dimension.low} to {dimension.high}, {step}"


def _front(sets: Sequence[SetFacts], rises: tuple[bool, ...]) -> tuple[int, ...]:
    """Numbers of the sets that no other beats in one measure and equals in the rest, by the first measure."""
    points: list[tuple[int, list[float]]] = []
    for each in sets:
        known = [value for value in each.measures if value is not None]
        if known and len(known) == len(each.measures):
            points.append((each.number, [v if up else -v for v, up in zip(known, rises, strict=True)]))
    front = [
        (point, number)
        for number, point in points
        if not any(other != point and all(a >= b for a, b in zip(other, point, strict=True)) for _, other in points)
    ]
    return tuple(number for _, number in sorted(front, reverse=True))


def _folds(prepared: Prepared, forward: WalkForward) -> list[FoldFacts]:
    return [
        FoldFacts(
            scheme=forward.scheme.value,
            train_from_ns=prepared.step_ns(stretch.fold.train_start),
            train_to_ns=prepared.step_ns(stretch.fold.train_end),
            test_to_ns=prepared.step_ns(stretch.fold.test_end),
            number=stretch.chosen.number,
            values=_values(prepared, stretch.chosen),
            seen=stretch.seen,
            traded=stretch.traded,
            traded_return=float(np.prod(1.0 + stretch.returns) - 1.0),
        )
        for stretch in forward.stretches
    ]


def _curves(prepared: Prepared, found: Found) -> tuple[CurveFacts, ...]:
    """Walk-forward's, and the best set's with hindsight; all as change since they begin."""
    lines = [_line(prepared, f"walk-forward, {each.scheme}", each.first_step, each.curve) for each in found.forward]
    if found.best is not None:
        lines.append(_line(prepared, "best set, with hindsight", 0, np.array(found.best.curve)))
    return tuple(lines)


def _line(prepared: Prepared, name: str, first: int, curve: Floats) -> CurveFacts:
    times = tuple(prepared.step_ns(first + place) for place in range(len(curve)))
    return CurveFacts(name=name, times_ns=times, values=tuple((curve / curve[0] - 1.0).tolist()))


def _harder(prepared: Prepared, found: Found) -> tuple[HarderFacts, ...]:
    if not found.scenarios or found.best is None:
        return ()
    step_seconds = prepared.setup.step_seconds
    lines = [("as assumed", found.forward[0].curve, found.best)]
    lines += [(scenario.name, scenario.unseen, scenario.best) for scenario in found.scenarios]
    return tuple(
        HarderFacts(
            name=name,
            unseen_return=float(unseen[-1] - 1.0),
            unseen_sharpe=annual_sharpe(*period_returns(unseen, step_seconds)),
            best_return=best.curve[-1] / best.curve[0] - 1.0,
            best_sharpe=annual_sharpe(*period_returns(np.array(best.curve), step_seconds)),
        )
        for name, unseen, best in lines
    )


def _neighbours(prepared: Prepared, found: Found) -> tuple[Neighbour, ...]:
    """From the sets that differ from the best in one value only."""
    if found.best is None:
        return ()
    measure, step_seconds, best = prepared.request.measures[0], prepared.setup.step_seconds, found.best
    rows = []
    for dimension in prepared.request.space:
        others = {path: value for path, value in best.values.items() if path != dimension.path}
        line = {}
        for outcome in found.outcomes:
            same = all(outcome.values[path] == value for path, value in others.items())
            if same and outcome.state is State.COMPLETE:
                value = measure.value(np.array(outcome.curve), outcome.figures, step_seconds)
                line[outcome.values[dimension.path]] = value
        ordered = sorted(line, key=dimension.choices.index if dimension.choices else float)
        if len(ordered) > 1:
            rows.append(
                Neighbour(name=dimension.name, values=tuple(ordered), measures=tuple(line[value] for value in ordered))
            )
    return tuple(rows)
