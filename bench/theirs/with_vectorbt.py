"""vectorbt: `with_vectorbt.py bars [COUNT]`. The whole history as arrays, no order life; compiled on a first run."""

import sys
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from market import CASH, FEE, QUANTITY, Timer, bars, tell

warnings.simplefilter("ignore")
import vectorbt

count = int(sys.argv[2]) if len(sys.argv) > 2 else None
made = bars(count)
close = pd.Series(made["c"], index=pd.to_datetime(made["ts"]))


def play():
    fast = close.ewm(span=20, adjust=False).mean()
    slow = close.ewm(span=50, adjust=False).mean()
    wanted = np.where(fast >= slow, QUANTITY, -QUANTITY)
    wanted[:49] = 0.0
    portfolio = vectorbt.Portfolio.from_orders(
        close, size=wanted, size_type="targetamount", fees=FEE, init_cash=float(CASH), freq="1min"
    )
    return portfolio, portfolio.final_value()


play()
with Timer() as timer:
    portfolio, worth = play()
tell(
    timer=timer,
    units=len(made),
    version=version("vectorbt"),
    orders=int(portfolio.orders.count()),
    fees=float(portfolio.orders.records["fees"].sum()),
    profit_net=round(float(worth) - CASH, 4),
    switched_on="arrays only: no order life, no events, nothing stored",
)
