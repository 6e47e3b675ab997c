"""The catalogue of real failures: each case is a test with its number in the name, or a line that says why it cannot
occur. The cases here are those that need a whole bad day; the others stand beside the parts they are about."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.builders import an_order
from tests.house_under_test import a_house, steady_market
from tests.simulation.planted import with_bug

from gpt_trader.core.clock import NS
from gpt_trader.core.events import OrderFilled, OrderSubmitted, ProductListed
from gpt_trader.core.values import TradingStatus
from gpt_trader.exchange.base import FillPage, ProductChanged
from gpt_trader.research.bad_days.day import DayEnd, live_through
from gpt_trader.research.bad_days.drawing import draw_day
from gpt_trader.research.bad_days.scenario import (
    Accident,
    AccidentKind,
    Call,
    Scenario,
    WireFault,
    WireFaultKind,
    read_scenario,
)

ROOT = Path(__file__).resolve().parents[2]
REGRESSIONS = Path(__file__).parent / "regressions"
CASE = re.compile(r"^\| (F\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def cases() -> dict[str, str]:
    """Number and answer of every case."""
    page = (ROOT / "docs" / "failures.md").read_text(encoding="utf8")
    return {number: answer.strip() for number, _, answer in CASE.findall(page)}


def numbers_in_test_names() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found |= {number.upper() for number in re.findall(r"(?<=_)f\d\d+(?=_)", node.name)}
    return found


def test_every_case_is_a_test_or_cannot_occur() -> None:
    """A case without either is one that nobody has thought of."""
    tested, listed = numbers_in_test_names(), cases()

    assert len(listed) > 70
    for number, answer in listed.items():
        if answer == "test":
            assert number in tested, f"{number} says that it is a test, and no test has its number"
        else:
            assert answer.startswith("cannot occur: "), number
            assert len(answer) > 60, f"{number}: a reason, please"
    assert tested <= listed.keys(), "a test has the number of a case that is not in docs/failures.md"


def kept(name: str) -> Scenario:
    (path,) = REGRESSIONS.glob(f"{name}--*.json")
    return read_scenario(path)


def sound(scenario: Scenario) -> DayEnd:
    end = live_through(scenario)
    assert end.violations == ()
    return end


def quiet_day(seed: int = 2, **changes: Any) -> Scenario:
    """The steps of a short day without any fault but those that are named."""
    day = draw_day(seed, minutes=20)
    plain = {"quirks": (), "market": (), "wire": (), "stream": (), "accidents": (), "disk": (), "crashes": ()}
    steps = tuple(step for step in day.steps if step.at_ms < 20 * 60_000)
    return msgspec.structs.replace(day, **{**plain, "steps": steps, **changes})


def test_f35_what_a_stream_drops_is_found_by_the_sweep() -> None:
    """Fills that never came are read from the record of trades, though the stream seems alive."""
    day = kept("stream_is_believed")

    sound(day)
    with with_bug("stream_is_believed"):
        assert live_through(day).violations


def test_f65_an_exit_only_closes_whatever_the_venue_does_with_the_flag() -> None:
    """Clamped here when it is decided, when it leaves, and before each retry."""
    day = kept("reduce_only_trusted")

    sound(day)
    with with_bug("reduce_only_trusted"):
        assert live_through(day).violations[0].number == 13


@pytest.mark.parametrize("seconds", [30, 600])
def test_f95_a_suspended_machine_sends_nothing_on_what_it_knew_before(seconds: int) -> None:
    """All that was due comes at once afterwards; no intent that died meanwhile leaves, and all is resolved."""
    asleep = tuple(
        Accident(at_ms=at_ms, kind=AccidentKind.SUSPEND, ms=seconds * 1000) for at_ms in (130_000, 400_000, 800_000)
    )
    end = sound(quiet_day(accidents=asleep))

    assert "SUSPEND" in end.fault_kinds


def test_f71_new_terms_of_a_product_pause_what_is_open_in_it(tmp_path: Path) -> None:
    """Another lot under an open position is looked at by a person before more is entered; exits go on."""
    with a_house(tmp_path) as house:

        async def change() -> str:
            await house.bot.engine.place_order(an_order(created_ns=house.clock.now_ns()))
            house.bot.on_market(
                ProductChanged(symbol="BTC-PERP", status=TradingStatus.OPEN, reason="lot 0.01 became 0.1")
            )
            return house.bot.guards.pause_reason("BTC-PERP")

        assert "lot 0.01 became 0.1" in house.run(change)
        assert len(house.of(ProductListed)) == 2, "the new terms are in the log"


def test_f12_a_single_failed_request_revokes_nothing() -> None:
    """Requests that are turned away now and then are tried again; trading goes on, and nothing is doubled."""
    turned_away = tuple(
        WireFault(call=Call.SEND, number=number, kind=WireFaultKind.UNAVAILABLE) for number in range(0, 60, 5)
    )
    end = sound(quiet_day(wire=turned_away))

    assert end.orders > 20
    assert "send UNAVAILABLE" in end.fault_kinds


def test_f22_the_record_of_trades_is_read_from_where_it_ended(tmp_path: Path) -> None:
    """A sweep asks for what is new; the history is not read again and again."""
    with a_house(tmp_path, market=steady_market([60_000] * 400)) as house:
        pages: list[tuple[str, int]] = []
        read = house.adapter.fills

        async def noted(cursor: str) -> FillPage:
            page = await read(cursor)
            pages.append((cursor, len(page.fills)))
            return page

        house.adapter.fills = noted  # type: ignore[method-assign]

        async def trade() -> None:
            for number in range(5):
                now_ns = house.clock.now_ns()
                await house.bot.engine.place_order(
                    an_order(intent_id=f"n{number}", created_ns=now_ns, valid_until_ns=now_ns + 30 * NS)
                )
                await house.clock.sleep(61)
                await house.bot.engine.run_runtime_guards()

        house.run(trade)

        assert len(house.of(OrderFilled)) >= 5
        assert len(house.of(OrderSubmitted)) == 5
        assert len(pages) >= 4
        assert sum(count for _, count in pages) <= len(house.of(OrderFilled)), "each trade is read once"
