"""What is measured on? Synthetic market data with fixed seeds, made once and kept outside the project.

`python bench/data.py [FOLDER]` writes, where they are missing:
  bars_BTC.npy ... bars_DOGE.npy   259,200 one-minute bars each (180 days)
  ticks.npy                        5,000,000 top-of-book quotes (80 %) and trades (20 %) of 5 days
  l2.npy                           2,000,000 book deltas and 200,000 trades, 20 levels a side, of 11.6 hours
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

START_NS = 1_735_689_600_000_000_000  # 2025-01-01T00:00Z
MINUTE_NS = 60_000_000_000
TICK = 0.1

BARS = 180 * 1440
TICKS = 5_000_000
DELTAS, TRADES, LEVELS = 2_000_000, 200_000, 20

SYMBOLS = {"BTC": (95000.0, 1), "ETH": (3300.0, 2), "SOL": (190.0, 3), "XRP": (2.3, 4), "DOGE": (0.32, 5)}
"""First price and decimals of each."""

BAR = np.dtype([("ts", "i8"), ("o", "f8"), ("h", "f8"), ("l", "f8"), ("c", "f8"), ("v", "f8")])
TOP = np.dtype(
    [
        ("ts", "i8"), ("kind", "i1"), ("side", "i1"), ("bid", "f8"), ("ask", "f8"),
        ("bsz", "f8"), ("asz", "f8"), ("px", "f8"), ("qty", "f8"),
    ]
)  # fmt: skip
"""kind 0 = quote, 1 = trade."""
LEVEL = np.dtype([("ts", "i8"), ("kind", "i1"), ("side", "i1"), ("px", "f8"), ("qty", "f8")])
"""kind 0 = delta, 1 = trade, 2 = level of the first snapshot; side +1 bid, -1 ask."""


def peers_home() -> Path:
    """Where peers and data live."""
    return Path(os.environ.get("GPT_TRADER_PEERS") or Path.home() / ".cache" / "gpt-trader-peers")


def folder() -> Path:
    return peers_home() / "data"


def bars(place: int, first: float, decimals: int) -> np.ndarray:
    """A random walk with a slow swing; `ts` is the bar's close."""
    draw = np.random.default_rng(1000 + place)
    returns = draw.normal(0, 0.0006, BARS) + 0.0002 * np.sin(np.arange(BARS) / 700.0) * 0.5
    close = first * np.exp(np.cumsum(returns - returns.mean() * 0.7))
    opened = np.concatenate([[first], close[:-1]])
    high = np.maximum(opened, close) * (1 + np.abs(draw.normal(0, 0.0002, BARS)))
    low = np.minimum(opened, close) * (1 - np.abs(draw.normal(0, 0.0002, BARS)))
    made = np.zeros(BARS, BAR)
    made["ts"] = START_NS + MINUTE_NS * np.arange(1, BARS + 1)
    made["o"], made["c"] = np.round(opened, decimals), np.round(close, decimals)
    made["h"] = np.maximum(np.round(high, decimals), np.maximum(made["o"], made["c"]))
    made["l"] = np.minimum(np.round(low, decimals), np.minimum(made["o"], made["c"]))
    made["v"] = np.round(draw.lognormal(2, 1, BARS) + 0.001, 3)
    return made


def ticks() -> np.ndarray:
    """Quotes one to three ticks wide around a slow walk; trades at the touch."""
    draw = np.random.default_rng(7)
    made = np.zeros(TICKS, TOP)
    gap = draw.exponential(0.0864, TICKS)
    made["ts"] = START_NS + np.cumsum((gap * 1e9).astype("i8") + 1)
    made["kind"] = draw.random(TICKS) < 0.2
    middle = 950_000 + np.cumsum(draw.choice([-1, 0, 1], TICKS, p=[0.15, 0.7, 0.15]))
    spread = draw.choice([1, 2, 3], TICKS, p=[0.7, 0.2, 0.1])
    bid = middle - spread // 2
    made["bid"], made["ask"] = np.round(bid * TICK, 1), np.round((bid + spread) * TICK, 1)
    made["bsz"] = np.round(draw.lognormal(-1, 1, TICKS) + 0.001, 3)
    made["asz"] = np.round(draw.lognormal(-1, 1, TICKS) + 0.001, 3)
    made["side"] = np.where(draw.random(TICKS) < 0.5, 1, -1)
    made["px"] = np.where(made["side"] > 0, made["ask"], made["bid"])
    made["qty"] = np.round(draw.lognormal(-3, 1, TICKS) + 0.001, 3)
    return made


