"""Is a preflight believed only where it is about this venue, this configuration, and now?"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.builders import START_NS

from gpt_trader.bot.preflight import PREFLIGHT_VALID_SECONDS, PreflightPassed, check_preflight
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError

PASSED = PreflightPassed(venue="coinbase", config_digest="abc", passed_ns=START_NS, checks=("clock", "key"))


def check(preflight: PreflightPassed | None, *, after_seconds: int = 1) -> None:
    check_preflight(preflight, venue="coinbase", config_digest="abc", now_ns=START_NS + after_seconds * NS)


def test_a_fresh_proof_of_this_very_configuration_is_believed() -> None:
    """It lets the bot start, up to its last second."""
    check(PASSED)
    check(PASSED, after_seconds=PREFLIGHT_VALID_SECONDS)


def test_without_a_proof_nothing_starts() -> None:
    """No preflight is not a preflight that passed."""
    with pytest.raises(ConfigError, match="gpt-trader preflight"):
        check(None)


@pytest.mark.parametrize("change", [{"venue": "binanceusdm"}, {"config_digest": "abd"}, {"checks": ()}])
def test_a_proof_of_something_else_is_not_believed(change: dict[str, Any]) -> None:
    """Another venue, other settings, or nothing looked at."""
    with pytest.raises(ConfigError, match="Fix"):
        check(msgspec.structs.replace(PASSED, **change))


@pytest.mark.parametrize("seconds", [-5, PREFLIGHT_VALID_SECONDS + 1])
def test_an_old_proof_says_nothing_about_now(seconds: int) -> None:
    """Nor does one from the future."""
    with pytest.raises(ConfigError, match="s ago"):
        check(PASSED, after_seconds=seconds)
