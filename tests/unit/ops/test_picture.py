"""Is the picture of a bot true, and is it the same at the other end of the socket?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.builders import D, a_fill
from tests.house_under_test import House, a_config, a_house
from tests.steered import Configuration

from gpt_trader.core.events import ExternalPositionSeen, TradingSignalGenerated
from gpt_trader.ops.desk import ControlDesk
from gpt_trader.ops.picture import answer_of, picture_from, picture_of


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path, a_config(max_leverage=5)) as made:
        yield made


def trade(house: House, fraction: str = "1") -> None:
    """Be long with so much of the equity, and let two seconds pass."""

    async def scenario() -> None:
        signal = TradingSignalGenerated(
            at_ns=house.clock.now_ns(),
            intent_id="seen:BTC-PERP:1:long",
            strategy="seen",
            symbol="BTC-PERP",
            action="LONG",
            bar_close_ns=house.clock.now_ns(),
            fraction=D(fraction),
        )
        house.bot.bus.publish(signal)
        await house.bot.on_trading_signal(signal)
        await house.bot.guards.run()

    house.run(scenario)


def test_it_travels_and_is_the_same(house: House) -> None:
    """Decimals as text, and back again, to the last digit; as JSON."""
    trade(house)
    picture = picture_of(house.built, "a-run")

    told = msgspec.json.decode(msgspec.json.encode(answer_of(picture)))

    assert picture_from(told) == picture
    assert picture.positions
    assert picture.guards


def test_money_is_the_ledgers_and_headroom_the_venues(house: House) -> None:
    """Equity at the marks, less what the venue asks for to keep the position."""
    trade(house)
    picture, bot = picture_of(house.built, "a-run"), house.bot

    assert picture.equity == bot.ledger.equity(bot.marks())
    assert picture.maintenance_margin == bot.adapter.account().maintenance_margin > 0
    assert picture.headroom == (picture.equity - picture.maintenance_margin) / picture.equity


def test_the_liquidation_price_is_where_the_account_ends(house: House) -> None:
    """Three times the equity, long: at the price shown, equity is what the venue then asks for."""
    trade(house, "3")
    picture = picture_of(house.built, "a-run")
    (position,) = picture.positions
    assert position.mark
    assert position.liquidation_price
    assert picture.equity
    assert position.liquidation_distance

    lost = position.quantity * (position.mark - position.liquidation_price)
    asked = picture.maintenance_margin * position.liquidation_price / position.mark

    assert position.liquidation_price < position.mark
    assert abs(picture.equity - lost - asked) < D("0.0001")
    assert D("0.2") < position.liquidation_distance < D("0.4")


def test_what_is_somebody_elses_is_shown_as_such(house: House) -> None:
    """It counts in the margin, and no order of ours may close it."""
    house.bot.bus.publish(
        ExternalPositionSeen(at_ns=1, symbol="ETH-PERP", quantity=D(-2), entry_price=D(3000), own=D(0))
    )

    (position,) = picture_of(house.built, "a-run").positions

    assert (position.symbol, position.quantity, position.external) == ("ETH-PERP", D(-2), True)


def test_without_a_mark_there_is_no_equity(house: House) -> None:
    """Not a smaller one."""
    house.bot.bus.publish(a_fill(symbol="OLD-PERP"))

    picture = picture_of(house.built, "a-run")

    assert (picture.equity, picture.price_pnl, picture.headroom) == (None, None, None)


def test_the_desk_answers_with_it_and_writes_nothing_down(house: House) -> None:
    """A question like `status`."""
    desk = ControlDesk(house.built, Configuration(house.folder).steering(house), run="a-run")
    before = house.store.head

    answer = desk.ask("picture")

    assert picture_from(answer) == picture_of(house.built, "a-run")
    assert house.store.head == before
