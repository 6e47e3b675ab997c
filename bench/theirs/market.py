"""The common market and ruler, for the peers' side. Their environments have numpy and not gpt_trader."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from data import MINUTE_NS, SYMBOLS, folder, load_ticks
from ruler import CASH, FEE, QUANTITY, EmaCross, Timer, peak_mib, sweep_pairs, tell

__all__ = [
    "CASH",
    "FEE",
    "MINUTE_NS",
    "QUANTITY",
    "SYMBOLS",
    "EmaCross",
    "Timer",
    "bars",
    "levels",
    "peak_mib",
    "sweep_pairs",
    "tell",
    "ticks",
]


def bars(count: int | None = None, symbol: str = "BTC") -> np.ndarray:
    """The first `count` bars, or more than there are: then they are played again, later."""
    made = np.load(folder() / f"bars_{symbol}.npy")
    if count is not None and count > len(made):
        times = -(-count // len(made))
        first = int(made["ts"][0])
        made = np.tile(made, times)
        made["ts"] = first + MINUTE_NS * np.arange(len(made))
    return made[:count]


def ticks(count: int | None = None) -> np.ndarray:
    return load_ticks(count)


def levels(count: int | None = None) -> np.ndarray:
    return np.load(folder() / "l2.npy")[:count]
