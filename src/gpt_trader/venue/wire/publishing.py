"""What do subscribers see? Frames of the market channels and of the accounts' channels, made as things happen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ZERO, Liquidity, Side
from gpt_trader.market.rows import BAR, CLEAR, LEVEL, QUOTE
from gpt_trader.market.stream import Rows
from gpt_trader.venue.news import FillNews, FundingNews, News, StatusNews
from gpt_trader.venue.wire.connection import Connection
from gpt_trader.venue.wire.desk import OrderDesk
from gpt_trader.venue.wire.formats import Json, stamp, text
from gpt_trader.venue.wire.history import Trade
from gpt_trader.venue.wire.listing import Listed
from gpt_trader.venue.wire.market_calls import candle_json, trade_json
from gpt_trader.venue.wire.money import MoneyBook
from gpt_trader.venue.wire.orders import WireOrder, user_order_json
from gpt_trader.venue.wire.product_json import best, price_text, status_json
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.sockets import SocketFace

__all__ = ["Publisher"]

BATCH_NS: Final = NS // 4
"""Trades are gathered for so long."""
CANDLE_NS: Final = NS
TICKER_BATCH_NS: Final = 5 * NS
MODELLED_NS: Final = NS // 4
"""How often a book that is modelled, or known by its best prices alone, is looked at."""
CANDLE_SECONDS: Final = 300
CANDLES_SNAPSHOT: Final = 100
TRADES_SNAPSHOT: Final = 100
ORDERS_A_BATCH: Final = 50
DEPTH_MAX: Final = 10_000
MODELLED_DEPTH: Final = 50
Levels = dict[tuple[str, Decimal], Decimal]
"""(bid or offer, price) -> quantity in base units."""


class _ProductFeed:
    """What is remembered of one product between two frames."""

    def __init__(self, listed: Listed) -> None:
        self.listed = listed
        self.trades: list[Trade] = []
        self.touched: set[tuple[str, Decimal]] = set()
        """Levels that our own orders took from."""
        self.resnapshot = False
        self.compared = False
        """The book has no levels of its own rows, so that frames are made by comparing."""
        self.moved = False
        """Rows came since the last comparison."""
        self.shown: Levels = {}
        self.last_price: Decimal | None = None
        self.traded = False
        self.candle_changed = False
        self._prices: dict[int, str] = {}

    def price(self, ticks: int) -> str:
        known = self._prices.get(ticks)
        if known is None:
            known = self._prices[ticks] = text(ticks * self.listed.spec.tick)
        return known


class Publisher:
    """Listens to the venue and writes to connections."""

    def __init__(
        self, running: RunningVenue, desk: OrderDesk, money: MoneyBook, face: SocketFace, quirks: Quirks
    ) -> None:
        self._running = running
        self._venue = running.venue
        self._desk = desk
        self._money = money
        self._face = face
        self._quirks = quirks
        self._feeds = [_ProductFeed(listed) for listed in desk.listing]
        self._by_symbol = {feed.listed.symbol: feed for feed in self._feeds}
        self._by_id = {feed.listed.product_id: feed for feed in self._feeds}
        self._next: dict[str, int] = defaultdict(int)
        self._moved: set[int] = set()
        """Accounts whose money moved."""
        face.greet_with(self.greet)
        desk.listen(self.on_order)
        running.listen(self)
        running.watched_by(lambda: bool(face.connections))

    # the market

    def on_rows(self, rows: Rows, trades: Mapping[str, list[Trade]]) -> None:
        for symbol, found in trades.items():
            feed = self._by_symbol[symbol]
            feed.trades.extend(found)
            feed.traded = feed.candle_changed = True
        kinds = rows["kind"]
        for feed in self._feeds:
            ours = rows["product"] == feed.listed.index
            if (ours & ((kinds == QUOTE) | (kinds == BAR))).any():
                feed.resnapshot = feed.resnapshot or not feed.compared
                feed.compared = feed.candle_changed = feed.moved = True
            elif (ours & (kinds == CLEAR)).any():
                feed.resnapshot = True
            elif self._face.connections:
                self._levels(feed, rows[ours & (kinds == LEVEL)])

    def _levels(self, feed: _ProductFeed, rows: Rows) -> None:
        """Level rows as one update; of several for one price the last."""
        connections = self._face.subscribers("level2", feed.listed.product_id) if len(rows) else []
        if not connections:
            return
        last: dict[tuple[int, int], tuple[int, int]] = {}
        fields = (rows["side"].tolist(), rows["a"].tolist(), rows["b"].tolist(), rows["ts"].tolist())
        for side, ticks, lots, at_ns in zip(*fields, strict=True):
            last[side, ticks] = (lots, at_ns)
        increment = feed.listed.base_increment
        updates = ",".join(
            f'{{"side":"{"bid" if side > 0 else "offer"}","event_time":"{stamp(at_ns)}",'
            f'"price_level":"{feed.price(ticks)}","new_quantity":"{text(lots * increment)}"}}'
            for (side, ticks), (lots, at_ns) in last.items()
        )
        self._send_book(connections, feed, "update", updates)

    def _send_book(self, connections: Iterable[Connection], feed: _ProductFeed, kind: str, updates: str) -> None:
        events = f'[{{"type":"{kind}","product_id":"{feed.listed.product_id}","updates":[{updates}]}}]'
        for connection in connections:
            connection.send("level2", events)

    def on_time(self, now_ns: int) -> None:
        if self._face.connections:
            self._tell_market(now_ns)
            for account in sorted(self._moved):
                self._tell_money(account)
        else:
            for feed in self._feeds:
                feed.trades.clear()
        self._moved.clear()

    def _tell_market(self, now_ns: int) -> None:
        modelled = self._due("book", now_ns, MODELLED_NS)
        trades, candles = self._due("trades", now_ns, BATCH_NS), self._due("candles", now_ns, CANDLE_NS)
        batch = self._due("ticker_batch", now_ns, TICKER_BATCH_NS)
        for feed in self._feeds:
            self._tell_book(feed, modelled=modelled)
            if feed.traded or (feed.compared and self._venue.last_price(feed.listed.symbol) != feed.last_price):
                feed.traded = False
                feed.last_price = self._venue.last_price(feed.listed.symbol)
                self._tell_ticker(feed, "ticker", "update")
            if trades and feed.trades:
                self._tell_trades(feed)
            if candles and feed.candle_changed:
                feed.candle_changed = False
                self._tell_candles(feed, self._face.subscribers("candles", feed.listed.product_id), "update", 1)
            if batch:
                self._tell_ticker(feed, "ticker_batch", "update")

    def _due(self, name: str, now_ns: int, every_ns: int) -> bool:
        if now_ns < self._next[name]:
            return False
        self._next[name] = now_ns // every_ns * every_ns + every_ns
        return True

    def _tell_book(self, feed: _ProductFeed, *, modelled: bool) -> None:
        connections = self._face.subscribers("level2", feed.listed.product_id)
        if not connections:
            feed.resnapshot = False
        elif feed.resnapshot:
            feed.resnapshot = False
            self._snapshot_book(connections, feed)
        elif feed.compared:
            if (modelled and feed.moved) or feed.touched:
                feed.moved = False
                self._compare_book(connections, feed)
        elif feed.touched:
            levels = self._levels_now(feed.listed, DEPTH_MAX)
            taken = {key: levels.get(key, ZERO) for key in sorted(feed.touched)}
            self._send_book(connections, feed, "update", self._updates(feed.listed, taken))
        feed.touched.clear()

    def _levels_now(self, listed: Listed, depth: int) -> Levels:
        book = self._venue.book(listed.symbol, depth)
        if book is None or listed.symbol in self._quirks.sessions_closed:
            return {}
        return {
            **{("bid", price): size for price, size in book.bids},
            **{("offer", price): size for price, size in book.asks},
        }

    def _compare_book(self, connections: list[Connection], feed: _ProductFeed) -> None:
        now = self._levels_now(feed.listed, MODELLED_DEPTH)
        changed = {key: size for key, size in now.items() if feed.shown.get(key) != size}
        changed.update({key: ZERO for key in feed.shown if key not in now})
        feed.shown = now
        if changed:
            self._send_book(connections, feed, "update", self._updates(feed.listed, changed))

    def _snapshot_book(self, connections: list[Connection], feed: _ProductFeed) -> None:
        if feed.compared:  # all listeners compare with one book
            others = self._face.subscribers("level2", feed.listed.product_id)
            self._compare_book([each for each in others if each not in connections], feed)
            levels = feed.shown
        else:
            levels = self._levels_now(feed.listed, DEPTH_MAX)
        self._send_book(connections, feed, "snapshot", self._updates(feed.listed, levels))

    def _updates(self, listed: Listed, levels: Mapping[tuple[str, Decimal], Decimal]) -> str:
        at = stamp(self._running.now_ns)
        return ",".join(
            f'{{"side":"{side}","event_time":"{at}","price_level":"{text(price)}",'
            f'"new_quantity":"{text(listed.contracts(size))}"}}'
            for (side, price), size in levels.items()
        )

    def _tell_ticker(self, feed: _ProductFeed, channel: str, kind: str, only: Connection | None = None) -> None:
        connections = [only] if only is not None else self._face.subscribers(channel, feed.listed.product_id)
        if not connections:
            return
        ticker = self._ticker(feed.listed)
        if channel == "ticker_batch":
            ticker = {name: value for name, value in ticker.items() if not name.startswith("best_")}
        events = msgspec.json.encode([{"type": kind, "tickers": [ticker]}])
        for connection in connections:
            connection.send(channel, events)

    def _ticker(self, listed: Listed) -> Json:
        symbol = listed.symbol
        day = self._running.history.day(symbol, self._running.now_ns)
        last = self._venue.last_price(symbol)
        book = None if symbol in self._quirks.sessions_closed else self._venue.book(symbol, 1)
        bid, ask = best(book)
        low, high = (price_text(day.low), price_text(day.high)) if day else ("", "")
        change = (last - day.open) / day.open * 100 if day and last and day.open else ZERO
        return {
            "type": "ticker",
            "product_id": listed.product_id,
            "price": price_text(last),
            "volume_24_h": text(listed.contracts(day.volume)) if day else "0",
            "low_24_h": low,
            "high_24_h": high,
            "low_52_w": low,
            "high_52_w": high,
            "price_percent_chg_24_h": text(round(change, 8)),
            "best_bid": price_text(bid),
            "best_bid_quantity": text(listed.contracts(book.bids[0][1])) if book and book.bids else "",
            "best_ask": price_text(ask),
            "best_ask_quantity": text(listed.contracts(book.asks[0][1])) if book and book.asks else "",
        }

    def _tell_trades(self, feed: _ProductFeed) -> None:
        found, feed.trades = feed.trades, []
        connections = self._face.subscribers("market_trades", feed.listed.product_id)
        if not connections:
            return
        rows = [trade_json(feed.listed, trade) for trade in reversed(found)]
        events = msgspec.json.encode([{"type": "update", "trades": rows}])
        for connection in connections:
            connection.send("market_trades", events)

    def _tell_candles(self, feed: _ProductFeed, connections: list[Connection], kind: str, count: int) -> None:
        if not connections:
            return
        now = self._running.now_ns // NS
        candles = self._running.history.candles(feed.listed.symbol, CANDLE_SECONDS, 0, now, count)
        rows = [{**candle_json(feed.listed, candle), "product_id": feed.listed.product_id} for candle in candles]
        events = msgspec.json.encode([{"type": kind, "candles": rows}])
        for connection in connections:
            connection.send("candles", events)

    # accounts

    def on_news(self, news: News) -> None:
        if isinstance(news, FillNews):
            self._moved.add(news.account)
            if news.liquidity is Liquidity.TAKER:
                side = "offer" if news.side is Side.BUY else "bid"
                self._by_symbol[news.symbol].touched.add((side, news.price))
        elif isinstance(news, FundingNews):
            self._moved.add(news.account)
        elif isinstance(news, StatusNews):
            feed = self._by_symbol[news.symbol]
            feed.moved = True
            self._tell_status(feed)

    def _tell_status(self, feed: _ProductFeed) -> None:
        events = msgspec.json.encode([{"type": "update", "products": [status_json(feed.listed)]}])
        for connection in self._face.subscribers("status", feed.listed.product_id):
            connection.send("status", events)

    def on_order(self, order: WireOrder) -> None:
        self._moved.add(order.account)
        connections = [
            connection
            for connection in self._face.of_account("user", order.account)
            if connection.wants("user", order.listed.product_id)
        ]
        if connections:
            events = self._user_events("update", [order], order.account)
            for connection in connections:
                connection.send("user", events)

    def _user_events(self, kind: str, orders: Sequence[WireOrder], account: int) -> bytes:
        positions: Json = {"perpetual_futures_positions": [], "expiring_futures_positions": []}
        if self._quirks.positions_on_wire:
            positions["expiring_futures_positions"] = [
                {
                    "product_id": holding.listed.product_id,
                    "side": "LONG" if holding.contracts > 0 else "SHORT",
                    "number_of_contracts": text(abs(holding.contracts)),
                    "realized_pnl": "0",
                    "unrealized_pnl": text(round(holding.unrealised, 8)),
                    "entry_price": text(round(holding.position.entry_price, 8)),
                }
                for holding in self._money.holdings(account)
            ]
        rows = [user_order_json(order) for order in orders]
        return msgspec.json.encode([{"type": kind, "orders": rows, "positions": positions}])

    def _tell_money(self, account: int) -> None:
        connections = self._face.of_account("futures_balance_summary", account)
        if connections:
            events = self._money_events("update", account)
            for connection in connections:
                connection.send("futures_balance_summary", events)

    def _money_events(self, kind: str, account: int) -> bytes:
        return msgspec.json.encode([{"type": kind, "fcm_balance_summary": self._money.balance_text(account)}])

    # snapshots

    def greet(self, connection: Connection, channel: str, product_ids: Sequence[str]) -> None:
        """The first frames of a subscription."""
        if channel == "user":
            self._greet_user(connection)
        elif channel == "futures_balance_summary" and connection.account is not None:
            connection.send(channel, self._money_events("snapshot", connection.account))
        elif channel == "status":
            products = [status_json(self._by_id[each].listed) for each in product_ids or self._by_id]
            connection.send(channel, msgspec.json.encode([{"type": "snapshot", "products": products}]))
        else:
            for product_id in product_ids:
                self._greet_market(connection, channel, self._by_id.get(product_id))

    def _greet_market(self, connection: Connection, channel: str, feed: _ProductFeed | None) -> None:
        if feed is None:
            return
        if channel == "level2":
            self._snapshot_book([connection], feed)
        elif channel in {"ticker", "ticker_batch"}:
            self._tell_ticker(feed, channel, "snapshot", connection)
        elif channel == "market_trades":
            trades = self._running.history.trades(feed.listed.symbol, TRADES_SNAPSHOT)
            rows = [trade_json(feed.listed, trade) for trade in trades]
            connection.send(channel, msgspec.json.encode([{"type": "snapshot", "trades": rows}]))
        elif channel == "candles":
            self._tell_candles(feed, [connection], "snapshot", CANDLES_SNAPSHOT)

    def _greet_user(self, connection: Connection) -> None:
        """Open orders, fifty a message; the message with fewer ends the snapshot."""
        if connection.account is None:
            return
        orders = [
            order
            for order in self._desk.by_account[connection.account]
            if not order.ended and self._desk.shows(order) and connection.wants("user", order.listed.product_id)
        ]
        for first in range(0, len(orders) + 1, ORDERS_A_BATCH):
            batch = orders[first : first + ORDERS_A_BATCH]
            connection.send("user", self._user_events("snapshot", batch, connection.account))
