"""What has a run written down, and is it whole? `gpt-trader events show` and `events verify`; the rest is upkeep."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gpt_trader.cli.console import console_for_people
from gpt_trader.cli.stored import log_of
from gpt_trader.cli.upkeep import UPKEEP

if TYPE_CHECKING:
    from gpt_trader.core.events import Event
    from gpt_trader.core.journal import Recorded
    from gpt_trader.records.rebuild import Rebuilt
    from gpt_trader.records.shelf import Verification

__all__ = ["events"]

STORE_DAMAGED: Final = 3
"""Exit code of `events verify` when the log is not what was written."""

BREAKS_SHOWN_MAX: Final = 20
_BESIDE: Final = frozenset({"type", "at_ns", "intent_id", "client_order_id", "symbol"})
"""Fields with a column of their own."""


@click.group()
def events() -> None:
    """Read, verify and look after what a run has written down.

    RUN is a run id or the beginning of one, `last`, the path of a store, or postgresql://host/database#RUN for a log on
    a server; a run whose folder names its server is found by its id once GPT_TRADER_STORE_URL is set.
    """


for command in UPKEEP:
    events.add_command(command)


@events.command()
@click.argument("run")
@click.option("--type", "types", metavar="NAME", multiple=True, help="Only events of this type; may be repeated.")
@click.option("--intent", metavar="ID", help="Only events of this intent.")
@click.option("--order", metavar="ID", help="Only events of this client order id.")
@click.option("--after", metavar="SEQUENCE", type=click.IntRange(min=0), help="Only events after this sequence number.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="At most so many: the newest, or with --after the first after it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(
    run: str,
    *,
    types: tuple[str, ...],
    intent: str | None,
    order: str | None,
    after: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print events, each verified against the chain as it is read."""
    from itertools import islice

    log = log_of(run)
    _check_types(types)
    filtered = bool(types or intent or order)
    start = after if after is not None else 0 if filtered else max(0, log.head().sequence - limit)
    wanted = (item for item in log.read(start) if _matches(item.event, types, intent, order))
    chosen = islice(wanted, limit) if after is not None else deque(wanted, maxlen=limit)
    if as_json:
        _print_lines(chosen)
    else:
        _print_events(chosen)


@events.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--anchor",
    "anchor_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Hold the log against the anchors in this file, too.",
)
def verify(run: str, *, as_json: bool, anchor_file: Path | None) -> int:
    """Walk the whole log, name every break, and rebuild the ledger from it.

    A log on a server is named postgresql://host/database#RUN. Exit code 0 when the log is whole, 3 when it is not.
    """
    from gpt_trader.records.anchors import read_anchors
    from gpt_trader.records.rebuild import verify_and_rebuild

    anchors = read_anchors(anchor_file) if anchor_file is not None else ()
    verification, rebuilt = verify_and_rebuild(log_of(run), anchors)
    if as_json:
        import json

        click.echo(json.dumps(_as_object(verification, rebuilt), indent=2))
    else:
        _print_verification(verification, rebuilt)
    return STORE_DAMAGED if verification.breaks else 0


def _check_types(types: Iterable[str]) -> None:
    from gpt_trader.records.schema import EVENT_TYPES

    for name in types:
        if name not in EVENT_TYPES:
            near = difflib.get_close_matches(name, EVENT_TYPES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(EVENT_TYPES))}"
            raise click.BadParameter(f"{name!r} is no event type; {hint}", param_hint="--type")


def _matches(event: Event, types: tuple[str, ...], intent: str | None, order: str | None) -> bool:
    return (
        (not types or type(event).__name__ in types)
        and (intent is None or event.intent_id == intent)
        and (order is None or event.client_order_id == order)
    )


def _print_lines(chosen: Iterable[Recorded]) -> None:
    import msgspec

    from gpt_trader.records.schema import encode

    for item in chosen:
        line = {
            "sequence": item.sequence,
            "boot": item.boot,
            "hash": item.digest,
            "event": msgspec.Raw(encode(item.event)),
        }
        click.echo(msgspec.json.encode(line).decode())


