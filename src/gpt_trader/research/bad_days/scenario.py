"""What happens on one bad day? Every step, fault, accident and crash as a value, so that a day can be shrunk and kept.

Nothing is drawn while a day is played: it does what its scenario says, and the same scenario gives the same day.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value

__all__ = [
    "Accident",
    "AccidentKind",
    "Call",
    "Crash",
    "DiskFault",
    "DiskFaultKind",
    "FrameFault",
    "FrameFaultKind",
    "MarketFault",
    "MarketFaultKind",
    "Quirk",
    "Scenario",
    "Step",
    "StepKind",
    "StreamFault",
    "StreamFaultKind",
    "WireFault",
    "WireFaultKind",
    "read_scenario",
    "write_scenario",
]

SCENARIO_VERSION: Final = 1


class StepKind(StrEnum):
    """What somebody asks of the bot."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    SIGNAL = "SIGNAL"
    """A strategy's wish, brought about by the bot."""
    CLOSE = "CLOSE"
    """An operator closes the position."""
    MODE = "MODE"
    """An operator sets the mode."""
    CANCEL_ENTRIES = "CANCEL_ENTRIES"
    LOOK = "LOOK"
    """An operator takes back what guards tripped and what was paused."""
    STOP = "STOP"
    """SIGTERM; the bot is started again."""


class Step(Value, frozen=True, kw_only=True):
    """One wish at one time; sizes in lots, distances in basis points of the mark."""

    at_ms: int
    kind: StepKind
    symbol: str = "BTC-PERP"
    strategy: str = "first"
    buy: bool = True
    lots: int = 1
    order_type: str = "MARKET"
    time_in_force: str = "IOC"
    offset_bps: int = 0
    """Of the limit price, away from the market; below zero it crosses."""
    post_only: bool = False
    tactic: str = ""
    stop_bps: int = 0
    target_bps: int = 0
    trail_bps: int = 0
    share_percent: int = 100
    """Of the position, for exits."""
    mode: str = "NORMAL"
    expire_seconds: int = 0
    cancel_after_ms: int = -1
    """Its task is cancelled so long after it began; never below zero."""


class Call(StrEnum):
    """What the bot asks of the venue."""

    START = "start"
    SEND = "send"
    CANCEL = "cancel"
    ORDER = "order"
    OPEN_ORDERS = "open_orders"
    FILLS = "fills"
    POSITIONS = "positions"
    BALANCES = "balances"
    MARKET = "market"
    """Products and candles; asked for by the Coinbase adapter."""


class WireFaultKind(StrEnum):
    REQUEST_LOST = "REQUEST_LOST"
    RESPONSE_LOST = "RESPONSE_LOST"
    """It was done; nobody hears of it. An unreadable reply is the same."""
    REQUEST_LATE = "REQUEST_LATE"
    """The client gives up, and later the request arrives."""
    RATE_LIMITED = "RATE_LIMITED"
    UNAVAILABLE = "UNAVAILABLE"
    """Turned away unread."""
    STALE = "STALE"
    """A read that shows the account as it was some time ago."""
    # of a protocol: on days of the Coinbase adapter
    HTML = "HTML"
    """A page instead of an answer, with 200; nothing was done."""
    TRUNCATED = "TRUNCATED"
    """Done, and half of the reply arrives."""
    UNKNOWN_ENUM = "UNKNOWN_ENUM"
    NULL_FIELD = "NULL_FIELD"
    UNAUTHORIZED = "UNAUTHORIZED"
    FAILED_LATER = "FAILED_LATER"
    """An order that was accepted, and fails behind the acceptance."""


class WireFault(Value, frozen=True, kw_only=True):
    """What becomes of the call with this number; calls of each kind are counted from 0 over the whole day."""

    call: Call
    number: int
    kind: WireFaultKind
    ms: int = 0


class StreamFaultKind(StrEnum):
    DROP = "DROP"
    DUPLICATE = "DUPLICATE"
    DELAY = "DELAY"


class StreamFault(Value, frozen=True, kw_only=True):
    """What becomes of the account message with this number."""

    number: int
    kind: StreamFaultKind
    ms: int = 0


class FrameFaultKind(StrEnum):
    GAP = "GAP"
    """Numbers are left out."""
    RESET = "RESET"
    """Numbers begin again."""
    REORDER = "REORDER"
    DELAY = "DELAY"
    DUPLICATE = "DUPLICATE"
    DROP = "DROP"
    BROKEN = "BROKEN"
    """Half a frame."""
    BAD_NUMBER = "BAD_NUMBER"
    """NaN where a price, a quantity or money stands."""
    SILENCE = "SILENCE"
    """Nothing more, heartbeats included, and no close."""
    CLOSE = "CLOSE"
    REFUSED = "REFUSED"
    """An error instead of the subscription with this number."""


class FrameFault(Value, frozen=True, kw_only=True):
    """What becomes of the frame with this number, on a day of the Coinbase adapter. Frames of the market's channels and
    of the account's are counted apart, over the whole day."""

    number: int
    kind: FrameFaultKind
    account: bool = False
    """Of the account's channels."""
    ms: int = 0
    code: int = 1006
    """Of a close."""


class MarketFaultKind(StrEnum):
    JUMP = "JUMP"
    SILENCE = "SILENCE"
    NO_BIDS = "NO_BIDS"
    NO_ASKS = "NO_ASKS"
    THIN = "THIN"
    STATUS = "STATUS"
    FUNDING = "FUNDING"
    INCREMENT = "INCREMENT"
    """Prices and sizes move in larger steps for a while; on days of the Coinbase adapter."""


