"""Does a live run begin only with both switches, and go on with the run of its account?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gpt_trader.config.bot import BotConfig
from gpt_trader.config.load import load
from gpt_trader.core.clock import SystemClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.ops.live import check_switches, live_run, sends_real_orders

ROOT = Path(__file__).resolve().parents[3]


def a_config(*, live_trading: bool = False, dry_run: bool = False, **venue: Any) -> BotConfig:
    wanted = {"kind": "coinbase", "live_trading": live_trading, **venue}
    return BotConfig.model_validate({"profile": "p", "venue": wanted, "run": {"dry_run": dry_run}})


@pytest.mark.parametrize(("live_trading", "live", "missing"), [(False, True, 1), (True, False, 1), (False, False, 2)])
def test_real_orders_need_both_switches(live_trading: bool, live: bool, missing: int) -> None:
    """The one that is missing is named, with the way to give it."""
    with pytest.raises(ConfigError) as refused:
        check_switches(a_config(live_trading=live_trading), live=live)
    said = str(refused.value)
    assert ("LIVE_TRADING" in said) + ("--live" in said) == missing
    assert "--dry-run" in said


@pytest.mark.parametrize(
    "config",
    [
        a_config(live_trading=True),
        a_config(read_only=True),
        a_config(dry_run=True),
        a_config(kind="paper", exchange="coinbase"),
    ],
)
def test_what_sends_nothing_needs_no_switch(config: BotConfig) -> None:
    """Reading, dry runs and paper; with both, real orders may leave."""
    check_switches(config, live=sends_real_orders(config))


class Account:
    """What an adapter says of itself."""

    def __init__(self, account_name: str, *, simulated: bool = False) -> None:
        self.name = "coinbase"
        self.account_name = account_name
        self.simulated = simulated


def test_a_run_belongs_to_account_and_profile(tmp_path: Path) -> None:
    """The same again is the same run; another account, profile or served venue is another one."""

    def run_of(profile: str, account: Any, served: str = "") -> str:
        options: dict[str, Any] = {}
        if served:
            path = tmp_path / "ready.json"
            path.write_text(served)
            options["venue.served"] = str(path)
        loaded = load(profile, env=dict(os.environ), overrides=options)
        return live_run(loaded, account, tmp_path, SystemClock()).identity.run_id

    first: Any = Account("one")
    second: Any = Account("two")
    paper: Any = Account("", simulated=True)
    assert run_of("canary", first) == run_of("canary", first)
    runs = {
        run_of("canary", first),
        run_of("prod", first),
        run_of("canary", second),
        run_of("canary", first, "served once"),
        run_of("canary", first, "served again"),
    }
    assert len(runs) == 5
    assert run_of("paper", paper) != run_of("paper", paper), "a paper account ends with its process"
