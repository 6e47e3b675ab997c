from __future__ import annotations

import json
import os
import subprocess
import sys

import click
import pytest

from gpt_trader.cli.main import COMMANDS, exit_code, run_command_line
from gpt_trader.core.errors import (
    ConfigError,
    ExchangeError,
    GptTraderError,
    MarketDataError,
    OutcomeUnknownError,
    StoreError,
)

HEAVY = ("numba", "llvmlite", "numpy", "pydantic", "pydantic_settings", "coinbase", "ccxt", "rich", "yaml")


def help_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run_command_line(["--help"]) == 0
    return capsys.readouterr().out.splitlines()


def test_help_imports_nothing_heavy() -> None:
    """The first page comes at once: no kernel, no models, no SDK."""
    code = (
        "import sys, json\n"
        "from gpt_trader.cli.main import run_command_line\n"
        "code = run_command_line(['--help'])\n"
        f"print(json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )

    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


def test_help_fits_one_screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """24 lines of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    lines = help_lines(capsys)

    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80


def test_help_shows_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    """Three lines that a newcomer can copy."""
    assert len([line for line in help_lines(capsys) if line.startswith("  ") and "gpt-trader " in line[:15]]) == 3


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts depend on them."""
    text = " ".join(" ".join(help_lines(capsys)).split())

    assert "0 done; 1 ended by a failure or a guard; 2 bad input; 3 store damaged; 130 interrupted" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_command_of_the_table_exists_and_helps(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The table names modules as text; nobody else would notice a wrong name."""
    assert run_command_line([name, "--help"]) == 0
    assert f"Usage: gpt-trader {name}" in capsys.readouterr().out


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer types the name first."""
    assert run_command_line([]) == 0
    assert "To begin" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rum"], "No such command 'rum'. Did you mean run?"),
        (["zzz"], "No such command 'zzz'. There are: run, "),
        (["--nope"], "No such option '--nope'"),
        (["config", "show", "--nope"], "No such option '--nope'"),
    ],
)
def test_wrong_use_is_bad_input(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, with what was probably meant."""
    assert run_command_line(arguments) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GptTraderError("x"), 1),
        (ExchangeError("x"), 1),
        (OutcomeUnknownError("x"), 1),
        (ConfigError("x"), 2),
        (MarketDataError("x"), 2),
        (StoreError("x"), 3),
    ],
)
def test_exit_code_follows_the_error(error: GptTraderError, code: int) -> None:
    """Bad input, damaged store, or a failure."""
    assert exit_code(error) == code


def test_our_errors_come_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """What a person can mend is said in one line on stderr."""
    assert run_command_line(["config", "check", "--profile", "nope"]) == 2

    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("error: profile 'nope': no such profile")
    assert "Traceback" not in streams.err


def raises_interrupt() -> None:
    raise KeyboardInterrupt


def returns_code() -> int:
    return 3


def test_interrupt_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    """As a shell expects of Ctrl-C."""
    assert run_command_line([], click.command()(raises_interrupt)) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_command_may_return_its_exit_code() -> None:
    """So that `run` can say how it ended."""
    assert run_command_line([], click.command()(returns_code)) == 3


def test_defects_are_not_hidden() -> None:
    """An error that we did not raise on purpose keeps its traceback."""

    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command_line([], click.command()(fails))


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """Named in every report of a fault."""
    assert run_command_line(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gpt-trader, version ")


def test_reader_that_leaves_is_no_failure_of_ours() -> None:
    """`gpt-trader config show | head -1` ends without a traceback."""
    script = f"{sys.executable} -c 'from gpt_trader.cli.main import main; main()' config show | head -1"

    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False, env=dict(os.environ))

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
