"""What can be asked of Coinbase? Its REST endpoints, each with the meaning of its answer.

A list is complete or the call raises. `success` alone decides whether an order was taken.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from gpt_trader.core.errors import (
    InsufficientBalanceError,
    InvalidOrderError,
    OrderNotFoundError,
    OutcomeUnknownError,
    VenueUnavailableError,
)
from gpt_trader.core.values import Purpose
from gpt_trader.exchange.base import PreparedOrder
from gpt_trader.exchange.coinbase.bodies import preview_of
from gpt_trader.exchange.coinbase.decoding import needed
from gpt_trader.exchange.coinbase.products import FeeRates
from gpt_trader.exchange.coinbase.replies import (
    AccountsReply,
    BalanceReply,
    BalanceSummary,
    CancelReply,
    Candle,
    CandlesReply,
    CreateReply,
    FeesReply,
    Fill,
    FillsReply,
    KeyPermissions,
    MarginSetting,
    MarginWindowReply,
    Order,
    OrderReply,
    OrdersReply,
    Position,
    PositionsReply,
    PreviewReply,
    Product,
    ProductsReply,
    TimeReply,
    Trade,
    TradesReply,
    Wallet,
)
from gpt_trader.exchange.coinbase.transport import Transport

__all__ = ["CANDLES_MAX", "TRADES_MAX", "CoinbaseRest"]

PAGE: Final = 100
PAGES_MAX: Final = 200
CANDLES_MAX: Final = 350
TRADES_MAX: Final = 1000
LIVING: Final = (("PENDING", "QUEUED"), ("OPEN",), ("EDIT_QUEUED", "CANCEL_QUEUED"))
"""In the order in which an order passes through them: one that moves on between two reads is seen in the later.
The venue does not pair OPEN with others."""
NO_FUNDS: Final = frozenset({"INSUFFICIENT_FUND", "INSUFFICIENT_FUNDS"})
DUPLICATE: Final = "DUPLICATE_CLIENT_ORDER_ID"
UNKNOWN_ORDER: Final = "UNKNOWN_CANCEL_ORDER"
ALREADY_ASKED: Final = "DUPLICATE_CANCEL_REQUEST"


class CoinbaseRest:
    """Raises ExchangeError; see Transport for what each kind proves."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def close(self) -> None:
        self._transport.close()

    # orders

    def get_ready(self, prepared: PreparedOrder) -> None:
        """`create` will probably follow."""
        self._transport.get_ready("/orders", json.loads(prepared.body))

    async def create(self, prepared: PreparedOrder) -> str:
        """Place the order; returns the venue's id of it. The same id and body again return the order that exists.

        Raises InvalidOrderError and InsufficientBalanceError when it was refused, RateLimitError and
        VenueUnavailableError when it surely was not placed, OutcomeUnknownError for anything else.
        """
        ticket = prepared.ticket
        reply = await self._transport.post(
            "/orders", json.loads(prepared.body), CreateReply, urgent=ticket.purpose is Purpose.EXIT
        )
        if not reply.success:
            raise _refused(ticket.client_order_id, reply)
        accepted = reply.success_response
        venue_order_id = (accepted.order_id if accepted else "") or reply.order_id or ""
        theirs = accepted.client_order_id if accepted else ""
        if not venue_order_id or theirs not in ("", ticket.client_order_id):
            raise OutcomeUnknownError(f"{ticket.client_order_id}: accepted as {theirs!r} with id {venue_order_id!r}")
        return venue_order_id

    async def preview(self, prepared: PreparedOrder) -> PreviewReply:
        return await self._transport.ask("/orders/preview", preview_of(prepared), PreviewReply)

    async def cancel(self, venue_order_id: str) -> None:
        """Ask for a cancel; to have asked before is no error. Returning proves only that the venue took the request.

        Raises OrderNotFoundError, and InvalidOrderError with the venue's reason.
        """
        reply = await self._transport.post(
            "/orders/batch_cancel", {"order_ids": [venue_order_id]}, CancelReply, urgent=True
        )
        results = {result.order_id: result for result in reply.results}
        result = results.get(venue_order_id)
        if result is None:
            raise OutcomeUnknownError(f"cancel of {venue_order_id}: the venue says nothing of it")
        reason = result.failure_reason or ""
        if result.success or reason == ALREADY_ASKED:
            return
        if reason == UNKNOWN_ORDER:
            raise OrderNotFoundError(f"cancel of {venue_order_id}: {reason}")
        raise InvalidOrderError(f"cancel of {venue_order_id}: {reason}", reason)

    async def order(self, venue_order_id: str) -> Order:
        """Raises OrderNotFoundError."""
        return (await self._transport.get(f"/orders/historical/{venue_order_id}", OrderReply)).order

    async def open_orders(self) -> tuple[Order, ...]:
        """Everything that may still trade, also what is pending or being cancelled."""
        found: dict[str, Order] = {}
        for statuses in LIVING:
            found.update({order.order_id: order for order in await self._orders(statuses)})
        return tuple(found.values())

    async def _orders(self, statuses: Sequence[str]) -> list[Order]:
        return await self._pages({"order_status": list(statuses)})

    async def orders_since(self, since: str) -> list[Order]:
        """Every order made since then (RFC 3339), whatever became of it."""
        return await self._pages({"start_date": since})

    async def _pages(self, wanted: dict[str, object]) -> list[Order]:
        found: list[Order] = []
        query: dict[str, object] = {**wanted, "product_type": "FUTURE", "limit": PAGE}
        for _ in range(PAGES_MAX):
            reply = await self._transport.get("/orders/historical/batch", OrdersReply, query)
            found += reply.orders
            if not reply.has_next:
                return found
            query = {**query, "cursor": _next(reply.cursor, query, "orders")}
        raise VenueUnavailableError(f"orders: more than {PAGES_MAX} pages")

    async def fills(self, since: str = "") -> tuple[Fill, ...]:
        """Every fill from `since` (RFC 3339; empty is the beginning of what the venue keeps), oldest first."""
        return await self._fill_pages({"start_sequence_timestamp": since or None})

    async def _fill_pages(self, wanted: dict[str, object]) -> tuple[Fill, ...]:
        found: list[Fill] = []
        query: dict[str, object] = {**wanted, "limit": PAGE}
        for _ in range(PAGES_MAX):
            reply = await self._transport.get("/orders/historical/fills", FillsReply, query)
            found += reply.fills
            if not reply.cursor:
                return tuple(reversed(found))
            query = {**query, "cursor": _next(reply.cursor, query, "fills")}
        raise VenueUnavailableError(f"fills: more than {PAGES_MAX} pages")

    async def fills_of(self, venue_order_id: str) -> tuple[Fill, ...]:
        """Every fill of one order, oldest first."""
        return await self._fill_pages({"order_ids": [venue_order_id]})

    # account and products

    async def balance(self) -> BalanceSummary:
        return (await self._transport.get("/cfm/balance_summary", BalanceReply)).balance_summary

    async def positions(self) -> tuple[Position, ...]:
        return tuple((await self._transport.get("/cfm/positions", PositionsReply)).positions)

    async def wallets(self) -> tuple[Wallet, ...]:
        """Every currency of the account; the money behind futures is part of the balance."""
        found: list[Wallet] = []
        query: dict[str, object] = {"limit": PAGE}
        for _ in range(PAGES_MAX):
            reply = await self._transport.get("/accounts", AccountsReply, query)
            found += reply.accounts
            if not reply.has_next:
                return tuple(found)
            query = {**query, "cursor": _next(reply.cursor, query, "accounts")}
        raise VenueUnavailableError(f"accounts: more than {PAGES_MAX} pages")

    async def fee_rates(self) -> FeeRates:
        """Of the account's tier for futures."""
        tier = (await self._transport.get("/transaction_summary", FeesReply, {"product_type": "FUTURE"})).fee_tier
        return FeeRates(
            maker=needed(tier.maker_fee_rate, "maker_fee_rate"), taker=needed(tier.taker_fee_rate, "taker_fee_rate")
        )

    async def futures(self) -> tuple[Product, ...]:
        """Every future, perpetual or dated."""
        return tuple((await self._transport.get("/products", ProductsReply, {"product_type": "FUTURE"})).products)

    async def margin_setting(self) -> str:
        return (await self._transport.get("/cfm/intraday/margin_setting", MarginSetting)).setting

    async def margin_window(self) -> MarginWindowReply:
        query: dict[str, object] = {"margin_profile_type": "MARGIN_PROFILE_TYPE_RETAIL_INTRADAY_MARGIN_1"}
        return await self._transport.get("/cfm/intraday/current_margin_window", MarginWindowReply, query)

    async def key_permissions(self) -> KeyPermissions:
        return await self._transport.get("/key_permissions", KeyPermissions)

    # what needs no key

    async def time_ns(self) -> int:
        """The venue's clock, in nanoseconds since the epoch."""
        return int((await self._transport.get("/time", TimeReply)).epochMillis) * 1_000_000

    async def listed_futures(self) -> tuple[Product, ...]:
        """Every future, perpetual or dated."""
        reply = await self._transport.get("/market/products", ProductsReply, {"product_type": "FUTURE"})
        return tuple(reply.products)

    async def listed(self, product_ids: Sequence[str]) -> tuple[Product, ...]:
        """These products alone, as they are now."""
        query = {"product_type": "FUTURE", "product_ids": list(product_ids)}
        return tuple((await self._transport.get("/market/products", ProductsReply, query)).products)

    async def candles(self, product_id: str, granularity: str, start: int, end: int) -> tuple[Candle, ...]:
        """Those that begin from `start` to `end`, seconds since the epoch, oldest first; at most CANDLES_MAX.

        A candle without a trade is left out by the venue.
        """
        query = {"start": str(start), "end": str(end), "granularity": granularity, "limit": CANDLES_MAX}
        reply = await self._transport.get(f"/market/products/{product_id}/candles", CandlesReply, query)
        return tuple(sorted(reply.candles, key=lambda candle: int(candle.start)))

    async def trades(self, product_id: str, start: int, end: int) -> tuple[Trade, ...]:
        """From `start` to `end`, seconds since the epoch, newest first; the newest TRADES_MAX where there are more."""
        query = {"start": str(start), "end": str(end), "limit": TRADES_MAX}
        reply = await self._transport.get(f"/market/products/{product_id}/ticker", TradesReply, query)
        return tuple(reply.trades)


def _refused(
    client_order_id: str, reply: CreateReply
) -> InvalidOrderError | InsufficientBalanceError | OutcomeUnknownError:
    refusal = reply.error_response
    reason = (refusal and (refusal.new_order_failure_reason or refusal.error)) or reply.failure_reason or ""
    said = (refusal and (refusal.message or refusal.error_details)) or ""
    text = f"{client_order_id}: {reason or 'refused without a reason'} {said}".rstrip()
    if reason == DUPLICATE:  # an order of this id is there: ours, from an attempt whose reply was lost
        return OutcomeUnknownError(text)
    return InsufficientBalanceError(text) if reason in NO_FUNDS else InvalidOrderError(text, reason)


def _next(cursor: str | None, query: dict[str, object], what: str) -> str:
    """A page that leads to itself would be read for ever."""
    if not cursor or cursor == query.get("cursor"):
        raise VenueUnavailableError(f"{what}: the next page has no cursor of its own")
    return cursor
