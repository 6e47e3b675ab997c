"""basana: `with_basana.py bars [COUNT] | orders COUNT`. Its exchange fills a market order at the next bar's open."""

import asyncio
import datetime as dt
import sys
from decimal import Decimal
from importlib.metadata import version

import basana
from basana.backtesting import exchange, fees, liquidity
from basana.core.enums import OrderOperation
from market import CASH, QUANTITY, EmaCross, Timer, bars, tell

case = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else None
PAIR = basana.Pair("BTC", "USDT")
ONE = Decimal(str(QUANTITY))
MINUTE = dt.timedelta(minutes=1)


def events(made):
    for row in made.tolist():
        when = dt.datetime.fromtimestamp(row[0] / 1e9, dt.UTC)
        numbers = [Decimal(str(number)) for number in row[1:]]
        yield basana.BarEvent(when, basana.Bar(when - MINUTE, PAIR, *numbers, MINUTE))


class Strategy:
    def __init__(self, market):
        self.market = market
        self.ema = EmaCross()
        self.seen = self.orders = self.fills = self.side = 0

    async def cross(self, event):
        self.seen += 1
        side = self.ema.see(float(event.bar.close))
        if side not in (self.side, 0):
            await self.order(side, ONE if self.side == 0 else 2 * ONE)
            self.side = side

    async def flip(self, event):
        self.seen += 1
        await self.order(1 if self.seen & 1 else -1, ONE)

    async def order(self, side, quantity):
        self.orders += 1
        await self.market.create_market_order(OrderOperation.BUY if side > 0 else OrderOperation.SELL, PAIR, quantity)

    async def on_order(self, event):
        self.fills += 1


async def main():
    made = bars(count)
    queue = basana.FifoQueueEventSource(events=list(events(made)))
    dispatcher = basana.backtesting_dispatcher()
    # It knows no short positions without a loan: the account begins with coins enough to sell.
    start = {"USDT": Decimal(CASH), "BTC": Decimal(1000)}
    market = exchange.Exchange(
        dispatcher,
        initial_balances=dict(start),
        fee_strategy=fees.Percentage(percentage=Decimal("0.05")),
        liquidity_strategy_factory=liquidity.InfiniteLiquidity,
    )
    market.set_symbol_precision("BTC", 8)
    market.set_symbol_precision("USDT", 8)
    strategy = Strategy(market)
    market.subscribe_to_bar_events(PAIR, strategy.cross if case == "bars" else strategy.flip)
    market.subscribe_to_order_events(strategy.on_order)
    market.add_bar_source(queue)
    with Timer() as timer:
        await dispatcher.run()
    coins = (await market.get_balance("BTC")).total - start["BTC"]
    cash = (await market.get_balance("USDT")).total - start["USDT"]
    last = Decimal(str(float(made["c"][-1])))
    tell(
        timer=timer,
        units=len(made) if case == "bars" else strategy.orders,
        version=version("basana"),
        orders=strategy.orders,
        position=str(coins),
        profit_net=str(cash + coins * last),
        switched_on="pure Python, Decimal; balances, no store",
    )


asyncio.run(main())
