"""Is it sent, or held back? Once for each thing, and no flood: what is held back is counted and told together."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import msgspec

from gpt_trader.core.clock import NS
from gpt_trader.ops.alerts.messages import Alert, Severity

__all__ = ["Router"]

KEYS_MAX: Final = 1000
HOUR_NS: Final = 3600 * NS


class Told(msgspec.Struct):
    """One thing that was told of."""

    at_ns: int
    alert: Alert
    held: int = 0
    """How often it was not told again since."""


class Router:
    """Pure: the time is given. Critical alerts are never lost to the limit of an hour, only to being the same."""

    def __init__(self, *, repeat_seconds: float, per_hour_max: int) -> None:
        self._repeat_ns = round(repeat_seconds * NS)
        self._per_hour_max = per_hour_max
        self._told: OrderedDict[str, Told] = OrderedDict()
        self._sent_ns: deque[int] = deque()
        self._flooded: dict[str, int] = {}
        """Severity of what the limit of an hour held back, and how often."""

    def offer(self, alert: Alert, now_ns: int) -> Alert | None:
        """What is to be sent now; None when it is held back."""
        told = self._told.get(alert.key)
        if told is not None and now_ns - told.at_ns < self._repeat_ns:
            told.held += 1
            return None
        if alert.severity is not Severity.CRITICAL and not self._has_room(now_ns):
            self._flooded[alert.severity.value] = self._flooded.get(alert.severity.value, 0) + 1
            return None
        held = told.held if told is not None else 0
        self._told[alert.key] = Told(now_ns, alert)
        self._told.move_to_end(alert.key)
        while len(self._told) > KEYS_MAX:
            self._told.popitem(last=False)
        self._sent_ns.append(now_ns)
        return alert if not held else msgspec.structs.replace(alert, text=f"{alert.text} ({held} more before)")

    def due(self, now_ns: int) -> tuple[Alert, ...]:
        """What was held back and is to be told by now, once its time is over."""
        found = []
        for key, told in list(self._told.items()):
            if now_ns - told.at_ns < self._repeat_ns:
                continue
            del self._told[key]
            if told.held:
                text = f"{told.held} more in {self._repeat_ns // NS} s: {told.alert.text}"
                found.append(msgspec.structs.replace(told.alert, text=text))
        if self._flooded and self._has_room(now_ns):
            counts = ", ".join(f"{count} {severity}" for severity, count in self._flooded.items())
            self._flooded = {}
            self._sent_ns.append(now_ns)
            text = f"held back, because more than {self._per_hour_max} came in an hour: {counts}. All are in the log"
            found.append(
                Alert(severity=Severity.WARNING, key="flood", title="warning: alerts", text=text, at_ns=now_ns)
            )
        return tuple(found)

    def _has_room(self, now_ns: int) -> bool:
        while self._sent_ns and now_ns - self._sent_ns[0] >= HOUR_NS:
            self._sent_ns.popleft()
        return len(self._sent_ns) < self._per_hour_max
