"""How does a person look at a run? One HTML file that needs nothing else, in light and dark, on desk and telephone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gpt_trader import __version__
from gpt_trader.core.errors import ConfigError
from gpt_trader.report.charts import Chart, run_charts
from gpt_trader.report.curves import Curves, draw_curves
from gpt_trader.report.facts import RunFacts
from gpt_trader.report.grids import (
    cost_grids,
    guard_grid,
    identity_grid,
    month_rows,
    refusal_grid,
    setting_grid,
    statement_grid,
    statistics_grid,
    tone_of,
    trip_grid,
)
from gpt_trader.report.numbers import money, moved
from gpt_trader.report.price_path import PricePath
from gpt_trader.report.run_story import RunStory
from gpt_trader.report.statistics import Figure, month_table, statistics_of
from gpt_trader.report.summary import STOPPED_BY, RunSummary
from gpt_trader.report.tca_tables import SIGNS

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Banner", "Tile", "curves_of", "render", "require_report", "run_page", "write_page"]

NEEDS: Final = (
    "a report needs plotly, jinja2 and jquantstats, which are not part of the core. Fix: pip install "
    "'gpt-trader[research]' (in a checkout: .venv/bin/pip install -e '.[research]'), or --no-report"
)


@dataclass(frozen=True)
class Tile:
    name: str
    value: str
    more: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Banner:
    text: str
    tone: str = ""


def require_report() -> None:
    """Raises ConfigError where the extra is not installed: better before a run than after it."""
    try:
        import jinja2  # noqa: F401, PLC0415 - an extra
        import jquantstats  # noqa: F401, PLC0415 - an extra
        import plotly.offline  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(NEEDS) from error


def curves_of(facts: RunFacts, story: RunStory, prices: PricePath) -> Curves:
    """Of the symbols that were traded. Raises ConfigError where not one bar closed."""
    if prices.times_ns[0] > facts.end_ns:
        raise ConfigError(
            f"run {facts.summary.run} ended before its first bar of {facts.bar_seconds} s closed: there is nothing to "
            "report on. Fix: trade longer, or --no-report"
        )
    traded = {product.symbol for product in facts.products}
    chosen = [each for each in prices.symbols() if each.symbol in traded]
    return draw_curves(story, chosen, facts.products, facts.overnight, facts.end_ns)


def run_page(facts: RunFacts, story: RunStory, prices: PricePath) -> str:
    """The report of one run. Raises ConfigError where the extra is not installed."""
    summary, curves, split = facts.summary, curves_of(facts, story, prices), story.split(facts.marks)
    start = float(summary.equity_start)
    figures = statistics_of(curves, story.trips, summary.equity_start, facts.bar_seconds, facts.start_ns)
    fallen = curves.equity - curves.transfers
    return render(
        "run.html",
        run_charts(story, curves, split),
        title=f"{summary.profile} on {summary.market}",
        subtitle=(
            f"{summary.engine}, {summary.start[:16]} to {summary.end[:16]} UTC, bars of {facts.bar_seconds} s, "
            f"{', '.join(product.symbol for product in facts.products)}"
        ),
        banners=_banners(facts, story),
        tiles=_tiles(summary, figures),
        statement=statement_grid(summary, split),
        statistics=statistics_grid(figures),
        costs=cost_grids(story),
        cost_signs=SIGNS,
        refusals=refusal_grid(summary),
        guards=guard_grid(story),
        months=month_rows(month_table(curves.times_ns, fallen, start)),
        trips=trip_grid(story.trips, {product.symbol: product.tick for product in facts.products}),
        assumptions=(*facts.assumptions, *_of_the_report(prices)),
        notes=summary.market_notes,
        chosen=setting_grid("chosen", "Set", (line for line in facts.settings if line.chosen)),
        settings=setting_grid("settings", "All", facts.settings),
        identity=identity_grid(facts, story),
    )


def write_page(path: Path, page: str) -> None:
    """Raises ConfigError where the place cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf8")
    except OSError as error:
        raise ConfigError(f"report {path}: cannot be written ({error.strerror}). Fix: name another place") from error


