"""May this bot be let at real money? The proof that a preflight passed, without which a live bot does not start.

`ops/preflight.py` looks and gives the proof; here is what it must say, and who believes it for how long.
"""

from __future__ import annotations

from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value

__all__ = ["PREFLIGHT_VALID_SECONDS", "PreflightPassed", "check_preflight"]

PREFLIGHT_VALID_SECONDS: Final = 600
"""A proof older than this says nothing about now."""
FIX: Final = "Fix: run `gpt-trader preflight` with the same profile and options"


class PreflightPassed(Value, frozen=True, kw_only=True):
    """Every check of a preflight passed, for one venue and one configuration. Made by `ops/preflight.py` only."""

    venue: str
    """The adapter's name."""
    config_digest: str
    """Of the configuration that was looked at."""
    passed_ns: int
    checks: tuple[str, ...]
    """What was looked at, by name."""


def check_preflight(preflight: PreflightPassed | None, *, venue: str, config_digest: str, now_ns: int) -> None:
    """Raises ConfigError unless the proof is there, fresh, and about this venue and configuration."""
    if preflight is None or not preflight.checks:
        raise ConfigError(f"venue {venue}: real orders may leave only after a preflight that passed. {FIX}")
    if preflight.venue != venue or preflight.config_digest != config_digest:
        raise ConfigError(f"venue {venue}: the preflight was of {preflight.venue} or of another configuration. {FIX}")
    age_seconds = (now_ns - preflight.passed_ns) / NS
    if not 0 <= age_seconds <= PREFLIGHT_VALID_SECONDS:
        raise ConfigError(
            f"venue {venue}: the preflight passed {age_seconds:.0f} s ago, it counts {PREFLIGHT_VALID_SECONDS} s. {FIX}"
        )
