"""Do the two flags choose the engine, each with its own feature, and is the environment named as who set them?

Each of the four runs is the command that a newcomer types, with the flags in the environment; what an engine did is
read from the log, where the numbers behind every approved entry stand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.command_line import Done, a_home, check_balance, command, ended, events_of, of_type, started

SIZING = "RISK_ENABLE_DYNAMIC_POSITION_SIZING"
IMPACT = "RISK_ENABLE_MARKET_IMPACT_GUARD"
COMBINATIONS: Mapping[str, tuple[str, str]] = {
    "none": ("false", "false"),
    "sizing": ("true", "false"),
    "impact": ("false", "true"),
    "both": ("true", "true"),
}
"""Dynamic sizing, impact guard."""
IMPACT_NUMBERS = {"max_market_impact_bps", "impact_room", "final_impact_bps"}


def flags(combination: str) -> dict[str, str]:
    return dict(zip((SIZING, IMPACT), COMBINATIONS[combination], strict=True))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Done]:
    """Two hours of the newcomer's profile under each combination, all at once."""
    home = {"GPT_TRADER_HOME": str(a_home(tmp_path_factory.mktemp("home")))}
    arguments = ("run", "--profile", "dev_entry", "--duration", "2h", "--json")
    processes = {name: started(*arguments, env={**home, **flags(name)}) for name in COMBINATIONS}
    return {name: ended(process) for name, process in processes.items()}


def entries(done: Done) -> list[Mapping[str, Any]]:
    """Approved entries of a run."""
    return [
        event for event in of_type(events_of(done.summary["store"]), "OrderApproved") if event["purpose"] == "ENTRY"
    ]


@pytest.mark.parametrize(
    ("combination", "engine"),
    [
        ("none", "LiveExecutionEngine"),
        ("sizing", "AdvancedExecutionEngine"),
        ("impact", "AdvancedExecutionEngine"),
        ("both", "AdvancedExecutionEngine"),
    ],
)
def test_any_flag_brings_the_advanced_engine(runs: Mapping[str, Done], combination: str, engine: str) -> None:
    """It trades to the end, balances, and says which engine it was and why."""
    sizing, impact = COMBINATIONS[combination]
    done = runs[combination]
    assert done.code == 0, done.err

    summary = done.summary

    assert summary["engine"] == engine
    assert summary["engine_reason"] == (f"enable_dynamic_position_sizing={sizing}, enable_market_impact_guard={impact}")
    assert min(summary["buys"], summary["sells"]) > 0
    check_balance(summary)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_log_names_the_engine_and_its_features(runs: Mapping[str, Done], combination: str) -> None:
    """Once at the start, and with every entry."""
    done = runs[combination]
    sizing, impact = (value == "true" for value in COMBINATIONS[combination])

    (selected,) = of_type(events_of(done.summary["store"]), "EngineSelected")

    assert (selected["engine"], selected["dynamic_sizing"], selected["impact_guard"]) == (
        done.summary["engine"],
        sizing,
        impact,
    )
    assert {entry["engine"] for entry in entries(done)} == {selected["engine"]}


@pytest.mark.parametrize(
    ("combination", "sized"), [("none", False), ("sizing", True), ("impact", False), ("both", True)]
)
def test_only_its_flag_brings_dynamic_sizing(runs: Mapping[str, Done], combination: str, *, sized: bool) -> None:
    """Without it the size is as asked; with it the trace says by which method and volatility."""
    for entry in entries(runs[combination]):
        assert (entry["risk"].get("sizing") == "as asked") != sized
        assert ({"sizing_method", "volatility_scale"} <= entry["risk"].keys()) == sized


@pytest.mark.parametrize(
    ("combination", "capped"), [("none", False), ("sizing", False), ("impact", True), ("both", True)]
)
def test_only_its_flag_brings_the_impact_cap(runs: Mapping[str, Done], combination: str, *, capped: bool) -> None:
    """With it every entry is measured against the book, and so is the quantity that risk left of it."""
    for entry in entries(runs[combination]):
        assert (IMPACT_NUMBERS & entry["risk"].keys()) == (IMPACT_NUMBERS if capped else set())


def test_the_flags_change_how_it_trades_and_not_what_is_wanted(runs: Mapping[str, Done]) -> None:
    """The strategy saw the same market: its first signal is the same under every combination."""
    first = {
        next(of_type(events_of(done.summary["store"]), "TradingSignalGenerated"))["intent_id"] for done in runs.values()
    }

    assert len(first) == 1


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_config_show_names_the_environment(combination: str) -> None:
    """As the source of both flags, with the variables; and the engine that they choose."""
    shown = json.loads(command("config", "show", "--json", "--profile", "dev_entry", env=flags(combination)).out)

    for path, name, value in zip(
        ("risk.enable_dynamic_position_sizing", "risk.enable_market_impact_guard"),
        (SIZING, IMPACT),
        COMBINATIONS[combination],
        strict=True,
    ):
        row = shown["settings"][path]
        assert (row["source"], row["place"], row["value"]) == ("environment", name, value == "true")
    assert shown["engine"] == ("LiveExecutionEngine" if combination == "none" else "AdvancedExecutionEngine")


def test_the_option_overrides_the_flags_and_says_so() -> None:
    """With both flags on, `--engine live` is the baseline engine; the reason names the option."""
    summary = command("run", "--engine", "live", "--duration", "5m", "--json", env=flags("both")).summary

    assert summary["engine"] == "LiveExecutionEngine"
    assert "--engine live" in summary["engine_reason"]
