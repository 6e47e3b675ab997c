"""What did the entries of one run cost, how much of them was filled, and how long did it take?

From the same analysis as `gpt-trader tca`, fed while the run goes on, since its log is not kept. Exits are left out:
every tactic lets them go by market, so they would only blur the difference.
"""

from __future__ import annotations

from math import sqrt

from gpt_trader.core.clock import NS
from gpt_trader.core.events import Event, OrderFilled
from gpt_trader.core.values import Purpose
from gpt_trader.records.tca import CostAnalysis

__all__ = ["OrderCosts"]

BPS = 10_000.0


class OrderCosts:
    """Fed with every event of a run, in order."""

    def __init__(self) -> None:
        self._costs = CostAnalysis()
        self._last_fill_ns: dict[str, int] = {}

    def take(self, event: Event) -> None:
        self._costs.take(event)
        if isinstance(event, OrderFilled):
            self._last_fill_ns[event.intent_id] = event.at_ns

    def figures(self) -> dict[str, float]:
        """Of entries; what cannot be said of a run (no fill, nothing wanted) is missing."""
        row = next((row for row in self._costs.rows(["purpose"]) if row.key == (Purpose.ENTRY.value,)), None)
        if row is None:
            return {"entries": 0.0}
        found: dict[str, float] = {"entries": float(row.intents)}
        named = {"shortfall_bps": row.bps(row.shortfall), "all_in_bps": row.all_in, "fill_share": row.fill_rate}
        found |= {name: float(value) for name, value in named.items() if value is not None}
        each = self._each_bps()
        if len(each) > 1:
            mean = sum(each) / len(each)
            deviation = sqrt(sum((value - mean) ** 2 for value in each) / (len(each) - 1))
            found["all_in_error_bps"] = deviation / sqrt(len(each))
        waits = self._waits_seconds()
        if waits:
            found["fill_seconds"] = sum(waits) / len(waits)
        return found

    def _each_bps(self) -> list[float]:
        """Shortfall and missed of each entry, in basis points of what it wanted."""
        found = []
        for intent in self._costs.intents.values():
            wanted = float(intent.wanted * intent.arrival)
            if intent.purpose is not Purpose.ENTRY or wanted <= 0:
                continue
            paid = sum(float(fill.shortfall) for fill in intent.fills)
            found.append((paid + float(intent.missed or 0)) / wanted * BPS)
        return found

    def _waits_seconds(self) -> list[float]:
        return [
            (self._last_fill_ns[intent.intent_id] - intent.decided_ns) / NS
            for intent in self._costs.intents.values()
            if intent.purpose is Purpose.ENTRY and intent.fills and intent.intent_id in self._last_fill_ns
        ]
