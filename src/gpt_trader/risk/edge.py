"""What have closed trades earned? Returns per trade, as far back as sizing looks."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS
from gpt_trader.core.events import PositionClosed, PositionOpened
from gpt_trader.risk.sizing import Edge, edge_of

__all__ = ["EdgeState", "EdgeTracker"]

TRADES_KEPT_MAX: Final = 200
TRADE_AGE_MAX_NS: Final = 7 * 86_400 * NS
"""Older trades no longer speak: a size that Kelly brought to zero would otherwise never be tried again."""


class EdgeState(msgspec.Struct, frozen=True, kw_only=True):
    """Open and closed trades, as a snapshot keeps them."""

    entry_notional: tuple[tuple[str, Decimal], ...]
    returns: tuple[tuple[int, Decimal], ...]


class EdgeTracker:
    """Net profit over entry notional of each closed position: price PnL less fees plus funding."""

    def __init__(self, bus: EventBus) -> None:
        self._entry_notional: dict[str, Decimal] = {}
        self._returns: deque[tuple[int, Decimal]] = deque(maxlen=TRADES_KEPT_MAX)
        self._edge: Edge | None = None
        bus.subscribe(PositionOpened, "edge tracker", self.on_opened)
        bus.subscribe(PositionClosed, "edge tracker", self.on_closed)

    def on_opened(self, event: PositionOpened) -> None:
        self._entry_notional[event.symbol] = abs(event.quantity) * event.entry_price

    def on_closed(self, event: PositionClosed) -> None:
        notional = self._entry_notional.pop(event.symbol, None)
        if notional:
            self._returns.append((event.at_ns, (event.realised_pnl - event.fees + event.funding) / notional))
            self._edge = None

    def state(self) -> EdgeState:
        """For a snapshot, of what a replay made."""
        return EdgeState(entry_notional=tuple(self._entry_notional.items()), returns=tuple(self._returns))

    def load(self, state: EdgeState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._entry_notional = dict(state.entry_notional)
        self._returns.extend(state.returns)

    def edge(self, now_ns: int) -> Edge | None:
        """None until two positions were closed in the time that counts."""
        while self._returns and now_ns - self._returns[0][0] > TRADE_AGE_MAX_NS:
            self._returns.popleft()
            self._edge = None
        if self._edge is None:
            self._edge = edge_of([value for _, value in self._returns])
        return self._edge
