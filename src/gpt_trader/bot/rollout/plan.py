"""What is agreed before the first order of a rollout? Candidate, shares, limits, and what can be found out by them.

A limit that the planned orders could not tell from chance would be a promise that nobody can keep: it is refused, and
the refusal says what would do.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from gpt_trader.bot.rollout.evidence import REJECTS_BEFORE, detectable_bps, detectable_rejects
from gpt_trader.config.bot import parse_duration
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value

__all__ = ["CANDIDATES", "DEFAULTS", "Asked", "RolloutPlan", "is_candidate", "make_plan", "parse_asked", "percent"]

CANDIDATES: Final = ("live", "advanced", "advanced:sizing", "advanced:impact")
"""Live, or Advanced with both of its features, or with one."""
DEFAULTS: Final[Mapping[str, str]] = {
    "share": "10%",
    "then": "50%,100%",
    "min_orders": "60",
    "hold": "2h",
    "max_venue_rejects": "",
    "shortfall_sd": "",
}
"""Of the arguments of a start; `to` and `max_shortfall_delta` have none."""
BPS: Final = "bps"
PERCENT: Final = 100
HASH_BYTES: Final = 8
ORDERS_MAX: Final = 1_000_000
HOLD_SECONDS_MAX: Final = 365 * 86_400
STEPS_MAX: Final = 10


class Asked(Value, frozen=True, kw_only=True):
    """What a person asked for, understood."""

    to: str
    shares: tuple[Decimal, ...]
    min_orders: int
    hold_seconds: int
    shortfall_delta_bps_max: Decimal
    venue_rejects_max: Decimal | None
    """How much more often the venue may reject orders of the candidate than of the baseline, as a share of them; None
    takes what can be told from chance."""
    shortfall_sd_bps: Decimal | None
    """None takes what was measured."""


class RolloutPlan(Value, frozen=True, kw_only=True):
    """What was agreed; durable before the first intent is assigned."""

    name: str
    """Of this rollout in its run: part of what is hashed, so that the next one throws other coins."""
    asked: Asked
    baseline: str
    """Name of the engine that the candidate is held against."""
    candidate: str
    shortfall_sd_bps: Decimal
    sd_from: str
    detectable_bps: Decimal
    """Smallest difference of cost that the planned orders can tell from chance at every step that compares."""
    detectable_rejects: Decimal
    venue_rejects_max: Decimal

    @property
    def comparing_steps(self) -> int:
        """Steps at which both engines trade."""
        return sum(1 for share in self.asked.shares if share < 1)


def parse_asked(arguments: Mapping[str, str]) -> Asked:
    """The arguments of a start as they were typed. Raises ConfigError that names the argument and the fix."""
    unknown = sorted(arguments.keys() - {*DEFAULTS, "to", "max_shortfall_delta"})
    if unknown:
        known = ", ".join(["to", "max_shortfall_delta", *DEFAULTS])
        raise ConfigError(f"rollout: {', '.join(unknown)}: no such argument. Fix: one of {known}")
    given = {**DEFAULTS, **{name: text.strip() for name, text in arguments.items() if text.strip()}}
    to = given.get("to", "")
    if to not in CANDIDATES:
        raise ConfigError(f"--to {to!r}: no such candidate. Fix: one of {', '.join(CANDIDATES)}")
    sd, rejects = given["shortfall_sd"], given["max_venue_rejects"]
    return Asked(
        to=to,
        shares=_shares(given["share"], given["then"]),
        min_orders=_count(given["min_orders"]),
        hold_seconds=_hold(given["hold"]),
        shortfall_delta_bps_max=_bps("--max-shortfall-delta", given.get("max_shortfall_delta", "")),
        venue_rejects_max=_share("--max-venue-rejects", rejects) if rejects else None,
        shortfall_sd_bps=_bps("--shortfall-sd", sd) if sd else None,
    )


def make_plan(
    asked: Asked, *, name: str, baseline: str, candidate: str, measured: tuple[Decimal, int] | None
) -> RolloutPlan:
    """`measured`: standard deviation of shortfall of the last orders in bps, and of how many. Raises ConfigError for
    limits that so few orders cannot tell from chance."""
    if asked.shortfall_sd_bps is not None:
        sd_bps, sd_from = asked.shortfall_sd_bps, "as given"
    elif measured is not None:
        sd_bps, sd_from = measured[0], f"measured over the last {measured[1]} orders"
    else:
        raise ConfigError(
            "nothing has been traded yet, so nobody knows by how much the shortfall of single orders differs. "
            "Fix: say it with --shortfall-sd (`gpt-trader tca` measures it, for instance 10bps), or let it trade first"
        )
    comparing = [float(share) for share in asked.shares if share < 1]
    if not comparing:
        raise ConfigError("--share 100%: then there is nothing to compare with. Fix: begin below 100%")
    orders, steps, sd = asked.min_orders, len(comparing), float(sd_bps)
    least = max(detectable_bps(orders=orders, share=share, sd_bps=sd, steps=steps) for share in comparing)
    rejects = max(
        detectable_rejects(orders=orders, share=share, rate=REJECTS_BEFORE, steps=steps) for share in comparing
    )
    detectable = Decimal(repr(rejects)).quantize(Decimal("0.001"))
    plan = RolloutPlan(
        name=name,
        asked=asked,
        baseline=baseline,
        candidate=candidate,
        shortfall_sd_bps=sd_bps,
        sd_from=sd_from,
        detectable_bps=Decimal(repr(least)).quantize(Decimal("0.01")),
        detectable_rejects=detectable,
        venue_rejects_max=detectable if asked.venue_rejects_max is None else asked.venue_rejects_max,
    )
    _check_limits(plan)
    return plan


def is_candidate(plan: str, intent_id: str, share: Decimal) -> bool:
    """The coin: whether an intent goes to the candidate. The same for ever for the same plan, intent and share; who
    goes to the candidate at one share goes to it at every larger one."""
    digest = hashlib.blake2b(f"{plan}|{intent_id}".encode(), digest_size=HASH_BYTES).digest()
    return int.from_bytes(digest) < int(share * 2 ** (8 * HASH_BYTES))


def _check_limits(plan: RolloutPlan) -> None:
    asked, sd = plan.asked, plan.shortfall_sd_bps
    told = f"{asked.min_orders} candidate orders a step can tell"
    if asked.shortfall_delta_bps_max < plan.detectable_bps:
        ratio = plan.detectable_bps / asked.shortfall_delta_bps_max
        enough = int(asked.min_orders * ratio * ratio) + 1
        raise ConfigError(
            f"--max-shortfall-delta {asked.shortfall_delta_bps_max:f}bps: {told} {plan.detectable_bps:f} bps from "
            f"chance, not less (standard deviation of one order {sd:f} bps, {plan.sd_from}). "
            f"Fix: --min-orders {enough}, or a limit of {plan.detectable_bps:f}bps"
        )
    if plan.venue_rejects_max < plan.detectable_rejects:
        least = percent(plan.detectable_rejects)
        raise ConfigError(
            f"--max-venue-rejects {percent(plan.venue_rejects_max)}: {told} {least} more rejects from chance, not "
            f"less. Fix: more --min-orders, or a limit of {least}"
        )


def percent(share: Decimal) -> str:
    """A share as it is printed."""
    return f"{(share * PERCENT).normalize():f}%"


def _number(name: str, text: str, example: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ConfigError(f"{name} {text!r}: not understood. Fix: for instance {example}") from error
    if not value.is_finite() or value <= 0:
        raise ConfigError(f"{name} {text!r}: must be above zero. Fix: for instance {example}")
    return value


def _bps(name: str, text: str) -> Decimal:
    if not text:
        raise ConfigError(f"{name}: missing. Fix: for instance {name} 8bps")
    value = _number(name, text.removesuffix(BPS).strip(), f"{name} 8bps")
    if value > 10_000:
        raise ConfigError(f"{name} {text!r}: more than the whole price. Fix: for instance {name} 8bps")
    return value


def _share(name: str, text: str) -> Decimal:
    if not text.endswith("%"):
        raise ConfigError(f"{name} {text!r}: not a percentage. Fix: for instance {name} 10%")
    value = _number(name, text.removesuffix("%").strip(), f"{name} 10%") / PERCENT
    if value > 1:
        raise ConfigError(f"{name} {text!r}: more than all. Fix: at most 100%")
    return value


def _shares(first: str, then: str) -> tuple[Decimal, ...]:
    rest = [] if then.lower() == "none" else [part.strip() for part in then.split(",")]
    shares = (_share("--share", first), *(_share("--then", part) for part in rest))
    if any(after <= before for before, after in itertools.pairwise(shares)):
        raise ConfigError(f"--share {first} --then {then}: each step must be larger than the one before")
    if len(shares) > STEPS_MAX:
        raise ConfigError(f"--then {then}: at most {STEPS_MAX} steps")
    return shares


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= ORDERS_MAX:
        raise ConfigError(f"--min-orders {text!r}: not a number of orders. Fix: for instance --min-orders 60")
    return int(text)


def _hold(text: str) -> int:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--hold {text!r}: {error}. Fix: for instance --hold 2h") from error
    if not isinstance(seconds, int) or not 0 <= seconds <= HOLD_SECONDS_MAX:
        raise ConfigError(f"--hold {text!r}: from 0s to 365d. Fix: for instance --hold 2h")
    return seconds
