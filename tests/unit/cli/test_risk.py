"""`gpt-trader risk show`: every limit with its value, and what is off is said to be off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gpt_trader.cli.main import run_command_line


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run_command_line(["risk", "show", "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def row(found: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    (only,) = [each for each in found[kind] if each["name"] == name]
    return only  # type: ignore[no-any-return]


def test_a_guard_says_threshold_unit_action_and_way_back(capsys: pytest.CaptureFixture[str]) -> None:
    """And which source set it."""
    found = row(shown(capsys, "--profile", "canary"), "guards", "daily_loss_utc_day")
    assert found["thresholds"]["daily_loss_limit"] == "10"
    assert found["sources"]["daily_loss_limit"] == "risk file"
    assert (found["unit"], found["action"], found["way_back"], found["on"]) == (
        "USD",
        "cancel entries",
        "next UTC day",
        True,
    )


def test_what_cannot_act_is_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The other engine's rule, a limit of zero, margin windows without a calendar; a calendar turns them on."""
    found = shown(capsys, "--profile", "dev")
    assert not row(found, "rules", "market_impact")["on"]
    assert row(found, "rules", "slippage_guard")["on"]
    assert not row(found, "guards", "loss_streak")["on"]
    assert not row(found, "guards", "margin_window")["on"]
    monkeypatch.setenv("GPT_TRADER_VENUE__MARGIN_WINDOW", "schedule")
    assert row(shown(capsys), "guards", "margin_window")["on"]


def test_people_get_two_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Rules and guards, and the line with cadence, cooldown and modes."""
    assert run_command_line(["risk", "show"]) == 0
    out = capsys.readouterr().out
    for word in ("Rules", "Guards", "symbol_exposure_cap", "reject_breaker_count=5", "NORMAL < REDUCE_ONLY"):
        assert word in out


def test_a_profile_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, like every command that reads a configuration."""
    assert run_command_line(["risk", "show", "--profile", "nope"]) == 2
    assert "nope" in capsys.readouterr().err
