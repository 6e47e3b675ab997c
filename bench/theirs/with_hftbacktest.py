"""hftbacktest, compiled strategy: `with_hftbacktest.py l2 FAST SLOW [COUNT]`.

Once a second it takes the last trade's price into the averages, and on a cross sends a close and an open, as ours does.
Compilation is done on a run before the one that counts.
"""

import sys
from importlib.metadata import version

import numpy as np
from hftbacktest import GTC, MARKET, BacktestAsset, ROIVectorMarketDepthBacktest
from hftbacktest.types import (
    BUY_EVENT,
    DEPTH_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    event_dtype,
)
from market import QUANTITY, Timer, levels, tell
from numba import njit

LATENCY_NS = 10_000_000
STEP_NS = 1_000_000_000
FAST, SLOW, *rest = map(int, sys.argv[2:])
FAST_SHARE, SLOW_SHARE = 2 / (FAST + 1), 2 / (SLOW + 1)
count = rest[0] if rest else None
made = levels(count)
events = np.zeros(len(made), event_dtype)
kind = np.where(made["kind"] == 1, TRADE_EVENT, np.where(made["kind"] == 2, DEPTH_SNAPSHOT_EVENT, DEPTH_EVENT))
side = np.where(made["side"] > 0, np.uint64(BUY_EVENT), np.uint64(SELL_EVENT))
events["ev"] = kind.astype("u8") | np.uint64(EXCH_EVENT) | np.uint64(LOCAL_EVENT) | side
events["exch_ts"] = events["local_ts"] = made["ts"]
events["px"], events["qty"] = made["px"], made["qty"]


def market():
    asset = (
        BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(LATENCY_NS, LATENCY_NS)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0005, 0.0005)
        .tick_size(0.1)
        .lot_size(0.001)
        .last_trades_capacity(1000)
        .roi_lb(80000.0)
        .roi_ub(110000.0)
    )
    return ROIVectorMarketDepthBacktest([asset])


@njit
def send(hbt, number, side, price, quantity):
    if side > 0:
        hbt.submit_buy_order(0, number, price, quantity, GTC, MARKET, False)
    else:
        hbt.submit_sell_order(0, number, price, quantity, GTC, MARKET, False)


@njit
def play(hbt, quantity):
    fast = slow = last = 0.0
    seen = side = orders = 0
    while hbt.elapse(STEP_NS) == 0:
        trades = hbt.last_trades(0)
        if len(trades) > 0:
            last = trades[len(trades) - 1].px
            hbt.clear_last_trades(0)
        if last == 0.0:
            continue
        seen += 1
        if seen == 1:
            fast = slow = last
            continue
        fast += (last - fast) * FAST_SHARE
        slow += (last - slow) * SLOW_SHARE
        want = 1 if fast >= slow else -1
        if seen < SLOW or want == side:
            continue
        depth = hbt.depth(0)
        price = depth.best_ask + 5.0 if want > 0 else depth.best_bid - 5.0
        for _ in range(1 if side == 0 else 2):
            orders += 1
            send(hbt, orders, want, price, quantity)
        side = want
        if orders % 100 < 2:
            hbt.clear_inactive_orders(0)
    return seen, orders


warm = market()
play(warm, QUANTITY)
warm.close()
run = market()
with Timer() as timer:
    seen, orders = play(run, QUANTITY)
state = run.state_values(0)
tell(
    timer=timer,
    units=len(made),
    version=version("hftbacktest"),
    orders=int(orders),
    seen=int(seen),
    fills=int(state.num_trades),
    fees=float(state.fee),
    position=float(state.position),
    switched_on="Rust core, strategy compiled by numba; nothing stored",
)
run.close()
