"""What do we know after a restart? Two boots over one store and one venue, and whatever happened in between."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders import START_NS, D
from tests.house_under_test import BadWire, House, a_config
from tests.killed_house import a_market, a_venue, an_entry, build, move, the_venue_again

from gpt_trader.bot.account import CashWatch
from gpt_trader.bot.claims import claim
from gpt_trader.bot.recovery import HEARD_BY, Recovery
from gpt_trader.bot.strategy_memory import StrategyMemory
from gpt_trader.core.clock import NS, VirtualClock
from gpt_trader.core.errors import ConfigError, VenueUnavailableError
from gpt_trader.core.events import (
    AccountReconciled,
    Event,
    ExternalOrderSeen,
    ExternalPositionSeen,
    LogRepaired,
    ModeChanged,
    OrderFilled,
    OrderSubmitted,
    RunStarted,
)
from gpt_trader.core.values import Mode, OrderState, OrderType, Position, Side, TimeInForce
from gpt_trader.exchange.base import OrderUpdate
from gpt_trader.execution.guards import GuardManager
from gpt_trader.execution.handlers.reconciliation import LastAnswers
from gpt_trader.execution.stop_record import StopRecord
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.tracker import OrderTracker
from gpt_trader.records.event_store import EventStore
from gpt_trader.risk.breaker_counts import BreakerCounts
from gpt_trader.risk.manager import LiveRiskManager
from gpt_trader.venue.news import NewOrder

SYMBOL = "BTC-PERP"
MARKET = a_market("at the venue")
Between = Callable[[BadWire, VirtualClock], None]


def first_boot(folder: Path) -> list[Event]:
    """Enters 0.3 with a stop at the venue, and ends as if killed."""
    adapter, clock = a_venue(MARKET)
    with EventStore.open(folder / "events.sqlite", "test-run", 1, durable=False) as store:
        house = build(a_config(), adapter, clock, store, 1)

        async def play() -> None:
            await house.bot.engine.place_order(an_entry("at the venue", clock.now_ns()))
            await clock.sleep(2)

        house.run(play)
        return [recorded.event for recorded in store.read()]


def next_boot(
    folder: Path,
    log: list[Event],
    between: Between,
    look: Callable[[House], None],
    *,
    boot: int = 2,
    adapter_kind: type[BadWire] = BadWire,
    **config: Any,
) -> None:
    """Another process takes the run over a while later; `between` is what happens at the venue meanwhile."""
    adapter, clock = the_venue_again(MARKET, log, MARKET.start_ns + 6 * NS)
    adapter.__class__ = adapter_kind
    between(adapter, clock)
    with EventStore.open(folder / "events.sqlite", "test-run", boot, durable=False) as store:
        house = build(a_config(**config), adapter, clock, store, boot)

        async def play() -> None:
            look(house)

        house.run(play)


def by_hand(side: Side, quantity: str, name: str = "by-hand", price: int | None = None) -> Between:
    """Somebody trades on the account beside the bot."""

    def trade(adapter: BadWire, clock: VirtualClock) -> None:
        adapter.venue.submit(
            NewOrder(
                client_order_id=name,
                symbol=SYMBOL,
                side=side,
                quantity=D(quantity),
                order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
                time_in_force=TimeInForce.IOC if price is None else TimeInForce.GTC,
                limit_price=None if price is None else D(price),
            )
        )
        move(adapter, clock, clock.now_ns() + NS)

    return trade


def nothing(_: BadWire, __: VirtualClock) -> None:
    """Nobody did anything."""


def test_a_quiet_restart_finds_everything_as_it_was(tmp_path: Path) -> None:
    """Position, stop and money; the venue was asked, and says nothing new."""
    log = first_boot(tmp_path)

    def look(house: House) -> None:
        (found,) = house.of(AccountReconciled)
        assert (found.fills, found.external_orders, found.external_positions) == (0, 0, {})
        assert house.bot.ledger.position(SYMBOL).quantity == D("0.3")
        assert house.bot.guards.pause_reason(SYMBOL) == ""
        house.check_invariants()

    next_boot(tmp_path, log, nothing, look)


@pytest.mark.parametrize(("side", "external"), [(Side.BUY, "0.2"), (Side.SELL, "-0.2")])
def test_f54_what_a_stranger_traded_is_external(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: Side, external: str
) -> None:
    """Where the venue does not tell the trade but the position differs, the difference is nobody's of ours: counted
    in exposure, shown, its symbol closed to entries; our own part and its stop stay what they were."""
    log = first_boot(tmp_path)
    hide_foreign_fills(monkeypatch)

    def look(house: House) -> None:
        (seen,) = house.of(ExternalPositionSeen)
        assert (seen.quantity, seen.own) == (D(external), D("0.3"))
        assert house.bot.ledger.position(SYMBOL).quantity == D("0.3")
        assert house.built.parts.collector.exposure(SYMBOL, D(60_000)).external == D(external)
        assert "external position" in house.bot.guards.pause_reason(SYMBOL)
        assert [order.submitted.purpose.value for order in house.bot.orders.living()] == ["EXIT"]

    next_boot(tmp_path, log, by_hand(side, "0.2"), look)


def hide_foreign_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue whose fills of orders by other hands are not listed to us."""
    listed = BadWire.fills

    async def ours_only(self: BadWire, cursor: str) -> Any:
        page = await listed(self, cursor)
        ours = tuple(fill for fill in page.fills if fill.client_order_id.startswith("gt-"))
        return type(page)(fills=ours, cursor=page.cursor)

    monkeypatch.setattr(BadWire, "fills", ours_only)


