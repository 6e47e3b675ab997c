"""How does a person say how market data is to be read and judged? Options that several `data` commands share."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gpt_trader.market.importing import FileReading
    from gpt_trader.market.quality_flaws import Limits

__all__ = ["chosen_limits", "chosen_reading", "limit_options", "range_options", "reading_options"]


class _Step(click.ParamType[Decimal]):
    """A decimal above zero."""

    name = "decimal"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            step = Decimal(value)
        except InvalidOperation:
            step = Decimal(0)
        if not step.is_finite() or step <= 0:
            self.fail(f"{value!r} is not a decimal above zero, such as 0.5", param, ctx)
        return step


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how a file is to be read."""
    for option in (
        click.option(
            "--bar-seconds",
            metavar="N",
            type=click.IntRange(min=1),
            help="Of a raw capture: length of the bars that strategies get.",
        ),
        click.option(
            "--lot",
            metavar="STEP",
            type=_Step(),
            help="Of bars: quantity step in base units [default: about 10 of the quote currency].",
        ),
        click.option(
            "--tick", metavar="STEP", type=_Step(), help="Of bars: price step [default: found in the prices]."
        ),
        click.option(
            "--symbol",
            metavar="NAME",
            help="Of bars: what they are of, such as BTC-PERP [default: after the file's name].",
        ),
        click.option(
            "--stamp",
            type=click.Choice(["open", "close"]),
            help="Of bars: is the time of a bar its open or its close? WRONG IS ONE BAR OF LOOK-AHEAD: read as the "
            "close when it is the open, every bar is known a bar too early. Most exchanges stamp the open. "
            "[default: by evidence, else open, and the notes say which]",
        ),
        click.option(
            "--columns",
            metavar="MAP",
            help="Of bars with other headers: ts=COLUMN,open=COLUMN,high=..,low=..,close=.. and volume=.. (in the "
            "quote currency) or base_volume=..; column numbers from 1 where there is no header.",
        ),
    ):
        command = option(command)
    return command


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where a flaw begins."""
    for option in (
        click.option(
            "--silence",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            help="Mark silences longer than this [default: 10].",
        ),
        click.option(
            "--jump",
            metavar="K",
            type=click.FloatRange(min=1),
            help="Mark moves of more than K robust deviations [default: 30].",
        ),
    ):
        command = option(command)
    return command


def range_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--to", "until", metavar="TIME", help="Up to this time, such as 2022-01-07 or 2022-01-07T12:00 (UTC)."
        ),
        click.option("--from", "since", metavar="TIME", help="From this time on."),
    ):
        command = option(command)
    return command


def chosen_reading(**options: Any) -> FileReading:
    from gpt_trader.market.csv_columns import parse_columns
    from gpt_trader.market.importing import FileReading

    columns = options.pop("columns")
    return FileReading(columns=None if columns is None else parse_columns(columns), **options)


def chosen_limits(silence: float | None, jump: float | None) -> Limits:
    import msgspec

    from gpt_trader.market.quality_flaws import Limits

    limits = Limits()
    if silence is not None:
        limits = msgspec.structs.replace(limits, silence_seconds=silence)
    if jump is not None:
        limits = msgspec.structs.replace(limits, jump_deviations=jump)
    return limits