def load_ticks(count: int | None = None) -> np.ndarray:
    """The first `count` ticks, with ten times the size: so that an order of 0.1 fits into the best price of every
    quote, and venues that let an order use up the book fill it like those that do not."""
    made = np.load(folder() / "ticks.npy", mmap_mode="r")[:count].copy()
    made["bsz"] *= 10
    made["asz"] *= 10
    return made


class _Ladder:
    """Twenty levels a side around a best bid and ask that move one tick at a time; the book is never crossed."""

    def __init__(self) -> None:
        self.bid, self.ask = 950_000, 950_001
        self.rows: list[tuple[int, int, int, int, float]] = []
        self.deltas = 0

    def _delta(self, at: int, side: int, tick: int, quantity: float) -> None:
        self.rows.append((at, 0, side, tick, quantity))

    def up(self, at: int, quantity: float) -> None:
        """The best ask is gone: 4 deltas."""
        self._delta(at, -1, self.ask, 0.0)
        self.ask += 1
        self._delta(at, -1, self.ask + LEVELS - 1, quantity)
        self._delta(at, 1, self.bid - LEVELS + 1, 0.0)
        self.bid += 1
        self._delta(at, 1, self.bid, quantity)
        self.deltas += 4

    def down(self, at: int, quantity: float) -> None:
        """The best bid is gone: 4 deltas."""
        self._delta(at, 1, self.bid, 0.0)
        self.bid -= 1
        self._delta(at, 1, self.bid - LEVELS + 1, quantity)
        self._delta(at, -1, self.ask + LEVELS - 1, 0.0)
        self.ask -= 1
        self._delta(at, -1, self.ask, quantity)
        self.deltas += 4

    def change(self, at: int, side: int, distance: int, quantity: float) -> None:
        self._delta(at, side, self.bid - distance if side > 0 else self.ask + distance, quantity)
        self.deltas += 1


def levels() -> np.ndarray:
    draw = np.random.default_rng(11)
    many = DELTAS + TRADES + 10
    where = draw.random(many)
    distance = np.minimum(draw.geometric(0.15, many) - 1, LEVELS - 1)
    quantity = np.round(draw.lognormal(0, 1, many) + 0.001, 3)
    bids = draw.random(many) < 0.5
    gaps = (draw.exponential(0.02, many) * 1e9).astype("i8") + 1
    trading = draw.random(many) < TRADES / (DELTAS + TRADES)
    moving = draw.random(many) < 0.02
    book, at, traded, turn = _Ladder(), START_NS, 0, 0
    while book.deltas < DELTAS or traded < TRADES:
        k, turn = turn % many, turn + 1
        at += int(gaps[k])
        side, size = (1 if bids[k] else -1), float(quantity[k])
        if (trading[k] and traded < TRADES) or book.deltas >= DELTAS:
            book.rows.append((at, 1, side, book.ask if side > 0 else book.bid, size * 0.1))
            traded += 1
        elif moving[k] and book.deltas + 4 <= DELTAS:
            (book.up if where[k] < 0.5 else book.down)(at, size)
        else:
            book.change(at, side, int(distance[k]), size)
    first = [(START_NS, 2, 1, 950_000 - i, 1.0) for i in range(LEVELS)]
    first += [(START_NS, 2, -1, 950_001 + i, 1.0) for i in range(LEVELS)]
    return _level_rows(first + book.rows)


def _level_rows(rows: list[tuple[int, int, int, int, float]]) -> np.ndarray:
    made = np.zeros(len(rows), LEVEL)
    made["ts"] = [row[0] for row in rows]
    made["kind"], made["side"] = [row[1] for row in rows], [row[2] for row in rows]
    made["px"] = np.round(np.array([row[3] for row in rows]) * TICK, 1)
    made["qty"] = np.round([row[4] for row in rows], 3)
    made["qty"][(made["kind"] == 1) & (made["qty"] <= 0)] = 0.001
    return made


def make(where: Path) -> None:
    """Make what is missing."""
    where.mkdir(parents=True, exist_ok=True)
    makers = {
        f"bars_{symbol}": (lambda place=place, about=about: bars(place, *about))
        for place, (symbol, about) in enumerate(SYMBOLS.items())
    }
    for name, maker in (makers | {"ticks": ticks, "l2": levels}).items():
        path = where / f"{name}.npy"
        if path.exists():
            continue
        print(f"data: making {path.name}", file=sys.stderr)
        half = path.with_suffix(".half.npy")
        np.save(half, maker())
        half.replace(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else folder())
