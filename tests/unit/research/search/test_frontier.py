"""Is the cheapest way of executing named only where the difference is more than chance?"""

from __future__ import annotations

from gpt_trader.report.research_facts import MeasureFacts, ResearchFacts, SetFacts
from gpt_trader.research.search.frontier import with_frontier


def a_set(number: int, tactic: str, cost: float | None, error: float, share: float, *, entries: int = 50) -> SetFacts:
    figures = {"entries": float(entries), "all_in_error_bps": error}
    state, measures = ("complete", (cost, share, 1.0)) if cost is not None else ("refused", (None, None, None))
    return SetFacts(number=number, values=(tactic,), state=state, reason="", measures=measures, figures=figures)


def facts(*sets: SetFacts) -> ResearchFacts:
    measures = tuple(
        MeasureFacts(name=name, rises=name == "fill_share", unit="", meaning="")
        for name in ("all_in_bps", "fill_share", "fill_seconds")
    )
    return ResearchFacts(
        study="s",
        market="m",
        market_digest="",
        market_notes=(),
        modelled_book=False,
        start_ns=0,
        end_ns=1,
        bar_seconds=1,
        step_seconds=1,
        profile="p",
        strategy="x",
        engine="",
        symbols=("BTC-PERP",),
        sampler="grid",
        seed=1,
        code_version="",
        names=("entry_tactic",),
        paths=("strategy.entry_tactic",),
        spans=("a | b",),
        measures=measures,
        sets=sets,
        left_out=0,
        left_out_reason="",
        best=0,
        front=tuple(each.number for each in sets),
        finding="",
        headline="",
        reasons=(),
        evidence=None,
        folds=(),
        curves=(),
        harder=(),
        neighbours=(),
        importance={},
    )


def test_what_hardly_fills_is_not_called_cheapest() -> None:
    """A tactic that misses most pays few fees."""
    found = with_frontier(facts(a_set(0, "twap", 0.5, 0.1, 0.07), a_set(1, "market", 5.0, 0.1, 1.0)))

    assert found.headline.startswith("Of those that fill 90% or more, market costs least")


def test_a_difference_within_its_error_is_not_called_one() -> None:
    """Two standard errors of both are larger than what lies between them."""
    found = with_frontier(facts(a_set(0, "chase", 2.7, 0.4, 1.0), a_set(1, "limit", 3.0, 0.4, 0.95)))
    apart = with_frontier(facts(a_set(0, "chase", 2.7, 0.1, 1.0), a_set(1, "limit", 5.0, 0.1, 0.95)))

    assert "0 of the 1 others are dearer beyond chance" in found.headline
    assert "1 of the 1 others are dearer beyond chance" in apart.headline


def test_few_entries_are_said_to_be_thin_evidence() -> None:
    """A flag is not switched on seven orders."""
    found = with_frontier(facts(a_set(0, "market", 5.0, 0.1, 1.0, entries=7), a_set(1, "twap", None, 0, 0)))

    assert any("Evidence is thin: one set had 7 entries" in reason for reason in found.reasons)
    assert any("1 combinations are not offered, such as twap" in reason for reason in found.reasons)


def test_without_an_entry_nothing_is_compared() -> None:
    """And that is said."""
    assert with_frontier(facts(a_set(0, "market", None, 0, 0))).headline.startswith("Nothing was entered")
