"""What does a person see while a run goes on? Everything that matters, in the space there is, and true at the moment."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.builders import START_NS, D, a_fill
from tests.house_under_test import House, a_house

from gpt_trader.core.clock import NS
from gpt_trader.core.events import (
    Event,
    FundingApplied,
    ModeChanged,
    OrderCancelled,
    OrderExpired,
    OrderFailed,
    OrderOutcomeUnknown,
    OrderRefused,
    OrderRejected,
    SlippageExceeded,
    StopEscalated,
    StopTriggered,
    SymbolPaused,
    SystemError,  # noqa: A004 - the event, not the builtin
    TradingSignalGenerated,
)
from gpt_trader.core.values import Mode, Purpose, Side
from gpt_trader.ops.panel import TRIPPED, LivePanel, decision_line, guard_rows
from gpt_trader.ops.picture import guard_lines
from gpt_trader.risk.guard_rules import Action, Reading, WayBack


def a_signal(house: House, action: str = "LONG") -> TradingSignalGenerated:
    return TradingSignalGenerated(
        at_ns=house.clock.now_ns(),
        intent_id=f"seen:BTC-PERP:1:{action.lower()}",
        strategy="seen",
        symbol="BTC-PERP",
        action=action,
        bar_close_ns=house.clock.now_ns(),
        reason="to be seen",
        fraction=D("0.1"),
    )


class Shown:
    """A panel over a small house, on a terminal that is a string."""

    def __init__(self, house: House, columns: int, rows: int) -> None:
        self.house = house
        self.console = Console(
            file=io.StringIO(), width=columns, height=rows, force_terminal=True, color_system=None, legacy_windows=False
        )
        self.panel = LivePanel(
            house.built,
            market="steady",
            store="20260105-dev_entry-sim-1",
            start_ns=START_NS,
            end_ns=START_NS + 100 * NS,
            console=self.console,
        )

    def lines(self) -> list[str]:
        """The panel as it would stand on the screen now, without its frame."""
        rendered = self.console.render_lines(self.panel.draw(), self.console.options, pad=True)
        return ["".join(segment.text for segment in line).strip("│ ").rstrip() for line in rendered]

    def text(self) -> str:
        return "\n".join(self.lines())

    def trade(self) -> None:
        """Take a long position of 0.16 and let two seconds pass."""

        async def scenario() -> None:
            signal = a_signal(self.house)
            self.house.bot.bus.publish(signal)
            await self.house.bot.on_trading_signal(signal)

        self.house.run(scenario)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as made:
        yield made


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40), (200, 60), (60, 24)])
def test_it_fills_the_terminal_and_never_more(house: House, columns: int, rows: int) -> None:
    """One line less than there are, so that nothing scrolls, and at most what a person can take in."""
    shown = Shown(house, columns, rows)
    shown.trade()

    rendered = shown.console.render_lines(shown.panel.draw(), shown.console.options, pad=False)

    assert len(rendered) == min(36, rows - 1)
    assert max(sum(segment.cell_length for segment in line) for line in rendered) <= columns


def test_before_the_first_decision_it_says_why_there_is_none(house: House) -> None:
    """An empty list would look broken."""
    assert "none yet: strategies decide when a bar closes" in Shown(house, 120, 40).text()


def test_it_names_engine_reason_market_and_run(house: House) -> None:
    """What is running, why this engine, and by which name it is found again."""
    text = Shown(house, 120, 40).text()

    assert "LiveExecutionEngine" in text
    assert "by enable_dynamic_position_sizing=false, enable_market_impact_guard=false" in text
    assert "steady · run 20260105-dev_entry-sim-1" in text


def test_money_position_and_counts_follow_the_trade(house: House) -> None:
    """The ledger's own figures: 0.16 bought at 60,005 with 0.1 % of fee."""
    shown = Shown(house, 120, 40)
    shown.trade()

    text = shown.text()

    assert "BTC-PERP  mark 60,000.00  long 0.16 from 60,005.00  -0.80" in text
    figures = {words[0]: words[1] for words in map(str.split, shown.lines()) if len(words) > 1}
    assert (figures["Orders"], figures["Fills"], figures["Refused"]) == ("1", "1", "0")
    assert (figures["Equity"], figures["fees"]) == ("99,989.60", "-9.60")
    assert figures["Mode"] == "NORMAL"


