"""Binance USD-M futures and spot on loopback, in front of the simulated venue: fills are real, requests are verified.

It answers the endpoints that the CCXT adapter uses, in the shapes of Binance's documentation, and refuses all others
by name, so that a request nobody thought of fails a test. Spot is the same kernel at full margin, without shorts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import threading
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.values import (
    ZERO,
    Liquidity,
    MarginRates,
    OrderState,
    OrderType,
    ProductSpec,
    Side,
    TimeInForce,
    TradingStatus,
)
from gpt_trader.market.stream import MarketStream, Rows
from gpt_trader.market.synthetic import SyntheticMarket
from gpt_trader.venue.news import FillNews, FundingNews, NewOrder, News
from gpt_trader.venue.settings import VenueSettings
from gpt_trader.venue.wire.history import Trade
from gpt_trader.venue.wire.running import RunningVenue

T = TypeVar("T")
WAIT_SECONDS = 20.0
KEY, SECRET = "the-key", "the-secret"
STATES = {
    OrderState.ACTIVE: "NEW",
    OrderState.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderState.FILLED: "FILLED",
    OrderState.CANCELLED: "CANCELED",
    OrderState.EXPIRED: "EXPIRED",
    OrderState.REJECTED: "REJECTED",
    OrderState.SUBMITTED: "NEW",
}
REFUSALS = {
    "insufficient_margin": (-2019, "Margin is insufficient."),
    "post_only_cross": (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    "reduce_only": (-2022, "ReduceOnly Order is rejected."),
}
TRANSFERS = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
FULL = MarginRates(
    initial_long=Decimal(1), initial_short=Decimal(1), maintenance_long=Decimal("0.5"), maintenance_short=Decimal("0.5")
)


class Refusal(Exception):
    """An answer with an error body."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.body = {"code": code, "msg": text}
        self.status = status


@dataclass
class Placed:
    """One order as its owner knows it."""

    order_id: int
    client_order_id: str
    symbol: str
    side: str
    kind: str
    time_in_force: str
    price: Decimal
    quantity: Decimal
    reduce_only: bool
    number: int
    time_ms: int


@dataclass
class Switches:
    """How this venue differs from a well-behaved one."""

    hedged: bool = False
    burns: bool = False
    rights: tuple[str, ...] = ()
    """Which of TRANSFERS the key may do."""
    faults: dict[str, deque[str]] = field(default_factory=dict)
    """`POST /fapi/v1/order` -> what happens to the next ones: lost, late, 429, 500, html, cut."""
    skew_ms: int = 0
    looks_at_time: bool = False
    """Requests whose time is far from the venue's are refused."""
    quote: str = "USDT"


