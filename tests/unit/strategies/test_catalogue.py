"""Where strategies come from, and what is not loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.core.errors import ConfigError
from gpt_trader.strategies.beginning import write_beginning
from gpt_trader.strategies.catalogue import BUILT_IN, find_strategy, make_strategy, strategies


def test_the_beginning_runs_as_it_stands(tmp_path: Path) -> None:
    """A new file is found by its name in its folder, and makes instances."""
    path = write_beginning("my_idea", tmp_path / "mine")
    config = StrategyConfig(name="my_idea", folder=str(tmp_path / "mine"), parameters={"rsi_bars": "9"})
    assert find_strategy(config).source == str(path)
    assert make_strategy(config).warmup_bars == 90
    assert make_strategy(config) is not make_strategy(config)


def test_all_are_listed_once(tmp_path: Path) -> None:
    """Built-in ones first, then those of the folder."""
    write_beginning("my_idea", tmp_path)
    assert [found.kind.name for found in strategies(str(tmp_path))] == [*BUILT_IN, "my_idea"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_others_may_write_is_not_loaded(tmp_path: Path, what: str) -> None:
    """It would run with the keys of the bot; nothing of it is executed."""
    path = write_beginning("my_idea", tmp_path / "mine")
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (path if what == "file" else path.parent).chmod(0o777)
    with pytest.raises(ConfigError, match="may be written by others"):
        find_strategy(StrategyConfig(name="my_idea", folder=str(tmp_path / "mine")))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (", "cannot be loaded: SyntaxError"),
        ("import nothing_of_this_name", "cannot be loaded: ModuleNotFoundError"),
        ("x = 1", "STRATEGY is None, no StrategyKind"),
        ("from gpt_trader.strategies.breakout import STRATEGY", "calls itself 'breakout'"),
    ],
)
def test_a_file_that_is_no_strategy_is_named(tmp_path: Path, text: str, said: str) -> None:
    """The file, what is wrong with it, and the fix."""
    path = tmp_path / "mine.py"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=said):
        find_strategy(StrategyConfig(name="mine", folder=str(tmp_path)))


def test_a_name_that_is_not_there_proposes_one() -> None:
    """With all there are."""
    with pytest.raises(ConfigError, match=r"did you mean breakout\? choose one of breakout, funding_carry"):
        find_strategy(StrategyConfig(name="brekout"))


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """An empty list would look like a strategy that was lost."""
    with pytest.raises(ConfigError, match=r"strategy\.folder"):
        list(strategies(str(tmp_path / "nowhere")))


@pytest.mark.parametrize(("name", "said"), [("My Idea", "no name for a file"), ("breakout", "one of this name")])
def test_a_name_that_cannot_be_taken_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """Nothing is written."""
    with pytest.raises(ConfigError, match=said):
        write_beginning(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_ones_own_is_never_overwritten(tmp_path: Path) -> None:
    """Work would be lost."""
    path = write_beginning("my_idea", tmp_path)
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        write_beginning("my_idea", tmp_path)
    assert path.read_text() == "mine"
