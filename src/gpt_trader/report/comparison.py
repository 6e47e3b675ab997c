"""Where do two runs part? Figures side by side, settings that differ, and the first decision that was not the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import iso
from gpt_trader.core.values import ZERO, Value
from gpt_trader.report.facts import RunFacts
from gpt_trader.report.numbers import money, moved, share
from gpt_trader.report.run_story import PnlSplit, RunStory

__all__ = ["ComparedRun", "Comparison", "Divergence", "FigureLine", "compare_runs", "short_engine", "told"]

AGREEMENTS: Final = (
    "approved alike",
    "approved at another size or by another tactic",
    "approved by the first only",
    "approved by the second only",
    "refused by both, same reason",
    "refused by both, other reasons",
    "wanted in the first only",
    "wanted in the second only",
)


@dataclass(frozen=True)
class ComparedRun:
    """One of the two."""

    label: str
    facts: RunFacts
    story: RunStory


class FigureLine(Value, frozen=True, kw_only=True):
    """One figure of both runs, as text; `apart` is the second less the first where that means something."""

    name: str
    a: str
    b: str
    apart: str = ""


class Divergence(Value, frozen=True, kw_only=True):
    """The first thing that was not the same."""

    at_ns: int
    what: str
    """wish, decision or fill."""
    intent_id: str
    a: str
    b: str


class Comparison(Value, frozen=True, kw_only=True):
    """Two runs side by side."""

    a: str
    b: str
    same_market: bool
    same_log: bool
    lines: tuple[FigureLine, ...]
    settings: tuple[FigureLine, ...]
    """Those that differ."""
    divergence: Divergence | None
    agreement: Mapping[str, int]
    """How often the two decided alike on the same intents."""


def compare_runs(a: ComparedRun, b: ComparedRun) -> Comparison:
    """Decisions are compared by intent: the same wish of the same strategy on the same bar has one id in both."""
    return Comparison(
        a=a.label,
        b=b.label,
        same_market=a.facts.summary.market_digest == b.facts.summary.market_digest,
        same_log=a.story.digest == b.story.digest,
        lines=tuple(_lines(a, b)),
        settings=tuple(_settings(a.facts, b.facts)),
        divergence=min(_divergences(a.story, b.story), key=lambda found: found.at_ns, default=None),
        agreement=_agreement(a.story, b.story),
    )


def short_engine(name: str) -> str:
    """`Live` of LiveExecutionEngine: columns beside one another are narrow."""
    return name.removesuffix("ExecutionEngine")


# --- figures ----------------------------------------------------------------------------------------------------------
def _lines(a: ComparedRun, b: ComparedRun) -> Iterator[FigureLine]:
    first, second = a.facts.summary, b.facts.summary
    yield FigureLine(name="Engine", a=short_engine(first.engine), b=short_engine(second.engine))
    splits = a.story.split(a.facts.marks), b.story.split(b.facts.marks)
    yield _amounts("Equity at end", first.equity_end, second.equity_end)
    yield _amounts("Net result", *(split.total - split.transfers for split in splits), signed=True)
    for name, part in (
        ("  price", lambda split: split.price),
        ("  fees", lambda split: -split.fees),
        ("  funding", lambda split: split.funding),
        ("  liquidation", _liquidation),
    ):
        yield _amounts(name, *(part(split) for split in splits), signed=True)
    drawdowns = first.max_drawdown, second.max_drawdown
    yield FigureLine(
        name="Maximum drawdown",
        a=share(drawdowns[0], 3),
        b=share(drawdowns[1], 3),
        apart=f"{drawdowns[1] - drawdowns[0]:+.3%}",
    )
    costs = first.arrival_cost_bps, second.arrival_cost_bps
    yield FigureLine(
        name="Cost against arrival, bps",
        a=_bps(costs[0]),
        b=_bps(costs[1]),
        apart="" if None in costs else f"{(costs[1] or ZERO) - (costs[0] or ZERO):+.2f}",
    )
    yield _counts("Signals", first.signals, second.signals)
    yield _counts("Orders", first.orders, second.orders)
    yield _counts("Fills", first.fills, second.fills)
    yield _counts("Round trips", len(a.story.trips), len(b.story.trips))
    yield _counts("Liquidations", first.liquidations, second.liquidations)
    yield _counts("Refusals", sum(first.refusals.values()), sum(second.refusals.values()))
    for code in sorted({*first.refusals, *second.refusals}):
        yield _counts(f"  {code}", first.refusals.get(code, 0), second.refusals.get(code, 0))
    yield _counts("Guards tripped", sum(first.guards.values()), sum(second.guards.values()))


def _liquidation(split: PnlSplit) -> Decimal:
    return split.liquidation_price - split.liquidation_fees


def _amounts(name: str, a: Decimal, b: Decimal, *, signed: bool = False) -> FigureLine:
    write = moved if signed else money
    return FigureLine(name=name, a=write(a), b=write(b), apart=moved(b - a))


def _counts(name: str, a: int, b: int) -> FigureLine:
    return FigureLine(name=name, a=f"{a:,}", b=f"{b:,}", apart=f"{b - a:+,}" if a != b else "")


def _bps(value: Decimal | None) -> str:
    return "nothing filled" if value is None else f"{value:.2f}"


def _settings(a: RunFacts, b: RunFacts) -> Iterator[FigureLine]:
    second = {line.path: line for line in b.settings}
    for line in a.settings:
        other = second.get(line.path)
        if other is not None and other.value != line.value:
            yield FigureLine(name=line.path, a=line.value, b=other.value)


# --- decisions --------------------------------------------------------------------------------------------------------
def _divergences(a: RunStory, b: RunStory) -> Iterator[Divergence]:
    """The first difference of each kind; a wish comes before the decision on it, and that before its fills."""
    for what, words in (("wish", _wishes), ("decision", _decided), ("fill", _filled)):
        first, second = words(a), words(b)
        apart = (
            intent_id
            for intent_id in (*first, *(each for each in second if each not in first))
            if first.get(intent_id, (0, ""))[1] != second.get(intent_id, (0, ""))[1]
        )
        found = min(
            apart,
            key=lambda intent_id: _moment(intent_id, first, second),
            default=None,
        )
        if found is not None:
            yield Divergence(
                at_ns=_moment(found, first, second),
                what=what,
                intent_id=found,
                a=first.get(found, (0, "nothing"))[1],
                b=second.get(found, (0, "nothing"))[1],
            )


_Words = dict[str, tuple[int, str]]


def _moment(intent_id: str, first: _Words, second: _Words) -> int:
    return min(known[intent_id][0] for known in (first, second) if intent_id in known)


def _wishes(story: RunStory) -> _Words:
    return {
        intent_id: (signal.at_ns, f"{signal.symbol}: be {signal.action.lower()} ({signal.reason})")
        for intent_id, signal in story.signals.items()
    }


def _decided(story: RunStory) -> _Words:
    return {
        intent_id: (decision.at_ns, f"{decision.symbol}: {decision.words}")
        for intent_id, decision in story.decisions.items()
    }


def _filled(story: RunStory) -> _Words:
    found: dict[str, tuple[int, Decimal, Decimal, str]] = {}
    for fill in story.fills:
        at_ns, quantity, value, symbol = found.get(fill.intent_id, (fill.at_ns, ZERO, ZERO, fill.symbol))
        found[fill.intent_id] = (at_ns, quantity + fill.quantity, value + fill.quantity * fill.price, symbol)
    return {
        intent_id: (at_ns, f"{symbol}: {quantity:f} at {value / quantity:f}")
        for intent_id, (at_ns, quantity, value, symbol) in found.items()
    }


def _agreement(a: RunStory, b: RunStory) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for intent_id in {*a.decisions, *b.decisions}:
        first, second = a.decisions.get(intent_id), b.decisions.get(intent_id)
        if first is None or second is None:
            counted[AGREEMENTS[7] if first is None else AGREEMENTS[6]] += 1
        elif first.code and second.code:
            counted[AGREEMENTS[4] if first.code == second.code else AGREEMENTS[5]] += 1
        elif first.code or second.code:
            counted[AGREEMENTS[3] if first.code else AGREEMENTS[2]] += 1
        else:
            counted[AGREEMENTS[0] if first.words == second.words else AGREEMENTS[1]] += 1
    return {name: counted[name] for name in AGREEMENTS}


def told(divergence: Divergence) -> str:
    """The moment in words."""
    return f"{iso(divergence.at_ns)}: the first {divergence.what} that is not the same, intent {divergence.intent_id}."
