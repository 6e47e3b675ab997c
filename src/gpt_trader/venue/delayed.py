"""What has the client seen of the market by now? The same rows once more, at the times at which they arrived.

A second kernel without accounts keeps the book that the client sees, while the first one already trades on rows that
are still under way. Rows arrive in their order: one that is late holds up those behind it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.market.stream import Rows
from gpt_trader.venue import layout
from gpt_trader.venue.kernel import advance
from gpt_trader.venue.memory_map import VenueMemory

__all__ = ["DelayedMarket"]

NOTHING: Final = np.zeros(0, np.int64)


class DelayedMarket:
    """Rows given ahead of time, shown when they have arrived."""

    def __init__(self, memory: VenueMemory, latencies_ns: NDArray[np.int64] | None) -> None:
        """`latencies_ns` are taken one after the other; None takes the receive times of the rows."""
        self._memory = memory
        self._latencies_ns = latencies_ns
        self._waiting: deque[Rows] = deque()
        self._given = 0
        self._last_ns = 0
        self._before_ns = 0
        self._arrivals: NDArray[np.int64] = NOTHING

    def give(self, rows: Rows) -> None:
        """The next rows of the market; none of them has arrived before its own time."""
        self._before_ns = self._last_ns
        self._arrivals = NOTHING
        if len(rows) == 0:
            return
        if self._latencies_ns is None:
            arrivals = np.maximum(rows["recv"], rows["ts"])
        else:
            turn = (self._given + np.arange(len(rows))) % len(self._latencies_ns)
            arrivals = rows["ts"] + self._latencies_ns[turn]
        self._given += len(rows)
        arrivals = np.maximum(np.maximum.accumulate(arrivals), self._last_ns)
        self._last_ns = int(arrivals[-1])
        self._arrivals = arrivals
        delayed = rows.copy()
        delayed["ts"] = arrivals
        self._waiting.append(delayed)

    def arrival_ns(self, rows_done: int) -> int:
        """When the last of so many rows of the array that was given last has arrived."""
        return int(self._arrivals[rows_done - 1]) if rows_done else self._before_ns

    def move_to(self, now_ns: int) -> None:
        """Show what has arrived by `now_ns`."""
        header = self._memory.header
        while True:
            answer = advance(header, now_ns)
            header["bars_head"] = header["bars_tail"]
            header["notices_head"] = header["notices_tail"]
            if answer & layout.NEED_ROWS:
                if not self._waiting:
                    return
                self._memory.give_rows(self._waiting.popleft())
            elif int(header["now"][0]) >= now_ns:
                return
