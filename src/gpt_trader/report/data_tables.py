"""How is market data told to a person? Datasets, facts, findings and differences as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gpt_trader.core.clock import iso
from gpt_trader.market.catalog import Manifest
from gpt_trader.market.difference import Comparison
from gpt_trader.market.quality import Finding, QualityReport, Verdict
from gpt_trader.market.stream import MarketStream

__all__ = ["comparison_table", "datasets_table", "facts_table", "findings_table", "size_text"]

STYLES: Final = {Verdict.REFUSE: "bold red", Verdict.MARK: "yellow"}
MIB: Final = 1024 * 1024


def size_text(size_bytes: int) -> str:
    return f"{size_bytes / MIB:,.1f} MiB"


def datasets_table(manifests: Sequence[Manifest]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("dataset", "products", "from", "to", "what"):
        table.add_column(name, overflow="fold")
    for name in ("rows", "size", "marked"):
        table.add_column(name, justify="right")
    for each in manifests:
        table.add_row(
            Text(each.name, "bold"),
            ", ".join(product.symbol for product in each.products),
            iso(each.start_ns)[:16],
            iso(each.end_ns)[:16],
            f"bars of {each.bar_seconds} s" if each.modelled_book else "book and trades",
            f"{each.rows:,}",
            size_text(each.size_bytes),
            str(len(each.quality.findings) or ""),
        )
    return table


def facts_table(stream: MarketStream, report: QualityReport) -> RenderableType:
    """What a market is, and what a reader of results must know."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.kinds.items())
    table.add_row("Market", stream.name)
    table.add_row("From", iso(stream.start_ns))
    table.add_row("To", iso(stream.end_ns))
    table.add_row("Rows", f"{report.rows:,} ({kinds})" if kinds else f"{report.rows:,}")
    table.add_row("Bars", f"{stream.bar_seconds} s" + (", with a modelled book" if stream.modelled_book else ""))
    for product in stream.products:
        grid = f"tick {product.tick:f}, lot {product.lot:f}"
        table.add_row("Product", f"{product.symbol} ({product.venue_symbol}), {grid}")
    table.add_row("SHA-256", stream.digest)
    notes = [Text(f"Note: {note}", "dim") for note in stream.notes]
    return Group(table, *notes)


def findings_table(findings: Sequence[Finding]) -> RenderableType:
    if not findings:
        return Text("No findings: nothing to refuse, nothing to mark.", "green")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("verdict", "product", "finding"):
        table.add_column(name)
    table.add_column("count", justify="right")
    table.add_column("since")
    table.add_column("what", overflow="fold")
    for each in findings:
        table.add_row(
            Text(each.verdict.value, STYLES[each.verdict]),
            each.symbol,
            each.code,
            f"{each.count:,}",
            iso(each.first_ns),
            Text(f"{each.meaning} {each.example}."),
        )
    return table


def comparison_table(comparison: Comparison, a: str, b: str) -> RenderableType:
    """Facts that differ, the first row that does, and how many there are."""
    if comparison.same:
        return Text(f"The same: {comparison.rows_a:,} rows.", "green")
    parts: list[RenderableType] = []
    if comparison.facts:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for name in ("fact", a, b):
            table.add_column(Text(name), overflow="fold")
        for row in comparison.facts:
            table.add_row(*(Text(cell) for cell in row))
        parts.append(table)
    parts.append(Text(f"{comparison.rows_a:,} rows in {a}, {comparison.rows_b:,} in {b}."))
    parts.extend(_divergence(comparison, a, b))
    return Group(*parts)


def _divergence(comparison: Comparison, a: str, b: str) -> list[Text]:
    first = comparison.first
    if first is None:
        return [Text("All rows are the same.")]
    columns = f" in {', '.join(first.columns)}" if first.columns else ": one has ended"
    said = [Text(f"The first difference is row {first.row:,}{columns}.", "yellow")]
    said += [Text(f"   both  {row}", "dim") for row in first.before]
    width = max(len(a), len(b))
    said += [Text(f"  {name:>{width}}  {row or 'no row'}") for name, row in ((a, first.a), (b, first.b))]
    said.append(Text(f"{comparison.differing:,} rows differ, compared place by place."))
    return said