def test_an_external_position_that_is_gone_frees_its_symbol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next boot sees that nothing is unexplained any more."""
    log = first_boot(tmp_path)
    hide_foreign_fills(monkeypatch)
    next_boot(tmp_path, log, by_hand(Side.BUY, "0.2"), lambda _: None)

    def look(house: House) -> None:
        assert house.of(ExternalPositionSeen)[-1].quantity == 0
        assert house.bot.ledger.externals() == {}
        assert house.bot.guards.pause_reason(SYMBOL) == ""

    next_boot(tmp_path, log, nothing, look, boot=3)


def test_a_claim_makes_it_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name and with a reason; then ledger and venue agree, in this boot and after the next replay."""
    log = first_boot(tmp_path)
    hide_foreign_fills(monkeypatch)

    def look(house: House) -> None:
        bot = house.bot
        claim(bot.ledger, bot.bus.publish, SYMBOL, who="ann", reason="opened by me", now_ns=START_NS)
        bot.guards.resume(SYMBOL)
        assert bot.ledger.position(SYMBOL).quantity == D("0.5")
        assert bot.ledger.externals() == {}
        with pytest.raises(ConfigError, match="no external position to claim"):
            claim(bot.ledger, bot.bus.publish, SYMBOL, who="ann", reason="again", now_ns=START_NS)

    next_boot(tmp_path, log, by_hand(Side.BUY, "0.2"), look)

    def look_again(house: House) -> None:
        assert house.bot.ledger.position(SYMBOL).quantity == D("0.5")
        assert house.bot.guards.pause_reason(SYMBOL) == ""

    next_boot(tmp_path, log, by_hand(Side.BUY, "0.2"), look_again, boot=3)


def test_f57_one_report_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F56: a position that is missing from one report is not adopted as gone."""
    log = first_boot(tmp_path)
    reports = [()]
    whole = BadWire.positions

    async def first_empty(self: BadWire) -> tuple[Position, ...]:
        return reports.pop() if reports else await whole(self)

    monkeypatch.setattr(BadWire, "positions", first_empty)

    def look(house: House) -> None:
        assert house.of(ExternalPositionSeen) == []
        assert "moves while it is read" in house.bot.guards.pause_reason(SYMBOL)

    next_boot(tmp_path, log, nothing, look)


@pytest.mark.parametrize("call", ["positions", "open_orders", "fills"])
def test_without_the_venues_word_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Missing is never zero: no order is sent, and the position stays as the log has it."""
    log = first_boot(tmp_path)

    async def silent(*_: object) -> Any:
        raise VenueUnavailableError("503")

    monkeypatch.setattr(BadWire, call, silent)
    with pytest.raises(VenueUnavailableError):
        next_boot(tmp_path, log, nothing, lambda _: None)


def test_an_order_by_hand_is_left_alone(tmp_path: Path) -> None:
    """It is told, its symbol takes no entries, and nobody cancels it; when it is gone the symbol is free."""
    log = first_boot(tmp_path)

    def look(house: House) -> None:
        (seen,) = house.of(ExternalOrderSeen)
        assert (seen.client_order_id, seen.writer) == ("by-hand", "BY HAND")
        assert "external order" in house.bot.guards.pause_reason(SYMBOL)
        assert "by-hand" in {order.client_order_id for order in house.adapter.venue.open_orders()}

    next_boot(tmp_path, log, by_hand(Side.BUY, "0.1", price=59_000), look)
    next_boot(tmp_path, log, nothing, free, boot=3)


def free(house: House) -> None:
    assert house.bot.guards.pause_reason(SYMBOL) == ""


