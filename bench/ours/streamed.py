"""COUNT ticks read from a file piece by piece, as a recorded market is: how much memory does it take?

`streamed.py COUNT`: more than the five million that there are play the file again, later.
"""

import sys
from collections.abc import Iterator

import numpy as np
from house import Cross, data, play, product, tick_rows

from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.stream import Rows

PIECE = 1 << 17
count = int(sys.argv[1])
path = data.folder() / "ticks.npy"
with path.open("rb") as opened:
    np.lib.format.read_magic(opened)
    np.lib.format.read_array_header_1_0(opened)
    head = opened.tell()
first, last = (
    int(np.fromfile(path, data.TOP, 1, offset=head + place * data.TOP.itemsize)["ts"][0])
    for place in (0, data.TICKS - 1)
)
lap_ns = (last - data.START_NS) // data.MINUTE_NS * data.MINUTE_NS + data.MINUTE_NS


class FileStream(ArrayStream):
    """Only its two ends are in memory."""

    def chunks(self) -> Iterator[Rows]:
        for place in range(0, count, PIECE):
            lap, start = divmod(place, data.TICKS)
            size = min(PIECE, count - place, data.TICKS - start)
            made = np.fromfile(path, data.TOP, size, offset=head + start * data.TOP.itemsize)
            yield moved(tick_rows(made), lap)


def moved(rows: Rows, lap: int) -> Rows:
    rows["ts"] += lap * lap_ns
    rows["recv"] = rows["ts"]
    return rows


end_ns = data.START_NS + (count // data.TICKS + 1) * lap_ns
ends = tick_rows(np.fromfile(path, data.TOP, 1, offset=head))
stream = FileStream([product(lot="0.001")], ends, bar_seconds=60, start_ns=data.START_NS, end_ns=end_ns)
play(stream, Cross, units=count)
