"""What went wrong lately? Counts rejects, losses and costly intents from the log, for the breakers among the guards."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS
from gpt_trader.core.events import Event, GuardTripped, OrderRejected, PositionClosed, SlippageExceeded

__all__ = ["BreakerCounts", "CountsState"]

KEPT_MAX: Final = 10_000
"""Times kept of each kind; no threshold can be set above it."""
MINUTE_NS: Final = 60 * NS
Counted = tuple[int, str]
"""Time and client order id."""


class CountsState(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted, as a snapshot keeps it."""

    rejects: tuple[Counted, ...]
    slippages: tuple[tuple[str, tuple[Counted, ...]], ...]
    losses_in_a_row: int


class BreakerCounts:
    """Follows the bus live and takes stored events back in after a restart; both ways count alike."""

    def __init__(self, bus: EventBus | None = None) -> None:
        self._rejects: deque[Counted] = deque(maxlen=KEPT_MAX)
        self._slippages: dict[str, deque[Counted]] = {}
        self.losses_in_a_row = 0
        """Positions closed at a net loss since the last gain, or since the streak last tripped."""
        if bus is not None:
            for kind in (OrderRejected, SlippageExceeded, PositionClosed, GuardTripped):
                bus.subscribe(kind, "breaker counts", self.take)

    def take(self, event: Event) -> None:
        """Count one event; other kinds are ignored."""
        match event:
            case OrderRejected():
                self._rejects.append((event.at_ns, event.client_order_id))
            case SlippageExceeded():
                self._slippages.setdefault(event.symbol, deque(maxlen=KEPT_MAX)).append(
                    (event.at_ns, event.client_order_id)
                )
            case PositionClosed():
                gain = event.realised_pnl - event.fees + event.funding
                self.losses_in_a_row = self.losses_in_a_row + 1 if gain < 0 else 0
            case GuardTripped() if event.guard == "loss_streak":
                self.losses_in_a_row = 0
            case _:
                pass

    def state(self) -> CountsState:
        """For a snapshot."""
        return CountsState(
            rejects=tuple(self._rejects),
            slippages=tuple((symbol, tuple(counted)) for symbol, counted in self._slippages.items()),
            losses_in_a_row=self.losses_in_a_row,
        )

    def load(self, state: CountsState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._rejects.extend(state.rejects)
        self._slippages = {symbol: deque(counted, maxlen=KEPT_MAX) for symbol, counted in state.slippages}
        self.losses_in_a_row = state.losses_in_a_row

    def rejects(self, now_ns: int, window_minutes: int) -> tuple[str, ...]:
        """Orders that the venue rejected within the window, by client order id."""
        return _recent(self._rejects, now_ns - window_minutes * MINUTE_NS)

    def slippages(self, symbol: str, now_ns: int, window_minutes: int) -> tuple[str, ...]:
        """Orders of the symbol by which an intent came to cost too much, within the window."""
        return _recent(self._slippages.get(symbol, ()), now_ns - window_minutes * MINUTE_NS)


def _recent(counted: deque[Counted] | tuple[Counted, ...], since_ns: int) -> tuple[str, ...]:
    return tuple(order for at_ns, order in counted if at_ns > since_ns)
