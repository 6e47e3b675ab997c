"""Case bars: 259,200 one-minute bars, EMA(20/50) cross, market orders, fees. `bars.py step [COUNT]`."""

import sys

from house import Cross, bar_stream, play

form = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else None
if form != "step":
    raise SystemExit(f"{form}: strategies have no vectorised form of their signal yet")
play(bar_stream(count), Cross, units=count or 259_200)
