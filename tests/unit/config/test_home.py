from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.config.home import config_home, home
from gpt_trader.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


def test_state_lies_where_the_variable_says(tmp_path: Path) -> None:
    """GPT_TRADER_HOME moves everything that is written."""
    assert tmp_path.resolve() == home({"GPT_TRADER_HOME": str(tmp_path)})


def test_state_never_lies_in_the_checkout() -> None:
    """Without the variable it is the platform's folder for user data."""
    assert not home({}).is_relative_to(ROOT)


def test_state_folder_is_not_made_by_asking(tmp_path: Path) -> None:
    """A command that fails leaves nothing behind."""
    assert not home({"GPT_TRADER_HOME": str(tmp_path / "new")}).exists()


def test_empty_state_folder_is_an_error() -> None:
    """An empty variable is a mistake in a script, not a wish for the default."""
    with pytest.raises(ConfigError, match="GPT_TRADER_HOME is set but empty"):
        home({"GPT_TRADER_HOME": ""})


def test_profiles_lie_in_the_checkout() -> None:
    """An editable installation uses the files one edits."""
    assert config_home({}) == ROOT / "config"


def test_profiles_lie_where_the_variable_says(tmp_path: Path) -> None:
    """GPT_TRADER_CONFIG_DIR, for one's own."""
    (tmp_path / "profiles").mkdir()

    assert tmp_path == config_home({"GPT_TRADER_CONFIG_DIR": str(tmp_path)})


@pytest.mark.parametrize("value", ["", "/no/such/folder"])
def test_folder_without_profiles_is_an_error(value: str) -> None:
    """Rather than silently using other profiles."""
    with pytest.raises(ConfigError, match="GPT_TRADER_CONFIG_DIR"):
        config_home({"GPT_TRADER_CONFIG_DIR": value})
