"""How is one measurement run? In a process of its own, whose last line of output is JSON."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

TIMEOUT_SECONDS = 900


class Failed(Exception):
    """The program did not do what it was run for."""


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run it and return what it told, with `process_s`, the whole life of the process. Raises Failed."""
    began = time.monotonic()
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            env=os.environ | dict(environment or {}),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"took longer than {TIMEOUT_SECONDS} s") from error
    if ended.returncode:
        words = (ended.stderr.strip() or ended.stdout.strip() or "no output").splitlines()
        raise Failed(f"failed ({ended.returncode}): {words[-1][:300]}")
    told: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return told | {"process_s": round(time.monotonic() - began, 2)}
