"""What is measured of ours alone: how cost grows, what memory is taken, how long compiling and starting take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Probe = Callable[[bool], list[dict[str, Any]]]

PROBES: dict[str, Probe] = {}
