"""Case ticks: 5,000,000 quotes and trades, the strategy on one-minute bars built from them. `ticks.py [COUNT]`."""

import sys

from house import Cross, data, play, product, tick_rows

from gpt_trader.market.memory import ArrayStream

count = int(sys.argv[1]) if len(sys.argv) > 1 else None
made = data.load_ticks(count)
rows = tick_rows(made)
del made
play(ArrayStream([product(lot="0.001")], rows, bar_seconds=60, start_ns=data.START_NS), Cross, units=len(rows))
