"""Is the venue still talking to us, and did we miss a word? One supervised WebSocket connection to Coinbase.

The SDK's own client neither verifies certificates nor survives a close with 1000 or 1001, and forgets to subscribe
again to heartbeats and orders. This one verifies, and whatever ends a connection is followed by a new one with all
subscriptions, whose snapshots replace what was known: a close of any code, silence, a missing number, a frame that
cannot be read, a subscription that is refused or never confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from coinbase import jwt_generator

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.values import Value
from gpt_trader.exchange.coinbase.carrier import Carrier, Internet, Line, LineEnded
from gpt_trader.exchange.coinbase.credentials import ApiKey
from gpt_trader.exchange.coinbase.decoding import WireError
from gpt_trader.exchange.coinbase.frames import Frame, SubscriptionsEvent, read_frame

__all__ = ["HEARTBEATS", "CoinbaseSocket", "Subscription"]

SILENCE_SECONDS: Final = 5.0
"""Without a frame; heartbeats come every second."""
CONFIRM_SECONDS: Final = 5.0
BACKWARDS_MAX: Final = 3
"""Frames in a row with numbers already seen: so many are repetitions, more are a counter that began again."""
WAIT_SECONDS: Final = 0.5
WAIT_SECONDS_MAX: Final = 30.0
STABLE_SECONDS: Final = 10.0
"""A connection that lived so long ends the growing of waits."""


class Subscription(Value, frozen=True, kw_only=True):
    """One channel; it is subscribed as `channel` and may arrive under another name."""

    channel: str
    product_ids: tuple[str, ...] = ()


HEARTBEATS: Final = Subscription(channel="heartbeats")
FrameListener = Callable[[Frame, int], None]
"""(frame, when it was received). Frames come in the order of their numbers, each once."""
StateListener = Callable[[bool, str], None]
"""(whether all subscriptions stand, why not). Down means: what was known by this connection is not known any more."""


class CoinbaseSocket:
    """Keeps one connection for as long as `run` runs."""

    def __init__(
        self,
        url: str,
        subscriptions: Sequence[Subscription],
        *,
        key: ApiKey | None,
        clock: Clock,
        on_frame: FrameListener,
        on_state: StateListener,
        draw: Callable[[], float],
        ca_file: str | None = None,
        carrier: Carrier | None = None,
    ) -> None:
        """Heartbeats are subscribed too. `draw` gives 0..1 for the jitter; `ca_file` replaces public authorities, and a
        `carrier` goes its own way."""
        self._url = url
        self._subscriptions = (HEARTBEATS, *subscriptions)
        self._key = key
        self._clock = clock
        self._on_frame = on_frame
        self._on_state = on_state
        self._draw = draw
        self._carrier = carrier or Internet(ca_file=ca_file)
        self._wanted = {subscription.channel for subscription in self._subscriptions}
        self._begin()

    def _begin(self) -> None:
        self.up = False
        self._last = -1
        self._backwards = 0
        self._opened_ns = self._clock.now_ns()

    async def run(self) -> None:
        """Connect, listen, connect again, until cancelled. What a listener raises ends it."""
        failures = 0
        try:
            while True:
                self._begin()
                reason = await self._listen()
                lived_seconds = (self._clock.now_ns() - self._opened_ns) / NS
                failures = 1 if self.up and lived_seconds >= STABLE_SECONDS else failures + 1
                self.up = False
                self._on_state(False, reason)
                await self._clock.sleep(self._wait_seconds(failures))
        finally:
            self.up = False

    def _wait_seconds(self, failures: int) -> float:
        """Doubles with every failure in a row, with half of it drawn, so that not everybody comes back at once."""
        wait = min(WAIT_SECONDS_MAX, WAIT_SECONDS * 2.0 ** min(failures - 1, 10))
        return wait * (0.5 + 0.5 * self._draw())

    async def _listen(self) -> str:
        """One connection from its opening to its end; returns why it ended."""
        try:
            async with self._carrier.line(self._url) as line:
                for subscription in self._subscriptions:
                    await line.say(self._request(subscription).decode())
                return await self._read(line)
        except TimeoutError:
            return f"silent for {SILENCE_SECONDS:g} s"
        except LineEnded as ended:
            return str(ended)

    async def _read(self, line: Line) -> str:
        while True:
            reason = self._hear(await line.hear(SILENCE_SECONDS))
            if reason:
                return reason

    def _hear(self, text: str) -> str:
        """Pass one frame on; returns why the connection must end, or nothing."""
        try:
            frame = read_frame(text)
        except WireError as error:
            return str(error)
        if frame.error:
            return f"refused: {frame.error}"
        if frame.sequence <= self._last:
            self._backwards += 1
            return "numbers began again" if self._backwards > BACKWARDS_MAX else ""
        if frame.sequence != self._last + 1:
            return f"frame {self._last + 1} is missing, {frame.sequence} came"
        self._last, self._backwards = frame.sequence, 0
        now_ns = self._clock.now_ns()
        if not self.up:
            self._confirm(frame)
            if not self.up and now_ns - self._opened_ns > CONFIRM_SECONDS * NS:
                return f"not all subscriptions were confirmed in {CONFIRM_SECONDS:g} s"
        try:
            self._on_frame(frame, now_ns)
        except WireError as error:  # the frame says what cannot be: what is known is not to be believed any more
            return str(error)
        return ""

    def _confirm(self, frame: Frame) -> None:
        for event in frame.events:
            if isinstance(event, SubscriptionsEvent) and self._wanted <= event.subscriptions.keys():
                self.up = True
                self._on_state(True, "")

    def _request(self, subscription: Subscription) -> bytes:
        """Signed afresh each time: a token is good for two minutes."""
        request: dict[str, object] = {
            "type": "subscribe",
            "channel": subscription.channel,
            "product_ids": subscription.product_ids,
        }
        if self._key is not None:
            request["jwt"] = jwt_generator.build_ws_jwt(self._key.name, self._key.secret)
        return msgspec.json.encode(request)
