"""Case l2: 2,200,040 rows of depth and trades, EMA cross once a second on the last price. `l2.py FAST SLOW [COUNT]`."""

import sys

import numpy as np
from house import Cross, data, level_rows, play, product

from gpt_trader.market.memory import ArrayStream

fast, slow, *rest = map(int, sys.argv[1:])
count = rest[0] if rest else None
rows = level_rows(np.load(data.folder() / "l2.npy")[:count])
stream = ArrayStream([product(lot="0.001")], rows, bar_seconds=1, start_ns=data.START_NS)
play(stream, lambda: Cross(fast, slow), units=len(rows), latency_ms=10)
