"""A bot that is killed in the middle of a rollout.

`python -m tests.killed_rollout FOLDER EVENT NUMBER` tries an equal candidate in three quick steps and sends itself
SIGKILL when the named event is told for the so-manieth time.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from tests.rollout_house import RolloutHouse

from gpt_trader.core.events import Event

QUICK: Final[dict[str, Any]] = {
    "seed": 3,
    "seconds": 1500,
    "durable": True,
    "plan": {"share": "25%", "then": "50%,100%", "hold": "1m", "min_orders": "6", "max_shortfall_delta": "60bps"},
}


def main(folder: str, kind: str, number: str) -> None:
    house = RolloutHouse(Path(folder), **QUICK)
    seen = 0

    def die(event: Event) -> None:
        nonlocal seen
        seen += type(event).__name__ == kind
        if seen == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    house.house.bot.bus.watch("executioner", die)
    house.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
