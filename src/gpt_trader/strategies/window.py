"""What were the last values? A ring that lies in one piece of memory, as array libraries want it.

An indicator of TA-Lib or numpy over a window depends on the bars in it and on nothing before, so a strategy that was
restarted computes what an unbroken one does, to the last bit. The sums of a streaming indicator depend on where it
began.
"""

from __future__ import annotations

import numpy as np

from gpt_trader.market.view import Floats

__all__ = ["Window"]


class Window:
    """The last `length` numbers, oldest first."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._room = np.empty(4 * length)
        self._end = 0

    def __len__(self) -> int:
        return min(self._end, self._length)

    @property
    def full(self) -> bool:
        return self._end >= self._length

    @property
    def values(self) -> Floats:
        """A view: read it before the next `append`."""
        return self._room[max(0, self._end - self._length) : self._end]

    def append(self, value: float) -> None:
        if self._end == len(self._room):
            self._room[: self._length] = self._room[-self._length :]
            self._end = self._length
        self._room[self._end] = value
        self._end += 1

    def extend(self, values: Floats) -> None:
        """As many `append`s, at the cost of one."""
        kept = np.concatenate((self.values, values[-self._length :]))[-self._length :]
        self._room[: len(kept)] = kept
        self._end = len(kept)
