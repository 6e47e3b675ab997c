"""How is an impact fit shown? The coefficient with its uncertainty, and measured beside fitted impact by size."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gpt_trader.market.impact_calibration import ImpactFit

__all__ = ["fit_lines", "impact_table"]


def fit_lines(fit: ImpactFit) -> Iterator[str]:
    """What was fitted, how sure it is, and how to use it."""
    yield (
        f"{fit.symbol} in {fit.market}: Y = {fit.coefficient:.3f}, standard error {fit.standard_error:.3f}, "
        f"95 % from {fit.low:.3f} to {fit.high:.3f}"
    )
    yield (
        f"{fit.stretches:,} stretches of {fit.seconds} s, {fit.trades:,} trades; the flow explains "
        f"{fit.r_squared:.1%}; volatility {fit.sigma_day:.2%} a day, volume {fit.volume_day:,.2f} a day"
    )
    yield "Net flow stands in for worked orders; news that moves flow and price alike makes Y look larger than it is."
    if fit.is_usable:
        yield f"To use it: RISK_IMPACT_COEFFICIENT={fit.coefficient:.3f}"
    else:
        yield "Not to be used: the interval holds zero, or Y is beyond 10. Take a longer market or longer stretches."


def impact_table(fit: ImpactFit) -> Table:
    """From small flows to large ones."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("stretches", "flow / day", "measured bps", "law bps"):
        table.add_column(name, justify="right")
    for each in fit.buckets:
        table.add_row(
            f"{each.stretches:,}", f"{each.share_of_day:.4%}", f"{each.measured_bps:+.2f}", f"{each.law_bps:+.2f}"
        )
    return table