class MarketFault(Value, frozen=True, kw_only=True):
    """`value`: basis points of a jump, index of a status, funding rate in 1e-6, times the usual increment."""

    at_second: int
    kind: MarketFaultKind
    value: int = 0
    seconds: int = 0
    product: int = 0


class AccidentKind(StrEnum):
    MANUAL_TRADE = "MANUAL_TRADE"
    MANUAL_ORDER = "MANUAL_ORDER"
    """A limit order by hand that rests."""
    MANUAL_CANCEL = "MANUAL_CANCEL"
    SUSPEND = "SUSPEND"
    """The machine sleeps; all that was due comes at once afterwards."""
    SILENT_STREAM = "SILENT_STREAM"
    """No account message arrives for a while, and nobody says so."""
    LEASE_LOST = "LEASE_LOST"
    """Somebody takes the account's lease away."""


class Accident(Value, frozen=True, kw_only=True):
    at_ms: int
    kind: AccidentKind
    ms: int = 0
    lots: int = 0
    """Signed, of a manual trade."""
    product: int = 0


class DiskFaultKind(StrEnum):
    FULL = "FULL"
    BROKEN = "BROKEN"
    """An error of the device (EIO)."""
    BUSY = "BUSY"
    """Somebody else holds the file."""
    SLOW = "SLOW"


class DiskFault(Value, frozen=True, kw_only=True):
    """What becomes of the write with this number."""

    number: int
    kind: DiskFaultKind
    ms: int = 0


class Crash(Value, frozen=True, kw_only=True):
    """The process dies at the effect that comes `effects` after this time; the first crash not yet had counts."""

    at_ms: int
    effects: int = 0
    down_ms: int = 1000
    torn_percent: int = -1
    """So much of the write under way is on the disk; below zero nothing was being written."""
    flip_permille: int = -1
    """While it is down one bit of the store turns, so far into it; below zero none. The bit is turned back once the
    next process has looked."""


class Quirk(StrEnum):
    """What this venue does not do."""

    IGNORES_REDUCE_ONLY = "IGNORES_REDUCE_ONLY"
    NO_IDEMPOTENT_CREATE = "NO_IDEMPOTENT_CREATE"
    NO_LOOKUP = "NO_LOOKUP"


class Scenario(Value, frozen=True, kw_only=True):
    """One day, whole."""

    version: int = SCENARIO_VERSION
    seed: int
    note: str = ""
    engine: str = "live"
    """live or advanced."""
    adapter: str = "paper"
    """paper, or coinbase: the adapter for real money against the venue's own wire format."""
    minutes_before_midnight: int = 0
    """UTC, at its start; zero starts at midnight."""
    snapshot_events: int = 0
    """From one snapshot of the state to the next; zero makes none."""
    clock_ms: tuple[int, ...] = ()
    """How far the process's clock is off, boot by boot; later boots are right. On days of the Coinbase adapter, since
    the paper adapter's clock is the market's."""
    minutes: int = 60
    peace_seconds: int = 900
    """From the last fault to the last look: everything must have been resolved by then."""
    products: int = 1
    volatility_bps: int = 3
    """Standard deviation of one second's return, in tenths of a basis point."""
    depth_lots: int = 100
    market_seconds: int = 1
    """From one quote and trade to the next."""
    order_rate_per_minute_max: int = 0
    reject_breaker: bool = False
    protective_stops: bool = False
    quirks: tuple[Quirk, ...] = ()
    steps: tuple[Step, ...] = ()
    market: tuple[MarketFault, ...] = ()
    wire: tuple[WireFault, ...] = ()
    stream: tuple[StreamFault, ...] = ()
    frames: tuple[FrameFault, ...] = ()
    accidents: tuple[Accident, ...] = ()
    disk: tuple[DiskFault, ...] = ()
    crashes: tuple[Crash, ...] = ()

    @property
    def fault_kinds(self) -> frozenset[str]:
        """Which kinds of fault it has, crashes included."""
        kinds = {f"market {fault.kind}" for fault in self.market}
        kinds |= {f"{fault.call} {fault.kind}" for fault in self.wire}
        kinds |= {f"stream {fault.kind}" for fault in self.stream}
        kinds |= {f"frame {fault.kind}" for fault in self.frames}
        kinds |= {f"accident {accident.kind}" for accident in self.accidents}
        kinds |= {f"disk {fault.kind}" for fault in self.disk}
        kinds |= {f"quirk {quirk}" for quirk in self.quirks}
        if any(step.cancel_after_ms >= 0 for step in self.steps):
            kinds.add("task cancelled")
        if self.crashes:
            kinds.add("crash")
        if any(crash.flip_permille >= 0 for crash in self.crashes):
            kinds.add("disk FLIPPED")
        if any(self.clock_ms):
            kinds.add("clock stepped")
        return frozenset(kinds)


def read_scenario(path: Path) -> Scenario:
    """A kept day. Raises ConfigError naming the file, the field and what is wrong with it."""
    try:
        scenario = msgspec.json.decode(path.read_bytes(), type=Scenario)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}. Fix: name a scenario file") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: no scenario of a bad day: {error}") from error
    if scenario.version != SCENARIO_VERSION:
        raise ConfigError(f"{path}: version = {scenario.version}: this program plays version {SCENARIO_VERSION}")
    return scenario


def write_scenario(path: Path, scenario: Scenario) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(scenario), indent=1) + b"\n")
