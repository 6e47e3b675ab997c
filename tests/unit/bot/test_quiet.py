"""Many bars at once: the run is the one that stops at each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import D, a_product
from tests.house_under_test import House, a_config, a_house

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import Number
from gpt_trader.core.events import SymbolPaused
from gpt_trader.core.values import Bar
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import BAR, CLEAR, FUNDING, INDEX, LEVEL, MONEY_SCALE, QUOTE, ROW, STATUS, TRADE
from gpt_trader.strategies.base import Signal, StopMove, Strategy, Want
from gpt_trader.strategies.ma_crossover import CrossoverParameters, MovingAverageCrossover
from gpt_trader.strategies.vector_form import BarColumns

MINUTE_NS = 60 * NS
START_NS = 1_704_067_200 * NS
BARS = 400


def bars_market(symbols: int, *, seed: int, events: bool) -> ArrayStream:
    """A walk of 1-minute bars for each symbol; with `events` also a funding row an hour and a halt of ten minutes."""
    draw = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for product in range(symbols):
        close = 12_000
        for minute in range(1, BARS + 1):
            at_ns = START_NS + minute * MINUTE_NS
            opened = close + int(draw.integers(-2, 3))
            close = max(1000, opened + int(draw.integers(-10, 11)))
            high, low = max(opened, close) + int(draw.integers(0, 9)), min(opened, close) - int(draw.integers(0, 9))
            rows.append((at_ns, at_ns, BAR, 0, product, 0, opened, high, low, close, int(draw.integers(1000, 90_000))))
            if events and minute % 60 == 7:
                rows.append((at_ns, at_ns, FUNDING, 0, product, 0, 100_000_000, 0, 0, 0, 0))
            if events and minute in (201, 211):
                rows.append((at_ns, at_ns, STATUS, 0, product, 0, 4 if minute == 201 else 0, 0, 0, 0, 0))
    array = np.array(rows, dtype=ROW)
    array = array[np.argsort(array["ts"], kind="stable")]
    products = [a_product(symbol=f"C{place}-PERP", venue_symbol=f"C{place}") for place in range(symbols)]
    return ArrayStream(products, array, name="bars", bar_seconds=60, start_ns=START_NS)


def trades_market(symbols: int, *, seed: int, events: bool, depth: bool) -> ArrayStream:
    """Quotes (or levels) and trades around a walk, now and then exactly where a minute ends; with `events` also
    index prices, funding and a halt."""
    draw = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for product in range(symbols):
        middle = 12_000
        for step in range(BARS * 6):
            at_ns = START_NS + step * 10 * NS + (int(draw.integers(1, 9 * NS)) if draw.random() < 0.95 else 0)
            middle = max(1000, middle + int(draw.integers(-4, 5)))
            size = int(draw.integers(1000, 90_000))
            if depth:
                rows.append((at_ns, at_ns, CLEAR, 0, product, 0, 0, 0, 0, 0, 0))
                rows.extend(
                    (at_ns, at_ns, LEVEL, side, product, 0, middle + (-side) * distance, size, 0, 0, 0)
                    for side in (1, -1)
                    for distance in (1, 2, 4)
                )
            else:
                rows.append((at_ns, at_ns, QUOTE, 0, product, 0, middle - 1, size, middle + 1, size, 0))
            if draw.random() < 0.4:
                side = int(draw.choice([-1, 1]))
                rows.append((at_ns, at_ns, TRADE, side, product, 0, middle + side, size // 10, 0, 0, 0))
            if events and step % 50 == 13:
                rows.append((at_ns, at_ns, INDEX, 0, product, 0, middle * 5 * MONEY_SCALE, 0, 0, 0, 0))
            if events and step % 360 == 42:
                rows.append((at_ns, at_ns, FUNDING, 0, product, 0, 100_000_000, 0, 0, 0, 0))
            if events and step in (1206, 1266):
                rows.append((at_ns, at_ns, STATUS, 0, product, 0, 4 if step == 1206 else 0, 0, 0, 0, 0))
    array = np.array(rows, dtype=ROW)
    array = array[np.argsort(array["ts"], kind="stable")]
    products = [a_product(symbol=f"C{place}-PERP", venue_symbol=f"C{place}") for place in range(symbols)]
    return ArrayStream(products, array, name="trades", bar_seconds=60, start_ns=START_NS, chunk_rows=5000)


class Crosser:
    """Follows the last move once it is big enough; trails a stop; may raise at one bar."""

    name = "crosser"
    warmup_bars = 5

    def __init__(self, raise_at: int = 0) -> None:
        self._last = 0.0
        self._bars = 0
        self._raise_at = raise_at

    def decide(self, bar: Bar, position: float) -> Signal | StopMove | None:
        self._bars += 1
        if self._bars == self._raise_at:
            raise ValueError("a fault in the strategy")
        moved = bar.close - self._last
        self._last = bar.close
        if bar.history:
            return None
        if abs(moved) > 45:
            want = Want.LONG if moved > 0 else Want.SHORT
            return Signal(want=want, fraction=D("0.8"), reason="moved")
        if position and self._bars % 17 == 0:
            trigger = bar.close - (900 if position > 0 else -900)
            return StopMove(trigger_price=D(repr(trigger)), anchor=D(repr(bar.close)))
        return None

    def state(self) -> Mapping[str, Number]:
        return {}

    def restore(self, state: Mapping[str, Number]) -> None: ...


def an_average(_: object = None) -> MovingAverageCrossover:
    """Offers its signal in vectorised form too."""
    return MovingAverageCrossover(
        CrossoverParameters(
            short_ma=3,
            long_ma=9,
            position_fraction=D("0.8"),
            confirmation_bars=1,
            allow_shorts=True,
            trailing_stop_pct=D(0),
        )
    )


class ByStepsOnly:
    """The same without that form."""

    name = "ma_crossover"

    def __init__(self, _: object) -> None:
        self._inside = an_average()
        self.warmup_bars = self._inside.warmup_bars
        self.decide = self._inside.decide
        self.state = self._inside.state
        self.restore = self._inside.restore


def played(
    folder: Path,
    market: ArrayStream,
    *,
    ahead: bool,
    raise_at: int = 0,
    strategy: Callable[[Any], Strategy] | None = None,
) -> tuple[House, dict[str, Any]]:
    """One run to the end of the market, and what it came to."""
    folder.mkdir()
    config = a_config().model_copy(update={"symbols": tuple(product.symbol for product in market.products)})
    shown = 0
    with a_house(folder, config, market, strategy=strategy or (lambda _: Crosser(raise_at))) as house:
        if not ahead:
            house.adapter.read_ahead = lambda look, passed: None  # type: ignore[method-assign] # the slow way, to compare with
        else:
            look = house.bot._stretch.look

            def counted(*arguments: Any) -> int:
                nonlocal shown
                taken = look(*arguments)
                shown += taken
                return taken

            house.bot._stretch.look = counted  # type: ignore[assignment,method-assign] # only counts

        async def to_the_end() -> None:
            await house.bot.stop(await house.bot.run_until_stopped(market.end_ns))

        house.run(to_the_end)
        house.check_invariants()
        equity = house.bot.equity
        return house, {
            "hash": house.store.head.digest,
            "bars": dict(house.bot.last_bars),
            "equity": (equity.high_water, equity.drawdown, equity.max_drawdown, equity.max_drawdown_amount),
            "statistics": {symbol: each.values() for symbol, each in house.bot._statistics.items()},
            "orders": house.built.metrics.orders,
            "shown": shown,
        }


@pytest.mark.parametrize("symbols", [1, 3])
@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_reading_ahead_gives_the_same_run(tmp_path: Path, symbols: int, events: bool, seed: int) -> None:
    """Log, drawdown, statistics and last bars are equal to the last digit, and bars were really passed."""
    market = bars_market(symbols, seed=seed, events=events)
    _, slow = played(tmp_path / "slow", market, ahead=False)
    _, quick = played(tmp_path / "quick", market, ahead=True)
    passed = quick.pop("shown")
    assert slow.pop("shown") == 0
    assert quick == slow
    assert quick["orders"] > 5
    assert passed > 100


@pytest.mark.parametrize("symbols", [1, 3])
@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("depth", [False, True])
def test_bars_made_from_trades_are_read_ahead_too(tmp_path: Path, symbols: int, events: bool, depth: bool) -> None:
    """With positions held, whose marks are not the closes: equity is that of every moment."""
    market = trades_market(symbols, seed=5, events=events, depth=depth)
    _, slow = played(tmp_path / "slow", market, ahead=False)
    _, quick = played(tmp_path / "quick", market, ahead=True)
    passed = quick.pop("shown")
    assert slow.pop("shown") == 0
    assert quick == slow
    assert quick["orders"] > 5
    assert passed > 100


@pytest.mark.parametrize("symbols", [1, 2])
def test_fault_of_a_strategy_is_told_when_its_bar_closes(tmp_path: Path, symbols: int) -> None:
    """The strategy is asked ahead of time; its symbol is paused at the time of the bar, not before."""
    market = bars_market(symbols, seed=4, events=False)
    slow_house, slow = played(tmp_path / "slow", market, ahead=False, raise_at=100)
    quick_house, quick = played(tmp_path / "quick", market, ahead=True, raise_at=100)
    assert quick.pop("shown") > slow.pop("shown")
    assert quick == slow
    for house in (quick_house, slow_house):
        paused = [event.at_ns for event in house.of(SymbolPaused) if "crosser" in event.reason]
        assert paused == [START_NS + 100 * MINUTE_NS] * symbols


@pytest.mark.parametrize("symbols", [1, 3])
@pytest.mark.parametrize("form", ["bars", "trades"])
def test_the_vectorised_signal_gives_the_same_run(tmp_path: Path, symbols: int, form: str) -> None:
    """As seeing each bar ahead of time, and as stopping at each bar."""
    if form == "bars":
        market = bars_market(symbols, seed=7, events=True)
    else:
        market = trades_market(symbols, seed=7, events=True, depth=False)
    _, slow = played(tmp_path / "slow", market, ahead=False, strategy=an_average)
    _, seen = played(tmp_path / "seen", market, ahead=True, strategy=ByStepsOnly)
    _, foreseen = played(tmp_path / "foreseen", market, ahead=True, strategy=an_average)
    assert slow.pop("shown") == 0
    assert seen.pop("shown") == foreseen.pop("shown") > 100
    assert foreseen == seen == slow
    assert foreseen["orders"] > 5


class Misforeseeing(MovingAverageCrossover):
    """Its vectorised form has a fault."""

    def foresee(self, bars: BarColumns) -> Any:
        raise ValueError("a fault in the forecast")


def test_fault_of_a_vectorised_signal_is_that_of_the_strategy(tmp_path: Path) -> None:
    """Entries are paused, told as any other fault of a strategy."""
    market = bars_market(1, seed=4, events=False)
    house, _ = played(
        tmp_path / "run",
        market,
        ahead=True,
        strategy=lambda _: Misforeseeing(
            CrossoverParameters(
                short_ma=3, long_ma=9, position_fraction=D("0.8"), allow_shorts=True, trailing_stop_pct=D(0)
            )
        ),
    )
    assert [event.reason for event in house.of(SymbolPaused)] == ["bot: strategy ma_crossover raised ValueError"]
