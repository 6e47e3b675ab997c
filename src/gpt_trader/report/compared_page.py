"""How does a person look at two runs? One page with both curves, what lies between them, and where they part."""

from __future__ import annotations

from decimal import Decimal

from gpt_trader.report.charts import compared_charts
from gpt_trader.report.comparison import ComparedRun, Comparison, FigureLine, told
from gpt_trader.report.grids import Cell, Column, Grid, Row, tone_of
from gpt_trader.report.numbers import money, moved
from gpt_trader.report.page import Banner, Tile, curves_of, render
from gpt_trader.report.price_path import PricePath

__all__ = ["compared_page"]


def compared_page(comparison: Comparison, a: ComparedRun, b: ComparedRun, prices: tuple[PricePath, PricePath]) -> str:
    """Raises ConfigError where the extra is not installed."""
    curves = [(run.label, curves_of(run.facts, run.story, path)) for run, path in zip((a, b), prices, strict=True)]
    first, second = a.facts.summary, b.facts.summary
    return render(
        "compare.html",
        compared_charts(curves),
        title=f"{a.label} and {b.label}",
        subtitle=f"{first.profile} on {first.market}, {first.start[:16]} to {first.end[:16]} UTC",
        banners=_banners(comparison),
        tiles=[
            Tile(f"{a.label}: net", *_net(a)),
            Tile(f"{b.label}: net", *_net(b)),
            Tile(
                "Difference",
                moved(_worth(b) - _worth(a)),
                f"{b.label} less {a.label}",
                tone_of(_worth(b) - _worth(a)),
            ),
            Tile("Orders", f"{first.orders:,} and {second.orders:,}", "first and second"),
        ],
        figures=_lines("figures", "Side by side", comparison.lines, comparison),
        divergence=_divergence_words(comparison),
        first=_first(comparison),
        agreement=Grid(
            "",
            "",
            (Column(""), Column("intents", number=True)),
            [Row((Cell(name), Cell(f"{count:,}"))) for name, count in comparison.agreement.items()],
        ),
        differing=_lines("differing", "Settings that differ", comparison.settings, comparison, apart=False),
        identity=_identity(a, b),
    )


def _worth(run: ComparedRun) -> Decimal:
    summary = run.facts.summary
    return summary.equity_end - summary.equity_start - summary.transfers


def _net(run: ComparedRun) -> tuple[str, str, str]:
    net, start = _worth(run), run.facts.summary.equity_start
    return moved(net), f"{net / start:+.3%} of {money(start)}" if start else "", tone_of(net)


def _banners(comparison: Comparison) -> list[Banner]:
    found = []
    if not comparison.same_market:
        found.append(Banner("The two runs traded different markets: a difference may come from there.", "alarm"))
    if comparison.same_log:
        found.append(Banner("The two logs are the same, byte for byte."))
    return found


def _lines(name: str, title: str, lines: tuple[FigureLine, ...], comparison: Comparison, *, apart: bool = True) -> Grid:
    columns = [Column(""), Column(comparison.a, number=apart), Column(comparison.b, number=apart)]
    rows = [[Cell(line.name), Cell(line.a), Cell(line.b)] for line in lines]
    if apart:
        columns.append(Column("difference", number=True))
        for row, line in zip(rows, lines, strict=True):
            row.append(Cell(line.apart, "dim"))
    return Grid(name, title, tuple(columns), [Row(tuple(row)) for row in rows], empty="None.")


def _divergence_words(comparison: Comparison) -> list[str]:
    if comparison.divergence is None:
        return ["Nowhere: every wish, decision and fill is the same in both."]
    return [told(comparison.divergence)]


def _first(comparison: Comparison) -> Grid:
    found = comparison.divergence
    rows = [] if found is None else [Row((Cell(comparison.a), Cell(found.a))), Row((Cell(comparison.b), Cell(found.b)))]
    return Grid("", "", (Column("run"), Column("what it did")), rows)


def _identity(a: ComparedRun, b: ComparedRun) -> Grid:
    rows = [
        Row(
            (
                Cell(run.label),
                Cell(run.facts.summary.run),
                Cell(run.facts.summary.engine_reason, "wide"),
                Cell(run.story.digest, "wide dim hash"),
            )
        )
        for run in (a, b)
    ]
    columns = (Column(""), Column("run"), Column("engine chosen by"), Column("event hash"))
    return Grid("identity", "Identity", columns, rows)
