"""How does a rollout stand? Its plan, step, evidence and costs, as the log tells them; the same live and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import sqrt
from typing import Any, Final

import msgspec

from gpt_trader.bot.rollout.evidence import Evidence, Unit, orders_until_known
from gpt_trader.bot.rollout.plan import percent
from gpt_trader.core.clock import NS, iso
from gpt_trader.core.events import (
    Event,
    IntentAssigned,
    RolloutCounted,
    RolloutEnded,
    RolloutPaused,
    RolloutResumed,
    RolloutStarted,
    RolloutStepped,
)
from gpt_trader.core.values import ZERO

__all__ = ["HASH", "RolloutRecord", "Tally"]

MINUTE_SECONDS: Final = 60
HASH: Final = "hash"
"""Why an intent is assigned where it is, when the coin decided."""
MANY: Final = 2
"""Costs from which on a spread can be told."""


class Tally(msgspec.Struct):
    """What one engine's counted positions have cost."""

    given: int = 0
    """Intents that the hash gave it, to open a position."""
    positions: int = 0
    """Of these brought to their end, with an order at least."""
    orders: int = 0
    rejects: int = 0
    costs: int = 0
    """Orders whose cost is known."""
    total: Decimal = ZERO
    squares: Decimal = ZERO
    openings: int = 0
    """Of the costs."""
    opening_total: Decimal = ZERO

    def add_cost(self, cost: Decimal, *, opening: bool) -> None:
        self.costs += 1
        if opening:
            self.openings += 1
            self.opening_total += cost
        self.total += cost
        self.squares += cost * cost

    @property
    def mean_bps(self) -> Decimal | None:
        return self.total / self.costs if self.costs else None

    def part(self, stake: str) -> tuple[int, Decimal]:
        """How many costs a stake looks at, and their sum."""
        match stake:
            case "opening":
                return self.openings, self.opening_total
            case "others":
                return self.costs - self.openings, self.total - self.opening_total
            case _:
                return self.costs, self.total

    @property
    def sd_bps(self) -> float | None:
        if self.costs < MANY:
            return None
        mean = self.total / self.costs
        return sqrt(max(0.0, float(self.squares / self.costs - mean * mean)) * self.costs / (self.costs - 1))


