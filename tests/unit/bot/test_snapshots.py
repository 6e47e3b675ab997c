"""Does a snapshot and what follows it give what the whole log gives? And is a bad one noticed?"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import hashlib
import sqlite3
import types
from collections.abc import Callable, Sequence
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import D
from tests.house_under_test import House, a_config
from tests.killed_house import a_market, a_venue, an_entry

from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity
from gpt_trader.bot.recovery import Recovery
from gpt_trader.bot.snapshots import decoded, encoded
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, VirtualClock
from gpt_trader.core.events import (
    BootStarted,
    Event,
    ExternalClaimed,
    ExternalPositionSeen,
    FlagSet,
    LogRepaired,
    ModeChanged,
    SlippageExceeded,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event
    TransferObserved,
)
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import Mode, Side
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import last_boot, last_sequence, read_run
from gpt_trader.research.bad_days.day import _Day
from gpt_trader.research.bad_days.drawing import draw_day

SYMBOL, OTHER = "BTC-PERP", "ETH-PERP"
RARE: tuple[Callable[[int], Event], ...] = (
    lambda at: ExternalPositionSeen(at_ns=at, symbol=SYMBOL, quantity=D("0.3"), entry_price=D(60_000), own=D(0)),
    lambda at: ExternalPositionSeen(at_ns=at, symbol=OTHER, quantity=D("-2"), entry_price=D(3_000), own=D(0)),
    lambda at: ExternalClaimed(
        at_ns=at, symbol=SYMBOL, quantity=D("0.3"), entry_price=D(60_000), who="anna", reason="mine"
    ),
    lambda at: TransferObserved(at_ns=at, amount=D("-12.5"), key="cash-1"),
    lambda at: FlagSet(
        at_ns=at, flag="enable_market_impact_guard", value="true", source="runtime", who="a", reason="b"
    ),
    lambda at: ModeChanged(at_ns=at, mode=Mode.REDUCE_ONLY, was=Mode.NORMAL, reason="a look", who="anna"),
    lambda at: SymbolPaused(at_ns=at, symbol=OTHER, reason="anna: a look"),
    lambda at: LogRepaired(at_ns=at, kept=3, reached=9, reason="a flip", quarantine="quarantine-1"),
    lambda at: SlippageExceeded(
        at_ns=at,
        symbol=SYMBOL,
        side=Side.BUY,
        filled=D(1),
        average_price=D(9),
        arrival_mid=D(8),
        slippage_bps=D(1250),
        limit_bps=D(50),
    ),
)
"""What a day seldom has, spread over it."""

SHARES = (0, 0.13, 0.37, 0.62, 0.9, 1)
"""Of the log, before the cut."""
BEYOND_THE_LOG = (
    asyncio.Lock,
    EventBus,
    PaperExchange,
    VirtualClock,
    functools.partial,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
)
"""What a part works with, and does not know from events."""


def a_builder(
    store: EventStore,
    boot: int = 1,
    every: int = 0,
    adapter: PaperExchange | None = None,
    clock: VirtualClock | None = None,
) -> PerpsBotBuilder:
    if adapter is None or clock is None:
        adapter, clock = a_venue(a_market("at the venue"))
    identity = RunIdentity(
        run_id="test-run", boot=boot, environment="simulated", config_digest="", market="steady", seed=0
    )
    return PerpsBotBuilder(
        a_config(),
        adapter=adapter,
        clock=clock,
        journal=store,
        identity=identity,
        bar_seconds=60,
        snapshot_events=every,
    )


@pytest.fixture(scope="module", params=[("live", 7), ("advanced", 9)], ids=lambda each: each[0])
def bad_day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """The log of a day with lost replies, crashes, stops, tactics, pauses and strangers on the account."""
    engine, seed = request.param
    day = _Day(msgspec.structs.replace(draw_day(seed, 20), engine=engine), tmp_path_factory.mktemp("day"))
    day.play()
    return mixed(list(read_run(day._path)), RARE)


def mixed(log: list[Recorded], rare: Sequence[Callable[[int], Event]]) -> list[Recorded]:
    """The rare ones in the middle of the others, at equal distances."""
    step = len(log) // (len(rare) + 1)
    for number, make in reversed(list(enumerate(rare, 1))):
        place = number * step
        log.insert(place, msgspec.structs.replace(log[place], event=make(log[place].event.at_ns)))
    return log


def insides(thing: Any, seen: tuple[int, ...] = ()) -> Any:
    """Everything that a part holds, down to plain values; what does not come from the log is left out."""
    if isinstance(thing, Enum | str | bytes | int | float | type | None) or type(thing).__name__ == "Decimal":
        return thing
    if isinstance(thing, BEYOND_THE_LOG) or id(thing) in seen:
        return type(thing).__name__
    seen = (*seen, id(thing))
    if isinstance(thing, dict | types.MappingProxyType):
        return [(insides(key, seen), insides(value, seen)) for key, value in thing.items()]
    if isinstance(thing, list | tuple | collections.deque):
        return [insides(each, seen) for each in thing]
    if isinstance(thing, set | frozenset):
        return sorted(map(str, thing))
    if isinstance(thing, msgspec.Struct):
        return [(name, insides(getattr(thing, name), seen)) for name in thing.__struct_fields__]
    slots = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
    names = [*vars(thing)] if hasattr(thing, "__dict__") else slots
    return [(name, insides(getattr(thing, name), seen)) for name in names if "cache" not in name]


@pytest.fixture(scope="module")
def whole(bad_day: list[Recorded], tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """What the whole log gives."""
    recovery = a_recovery(tmp_path_factory.mktemp("whole"))
    recovery.replay(bad_day)
    return encoded(recovery.state()), inside(recovery)


def a_recovery(folder: Path) -> Recovery:
    path = folder / "run" / "events.sqlite"
    with EventStore.open(path, "test-run", last_boot(path) + 1, durable=False) as store:
        return a_builder(store).remembering()


def inside(recovery: Recovery) -> dict[str, Any]:
    return {name: insides(part) for name, part in vars(recovery).items()}


@pytest.mark.parametrize("share", SHARES)
def test_23_a_snapshot_and_the_rest_is_the_whole_replay(
    bad_day: list[Recorded], whole: tuple[bytes, dict[str, Any]], tmp_path: Path, share: float
) -> None:
    """Bit for bit, wherever the log is cut; and there is nothing in any part that the snapshot forgot."""
    first, second = a_recovery(tmp_path), a_recovery(tmp_path)
    cut = round(len(bad_day) * share)
    first.replay(bad_day[:cut])

    second.begin_from(decoded(encoded(first.state())))
    second.replay(bad_day[cut:])

    assert encoded(second.state()) == whole[0]
    for name, part in inside(second).items():
        assert part == whole[1][name], name


def test_the_days_that_are_cut_hold_what_a_part_may_know(bad_day: list[Recorded]) -> None:
    """Else the test above would prove little."""
    kinds = {type(each.event).__name__ for each in bad_day}

    assert kinds >= {"TacticStarted", "StopKept", "PositionClosed", "BootStarted", "OrderCancelled", "ExternalClaimed"}


# --- at the start -----------------------------------------------------------------------------------------------------
def some_boots(folder: Path, boots: int = 3, every: int = 5, *, first: int = 1, seconds: float = 2) -> Path:
    """Each with orders and an orderly end, so that a snapshot lies beside the log."""
    path = folder / "run" / "events.sqlite"
    for boot in range(first, first + boots):
        adapter, clock = a_venue(a_market("at the venue"))
        with EventStore.open(path, "test-run", boot, durable=True) as store:
            house = House(a_builder(store, boot, every, adapter, clock).build(), adapter, store, clock)

            async def play(house: House = house, clock: VirtualClock = clock, boot: int = boot) -> None:
                entry = msgspec.structs.replace(an_entry("at the venue", clock.now_ns()), intent_id=f"entry-{boot}")
                await house.bot.engine.place_order(entry)
                await house.bot.stop(await house.bot.run_until_stopped(clock.now_ns() + round(seconds * NS)))

            house.run(play)
    return path


def boot(path: Path, every: int = 5) -> tuple[BuiltBot, list[Event]]:
    """What the next boot knows before it has done anything, and how it began."""
    with EventStore.open(path, "test-run", last_boot(path) + 1, durable=True) as store:
        known = last_sequence(path)
        built = a_builder(store, store.boot, every).build()
        assert built.replayed == known, "every event is known, one way or the other"
        return built, [each.event for each in store.read(known)]


def began_from(facts: list[Event]) -> int:
    return next(each.from_snapshot for each in facts if isinstance(each, BootStarted))


def rows(path: Path) -> list[int]:
    """Events that the kept snapshots follow from, the oldest first."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT sequence FROM snapshots ORDER BY sequence")]


