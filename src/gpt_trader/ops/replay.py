"""Would it decide the same again? Strategy, engine, rules and guards once more on the inputs of a stored run.

The inputs of a simulated run are its market (a seed or a recording, proven by digest), its settings, and what people
told it; all of these the log has or names. Without changes every decision must come out the same, to the last number.
With changes the differences are listed from the first on; after it the two runs have lived different lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity
from gpt_trader.bot.rollout.plan import percent
from gpt_trader.bot.simulation import open_configured_market
from gpt_trader.bot.steering import Steering
from gpt_trader.config.bot import SYNTHETIC, BotConfig
from gpt_trader.config.stored import config_of, loaded_of
from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import (
    BootStarted,
    Event,
    FlagSet,
    GuardCleared,
    GuardTripped,
    IntentAssigned,
    LimitsChanged,
    ModeChanged,
    OperatorCommanded,
    OrderApproved,
    OrderCancelRequested,
    OrderRefused,
    OrderSubmitted,
    RolloutEnded,
    RolloutStepped,
    RunEnded,
    RunStarted,
    SettingsApplied,
    ShadowDecided,
    ShadowEnded,
    ShadowPriced,
    ShadowStarted,
    StopEscalated,
    StopTriggered,
    SymbolPaused,
    TacticEnded,
    TacticStarted,
    TradingSignalGenerated,
)
from gpt_trader.exchange.factory import ExchangeFactory
from gpt_trader.market.stream import MarketStream
from gpt_trader.ops.decision_replay import is_live, replay_decisions
from gpt_trader.ops.desk import STOP, Command, ControlDesk
from gpt_trader.ops.replayed import Difference, Replayed
from gpt_trader.ops.runner import STOP_SECONDS
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.logs import log_at
from gpt_trader.report.facts import FACTS_NAME, read_facts
from gpt_trader.report.summary import END_OF_DURATION, END_OF_MARKET, STOPPED_BY

__all__ = ["replay"]

DECISIONS: Final = (
    TradingSignalGenerated,
    IntentAssigned,
    RolloutStepped,
    RolloutEnded,
    OrderApproved,
    OrderRefused,
    TacticStarted,
    TacticEnded,
    OrderSubmitted,
    OrderCancelRequested,
    StopTriggered,
    StopEscalated,
    GuardTripped,
    GuardCleared,
    ModeChanged,
    SymbolPaused,
)
"""What the bot made up its mind about; the rest of the log is what came of it."""
SHADOW: Final = (ShadowStarted, ShadowDecided, ShadowPriced, ShadowEnded)
RELOAD: Final = "reload"
NOTHING: Final = "nothing"
NUMBERS_MAX: Final = 6
"""Numbers that are told of one difference."""


@dataclass(frozen=True)
class _Run:
    """A stored run, as far as a replay needs it."""

    started: RunStarted
    settings: SettingsApplied
    events: Sequence[Event]

    @property
    def ended(self) -> RunEnded | None:
        last = self.events[-1]
        return last if isinstance(last, RunEnded) else None

    def commands(self) -> Iterator[OperatorCommanded]:
        return (event for event in self.events if isinstance(event, OperatorCommanded))


def replay(
    store: Path,
    home: Path,
    *,
    until_ns: int | None = None,
    changes: Mapping[str, str] | None = None,
    market: str | None = None,
) -> Replayed:
    """Run it again and compare. `changes` are other values for settings; `market` says where its market lies now.

    Raises ConfigError for a run whose inputs are not at hand, StoreError for a log that is not whole.
    """
    events, changes = [recorded.event for recorded in log_at(store).read()], changes or {}
    if is_live(events):
        return replay_decisions(store.parent.name, events, until_ns=until_ns, changes=changes)
    run = _read(store.parent.name, events)
    if until_ns is None and run.ended is None:
        until_ns = run.events[-1].at_ns + 1  # it was killed: its log is a beginning
    _check_reloads(run, until_ns)
    config = config_of(run.settings.values, market or _place(store, run), changes)
    stream = _open(config, store, run, home)
    again = _again(run, config, stream, until_ns)
    recorded = _decisions(run.events, until_ns)
    replayed = _decisions(again, until_ns)
    differences, equal = _differences(recorded, replayed)
    whole = until_ns is None and not changes
    return Replayed(
        recorded=len(recorded),
        replayed=len(replayed),
        equal=equal,
        differences=differences,
        whole_log=_trading_part(run.events) == _trading_part(again) if whole else None,
    )


# --- the stored run ---------------------------------------------------------------------------------------------------
def _read(name: str, events: Sequence[Event]) -> _Run:
    started = next((event for event in events if isinstance(event, RunStarted)), None)
    settings = next((event for event in events if isinstance(event, SettingsApplied)), None)
    if started is None or settings is None:
        raise ConfigError(f"{name}: the log does not say with which settings it began; an older release wrote it")
    if sum(isinstance(event, BootStarted) for event in events) > 1:
        raise ConfigError(f"{name}: has several boots; a replay of a run that was restarted is not built")
    return _Run(started, settings, events)


def _check_reloads(run: _Run, until_ns: int | None) -> None:
    reloads = {command.at_ns for command in run.commands() if command.command == RELOAD}
    changed = [event.at_ns for event in run.events if isinstance(event, LimitsChanged) and event.at_ns in reloads]
    if changed and (until_ns is None or until_ns > changed[0]):
        raise ConfigError(
            "its settings were reloaded from files that the log does not have. Fix: --until a time before that"
        )


def _place(store: Path, run: _Run) -> str:
    if store.with_name(FACTS_NAME).exists():
        return read_facts(store).market_place
    name = run.started.market.partition(" ")[0]
    if name != SYNTHETIC:
        raise ConfigError(f"{store.parent.name}: ran on {name}; where does it lie? Fix: --market NAME|FILE")
    return SYNTHETIC


def _open(config: BotConfig, store: Path, run: _Run, home: Path) -> MarketStream:
    facts = read_facts(store) if store.with_name(FACTS_NAME).exists() else None
    stream = open_configured_market(
        config, home, from_ns=facts.from_ns if facts else None, to_ns=facts.to_ns if facts else None
    )
    if not run.started.market.endswith(stream.digest):
        raise ConfigError(
            f"market {config.venue.market!r}: not the one that the run traded ({run.started.market[:40]}...). "
            "Fix: --market NAME|FILE"
        )
    return stream


# --- once more --------------------------------------------------------------------------------------------------------
def _again(run: _Run, config: BotConfig, stream: MarketStream, until_ns: int | None) -> list[Event]:
    """Every event of the run as it would be now, read back as it was written."""
    end_ns = stream.end_ns
    if config.run.duration is not None:
        end_ns = min(end_ns, stream.start_ns + config.run.duration * NS)
    at_end = END_OF_MARKET if end_ns == stream.end_ns else END_OF_DURATION
    clock = VirtualClock(stream.start_ns)
    adapter = ExchangeFactory(clock).paper(config, stream, clock)
    started = run.started
    identity = RunIdentity(
        run_id=started.run_id,
        boot=1,
        environment=started.environment,
        config_digest=started.config_digest,
        market=started.market,
        seed=started.seed,
    )
    with (
        tempfile.TemporaryDirectory(prefix="gpt-trader-replay-") as folder,
        EventStore.open(Path(folder) / "events.sqlite", started.run_id, 1, durable=False) as store,
    ):
        builder = PerpsBotBuilder(
            config, adapter=adapter, clock=clock, journal=store, identity=identity, bar_seconds=stream.bar_seconds
        )
        built = builder.build()
        run_virtual(clock, adapter, lambda: _live(built, run, config, end=(end_ns, at_end), until_ns=until_ns))
        return [recorded.event for recorded in store.read()]


async def _live(built: BuiltBot, run: _Run, config: BotConfig, *, end: tuple[int, str], until_ns: int | None) -> None:
    bot, (end_ns, at_end) = built.bot, end
    loaded = loaded_of(config)
    desk = ControlDesk(built, Steering(built, loaded, lambda: loaded), run=run.started.run_id, recorded=True)
    await bot.start()
    telling = asyncio.ensure_future(_tell(built, desk, tuple(run.commands())))
    cut = until_ns is not None and until_ns < end_ns
    # A run that is cut short is asked to stop from outside: a bot that knows its end lets its last bar pass.
    stopping = asyncio.ensure_future(_stop_at(built, until_ns)) if cut and until_ns is not None else None
    reason = await bot.run_until_stopped(end_ns, at_end)
    telling.cancel()
    if stopping is not None:
        return
    if reason.startswith(STOPPED_BY):
        desk.stopped(reason)
    await bot.stop(reason, STOP_SECONDS if reason.startswith(STOPPED_BY) else None)


async def _stop_at(built: BuiltBot, until_ns: int) -> None:
    await built.bot.clock.sleep((until_ns - built.bot.clock.now_ns()) / NS)
    built.bot.request_stop("replayed so far")


async def _tell(built: BuiltBot, desk: ControlDesk, commands: Sequence[OperatorCommanded]) -> None:
    """Everything that people said, at its time; some of it takes longer than until the next."""
    clock, told = built.bot.clock, set()
    for command in commands:
        await clock.sleep((command.at_ns - clock.now_ns()) / NS)
        if command.command == STOP:
            built.bot.request_stop(command.reason)
            return
        task = asyncio.ensure_future(_tell_one(desk, command))
        told.add(task)
        task.add_done_callback(told.discard)


async def _tell_one(desk: ControlDesk, command: OperatorCommanded) -> None:
    with contextlib.suppress(ConfigError):  # what was refused then is refused again, and told in the log
        await desk.take(
            Command(name=command.command, arguments=command.arguments, who=command.who, reason=command.reason)
        )


# --- compared ---------------------------------------------------------------------------------------------------------
def _trading_part(events: Sequence[Event]) -> list[Event]:
    """A replay has the settings of the run and not the files they came from; who looked on had no say."""
    told = (event for event in events if not isinstance(event, SHADOW))
    return [msgspec.structs.replace(e, beneath="") if isinstance(e, FlagSet) else e for e in told]


def _decisions(events: Sequence[Event], until_ns: int | None) -> list[Event]:
    return [event for event in events if isinstance(event, DECISIONS) and (until_ns is None or event.at_ns < until_ns)]


def _differences(recorded: Sequence[Event], replayed: Sequence[Event]) -> tuple[tuple[Difference, ...], int]:
    """What is not the same, by kind and by what it was about, and how much is; repeated decisions are numbered."""
    first, second = _by_subject(recorded), _by_subject(replayed)
    subjects = [*first, *(subject for subject in second if subject not in first)]
    found = []
    for subject in subjects:
        a, b = first.get(subject), second.get(subject)
        if a is None or b is None or a != b:
            at_ns = min(event.at_ns for event in (a, b) if event is not None)
            found.append(Difference(at_ns, subject, *_told(a, b)))
    return tuple(sorted(found, key=lambda difference: difference.at_ns)), len(subjects) - len(found)


def _by_subject(events: Sequence[Event]) -> dict[str, Event]:
    found: dict[str, Event] = {}
    counts: dict[str, int] = {}
    for event in events:
        subject = f"{type(event).__name__} {event.client_order_id or event.intent_id or _where(event)}".strip()
        counts[subject] = counts.get(subject, 0) + 1
        found[subject if counts[subject] == 1 else f"{subject} #{counts[subject]}"] = event
    return found


def _where(event: Event) -> str:
    match event:
        case GuardTripped() | GuardCleared():
            return f"{event.guard} {event.symbol}".strip()
        case SymbolPaused() | StopTriggered() | StopEscalated():
            return event.symbol
        case _:
            return ""


def _told(a: Event | None, b: Event | None) -> tuple[str, str]:
    """Both in a few words; where these are the same, with the numbers that are not."""
    first, second = _words(a), _words(b)
    if a is None or b is None or first != second:
        return first, second
    apart = [name for name, value in _numbers(a).items() if _numbers(b).get(name) != value][:NUMBERS_MAX]
    old, new = _numbers(a), _numbers(b)
    before = ", ".join(f"{name} {old[name]}" for name in apart)
    after = ", ".join(f"{name} {new.get(name, NOTHING)}" for name in apart)
    return f"{first}: {before}", f"{second}: {after}"


def _numbers(event: Event) -> dict[str, object]:
    """Every field, and what stands in the tables among them, by name."""
    found: dict[str, object] = {}
    for name, value in msgspec.structs.asdict(event).items():
        if isinstance(value, Mapping):
            found.update({str(key): each for key, each in value.items()})
        else:
            found[name] = value
    return found


def _words(event: Event | None) -> str:
    """A decision in a few words."""
    match event:
        case None:
            return NOTHING
        case TradingSignalGenerated():
            return f"wants {event.action} {event.symbol}"
        case OrderApproved():
            return f"approved {event.side} {event.quantity:f} {event.symbol} by {event.tactic}, {event.engine}"
        case OrderRefused():
            return f"refused {event.side} {event.symbol}: {event.code}, {event.engine}"
        case OrderSubmitted():
            price = "" if event.limit_price is None else f" at {event.limit_price:f}"
            return f"sent {event.side} {event.quantity:f} {event.symbol}{price}"
        case IntentAssigned():
            return f"to {event.engine} ({event.why})"
        case RolloutStepped():
            return f"rollout at {percent(event.share)}"
        case RolloutEnded():
            return f"rollout {event.outcome}"
        case GuardTripped():
            return f"tripped: {event.action}"
        case ModeChanged():
            return f"mode {event.mode}"
        case _:
            return type(event).__name__
