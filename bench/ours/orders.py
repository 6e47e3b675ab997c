"""Case orders: the position is flipped on every bar: a close and an open through the whole hallway.

`orders.py COUNT [durable]`: COUNT orders.
"""

import sys

from house import Flip, bar_stream, play

count = int(sys.argv[1])
stream = bar_stream((count + 1) // 2 + 1)
play(stream, Flip, units=0, durable="durable" in sys.argv, asked=count)
