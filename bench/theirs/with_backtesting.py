"""backtesting.py: `with_backtesting.py bars [COUNT]`. Averages computed up front, orders bar by bar."""

import sys
import warnings
from importlib.metadata import version

import pandas as pd
from market import FEE, Timer, bars, tell

warnings.simplefilter("ignore")
from backtesting import Backtest, Strategy

count = int(sys.argv[2]) if len(sys.argv) > 2 else None
made = bars(count)
frame = pd.DataFrame(
    {"Open": made["o"], "High": made["h"], "Low": made["l"], "Close": made["c"], "Volume": made["v"]},
    index=pd.to_datetime(made["ts"]),
)


def ema(values, span):
    return pd.Series(values).ewm(span=span, adjust=False).mean().to_numpy()


class Cross(Strategy):
    side = 0
    orders = 0

    def init(self):
        self.fast = self.I(ema, self.data.Close, 20)
        self.slow = self.I(ema, self.data.Close, 50)

    def next(self):
        if len(self.data) < 50:
            return
        side = 1 if self.fast[-1] >= self.slow[-1] else -1
        if side != self.side:
            # It trades whole units only: 1 where the others trade 0.1.
            (self.buy if side > 0 else self.sell)(size=1 if self.side == 0 else 2)
            self.side = side
            Cross.orders += 1


test = Backtest(frame, Cross, cash=1e9, commission=FEE, margin=0.05, trade_on_close=True, finalize_trades=True)
with Timer() as timer:
    result = test.run()
tell(
    timer=timer,
    units=len(made),
    version=version("backtesting"),
    orders=Cross.orders,
    profit_net=round((float(result["Equity Final [$]"]) - 1e9) / 10, 4),
    fees=round(float(result["Commissions [$]"]) / 10, 4),
    switched_on="numpy and pure Python, averages vectorised; nothing stored",
)
