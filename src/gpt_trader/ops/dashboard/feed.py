"""What is known of one run? Its log, read on as it grows, and of a running bot one picture a second.

However many people look, the bot is asked once: everybody sees the same `RunFeed`. All that is kept has a limit, but
for what the story of a run keeps of its fills and refusals.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.bot.invariants.review import Review, Verdict
from gpt_trader.core.clock import iso
from gpt_trader.core.errors import ConfigError, GptTraderError, StoreError
from gpt_trader.core.events import (
    Event,
    OrderApproved,
    OrderFilled,
    OrderReconciled,
    OrderRefused,
    OrderSubmitted,
    ProductListed,
    RunEnded,
    RunStarted,
    StopKept,
    StopReleased,
    StopTriggered,
    TradingSignalGenerated,
)
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import ZERO, OrderState, Side
from gpt_trader.ops.asking import CommandRefused, Running, running_bots
from gpt_trader.ops.dashboard.trail import Trail
from gpt_trader.ops.panel import decision_line
from gpt_trader.ops.picture import Picture
from gpt_trader.ops.top import LogTail, log_of_folder, look_at
from gpt_trader.records.flag_history import sentence_of
from gpt_trader.records.orders import OrderLine
from gpt_trader.records.shadow import ShadowAnalysis
from gpt_trader.records.trace import STOP_MARKS, Around, root_of
from gpt_trader.report.facts import RunFacts, read_facts
from gpt_trader.report.run_story import RunStory

__all__ = ["IntentLine", "RunFeed", "StopPath", "ask", "facts_beside"]

EVENTS_A_LOOK: Final = 5_000
"""So much of a log is read at once; a long one is shown as it is read."""
INTENTS_KEPT: Final = 400
LINES_KEPT: Final = 400
ENDED_ORDERS_KEPT: Final = 200
STOP_POINTS_MAX: Final = 4000
ROLLOUT_WORDS: Final = ("ShadowStarted", "ShadowEnded", "Rollout")
"""In the name of an event that tells of a candidate engine."""


class IntentLine(msgspec.Struct, kw_only=True):
    """One wish, and how far it came."""

    intent_id: str
    at_ns: int
    symbol: str
    wanted: str = ""
    outcome: str = ""
    tone: str = ""
    engine: str = ""
    tactic: str = ""


class StopPath(msgspec.Struct, kw_only=True):
    """Where one stop or target stood, over time."""

    symbol: str
    stop_id: str
    kind: str
    points: list[tuple[int, Decimal]] = msgspec.field(default_factory=list)
    ended_ns: int = 0
    """0 while it is kept."""


class RunFeed:
    """One run. `refresh` is called by one thread at a time; whoever shows it holds `lock` meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError where there is no log to read here."""
        self.folder = folder
        self.log = log_of_folder(folder)
        self.lock = threading.RLock()
        self.version = 0
        """Grows with everything that is new."""
        self.asked_ns = 0
        """When somebody last looked."""
        self.problem = ""
        """Why the log could not be read on at the last look; empty while it can."""
        self.behind = True
        """More of the log is there than was read."""
        self.story = RunStory()
        self.around = Around()
        self.review = Review()
        self.trail = Trail()
        self.orders: OrderedDict[str, OrderLine] = OrderedDict()
        """Those that live, and the newest of those that ended."""
        self.intents: OrderedDict[str, IntentLine] = OrderedDict()
        self.lines: deque[tuple[int, str, str]] = deque(maxlen=LINES_KEPT)
        """(time, sentence, tone) of what a person follows."""
        self.flag_lines: deque[tuple[int, str]] = deque(maxlen=LINES_KEPT)
        self.rollout_lines: deque[tuple[int, str, Event]] = deque(maxlen=LINES_KEPT)
        self.facts = facts_beside(self.log.place)
        """Of a run that came to its end."""
        self.shadow = ShadowAnalysis()
        self.products: dict[str, ProductListed] = {}
        self.stops: OrderedDict[str, StopPath] = OrderedDict()
        self.picture: Picture | None = None
        self.flags: tuple[Mapping[str, str], ...] = ()
        self.rollout: Mapping[str, object] = {}
        """How far a rollout is, in the bot's words; empty where there is none."""
        self._tail = LogTail(self.log)
        self._ended: deque[str] = deque()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def started(self) -> RunStarted | None:
        return self.story.started

    @property
    def is_running(self) -> bool:
        """The bot answers."""
        return self.picture is not None

    @property
    def now_ns(self) -> int:
        """The bot's clock, or the time of the last thing that it wrote down."""
        return self.picture.time_ns if self.picture is not None else self.story.last_ns

    def running(self) -> Running | None:
        """The bot of this run, if it takes connections."""
        home = self.folder.parent.parent
        return next((bot for bot in running_bots(home) if bot.name == self.name), None)

    def verdicts(self) -> tuple[Verdict, ...]:
        return self.review.verdicts()

    def equity(self) -> Decimal | None:
        """None while something is held that has no price."""
        return self.picture.equity if self.picture is not None else self.trail.equity_of(self.story.ledger)

    def price_pnl(self) -> Decimal | None:
        """Before fees and funding, realised or not."""
        equity, ledger = self.equity(), self.story.ledger
        return None if equity is None else equity - ledger.cash + ledger.realised

    def living(self) -> list[OrderLine]:
        """Orders that may still fill; those of unknown outcome first, then the oldest."""
        found = [line for line in self.orders.values() if not line.state.is_terminal]
        return sorted(found, key=lambda line: (line.state is not OrderState.UNKNOWN, line.submitted.at_ns))

    # --- reading on -----------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """Read what is new of the log, and ask the bot."""
        bot = self.running()
        picture = ask(bot)
        flags = _flags(bot) if picture is not None else ()
        rollout = _rollout(bot) if picture is not None else {}
        with self.lock:
            read = self._read_on()
            if picture is not None:
                self.trail.see(picture)
            if read or picture is not None or self.picture is not None:
                self.version += 1
            self.picture, self.flags, self.rollout = picture, flags, rollout

    def _read_on(self) -> int:
        count, self.problem = 0, ""
        try:
            for recorded in self._tail.new(EVENTS_A_LOOK):
                self._take(recorded)
                count += 1
        except GptTraderError as error:  # tried again at the next look: it may have been busy
            self.problem = str(error)
            self.version += 1
        self.behind = count == EVENTS_A_LOOK
        return count

    def _take(self, recorded: Recorded) -> None:
        event = recorded.event
        self.story.take(recorded)
        self.around.take(event)
        self.review.take(recorded)
        self.shadow.take(event)
        self.trail.take(event, self.story.ledger)
        self._follow_order(event)
        self._follow_intent(event)
        self._follow_stop(event)
        if isinstance(event, ProductListed):
            self.products[event.symbol] = event
        line = decision_line(event)
        if line is not None:
            self.lines.append((event.at_ns, line.plain, tone_of(str(line.style))))
        said = sentence_of(event)
        if said:
            self.flag_lines.append((event.at_ns, said))
        kind = type(event).__name__
        if any(word in kind for word in ROLLOUT_WORDS):
            self.rollout_lines.append((event.at_ns, kind, event))

    def _follow_order(self, event: Event) -> None:
        name = event.client_order_id
        if not name:
            return
        if isinstance(event, OrderSubmitted):
            decision = self.story.decisions.get(event.intent_id)
            engine = self.intents.get(root_of(event.intent_id))
            self.orders[name] = OrderLine(submitted=event, engine=engine.engine if engine and decision else "")
            return
        line = self.orders.get(name)
        if line is None:
            return
        lived = not line.state.is_terminal
        line.apply(event)
        if lived and line.state.is_terminal:
            self._ended.append(name)
            while len(self._ended) > ENDED_ORDERS_KEPT:
                gone = self._ended.popleft()
                if self.orders[gone].state.is_terminal:
                    del self.orders[gone]

    def _follow_intent(self, event: Event) -> None:
        if not event.intent_id:
            return
        root = root_of(event.intent_id)
        line = self.intents.get(root)
        if any(mark in event.intent_id for mark in STOP_MARKS):
            if line is not None and isinstance(event, OrderFilled):
                line.outcome += f"; out at {event.price:,f} by its stop or target"
            return
        match event:
            case TradingSignalGenerated():
                wish = {"LONG": "be long", "SHORT": "be short", "FLAT": "be flat"}.get(event.action, event.action)
                line = self._intent(root, event.at_ns, event.symbol)
                line.wanted = f"{wish}: {event.reason}" if event.reason else wish
            case OrderApproved():
                line = self._intent(root, event.at_ns, event.symbol)
                line.engine, line.tactic = event.engine, event.tactic
                line.wanted = line.wanted or f"{event.side.value.lower()} {event.quantity:f}"
                line.outcome, line.tone = f"approved {event.quantity:f}", "soft"
            case OrderRefused():
                line = self._intent(root, event.at_ns, event.symbol)
                line.engine = event.engine
                line.wanted = line.wanted or event.side.value.lower()
                line.outcome, line.tone = f"refused: {event.code}", "warn"
            case OrderFilled() if line is not None:
                done = "bought" if event.side is Side.BUY else "sold"
                line.outcome, line.tone = f"{done} {event.quantity:f} at {event.price:,f}", "up"
            case OrderReconciled() if line is not None and event.outcome not in {"FILLED", "WORKING", "RESTING"}:
                line.outcome = f"{event.outcome.lower().replace('_', ' ')}, {event.filled:f} filled"
                line.tone = "alarm" if event.outcome == "UNKNOWN" else "soft"
            case _:
                return

    def _intent(self, root: str, at_ns: int, symbol: str) -> IntentLine:
        line = self.intents.get(root)
        if line is None:
            line = self.intents[root] = IntentLine(intent_id=root, at_ns=at_ns, symbol=symbol)
            while len(self.intents) > INTENTS_KEPT:
                self.intents.popitem(last=False)
        return line

    def _follow_stop(self, event: Event) -> None:
        match event:
            case StopKept():
                path = self.stops.get(event.stop_id)
                if path is None:
                    path = StopPath(symbol=event.symbol, stop_id=event.stop_id, kind=event.kind)
                    self.stops[event.stop_id] = path
                path.points.append((event.at_ns, event.trigger_price))
                while sum(len(each.points) for each in self.stops.values()) > STOP_POINTS_MAX and len(self.stops) > 1:
                    self.stops.popitem(last=False)
            case StopTriggered() | StopReleased() if event.stop_id in self.stops:
                path = self.stops.pop(event.stop_id)
                path.ended_ns = event.at_ns
                self.stops[f"{event.stop_id} until {event.at_ns}"] = path  # a strategy's own stop has one name for ever
            case _:
                return

    # --- what was there at the end ----------------------------------------------------------------------------------
    def status(self) -> tuple[str, str]:
        """A word or two and their tone."""
        if self.picture is not None:
            return "running", "up"
        if self.problem:
            return "the log cannot be read on", "alarm"
        if self.behind:
            return f"reading the log, {self._tail.sequence:,} events so far", "soft"
        ended = self.story.ended
        if isinstance(ended, RunEnded) and ended.at_ns == self.story.last_ns:
            return f"ended {iso(ended.at_ns)[:16]}: {ended.reason}", "soft"
        return "not running, and it never said goodbye", "alarm"

    def mark(self, symbol: str) -> Decimal:
        """The last price that is known; zero where none is."""
        return self.trail.marks.get(symbol, ZERO)


def facts_beside(store: Path) -> RunFacts | None:
    """What a run left that came to its end; None of any other."""
    try:
        return read_facts(store)
    except (ConfigError, StoreError):
        return None


def tone_of(style: str) -> str:
    """The page's word for a style of the terminal."""
    if "red" in style:
        return "alarm"
    return {"yellow": "warn", "green": "up", "bold green": "up", "dim": "soft", "magenta": "warn"}.get(style, "")


def ask(bot: Running | None) -> Picture | None:
    """None where it does not answer, or answers what this release does not understand."""
    if bot is None:
        return None
    try:
        return look_at(bot)
    except (ConfigError, CommandRefused, msgspec.MsgspecError):
        return None


def _flags(bot: Running | None) -> tuple[Mapping[str, str], ...]:
    if bot is None:
        return ()
    try:
        return tuple(msgspec.convert(bot.tell("flags")["flags"], list[dict[str, str]]))
    except (ConfigError, CommandRefused, msgspec.MsgspecError, KeyError):
        return ()


def _rollout(bot: Running | None) -> Mapping[str, object]:
    if bot is None:
        return {}
    try:
        return bot.tell("rollout")
    except (ConfigError, CommandRefused, msgspec.MsgspecError):
        return {}