def test_decisions_stand_with_their_time_newest_last(house: House) -> None:
    """Signal, approval, fill."""
    shown = Shown(house, 120, 40)
    shown.trade()

    lines = shown.lines()
    at = lines.index("Latest decisions")
    told = [line.split("  ", 1)[1] for line in lines[at + 1 : at + 4]]

    assert told == [
        "wants LONG BTC-PERP: to be seen",
        "approved opening BUY 0.16 BTC-PERP, asked 0.166667",
        "filled BUY 0.16 BTC-PERP at 60,005, fee 9.60",
    ]


def test_a_small_terminal_keeps_the_newest_decisions(house: House) -> None:
    """What does not fit goes off at the top."""
    shown = Shown(house, 100, 24)
    for number in range(30):
        house.bot.bus.publish(a_fill(trade_id=f"t{number}", price=D(60_000 + number), symbol="ETH-PERP"))

    lines = shown.lines()

    assert lines[-2].endswith("at 60,029, fee 6.00")
    assert not any("at 60,000, fee" in line for line in lines)


def test_a_position_that_the_venue_lists_no_more_is_shown(house: House) -> None:
    """It is the last one that should vanish, or end the run with an error."""
    house.bot.bus.publish(a_fill(symbol="OLD-PERP"))

    assert "OLD-PERP  mark not known yet  long 0.1 from 60,000.00" in Shown(house, 120, 40).text()


def test_progress_is_the_share_of_market_time(house: House) -> None:
    """Two of a hundred seconds have passed."""
    shown = Shown(house, 120, 40)
    shown.trade()

    assert "2.0%" in shown.text()


def test_a_pause_is_shown_at_its_symbol(house: House) -> None:
    """With the reason, where the eye looks for the position."""
    house.bot.guards.pause("BTC-PERP", "strategy raised KeyError")

    assert "entries paused: bot: strategy raised KeyError" in Shown(house, 120, 40).text()


def test_it_draws_no_more_than_ten_times_a_second(house: House) -> None:
    """A run at full speed ticks thousands of times a second."""
    shown = Shown(house, 120, 40)
    assert isinstance(shown.console.file, io.StringIO)
    with shown.panel:
        shown.panel.tick()
        first = shown.console.file.tell()
        for _ in range(50):
            shown.panel.tick()
        assert shown.console.file.tell() < 3 * first


# --- guards -------------------------------------------------------------------------------------------------------
def a_reading(guard: str, value: str, threshold: str = "1000", *, action: Action = Action.REDUCE_ONLY) -> Reading:
    return Reading(
        guard=guard,
        symbol="",
        value=D(value),
        threshold=D(threshold),
        unit="USD",
        action=action,
        tripped=D(value) > D(threshold),
        calm=D(value) <= D(threshold),
        way_back=WayBack.WHEN_CALM,
    )


def test_tripped_guards_come_first() -> None:
    """What is wrong must not be the row that did not fit."""
    rows = guard_rows(guard_lines([a_reading("calm", "1"), a_reading("wild", "2000")], [("wild", "", "reduce only")]))

    assert [(row[0].plain, row[3].plain) for row in rows] == [("wild", TRIPPED), ("calm", "ok")]


def test_a_tripped_guard_without_a_reading_is_still_shown() -> None:
    """It stays tripped until it is cleared, measured or not."""
    rows = guard_rows(guard_lines([], [("staleness", "BTC-PERP", "pause")]))

    assert [tuple(cell.plain for cell in row) for row in rows] == [("staleness BTC-PERP", "", "", TRIPPED)]


