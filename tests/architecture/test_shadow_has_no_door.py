"""Can a shadow reach a venue? By the types of what it is given, and by what a living one really holds."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, get_type_hints

import pytest
from tests.house_under_test import a_house
from tests.steered import SIZING, Configuration

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.shadow import ShadowParts
from gpt_trader.core.bus import EventBus
from gpt_trader.execution.deciding import DecidingParts
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.pipeline import ExecutionPipeline
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.primitives import LimitOrderExecutor, MarketOrderExecutor
from gpt_trader.placement.submitter import OrderSubmitter
from gpt_trader.placement.tracker import OrderTracker

DOORS: Final = (
    OrderSubmitter,
    LimitOrderExecutor,
    MarketOrderExecutor,
    OrderTracker,
    OrderManager,
    StopTriggerManager,
    GuardManager,
    ExecutionPipeline,
    PerpsBot,
)
"""Who sends, changes the state of orders, or acts."""
HOUSE: Final = "gpt_trader"


def test_what_it_is_given_names_no_door() -> None:
    """Nor the port of the venue: an adapter can send."""
    forbidden = {each.__name__ for each in DOORS} | {"ExchangeAdapter", "EventBus", "SharedParts", "VenuePreview"}
    named = {
        word
        for parts in (ShadowParts, DecidingParts)
        for field in fields(parts)
        for word in str(get_type_hints(parts)[field.name]).replace("[", " ").replace("]", " ").replace(",", " ").split()
    }
    assert {name.rpartition(".")[2] for name in named} & forbidden == set()


@pytest.mark.parametrize(("flags", "candidate"), [({}, "advanced"), ({SIZING: True}, "live")])
def test_nothing_that_it_holds_is_a_door(tmp_path: Path, flags: dict[str, Any], candidate: str) -> None:
    """Every object that can be reached from a living shadow, except through its windows: the view of the market,
    and the bus that it tells."""
    configuration = Configuration(tmp_path, shadow=candidate, **flags)
    with a_house(tmp_path, configuration.load().config) as house:
        configuration.steering(house).begin_shadow()
        assert house.bot.shadow is not None
        windows = (house.adapter.market, house.bot.bus)
        held = list(reached(house.bot.shadow, windows))
    assert [type(each).__name__ for each in held if isinstance(each, (*DOORS, EventBus, type(house.adapter)))] == []
    assert len(held) > 30, "the walk has seen the shadow's parts"


def test_the_walk_would_find_a_door(tmp_path: Path) -> None:
    """So the test above tests something: the engine that trades holds all of them."""
    with a_house(tmp_path) as house:
        held = list(reached(house.bot.engine, (house.adapter.market, house.bot.bus)))
    assert {OrderSubmitter, OrderTracker, OrderManager} <= {type(each) for each in held}


def reached(start: object, windows: tuple[object, ...]) -> Iterator[object]:
    """Objects of the house that are held, directly or not; classes, modules and windows are not entered."""
    seen = {id(window) for window in windows}
    waiting: list[object] = [start]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type) or type(each).__name__ == "module":
            continue
        seen.add(id(each))
        if type(each).__module__.startswith(HOUSE):
            yield each
        waiting += [held for held in gc.get_referents(each) if not _is_globals(held)]


def _is_globals(held: object) -> bool:
    """A function holds the names of its module; that is what it may import, and the import contract's matter."""
    return isinstance(held, dict) and "__builtins__" in held
