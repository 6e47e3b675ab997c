"""How is a shadow told? A verdict in words, tables of what differs, and the same as one object for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from statistics import median
from typing import Any, Final

from gpt_trader.core.clock import iso
from gpt_trader.core.events import ShadowDecided, ShadowPriced
from gpt_trader.core.values import EngineDecision, PaperCost, Purpose
from gpt_trader.records.shadow import ORDERS_MIN, Compared, Followed, PaperRow, ShadowAnalysis
from gpt_trader.report.numbers import share
from gpt_trader.report.tca_tables import CostTable

__all__ = [
    "PAPER",
    "as_object",
    "cost_table",
    "difference_table",
    "sentences",
    "tell_decided",
    "tell_priced",
    "verdict",
]

NOTHING: Final = "-"
PAPER: Final = (
    "Costs in basis points (1/10,000) of what was wanted, at the arrival price, all in: price, fees, and what was not "
    "filled. Above zero costs us; each order counts once. Both columns are paper: the same rules, the same market."
)
"""To be shown once beside the tables."""
BY_VERDICT: Final[Mapping[str, str]] = {
    "cheaper": "would have been cheaper: {less} bps an order less, give or take {error}",
    "dearer": "would have been dearer: {more} bps an order more, give or take {error}",
    "alike": "would have cost the same as far as {orders} orders can tell: {difference:+} bps, give or take {error}",
}


def verdict(each: Compared) -> str:
    """What the candidate would have been, in one or two sentences."""
    intents = len(each.intents)
    alone = sum(each.refused_by_one(candidate=True).values())
    parts = [_cost_verdict(each)]
    if alone:
        parts.append(f"It would have refused {alone} of {intents} intents that {each.traded} let through.")
    if each.notional_share is not None and abs(each.notional_share - 1) >= Decimal("0.005"):
        parts.append(f"It would have traded {share(each.notional_share, 0)} of the notional.")
    return " ".join(parts)


def _cost_verdict(each: Compared) -> str:
    rows = each.rows()
    if not rows:
        return f"{each.candidate}: no order was priced on paper for both, so nothing can be said of its cost."
    row = rows[-1]
    if not row.is_enough:
        return (
            f"{each.candidate}: too few to say what it would have cost: {row.orders} orders were priced for both, "
            f"{ORDERS_MIN} are needed."
        )
    text = BY_VERDICT[row.verdict].format(
        less=_bps(-row.difference_bps),
        more=_bps(row.difference_bps),
        difference=row.difference_bps.quantize(Decimal("0.01")),
        error=_bps(row.error_bps),
        orders=row.orders,
    )
    return f"{each.candidate} {text}."


def sentences(each: Compared) -> Iterator[str]:
    """What was decided, beside the verdict."""
    features = f" ({each.features})" if each.features else ""
    yield f"{each.traded} traded, {each.candidate}{features} looked on."
    apart = len(each.intents) - each.alike
    yield f"{len(each.intents)} intents decided by both: {each.alike} alike, {apart} not{_counted(each.differences)}."
    for by_candidate, name in ((True, each.candidate), (False, each.traded)):
        codes = each.refused_by_one(candidate=by_candidate)
        if codes:
            yield f"Refused by {name} alone: {sum(codes.values())}{_counted(codes)}."
    if each.refused_by_both:
        yield f"Refused by both: {each.refused_by_both}."
    yield from _sizes(each)
    if each.tactics:
        pairs = Counter({f"{traded} -> {mine}": count for (traded, mine), count in each.tactics.items()})
        yield f"Other tactics: {sum(pairs.values())}{_counted(pairs)}."
    if each.expected is not None:
        orders, difference = each.expected
        yield f"Expected before the trade, mean of {orders}: {difference.quantize(Decimal('0.01')):+} bps."
    yield from _remarks(each)


def _sizes(each: Compared) -> Iterator[str]:
    for purpose, name in ((Purpose.ENTRY, "entry"), (Purpose.EXIT, "exit")):
        shares = each.sizes(purpose)
        if any(one != 1 for one in shares):
            yield (
                f"Size of the median {name}: {share(median(shares), 0)} of the traded one "
                f"(from {share(shares[0], 0)} to {share(shares[-1], 0)}, {len(shares)} orders)."
            )


def _remarks(each: Compared) -> Iterator[str]:
    """What the figures contain and what not."""
    if each.at_the_door:
        yield f"Approved and not sent: {sum(each.at_the_door.values())}{_counted(each.at_the_door)}."
    if each.unpriced:
        yield f"Approved by both and not compared on paper: {each.unpriced} (they wait for a trigger, or went on)."
    if each.paper_error is not None:
        orders, real, paper = each.paper_error
        off = (real - paper).quantize(Decimal("0.01"))
        how = "as it was" if not off else f"{abs(off)} bps too {'cheap' if off > 0 else 'dear'}, for both alike"
        yield (
            f"{each.traded} really paid {_bps(real)} bps for {orders} whole orders and {_bps(paper)} on paper: "
            f"the paper is {how}."
        )


def cost_table(each: Compared) -> CostTable:
    """Cost on paper, by purpose."""
    return CostTable(
        title="Cost on paper, all in",
        headers=("", "orders", each.traded, each.candidate, "difference", "give or take", "candidate is"),
        rows=tuple(
            (
                row.name,
                f"{row.orders:,}",
                _bps(row.traded_bps),
                _bps(row.candidate_bps),
                f"{row.difference_bps.quantize(Decimal('0.01')):+}",
                _bps(row.error_bps),
                row.verdict,
            )
            for row in each.rows()
        ),
        text_columns=1,
    )


def difference_table(each: Compared, count: int) -> CostTable:
    """The intents that differ most."""
    rows = each.largest(count)
    left = len(each.intents) - each.alike - len(rows)
    notes = (f"and {left} more: --limit",) if left > 0 else ()
    return CostTable(
        title="What differs most",
        headers=("time", "intent", "in", "traded", "candidate", "difference"),
        rows=tuple(_difference(row) for row in rows),
        text_columns=5,
        notes=notes,
    )


def _difference(each: Followed) -> tuple[str, ...]:
    decided, bps = each.decided, each.difference_bps
    return (
        iso(decided.taken_ns),
        each.decided.intent_id,
        ", ".join(decided.differs),
        _words(decided.traded),
        _words(decided.candidate),
        NOTHING if bps is None else f"{bps.quantize(Decimal('0.01')):+}",
    )


def _words(decision: EngineDecision) -> str:
    if decision.code:
        return f"refused: {decision.code}"
    price = "" if decision.limit_price is None else f" at {decision.limit_price:f}"
    return f"{decision.quantity:f} by {decision.tactic}{price}"


def tell_decided(event: ShadowDecided) -> str:
    """One intent, in a sentence of its story."""
    how = "the same" if not event.differs else f"another {' and '.join(event.differs)}"
    return f"{event.candidate.engine}, looking on, would have decided {how}: {_words(event.candidate)}."


def tell_priced(event: ShadowPriced) -> str:
    """The costs of both, as far as they are known."""
    named = (("as traded", event.traded), ("as it would have been", event.candidate))
    parts = [f"{_bps(cost.all_in_bps)} bps {name}" for name, cost in named if cost is not None]
    return f"On paper it cost, all in, {' and '.join(parts)}." if parts else "Neither order could be priced on paper."


def _counted(counts: Mapping[str, int]) -> str:
    """` (size 30, refusal 1)`, the most frequent first; nothing of nothing."""
    rows = sorted(counts.items(), key=lambda pair: -pair[1])
    return f" ({', '.join(f'{name} {count}' for name, count in rows)})" if rows else ""


def _bps(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value.quantize(Decimal('0.01')):f}"


def as_object(analysis: ShadowAnalysis, count: int) -> dict[str, Any]:
    """Everything for machines; decimals as text."""
    return {
        "sessions": [
            {"time": iso(each.at_ns), "candidate": each.candidate, "features": each.features, "source": each.source}
            for each in analysis.started
        ],
        "ended": [
            {"time": iso(each.at_ns), "candidate": each.candidate, "reason": each.reason, "failed": each.failed}
            for each in analysis.ended
        ],
        "compared": [_object(each, count) for each in analysis.compared()],
    }


def _object(each: Compared, count: int) -> dict[str, Any]:
    return {
        "traded": each.traded,
        "candidate": each.candidate,
        "features": each.features,
        "verdict": verdict(each),
        "intents": len(each.intents),
        "alike": each.alike,
        "differences": dict(each.differences),
        "refused_by_candidate_alone": dict(each.refused_by_one(candidate=True)),
        "refused_by_traded_alone": dict(each.refused_by_one(candidate=False)),
        "refused_by_both": each.refused_by_both,
        "at_the_door": dict(each.at_the_door),
        "notional_share": _text(each.notional_share),
        "tactics": {f"{one} -> {other}": number for (one, other), number in each.tactics.items()},
        "paper": [_row_object(row) for row in each.rows()],
        "unpriced": each.unpriced,
        "real_bps": _text(each.paper_error[1] if each.paper_error else None),
        "real_on_paper_bps": _text(each.paper_error[2] if each.paper_error else None),
        "largest": [_followed_object(row) for row in each.largest(count)],
    }


def _row_object(row: PaperRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "orders": row.orders,
        "traded_bps": str(row.traded_bps),
        "candidate_bps": str(row.candidate_bps),
        "difference_bps": str(row.difference_bps),
        "error_bps": _text(row.error_bps),
        "verdict": row.verdict,
    }


def _followed_object(each: Followed) -> dict[str, Any]:
    priced = each.priced
    return {
        "time": iso(each.decided.taken_ns),
        "intent": each.decided.intent_id,
        "symbol": each.decided.symbol,
        "differs": list(each.decided.differs),
        "traded": _words(each.decided.traded),
        "candidate": _words(each.decided.candidate),
        "traded_bps": _paper(None if priced is None else priced.traded),
        "candidate_bps": _paper(None if priced is None else priced.candidate),
    }


def _paper(cost: PaperCost | None) -> str | None:
    return None if cost is None else str(cost.all_in_bps)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
