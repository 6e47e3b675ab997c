"""What does each way of executing cost, and what does it miss? The cost frontier of tactics, engines and sizing modes.

The same signals are traded once with each combination on the same recorded market, so that a flag is switched on
evidence. A difference counts where it is larger than 1.96 of its standard errors; intents are few on a short market,
and then the honest answer is that it shows no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import msgspec

from gpt_trader.report.research_facts import ResearchFacts, SetFacts

__all__ = ["FRONTIER_MEASURES", "with_frontier"]

FRONTIER_MEASURES = ("all_in_bps", "fill_share", "fill_seconds")
SURE = 1.96
ENTRIES_FEW = 30
FULL = 0.9
"""Of the wanted notional: below it a tactic has not done what was asked."""


def with_frontier(facts: ResearchFacts) -> ResearchFacts:
    """The same facts with what they say of execution, in words."""
    known = [each for each in facts.sets if each.measures[0] is not None and each.figures.get("entries", 0) > 0]
    known.sort(key=lambda each: each.measures[0] or 0.0)
    headline, reasons = _said(facts, known) if known else ("Nothing was entered, so nothing can be compared.", ())
    return msgspec.structs.replace(facts, finding="frontier", headline=headline, reasons=reasons)


def _said(facts: ResearchFacts, known: Sequence[SetFacts]) -> tuple[str, tuple[str, ...]]:
    full = [each for each in known if (each.measures[1] or 0.0) >= FULL]
    best = (full or known)[0]
    rivals = [each for each in (full or known) if each is not best]
    dearer = [each for each in rivals if _apart(best, each)]
    among = f"Of those that fill {FULL:.0%} or more" if full else f"Nothing fills {FULL:.0%}; of all"
    sure = f"{len(dearer)} of the {len(rivals)} others are dearer beyond chance" if rivals else "there is no other"
    headline = f"{among}, {_named(facts, best)} costs least: {_cost(best)}, {_filled(best)}; {sure}."
    said = [f"{_named(facts, each)}: {_cost(each)}, {_filled(each)}" for each in known if each.number in facts.front]
    reasons = [f"On the frontier (none is cheaper, fuller and faster at once): {'; '.join(said)}."]
    if full:
        reasons.append(
            "What fills less pays fewer fees and may look cheaper: what it missed is priced when it gave up."
        )
    if dearer:
        reasons.append(f"Dearer beyond chance: {'; '.join(f'{_named(facts, a)}, {_cost(a)}' for a in dearer)}.")
    fewest = min(each.figures["entries"] for each in known)
    if fewest < ENTRIES_FEW:
        reasons.append(f"Evidence is thin: one set had {fewest:.0f} entries. Record longer before you switch a flag.")
    refused = [each for each in facts.sets if each.state == "refused"]
    if refused:
        reasons.append(f"{len(refused)} combinations are not offered, such as {_named(facts, refused[0])}.")
    return headline, tuple(reasons)


def _apart(a: SetFacts, b: SetFacts) -> bool:
    """Errors are taken as independent; the sets share signals, so the true error of the difference is smaller."""
    error = sqrt(sum(each.figures.get("all_in_error_bps", float("inf")) ** 2 for each in (a, b)))
    return abs((b.measures[0] or 0.0) - (a.measures[0] or 0.0)) > SURE * error


def _named(facts: ResearchFacts, each: SetFacts) -> str:
    shown = [value for value, span in zip(each.values, facts.spans, strict=True) if "|" in span or " to " in span]
    return " ".join(shown) or "the one set"


def _cost(each: SetFacts) -> str:
    error = each.figures.get("all_in_error_bps")
    return f"{each.measures[0]:.2f}{'' if error is None else f' ± {error:.2f}'} bps all in"


def _filled(each: SetFacts) -> str:
    share, seconds = each.measures[1], each.measures[2]
    told = "nothing filled" if share is None else f"{share:.0%} filled"
    return told if seconds is None else f"{told} in {seconds:.1f} s"
