"""What goes out on one connection? Frames in order, their numbers, and what faults do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from gpt_trader.core.clock import NS, Clock
from gpt_trader.venue.wire.faults import Fault, FaultKind, Faults
from gpt_trader.venue.wire.formats import Json
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.quirks import Quirks

__all__ = ["Connection", "Outlet", "Switchboard"]

LABELS: Final = {"level2": "l2_data"}
"""Channels whose frames carry another name than their subscription."""
NUMBERS: Final = ('"price":"', '"price_level":"', '"cumulative_quantity":"', '"total_usd_balance":"')
"""What a bad number is put behind."""
Payload = bytes | str


class Switchboard(Protocol):
    """Where connections meet."""

    @property
    def faults(self) -> Faults: ...

    @property
    def quirks(self) -> Quirks: ...

    @property
    def clock(self) -> Clock: ...

    def stamp_now(self) -> str:
        """The venue's time, as frames carry it."""
        ...

    def later(self, seconds: float, callback: Callable[[], None]) -> None: ...


class Outlet(Protocol):
    """What carries the frames of one connection to its client."""

    def put(self, frame: str) -> None:
        """In order, as soon as it can be."""
        ...

    def close(self, code: int) -> None:
        """Behind what was put before; 1006 breaks the connection at once, without a word."""
        ...

    async def flushed(self) -> None:
        """Everything put has left."""
        ...


class Connection:
    """One client's subscriptions. Frames get their number when they are sent, or when a fault holds them back."""

    def __init__(self, outlet: Outlet, face: Switchboard, *, user_only: bool) -> None:
        self.outlet = outlet
        self.user_only = user_only
        self.owner: ApiKey | None = None
        self.channels: dict[str, set[str]] = {}
        """Channel -> product ids; of an account's channels empty, which is all."""
        self.sequence = 0
        self.last_sent_ns = face.clock.now_ns()
        self.silent_until_ns = 0
        self._face = face
        self._held: list[str] = []

    @property
    def account(self) -> int | None:
        return self.owner.account if self.owner is not None else None

    def wants(self, channel: str, product_id: str) -> bool:
        products = self.channels.get(channel)
        return products is not None and (not products or product_id in products)

    def send(self, channel: str, events: Payload) -> None:
        """Put one frame on its way; `events` is the encoded list of its events."""
        fault = self._face.faults.for_message(channel, self.account)
        if fault is None:
            self._put(self._frame(channel, events))
            self._release()
            return
        self._send_badly(fault, channel, events)

    def say(self, body: Json) -> None:
        """A frame outside the numbering, such as an error."""
        self._put(msgspec.json.encode(body).decode())

    def _frame(self, channel: str, events: Payload) -> str:
        number = self.sequence
        self.sequence += 1
        text = events if isinstance(events, str) else events.decode()
        client = "" if self._face.quirks.live else '"client_id":"",'
        label = LABELS.get(channel, channel)
        at = self._face.stamp_now()
        return f'{{"channel":"{label}",{client}"timestamp":"{at}","sequence_num":{number},"events":{text}}}'

    def _put(self, frame: str) -> None:
        now_ns = self._face.clock.now_ns()
        if now_ns >= self.silent_until_ns:
            self.last_sent_ns = now_ns
            self.outlet.put(frame)

    def _release(self) -> None:
        """A frame that was held back follows the one that overtook it."""
        if self._held:
            held, self._held = self._held, []
            for frame in held:
                self._put(frame)

    def _send_badly(self, fault: Fault, channel: str, events: Payload) -> None:
        kind = fault.fault
        if kind is FaultKind.OMIT:
            return
        if kind is FaultKind.SEQUENCE_GAP:
            self.sequence += fault.count
        elif kind is FaultKind.SEQUENCE_RESET:
            self.sequence = 0
        elif kind is FaultKind.SILENCE:
            self.silent_until_ns = self._face.clock.now_ns() + round(fault.seconds * NS)
        elif kind is FaultKind.CLOSE:
            self.outlet.close(fault.code)
            return
        frame = self._frame(channel, events)
        if kind is FaultKind.REORDER:
            self._held.append(frame)
        elif kind is FaultKind.DELAY:
            self._face.later(fault.seconds, lambda: self._put(frame))
        elif kind is FaultKind.BROKEN_FRAME:
            self._put(frame[: len(frame) // 2])
        elif kind is FaultKind.BAD_NUMBER:
            self._put(_with_bad_numbers(frame))
        elif kind is not FaultKind.DROP:
            self._put(frame)
        if kind is FaultKind.DUPLICATE:
            self._put(frame)


def _with_bad_numbers(frame: str) -> str:
    """NaN where prices, quantities and money stand."""
    for name in NUMBERS:
        head, found, tail = frame.partition(name)
        if found:
            frame = f"{head}{found}NaN{tail[tail.index(chr(34)) :]}"
    return frame