class RolloutRecord:
    """One rollout, from RolloutStarted on; `take` what the log says of it, in order."""

    def __init__(self, started: RolloutStarted) -> None:
        self.plan = started
        self.step = 0
        self.step_began_ns = started.at_ns
        self.step_orders = 0
        """Of the candidate, at this step, whose cost is known."""
        self.paused: RolloutPaused | None = None
        self.ended: RolloutEnded | None = None
        self.told: list[tuple[int, str]] = [(started.at_ns, f"started by {started.who}: {started.reason}")]
        """(time, sentence) of every turn it took."""
        self.by_candidate = {True: Tally(), False: Tally()}
        self.evidence = Evidence(
            limit_bps=float(started.shortfall_delta_bps_max),
            reject_limit=float(started.venue_rejects_max),
            sd_bps=float(started.shortfall_sd_bps),
            steps=sum(1 for share in started.shares if share < 1),
        )
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            IntentAssigned: self._on_assigned,
            RolloutCounted: self._on_counted,
            RolloutStepped: self._on_stepped,
            RolloutPaused: self._on_paused,
            RolloutResumed: self._on_resumed,
            RolloutEnded: self._on_ended,
        }

    def take(self, event: Event) -> None:
        """One event after the start; others are ignored."""
        handler = self._handlers.get(type(event))
        if handler is not None and self.ended is None:
            handler(event)

    # --- questions ------------------------------------------------------------------------------------------------
    @property
    def share(self) -> Decimal:
        """What the hash is held against now: nothing while it is paused."""
        return ZERO if self.paused is not None or self.ended is not None else self.plan.shares[self.step]

    @property
    def is_last_step(self) -> bool:
        return self.step + 1 == len(self.plan.shares)

    @property
    def compares(self) -> bool:
        """Both engines trade at this step."""
        return self.plan.shares[self.step] < 1

    def delta_bps(self, stake: str = "position") -> Decimal | None:
        """By how much an order of the candidate costs more, of those that a stake looks at, over all steps; None while
        one of the engines has none."""
        (mine, my_total), (theirs, their_total) = (self.by_candidate[who].part(stake) for who in (True, False))
        return my_total / mine - their_total / theirs if mine and theirs else None

    def missing(self, now_ns: int) -> str:
        """What the step still waits for; empty when it is passed."""
        plan, parts = self.plan, []
        if self.step_orders < plan.min_orders:
            parts.append(f"{plan.min_orders - self.step_orders} more candidate orders")
        if self.compares and not self.evidence.not_worse.is_proven:
            parts.append("proof that the candidate is not worse by the limit")
        left = plan.hold_seconds - self.held_seconds(now_ns)
        if left > 0:
            parts.append(f"{_span(left)} of time")
        return ", ".join(parts)

    def held_seconds(self, now_ns: int) -> int:
        """How long the step has run, without pauses."""
        until_ns = self.paused.at_ns if self.paused is not None else now_ns
        return max(0, until_ns - self.step_began_ns) // NS

    def expected_ns(self, now_ns: int) -> int | None:
        """When an equal candidate will have passed the step, at the pace of its orders so far; None while one of the
        engines has none, or it is paused."""
        if self.paused is not None or self.ended is not None:
            return None
        needed = max(self.plan.min_orders - self.step_orders, self._orders_to_know())
        time_ns = self.step_began_ns + self.plan.hold_seconds * NS
        if needed <= 0:
            return max(now_ns, time_ns)
        if not all(tally.costs for tally in self.by_candidate.values()) or not self.step_orders:
            return None
        each_ns = max(1, now_ns - self.step_began_ns) // self.step_orders
        return max(time_ns, now_ns + needed * each_ns)

    def _orders_to_know(self) -> int:
        bet = self.evidence.not_worse
        return orders_until_known(
            limit_bps=float(self.plan.shortfall_delta_bps_max),
            share=float(self.plan.shares[self.step]),
            sd_bps=float(self.plan.shortfall_sd_bps),
            growth_left=bet.needed - bet.growth,
        )

    # --- told to people -------------------------------------------------------------------------------------------
    def lines(self, now_ns: int) -> dict[str, object]:
        """Everything about it, as text by name."""
        plan = self.plan
        found: dict[str, object] = {
            "rollout": f"{plan.rollout}: {plan.baseline} -> {plan.to}",
            "state": self._state(),
            "steps": ", ".join(percent(share) for share in plan.shares),
            "limits": [
                f"cost {plan.shortfall_delta_bps_max:f} bps (can tell {plan.detectable_bps:f} bps from chance)",
                f"standard deviation of an order {plan.shortfall_sd_bps:f} bps, {plan.sd_from}",
                f"venue rejects {percent(plan.venue_rejects_max)} more (can tell {percent(plan.detectable_rejects)})",
                f"false alarms {percent(plan.false_alarms)}, power {percent(plan.power)}",
            ],
            "baseline": self._cost_line(candidate=False),
            "candidate": self._cost_line(candidate=True),
            "worse?": [_bet_line(bet.name, bet.growth, bet.needed) for bet in self.evidence.bets()],
        }
        if self.compares:
            bet = self.evidence.not_worse
            found["not worse?"] = _bet_line("by the limit", bet.growth, bet.needed)
        if self.ended is None:
            found["step"] = (
                f"{self.step + 1} of {len(plan.shares)}, {percent(plan.shares[self.step])}, "
                f"{self.step_orders} of {plan.min_orders} candidate orders, "
                f"{_span(self.held_seconds(now_ns))} of {_span(plan.hold_seconds)}"
            )
            found["waits for"] = self.missing(now_ns) or "nothing"
            expected_ns = self.expected_ns(now_ns)
            found["expects"] = (
                "nothing before both engines trade" if expected_ns is None else f"to know by {_when(expected_ns)}"
            )
            if self.paused is not None:
                found["expects"] = "nothing while it is paused"
        return found

    def headline(self) -> str:
        """Candidate, share and orders in a few words."""
        share = "paused" if self.paused is not None else f"at {percent(self.share)}"
        return f"{self.plan.to} {share}, {self.step_orders} of {self.plan.min_orders} candidate orders"

    def _state(self) -> str:
        if self.ended is not None:
            return f"{self.ended.outcome} by {self.ended.who}: {self.ended.reason}"
        if self.paused is not None:
            return f"PAUSED by {self.paused.who}: {self.paused.reason}"
        return "RUNNING"

    def _cost_line(self, *, candidate: bool) -> str:
        tally = self.by_candidate[candidate]
        sd = tally.sd_bps
        mean = "no cost known yet" if tally.mean_bps is None else f"{tally.mean_bps:.2f} bps an order"
        spread = "" if sd is None else f" (standard deviation {sd:.2f})"
        return (
            f"{mean}{spread}, {tally.costs} orders, {tally.positions} positions of {tally.given} given, "
            f"{tally.rejects} of {tally.orders} sent were rejected"
        )

    # --- how events change it -------------------------------------------------------------------------------------
    def _on_assigned(self, event: IntentAssigned) -> None:
        self.by_candidate[event.candidate].given += event.why == HASH

    def _on_counted(self, event: RolloutCounted) -> None:
        tally = self.by_candidate[event.candidate]
        new = event.others_bps if event.closed else () if event.opening_bps is None else (event.opening_bps,)
        for cost in new:
            tally.add_cost(cost, opening=not event.closed)
        if event.closed:
            tally.positions += 1
            tally.orders += event.orders
            tally.rejects += event.rejects
        if event.step != self.step:
            return  # another share's coin
        if event.candidate:
            self.step_orders += len(new)
        unit = Unit(
            symbol=event.symbol,
            candidate=event.candidate,
            share=float(event.share),
            opening=None if event.opening_bps is None else float(event.opening_bps),
            others=tuple(float(cost) for cost in event.others_bps),
            orders=event.orders,
            rejects=event.rejects,
        )
        if event.closed:
            self.evidence.closed(unit)
        else:
            self.evidence.opened(unit)

    def _on_stepped(self, event: RolloutStepped) -> None:
        self.step, self.step_began_ns, self.step_orders = event.step, event.at_ns, 0
        self.evidence.begin_step()
        told = f"step {event.step + 1}: {percent(event.share)}, after {event.orders} orders of the candidate"
        delta = self.delta_bps()
        self.told.append((event.at_ns, told if delta is None else f"{told}; it costs {delta:+.2f} bps an order"))

    def _on_paused(self, event: RolloutPaused) -> None:
        self.paused = event
        self.told.append((event.at_ns, f"paused by {event.who}: {event.reason}"))

    def _on_resumed(self, event: RolloutResumed) -> None:
        if self.paused is not None:
            self.step_began_ns += event.at_ns - self.paused.at_ns
        self.paused = None
        self.told.append((event.at_ns, f"resumed by {event.who}: {event.reason}"))

    def _on_ended(self, event: RolloutEnded) -> None:
        self.ended = event
        self.told.append((event.at_ns, f"{event.outcome} by {event.who}: {event.reason}"))


def _bet_line(name: str, growth: float, needed: float) -> str:
    """Odds as people read them: how much one unit has become, and what it must become."""
    return f"{name}: {_times(growth)} of {_times(needed)}"


def _times(growth: float) -> str:
    """e^growth in three digits."""
    return f"{Decimal(repr(growth)).exp():.3g}"


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, MINUTE_SECONDS)
    hours, minutes = divmod(minutes, MINUTE_SECONDS)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def _when(at_ns: int) -> str:
    return f"{iso(at_ns)[:16]} UTC"
