from __future__ import annotations

import json

import pytest

from gpt_trader.cli.main import run_command_line


def test_a_run_is_told_how_much_of_it_is_luck(capsys: pytest.CaptureFixture[str]) -> None:
    """The same figures as sentences and as one object; more tries make the best of luck better."""
    pytest.importorskip("jquantstats", reason="the extra research is not installed")
    assert run_command_line(["backtest", "--duration", "4h", "--no-report"]) == 0
    capsys.readouterr()
    told = []
    for tried in ("1", "50"):
        assert run_command_line(["luck", "last", "--tried", tried, "--draws", "200", "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0]["best_of_luck_a_year"] == 0 < told[1]["best_of_luck_a_year"]
    assert told[0]["deflated_sharpe"] > told[1]["deflated_sharpe"]
    assert told[0]["round_trips"] == told[1]["round_trips"] > 0
    assert run_command_line(["luck", "last", "--draws", "200"]) == 0
    assert f"from {told[0]['returns']} returns of a" in capsys.readouterr().out