def test_a_second_bot_is_seen_by_its_ids(tmp_path: Path) -> None:
    """While we trade, an order in our manner that is not ours ends all entries until an operator has looked; the mode
    outlives the process."""
    log = first_boot(tmp_path)

    def look(house: House) -> None:
        house.bot.orders.apply(
            OrderUpdate(client_order_id="gt-abcdef-1", venue_order_id="v9", symbol=SYMBOL, state=OrderState.ACTIVE)
        )
        assert house.bot.guards.mode is Mode.REDUCE_ONLY
        assert house.of(ExternalOrderSeen)[-1].writer == "ANOTHER BOT"
        assert "another bot writes" in house.of(ModeChanged)[-1].reason

    next_boot(tmp_path, log, nothing, look)

    def look_again(house: House) -> None:
        assert house.bot.guards.mode is Mode.REDUCE_ONLY

    next_boot(tmp_path, log, nothing, look_again, boot=3)


def test_after_a_repair_the_venue_is_asked_and_nothing_is_entered(tmp_path: Path) -> None:
    """The fill that was lost with the log's end is booked again, and a person must look before more is entered."""
    log = first_boot(tmp_path)
    place = next(number for number, event in enumerate(log) if isinstance(event, OrderFilled))
    path = tmp_path / "cut" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        for event in log[:place]:
            store.append(event)
        lost = LogRepaired(at_ns=log[-1].at_ns, kept=place, reached=len(log), reason="test", quarantine="q")
        store.append(lost)

    def look(house: House) -> None:
        assert house.bot.ledger.position(SYMBOL).quantity == D("0.3")
        assert f"{len(log) - place} events are lost" in house.bot.guards.pause_reason(SYMBOL)

    next_boot(path.parent, log, nothing, look)


def test_a_log_of_which_nothing_is_left_begins_anew(tmp_path: Path) -> None:
    """Cash and position are the venue's; what is held is external, for nobody knows how it came."""
    log = first_boot(tmp_path)
    path = tmp_path / "empty" / "events.sqlite"
    with EventStore.open(path, "test-run", 1, durable=False) as store:
        store.append(LogRepaired(at_ns=START_NS, kept=0, reached=len(log), reason="test", quarantine="q"))

    def look(house: House) -> None:
        assert len(house.of(RunStarted)) == 0, "told before the test listens"
        assert house.bot.ledger.external(SYMBOL) == D("0.3")
        assert house.bot.ledger.starting_cash == house.adapter.account().cash
        assert {seen.writer for seen in house.of(ExternalOrderSeen)} == {"LOST"}

    next_boot(path.parent, log, nothing, look)


def test_recovery_can_be_repeated(tmp_path: Path) -> None:
    """Killed right after it, the next boot comes to the same state and tells nothing new."""
    log = first_boot(tmp_path)
    states = []
    for boot in (2, 3, 4):
        next_boot(
            tmp_path,
            log,
            nothing,
            lambda house: states.append((house.bot.ledger.cash, house.bot.ledger.positions(), house.bot.guards.mode)),
            boot=boot,
        )
    assert states[0] == states[1] == states[2]


def test_nothing_is_sent_before_the_account_is_reconciled(tmp_path: Path) -> None:
    """The first order of a boot comes after AccountReconciled in the log."""
    log = first_boot(tmp_path)

    def look(house: House) -> None:
        kinds = house.kinds()
        sent = [place for place, kind in enumerate(kinds) if kind == OrderSubmitted.__name__]
        assert all(place > kinds.index(AccountReconciled.__name__) for place in sent)

    next_boot(tmp_path, log, nothing, look)


def types_in(part: Callable[..., object]) -> set[str]:
    """Event types that a method asks for by `case Type()` or `isinstance`."""
    code = ast.parse(textwrap.dedent(inspect.getsource(part)))
    named = {
        node.cls.id for node in ast.walk(code) if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name)
    }
    for node in ast.walk(code):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            named |= {each.id for each in ast.walk(node.args[1]) if isinstance(each, ast.Name)}
    return named


@pytest.mark.parametrize(
    "part",
    [
        OrderManager.on_event,
        OrderTracker.restore,
        GuardManager.restore,
        StopRecord.restore,
        BreakerCounts.take,
        LiveRiskManager.restore,
        LastAnswers.restore,
        StrategyMemory.restore,
        CashWatch.restore,
        Recovery._note,
    ],
    ids=lambda part: part.__qualname__,
)
def test_a_part_hears_all_that_it_asks_for(part: Callable[..., object]) -> None:
    """The table of who hears what leaves nothing out that the part's own code looks at."""
    heard = {kind.__name__ for kind in HEARD_BY[part.__qualname__]}
    assert heard == types_in(part)
    if part is StopRecord.restore:
        assert types_in(StopTriggerManager.restore) - {"Keeper"} <= heard, "who hears for the record"
