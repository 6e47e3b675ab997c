"""NautilusTrader's Rust engine, inside the same wheel: `with_nautilus_rust.py bars [COUNT] | orders COUNT`."""

import sys
from decimal import Decimal
from importlib.metadata import version

from market import CASH, EmaCross, Timer, bars, tell, ticks
from nautilus_trader.core import nautilus_pyo3 as rust

case = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else None
SIM = rust.Venue("SIM")
ID = rust.InstrumentId(rust.Symbol("BTCUSDT"), SIM)
USDT = rust.Currency.from_str("USDT")
INSTRUMENT = rust.CryptoPerpetual(
    instrument_id=ID,
    raw_symbol=rust.Symbol("BTCUSDT"),
    base_currency=rust.Currency.from_str("BTC"),
    quote_currency=USDT,
    settlement_currency=USDT,
    is_inverse=False,
    price_precision=1,
    size_precision=3,
    price_increment=rust.Price(0.1, 1),
    size_increment=rust.Quantity(0.001, 3),
    ts_event=0,
    ts_init=0,
    margin_init=Decimal("0.01"),
    margin_maint=Decimal("0.005"),
    maker_fee=Decimal("0.0005"),
    taker_fee=Decimal("0.0005"),
)
BAR_TYPE = rust.BarType.from_str("BTCUSDT.SIM-1-MINUTE-LAST-EXTERNAL")
ONE, TWO = rust.Quantity(0.1, 3), rust.Quantity(0.2, 3)


class Both(rust.Strategy):
    def on_start(self):
        self.ema = EmaCross()
        self.seen = self.orders = self.fills = self.side = 0
        if case == "bars":
            self.subscribe_bars(BAR_TYPE)
        else:
            self.subscribe_quotes(ID)

    def on_order_filled(self, event):
        self.fills += 1

    def on_bar(self, bar):
        self.seen += 1
        side = self.ema.see(bar.close.as_double())
        if side not in (self.side, 0):
            self.order(side, ONE if self.side == 0 else TWO)
            self.side = side

    def on_quote(self, quote):
        self.seen += 1
        self.order(1 if self.seen & 1 else -1, ONE)

    def order(self, side, quantity):
        self.orders += 1
        self.submit_order(
            rust.MarketOrder(
                trader_id=self.trader_id,
                strategy_id=self.strategy_id,
                instrument_id=ID,
                client_order_id=rust.ClientOrderId(f"O-{self.orders}"),
                order_side=rust.OrderSide.BUY if side > 0 else rust.OrderSide.SELL,
                quantity=quantity,
                init_id=rust.UUID4(),
                ts_init=0,
                time_in_force=rust.TimeInForce.GTC,
                reduce_only=False,
                quote_quantity=False,
                contingency_type=rust.ContingencyType.NO_CONTINGENCY,
            )
        )


def bar_data():
    return [
        rust.Bar(
            BAR_TYPE,
            rust.Price(row[1], 1),
            rust.Price(row[2], 1),
            rust.Price(row[3], 1),
            rust.Price(row[4], 1),
            rust.Quantity(row[5], 3),
            row[0],
            row[0],
        )
        for row in bars(count).tolist()
    ]


def quote_data():
    made = ticks(None)
    made = made[made["kind"] == 0][:count].tolist()
    return [
        rust.QuoteTick(
            ID, rust.Price(r[3], 1), rust.Price(r[4], 1), rust.Quantity(r[5], 3), rust.Quantity(r[6], 3), r[0], r[0]
        )
        for r in made
    ]


silent = rust.LoggerConfig(stdout_level=rust.LogLevel.OFF, fileout_level=rust.LogLevel.OFF, bypass_logging=True)
engine = rust.BacktestEngine(rust.BacktestEngineConfig(logging=silent, bypass_logging=True, run_analysis=False))
engine.add_venue(
    venue=SIM,
    oms_type=rust.OmsType.NETTING,
    account_type=rust.AccountType.MARGIN,
    base_currency=USDT,
    starting_balances=[rust.Money(float(CASH), USDT)],
)
engine.add_instrument(INSTRUMENT)
made = bar_data() if case == "bars" else quote_data()
engine.add_data(made)
strategy = Both(rust.StrategyConfig(strategy_id=rust.StrategyId("S-001")))
engine.add_strategy(strategy)
with Timer() as timer:
    engine.run()
tell(
    timer=timer,
    units=strategy.orders if case == "orders" else len(made),
    version=version("nautilus_trader"),
    orders=strategy.orders,
    fills=strategy.fills,
    seen=strategy.seen,
    switched_on="Rust engine, Python strategy; nothing stored, logging off",
)
