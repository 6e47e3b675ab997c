from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpt_trader.cli.main import run_command_line
from gpt_trader.strategies.catalogue import BUILT_IN


def test_list_names_every_strategy_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Setting, unit, default, range and search of each."""
    assert run_command_line(["strategy", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert [*rows] == [*BUILT_IN]
    assert rows["breakout"]["parameters"][0] == {
        "setting": "strategy.parameters.entry_bars",
        "unit": "bars",
        "default": "55",
        "allowed": "from 2 to 10000",
        "search": "20 to 400 by 10",
        "meaning": "Length of the channel whose break opens a position.",
    }


def test_a_new_strategy_passes_its_check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What `new` writes is a strategy as it stands, and `check` says which bars it was looked at on."""
    assert run_command_line(["strategy", "new", "my_idea", "--folder", str(tmp_path)]) == 0
    assert f"gpt-trader strategy check {tmp_path / 'my_idea.py'}" in capsys.readouterr().out
    assert run_command_line(["strategy", "check", str(tmp_path / "my_idea.py"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"]
    assert {check["name"] for check in told["checks"]} > {"look-ahead", "recursion", "restart"}


def test_a_strategy_that_forgets_fails_its_check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit 1, and the line that failed says where."""
    assert run_command_line(["strategy", "new", "my_idea", "--folder", str(tmp_path)]) == 0
    path = tmp_path / "my_idea.py"
    path.write_text(path.read_text().replace('return {"holding": int(self.holding)}', "return {}"))
    assert run_command_line(["strategy", "check", str(path)]) == 1
    assert "FAIL  restart     stopped before bar" in capsys.readouterr().out


def test_a_number_that_does_not_fit_is_said_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, with setting, value and range."""
    assert run_command_line(["strategy", "check", "breakout", "--parameters", "entry_bars:1"]) == 2
    assert "strategy.parameters.entry_bars = '1'" in capsys.readouterr().err
