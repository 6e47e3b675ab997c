from __future__ import annotations

import json

import pytest

from gpt_trader.cli.main import run_command_line


def test_list_names_both_flags_with_their_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value, and the layer that won."""
    monkeypatch.setenv("RISK_ENABLE_MARKET_IMPACT_GUARD", "false")

    assert run_command_line(["flags", "list", "--profile", "dev_entry"]) == 0

    text = capsys.readouterr().out
    assert "enable_market_impact_guard = false   (environment RISK_ENABLE_MARKET_IMPACT_GUARD)" in text
    assert "enable_dynamic_position_sizing = true   (risk file " in text


def test_list_as_json_says_who_answers_for_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """Decision record, owner and review date of each."""
    assert run_command_line(["flags", "list", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert [row["flag"] for row in rows] == ["enable_dynamic_position_sizing", "enable_market_impact_guard"]
    assert all(row["adr"] and row["owner"] and row["review by"] and row["changes"] for row in rows)
