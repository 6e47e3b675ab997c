"""How does a person look at a search? One HTML file that opens with the verdict, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gpt_trader.report.grids import Cell, Column, Grid, Row, tone_of
from gpt_trader.report.page import Banner, Tile, render
from gpt_trader.report.research_charts import FRONTIER, research_charts
from gpt_trader.report.research_facts import EvidenceFacts, ResearchFacts, SetFacts
from gpt_trader.report.research_tables import best_first, day, measured

__all__ = ["research_page"]

SETS_SHOWN = 200
TONES = {"real": "up", "loses": "down", "noise": "warn", "too short to tell": "warn"}
REAL = (
    "Real: the best set earns more than the best of as many sets without any edge would in 39 of 40 searches, and "
    "choosing by the past earned money on what no choice had seen."
)
FORWARD = (
    "Walk-forward: choose on a stretch, trade the next with what was chosen, go on. Anchored looks at everything "
    "before, rolling at the last stretch of a fixed length (Pardo 1992). Changing the set between two stretches is "
    "not charged."
)
LUCK = (
    "Luck: the reality check of White (2000), divided by the deviation as in Hansen (2005), with the stationary "
    "bootstrap of Politis and Romano (1994)."
)
RATIOS = (
    "A ratio is a year's, 365.25 days, no interest. The verdict's are of daily returns where there are 20 days or "
    "more; those of the tables are of the steps of the equity curve."
)
ALL_IN = (
    "All in: shortfall against the arrival price and the cost of what was not filled, in basis points of what entries "
    "wanted. Above zero cost us. One standard error is over intents."
)
COSTS = (
    ALL_IN,
    "Filled: share of the wanted notional. Seconds: from the decision of an entry to its last fill, mean.",
    "The front: sets that no other beats in cost, share filled and time at once.",
    "Exits are left out: every tactic lets them go by market.",
)
MEANINGS = (
    REAL,
    "Loses: what was chosen by the past lost more on unseen days than luck does in 199 of 200 markets.",
    "Noise: neither, though an edge of annual Sharpe ratio 3 would have been seen in 70 of 100 markets this long.",
    "Too short to tell: neither, and such an edge would not have been seen.",
    FORWARD,
    LUCK,
    RATIOS,
)


def research_page(facts: ResearchFacts) -> str:
    """Raises ConfigError where the extra is not installed."""
    charts = research_charts(facts)
    return render(
        "research.html",
        charts,
        title=f"{facts.strategy} on {facts.market}",
        subtitle=(
            f"Search {facts.study}: {len(facts.sets):,} sets, {day(facts.start_ns)} to {day(facts.end_ns)} UTC, "
            f"bars of {facts.bar_seconds} s, {', '.join(facts.symbols)}"
            + ("" if "run.engine" in facts.paths else f", {facts.engine}")
        ),
        finding=facts.finding,
        headline=facts.headline,
        reasons=facts.reasons,
        tone=TONES.get(facts.finding, ""),
        banners=list(_banners(facts)),
        tiles=_tiles(facts),
        harder=_harder(facts),
        folds=_folds(facts),
        sets=_sets(facts),
        space=_space(facts),
        meanings=_meanings(facts),
        notes=facts.market_notes,
        identity=_identity(facts),
    )


def _meanings(facts: ResearchFacts) -> tuple[str, ...]:
    if facts.finding == FRONTIER:
        return COSTS
    return MEANINGS if facts.headline else MEANINGS[-1:]


def _banners(facts: ResearchFacts) -> Iterator[Banner]:
    if not facts.headline:
        yield Banner("No verdict: walk-forward was left out. What looks best here looks best with hindsight.")
    failed = [each for each in facts.sets if each.state == "failed"]
    if failed:
        yield Banner(f"{len(failed):,} sets broke off; the first: {failed[0].reason}", "alarm")
    tripped = sum(1 for each in facts.sets if each.figures.get("guard_trips", 0) > 0)
    if tripped:
        yield Banner(
            f"In {tripped:,} of {len(facts.sets):,} sets a guard tripped and held entries back for a while: that is "
            "part of the result, as it would be live."
        )
    for note in facts.market_notes:
        if "look-ahead" in note:
            yield Banner(note)


def _tiles(facts: ResearchFacts) -> list[Tile]:
    evidence = facts.evidence
    tiles = [] if evidence is None else _evidence_tiles(facts, evidence)
    best = next((each for each in facts.sets if each.number == facts.best), None)
    if facts.finding == FRONTIER:
        entries = [each.figures.get("entries", 0.0) for each in facts.sets if each.state == "complete"]
        tiles.append(Tile("Entries", f"{min(entries, default=0):,.0f} to {max(entries, default=0):,.0f}", "a set"))
    elif best is not None:
        value = measured(facts.measures[0].name, best.measures[0])
        tiles.append(Tile(f"Best {facts.measures[0].name}, hindsight", value, _named(facts, best)))
    states = Counter(each.state for each in facts.sets)
    more = [f"{count:,} {state}" for state, count in states.items() if state != "complete"]
    more += [f"{facts.left_out:,} combinations are not allowed"] if facts.left_out else []
    tiles.append(Tile("Sets", f"{len(facts.sets):,}", "; ".join(more)))
    return tiles


def _evidence_tiles(facts: ResearchFacts, evidence: EvidenceFacts) -> list[Tile]:
    settled = evidence.settled_days
    return [
        Tile("Verdict", facts.finding, f"{evidence.days:.0f} days", TONES.get(facts.finding, "")),
        Tile(
            "Earned unseen",
            f"{evidence.unseen_return:+.2%}",
            f"in {evidence.unseen_days:.0f} days, walk-forward",
            tone_of(evidence.unseen_return),
        ),
        Tile(
            "Unseen Sharpe a year",
            f"{evidence.unseen_sharpe:.2f}",
            f"± {evidence.unseen_sharpe_error:.2f}, one standard error",
        ),
        Tile("Luck does as well", f"{evidence.luck_chance:.1%}", f"of searches of {len(facts.sets):,} sets"),
        Tile(
            "Days to settle it",
            "none would" if settled is None else f"{settled:,.0f}",
            "it did not earn" if settled is None else "if the unseen ratio is the true one",
        ),
    ]


def _named(facts: ResearchFacts, each: SetFacts) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(facts.names, each.values, strict=True))


def _harder(facts: ResearchFacts) -> Grid:
    rows = [
        Row(
            (
                Cell(each.name),
                Cell(f"{each.unseen_return:+.2%}", tone_of(each.unseen_return)),
                Cell(f"{each.unseen_sharpe:.2f}"),
                Cell(f"{each.best_return:+.2%}", tone_of(each.best_return)),
                Cell(f"{each.best_sharpe:.2f}"),
            )
        )
        for each in facts.harder
    ]
    spread = " The spread is that of the recorded book and cannot be doubled."
    if facts.modelled_book:
        spread = " On bars, a latency of much less than a third of a bar changes nothing."
    return Grid(
        "harder",
        "What if trading cost more?",
        (
            Column(""),
            Column("unseen return", number=True),
            Column("unseen Sharpe", number=True),
            Column("best set's return", number=True),
            Column("its Sharpe", number=True),
        ),
        rows,
        note=f"The same choices, run again; nothing is chosen anew.{spread}",
        empty="Not asked.",
    )


def _folds(facts: ResearchFacts) -> Grid:
    name = facts.measures[0].name
    columns = [Column(""), Column("chosen on"), Column("traded until")]
    columns += [Column(each, number=True) for each in facts.names]
    columns += [Column(f"{name}, seen", number=True), Column("traded", number=True), Column("return", number=True)]
    rows = [
        Row(
            (
                Cell(fold.scheme),
                Cell(f"{day(fold.train_from_ns)} to {day(fold.train_to_ns)}"),
                Cell(day(fold.test_to_ns)),
                *(Cell(value) for value in fold.values),
                Cell(measured(name, fold.seen)),
                Cell(measured(name, fold.traded)),
                Cell(f"{fold.traded_return:+.2%}", tone_of(fold.traded_return)),
            )
        )
        for fold in facts.folds
    ]
    return Grid(
        "folds",
        "Choices, and what became of them",
        tuple(columns),
        rows,
        note="If the seen figure says nothing of the traded one, the search has found nothing that lasts.",
        empty="Walk-forward was left out.",
    )


def _sets(facts: ResearchFacts) -> Grid:
    columns = [Column("set", number=True)]
    columns += [Column(name, sorts_by_number=_all_numbers(facts, place)) for place, name in enumerate(facts.names)]
    columns += [Column(measure.name, number=True) for measure in facts.measures]
    columns += [Column(name, number=True) for name in ("net", "orders", "refused", "guards")]
    columns += [Column("")]
    ordered = best_first(facts)
    ordered += [each for each in facts.sets if each.measures[0] is None]
    rows = [_set_row(facts, each) for each in ordered[:SETS_SHOWN]]
    more = f" The first {SETS_SHOWN} of {len(ordered):,}; sets.parquet has all." if len(ordered) > SETS_SHOWN else ""
    note = (
        f"By {facts.measures[0].name}, over the whole market. Net in account currency; guards: how often one tripped."
    )
    return Grid("sets", "Sets", tuple(columns), rows, note=note + more, tall=True)


def _all_numbers(facts: ResearchFacts, place: int) -> bool:
    return all(each.values[place].replace(".", "", 1).lstrip("-").isdigit() for each in facts.sets)


def _set_row(facts: ResearchFacts, each: SetFacts) -> Row:
    figures = each.figures
    measures = [
        Cell(measured(measure.name, value), sort=value)
        for measure, value in zip(facts.measures, each.measures, strict=True)
    ]
    return Row(
        (
            Cell(str(each.number), sort=float(each.number)),
            *(Cell(value) for value in each.values),
            *measures,
            Cell(f"{figures.get('net', 0.0):+,.2f}", tone_of(figures.get("net", 0.0)), sort=figures.get("net", 0.0)),
            *(Cell(f"{figures.get(name, 0.0):,.0f}", sort=figures.get(name, 0.0)) for name in _COUNTS),
            Cell("" if each.state == "complete" else f"{each.state} {each.reason}", "dim"),
        ),
        "sum" if each.number == facts.best and facts.finding != FRONTIER else "",
    )


_COUNTS = ("orders", "refusals", "guard_trips")


def _space(facts: ResearchFacts) -> Grid:
    rows = [Row((Cell(path), Cell(span), Cell(""))) for path, span in zip(facts.paths, facts.spans, strict=True)]
    rows += [
        Row(
            (
                Cell(f"measure {measure.name}"),
                Cell(measure.meaning),
                Cell("more is better" if measure.rises else "less is better"),
            )
        )
        for measure in facts.measures
    ]
    if facts.left_out:
        rows.append(
            Row((Cell("left out"), Cell(f"{facts.left_out:,} combinations"), Cell(facts.left_out_reason, "dim")))
        )
    return Grid("space", "What was searched", (Column(""), Column(""), Column("")), rows)


def _identity(facts: ResearchFacts) -> Grid:
    lines = {
        "study": facts.study,
        "sampler": f"{facts.sampler}, seed {facts.seed}",
        "profile": facts.profile,
        "market": f"{facts.market} sha256 {facts.market_digest}",
        "equity curves": f"in steps of {facts.step_seconds} s",
        "version": facts.code_version,
    }
    rows = [Row((Cell(name), Cell(value, "wide"))) for name, value in lines.items()]
    return Grid("identity", "Identity", (Column(""), Column("")), rows)
