"""Why was it traded, refused, or not traded at all? `gpt-trader explain`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from gpt_trader.cli.stored import log_of

if TYPE_CHECKING:
    from gpt_trader.core.events import Event
    from gpt_trader.records.logs import StoredLog
    from gpt_trader.report.telling import Story

__all__ = ["explain"]

LISTED_MAX: Final = 20
NS: Final = 1_000_000_000
_AGO: Final = re.compile(r"(\d+)([smhd])")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command()
@click.argument("reference", metavar="[INTENT|ORDER]", required=False)
@click.option(
    "--run", "run", metavar="RUN", default="last", show_default=True, help="Run id, its beginning, or a path."
)
@click.option(
    "--since", metavar="TIME", help="Why was there no trade since then? 2026-01-05T03:00, or 6h before the end."
)
@click.option("--until", metavar="TIME", help="Up to then; without, to the end of the run.")
@click.option("--symbol", metavar="SYMBOL", help="Of which symbol; the run's only one needs no name.")
@click.option("--json", "as_json", is_flag=True, help="Sentences, and every sum with its result done again.")
def explain(
    reference: str | None, *, run: str, since: str | None, until: str | None, symbol: str | None, as_json: bool
) -> None:
    """Tell what became of an intent or an order: wanted, checked, sent, answered, and what it cost.

    With --since it tells why there was no trade; without anything it lists the latest intents.
    """
    log = log_of(run)
    if reference is not None and (since or until or symbol):
        raise click.UsageError("An intent or order has its own time and symbol: leave out --since, --until, --symbol.")
    if reference is not None:
        _print(_intent_story(log, reference), as_json=as_json)
    elif since or until or symbol:
        _print(_window_story(log, since, until, symbol), as_json=as_json)
    else:
        _list_latest(log, as_json=as_json)


def _events(log: StoredLog) -> Iterator[Event]:
    return (recorded.event for recorded in log.read())


def _intent_story(log: StoredLog, reference: str) -> Story:
    from gpt_trader.records.trace import TraceReader, resolve
    from gpt_trader.report.explanation import explain_intent

    reader = TraceReader(resolve(_events(log), reference))
    for event in _events(log):
        reader.take(event)
    return explain_intent(reader.trace())


def _window_story(log: StoredLog, since: str | None, until: str | None, symbol: str | None) -> Story:
    from gpt_trader.core.errors import ConfigError
    from gpt_trader.core.events import ProductListed
    from gpt_trader.records.trace import WindowReader
    from gpt_trader.report.quiet_window import explain_window

    first_ns = last_ns = 0
    traded: dict[str, None] = {}
    for event in _events(log):
        first_ns, last_ns = first_ns or event.at_ns, event.at_ns
        if isinstance(event, ProductListed):
            traded[event.symbol] = None
    if symbol is None and len(traded) != 1:
        raise ConfigError(f"--symbol: the run traded {', '.join(traded) or 'nothing'}. Fix: name one of them.")
    if symbol is not None and symbol not in traded:
        raise ConfigError(f"--symbol {symbol}: not traded in this run. Fix: {', '.join(traded) or 'another run'}.")
    since_ns = first_ns if since is None else _moment("--since", since, last_ns)
    until_ns = last_ns if until is None else _moment("--until", until, last_ns)
    if until_ns < since_ns:
        raise ConfigError(f"--until {until}: before --since. Fix: a later time.")
    reader = WindowReader(symbol or next(iter(traded)), since_ns, until_ns)
    for event in _events(log):
        reader.take(event)
    return explain_window(reader.window())


def _moment(option: str, text: str, end_ns: int) -> int:
    """A time in UTC, or so long before the end of the run. Raises ConfigError."""
    from gpt_trader.core.errors import ConfigError

    ago = _AGO.fullmatch(text)
    if ago is not None:
        return end_ns - int(ago[1]) * _UNIT_SECONDS[ago[2]] * NS
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option} {text}: no time. Fix: 2026-01-05T03:00 (UTC), or 6h, 90m, 2d before the end of the run."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp()) * NS


def _print(story: Story, *, as_json: bool) -> None:
    from gpt_trader.report.explanation import story_object, story_text

    click.echo(json.dumps(story_object(story), indent=2) if as_json else story_text(story))


def _list_latest(log: StoredLog, *, as_json: bool) -> None:
    from gpt_trader.records.trace import latest_intents

    found = latest_intents(_events(log), LISTED_MAX)
    if as_json:
        click.echo(json.dumps([{"intent": intent, "outcome": outcome} for intent, outcome in found], indent=2))
        return
    if not found:
        click.echo("The run has no intent yet; `gpt-trader explain --since 1d` says why.")
        return
    for intent, outcome in found:
        click.echo(f"{intent}  {outcome}")
    click.echo(f"\nThe last {len(found)} intents. `gpt-trader explain {found[-1][0]}` tells the story of one.")
