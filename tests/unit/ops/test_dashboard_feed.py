"""Does the dashboard know what the log knows? Of running and ended runs, and of damaged ones."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.builders import D, a_fill
from tests.house_under_test import House, a_house

from gpt_trader.core.clock import ManualClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import OrderReconciled, StopKept, StopReleased, TradingSignalGenerated
from gpt_trader.core.values import OrderState, Side
from gpt_trader.ops.dashboard.drawing import equity_drawing, price_drawing
from gpt_trader.ops.dashboard.feed import RunFeed
from gpt_trader.ops.dashboard.house import Runs
from gpt_trader.ops.dashboard.search import search_events
from gpt_trader.ops.dashboard.sections import SECTIONS
from gpt_trader.ops.dashboard.trail import POINTS_MAX, Line
from gpt_trader.records.logs import StoredLog


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    folder = tmp_path / "home" / "runs" / "a-run"
    folder.mkdir(parents=True)
    with a_house(folder, wire=["request lost"]) as made:
        yield made


def trade(house: House, *actions: str) -> None:
    """Wishes, one after another."""

    async def scenario() -> None:
        for number, action in enumerate(actions):
            signal = TradingSignalGenerated(
                at_ns=house.clock.now_ns(),
                intent_id=f"seen:BTC-PERP:{number}:{action.lower()}",
                strategy="seen",
                symbol="BTC-PERP",
                action=action,
                bar_close_ns=house.clock.now_ns(),
                reason="to be seen",
                fraction=D("0.1"),
            )
            house.bot.bus.publish(signal)
            await house.bot.on_trading_signal(signal)
            await house.clock.sleep(1)

    house.run(scenario)
    house.store.flush()


def read(house: House) -> RunFeed:
    feed = RunFeed(house.folder)
    feed.refresh()
    return feed


def text_of(part: object) -> str:
    """All words of an element of the page."""
    if isinstance(part, str):
        return part
    if isinstance(part, list | tuple):
        return " ".join(text_of(each) for each in part)
    plain = part.to_plotly_json() if hasattr(part, "to_plotly_json") else {}
    return text_of(plain.get("props", {}).get("children", "") or "")


def test_an_order_of_unknown_outcome_stands_first_and_in_plain_sight(house: House) -> None:
    """On the page of orders, on the overview, and at the top of every page once the bot runs."""
    house.adapter.idempotent = False
    trade(house, "LONG")
    feed = read(house)

    (order,) = feed.living()
    assert order.state is OrderState.UNKNOWN
    assert "UNKNOWN" in text_of(SECTIONS["open-orders"](feed))


def test_money_and_positions_are_the_ledgers(house: House) -> None:
    """Read from the log alone."""
    house.adapter._script.clear()
    trade(house, "LONG")
    feed = read(house)

    assert feed.story.ledger.positions() == house.bot.ledger.positions()
    assert feed.equity() is not None
    assert "0.16" in text_of(SECTIONS["positions"](feed))


def test_every_part_of_the_pages_can_be_made(house: House) -> None:
    """Of a run that has hardly begun, and of one that has traded."""
    house.store.flush()
    for feed in (read(house), _after(house)):
        for name, section in SECTIONS.items():
            assert section(feed) is not None, name
        assert equity_drawing(feed, None)["data"]


def _after(house: House) -> RunFeed:
    trade(house, "LONG", "FLAT")
    return read(house)


def test_each_wish_is_told_with_what_came_of_it(house: House) -> None:
    """A decision that nothing followed is under way, not forgotten."""
    house.adapter._script.clear()
    trade(house, "LONG", "FLAT")
    lines = read(house).intents

    assert [line.wanted for line in lines.values()] == ["be long: to be seen", "be flat: to be seen"]
    assert [line.outcome.split(" ")[0] for line in lines.values()] == ["bought", "sold"]


def test_what_its_stop_does_is_not_what_came_of_the_wish(house: House) -> None:
    """A stop that was approved, rested or was cancelled says nothing; one that got out does."""
    house.adapter._script.clear()
    trade(house, "LONG")
    wish = "seen:BTC-PERP:0:long"
    stop = f"{wish}:open:stop:1"
    house.bot.bus.publish(OrderReconciled(at_ns=1, intent_id=stop, symbol="BTC-PERP", outcome="CANCELLED", filled=D(0)))
    house.store.flush()
    before = read(house).intents[wish].outcome
    house.bot.bus.publish(msgspec.structs.replace(a_fill(trade_id="out"), intent_id=stop))
    house.store.flush()

    assert before == "bought 0.16 at 60,005"
    assert read(house).intents[wish].outcome == "bought 0.16 at 60,005; out at 60,000 by its stop or target"


def test_stops_are_drawn_from_when_they_are_kept_to_when_they_are_let_go(house: House) -> None:
    """Also where a strategy uses one name for all of its stops."""
    house.store.flush()
    for at_ns, price in ((1, 100), (2, 110)):
        kept = StopKept(at_ns=at_ns, symbol="BTC-PERP", stop_id="s", side=Side.SELL, trigger_price=D(price))
        house.bot.bus.publish(kept)
    house.bot.bus.publish(StopReleased(at_ns=3, symbol="BTC-PERP", stop_id="s", reason="flat"))
    house.bot.bus.publish(kept)
    house.store.flush()

    paths = list(read(house).stops.values())

    assert [(len(path.points), path.ended_ns) for path in paths] == [(2, 3), (1, 0)]


def test_the_price_shows_fills_where_they_happened(house: House) -> None:
    """The mark of a report, drawn live."""
    house.adapter._script.clear()
    trade(house, "LONG")
    drawing = price_drawing(read(house), "BTC-PERP", None)

    (entries,) = [trace for trace in drawing["data"] if trace["name"].startswith("entries long")]
    assert entries["y"] == [60_005.0]


def test_a_log_that_breaks_is_said_and_what_came_before_is_shown(house: House) -> None:
    """Not an empty page."""
    house.bot.bus.publish(a_fill())
    house.store.flush()
    house.bot.bus.publish(a_fill(trade_id="later"))
    house.store.flush()
    with contextlib.closing(sqlite3.connect(house.folder / "events.sqlite", isolation_level=None)) as store:
        (payload,) = store.execute("SELECT payloads FROM blocks ORDER BY first DESC LIMIT 1").fetchone()
        assert b"later" in payload
        changed = payload.replace(b"later", b"LATER")
        store.execute("UPDATE blocks SET payloads = ? WHERE payloads = ?", (changed, payload))

    feed = read(house)

    assert "the chain breaks" in feed.problem
    assert feed.status() == ("the log cannot be read on", "alarm")
    assert len(feed.story.fills) == 1


def test_a_run_without_a_log_is_refused_by_name(tmp_path: Path) -> None:
    """Also one whose log is on a server."""
    with pytest.raises(ConfigError, match="nothing to show"):
        RunFeed(tmp_path)


@pytest.mark.parametrize("name", ["..", "../x", "nobody", ""])
def test_a_name_that_is_no_run_opens_nothing(house: House, name: str) -> None:
    """Addresses come from outside."""
    runs = Runs(house.folder.parent.parent, ManualClock(10**18))

    with pytest.raises(ConfigError):
        runs.open(name)


def test_events_are_found_by_all_words_newest_first(house: House) -> None:
    """Whatever their case."""
    house.bot.bus.publish(a_fill(trade_id="one"))
    house.bot.bus.publish(a_fill(trade_id="two"))
    house.store.flush()
    store = StoredLog(house.folder / "events.sqlite")

    found = search_events(store, "orderfilled btc-perp")

    assert [each.type for each in found] == ["OrderFilled", "OrderFilled"]
    assert found[0].sequence > found[1].sequence
    assert [each.sequence for each in search_events(store, "two")] == [found[0].sequence]
    assert search_events(store, "nowhere") == []


def test_a_line_is_bounded_and_keeps_its_ends() -> None:
    """The older half gets thinner, the newest stays whole."""
    line = Line()
    for at in range(POINTS_MAX * 4):
        line.add(at, float(at))

    assert len(line.at_ns) <= POINTS_MAX
    assert (line.at_ns[0], line.at_ns[-1]) == (0, POINTS_MAX * 4 - 1)
    assert line.at_ns == sorted(line.at_ns)
