"""What does the market look like? Products, book, best prices, candles, trades and time over REST."""

from __future__ import annotations

from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ZERO
from gpt_trader.venue.wire.calls import ApiError, Call, Endpoint
from gpt_trader.venue.wire.formats import Json, decimal_of, stamp, text
from gpt_trader.venue.wire.history import Candle, Trade
from gpt_trader.venue.wire.listing import Listed, Listing
from gpt_trader.venue.wire.product_json import best, price_text, product_json
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.running import RunningVenue

__all__ = ["GRANULARITIES", "MarketCalls", "candle_json", "trade_json"]

GRANULARITIES: Final = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "FOUR_HOUR": 14_400,
    "SIX_HOUR": 21_600,
    "ONE_DAY": 86_400,
}
CANDLES_MAX: Final = 350
TRADES_MAX: Final = 1000
DEPTH_MAX: Final = 500
SPOT_TYPES: Final = frozenset({"SPOT", "EQUITY"})


class MarketCalls:
    """Endpoints that need no account; each stands twice, with a key and below `/market` without one."""

    def __init__(self, running: RunningVenue, listing: Listing, quirks: Quirks) -> None:
        self._running = running
        self._venue = running.venue
        self._listing = listing
        self._quirks = quirks

    def endpoints(self) -> list[Endpoint]:
        twins = {
            "/products": self.products,
            "/products/{product_id}": self.product,
            "/products/{product_id}/candles": self.candles,
            "/products/{product_id}/ticker": self.trades,
            "/product_book": self.product_book,
        }
        return [
            Endpoint("GET", "/time", self.time, "public"),
            Endpoint("GET", "/best_bid_ask", self.best_bid_ask),
            *(Endpoint("GET", path, answer) for path, answer in twins.items()),
            *(Endpoint("GET", f"/market{path}", answer, "public") for path, answer in twins.items()),
        ]

    async def time(self, call: Call) -> Json:  # noqa: ARG002 - the shape of every endpoint
        now_ns = self._running.now_ns + self._quirks.skew_ns
        return {
            "iso": stamp(now_ns),
            "epochSeconds": str(now_ns // NS),
            "epochMillis": str(now_ns // 1_000_000),
        }

    async def products(self, call: Call) -> Json:
        wanted = set(call.many("product_ids"))
        listed = [each for each in self._listing if not wanted or each.product_id in wanted]
        if call.one("product_type") in SPOT_TYPES or call.one("contract_expiry_type") == "PERPETUAL":
            listed = []  # this venue's perpetuals are futures of the type EXPIRING
        first = call.whole("offset", 0, len(listed))
        page = listed[first : first + call.whole("limit", len(listed) or 1, 1000)]
        return {"products": [self._product(each) for each in page], "num_products": len(page), "pagination": None}

    async def product(self, call: Call) -> Json:
        return self._product(self._listed(call.path["product_id"]))

    async def best_bid_ask(self, call: Call) -> Json:
        wanted = call.many("product_ids")
        listed = [self._listed(product_id) for product_id in wanted] if wanted else list(self._listing)
        return {"pricebooks": [self._pricebook(each, 1) for each in listed]}

    async def product_book(self, call: Call) -> Json:
        listed = self._listed(call.one("product_id"))
        depth = call.whole("limit", DEPTH_MAX, DEPTH_MAX)
        bid, ask = best(self._venue.book(listed.symbol, 1))
        middle = (bid + ask) / 2 if bid is not None and ask is not None else None
        spread = ask - bid if bid is not None and ask is not None else None
        return {
            "pricebook": self._pricebook(listed, depth),
            "last": price_text(self._venue.last_price(listed.symbol)),
            "mid_market": price_text(middle),
            "spread_bps": text(round(spread / middle * 10_000, 12)) if spread is not None and middle else "",
            "spread_absolute": price_text(spread),
        }

    async def candles(self, call: Call) -> Json:
        listed = self._listed(call.path["product_id"])
        seconds = GRANULARITIES.get(call.one("granularity"))
        start, end = decimal_of(call.one("start")), decimal_of(call.one("end"))
        if seconds is None:
            raise ApiError(400, "INVALID_ARGUMENT", f"granularity must be one of {', '.join(GRANULARITIES)}")
        if start is None or end is None or start > end:
            raise ApiError(400, "INVALID_ARGUMENT", "start and end must be unix seconds, start first")
        limit = call.whole("limit", CANDLES_MAX, CANDLES_MAX)
        if (end - start) / seconds > CANDLES_MAX:
            raise ApiError(400, "INVALID_ARGUMENT", f"number of candles requested should be less than {CANDLES_MAX}")
        found = self._running.history.candles(listed.symbol, seconds, int(start), int(end), limit)
        return {"candles": [candle_json(listed, candle) for candle in found]}

    async def trades(self, call: Call) -> Json:
        listed = self._listed(call.path["product_id"])
        limit = call.whole("limit", 0, TRADES_MAX)
        if not limit:
            raise ApiError(400, "INVALID_ARGUMENT", "limit is required")
        start, end = decimal_of(call.one("start")), decimal_of(call.one("end"))
        found = [
            trade
            for trade in self._running.history.trades(listed.symbol, TRADES_MAX)
            if (start is None or trade.at_ns >= start * NS) and (end is None or trade.at_ns <= end * NS)
        ]
        bid, ask = best(self._venue.book(listed.symbol, 1))
        rows = [{**trade_json(listed, trade), "bid": "", "ask": "", "exchange": "coinbase"} for trade in found[:limit]]
        return {"trades": rows, "best_bid": price_text(bid), "best_ask": price_text(ask)}

    def _listed(self, product_id: str) -> Listed:
        listed = self._listing.get(product_id)
        if listed is None:
            raise ApiError(404, "NOT_FOUND", "valid product_id is required")
        return listed

    def _product(self, listed: Listed) -> Json:
        day = self._running.history.day(listed.symbol, self._running.now_ns)
        return product_json(listed, self._venue, day, self._quirks)

    def _pricebook(self, listed: Listed, depth: int) -> Json:
        book = self._venue.book(listed.symbol, depth)
        sides = {"bids": book.bids if book else (), "asks": book.asks if book else ()}
        if listed.symbol in self._quirks.sessions_closed:
            sides = {"bids": (), "asks": ()}
        levels = {
            name: [{"price": text(price), "size": text(listed.contracts(size))} for price, size in side]
            for name, side in sides.items()
        }
        return {"product_id": listed.product_id, **levels, "time": stamp(self._running.now_ns)}


def candle_json(listed: Listed, candle: Candle) -> Json:
    return {
        "start": str(candle.start_seconds),
        "low": text(candle.low),
        "high": text(candle.high),
        "open": text(candle.open),
        "close": text(candle.close),
        "volume": text(listed.contracts(candle.volume) or ZERO),
    }


def trade_json(listed: Listed, trade: Trade) -> Json:
    """`side` is the maker's, as Coinbase has it."""
    side = {1: "SELL", -1: "BUY"}.get((trade.side > 0) - (trade.side < 0), "UNKNOWN_ORDER_SIDE")
    return {
        "trade_id": str(trade.trade_id),
        "product_id": listed.product_id,
        "price": text(trade.price),
        "size": text(listed.contracts(trade.quantity)),
        "time": stamp(trade.at_ns),
        "side": side,
    }
