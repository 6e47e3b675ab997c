"""Do the invariants see what they are about? Each check beside a log or a house in which it is broken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from tests.builders import START_NS, D, a_fill, a_product, a_run_started, a_submitted, an_order
from tests.house_under_test import House, a_house

from gpt_trader.bot.invariants.log import LogWatch
from gpt_trader.bot.invariants.review import review, unseen
from gpt_trader.bot.invariants.sending import SendingWorld, judge
from gpt_trader.bot.invariants.table import INVARIANTS, Place, Policy
from gpt_trader.bot.watching import watch_over
from gpt_trader.cli.main import run_command_line
from gpt_trader.core.events import (
    Event,
    FundingApplied,
    InvariantBroken,
    OrderCancelled,
    OrderOutcomeUnknown,
    PositionClosed,
    PositionOpened,
)
from gpt_trader.core.values import (
    Mark,
    Mode,
    OrderState,
    OrderTicket,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
    TradingStatus,
)
from gpt_trader.records.logs import StoredLog

ROOT = Path(__file__).resolve().parents[3]


def broken_by(events: Iterable[Event]) -> list[int]:
    """Numbers of the invariants that this log breaks, RunStarted in front."""
    log = LogWatch()
    for event in (a_run_started(), *events):
        log.take(event)
    return [broken.number for broken in log.broken]


def opened(quantity: str = "0.1") -> PositionOpened:
    return PositionOpened(at_ns=START_NS, symbol="BTC-PERP", quantity=D(quantity), entry_price=D(60_000))


def test_every_number_of_the_list_is_there() -> None:
    """1 to 36 of the list that they come from, and our own behind it; each name once."""
    assert [each.number for each in INVARIANTS] == list(range(1, len(INVARIANTS) + 1))
    assert len(INVARIANTS) >= 36
    assert len({each.name for each in INVARIANTS}) == len(INVARIANTS)


def test_what_only_tests_can_show_names_tests_that_exist() -> None:
    """A promise without a look is one without a keeper."""
    for each in INVARIANTS:
        kept_by = [part.strip() for part in each.kept_by.split(",") if part.strip()]
        assert kept_by or each.places != (Place.TEST,), each.name
        for path in kept_by:
            assert (ROOT / path).is_file(), f"{each.name}: {path}"


def test_a_sound_log_breaks_nothing() -> None:
    """An order, its trade and the opening that follows."""
    assert broken_by([a_submitted(), a_fill(), opened()]) == []


@pytest.mark.parametrize(
    ("number", "events"),
    [
        (1, [a_submitted(quantity=D("0.05")), a_fill()]),
        (4, [a_submitted(), a_submitted(client_order_id="gt-test-2")]),
        (6, [a_submitted(), a_submitted(intent_id="another")]),
        (6, [a_submitted(body_digest="")]),
        (8, [a_submitted(), a_fill(cumulative=D("0.3"))]),
        (
            8,
            [
                a_submitted(),
                a_fill(quantity=D("0.3"), cumulative=D("0.3"), state=OrderState.FILLED),
                opened("0.3"),
                OrderOutcomeUnknown(at_ns=START_NS, client_order_id="gt-test-1"),
            ],
        ),
        (9, [a_submitted(), a_fill(), opened(), a_fill(cumulative=D("0.2"))]),
        (18, [a_submitted(), a_fill(), a_fill(trade_id="t2", cumulative=D("0.2"))]),
        (18, [PositionClosed(at_ns=START_NS, symbol="BTC-PERP", realised_pnl=D(0), fees=D(0), funding=D(0))]),
    ],
)
def test_a_broken_log_is_seen(number: int, events: list[Event]) -> None:
    """By the number of what it breaks."""
    assert number in broken_by(events)


def test_funding_that_comes_twice_is_seen() -> None:
    """The natural key counts, not the event."""
    paid = FundingApplied(
        at_ns=START_NS,
        symbol="BTC-PERP",
        funding_ns=START_NS,
        amount=D(1),
        rate=D("0.0001"),
        position=D(1),
        price=D(60_000),
    )
    assert broken_by([paid, paid]) == [20]


def test_a_fill_after_a_cancel_is_no_break() -> None:
    """Fills apply in any state."""
    cancelled = OrderCancelled(at_ns=START_NS, client_order_id="gt-test-1", venue_order_id="v1", filled=D("0.1"))
    assert broken_by([a_submitted(), cancelled, a_fill(state=OrderState.CANCELLED), opened()]) == []


def a_ticket(**changes: object) -> OrderTicket:
    ticket = OrderTicket(
        client_order_id="gt-test-1",
        intent_id="test",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.1"),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.IOC,
        limit_price=D(60_000),
        valid_until_ns=START_NS + 1,
    )
    return msgspec.structs.replace(ticket, **changes)


def a_world(**changes: object) -> SendingWorld:
    world = SendingWorld(
        now_ns=START_NS,
        mode=Mode.NORMAL,
        product=a_product(),
        mark=Mark(price=D(60_000), venue_ns=START_NS, received_ns=START_NS),
        account_ns=START_NS,
        equity=D(100_000),
        position=D(0),
        mark_age_seconds_max=D(5),
        account_age_seconds_max=D(60),
        position_share_max=D(1),
    )
    return msgspec.structs.replace(world, **changes)


EXIT = {"reduce_only": True, "purpose": Purpose.EXIT, "side": Side.SELL}


@pytest.mark.parametrize(
    ("number", "ticket", "world"),
    [
        (11, a_ticket(quantity=D(2)), a_world()),
        (11, a_ticket(), a_world(position=D("1.7"))),
        (11, a_ticket(), a_world(entries_same_side=D("1.7"))),
        (12, a_ticket(), a_world(mode=Mode.REDUCE_ONLY)),
        (12, a_ticket(**EXIT), a_world(mode=Mode.FROZEN, position=D(1))),
        (12, a_ticket(reduce_only=True), a_world(position=D(-1))),
        (13, a_ticket(**EXIT), a_world(position=D("0.05"))),
        (13, a_ticket(**EXIT), a_world(position=D("0.1"), closing_same_side=D("0.05"))),
        (13, a_ticket(**EXIT), a_world(position=D(-1))),
        (14, a_ticket(quantity=D("0.105")), a_world()),
        (14, a_ticket(quantity=D(0)), a_world()),
        (14, a_ticket(quantity=D("NaN")), a_world()),
        (14, a_ticket(limit_price=D(60_001)), a_world()),
        (14, a_ticket(limit_price=D(-5)), a_world()),
        (14, a_ticket(limit_price=D(90_000)), a_world()),
        (14, a_ticket(limit_price=None), a_world()),
        (15, a_ticket(), a_world(mark=None)),
        (15, a_ticket(), a_world(account_ns=START_NS - 61_000_000_000)),
        (17, a_ticket(), a_world(product=a_product(status=TradingStatus.HALTED))),
        (17, a_ticket(), a_world(product=a_product(status=TradingStatus.POST_ONLY))),
        (25, a_ticket(), a_world(recovered=False)),
    ],
)
def test_an_order_that_must_not_leave_is_seen(number: int, ticket: OrderTicket, world: SendingWorld) -> None:
    """By the number of what it breaks."""
    assert number in {broken.number for broken in judge(ticket, world)}


@pytest.mark.parametrize(
    ("ticket", "world"),
    [
        (a_ticket(), a_world()),
        (a_ticket(**EXIT), a_world(position=D("0.1"), mode=Mode.REDUCE_ONLY)),
        (a_ticket(post_only=True), a_world(product=a_product(status=TradingStatus.POST_ONLY))),
        (a_ticket(**EXIT), a_world(position=D(1), mark=None)),
    ],
)
def test_an_order_that_may_leave_breaks_nothing(ticket: OrderTicket, world: SendingWorld) -> None:
    """Entries in the open, exits also in a closed mode and without a mark."""
    assert list(judge(ticket, world)) == []


def play(house: House, *, then: object = None) -> None:
    async def scenario() -> None:
        await house.bot.engine.place_order(an_order(created_ns=house.clock.now_ns()))
        if callable(then):
            then()
        await house.clock.sleep(30)
        await house.bot.engine.place_order(
            an_order(
                intent_id="again", created_ns=house.clock.now_ns(), valid_until_ns=house.clock.now_ns() + 60 * 10**9
            )
        )
        await house.clock.sleep(1)

    house.run(scenario)


def test_a_sound_bot_is_looked_at_and_left_alone(tmp_path: Path) -> None:
    """Every ten seconds in which something happens; nothing is told, and nothing is shut."""
    with a_house(tmp_path) as house:
        watch = watch_over(house.bot, house.built.parts)
        play(house)

        assert watch.looks >= 2
        assert house.of(InvariantBroken) == []
        assert house.bot.guards.mode is Mode.NORMAL


def test_a_broken_promise_is_told_once_and_its_policy_follows(tmp_path: Path) -> None:
    """A position that is not the sum of its trades freezes the bot; nothing is sent any more."""
    with a_house(tmp_path) as house:
        watch_over(house.bot, house.built.parts)
        book = house.bot.ledger._book("BTC-PERP")

        def lose_something() -> None:
            book.quantity += D("0.05")
            book.position = None

        play(house, then=lose_something)

        (told,) = [event for event in house.of(InvariantBroken) if event.number == 2]
        assert (told.name, told.policy) == ("position_is_its_fills", Policy.FREEZE.value)
        assert house.bot.guards.mode is Mode.FROZEN


def test_a_stored_run_gets_its_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a log can show holds or is broken; the rest says that a log does not show it."""
    with a_house(tmp_path) as house:
        watch_over(house.bot, house.built.parts)
        play(house)
    store = tmp_path / "events.sqlite"

    verdicts = {verdict.name: verdict.said for verdict in review(StoredLog(store))}
    assert verdicts["fills_within_order"] == "holds"
    assert verdicts["chain_is_whole"] == "holds"
    assert verdicts["ledger_is_venue"] == "not shown by a log"
    assert run_command_line(["invariants", str(store), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["number"] for line in lines] == [each.number for each in unseen()]


def test_what_the_bot_found_broken_stands_in_the_verdict(tmp_path: Path) -> None:
    """The exit code tells a script."""
    with a_house(tmp_path) as house:
        house.run(lambda: house.clock.sleep(1))
        house.bot.bus.publish(
            InvariantBroken(at_ns=1, number=3, name="ledger_is_venue", detail="1 here, 2 there", policy="reduce_only")
        )
    store = tmp_path / "events.sqlite"

    (found,) = [verdict for verdict in review(StoredLog(store)) if verdict.breaks]
    assert found.number == 3
    assert "by the running bot" in found.breaks[0]
    assert run_command_line(["invariants", str(store)]) == 1
