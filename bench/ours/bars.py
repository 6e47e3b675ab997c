"""Case bars: 259,200 one-minute bars, EMA(20/50) cross, market orders, fees. `bars.py [step] [COUNT]`."""

import sys

from house import Cross, bar_stream, play

count = int(sys.argv[2]) if len(sys.argv) > 2 else None
stream = bar_stream(count)
play(stream, Cross, units=count or 259_200)
