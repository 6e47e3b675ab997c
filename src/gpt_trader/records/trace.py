"""What belongs to one intent, and what was the state of things when it was decided? Read from the log, never written.

An intent's orders, stops and exits carry ids that begin with its own (`X`, `X:open`, `X:open:stop:2`), so a family of
ids is one story. What stands around it (settings, product, engine, position, mode) is what the log last said before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from gpt_trader.core.errors import ConfigError, Number
from gpt_trader.core.events import (
    BarsSeen,
    EngineSelected,
    EngineSwapped,
    Event,
    LimitsChanged,
    ModeChanged,
    OrderApproved,
    OrderFilled,
    OrderPlaced,
    OrderRefused,
    ProductListed,
    RunStarted,
    SettingsApplied,
    StopEscalated,
    StopKept,
    StopReleased,
    StopTriggered,
    SymbolPaused,
    TradingSignalGenerated,
)
from gpt_trader.core.values import ZERO, Mode
from gpt_trader.records.ledger import Ledger

__all__ = [
    "STOP_MARKS",
    "Around",
    "IntentTrace",
    "TraceReader",
    "Window",
    "WindowReader",
    "latest_intents",
    "resolve",
    "root_of",
]

SUGGESTIONS_MAX: Final = 5
STOP_MARKS: Final = (":stop", ":target")


class Around(msgspec.Struct, kw_only=True):
    """What held at a moment."""

    run: RunStarted | None = None
    settings: Mapping[str, Number] = {}
    products: dict[str, ProductListed] = msgspec.field(default_factory=dict)
    engine: EngineSelected | EngineSwapped | None = None
    mode: Mode = Mode.NORMAL
    mode_reason: str = ""
    pauses: dict[str, str] = msgspec.field(default_factory=dict)
    """Why entries are paused, by symbol."""
    positions: dict[str, Decimal] = msgspec.field(default_factory=dict)
    last_signals: dict[str, TradingSignalGenerated] = msgspec.field(default_factory=dict)
    """By symbol."""

    def take(self, event: Event) -> None:
        """Change by one event."""
        match event:
            case RunStarted():
                self.run = self.run or event
            case SettingsApplied():
                self.settings = event.values
            case LimitsChanged():
                self.settings = {**self.settings, **event.values}
            case ProductListed():
                self.products[event.symbol] = event
            case EngineSelected() | EngineSwapped():
                self.engine = event
            case ModeChanged():
                self.mode, self.mode_reason = event.mode, event.reason
            case SymbolPaused():
                self.pauses[event.symbol] = event.reason
            case TradingSignalGenerated():
                self.last_signals[event.symbol] = event
            case _:
                pass

    def copied(self) -> Around:
        """As it is now, whatever comes later."""
        return msgspec.structs.replace(
            self,
            products=dict(self.products),
            pauses=dict(self.pauses),
            positions=dict(self.positions),
            last_signals=dict(self.last_signals),
        )


class IntentTrace(msgspec.Struct, kw_only=True):
    """One intent and everything that its log says of it, oldest first."""

    intent_id: str
    """The root that the family of ids begins with."""
    around: Around
    """When the first of its events was written."""
    events: list[Event] = msgspec.field(default_factory=list)
    stop_moves: list[StopKept] = msgspec.field(default_factory=list)
    """How the stop that led to it had moved before; empty when no stop led to it."""

    @property
    def signal(self) -> TradingSignalGenerated | None:
        return next((event for event in self.events if isinstance(event, TradingSignalGenerated)), None)

    def legs(self) -> list[str]:
        """Ids below the root that were decided on (approved or refused), in order."""
        decided = (event.intent_id for event in self.events if isinstance(event, OrderApproved | OrderRefused))
        return list(dict.fromkeys(decided))

    def of(self, intent_id: str) -> list[Event]:
        """The events of exactly this id."""
        return [event for event in self.events if event.intent_id == intent_id]


def root_of(intent_id: str) -> str:
    """The wish that an intent id belongs to: `X` of `X:open`, `X:close`, `X:open:stop:2`."""
    for mark in STOP_MARKS:
        intent_id = intent_id.split(f"{mark}:", maxsplit=1)[0]
    for end in (*STOP_MARKS, ":open", ":close"):
        intent_id = intent_id.removesuffix(end)
    return intent_id


def resolve(events: Iterable[Event], reference: str) -> str:
    """The intent that a person means by an intent id, a client order id, a venue order id, or the end of an intent id.

    Raises ConfigError that names the nearest ones.
    """
    intents: dict[str, None] = {}
    for event in events:
        if not event.intent_id:
            continue
        if event.client_order_id == reference or (
            isinstance(event, OrderPlaced | OrderFilled) and event.venue_order_id == reference
        ):
            return event.intent_id
        intents[event.intent_id] = None
    if reference in intents:
        return reference
    family = [each for each in intents if root_of(each) == reference]
    if family:
        return reference
    near = [each for each in intents if reference in each]
    roots = list(dict.fromkeys(root_of(each) for each in near))
    if len(roots) == 1:
        return roots[0]
    raise ConfigError(_not_found(reference, roots or list(dict.fromkeys(root_of(each) for each in intents))))


def _not_found(reference: str, near: list[str]) -> str:
    if not near:
        return f"{reference!r}: the run has no intent at all. Fix: see `gpt-trader explain --since 1d` for why."
    shown = ", ".join(near[-SUGGESTIONS_MAX:])
    return (
        f"{reference!r}: no such intent or order, or not a single one; there are {len(near)}, the last {shown}. "
        "Fix: give an id from `gpt-trader explain` or `gpt-trader events show`."
    )


class TraceReader:
    """Fed with the whole log in order; keeps what belongs to one intent."""

    def __init__(self, intent_id: str) -> None:
        self._root = root_of(intent_id)
        self._around = Around()
        self._ledger = Ledger()
        self._stops: dict[str, list[StopKept]] = {}
        self._symbols: set[str] = set()
        self._trace: IntentTrace | None = None

    def take(self, event: Event) -> None:
        """Count one event."""
        if self._belongs(event):
            if self._trace is None:
                self._around.positions = {name: held.quantity for name, held in self._ledger.positions().items()}
                self._trace = IntentTrace(intent_id=self._root, around=self._around.copied())
            self._trace.events.append(event)
        self._follow_stop(event)
        self._around.take(event)
        self._ledger.apply(event)

    def trace(self) -> IntentTrace:
        """What was kept. The intent is in the log, as `resolve` has found."""
        assert self._trace is not None, f"{self._root} is not in the log"
        return self._trace

    def _belongs(self, event: Event) -> bool:
        if event.intent_id:
            return root_of(event.intent_id) == self._root
        if not isinstance(event, StopKept | StopTriggered | StopEscalated | StopReleased):
            return False
        return root_of(event.stop_id) == self._root

    def _follow_stop(self, event: Event) -> None:
        """A strategy's own stop has no intent: its exit is the signal at the moment when it triggered."""
        if isinstance(event, StopKept):
            self._stops.setdefault(event.stop_id, []).append(event)
        elif isinstance(event, StopReleased):
            self._stops.pop(event.stop_id, None)
        elif isinstance(event, StopTriggered):
            moves = self._stops.pop(event.stop_id, [])
            signal = self._trace.signal if self._trace is not None else None
            if (
                self._trace is not None
                and signal is not None
                and event not in self._trace.events
                and (signal.symbol, signal.at_ns) == (event.symbol, event.at_ns)
            ):
                self._trace.events.append(event)
                self._trace.stop_moves = moves


