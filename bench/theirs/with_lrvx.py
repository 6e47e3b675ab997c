"""lrvx: `with_lrvx.py bars [COUNT] | orders COUNT [hooks] [log] | ticks [COUNT] [books]`.

orders: one market order on every bar, buy and sell in turn. hooks: its four Python hooks (risk manager, order
validator, kill switch, PnL tracker), all answering yes; log: each of them leaves a record in its event log (in memory).
ticks: from its own tape format. The strategy builds one-minute bars from the trades, the cheapest way it has; with
`books` it is also told of every quote, as its examples do.
"""

import itertools
import os
import shutil
import sys

import lrvx
import numpy as np
from lrvx.event_log import EventLog
from market import CASH, FEE, MINUTE_NS, QUANTITY, EmaCross, Timer, bars, folder, sweep_pairs, tell, ticks

case, *words = sys.argv[1:]
count = next((int(word) for word in words if word.isdigit()), None)
registry = lrvx.SymbolRegistry()
symbol = registry.add_symbol("x", "BTC", tick_size=0.1)


class Account:
    """What the strategies below share: orders, and the position that their fills add up to."""

    def begin(self):
        self.side = 0
        self.orders = 0
        self.fills = 0
        self.position = 0.0
        self.seen = 0

    def want(self, side):
        quantity = QUANTITY * abs(side - self.side)
        self.orders += 1
        (self.market_buy if side > 0 else self.market_sell)(quantity)
        self.side = side


class BarCross(lrvx.Strategy, Account):
    def __init__(self, symbols):
        super().__init__(symbols)
        self.begin()
        self.ema = EmaCross()

    def on_bar(self, ctx, bar):
        self.seen += 1
        side = self.ema.see(bar.close)
        if side not in (self.side, 0):
            self.want(side)


class Flip(lrvx.Strategy, Account):
    def __init__(self, symbols):
        super().__init__(symbols)
        self.begin()

    def on_bar(self, ctx, bar):
        self.seen = seen = self.seen + 1
        self.orders += 1
        if seen & 1:
            self.market_buy(QUANTITY)
        else:
            self.market_sell(QUANTITY)


class TickCross(lrvx.Strategy, Account):
    """One-minute bars from trades; empty minutes carry the close, as ours do."""

    def __init__(self, symbols):
        super().__init__(symbols)
        self.begin()
        self.ema = EmaCross()
        self.close = 0.0
        self.bar_end = 0

    def on_trade(self, ctx, trade):
        self.seen += 1
        at = trade.timestamp_ns
        if at >= self.bar_end:
            if self.bar_end:
                self.bar_closed(at)
            else:
                self.bar_end = at // MINUTE_NS * MINUTE_NS + MINUTE_NS
        self.close = trade.price

    def bar_closed(self, at):
        while at >= self.bar_end:
            side = self.ema.see(self.close)
            self.bar_end += MINUTE_NS
            if side not in (self.side, 0):
                self.want(side)


class BookCross(TickCross):
    def on_book_update(self, ctx):
        self.seen += 1


def run_bars():
    made = bars(count)
    strategy = (BarCross if case == "bars" else Flip)([symbol])
    runner = lrvx.BacktestRunner(registry, FEE, float(CASH))
    runner.set_strategy(strategy)
    hooks = add_hooks(runner) if "hooks" in words else ()
    columns = [made[name].astype(np.float64) for name in "ohlcv"]
    opened = made["ts"].astype(np.int64) - MINUTE_NS
    with Timer() as timer:
        result = runner.run_bars(opened, opened + MINUTE_NS, *columns, symbol="BTC")
    assert len(hooks) in (0, 4)  # kept alive until here
    return strategy, result, timer, len(made) if case == "bars" else strategy.orders


def one_of_sweep(made, pair):
    """Its strategy in Python on each bar; nothing is shared between two runs but the data."""
    strategy = BarCross([symbol])
    strategy.ema = EmaCross(*pair)
    runner = lrvx.BacktestRunner(registry, FEE, float(CASH))
    runner.set_strategy(strategy)
    opened = made["ts"].astype(np.int64) - MINUTE_NS
    columns = [made[name].astype(np.float64) for name in "ohlcv"]
    result = runner.run_bars(opened, opened + MINUTE_NS, *columns, symbol="BTC")
    stats = result if isinstance(result, dict) else result.stats()
    return strategy.orders, stats.get("total_fees"), 0


