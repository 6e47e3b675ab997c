"""vectorbt: `with_vectorbt.py bars [COUNT] | sweep busy|rare [SETS] [COUNT]`.

The whole history as arrays, no order life; compiled on a first run.
"""

import sys
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from market import CASH, FEE, QUANTITY, Timer, bars, peak_mib, sweep_pairs, tell

warnings.simplefilter("ignore")
import vectorbt

case, *words = sys.argv[1:]
numbers = [int(word) for word in words if word.isdigit()]
count = next(iter(numbers if case == "bars" else numbers[1:]), None)
made = bars(count)
close = pd.Series(made["c"], index=pd.to_datetime(made["ts"]))


def average(span):
    return close.ewm(span=span, adjust=False).mean()


def traded(wanted):
    portfolio = vectorbt.Portfolio.from_orders(
        close, size=wanted, size_type="targetamount", fees=FEE, init_cash=float(CASH), freq="1min"
    )
    return portfolio, portfolio.final_value()


def play():
    wanted = np.where(average(20) >= average(50), QUANTITY, -QUANTITY)
    wanted[:49] = 0.0
    return traded(wanted)


def sweep():
    """All sets at once, a column each, as its users write it."""
    pairs = sweep_pairs(words[0], numbers)
    fast = pd.concat([average(pair[0]) for pair in pairs], axis=1).to_numpy()
    slow = pd.concat([average(pair[1]) for pair in pairs], axis=1).to_numpy()
    wanted = np.where(fast >= slow, QUANTITY, -QUANTITY)
    for column, (_, length) in enumerate(pairs):
        wanted[: length - 1, column] = 0.0
    return traded(wanted)


run = play if case == "bars" else sweep
run()
with Timer() as timer:
    portfolio, worth = run()
pairs = sweep_pairs(words[0], numbers) if case == "sweep" else [(20, 50)]
fees = portfolio.orders.records.groupby("col")["fees"].sum()
tell(
    timer=timer,
    units=len(made) if case == "bars" else len(pairs),
    version=version("vectorbt"),
    orders=int(np.sum(portfolio.orders.count())),
    fees=float(fees.sum()),
    fees_of_one=float(fees.iloc[pairs.index((20, 50)) if (20, 50) in pairs else 0]),
    profit_net=round(float(worth) - CASH, 4) if case == "bars" else None,
    memory_mib=peak_mib(),
    switched_on="arrays only: no order life, no events, nothing stored",
)
