"""Is a rollout begun with a run, refused with a reason, and told of afterwards? In this process, on a made-up market."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.command_line import a_busy_profile

from gpt_trader.cli.main import run_command_line
from gpt_trader.cli.rollout import rollout_arguments
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.replay import replay
from gpt_trader.records.runs import stores

PLAN = "--to live --share 50% --then none --min-orders 3 --hold 1m --max-shortfall-delta 40bps --shortfall-sd 1bps"


def test_a_run_begins_with_a_rollout_and_replays(
    state_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report tells how it ended; assignment and outcome come out the same again."""
    monkeypatch.setenv("RISK_DAILY_LOSS_LIMIT", "0")
    run = ["run", "--profile", a_busy_profile(tmp_path), "--duration", "90m", "--json"]

    assert run_command_line([*run, "--rollout", PLAN]) == 0
    assert run_command_line(["rollout", "report", "--json"]) == 0
    told = capsys.readouterr().out.splitlines()
    (found,) = json.loads("\n".join(told[1:]))
    assert found["rollout"] == "rollout-1: AdvancedExecutionEngine -> live"
    assert found["state"].startswith("COMPLETED by rollout")
    assert "started by command line: run --rollout" in found["history"][0]

    (store,) = stores(state_home)
    replayed = replay(store, state_home)
    assert replayed.is_same, replayed.differences[:3]
    assert replayed.whole_log


def test_a_plan_that_cannot_be_ends_the_run(
    state_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first intent, and the summary says why; nothing was assigned."""
    run = ["run", "--profile", a_busy_profile(tmp_path), "--duration", "30m", "--json"]

    assert run_command_line([*run, "--rollout", PLAN.replace("40bps", "1bps")]) == 1

    summary = json.loads(capsys.readouterr().out)
    assert summary["stopped_by"].startswith("the rollout cannot begin: --max-shortfall-delta 1bps: 3 candidate orders")
    assert summary["orders"] == 0
    assert run_command_line(["rollout", "report"]) == 0
    assert capsys.readouterr().out == "no rollout in this run\n"
    assert len(stores(state_home)) == 1


def test_the_plan_in_quotes_has_the_options_of_the_command() -> None:
    """As the bot is told them; what is no option of it is refused, and so is an open quote."""
    assert rollout_arguments("--to advanced --share 10% --min-orders 60") == {
        "to": "advanced",
        "share": "10%",
        "min_orders": "60",
    }
    for wrong in ("--colour red", '--to "live', "--reason TEXT"):
        with pytest.raises(ConfigError, match="Fix: the options of `gpt-trader rollout start`"):
            rollout_arguments(wrong)
