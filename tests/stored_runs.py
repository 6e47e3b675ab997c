"""The runs that every change of the program must decide again: `python -m tests.stored_runs` makes them anew.

Do that when decisions are meant to change, and say so in the commit.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from tests.command_line import command, stores

FOLDER: Final = Path(__file__).resolve().parent / "replays"
RUNS: Final = {
    "advanced": ("--profile", "dev_entry", "--duration", "90m"),
    "live": ("--profile", "dev_entry", "--engine", "live", "--seed", "8", "--duration", "90m"),
}
"""What a newcomer runs, and the baseline on another market."""


def main() -> None:
    from gpt_trader.ops.bundle import pack

    for name, arguments in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            (home / "jit").symlink_to(Path(os.environ["GPT_TRADER_HOME"]) / "jit", target_is_directory=True)
            done = command("run", *arguments, "--json", env={"GPT_TRADER_HOME": folder})
            assert done.code == 0, done.err
            (store,) = stores(home)
            pack(store, home, FOLDER / f"{name}.zip")


if __name__ == "__main__":
    main()