def _print_events(chosen: Iterable[Recorded]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from gpt_trader.core.clock import iso

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("sequence", justify="right")
    for name in ("time", "event", "symbol", "what", "intent and order"):
        table.add_column(name, overflow="fold")
    for item in chosen:
        fields = _fields(item.event)
        ids = "\n".join(text for text in (item.event.intent_id, item.event.client_order_id) if text)
        what = "  ".join(f"{name}={value}" for name, value in _flat(fields) if name not in _BESIDE)
        name = type(item.event).__name__
        row = (str(item.sequence), iso(item.event.at_ns), name, str(fields.get("symbol", "")), what, ids)
        table.add_row(*(Text(cell) for cell in row), style=_style(name))
    console = console_for_people()
    console.print(table if table.row_count else "no such event")


def _style(name: str) -> str:
    if name in {"OrderRefused", "OrderRejected", "OrderFailed", "OrderOutcomeUnknown", "GuardTripped"}:
        return "yellow"
    return {"OrderFilled": "green", "SystemError": "bold red"}.get(name, "")


def _fields(event: Event) -> dict[str, Any]:
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields


def _flat(fields: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _as_object(verification: Verification, rebuilt: Rebuilt) -> dict[str, Any]:
    """What verify found, and the rebuilt state when the log is whole; money as decimal strings."""
    found: dict[str, Any] = {
        "run": verification.run_id,
        "store": verification.path,
        "sound": not verification.breaks,
        "events": verification.events,
        "head": {"sequence": verification.head.sequence, "hash": verification.head.digest},
        "breaks": [
            {"sequence": item.sequence, "kind": item.kind, "detail": item.detail} for item in verification.breaks
        ],
        "notes": list(verification.notes),
    }
    if not verification.breaks:
        found["ended"] = rebuilt.ended.reason if rebuilt.ended else None
        found["ledger"] = _ledger_object(rebuilt)
        found["orders"] = _order_states(rebuilt)
    return found


def _ledger_object(rebuilt: Rebuilt) -> dict[str, Any]:
    ledger = rebuilt.ledger
    money = {
        "starting_cash": ledger.starting_cash,
        "realised": ledger.realised,
        "fees": ledger.fees,
        "funding": ledger.funding,
        "transfers": ledger.transfers,
        "cash": ledger.cash,
    }
    symbols = {}
    for symbol in ledger.symbols():
        totals = ledger.totals(symbol)
        symbols[symbol] = {
            "quantity": f"{totals.quantity:f}",
            "entry_price": f"{ledger.position(symbol).entry_price:f}",
            "realised": f"{totals.realised:f}",
            "fees": f"{totals.fees:f}",
            "funding": f"{totals.funding:f}",
        }
    return {
        **{name: f"{value:f}" for name, value in money.items()},
        "symbols": symbols,
        "duplicates": ledger.duplicates,
    }


def _order_states(rebuilt: Rebuilt) -> dict[str, int]:
    from collections import Counter

    return dict(Counter(line.state.value for line in rebuilt.orders.values()))


def _print_verification(verification: Verification, rebuilt: Rebuilt) -> None:
    from rich.text import Text

    console = console_for_people()
    found = _as_object(verification, rebuilt)
    verdict = Text("whole", "bold green") if found["sound"] else Text("BROKEN", "bold red")
    console.print(Text.assemble(("run ", "bold"), found["run"], ": ", verdict))
    console.print(Text(f"store   {found['store']}"))
    console.print(Text(f"events  {found['events']}"))
    console.print(Text(f"head    sequence {found['head']['sequence']}, hash {found['head']['hash']}"))
    for note in verification.notes:
        console.print(Text(f"note    {note}", "yellow"))
    if verification.breaks:
        _print_breaks(console, verification)
        return
    console.print(Text(f"ended   {found['ended'] or 'no orderly end: the process was killed, or still runs'}"))
    _print_ledger(console, found["ledger"])
    states = ", ".join(f"{state} {count}" for state, count in sorted(found["orders"].items()))
    console.print(Text(f"orders  {states or 'none'}"))
    for line in rebuilt.living():
        sent = line.submitted
        console.print(
            Text(
                f"        {line.state} {sent.client_order_id} {sent.symbol} {sent.side} "
                f"{line.filled} of {sent.quantity} filled"
            )
        )


def _print_breaks(console: Any, verification: Verification) -> None:
    from rich.text import Text

    for item in verification.breaks[:BREAKS_SHOWN_MAX]:
        console.print(Text(f"break   {item}", "bold red"))
    if len(verification.breaks) > BREAKS_SHOWN_MAX:
        console.print(Text(f"        and {len(verification.breaks) - BREAKS_SHOWN_MAX} more"))
    first = verification.breaks[0]
    console.print(
        Text(
            f"The log can be trusted up to the event before sequence {max(first.sequence, 1)}. Keep a copy of the "
            "folder before anything else; no ledger is shown, since it would be built on damage."
        )
    )


def _print_ledger(console: Any, ledger: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    names = ("starting_cash", "realised", "fees", "funding", "transfers", "cash")
    console.print(Text("ledger  " + "  ".join(f"{name} {ledger[name]}" for name in names)))
    if ledger["duplicates"]:
        console.print(Text(f"        {ledger['duplicates']} came twice and were counted once"))
    if not ledger["symbols"]:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("symbol")
    for name in ("quantity", "entry_price", "realised", "fees", "funding"):
        table.add_column(name, justify="right")
    for symbol, row in ledger["symbols"].items():
        table.add_row(Text(symbol), *row.values())
    console.print(table)
