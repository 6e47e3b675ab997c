"""What goes wrong, and when? A seeded plan of faults: the same plan hits the same requests and messages.

A plan is a file, YAML or JSON: `seed`, and `faults`, each with a `fault` (its kind), a filter of what it may hit, and
when it does. Requests and messages that pass the filter are counted, from 1, for each fault apart.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Protocol

import msgspec

from gpt_trader.core.errors import ConfigError

__all__ = ["Fault", "FaultKind", "FaultPlan", "Faults", "PlanFile", "read_plan"]

BYTES_MAX: Final = 1_000_000
STRUCK_MAX: Final = 1000


class FaultKind(StrEnum):
    """What happens. Each value is documented in docs/venue-server.md."""

    # requests
    LOST_REQUEST = "lost_request"
    LOST_REPLY = "lost_reply"
    LATE_REPLY = "late_reply"
    LATE_REQUEST = "late_request"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    HTML_BODY = "html_body"
    TRUNCATED_JSON = "truncated_json"
    UNKNOWN_ENUM = "unknown_enum"
    NULL_FIELD = "null_field"
    UNAUTHORIZED = "unauthorized"
    FAILED_LATER = "failed_later"
    STALE_READ = "stale_read"
    # messages
    OMIT = "omit"
    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    DELAY = "delay"
    SEQUENCE_GAP = "sequence_gap"
    SEQUENCE_RESET = "sequence_reset"
    SILENCE = "silence"
    BROKEN_FRAME = "broken_frame"
    BAD_NUMBER = "bad_number"
    CLOSE = "close"
    SUBSCRIBE_REFUSED = "subscribe_refused"
    # the venue itself
    HALT = "halt"
    SESSION_BREAK = "session_break"
    MARGIN_WINDOW = "margin_window"
    PRICE_JUMP = "price_jump"
    LIQUIDATION = "liquidation"
    CLOCK_SKEW = "clock_skew"


KINDS: Final = tuple(FaultKind)
REQUESTS: Final = frozenset(KINDS[: KINDS.index(FaultKind.OMIT)])
MESSAGES: Final = frozenset(KINDS[KINDS.index(FaultKind.OMIT) : KINDS.index(FaultKind.HALT)])
VENUE: Final = frozenset(KINDS[KINDS.index(FaultKind.HALT) :])


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of a plan."""

    fault: FaultKind
    # what it may hit
    method: str = "*"
    path: str = "*"
    """Below the prefix, such as /orders; `*` stands for anything."""
    channel: str = "*"
    account: int | None = None
    # when
    nth: tuple[int, ...] = ()
    every: int = 0
    probability: float | None = None
    times: int | None = None
    """At most so often."""
    at_seconds: float | None = None
    """Faults of the venue: market seconds after the server started."""
    # how
    seconds: float = 1.0
    """Length of a delay, silence, halt or break; the Retry-After of rate_limited; how far behind a stale_read is."""
    status: int = 500
    """Of server_error and html_body."""
    processed: bool = False
    """server_error, html_body: the request was done all the same."""
    code: int = 1006
    """Of close; 1006 drops the connection without a word."""
    count: int = 1
    """sequence_gap: numbers that are left out."""
    product: str = ""
    percent: float = 0.0
    """price_jump."""
    window: str = "overnight"
    """margin_window: overnight or intraday."""


class PlanFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan as it is written."""

    seed: int = 0
    faults: tuple[Fault, ...] = ()


def read_plan(path: Path) -> PlanFile:
    """Raises ConfigError naming file and field."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--faults {path}: {error.strerror}. Fix: give a plan that can be read") from error
    if len(data) > BYTES_MAX:
        raise ConfigError(f"--faults {path}: larger than {BYTES_MAX} bytes. Fix: this is no plan")
    try:
        plan = msgspec.yaml.decode(data, type=PlanFile)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"--faults {path}: {error}. Fix: see docs/venue-server.md, Fault plans") from error
    for place, fault in enumerate(plan.faults, 1):
        _check(fault, f"--faults {path}, fault {place} ({fault.fault})")
    return plan


def _check(fault: Fault, where: str) -> None:
    if fault.fault in VENUE and fault.at_seconds is None and not fault.nth:
        raise ConfigError(f"{where}: says nowhere when. Fix: add at_seconds")
    if fault.probability is not None and not 0 <= fault.probability <= 1:
        raise ConfigError(f"{where}: probability {fault.probability}. Fix: give 0 to 1")
    if fault.seconds < 0 or fault.every < 0 or fault.count < 1:
        raise ConfigError(f"{where}: seconds, every and count must not be below zero. Fix: correct them")


class _Rule:
    """One fault with its own counter and its own luck."""

    def __init__(self, fault: Fault, seed: str) -> None:
        self.fault = fault
        self._random = random.Random(seed)
        self._seen = 0
        self._done = 0

    def hits(self) -> bool:
        """Whether it strikes what has just passed its filter."""
        self._seen += 1
        fault = self.fault
        if fault.times is not None and self._done >= fault.times:
            return False
        if fault.probability is not None:
            hit = self._random.random() < fault.probability
        elif fault.every:
            hit = self._seen % fault.every == 0
        else:
            hit = self._seen in fault.nth if fault.nth else True
        self._done += hit
        return hit


class Faults(Protocol):
    """Who says what goes wrong."""

    def for_request(self, method: str, path: str, account: int | None) -> Fault | None: ...

    def for_message(self, channel: str, account: int | None, *, subscribing: bool = False) -> Fault | None: ...


class FaultPlan:
    """The faults in force. Faults given later by the admin are added at the end."""

    def __init__(self, plan: PlanFile | None = None) -> None:
        self._seed = plan.seed if plan is not None else 0
        self._rules: list[_Rule] = []
        self._number = 0
        self.struck: deque[dict[str, object]] = deque(maxlen=STRUCK_MAX)
        """What was hit, in order: kind, and the request or message."""
        for fault in plan.faults if plan is not None else ():
            self.add(fault)

    def add(self, fault: Fault) -> None:
        self._rules.append(_Rule(fault, f"{self._seed}:{self._number}"))
        self._number += 1

    def clear(self) -> None:
        self._rules.clear()

    def faults(self) -> list[Fault]:
        return [rule.fault for rule in self._rules]

    def venue_faults(self) -> Sequence[Fault]:
        return [rule.fault for rule in self._rules if rule.fault.fault in VENUE]

    def for_request(self, method: str, path: str, account: int | None) -> Fault | None:
        """The first fault that strikes this request; every one that may is counted."""
        return self._first(
            [
                rule
                for rule in self._rules
                if rule.fault.fault in REQUESTS
                and fnmatchcase(method, rule.fault.method)
                and fnmatchcase(path, rule.fault.path)
                and rule.fault.account in (None, account)
            ],
            f"{method} {path}",
        )

    def for_message(self, channel: str, account: int | None, *, subscribing: bool = False) -> Fault | None:
        """The same for a frame on its way out, or for a subscription."""
        return self._first(
            [
                rule
                for rule in self._rules
                if rule.fault.fault in MESSAGES
                and (rule.fault.fault is FaultKind.SUBSCRIBE_REFUSED) == subscribing
                and fnmatchcase(channel, rule.fault.channel)
                and rule.fault.account in (None, account)
            ],
            channel,
        )

    def _first(self, rules: list[_Rule], what: str) -> Fault | None:
        found = None
        for rule in rules:
            if rule.hits() and found is None:
                found = rule.fault
        if found is not None:
            self.struck.append({"fault": found.fault.value, "what": what})
        return found
