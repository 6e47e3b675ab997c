"""Which fault of the served venue is which fault of the scenario? Requests and frames counted over the whole day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from gpt_trader.research.bad_days.scenario import (
    Call,
    FrameFault,
    FrameFaultKind,
    Scenario,
    StreamFaultKind,
    WireFault,
    WireFaultKind,
)
from gpt_trader.venue.wire.faults import Fault, FaultKind
from gpt_trader.venue.wire.sockets import USER_CHANNELS

__all__ = ["DayFaults", "call_of"]

CALLS: Final = {
    ("GET", "/key_permissions"): Call.START,
    ("POST", "/orders"): Call.SEND,
    ("POST", "/orders/batch_cancel"): Call.CANCEL,
    ("GET", "/orders/historical/batch"): Call.OPEN_ORDERS,
    ("GET", "/orders/historical/fills"): Call.FILLS,
    ("GET", "/cfm/positions"): Call.POSITIONS,
    ("GET", "/cfm/balance_summary"): Call.BALANCES,
}
ORDER_PATH: Final = "/orders/historical/"
SLOW_MS: Final = 2_000
"""A lost reply that took so long is a late one: the client may have given up on it."""
HEARTBEATS: Final = "heartbeats"
SUBSCRIPTIONS: Final = "subscriptions"
REQUESTS: Final[dict[WireFaultKind, FaultKind]] = {
    WireFaultKind.REQUEST_LOST: FaultKind.LOST_REQUEST,
    WireFaultKind.RESPONSE_LOST: FaultKind.LOST_REPLY,
    WireFaultKind.REQUEST_LATE: FaultKind.LATE_REQUEST,
    WireFaultKind.RATE_LIMITED: FaultKind.RATE_LIMITED,
    WireFaultKind.UNAVAILABLE: FaultKind.SERVER_ERROR,
    WireFaultKind.STALE: FaultKind.STALE_READ,
    WireFaultKind.HTML: FaultKind.HTML_BODY,
    WireFaultKind.TRUNCATED: FaultKind.TRUNCATED_JSON,
    WireFaultKind.UNKNOWN_ENUM: FaultKind.UNKNOWN_ENUM,
    WireFaultKind.NULL_FIELD: FaultKind.NULL_FIELD,
    WireFaultKind.UNAUTHORIZED: FaultKind.UNAUTHORIZED,
    WireFaultKind.FAILED_LATER: FaultKind.FAILED_LATER,
}
STATUSES: Final = {WireFaultKind.UNAVAILABLE: 503, WireFaultKind.HTML: 200}
FRAMES: Final[dict[FrameFaultKind, FaultKind]] = {
    FrameFaultKind.GAP: FaultKind.SEQUENCE_GAP,
    FrameFaultKind.RESET: FaultKind.SEQUENCE_RESET,
    FrameFaultKind.REORDER: FaultKind.REORDER,
    FrameFaultKind.DELAY: FaultKind.DELAY,
    FrameFaultKind.DUPLICATE: FaultKind.DUPLICATE,
    FrameFaultKind.DROP: FaultKind.DROP,
    FrameFaultKind.BROKEN: FaultKind.BROKEN_FRAME,
    FrameFaultKind.BAD_NUMBER: FaultKind.BAD_NUMBER,
    FrameFaultKind.SILENCE: FaultKind.SILENCE,
    FrameFaultKind.CLOSE: FaultKind.CLOSE,
    FrameFaultKind.REFUSED: FaultKind.SUBSCRIBE_REFUSED,
}
OMITTED: Final = Fault(fault=FaultKind.OMIT)


def call_of(method: str, path: str) -> Call:
    """What a request asks for; `path` below the prefix."""
    known = CALLS.get((method, path))
    if known is not None:
        return known
    return Call.ORDER if path.startswith(ORDER_PATH) else Call.MARKET


class DayFaults:
    """venue.wire.faults.Faults of one scenario."""

    def __init__(self, scenario: Scenario, hit: Counter[str], now_ns: Callable[[], int]) -> None:
        """`hit` counts what came about, by kind."""
        self._requests = {(fault.call, fault.number): fault for fault in scenario.wire}
        self._omitted = {fault.number: fault.kind for fault in scenario.stream}
        self._frames = {
            (fault.account, fault.kind is FrameFaultKind.REFUSED, fault.number): fault for fault in scenario.frames
        }
        self._hit = hit
        self._now_ns = now_ns
        self._calls: Counter[Call] = Counter()
        self._sent: Counter[tuple[bool, bool]] = Counter()
        self._orders_told = 0
        self.silent_until_ns = 0
        """No account message is made before."""
        self.at_peace = False

    def for_request(self, method: str, path: str, account: int | None) -> Fault | None:  # noqa: ARG002
        call = call_of(method, path)
        number = self._calls[call]
        self._calls[call] += 1
        fault = None if self.at_peace else self._requests.get((call, number))
        if fault is None:
            return None
        self._hit[f"{call.value} {fault.kind.value}"] += 1
        return _as_wire(fault)

    def for_message(self, channel: str, account: int | None, *, subscribing: bool = False) -> Fault | None:  # noqa: ARG002
        if self.at_peace or channel in (HEARTBEATS, SUBSCRIPTIONS):
            return None
        ours = channel in USER_CHANNELS
        number = self._sent[ours, subscribing]
        self._sent[ours, subscribing] += 1
        if ours and not subscribing and self._is_omitted(channel):
            return OMITTED
        fault = self._frames.get((ours, subscribing, number))
        if fault is None:
            return None
        self._hit[f"frame {fault.kind.value}"] += 1
        return _as_frame(fault)

    def _is_omitted(self, channel: str) -> bool:
        """What the venue never says, with nothing missing: found by reading alone."""
        if self._now_ns() < self.silent_until_ns:
            self._hit["silent stream"] += 1
            return True
        if channel != "user":
            return False
        kind = self._omitted.get(self._orders_told)
        self._orders_told += 1
        if kind is None or kind is StreamFaultKind.DUPLICATE:
            return False
        self._hit[f"stream {kind.value}"] += 1
        return True


def _as_wire(fault: WireFault) -> Fault:
    kind = REQUESTS[fault.kind]
    if kind is FaultKind.LOST_REPLY and fault.ms >= SLOW_MS:
        kind = FaultKind.LATE_REPLY
    return Fault(fault=kind, seconds=fault.ms / 1000, status=STATUSES.get(fault.kind, 500))


def _as_frame(fault: FrameFault) -> Fault:
    return Fault(fault=FRAMES[fault.kind], seconds=fault.ms / 1000, code=fault.code)