def latest_intents(events: Iterable[Event], most: int) -> list[tuple[str, str]]:
    """Roots of the last intents of a run and what became of each, in a word, oldest first."""
    found: dict[str, str] = {}
    for event in events:
        word = _outcome(event)
        if word:
            root = root_of(event.intent_id)
            before = found.pop(root, "")
            found[root] = ", ".join(filter(None, (before, word))) if before != "signal" else word
    return list(found.items())[-most:]


def _outcome(event: Event) -> str:
    match event:
        case TradingSignalGenerated():
            return "signal"
        case OrderRefused():
            return f"refused {event.code}"
        case OrderFilled() if event.intent_id:
            return f"{event.side.value.lower()} {event.quantity} at {event.price}"
        case _:
            return ""


class Window(msgspec.Struct, kw_only=True):
    """A stretch of time of one symbol: what held when it began, and what happened in it."""

    symbol: str
    since_ns: int
    until_ns: int
    before: Around
    events: list[Event] = msgspec.field(default_factory=list)
    bars: list[BarsSeen] = msgspec.field(default_factory=list)
    """Those that reach into it; an hour of bars may begin before it or end after it."""
    ended_ns: int = 0
    """Time of the last event of the log."""

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class WindowReader:
    """Fed with the whole log in order; keeps what concerns a symbol between two times (both included)."""

    def __init__(self, symbol: str, since_ns: int, until_ns: int) -> None:
        self._around = Around()
        self._ledger = Ledger()
        self._window = Window(symbol=symbol, since_ns=since_ns, until_ns=until_ns, before=self._around)
        self._begun = False

    def take(self, event: Event) -> None:
        """Count one event."""
        window = self._window
        if event.at_ns >= window.since_ns and not self._begun:
            self._begin()
        if isinstance(event, BarsSeen) and event.symbol == window.symbol:
            if event.last_close_ns >= window.since_ns and event.first_close_ns <= window.until_ns:
                window.bars.append(event)
        elif window.since_ns <= event.at_ns <= window.until_ns and self._concerns(event):
            window.events.append(event)
        window.ended_ns = event.at_ns
        self._around.take(event)
        self._ledger.apply(event)

    def window(self) -> Window:
        """What was kept."""
        if not self._begun:
            self._begin()
        return self._window

    def _begin(self) -> None:
        self._begun = True
        self._around.positions = {name: held.quantity for name, held in self._ledger.positions().items()}
        self._window.before = self._around.copied()

    def _concerns(self, event: Event) -> bool:
        fields = msgspec.structs.asdict(event)
        return fields.get("symbol") in {None, "", self._window.symbol}


def position_before(around: Around, symbol: str) -> Decimal:
    """Signed quantity that was held."""
    return around.positions.get(symbol, ZERO)