def test_telemetry_has_no_limit_to_be_within() -> None:
    """Neither a threshold of zero nor an `ok`."""
    (row,) = guard_rows(guard_lines([a_reading("pnl", "-5", "0", action=Action.RECORD)], []))

    assert tuple(cell.plain for cell in row) == ("pnl", "-5.00", "", "")


# --- one line for an event -------------------------------------------------------------------------------------------
LINES: tuple[tuple[Event, str], ...] = (
    (
        OrderRefused(
            at_ns=0,
            strategy="x",
            symbol="BTC-PERP",
            side=Side.BUY,
            quantity=D(1),
            stage="risk",
            code="dry_run",
            purpose=Purpose.ENTRY,
            engine="x",
        ),
        "refused opening BUY BTC-PERP: dry_run. Dry run: decided, not sent.",
    ),
    (a_fill(cause="LIQUIDATION"), "filled BUY 0.1 BTC-PERP at 60,000, fee 6.00 LIQUIDATION"),
    (
        OrderCancelled(at_ns=0, client_order_id="gt-1", venue_order_id="v", filled=D("0.1")),
        "cancelled: order gt-1, 0.1 filled",
    ),
    (
        OrderExpired(at_ns=0, client_order_id="gt-1", venue_order_id="v", filled=D(0)),
        "expired: order gt-1, 0 filled",
    ),
    (OrderRejected(at_ns=0, client_order_id="gt-1", code="POST_ONLY"), "rejected by the venue: POST_ONLY"),
    (OrderFailed(at_ns=0, client_order_id="gt-1", code="never_left"), "not placed: order gt-1, never_left"),
    (OrderOutcomeUnknown(at_ns=0, client_order_id="gt-1"), "outcome unknown: order gt-1"),
    (
        StopTriggered(at_ns=0, symbol="BTC-PERP", stop_id="s", trigger_price=D(59_000), price=D(58_990)),
        "stop of BTC-PERP at 59,000 reached",
    ),
    (
        StopEscalated(at_ns=0, symbol="BTC-PERP", stop_id="s", attempt=2, open_quantity=D("0.1"), reason="gapped"),
        "stop of BTC-PERP: attempt 2, gapped",
    ),
    (
        SlippageExceeded(
            at_ns=0,
            symbol="BTC-PERP",
            side=Side.BUY,
            filled=D("0.1"),
            average_price=D(60_900),
            arrival_mid=D(60_000),
            slippage_bps=D(150),
            limit_bps=D(100),
        ),
        "slippage of BUY BTC-PERP: 150.0 bps against the arrival, limit 100.0",
    ),
    (
        ModeChanged(at_ns=0, mode=Mode.REDUCE_ONLY, was=Mode.NORMAL, reason="daily_loss", who="guard"),
        "mode REDUCE_ONLY, was NORMAL: daily_loss",
    ),
    (SymbolPaused(at_ns=0, symbol="BTC-PERP", reason="x"), "entries of BTC-PERP paused: x"),
    (SymbolPaused(at_ns=0, symbol="BTC-PERP", reason=""), "entries of BTC-PERP resumed"),
    (
        SystemError(at_ns=0, source="wire", message="closed", action="reported"),
        "error in wire: closed (reported)",
    ),
)


@pytest.mark.parametrize(("event", "text"), LINES, ids=lambda value: type(value).__name__)
def test_an_event_is_one_plain_sentence(event: Event, text: str) -> None:
    """For a person, in the words of the summary."""
    line = decision_line(event)

    assert line is not None
    assert line.plain == text


def test_what_is_no_decision_has_no_line() -> None:
    """Funding comes every hour and is in the figures."""
    funding = FundingApplied(
        at_ns=0, symbol="BTC-PERP", funding_ns=0, amount=D(1), rate=D(1), position=D(1), price=D(1)
    )

    assert decision_line(funding) is None
