"""Are missing, damaged and foreign facts named, and secrets kept out of them?"""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.config.load import load
from gpt_trader.core.errors import ConfigError, StoreError
from gpt_trader.report.facts import FACTS_NAME, read_facts, settings_of


def test_a_run_without_facts_says_what_it_is(tmp_path: Path) -> None:
    """It never came to its end, or is old."""
    with pytest.raises(ConfigError, match="Fix: report on a run that came to its end"):
        read_facts(tmp_path / "events.sqlite")


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_damaged_facts_are_not_read_around(tmp_path: Path, text: str) -> None:
    """Nothing is filled in."""
    (tmp_path / FACTS_NAME).write_text(text)

    with pytest.raises(StoreError, match="damaged"):
        read_facts(tmp_path / "events.sqlite")


def test_every_setting_has_its_source_and_no_secret_its_value() -> None:
    """A report is sent to others."""
    env = {"COINBASE_API_KEY_NAME": "organizations/hidden", "COINBASE_API_PRIVATE_KEY": "hidden too"}
    lines = {line.path: line for line in settings_of(load("dev_entry", overrides={"run.seed": 9}, env=env))}

    assert (lines["run.seed"].value, lines["run.seed"].source, lines["run.seed"].chosen) == (
        "9",
        "command line --seed",
        True,
    )
    assert lines["credentials.coinbase_api_key_name"].value == "set"
    assert not any("hidden" in line.value for line in lines.values())
    assert lines["run.bar_seconds"].chosen is False
