"""Case bars: 259,200 one-minute bars, EMA(20/50) cross, market orders, fees. `bars.py step|vector [COUNT]`."""

import sys

from house import Cross, ForeseenCross, bar_stream, play

form = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else None
play(bar_stream(count), {"step": Cross, "vector": ForeseenCross}[form], units=count or 259_200)
