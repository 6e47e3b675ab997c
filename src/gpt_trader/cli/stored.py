"""Which stored run does a person mean? What every command that reads one asks first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt_trader.records.logs import StoredLog

__all__ = ["file_of_run", "log_of"]


def log_of(run: str) -> StoredLog:
    """Its log, in a file or on a server."""
    from gpt_trader.config.home import home
    from gpt_trader.records.logs import find_log

    return find_log(home(os.environ), run)


def file_of_run(run: str, what: str, instead: str) -> Path:
    """Its database, for `what` can be done with files only; `instead` is what one does with a server."""
    from gpt_trader.config.home import home
    from gpt_trader.records.logs import file_of

    return file_of(home(os.environ), run, what, instead)
