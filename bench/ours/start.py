"""How long until it trades? `start.py [compile]`: with `compile` the time of compiling is told, else that of a run."""

import sys

from house import Cross, Timer, bar_stream, compile_entry_points, kernel_entry_points, play, tell

if "compile" in sys.argv:
    points = kernel_entry_points()
    with Timer() as timer:
        compile_entry_points(points, lambda *_: None)
    tell(timer=timer, units=len(points), version="")
else:
    play(bar_stream(2), Cross, units=2)
