"""What does the data look like? A picture of prices and volume with its flaws marked: PNG, SVG, or a page by itself."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from gpt_trader.core.clock import iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.quality import Finding, Verdict
from gpt_trader.market.sketch import ProductSketch
from gpt_trader.market.stream import MarketStream

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SUFFIXES", "save_plot"]

SUFFIXES: Final = (".png", ".svg", ".html")
WIDTH_INCHES: Final = 12.0
HEIGHT_INCHES: Final = 4.5
COLOURS: Final = {"range": "#9db4d0", "last": "#1f4e8c", "volume": "#8c8c8c", "mark": "#c77700", "refuse": "#b00020"}

PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222; }}
svg {{ width: 100%; height: auto; }}
td, th {{ text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }}
.refuse {{ color: #b00020; }} .mark {{ color: #9a5b00; }} .dim {{ color: #666; }}
</style>
<h1>{title}</h1>
<p class="dim">{facts}</p>
{picture}
<h2>Findings</h2>
{findings}
<h2>Notes</h2>
<ul>{notes}</ul>
</html>
"""


def save_plot(path: Path, stream: MarketStream, sketches: Sequence[ProductSketch], findings: Sequence[Finding]) -> None:
    """Write the picture in the form that the name of the file asks for. Raises ConfigError for any other name, for a
    place that cannot be written, and where matplotlib is not installed."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--plot {path.name}: what kind of picture? Fix: end the name with {', '.join(SUFFIXES)}")
    figure = _figure(stream, sketches, findings)
    try:
        if path.suffix.lower() == ".html":
            path.write_text(_page(stream, figure, findings), encoding="utf8")
        else:
            figure.savefig(path, dpi=110)
    except OSError as error:
        raise ConfigError(f"--plot {path}: cannot be written ({error.strerror}). Fix: name another place") from error


def _figure(stream: MarketStream, sketches: Sequence[ProductSketch], findings: Sequence[Finding]) -> Figure:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigError(
            "plots need matplotlib, which is not part of the core. Fix: pip install 'gpt-trader[research]' "
            "(in a checkout: .venv/bin/pip install -e '.[research]')"
        ) from error
    count = len(sketches)
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES * count), layout="constrained")
    grid = figure.add_gridspec(2 * count, 1, height_ratios=[3, 1] * count)
    for number, sketch in enumerate(sketches):
        prices = figure.add_subplot(grid[2 * number])
        volume = figure.add_subplot(grid[2 * number + 1], sharex=prices)
        _draw_prices(prices, sketch, [each for each in findings if each.symbol in {"", sketch.symbol}])
        _draw_volume(volume, sketch)
        prices.set_title(f"{stream.name}  {sketch.symbol}", loc="left")
        prices.tick_params(labelbottom=False)
        volume.set_xlabel("UTC")
    return figure


def _draw_prices(axes: Axes, sketch: ProductSketch, findings: Sequence[Finding]) -> None:
    axes.fill_between(
        sketch.times, sketch.low, sketch.high, color=COLOURS["range"], linewidth=0, step="post", label="low to high"
    )
    axes.plot(sketch.times, sketch.last, color=COLOURS["last"], linewidth=0.8, drawstyle="steps-post", label="last")
    for finding in findings:
        axes.axvline(
            np.datetime64(finding.first_ns, "ns"),  # type: ignore[arg-type]  # the axis counts in dates
            color=COLOURS[finding.verdict.value],
            linewidth=1,
            linestyle="--",
            label=f"{finding.code}, {finding.count:,} from here",
        )
    axes.set_ylabel("price")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="best", fontsize="small", frameon=False)


def _draw_volume(axes: Axes, sketch: ProductSketch) -> None:
    axes.fill_between(sketch.times, sketch.volume, color=COLOURS["volume"], linewidth=0, step="post")
    axes.set_ylabel("volume")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)


def _page(stream: MarketStream, figure: Figure, findings: Sequence[Finding]) -> str:
    picture = io.StringIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})  # the same data, the same page
    svg = picture.getvalue()
    rows = "".join(
        f'<tr><td class="{each.verdict.value}">{each.verdict.value}</td><td>{html.escape(each.symbol)}</td>'
        f"<td>{each.code}</td><td>{each.count:,}</td><td>{html.escape(f'{each.meaning} {each.example}.')}</td></tr>"
        for each in findings
    )
    head = "<tr><th>verdict</th><th>product</th><th>finding</th><th>count</th><th>what</th></tr>"
    return PAGE.format(
        title=html.escape(f"{stream.name}: market data"),
        facts=html.escape(
            f"{iso(stream.start_ns)} to {iso(stream.end_ns)}, bars of {stream.bar_seconds} s, sha256:{stream.digest}"
        ),
        picture=svg[svg.index("<svg") :],
        findings=f"<table>{head}{rows}</table>" if findings else "<p>None.</p>",
        notes="".join(f"<li>{html.escape(note)}</li>" for note in stream.notes),
    )


assert {verdict.value for verdict in Verdict} <= COLOURS.keys()
