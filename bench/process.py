"""How is one measurement run? In a process of its own, whose last line of output is JSON."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

TIMEOUT_SECONDS = 900


class Failed(Exception):
    """The program did not do what it was run for."""


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run it and return what it told, with `process_s` and `process_processor_s`, wall and processor seconds of its
    whole life. Raises Failed."""
    began, used = time.monotonic(), _children_s()
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
    lived = {"process_s": time.monotonic() - began, "process_processor_s": _children_s() - used}
    return told | {name: round(seconds, 2) for name, seconds in lived.items()}


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
