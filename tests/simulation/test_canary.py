"""Does a secret leak anywhere? A canary stands where the key would, and every sink is searched for it."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from gpt_trader.cli.main import run_command_line

CANARY = "c4n4ry5ecret" * 4
KEY_NAME = "organizations/1b2c3d4e-canary/apiKeys/9f8e7d6c-canary"
FORMS = (
    CANARY,
    base64.b64encode(CANARY.encode()).decode().rstrip("=")[:40],
    CANARY.encode().hex(),
)
"""As it is, and as somebody might have written it down."""
COMMANDS = (
    ("run", "--duration", "5m", "--seed", "7"),
    ("config", "show", "--json"),
    ("config", "check"),
    ("events", "show", "last", "--json", "--limit", "500"),
    ("events", "verify", "last", "--json"),
    ("invariants", "last"),
    ("report", "last"),
    ("preflight", "--profile", "canary"),
    ("run", "--profile", "prod"),
)


def test_f98_a_canary_secret_is_in_no_sink(
    state_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not on the screen, not in an error, and in no file that a run leaves: log, store, facts or report."""
    monkeypatch.setenv("COINBASE_API_KEY_NAME", KEY_NAME)
    monkeypatch.setenv("COINBASE_API_PRIVATE_KEY", CANARY)

    for command in COMMANDS:
        run_command_line(command)
        said = capsys.readouterr()
        assert not leaks(said.out + said.err), f"gpt-trader {' '.join(command)} says the secret"

    files = [path for path in state_home.rglob("*") if path.is_file() and "jit" not in path.parts]
    assert any(path.name == "events.sqlite" for path in files), "a run left its files"
    for path in files:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        assert not leaks(content.decode("utf8", "replace")), f"{path.name} holds the secret"


def leaks(text: str) -> list[str]:
    return [form for form in FORMS if form in text]
