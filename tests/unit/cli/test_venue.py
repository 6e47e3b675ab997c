"""Does `gpt-trader venue serve` start, say where it is, serve, and stop?"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import requests
from tests.command_line import command, ended, started

SERVE = ("venue", "serve", "--port", "0", "--admin-port", "0", "--history", "10m")


@pytest.mark.usefixtures("state_home")
def test_it_says_one_line_serves_and_stops(tmp_path: Path) -> None:
    """One JSON object on stdout when it is ready; an interrupt ends it quietly."""
    keys = tmp_path / "keys"
    process = started(*SERVE, "--plain", "--accounts", "2", "--keys", str(keys), "--speed", "60x")
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert set(ready) >= {"rest", "ws", "ws_user", "admin", "admin_token", "ca", "keys"}
    assert sorted(path.name for path in keys.iterdir()) == ["account-0.json", "account-1.json"]
    answer = requests.get(f"http://{ready['rest']}/api/v3/brokerage/market/products", timeout=10)
    assert answer.json()["num_products"] == 2
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert (done.code, done.out) == (0, "")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--speed", "fast"), "--speed"),
        (("--cash", "-5"), "--cash"),
        (("--history", "soon"), "--history"),
        (("--faults", "no-such-plan.yaml"), "no-such-plan.yaml"),
        (("--symbols", "NO-PERP"), "NO-PERP"),
        (("--history", "90d"), "--history"),
    ],
)
@pytest.mark.usefixtures("state_home")
def test_what_cannot_be_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2 and the option's name, before anything is served."""
    done = command(*SERVE, "--keys", str(tmp_path / "keys"), *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
