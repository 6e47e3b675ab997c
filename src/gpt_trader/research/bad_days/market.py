"""What market has a bad day? A top of book and a trade every second or few, with jumps, silences and halts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import numpy as np

from gpt_trader.core.clock import NS
from gpt_trader.core.values import MarginRates, ProductSpec
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import FUNDING, INDEX, MONEY_SCALE, QUOTE, ROW, STATUS, TRADE
from gpt_trader.market.stream import Rows
from gpt_trader.research.bad_days.drawing_coinbase import COINBASE
from gpt_trader.research.bad_days.scenario import MarketFault, MarketFaultKind, Scenario

__all__ = ["BAR_SECONDS", "START_NS", "a_market"]

START_NS: Final = 1_750_032_000_000_000_000
"""2025-06-16 00:00 UTC."""
BAR_SECONDS: Final = 60
PRICES: Final = (60_000, 3_000)
NAMES: Final = ("BTC", "ETH")
TICKS: Final = (Decimal(5), Decimal("0.5"))
HOUR_SECONDS: Final = 3600
LATE_SECONDS: Final = 200
"""More than the bot waits before it reckons funding itself."""
DRAIN_SECONDS: Final = 1800
"""The market goes on so long after twice the length of a day, in peace."""


def _product(place: int) -> ProductSpec:
    rates = MarginRates(
        initial_long=Decimal("0.1"),
        initial_short=Decimal("0.1"),
        maintenance_long=Decimal("0.067"),
        maintenance_short=Decimal("0.067"),
    )
    return ProductSpec(
        symbol=f"{NAMES[place]}-PERP",
        venue_symbol=f"{NAMES[place]}-SIM",
        base=NAMES[place],
        tick=TICKS[place],
        lot=Decimal("0.01"),
        contract_size=Decimal("0.01"),
        min_quantity=Decimal("0.01"),
        max_quantity=Decimal(500),
        maker_fee_rate=Decimal("0.00095"),
        taker_fee_rate=Decimal("0.001"),
        margin_intraday=rates,
        margin_overnight=rates,
    )


def start_ns(scenario: Scenario) -> int:
    """Of the day: midnight UTC, or so long before it."""
    return START_NS - scenario.minutes_before_midnight * 60 * NS


def _path(scenario: Scenario, place: int, seconds: int) -> Any:
    """Middle price of every second, in ticks."""
    draw = np.random.default_rng((scenario.seed, place))
    moves = draw.normal(0.0, scenario.volatility_bps * 1e-5, seconds)
    for fault in scenario.market:
        if fault.kind is MarketFaultKind.JUMP and fault.product == place and fault.at_second < seconds:
            moves[fault.at_second] += fault.value * 1e-4
    ticks = PRICES[place] / float(TICKS[place]) * np.exp(np.cumsum(moves))
    return np.maximum(ticks.astype(np.int64), 100)


def _within(fault: MarketFault, seconds: int) -> slice:
    return slice(min(fault.at_second, seconds), min(fault.at_second + fault.seconds, seconds))


def _rows_of(scenario: Scenario, place: int, seconds: int) -> list[Rows]:
    middle = _path(scenario, place, seconds)
    sizes = np.random.default_rng((scenario.seed, place, 1)).integers(1, 2 * scenario.depth_lots, (seconds, 2))
    spoken = np.ones(seconds, bool)
    for fault in scenario.market:
        if fault.product != place:
            continue
        during = _within(fault, seconds)
        if fault.kind is MarketFaultKind.SILENCE:
            spoken[during] = False
        elif fault.kind is MarketFaultKind.NO_BIDS:
            sizes[during, 0] = 0
        elif fault.kind is MarketFaultKind.NO_ASKS:
            sizes[during, 1] = 0
        elif fault.kind is MarketFaultKind.THIN:
            sizes[during] = 1
    spoken[0] = True
    times = start_ns(scenario) + np.arange(seconds, dtype=np.int64) * NS
    quotes: Rows = np.zeros(seconds, ROW)
    quotes["kind"], quotes["ts"] = QUOTE, times
    quotes["a"], quotes["b"] = middle - 1, sizes[:, 0]
    quotes["c"], quotes["d"] = middle + 1, sizes[:, 1]
    trades: Rows = np.zeros(seconds, ROW)
    trades["kind"], trades["ts"] = TRADE, times + NS // 2
    trades["a"], trades["b"] = middle, 1 + sizes[:, 0] % 7
    trades["side"] = np.where(sizes[:, 1] % 2, 1, -1)
    indices: Rows = np.zeros(seconds, ROW)
    indices["kind"], indices["ts"] = INDEX, times
    indices["a"] = middle * int(TICKS[place] * MONEY_SCALE)
    spoken &= np.arange(seconds) % scenario.market_seconds == 0
    found = [each[spoken] for each in (indices, quotes, trades)]
    for rows in found:
        rows["product"] = place
    return found


def _happenings(scenario: Scenario) -> Rows:
    """Changes of status and their ends, and funding."""
    rows: list[tuple[int, ...]] = []
    for fault in scenario.market:
        at_ns = start_ns(scenario) + fault.at_second * NS
        if fault.kind is MarketFaultKind.STATUS:
            rows.append((at_ns, at_ns, STATUS, 0, fault.product, 0, fault.value, 0, 0, 0, 0))
            end_ns = at_ns + fault.seconds * NS
            rows.append((end_ns, end_ns, STATUS, 0, fault.product, 0, 0, 0, 0, 0, 0))
        elif fault.kind is MarketFaultKind.FUNDING:
            rows.append((at_ns, at_ns, FUNDING, 0, fault.product, 0, fault.value * 1_000_000, 0, 0, 0, 0))
    if scenario.adapter == COINBASE:
        rows += _hourly_funding(scenario)
    return np.array(rows, dtype=ROW)


def _hourly_funding(scenario: Scenario) -> list[tuple[int, ...]]:
    """A rate that this venue shows is paid at every full hour; after an odd one it is late."""
    rows: list[tuple[int, ...]] = []
    start, lasts = start_ns(scenario), _seconds(scenario)
    rates = sorted((fault.at_second, fault.product, fault.value) for fault in _of(scenario, MarketFaultKind.FUNDING))
    first = -(start // NS) % HOUR_SECONDS
    for second in range(first, lasts - LATE_SECONDS, HOUR_SECONDS):
        known = {product: value for at, product, value in rates if at < second}
        for product, value in known.items():
            late = LATE_SECONDS if value % 2 and second < scenario.minutes * 60 else 0
            at_ns = start + (second + late) * NS
            rows.append((at_ns, at_ns, FUNDING, 0, product, 0, value * 1_000_000, 0, 0, 0, 0))
    return rows


def _of(scenario: Scenario, kind: MarketFaultKind) -> list[MarketFault]:
    return [fault for fault in scenario.market if fault.kind is kind]


def _seconds(scenario: Scenario) -> int:
    return 2 * scenario.minutes * 60 + DRAIN_SECONDS


def a_market(scenario: Scenario) -> ArrayStream:
    """The whole market of the day, as long as it may last, and half an hour of peace behind it."""
    seconds = _seconds(scenario)
    parts = [rows for place in range(scenario.products) for rows in _rows_of(scenario, place, seconds)]
    rows: Rows = np.concatenate([*parts, _happenings(scenario)])
    rows = rows[np.argsort(rows["ts"], kind="stable")]
    rows["recv"] = rows["ts"]
    return ArrayStream(
        [_product(place) for place in range(scenario.products)],
        rows,
        name=f"bad day {scenario.seed}",
        bar_seconds=BAR_SECONDS,
    )
