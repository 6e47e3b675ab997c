"""Stops under random markets, orders and wires: nothing closed twice, never naked, never forgotten. Seeded."""

from __future__ import annotations

import functools
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.builders import D, an_order
from tests.house_under_test import House, a_config, a_house, steady_market

from gpt_trader.core.clock import NS
from gpt_trader.core.events import (
    Event,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    StopKept,
    StopReleased,
    StopTriggered,
)
from gpt_trader.core.values import Keeper, Side

ENGINES = {"live": {}, "advanced": {"enable_market_impact_guard": True, "max_market_impact_bps": 100}}
FAULTS = ("request lost", "reply lost", "unavailable", "refused")
MARKET_SECONDS = 300
SEEDS = 12


def a_path(draw: Random) -> list[int]:
    """A walk in steps of 5 to 50, with a jump of up to 3 % now and then."""
    price, path = 60_000, []
    for _ in range(MARKET_SECONDS + 300):
        jump = draw.choice((-1, 1)) * draw.randrange(300, 1800, 5) if draw.random() < 0.02 else 0
        price += draw.choice((-1, 1)) * draw.randrange(5, 50, 5) + jump
        path.append(max(30_000, price))
    return path


def an_entry(draw: Random, engine: str) -> dict[str, Any]:
    """Long or short, with a stop and perhaps more."""
    side = draw.choice(list(Side))
    asked: dict[str, Any] = {"side": side, "quantity": D(draw.randrange(1, 60)) / 100}
    if engine == "advanced" and draw.random() < 0.3:
        asked["trailing_stop"] = D(draw.randrange(20, 150)) / 10_000
    else:
        asked["stop_share"] = D(draw.randrange(10, 150)) / 10_000
        if draw.random() < 0.4:
            asked["target_share"] = asked["stop_share"] * 2
    return asked


async def play(house: House, draw: Random, engine: str) -> None:
    """Something of somebody every few seconds; then time for all to come to rest."""
    number = 0
    while house.clock.now_ns() < house.adapter.venue.now_ns + 1 and number < 40:
        number += 1
        await house.clock.sleep(draw.uniform(0.5, 7))
        position = house.bot.ledger.position("BTC-PERP").quantity
        mark = house.bot.marks()["BTC-PERP"]
        asked = an_entry(draw, engine)
        if position and draw.random() < 0.5:
            share = D(draw.choice((1, 1, 2))) / 2
            asked = {
                "side": Side.SELL if position > 0 else Side.BUY,
                "quantity": max(D("0.01"), abs(position) * share // D("0.01") * D("0.01")),
                "reduce_only": True,
            }
        sign = asked["side"].sign
        if (stop := asked.pop("stop_share", None)) is not None:
            asked["protective_stop"] = mark * (1 - sign * stop)
        if (target := asked.pop("target_share", None)) is not None:
            asked["target_price"] = mark * (1 + sign * target)
        now_ns = house.clock.now_ns()
        await house.bot.engine.place_order(
            an_order(intent_id=f"n{number}", created_ns=now_ns, valid_until_ns=now_ns + 60 * NS, **asked)
        )
    await house.clock.sleep(230)  # unknown orders are read to their end


def check_closers(events: list[Event]) -> None:
    """Whenever an exit leaves, it and all other living exits together close no more than is open."""
    living: dict[str, Decimal] = {}
    position = D(0)
    for event in events:
        match event:
            case OrderSubmitted(reduce_only=True):
                living[event.client_order_id] = event.quantity
                assert sum(living.values()) <= abs(position), event
            case OrderFilled():
                position += event.side.sign * event.quantity
                if event.client_order_id in living:
                    living[event.client_order_id] -= event.quantity
            case OrderCancelled() | OrderExpired() | OrderRejected() | OrderFailed():
                living.pop(event.client_order_id, None)
            case _:
                pass


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_stops_keep_their_promises(tmp_path: Path, engine: str, seed: int) -> None:
    """Whatever happens: nothing is closed twice, one keeper while there is a position, nothing left when there is none."""
    draw = Random(seed)
    wire = tuple(draw.choice(FAULTS) if draw.random() < 0.12 else "sound" for _ in range(200))
    limits = {"max_concurrent_positions": 0, "reject_breaker_count": 0, "slippage_breaker_count": 0}
    config = a_config(**ENGINES[engine], **limits, max_position_size_pct=5)
    with a_house(tmp_path, config, steady_market(a_path(draw)), cash=1_000_000, wire=wire) as house:
        house.run(lambda: play(house, draw, engine))
        check_closers(house.events)
        check_rest(house)
        house.check_invariants()


def check_rest(house: House) -> None:
    """A position has its stop, at the venue or here; without one nothing is kept and nothing can close."""
    position = house.bot.ledger.position("BTC-PERP").quantity
    living = [order for order in house.bot.orders.living() if order.submitted.reduce_only]
    if not position:
        assert living == []
        assert house.bot.stops.kept() == ()
        return
    stops = [trigger for trigger in house.bot.stops.kept() if not trigger.is_target]
    assert len(stops) == 1
    assert stops[0].side.sign == (-1 if position > 0 else 1)
    assert len(living) == (1 if stops[0].keeper is Keeper.VENUE else 0)
    assert all(order.may_still_fill == abs(position) for order in living)


def test_the_seeds_show_what_they_are_about(tmp_path: Path) -> None:
    """Stops of every keeper, some that fired, some released: else the test above shows nothing."""
    kept, fired, released = set(), 0, 0
    for seed in range(4):
        draw = Random(seed)
        wire = tuple(draw.choice(FAULTS) if draw.random() < 0.12 else "sound" for _ in range(200))
        config = a_config(**ENGINES["advanced"], max_concurrent_positions=0, reject_breaker_count=0)
        folder = tmp_path / str(seed)
        folder.mkdir()
        with a_house(folder, config, steady_market(a_path(draw)), cash=1_000_000, wire=wire) as house:
            house.run(functools.partial(play, house, draw, "advanced"))
            kept |= {event.keeper for event in house.of(StopKept)}
            fired += len(house.of(StopTriggered))
            released += len(house.of(StopReleased))
    assert kept == {"VENUE", "LOCAL"}
    assert fired > 5
    assert released > 5
