"""The real command, as a person starts it: a process of its own, and what it says and leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from gpt_trader.records.reader import read_run
from gpt_trader.records.schema import encode

PROGRAM = Path(sys.executable).with_name("gpt-trader")
TIMEOUT_SECONDS = 300
"""Many times what any of them takes on a quiet machine."""
BUSY_PROFILE = """\
symbols: [BTC-PERP]
strategy: {short_ma: 2, long_ma: 3, allow_shorts: true, position_fraction: 0.05}
risk:
  enable_dynamic_position_sizing: true
  enable_market_impact_guard: true
  enable_volatility_circuit_breaker: false
  position_sizing_method: volatility
run: {duration: 20m}
"""
"""Trades every few minutes, so that a short market shows much."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The one JSON object on stdout; anything else there fails the test."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def a_busy_profile(folder: Path, extra: str = "") -> str:
    """A profile file that trades often; `extra` is further YAML."""
    path = folder / "busy.yaml"
    path.write_text(BUSY_PROFILE + extra)
    return str(path)


def started(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `gpt-trader` and leave it running."""
    return subprocess.Popen(
        [str(PROGRAM), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )


def ended(process: subprocess.Popen[str]) -> Done:
    """Wait for the end of what was started."""
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    return Done(process.returncode, out, err)


def command(*arguments: str, env: Mapping[str, str] | None = None) -> Done:
    """Run `gpt-trader` to its end."""
    return ended(started(*arguments, env=env))


def a_home(folder: Path) -> Path:
    """A state folder that shares the compiled code, for fixtures that live longer than one test."""
    (folder / "jit").symlink_to(Path(os.environ["GPT_TRADER_HOME"]) / "jit", target_is_directory=True)
    return folder


def stores(home: Path) -> list[Path]:
    return sorted(home.glob("runs/*/events.sqlite"))


def left_behind(home: Path) -> list[str]:
    """Everything under the state folder but compiled code."""
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.relative_to(home).parts[0] != "jit")


def events_of(store: Path | str) -> list[dict[str, Any]]:
    """The whole log as the values that are stored, in order."""
    return [json.loads(encode(recorded.event)) for recorded in read_run(Path(store))]


def hashes_of(store: Path | str) -> list[str]:
    return [recorded.digest for recorded in read_run(Path(store))]


def verified(store: Path | str) -> dict[str, Any]:
    """What `events verify` says of a store that must be whole."""
    done = command("events", "verify", str(store), "--json")
    assert done.code == 0, done.out + done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def of_type(events: Sequence[Mapping[str, Any]], *types: str) -> Iterator[Mapping[str, Any]]:
    return (event for event in events if event["type"] in types)


def check_balance(summary: Mapping[str, Any]) -> None:
    """To the last digit; a simulated account has no transfers."""
    money = {
        name: Decimal(summary[name])
        for name in ("equity_start", "price_pnl", "fees", "funding", "transfers", "equity_end")
    }
    assert money["transfers"] == 0
    assert money["equity_start"] + money["price_pnl"] - money["fees"] + money["funding"] == money["equity_end"]


def check_ledger(summary: Mapping[str, Any]) -> None:
    """What is rebuilt from the log says the same as the run's own end."""
    found = verified(summary["store"])
    ledger = found["ledger"]
    assert found["head"] == {"sequence": summary["event_count"], "hash": summary["event_hash"]}
    for name in ("fees", "funding", "transfers"):
        assert Decimal(ledger[name]) == Decimal(summary[name])
    held = {symbol: Decimal(row["quantity"]) for symbol, row in ledger["symbols"].items()}
    assert {symbol: quantity for symbol, quantity in held.items() if quantity} == {
        symbol: Decimal(quantity) for symbol, quantity in summary["positions"].items()
    }
    assert sum(found["orders"].values()) == summary["orders"]
