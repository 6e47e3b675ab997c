"""COUNT symbols (1 to 5) in one bot, BARS one-minute bars each, the EMA cross on every one. `symbols.py COUNT BARS`."""

import sys

import numpy as np
from house import Cross, bar_rows, data, play, product

from gpt_trader.market.memory import ArrayStream

count, bars = int(sys.argv[1]), int(sys.argv[2])
parts, products = [], []
for index, (symbol, (first, decimals)) in enumerate(list(data.SYMBOLS.items())[:count]):
    made = np.load(data.folder() / f"bars_{symbol}.npy")[:bars]
    scale = 10 ** round(np.log10(95_000 / first))  # of about the same worth as BTC's
    made["v"] *= scale
    parts.append(bar_rows(made, decimals, index))
    products.append(product(symbol, tick=f"{10**-decimals:.{decimals}f}", size=scale))
rows = np.concatenate(parts)
rows = rows[np.lexsort((rows["product"], rows["ts"]))]
stream = ArrayStream(products, rows, bar_seconds=60, start_ns=data.START_NS)
play(stream, Cross, units=len(rows), symbols=[each.symbol for each in products])