class BinanceVenue:
    """One account with one key."""

    def __init__(self, stream: MarketStream, cash: Decimal, speed: float | None, *, spot: bool = False) -> None:
        if spot:
            stream = _Spot(stream)
        self.spot = spot
        self.running = RunningVenue(
            stream, cash=[cash], clock=SystemClock(), speed=speed, history_seconds=3600, settings=VenueSettings()
        )
        self.venue = self.running.venue
        self.switches = Switches()
        self.asked: Counter[str] = Counter()
        self.hosts: set[str] = set()
        self.placed: list[Placed] = []
        self.fills: list[FillNews] = []
        self.funding: list[FundingNews] = []
        self._specs = {f"{spec.base}{self.switches.quote}": spec for spec in self.running.products}
        self._ids = {spec.symbol: name for name, spec in self._specs.items()}
        self.running.listen(self)

    # what happens

    def on_rows(self, rows: Rows, trades: dict[str, list[Trade]]) -> None:
        """Marks and books are read when they are asked for."""

    def on_time(self, now_ns: int) -> None:
        """Nothing is kept by the clock."""

    def on_news(self, news: News) -> None:
        if isinstance(news, FillNews):
            self.fills.append(news)
        elif isinstance(news, FundingNews):
            self.funding.append(news)

    @property
    def now_ms(self) -> int:
        return self.running.now_ns // 1_000_000 + self.switches.skew_ms

    # HTTP

    def routes(self) -> dict[str, Callable[[dict[str, str]], Any]]:
        signed = {
            "GET /fapi/v3/account": self.account,
            "GET /fapi/v3/positionRisk": self.position_risk,
            "GET /fapi/v1/positionSide/dual": lambda _: {"dualSidePosition": self.switches.hedged},
            "GET /sapi/v1/account/apiRestrictions": lambda _: {
                "enableReading": True,
                "enableFutures": True,
                "enableSpotAndMarginTrading": True,
                **{name: name in self.switches.rights for name in TRANSFERS},
            },
            "GET /fapi/v1/feeBurn": lambda _: {"feeBurn": self.switches.burns},
            "GET /sapi/v1/bnbBurn": lambda _: {"spotBNBBurn": self.switches.burns, "interestBNBBurn": False},
            "GET /fapi/v1/leverageBracket": self.brackets,
            "GET /fapi/v1/symbolConfig": self.symbol_config,
            "GET /fapi/v1/commissionRate": self.commission,
            "GET /fapi/v1/order": self.order,
            "POST /fapi/v1/order": self.create,
            "DELETE /fapi/v1/order": self.cancel,
            "GET /fapi/v1/openOrders": self.open_orders,
            "GET /fapi/v1/userTrades": self.trades,
            "GET /fapi/v1/income": self.income,
            "GET /api/v3/account": self.spot_account,
            "GET /sapi/v1/asset/tradeFee": self.spot_fees,
            "GET /api/v3/order": self.order,
            "POST /api/v3/order": self.create,
            "DELETE /api/v3/order": self.cancel,
            "GET /api/v3/openOrders": self.open_orders,
            "GET /api/v3/myTrades": self.trades,
        }
        public = {
            "GET /fapi/v1/time": lambda _: {"serverTime": self.now_ms},
            "GET /api/v3/time": lambda _: {"serverTime": self.now_ms},
            "GET /fapi/v1/exchangeInfo": self.exchange_info,
            "GET /api/v3/exchangeInfo": self.exchange_info,
            "GET /fapi/v1/depth": self.depth,
            "GET /api/v3/depth": self.depth,
            "GET /fapi/v1/premiumIndex": self.premium_index,
            "GET /fapi/v1/fundingInfo": self.funding_info,
            "GET /fapi/v1/klines": self.klines,
            "GET /api/v3/klines": self.klines,
        }
        self.signed = frozenset(signed)
        return {**signed, **public}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        self.asked[name] += 1
        self.hosts.add(request.host)
        text = request.query_string or (await request.text())
        fault = self.switches.faults.get(name, deque())
        what = fault.popleft() if fault else ""
        if what in {"429", "418", "500", "503"}:
            code = -1003 if what.startswith("4") else -1000
            return web.json_response({"code": code, "msg": "not now"}, status=int(what))
        if what == "html":
            return web.Response(text="<html>bad gateway</html>", status=502, content_type="text/html")
        try:
            body = self._answer(name, text, request)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        if what == "lost":
            assert request.transport is not None
            request.transport.abort()
        if what == "cut":
            return web.Response(text=msgspec.json.encode(body).decode()[:20], content_type="application/json")
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    def _answer(self, name: str, text: str, request: web.Request) -> Any:
        answer = self.routes().get(name)
        if answer is None:
            raise Refusal(-5000, f"{name} is not served here", 404)
        fields = dict(parse_qsl(text))
        if name in self.signed:
            self._verify(text, fields, request.headers.get("X-MBX-APIKEY", ""))
        self.running.catch_up()
        return answer(fields)

    def _verify(self, text: str, fields: dict[str, str], key: str) -> None:
        plain, _, signature = text.rpartition("&signature=")
        wanted = hmac.new(SECRET.encode(), plain.encode(), hashlib.sha256).hexdigest()
        if key != KEY:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        if signature != wanted:
            raise Refusal(-1022, "Signature for this request is not valid.")
        if self.switches.looks_at_time and abs(int(fields["timestamp"]) - self.now_ms) > 10_000:
            raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")

    # market

    def exchange_info(self, _: dict[str, str]) -> Any:
        return {"timezone": "UTC", "serverTime": self.now_ms, "symbols": [*map(self._listed, self._specs)]}

    def _listed(self, name: str) -> dict[str, Any]:
        spec = self.venue.products()[self._specs[name].symbol]
        filters = [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": str(spec.tick),
                "maxPrice": "4529764",
                "tickSize": str(spec.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": str(spec.min_quantity),
                "maxQty": str(spec.max_quantity),
                "stepSize": str(spec.lot),
            },
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.1000", "multiplierDown": "0.9000"},
        ]
        base = {
            "symbol": name,
            "status": "TRADING" if spec.status is TradingStatus.OPEN else "HALT",
            "baseAsset": spec.base,
            "quoteAsset": self.switches.quote,
            "filters": filters,
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "LIMIT_MAKER"],
        }
        if self.spot:
            return {
                **base,
                "baseAssetPrecision": 8,
                "quotePrecision": 8,
                "quoteAssetPrecision": 8,
                "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False,
                "permissions": [],
                "permissionSets": [["SPOT"]],
            }
        return {
            **base,
            "pair": name,
            "contractType": "PERPETUAL",
            "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000,
            "marginAsset": self.switches.quote,
            "pricePrecision": 2,
            "quantityPrecision": 3,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        }

    def _spec(self, fields: dict[str, str]) -> ProductSpec:
        spec = self._specs.get(fields.get("symbol", ""))
        if spec is None:
            raise Refusal(-1121, "Invalid symbol.")
        return spec

    def depth(self, fields: dict[str, str]) -> Any:
        book = self.venue.book(self._spec(fields).symbol, int(fields.get("limit", "50")))
        sides = ((), ()) if book is None else (book.bids, book.asks)
        bids, asks = ([[str(price), str(size)] for price, size in side] for side in sides)
        return {"lastUpdateId": self.running.now_ns, "E": self.now_ms, "T": self.now_ms, "bids": bids, "asks": asks}

    def premium_index(self, fields: dict[str, str]) -> Any:
        rows = [self._premium(name) for name in self._specs]
        return next(row for row in rows if row["symbol"] == fields["symbol"]) if "symbol" in fields else rows

    def _premium(self, name: str) -> dict[str, Any]:
        symbol = self._specs[name].symbol
        mark = self.venue.mark(symbol)
        return {
            "symbol": name,
            "markPrice": str(mark.price if mark else ZERO),
            "indexPrice": str(self.venue.index_price(symbol) or ZERO),
            "estimatedSettlePrice": "0",
            "lastFundingRate": str(self.venue.funding_rate(symbol)),
            "interestRate": "0.0001",
            "nextFundingTime": (self.now_ms // 3_600_000 + 1) * 3_600_000,
            "time": self.now_ms,
        }

    def funding_info(self, _: dict[str, str]) -> Any:
        return [{"symbol": name, "adjustedFundingRateCap": "0.02", "fundingIntervalHours": 1} for name in self._specs]

    def klines(self, fields: dict[str, str]) -> Any:
        seconds = {"1m": 60, "5m": 300, "1h": 3600}[fields["interval"]]
        end = int(fields.get("endTime", self.now_ms)) // 1000
        limit = int(fields.get("limit", "500"))
        start = int(fields.get("startTime", (end - limit * seconds) * 1000)) // 1000
        candles = self.running.history.candles(self._spec(fields).symbol, seconds, start, end, limit)
        return [
            [
                each.start_seconds * 1000,
                *(str(value) for value in (each.open, each.high, each.low, each.close, each.volume)),
                (each.start_seconds + seconds) * 1000 - 1,
                "0",
                1,
                "0",
                "0",
                "0",
            ]
            for each in reversed(candles)
        ]

    # account

    def account(self, _: dict[str, str]) -> Any:
        money = self.venue.account()
        figures = {
            "walletBalance": str(money.cash),
            "unrealizedProfit": str(money.equity - money.cash),
            "marginBalance": str(money.equity),
            "maintMargin": str(money.maintenance_margin),
            "initialMargin": str(money.initial_margin),
            "positionInitialMargin": str(money.initial_margin),
            "openOrderInitialMargin": "0",
            "crossWalletBalance": str(money.cash),
            "crossUnPnl": str(money.equity - money.cash),
            "availableBalance": str(money.available_margin),
            "maxWithdrawAmount": str(money.available_margin),
            "updateTime": self.now_ms,
        }
        return {
            "totalInitialMargin": str(money.initial_margin),
            "totalMaintMargin": str(money.maintenance_margin),
            "totalWalletBalance": str(money.cash),
            "totalUnrealizedProfit": str(money.equity - money.cash),
            "totalMarginBalance": str(money.equity),
            "availableBalance": str(money.available_margin),
            "maxWithdrawAmount": str(money.available_margin),
            "assets": [{"asset": self.switches.quote, **figures}],
            "positions": [],
        }

    def position_risk(self, _: dict[str, str]) -> Any:
        return [
            {
                "symbol": self._ids[each.symbol],
                "positionSide": "BOTH",
                "positionAmt": str(each.quantity),
                "entryPrice": str(each.entry_price),
                "breakEvenPrice": str(each.entry_price),
                "markPrice": str(self._mark(each.symbol)),
                "unRealizedProfit": str((self._mark(each.symbol) - each.entry_price) * each.quantity),
                "liquidationPrice": "0",
                "isolatedMargin": "0",
                "notional": str(self._mark(each.symbol) * each.quantity),
                "marginAsset": self.switches.quote,
                "isolatedWallet": "0",
                "initialMargin": "10",
                "maintMargin": "5",
                "positionInitialMargin": "10",
                "openOrderInitialMargin": "0",
                "adl": 1,
                "bidNotional": "0",
                "askNotional": "0",
                "updateTime": self.now_ms,
            }
            for each in self.venue.positions()
        ]

    def _mark(self, symbol: str) -> Decimal:
        mark = self.venue.mark(symbol)
        return mark.price if mark else ZERO

    def brackets(self, _: dict[str, str]) -> Any:
        bracket = {
            "bracket": 1,
            "initialLeverage": 50,
            "notionalCap": 1000000,
            "notionalFloor": 0,
            "maintMarginRatio": 0.05,
            "cum": 0.0,
        }
        return [{"symbol": name, "notionalCoef": 1.0, "brackets": [bracket]} for name in self._specs]

    def symbol_config(self, _: dict[str, str]) -> Any:
        return [
            {
                "symbol": name,
                "marginType": "CROSSED",
                "isAutoAddMargin": False,
                "leverage": 10,
                "maxNotionalValue": "1000000",
            }
            for name in self._specs
        ]

    def commission(self, fields: dict[str, str]) -> Any:
        spec = self._spec(fields)
        return {
            "symbol": fields["symbol"],
            "makerCommissionRate": str(spec.maker_fee_rate),
            "takerCommissionRate": str(spec.taker_fee_rate),
        }

    def spot_account(self, _: dict[str, str]) -> Any:
        held = {each.symbol: each for each in self.venue.positions()}
        cost = sum((each.quantity * each.entry_price for each in held.values()), ZERO)
        cash = self.venue.account().cash - cost
        balances = [{"asset": self.switches.quote, "free": str(cash), "locked": "0"}]
        for spec in self._specs.values():
            quantity = held[spec.symbol].quantity if spec.symbol in held else ZERO
            balances.append({"asset": spec.base, "free": str(quantity), "locked": "0"})
        return {"canTrade": True, "canWithdraw": False, "accountType": "SPOT", "balances": balances}

    def spot_fees(self, fields: dict[str, str]) -> Any:
        spec = self._spec(fields)
        return [
            {
                "symbol": fields["symbol"],
                "makerCommission": str(spec.maker_fee_rate),
                "takerCommission": str(spec.taker_fee_rate),
            }
        ]

    # orders

    def create(self, fields: dict[str, str]) -> Any:
        spec = self._spec(fields)
        kind, tif = fields["type"], fields.get("timeInForce", "IOC")
        post_only = tif == "GTX" or kind == "LIMIT_MAKER"
        if any(each.client_order_id == fields["newClientOrderId"] for each in self._living()):
            raise Refusal(-4116, "ClientOrderId is duplicated.")
        held = sum((each.quantity for each in self.venue.positions() if each.symbol == spec.symbol), ZERO)
        if self.spot and fields["side"] == "SELL" and Decimal(fields["quantity"]) > held:
            raise Refusal(-2010, "Account has insufficient balance for requested action.")
        limit = Decimal(fields["price"]) if kind != "MARKET" else None
        order = NewOrder(
            client_order_id=f"binance-{self.asked['POST /fapi/v1/order'] + self.asked['POST /api/v3/order']}",
            symbol=spec.symbol,
            side=Side(fields["side"]),
            order_type=OrderType.MARKET if kind == "MARKET" else OrderType.LIMIT,
            time_in_force=TimeInForce.GTC if post_only else TimeInForce(tif),
            quantity=Decimal(fields["quantity"]),
            limit_price=limit,
            post_only=post_only,
            reduce_only=fields.get("reduceOnly") in {"true", "True"},
        )
        number = self.venue.submit(order)
        self.running.catch_up()
        news = self.venue.order(number)
        if news.state is OrderState.REJECTED:
            raise Refusal(*REFUSALS.get(news.reason, (-2010, f"NEW_ORDER_REJECTED {news.reason}")))
        placed = Placed(
            order_id=1000 + len(self.placed),
            client_order_id=fields["newClientOrderId"],
            symbol=fields["symbol"],
            side=fields["side"],
            kind=kind,
            time_in_force=tif,
            price=limit or ZERO,
            quantity=order.quantity,
            reduce_only=order.reduce_only,
            number=number,
            time_ms=self.now_ms,
        )
        self.placed.append(placed)
        return self._shown(placed)

    def _living(self) -> list[Placed]:
        return [each for each in self.placed if not self.venue.order(each.number).state.is_terminal]

    def _found(self, fields: dict[str, str]) -> Placed:
        for each in reversed(self.placed):
            if str(each.order_id) == fields.get("orderId") or each.client_order_id == fields.get("origClientOrderId"):
                return each
        raise Refusal(-2013, "Order does not exist.")

    def order(self, fields: dict[str, str]) -> Any:
        return self._shown(self._found(fields))

    def cancel(self, fields: dict[str, str]) -> Any:
        try:
            placed = self._found(fields)
        except Refusal:
            raise Refusal(-2011, "Unknown order sent.") from None
        if self.venue.order(placed.number).state.is_terminal:
            raise Refusal(-2011, "Unknown order sent.")
        self.venue.cancel(placed.number)
        self.running.catch_up()
        return self._shown(placed)

    def open_orders(self, fields: dict[str, str]) -> Any:
        return [self._shown(each) for each in self._living() if fields.get("symbol") in {None, each.symbol}]

    def _shown(self, placed: Placed) -> dict[str, Any]:
        news = self.venue.order(placed.number)
        average = news.average_price or ZERO
        return {
            "orderId": placed.order_id,
            "symbol": placed.symbol,
            "status": STATES[news.state],
            "clientOrderId": placed.client_order_id,
            "price": str(placed.price),
            "avgPrice": str(average),
            "origQty": str(placed.quantity),
            "executedQty": str(news.filled),
            "cumQuote": str(news.filled * average),
            "cummulativeQuoteQty": str(news.filled * average),
            "timeInForce": placed.time_in_force,
            "type": placed.kind,
            "origType": placed.kind,
            "reduceOnly": placed.reduce_only,
            "closePosition": False,
            "side": placed.side,
            "positionSide": "BOTH",
            "stopPrice": "0",
            "workingType": "CONTRACT_PRICE",
            "priceProtect": False,
            "priceMatch": "NONE",
            "selfTradePreventionMode": "NONE",
            "goodTillDate": 0,
            "time": placed.time_ms,
            "updateTime": self.now_ms,
        }

    def trades(self, fields: dict[str, str]) -> Any:
        spec = self._spec(fields)
        numbers = {each.number: each for each in self.placed}
        first = int(fields.get("fromId", "0"))
        since = int(fields.get("startTime", "0"))
        rows = []
        for each in self.fills:
            if each.symbol != spec.symbol or each.trade_number + 1 < first or each.at_ns // 1_000_000 < since:
                continue
            placed = numbers.get(each.number)
            rows.append(
                {
                    "symbol": fields["symbol"],
                    "id": each.trade_number + 1,
                    "orderId": placed.order_id if placed else 9_000_000 + each.trade_number,
                    "side": each.side.value,
                    "isBuyer": each.side is Side.BUY,
                    "buyer": each.side is Side.BUY,
                    "price": str(each.price),
                    "qty": str(each.quantity),
                    "quoteQty": str(each.price * each.quantity),
                    "realizedPnl": "0",
                    "commission": str(each.fee),
                    "commissionAsset": self.switches.quote,
                    "maker": each.liquidity is Liquidity.MAKER,
                    "isMaker": each.liquidity is Liquidity.MAKER,
                    "positionSide": "BOTH",
                    "time": each.at_ns // 1_000_000,
                }
            )
        limit = int(fields.get("limit", "500"))
        return rows[:limit] if "fromId" in fields or "startTime" in fields else rows[-limit:]

    def income(self, fields: dict[str, str]) -> Any:
        since = int(fields.get("startTime", "0"))
        return [
            {
                "symbol": self._ids[each.symbol],
                "incomeType": "FUNDING_FEE",
                "income": str(each.amount),
                "asset": self.switches.quote,
                "info": "FUNDING_FEE",
                "time": each.at_ns // 1_000_000,
                "tranId": number,
                "tradeId": "",
            }
            for number, each in enumerate(self.funding)
            if each.at_ns // 1_000_000 >= since
        ][: int(fields.get("limit", "100"))]


class _Spot:
    """A market whose products are fully paid for."""

    def __init__(self, stream: MarketStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def products(self) -> tuple[ProductSpec, ...]:
        return tuple(
            msgspec.structs.replace(spec, margin_intraday=FULL, margin_overnight=FULL) for spec in self._stream.products
        )


class ServedBinance:
    """A server that listens; its loop runs in a thread."""

    def __init__(self, venue: BinanceVenue, loop: asyncio.AbstractEventLoop, url: str) -> None:
        self.venue = venue
        self.url = url
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)

    def advance(self, seconds: float) -> None:
        """Move the market by hand."""

        async def go() -> None:
            running = self.venue.running
            running.jump_to(running.now_ns + round(seconds * NS))

        self.run(go())

    def fault(self, request: str, *what: str) -> None:
        """What happens to the next requests of this name."""
        self.venue.switches.faults[request] = deque(what)


@contextlib.contextmanager
def binance(
    stream: MarketStream | None = None,
    *,
    cash: Decimal = Decimal(100_000),
    speed: float | None = None,
    spot: bool = False,
) -> Iterator[ServedBinance]:
    """Binance over a made-up market; time stands still unless told otherwise."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="binance", daemon=True)
    thread.start()
    market = stream or SyntheticMarket(("BTC-PERP",), seed=7, duration_seconds=48 * 3600)
    venue = BinanceVenue(market, cash, speed, spot=spot)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", venue.handle)
    runner = web.AppRunner(app)

    async def start() -> str:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(WAIT_SECONDS)

    try:
        yield ServedBinance(venue, loop, wait(start()))
    finally:
        wait(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT_SECONDS)
        loop.close()
