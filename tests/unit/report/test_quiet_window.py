"""Why was there no trade? Each reason that a stretch of time can have, in the first sentences."""

from __future__ import annotations

from typing import Any

from tests.builders import START_NS, D, a_fill, a_run_started, a_submitted

from gpt_trader.core.events import (
    BarsSeen,
    Event,
    GuardTripped,
    ModeChanged,
    OrderRefused,
    RunEnded,
    SymbolPaused,
    TradingSignalGenerated,
)
from gpt_trader.core.values import Mode, Purpose, Side
from gpt_trader.records.trace import WindowReader
from gpt_trader.report.explanation import story_text
from gpt_trader.report.quiet_window import explain_window

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE


def at(minutes: float) -> int:
    return START_NS + round(minutes * MINUTE)


def bars(first: float, last: float, **changes: Any) -> BarsSeen:
    """One bar a minute, from and to these minutes, told at the last."""
    fields: dict[str, Any] = {
        "at_ns": at(last),
        "symbol": "BTC-PERP",
        "strategy": "ma_crossover",
        "bars": round(last - first) + 1,
        "first_close_ns": at(first),
        "last_close_ns": at(last),
        "last_close": D("60000.0"),
    }
    return BarsSeen(**fields | changes)


def a_signal(minutes: float, action: str = "LONG") -> TradingSignalGenerated:
    return TradingSignalGenerated(
        at_ns=at(minutes),
        intent_id=f"ma_crossover:BTC-PERP:{minutes}:long",
        strategy="ma_crossover",
        symbol="BTC-PERP",
        action=action,
        bar_close_ns=at(minutes),
        reason="MA(5) crossed above MA(20)",
    )


def a_refusal(minutes: float, code: str) -> OrderRefused:
    return OrderRefused(
        at_ns=at(minutes),
        intent_id=f"ma_crossover:BTC-PERP:{minutes}:long:open",
        strategy="ma_crossover",
        symbol="BTC-PERP",
        side=Side.BUY,
        quantity=D("0.1"),
        stage="risk",
        code=code,
        purpose=Purpose.ENTRY,
        engine="LiveExecutionEngine",
    )


def told(*events: Event, since: float = 0, until: float = 60, symbol: str = "BTC-PERP") -> str:
    """The text, without line ends."""
    reader = WindowReader(symbol, at(since), at(until))
    for event in (a_run_started(), *events):
        reader.take(event)
    return " ".join(story_text(explain_window(reader.window())).split())


def test_bars_without_a_signal() -> None:
    """The strategy was asked and wanted nothing: that is an answer, and the last wish is told."""
    text = told(a_signal(1), bars(2, 60), since=2)
    assert "No trade. The strategy looked at the bars that closed, and wanted nothing new at any of them." in text
    assert "The last wish was LONG at" in text
    assert "ma_crossover got 59 bars" in text
    assert "the last close was 60,000." in text


def test_warm_up() -> None:
    """Until enough bars were seen nothing may be wanted."""
    text = told(bars(1, 60, history=40), until=30)
    assert "It was warm-up, until 2025-06-15 15:46:40 UTC: before that is over the strategy may want nothing." in text


def test_warm_up_that_ends_within() -> None:
    """The rest of the time it was asked and wanted nothing."""
    text = told(bars(1, 60, history=20))
    assert "15:26:40 UTC being the end of its warm-up, and wanted nothing new" in text


def test_no_bars() -> None:
    """A silent market is told as such, not as a strategy without wishes."""
    assert "No bar of this symbol closed in it" in told(RunEnded(at_ns=at(59), reason="x"))


def test_refusals_are_counted_by_code() -> None:
    """The most frequent first, each with its meaning."""
    refusals = [a_refusal(3, "slippage_guard"), a_refusal(4, "stale_mark"), a_refusal(5, "slippage_guard")]
    text = told(a_signal(3), *refusals, bars(1, 60))
    assert "2 orders were refused by slippage_guard: The expected slippage exceeds the guard." in text
    assert "1 order was refused by stale_mark" in text
    assert text.index("slippage_guard:") < text.index("stale_mark:")


def test_a_signal_without_an_order() -> None:
    """What it wanted was held already, or the bot stopped; what was held is told."""
    text = told(a_submitted(), a_fill(), a_signal(10), bars(1, 60), since=5)
    assert "One signal came, and no order followed" in text
    assert "Held: 0.1 BTC." in text


def test_orders_that_nobody_met() -> None:
    """Sent, and the price never came."""
    text = told(a_signal(0), a_submitted(), bars(1, 60))
    assert "One order went out, and the market did not come to the price." in text


def test_trades_are_said_first() -> None:
    """Whoever asks why there was none learns that there were some."""
    assert "There were trades: one fill." in told(a_submitted(), a_fill(), bars(1, 60))


def test_guards_modes_and_pauses_are_told_with_their_numbers() -> None:
    """What held at the beginning, and what happened within."""
    trip = GuardTripped(
        at_ns=at(5),
        guard="daily_loss_utc_day",
        action="cancel entries",
        threshold=D(100),
        unit="USD",
        value=D("100.57"),
        way_back="next UTC day",
    )
    mode = ModeChanged(at_ns=at(5), mode=Mode.REDUCE_ONLY, was=Mode.NORMAL, reason="guard daily_loss", who="guards")
    pause = SymbolPaused(at_ns=at(20), symbol="BTC-PERP", reason="strategy raised")
    text = told(trip, mode, pause, bars(1, 60), since=10)
    assert "The bot was in mode REDUCE_ONLY when it began: guard daily_loss." in text
    assert "Entries paused: strategy raised." in text
    text = told(trip, mode, bars(1, 60))
    assert "From 06-15 15:11:40 on it was in mode REDUCE_ONLY: guard daily_loss." in text
    assert "The guard daily_loss_utc_day tripped: 100.57 USD, threshold 100; it did: cancel entries" in text


def test_another_symbol_is_not_told() -> None:
    """Of ETH there was nothing, whatever BTC did."""
    text = told(a_submitted(), a_fill(), a_refusal(3, "stale_mark"), symbol="ETH-PERP")
    assert "No trade." in text
    assert "stale_mark" not in text


def test_after_the_end_of_the_log() -> None:
    """The bot was not running, which is another answer than silence."""
    assert "the bot was not running" in told(bars(1, 60), since=120, until=180)
