"""What does the program say of itself, line by line? `log.jsonl` beside the event store, and alarms on stderr.

Lines are made from events and say nothing that the event store does not know, but for the process: host, process id,
versions and wall time stand here and outside the store, since they differ between two runs that are the same.
"""

from __future__ import annotations

import os
import platform
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from gpt_trader import __version__
from gpt_trader.core.clock import NS, SystemClock, iso
from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import (
    EngineSwapFailed,
    EngineSwapped,
    Event,
    FlattenEnded,
    GuardTripped,
    InvariantBroken,
    ModeChanged,
    OperatorCommandFailed,
    OrderFailed,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderRefused,
    OrderRejected,
    OrderSightedLate,
    RolloutEnded,
    RolloutPaused,
    RunEnded,
    SlippageExceeded,
    StopEscalated,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event, not the builtin
)
from gpt_trader.core.values import Mode
from gpt_trader.ops.panel import decision_line
from gpt_trader.ops.tap import EventTap, attended

__all__ = ["ERROR", "LOG_NAME", "WARNING", "RunLog", "hider", "level_of", "redactor", "run_log", "text_of"]

LOG_NAME: Final = "log.jsonl"
LOG_BYTES_MAX: Final = 64 * 1024 * 1024
"""At this size the file becomes `log.1.jsonl`, in place of an older one, and a new one begins."""
LINES_PER_MINUTE_MAX: Final = 60
"""About one thing, by the time of the events."""
KEYS_MAX: Final = 1000
MINUTE_NS: Final = 60 * NS
HIDDEN: Final = "[redacted]"
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL
)
_NAMES_OF_SECRETS: Final = re.compile(
    r"secret|token|password|private_key|api_key|signature|authorization", re.IGNORECASE
)


class RunLog:
    """Lines of one process about one run. `on_event` is a listener of the bus; lines are written in another thread."""

    def __init__(self, file: FilteringBoundLogger, alarms: FilteringBoundLogger | None) -> None:
        self._file = file
        self._alarms = alarms
        self._tap = EventTap()
        self._minute: dict[str, tuple[int, int]] = {}
        """By what a line is about: the minute of the last one, and how many it had."""

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """Until the block ends; what was heard by then is written."""
        with attended("run log", self.write, tap=self._tap):
            yield self
        for key, (_, lines) in self._minute.items():
            self._say_left_out(key, lines)
        if self._tap.missed:
            self.process("events came too fast and have no line", events=self._tap.missed)

    def on_event(self, event: Event) -> None:
        """Costs the bot one append."""
        self._tap.on_event(event)

    def write(self, event: Event) -> None:
        """One line for what a person follows; nothing for all else, which the event store has."""
        text = text_of(event)
        if not text or not self._has_room(event):
            return
        level = level_of(event)
        about = {"intent": event.intent_id, "order": event.client_order_id}
        fields = {name: value for name, value in about.items() if value}
        moment = iso(event.at_ns)
        self._file.log(level, text, kind=type(event).__name__, at=moment, **fields)
        if self._alarms is not None and level >= WARNING:
            self._alarms.log(level, text, at=moment, **fields)

    def _has_room(self, event: Event) -> bool:
        """So many lines about one thing in a minute, and then how many were left out."""
        key, minute = about(event), event.at_ns // MINUTE_NS
        last, lines = self._minute.get(key, (minute, 0))
        if last != minute:
            self._say_left_out(key, lines)
            lines = 0
        self._minute[key] = (minute, lines + 1)
        if len(self._minute) > KEYS_MAX:
            oldest = next(iter(self._minute))
            self._say_left_out(oldest, self._minute.pop(oldest)[1])
        return lines < LINES_PER_MINUTE_MAX

    def _say_left_out(self, key: str, lines: int) -> None:
        if lines > LINES_PER_MINUTE_MAX:
            self._file.info("left out; the event store has them", about=key, lines=lines - LINES_PER_MINUTE_MAX)

    def process(self, text: str, **fields: object) -> None:
        """About the process; with the wall time, which no event has."""
        self._file.info(text, wall=iso(SystemClock().now_ns()), **fields)


INFO: Final = 20
WARNING: Final = 30
ERROR: Final = 40
"""Levels as everybody numbers them."""


