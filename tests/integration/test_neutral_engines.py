"""With a neutral configuration both engines are one: the same orders, at the same moments, on the same seed.

Neutral is: both flags off (sizes as asked, no impact cap), no preview, slippage guard off, GTC and IOC only, stops at
the venue. What is left of the engines is the hallway, and that they share.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import a_home, ended, events_of, of_type, started

NEUTRAL = """\
symbols: [BTC-PERP]
strategy: {short_ma: 2, long_ma: 3, allow_shorts: true, position_fraction: 0.05}
risk:
  enable_dynamic_position_sizing: false
  enable_market_impact_guard: false
  slippage_guard_bps: 0
  enable_protective_stops: true
  default_stop_loss_pct: 0.002
run: {duration: 2h, seed: 11}
"""
"""Stops at 0.2 %, so that some are reached."""
SAME = (
    "at_ns",
    "side",
    "quantity",
    "order_type",
    "time_in_force",
    "limit_price",
    "stop_price",
    "reduce_only",
)
"""All of an order but its name, which carries the run's tag."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[dict[str, Any]]]:
    """The log of each engine, both run at once."""
    home: Path = a_home(tmp_path_factory.mktemp("home"))
    profile = home / "neutral.yaml"
    profile.write_text(NEUTRAL)
    runs = {
        engine: started(
            "run", "--profile", str(profile), "--engine", engine, "--json", env={"GPT_TRADER_HOME": str(home)}
        )
        for engine in ("live", "advanced")
    }
    return {engine: events_of(ended(process).summary["store"]) for engine, process in runs.items()}


def sent(log: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(event.get(name) for name in SAME) for event in of_type(log, "OrderSubmitted")]


def test_both_engines_send_the_same_orders(logs: Mapping[str, list[dict[str, Any]]]) -> None:
    """Side, size, price, type and time of every order, all but the name."""
    assert sent(logs["live"]) == sent(logs["advanced"])


def test_the_run_shows_what_it_is_about(logs: Mapping[str, list[dict[str, Any]]]) -> None:
    """Entries, exits and venue stops, some of which fired; and really two engines."""
    orders = sent(logs["live"])
    assert len(orders) > 30
    assert {order[3] for order in orders} == {"LIMIT", "STOP_LIMIT"}
    assert list(of_type(logs["live"], "StopTriggered"))
    engines = {name: {event["engine"] for event in of_type(log, "OrderApproved")} for name, log in logs.items()}
    assert engines == {"live": {"LiveExecutionEngine"}, "advanced": {"AdvancedExecutionEngine"}}


def test_both_come_to_the_same_end(logs: Mapping[str, list[dict[str, Any]]]) -> None:
    """Trades, fees and funding too: the market answered alike."""
    money = [
        [
            (event["type"], event.get("price"), event.get("quantity"), event.get("fee"), event.get("amount"))
            for event in of_type(log, "OrderFilled", "FundingApplied")
        ]
        for log in logs.values()
    ]
    assert money[0] == money[1]