def change(path: Path, what: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE snapshots SET {what}", values)


def test_a_boot_begins_from_the_snapshot_of_the_last_stop(tmp_path: Path) -> None:
    """Nothing is read one by one, and what is known is what the whole log gives."""
    path = some_boots(tmp_path)
    newest = last_sequence(path)

    built, facts = boot(path)

    assert began_from(facts) == rows(path)[-1] == newest
    assert encoded(built.recovery.state()) == of_the_whole_log(path, newest)


def of_the_whole_log(path: Path, until: int) -> bytes:
    recovery = a_recovery(path.parent / "beside")
    recovery.replay(islice(read_run(path), until))
    return encoded(recovery.state())


def test_a_killed_boot_leaves_the_snapshot_of_its_start(tmp_path: Path) -> None:
    """What came after it is read one by one."""
    path = some_boots(tmp_path, boots=2)
    stopped = last_sequence(path)
    boot(path)  # and no stop

    _, facts = boot(path)

    assert began_from(facts) == stopped < last_sequence(path)


DAMAGE = {
    "its bytes are not those that were written": ("state = zeroblob(length(state))", ()),
    "the log has another event there": ("hash = zeroblob(32)", ()),
    "it was written by": ("code_version = '0.0.1 layout 1'", ()),
    "it cannot be read": ("state = ?, digest = ?", (b"{}", hashlib.sha256(b"{}").digest())),
}


@pytest.mark.parametrize("told", DAMAGE)
def test_a_bad_snapshot_is_told_and_the_whole_log_is_replayed(tmp_path: Path, told: str) -> None:
    """Damaged, of another log, of another release, or no state at all: never used, never fatal."""
    path = some_boots(tmp_path)
    what, values = DAMAGE[told]
    change(path, what, *values)
    until = last_sequence(path)

    built, facts = boot(path)

    assert began_from(facts) == 0
    assert encoded(built.recovery.state()) == of_the_whole_log(path, until)
    assert all(told in problem for problem in built.bot.unusable_snapshots)
    assert len(built.bot.unusable_snapshots) == 2


def test_the_older_snapshot_serves_where_the_newest_is_damaged(tmp_path: Path) -> None:
    """That is what two are kept for."""
    path = some_boots(tmp_path)
    older, newest = rows(path)
    change(path, "state = zeroblob(9) WHERE sequence = ?", newest)

    _, facts = boot(path)

    assert began_from(facts) == older


def test_what_was_wrong_with_a_snapshot_is_an_event_of_the_next_boot(tmp_path: Path) -> None:
    """Said aloud, where log and alarms have it."""
    path = some_boots(tmp_path, boots=2)
    change(path, "state = zeroblob(9)")
    some_boots(tmp_path, boots=1, first=3)

    told = [each.event for each in read_run(path) if isinstance(each.event, SystemError)]

    assert [each.source for each in told] == ["snapshot"] * 2
    assert "it is damaged" in told[0].message


# --- while the bot trades ---------------------------------------------------------------------------------------------
def test_one_is_made_every_so_many_events(tmp_path: Path) -> None:
    """Not only at the end: whoever is killed an hour later reads an hour, not a year."""
    path = some_boots(tmp_path, boots=1, every=10, seconds=60)

    at_stop = last_sequence(path)
    older, newest = rows(path)

    assert newest == at_stop
    assert 10 <= older < at_stop


def test_damage_before_the_snapshot_is_found_while_trading(tmp_path: Path) -> None:
    """The start has not read it; it is read and verified a little later, and then nothing is entered any more."""
    path = some_boots(tmp_path, boots=2)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE events SET payload = replace(payload, 'test-run', 'best-run') WHERE sequence = 1")

    some_boots(tmp_path, boots=1, first=3, seconds=30)

    facts = [each.event for each in rows_of(path)]
    assert any(
        isinstance(each, ModeChanged) and each.mode is Mode.REDUCE_ONLY and each.who == "event store" for each in facts
    )


def rows_of(path: Path) -> list[Recorded]:
    """Those after the damage."""
    return list(read_run(path, 1))