def run_sweep():
    """Two processes, as ours: every second set each."""
    numbers = [int(word) for word in words if word.isdigit()]
    pairs, made = sweep_pairs(words[0], numbers), bars(next(iter(numbers[1:]), None))
    one_of_sweep(made[:1000], (5, 20))
    with Timer() as timer:
        child = os.fork()
        if not child:
            for pair in pairs[1::2]:
                one_of_sweep(made, pair)
            os._exit(0)
        own = [one_of_sweep(made, pair) for pair in pairs[::2]]
        os.waitpid(child, 0)
    orders = 2 * sum(count for count, _, _ in own)
    tell(timer=timer, units=len(pairs), version="0.11.0", orders=orders, switched_on="two processes; nothing stored")
    raise SystemExit


def add_hooks(runner):
    """The four doors that a signal passes in Python. With `log` each leaves a record."""
    emit = EventLog().emit if "log" in words else None

    class Risk(lrvx.RiskManager):
        def allow(self, signal):
            if emit:
                emit("risk_passed", payload={"id": signal.order_id})
            return True

    class Validator(lrvx.OrderValidator):
        def validate(self, signal):
            if emit:
                emit("order_valid", payload={"id": signal.order_id})
            return True

    class Kill(lrvx.KillSwitch):
        def check(self, signal):
            if emit:
                emit("kill_switch_off", payload={"id": signal.order_id})
            return True

    class Profit(lrvx.PnLTracker):
        def on_signal(self, signal):
            if emit:
                emit("filled", payload={"id": signal.order_id})

    hooks = (Risk(), Validator(), Kill(), Profit())
    runner.set_risk_manager(hooks[0])
    runner.set_order_validator(hooks[1])
    runner.set_kill_switch(hooks[2])
    runner.set_pnl_tracker(hooks[3])
    return hooks


def tape():
    """The ticks as a tape of its own format, written once beside the data."""
    where = folder() / f"lrvx_ticks_{count or 'all'}"
    if where.exists():
        return where
    half = where.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    made = ticks(count)
    writer = lrvx.DataWriter(str(half), max_segment_mb=4096)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(made["kind"])) + 1, [len(made)]])
    for first, last in itertools.pairwise(edges):
        part = made[first:last]
        (write_trades if part["kind"][0] else write_quotes)(writer, part)
    writer.close()
    half.replace(where)
    return where


HEAD = np.dtype(
    {
        "names": [
            *("exchange_ts_ns", "recv_ts_ns", "seq", "symbol_id"),
            *("bid_count", "ask_count", "level_offset", "event_type"),
        ],
        "formats": ["<i8", "<i8", "<i8", "<u4", "<u2", "<u2", "<u4", "u1"],
        "offsets": [0, 8, 16, 24, 28, 30, 32, 36],
        "itemsize": 40,
    }
)  # fmt: skip
SIDE = np.dtype(
    {"names": ["price_raw", "qty_raw", "side"], "formats": ["<i8", "<i8", "u1"], "offsets": [0, 8, 16], "itemsize": 24}
)
RAW = 10**8


def write_quotes(writer, part):
    head = np.zeros(len(part), HEAD)
    head["exchange_ts_ns"] = head["recv_ts_ns"] = part["ts"]
    head["symbol_id"] = head["bid_count"] = head["ask_count"] = 1
    head["level_offset"] = np.arange(len(part)) * 2
    head["event_type"] = 2
    sides = np.zeros(2 * len(part), SIDE)
    for place, price, size in ((0, "bid", "bsz"), (1, "ask", "asz")):
        sides["price_raw"][place::2] = np.round(part[price] * 10).astype("i8") * (RAW // 10)
        sides["qty_raw"][place::2] = np.round(part[size] * 1000).astype("i8") * (RAW // 1000)
        sides["side"][place::2] = place
    writer.write_books(head, sides)


def write_trades(writer, part):
    number = np.arange(len(part), dtype="u8") + 1
    seller = (part["side"] < 0).astype("u1")
    one = np.ones(len(part), "u4")
    writer.write_trades(part["ts"], part["ts"], np.round(part["px"], 1), np.round(part["qty"], 3), number, one, seller)


def run_ticks():
    where = tape()
    strategy = (BookCross if "books" in words else TickCross)([symbol])
    runner = lrvx.BacktestRunner(registry, FEE, float(CASH))
    runner.set_strategy(strategy)
    with Timer() as timer:
        result = runner.run_tape(str(where))
    return strategy, result, timer, len(ticks(count))


if case == "sweep":
    run_sweep()
if case in ("bars", "orders"):
    strategy, result, timer, units = run_bars()
elif case == "ticks":
    strategy, result, timer, units = run_ticks()
else:
    raise SystemExit(f"unknown case {case}")
stats = result if isinstance(result, dict) else result.stats()
tell(
    timer=timer,
    units=units,
    version="0.11.0",
    orders=strategy.orders,
    seen=strategy.seen,
    profit_net=stats.get("net_pnl"),
    fees=stats.get("total_fees"),
    switched_on=" ".join(["C++ core, Python strategy; nothing stored", *[w for w in words if not w.isdigit()]]),
)