def level_of(event: Event) -> int:
    """What may need a person is a warning; what should never happen is an error."""
    match event:
        case SystemError() | OrderFailed() | OrderSightedLate() | InvariantBroken():
            return ERROR
        case FlattenEnded():
            return INFO if event.flat else ERROR
        case OperatorCommandFailed() | EngineSwapped() | EngineSwapFailed() | RolloutPaused() | RolloutEnded():
            return WARNING
        case GuardTripped() | OrderOutcomeUnknown() | OrderRejected() | StopEscalated() | SlippageExceeded():
            return WARNING
        case ModeChanged():
            return INFO if event.mode is Mode.NORMAL else WARNING
        case SymbolPaused():
            return WARNING if event.reason else INFO
        case OrderFilled():
            return INFO if event.cause == "OWN" else WARNING
        case _:
            return INFO


def about(event: Event) -> str:
    """What makes two lines two of the same kind."""
    match event:
        case OrderRefused():
            return f"{event.code} {event.symbol}"
        case SystemError():
            return event.source
        case GuardTripped():
            return f"{event.guard} {event.symbol}"
        case _:
            return type(event).__name__


def text_of(event: Event) -> str:
    """One sentence; empty for what is not told here."""
    match event:
        case RunEnded():
            held = ", ".join(f"{quantity:+f} {symbol}" for symbol, quantity in event.open_positions.items())
            return f"run ended: {event.reason}; {len(event.open_orders)} orders open, positions: {held or 'none'}"
        case _:
            line = decision_line(event)
            return "" if line is None else line.plain


def hider(secrets: Sequence[str]) -> Callable[[str], str]:
    """What hides these texts wherever they stand, and private keys by their form."""
    known = tuple(sorted({secret for secret in secrets if secret}, key=len, reverse=True))

    def hide(text: str) -> str:
        for secret in known:
            text = text.replace(secret, HIDDEN)
        return _PRIVATE_KEY.sub(HIDDEN, text)

    return hide


def redactor(secrets: Sequence[str]) -> Processor:
    """A step that hides these texts in every field, and whole fields by their name."""
    hide = hider(secrets)

    def redact(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
        return {
            name: HIDDEN if _NAMES_OF_SECRETS.search(name) else hide(value) if isinstance(value, str) else value
            for name, value in fields.items()
        }

    return redact


@contextmanager
def run_log(folder: Path, *, run_id: str, boot: int, secrets: Sequence[str], alarms: TextIO | None) -> Iterator[RunLog]:
    """The log of one process in the folder of its run; `alarms` is where warnings go too, if anywhere.

    Raises StoreError where the file cannot be made. One that cannot be written later does not stop the run: the bus
    reports the listener that failed.
    """
    hidden = (redactor(secrets), structlog.processors.add_log_level)
    with _Lines(folder / LOG_NAME) as lines:
        file = _logger(lines, INFO, *hidden, structlog.processors.EventRenamer("text"), _as_json)
        heard = None if alarms is None else _logger(structlog.WriteLogger(alarms), WARNING, *hidden, _as_text)
        log = RunLog(file.bind(run=run_id, boot=boot), heard)
        clock = SystemClock()
        started_ns = clock.now_ns()
        log.process(
            "process started",
            version=__version__,
            python=platform.python_version(),
            system=platform.platform(),
            host=platform.node(),
            process=os.getpid(),
        )
        with log.writing():
            yield log
        log.process("process ended", seconds=round((clock.now_ns() - started_ns) / NS, 3))


def _logger(under: WrappedLogger, level: int, *steps: Processor) -> FilteringBoundLogger:
    """Its own steps, so that nothing of the program's logging is global."""
    wrapper = structlog.make_filtering_bound_logger(level)
    made: FilteringBoundLogger = structlog.wrap_logger(under, processors=steps, wrapper_class=wrapper)
    return made.bind()


def _as_json(_: WrappedLogger, __: str, fields: EventDict) -> str:
    return msgspec.json.encode(fields).decode()


def _as_text(_: WrappedLogger, __: str, fields: EventDict) -> str:
    return f"{fields['level']}: {fields['at'][:19]}Z {fields['event']}"


class _Lines:
    """A file of lines that is turned over when it is full; the logger under structlog's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        try:
            self._open()
        except OSError as error:
            raise StoreError(f"{path}: the log cannot be written ({error.strerror})") from error

    def _open(self) -> None:
        """For its owner only, like the store beside it."""
        self._path.touch(mode=0o600)
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        self._size = self._path.stat().st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def msg(self, line: str) -> None:
        """From the thread of the process, or from that of events."""
        with self._turn:
            self._write(line)

    def _write(self, line: str) -> None:
        self._size += self._file.write(line + "\n")
        if self._size >= LOG_BYTES_MAX:
            self._file.close()
            self._path.replace(self._path.with_suffix(".1.jsonl"))
            self._open()

    info = warning = error = msg
