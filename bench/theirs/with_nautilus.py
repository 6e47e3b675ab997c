"""NautilusTrader's default (Cython) engine: `with_nautilus.py bars [COUNT] | ticks [COUNT] | orders COUNT`.

ticks: it builds the one-minute bars from trades itself, the strategy sees bars only, as ours.
orders: a market order on every quote, buy and sell in turn (its position is closed and opened again).
"""

import sys
from decimal import Decimal

import nautilus_trader
import numpy as np
import pandas as pd
from market import CASH, EmaCross, Timer, bars, tell, ticks
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, BookType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Currency, Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler, QuoteTickDataWrangler, TradeTickDataWrangler
from nautilus_trader.trading.strategy import Strategy

case = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else None
SIM = Venue("SIM")
INSTRUMENT = CryptoPerpetual(
    instrument_id=InstrumentId(Symbol("BTCUSDT"), SIM),
    raw_symbol=Symbol("BTCUSDT"),
    base_currency=Currency.from_str("BTC"),
    quote_currency=USDT,
    settlement_currency=USDT,
    is_inverse=False,
    price_precision=1,
    size_precision=3,
    price_increment=Price(0.1, 1),
    size_increment=Quantity(0.001, 3),
    ts_event=0,
    ts_init=0,
    margin_init=Decimal("0.01"),
    margin_maint=Decimal("0.005"),
    maker_fee=Decimal("0.0005"),
    taker_fee=Decimal("0.0005"),
)
ONE, TWO = Quantity(0.1, 3), Quantity(0.2, 3)


class Common(Strategy):
    def on_start(self):
        self.ema = EmaCross()
        self.seen = self.orders = self.fills = self.side = 0
        self.begin()

    def on_order_filled(self, event):
        self.fills += 1

    def order(self, side, quantity):
        self.orders += 1
        order_side = OrderSide.BUY if side > 0 else OrderSide.SELL
        self.submit_order(self.order_factory.market(INSTRUMENT.id, order_side, quantity))


class Cross(Common):
    bar_type = None

    def begin(self):
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar):
        self.seen += 1
        side = self.ema.see(bar.close.as_double())
        if side not in (self.side, 0):
            self.order(side, ONE if self.side == 0 else TWO)
            self.side = side


class Flip(Common):
    def begin(self):
        self.subscribe_quote_ticks(INSTRUMENT.id)

    def on_quote_tick(self, tick):
        self.seen += 1
        self.order(1 if self.seen & 1 else -1, ONE)


def times(made):
    return pd.to_datetime(np.asarray(made["ts"]), utc=True)


def bar_data():
    made = bars(count)
    Cross.bar_type = BarType.from_str("BTCUSDT.SIM-1-MINUTE-LAST-EXTERNAL")
    frame = pd.DataFrame(
        {"open": made["o"], "high": made["h"], "low": made["l"], "close": made["c"], "volume": made["v"]},
        index=times(made),
    )
    return [BarDataWrangler(Cross.bar_type, INSTRUMENT).process(frame)]


def quote_data(made):
    frame = pd.DataFrame(
        {"bid_price": made["bid"], "ask_price": made["ask"], "bid_size": made["bsz"], "ask_size": made["asz"]},
        index=times(made),
    )
    return QuoteTickDataWrangler(INSTRUMENT).process(frame)


def tick_data():
    Cross.bar_type = BarType.from_str("BTCUSDT.SIM-1-MINUTE-LAST-INTERNAL")
    made = ticks(count)
    trades = made[made["kind"] == 1]
    frame = pd.DataFrame(
        {
            "price": trades["px"],
            "quantity": trades["qty"],
            "trade_id": np.arange(len(trades)).astype(str),
            "buyer_maker": trades["side"] < 0,
        },
        index=times(trades),
    )
    return [quote_data(made[made["kind"] == 0]), TradeTickDataWrangler(INSTRUMENT).process(frame)]


def order_data():
    made = ticks(None)
    return [quote_data(made[made["kind"] == 0][:count])]


lists = {"bars": bar_data, "ticks": tick_data, "orders": order_data}[case]()
engine = BacktestEngine(
    BacktestEngineConfig(
        trader_id=TraderId("BT-001"),
        logging=LoggingConfig(log_level="ERROR", bypass_logging=True),
        risk_engine=RiskEngineConfig(
            max_order_submit_rate="1000000/00:00:01", max_order_modify_rate="1000000/00:00:01"
        ),
        run_analysis=False,
    )
)
engine.add_venue(
    SIM,
    OmsType.NETTING,
    AccountType.MARGIN,
    [Money(CASH, USDT)],
    base_currency=USDT,
    default_leverage=Decimal(20),
    book_type=BookType.L1_MBP,
)
engine.add_instrument(INSTRUMENT)
for each in lists:
    engine.add_data(each, sort=False)
engine.sort_data()
strategy = (Flip if case == "orders" else Cross)(StrategyConfig(strategy_id="S-001", order_id_tag="001"))
engine.add_strategy(strategy)
with Timer() as timer:
    engine.run()
total = engine.portfolio.account(SIM).balance_total(USDT).as_double()
position = engine.portfolio.net_position(INSTRUMENT.id)
tell(
    timer=timer,
    units=strategy.orders if case == "orders" else sum(len(each) for each in lists),
    version=nautilus_trader.__version__,
    orders=strategy.orders,
    fills=strategy.fills,
    seen=strategy.seen,
    position=str(position),
    cash_change=round(total - CASH, 4),
    switched_on="Cython engine, its risk engine, cache and portfolio; nothing stored, logging off",
)