def render(template: str, charts: Sequence[Chart], **view: Any) -> str:
    """Fill a template; text is escaped, the library of the charts goes whole into the page."""
    environment = _environment()
    from markupsafe import Markup  # noqa: PLC0415 - an extra
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - an extra

    def own(name: str) -> Markup:
        return Markup((_TEMPLATES / name).read_text(encoding="utf8"))  # noqa: S704 - our own files

    # a script ends at the first `</script`, whatever language it is in
    data = msgspec.json.encode(charts).decode().replace("<", "\\u003c")
    return environment.get_template(template).render(
        charts=charts,
        charts_json=Markup(data),  # noqa: S704 - JSON without a single `<`
        plotly_js=Markup(get_plotlyjs().replace("</script", "<\\/script")),  # noqa: S704 - the library's own file
        css=own("page.css"),
        js=own("page.js"),
        code_version=__version__,
        **view,
    )


_TEMPLATES: Final = Path(__file__).with_name("templates")


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(NEEDS) from error
    return Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)


def _tiles(summary: RunSummary, figures: Sequence[Figure]) -> list[Tile]:
    named: Mapping[str, Figure] = {figure.name: figure for figure in figures}
    net = summary.equity_end - summary.equity_start - summary.transfers
    sharpe, won = named["Sharpe ratio a year"], named.get("Won")
    start = summary.equity_start
    forced = "those of liquidations included" if summary.liquidations else ""
    tiles = [
        Tile("Net result", moved(net), f"{net / start:+.3%} of {money(start)}" if start else "", tone_of(net)),
        Tile("Maximum drawdown", f"{summary.max_drawdown:.2%}", "of the highest equity"),
        Tile("Sharpe ratio a year", sharpe.value, sharpe.note, "plain" if sharpe.missing else ""),
        Tile("Round trips", named["Round trips"].value, f"{won.value} won" if won and not won.missing else ""),
        Tile("Fees", moved(-summary.fees), forced, tone_of(-summary.fees)),
        Tile("Funding", moved(summary.funding), "above zero is received", tone_of(summary.funding)),
        Tile("Orders", f"{summary.orders:,}", f"{summary.fills:,} fills, {sum(summary.refusals.values()):,} refusals"),
    ]
    if summary.liquidations:
        tiles.append(Tile("Liquidations", f"{summary.liquidations:,}", "fills that the exchange forced", "alarm"))
    return tiles


def _banners(facts: RunFacts, story: RunStory) -> list[Banner]:
    summary, found = facts.summary, []
    if story.digest != summary.event_hash:
        found.append(
            Banner("The log is not the one that these facts were written for: do not trust this page.", "alarm")
        )
    if summary.liquidations:
        found.append(Banner("The account was liquidated: its margin did not carry what it held.", "alarm"))
    if summary.system_errors:
        found.append(
            Banner(f"{summary.system_errors:,} system errors: see the log before believing the rest.", "alarm")
        )
    if summary.stopped_by.startswith(STOPPED_BY):
        found.append(Banner(f"Not the whole market: {summary.stopped_by}."))
    if summary.dry_run:
        found.append(Banner("Dry run: everything was decided, nothing was sent."))
    if summary.positions:
        held = ", ".join(f"{quantity:+f} {symbol}" for symbol, quantity in summary.positions.items())
        found.append(Banner(f"Still open at the end: {held}; counted at the exchange's mark."))
    found += [Banner(note) for note in summary.market_notes if "look-ahead" in note]
    return found


def _of_the_report(prices: PricePath) -> tuple[str, ...]:
    sampled = f", every {prices.bars_a_step} bars" if prices.bars_a_step > 1 else ""
    said = (
        f"Curves and statistics are reckoned at bar closes{sampled} with the last price; the statement uses the "
        "exchange's mark and is exact."
    )
    return (said,)
