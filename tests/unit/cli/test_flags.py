from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpt_trader.cli.main import run_command_line
from gpt_trader.config.flags import FLAGS


def test_list_names_flags_with_their_source(
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
    assert [row["flag"] for row in rows] == [flag.name for flag in FLAGS]
    assert all(row["adr"] and row["owner"] and row["review by"] and row["changes"] for row in rows)


def test_show_names_everybody_who_said_something(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Lowest layer first, files with the time at which they were written; the last one counts."""
    env_file = tmp_path / "env"
    env_file.write_text("RISK_ENABLE_MARKET_IMPACT_GUARD=false\n")

    arguments = ["flags", "show", "enable_market_impact_guard", "--profile", "dev_entry", "--env-file", str(env_file)]
    assert run_command_line([*arguments, "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert [each["source"].split()[0] for each in shown["said"]] == ["profile", "risk", "env"]
    assert shown["value"] == "false"
    assert all(each["since"].endswith("Z") for each in shown["said"])


def test_show_refuses_a_flag_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 and the nearest name."""
    assert run_command_line(["flags", "show", "reduce_only"]) == 2
    assert "did you mean reduce_only_mode?" in capsys.readouterr().err
