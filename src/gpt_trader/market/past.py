"""Which bars closed before now? Read from a market from its beginning, by the same rules as the bars to come."""

from __future__ import annotations

from collections import deque

from gpt_trader.core.values import Bar, ProductSpec
from gpt_trader.market.bars import BarAggregator
from gpt_trader.market.rows import BAR, TRADE
from gpt_trader.market.stream import MarketStream

__all__ = ["past_bars"]


def past_bars(stream: MarketStream, symbol: str, until_ns: int, count: int) -> tuple[Bar, ...]:
    """The last `count` bars of `symbol` that closed by `until_ns`, oldest first and marked as history; fewer where
    there are no more.

    Where the market has trades, bars are made of them; else its own bars are taken.
    """
    place = next(place for place, product in enumerate(stream.products) if product.symbol == symbol)
    made = BarAggregator(symbol, stream.bar_seconds, start_ns=stream.start_ns)
    closed: deque[Bar] = deque(maxlen=count)
    own: deque[Bar] = deque(maxlen=count)
    traded = False
    for chunk in stream.chunks():
        rows = chunk[(chunk["product"] == place) & (chunk["ts"] <= until_ns)]
        for row in rows[(rows["kind"] == TRADE) | (rows["kind"] == BAR)]:
            at_ns, a, b, c, d, e = (int(row[name]) for name in ("ts", "a", "b", "c", "d", "e"))
            if row["kind"] == BAR:
                own.append(Bar(symbol, at_ns, a, b, c, d, e))
                continue
            traded = True
            closed.extend(made.advance(at_ns))
            made.trade(at_ns, a, b)
        if len(chunk) and int(chunk["ts"][-1]) > until_ns:
            break
    closed.extend(made.advance(until_ns))
    return tuple(_in_units(bar, stream.products[place]) for bar in (closed if traded else own))


def _in_units(bar: Bar, product: ProductSpec) -> Bar:
    """From ticks and lots, each number the nearest to the exact value."""
    (tick, per_tick), (lot, per_lot) = product.tick.as_integer_ratio(), product.lot.as_integer_ratio()
    o, high, low, close = (int(price) * tick / per_tick for price in (bar.open, bar.high, bar.low, bar.close))
    return Bar(bar.symbol, bar.close_ns, o, high, low, close, int(bar.volume) * lot / per_lot, history=True)
