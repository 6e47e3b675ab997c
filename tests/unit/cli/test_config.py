from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpt_trader.cli.main import run_command_line
from gpt_trader.config.names import known_settings


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_command_line(["config", *arguments]) == 0
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(shown(capsys, "show", "--json", *arguments))
    return result


def test_table_has_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, whole, also in a pipe."""
    lines = shown(capsys, "show").splitlines()

    assert [
        path for path in known_settings() if not any(line.startswith((f" {path} ", f"{path} ")) for line in lines)
    ] == []


def test_table_names_the_source_of_each_flag(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Show 2 of first light: the environment is named as the source of both flags."""
    for flag in ("RISK_ENABLE_MARKET_IMPACT_GUARD", "RISK_ENABLE_DYNAMIC_POSITION_SIZING"):
        monkeypatch.setenv(flag, "false")

    text = shown(capsys, "show", "--profile", "dev_entry")

    assert "environment RISK_ENABLE_MARKET_IMPACT_GUARD" in text
    assert "environment RISK_ENABLE_DYNAMIC_POSITION_SIZING" in text
    assert "LiveExecutionEngine" in text


def test_json_gives_value_and_source(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """For scripts: numbers as text, source and place apart."""
    monkeypatch.setenv("RISK_MAX_EXPOSURE_PCT", "0.50")

    row = as_json(capsys)["settings"]["risk.max_exposure_pct"]

    assert (row["value"], row["source"], row["place"]) == ("0.5", "environment", "RISK_MAX_EXPOSURE_PCT")


@pytest.mark.parametrize(
    ("sizing", "impact", "engine"),
    [
        ("false", "false", "LiveExecutionEngine"),
        ("true", "false", "AdvancedExecutionEngine"),
        ("false", "true", "AdvancedExecutionEngine"),
        ("true", "true", "AdvancedExecutionEngine"),
    ],
)
def test_json_names_the_engine_that_the_flags_choose(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sizing: str, impact: str, engine: str
) -> None:
    """Any flag on is the advanced engine."""
    monkeypatch.setenv("RISK_ENABLE_DYNAMIC_POSITION_SIZING", sizing)
    monkeypatch.setenv("RISK_ENABLE_MARKET_IMPACT_GUARD", impact)

    assert as_json(capsys)["engine"] == engine


@pytest.mark.parametrize("arguments", [("show",), ("show", "--json"), ("check",)])
def test_secrets_are_not_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Only that they are set."""
    monkeypatch.setenv("COINBASE_API_KEY_NAME", "canary-name")
    monkeypatch.setenv("COINBASE_API_PRIVATE_KEY", "canary-key")

    assert "canary-" not in shown(capsys, *arguments)


def test_secrets_are_said_to_be_set_or_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The commonest question about a key."""
    path = "credentials.coinbase_api_private_key"
    assert as_json(capsys)["settings"][path]["value"] == "not set"
    monkeypatch.setenv("COINBASE_API_KEY_NAME", "name")
    monkeypatch.setenv("COINBASE_API_PRIVATE_KEY", "key")

    assert as_json(capsys)["settings"][path]["value"] == "set"


def test_check_says_ok_and_which_engine(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to note about a profile of the house."""
    lines = shown(capsys, "check", "--profile", "dev_entry").splitlines()

    assert lines[0].startswith("ok: profile dev_entry, ")
    assert lines[1].startswith("engine: AdvancedExecutionEngine (")
    assert len(lines) == 2


def test_check_says_what_the_chosen_engine_does_not_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Preview and multipliers act only in the baseline engine."""
    monkeypatch.setenv("SLIPPAGE_MULTIPLIERS", "BTC-PERP:1.5")
    monkeypatch.setenv("ORDER_PREVIEW_ENABLED", "1")

    assert (
        "note: ORDER_PREVIEW_ENABLED and SLIPPAGE_MULTIPLIERS act only in the LiveExecutionEngine; "
        "the flags choose AdvancedExecutionEngine."
    ) in shown(capsys, "check", "--profile", "dev_entry")


def test_check_says_nothing_of_them_to_the_baseline_engine(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There they act."""
    monkeypatch.setenv("SLIPPAGE_MULTIPLIERS", "BTC-PERP:1.5")

    assert "note:" not in shown(capsys, "check", "--profile", "dev")


def test_check_mentions_a_dotenv_that_is_not_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other tools read it by themselves; who expects that must be told."""
    (tmp_path / ".env").write_text("RISK_MAX_LEVERAGE=9\n")
    monkeypatch.chdir(tmp_path)

    assert "note: There is a .env here that is not read" in shown(capsys, "check")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"RISK_MAX_LEVERAGE": "abc"},
            "risk.max_leverage = 'abc' (environment RISK_MAX_LEVERAGE): not a whole number.",
        ),
        ({"RISK_DAILY_LOSS_LIMIT": "-1"}, "below the smallest allowed value 0."),
        ({"RISK_MAX_LEVERGE": "3"}, "did you mean RISK_MAX_LEVERAGE."),
    ],
)
def test_check_refuses_bad_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, env: dict[str, str], expected: str
) -> None:
    """Exit 2, value, place and fix on stderr, nothing on stdout."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    assert run_command_line(["config", "check"]) == 2

    streams = capsys.readouterr()
    assert expected in streams.err
    assert streams.out == ""


def test_unknown_key_in_a_profile_is_refused_with_a_suggestion(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Show 5 of first light."""
    profile = tmp_path / "mine.yaml"
    profile.write_text("strategy:\n  short_mma: 3\n")

    assert run_command_line(["config", "check", "--profile", str(profile)]) == 2
    assert f"strategy.short_mma ({profile}:2): no such setting. Fix: did you mean strategy.short_ma." in (
        capsys.readouterr().err
    )


def test_files_may_be_named_by_option(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The env file and the risk file, with their lines as sources."""
    (tmp_path / "e.env").write_text("RISK_MAX_LEVERAGE=4\n")
    (tmp_path / "r.json").write_text('{"max_exposure_pct": 0.5}')

    settings = as_json(capsys, "--env-file", str(tmp_path / "e.env"), "--risk-file", str(tmp_path / "r.json"))[
        "settings"
    ]

    assert settings["risk.max_leverage"]["place"] == f"{tmp_path}/e.env:1 RISK_MAX_LEVERAGE"
    assert settings["risk.max_exposure_pct"]["place"] == f"{tmp_path}/r.json:1"


def test_nothing_is_written(capsys: pytest.CaptureFixture[str], state_home: Path) -> None:
    """Looking leaves no trace."""
    before = sorted(state_home.rglob("*"))

    shown(capsys, "show")
    shown(capsys, "check")

    assert sorted(state_home.rglob("*")) == before
