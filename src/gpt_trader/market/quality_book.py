"""Is a book sound? Rebuilt from its changes and looked at whenever it rests, which is when time goes on."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from gpt_trader.core.clock import NS, iso
from gpt_trader.market.quality_flaws import Flaws, Found, Limits
from gpt_trader.market.rows import CLEAR, LEVEL, QUOTE
from gpt_trader.market.stream import Rows

__all__ = ["BookCheck"]


@dataclass
class _Side:
    """One side of a book: lots by price, and its best price found when asked for."""

    sign: int
    """+1 for bids, whose best price is the highest; -1 for asks."""
    lots: dict[int, int] = field(default_factory=dict)
    heap: list[int] = field(default_factory=list)

    def put(self, price: int, lots: int) -> None:
        if not lots:
            self.lots.pop(price, None)
            return
        if price not in self.lots:
            heapq.heappush(self.heap, -self.sign * price)
        self.lots[price] = lots

    def best(self) -> int | None:
        while self.heap:
            price = -self.sign * self.heap[0]
            if price in self.lots:
                return price
            heapq.heappop(self.heap)
        return None


class BookCheck:
    """Crossed books, empty sides, and changes of a book that is not there."""

    def __init__(self, tick: float, limits: Limits) -> None:
        self._tick = tick
        self._crossed_ns = round(limits.crossed_seconds * NS)
        self._bids, self._asks = _Side(1), _Side(-1)
        self._begun = False
        self._now_ns = 0
        self._crossed_since_ns = 0
        self._crossed_text = ""
        self._empty_since_ns = 0
        self._flaws = Flaws()

    def add(self, rows: Rows) -> None:
        kind = rows["kind"]
        book = rows[(kind == LEVEL) | (kind == CLEAR) | (kind == QUOTE)]
        for ts, what, side, a, b, c, d in zip(
            *(book[name].tolist() for name in ("ts", "kind", "side", "a", "b", "c", "d")), strict=True
        ):
            if ts != self._now_ns:
                self._rest(ts)
            if what == LEVEL:
                (self._bids if side > 0 else self._asks).put(a, b)
                if not self._begun:
                    self._unbegun(ts)
            elif what == CLEAR:
                self._bids, self._asks, self._begun = _Side(1), _Side(-1), True
            else:
                self._quote(ts, a, b, c, d)

    def _unbegun(self, ts: int) -> None:
        self._begun = True
        self._flaws.note("no_snapshot", 1, ts, f"at {iso(ts)}")

    def _quote(self, ts: int, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
        self._bids, self._asks, self._begun = _Side(1), _Side(-1), True
        if bid >= ask:
            text = f"bid {bid * self._tick:,.10g}, ask {ask * self._tick:,.10g} at {iso(ts)}"
            self._flaws.note("crossed_quote", 1, ts, text)
            return
        self._bids.put(bid, bid_lots)
        self._asks.put(ask, ask_lots)

    def _rest(self, next_ns: int) -> None:
        """The book as it stood from `_now_ns` until now."""
        at_ns, self._now_ns = self._now_ns, next_ns
        if not self._begun:
            return
        bid, ask = self._bids.best(), self._asks.best()
        if bid is None or ask is None:
            self._empty_since_ns = self._empty_since_ns or at_ns
        elif self._empty_since_ns:
            self._filled(at_ns)
        if bid is not None and ask is not None and bid >= ask:
            if not self._crossed_since_ns:
                self._crossed_since_ns = at_ns
                self._crossed_text = f"bid {bid * self._tick:,.10g}, ask {ask * self._tick:,.10g}"
        elif self._crossed_since_ns:
            self._uncrossed(at_ns)

    def _filled(self, at_ns: int) -> None:
        seconds = (at_ns - self._empty_since_ns) / NS
        text = f"the longest: {seconds:,.3f} s from {iso(self._empty_since_ns)}"
        self._flaws.note("empty_side", 1, self._empty_since_ns, text, worst=seconds)
        self._empty_since_ns = 0

    def _uncrossed(self, at_ns: int) -> None:
        lasted_ns = at_ns - self._crossed_since_ns
        code = "crossed_book" if lasted_ns > self._crossed_ns else "crossed_moment"
        text = f"the longest: {lasted_ns / NS:,.6f} s from {iso(self._crossed_since_ns)}, {self._crossed_text}"
        self._flaws.note(code, 1, self._crossed_since_ns, text, worst=lasted_ns)
        self._crossed_since_ns = 0

    def found(self) -> dict[str, Found]:
        self._rest(self._now_ns)
        if self._empty_since_ns:
            self._filled(self._now_ns)
        if self._crossed_since_ns:
            self._uncrossed(self._now_ns)
        return self._flaws.found
