"""hftbacktest fills a list of orders: `fills_hftbacktest.py FOLDER back|proportional passive|aggressive`.

Resting orders go through its exchange without partial fills, taking ones through the one with them: the latter stops
with an error (14, invalid order status) on this market as soon as certain resting orders are filled.

The folder holds `rows.npy` (what both sides replay) and `orders.npy`. Told are, for every order, its fills as
[time in ns, lots so far], and the price of the last one.
"""

import json
import resource
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from hftbacktest import GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.order import IOC
from hftbacktest.types import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    event_dtype,
)
from numba import njit

resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # a loop that goes wrong must not take the machine with it
LEVEL, CLEAR, TRADE = 1, 2, 3
LATENCY_NS = 10_000_000
folder, model, orders_kind = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
rows, orders = np.load(folder / "rows.npy"), np.load(folder / "orders.npy")
tick, lot = float(orders["tick"][0]), float(orders["lot"][0])

rows = rows[rows["kind"] != CLEAR]  # one, before the first level
events = np.zeros(len(rows), event_dtype)
kind = np.where(rows["kind"] == TRADE, TRADE_EVENT, DEPTH_EVENT).astype("u8")
side = np.where(rows["side"] > 0, np.uint64(BUY_EVENT), np.uint64(SELL_EVENT))
events["ev"] = kind | np.uint64(EXCH_EVENT) | np.uint64(LOCAL_EVENT) | side
events["exch_ts"] = events["local_ts"] = rows["ts"]
events["px"], events["qty"] = rows["a"] * tick, rows["b"] * lot

asset = (
    BacktestAsset()
    .data(events)
    .linear_asset(1.0)
    .constant_order_latency(LATENCY_NS, LATENCY_NS)
    .trading_value_fee_model(0.0, 0.0)
    .tick_size(tick)
    .lot_size(lot)
)
asset = asset.no_partial_fill_exchange() if orders_kind == "passive" else asset.partial_fill_exchange()
asset = asset.risk_adverse_queue_model() if model == "back" else asset.power_prob_queue_model(1.0)


@njit
def look(hbt, alive, count, lots, fills, lot):  # noqa: PLR0917 - compiled
    """Note the fills that are known now; returns how many have been noted."""
    known = hbt.orders(0)
    for place in range(len(alive)):
        number = alive[place]
        if number < 0 or number not in known:
            continue
        order = known.get(number)
        done = round((order.qty - order.leaves_qty) / lot)
        if done > lots[number]:
            lots[number] = done
            fills[count, 0], fills[count, 1] = number, order.exch_timestamp
            fills[count, 2], fills[count, 3] = done, order.exec_price_tick
            count += 1
    return count


@njit
def play(hbt, times, kinds, sides, prices, quantities, numbers, tick, lot, fills):  # noqa: PLR0917 - compiled
    hbt.wait_next_feed(True, 100_000_000)  # only now has it a clock
    lots = np.zeros(len(times) + 1, np.int64)
    alive = np.full(16, -1, np.int64)
    count = 0
    for i in range(len(times) + 1):
        until = times[i] if i < len(times) else times[-1] + 10_000_000_000
        while hbt.current_timestamp < until:
            answer = hbt.wait_next_feed(True, until - hbt.current_timestamp)
            if answer == 3:
                count = look(hbt, alive, count, lots, fills, lot)
            elif answer == 1:
                return count, 0
            elif answer not in (0, 2):
                return count, answer
        if i == len(times):
            break
        number = numbers[i]
        if kinds[i] == 2:
            order = hbt.orders(0).get(number) if number in hbt.orders(0) else None
            if order is not None and order.cancellable:
                hbt.cancel(0, number, False)
            continue
        alive[number % 16] = number
        tif = GTX if kinds[i] == 0 else IOC
        price, quantity = prices[i] * tick, quantities[i] * lot
        if sides[i] > 0:
            hbt.submit_buy_order(0, number, price, quantity, tif, LIMIT, False)
        else:
            hbt.submit_sell_order(0, number, price, quantity, tif, LIMIT, False)
    return count, 0


hbt = HashMapMarketDepthBacktest([asset])
found = np.zeros((10 * len(orders), 4), np.int64)
count, error = play(
    hbt,
    orders["at"],
    orders["kind"],
    orders["side"],
    orders["price"],
    orders["lots"],
    orders["number"],
    tick,
    lot,
    found,
)
hbt.close()
if error:
    sys.exit(f"hftbacktest stopped with error {error}")
told = {}
for number, at_ns, done, price in found[:count].tolist():
    told.setdefault(number, []).append([at_ns, done, price])
print(json.dumps({"version": version("hftbacktest"), "fills": told}))
