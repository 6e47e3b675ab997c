"""Orders over REST: place, preview, edit, cancel, look up, list, and the trades they made."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Final

from gpt_trader.core.values import ZERO, Side
from gpt_trader.venue.wire.admission import Placed
from gpt_trader.venue.wire.calls import ApiError, Call, Endpoint, cursor_page
from gpt_trader.venue.wire.desk import OrderDesk
from gpt_trader.venue.wire.formats import Json, stamp_ns, text
from gpt_trader.venue.wire.orders import WireFill, WireOrder, fill_json, order_json
from gpt_trader.venue.wire.preview import Preview
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.reasons import Rejection
from gpt_trader.venue.wire.running import RunningVenue

__all__ = ["OrderCalls"]

ORDERS_MAX: Final = 1000
FILLS_MAX: Final = 1000
PAGE_DEFAULT: Final = 100
CANCELS_MAX: Final = 100
CLIENT_ID_MAX: Final = 128
NEVER: Final = 1 << 63
FILL_TIMES: Final = ("start_sequence_timestamp", "end_sequence_timestamp")


class OrderCalls:
    """Endpoints below `/orders`."""

    def __init__(self, running: RunningVenue, desk: OrderDesk, preview: Preview, quirks: Quirks) -> None:
        self._running = running
        self._desk = desk
        self._preview = preview
        self._quirks = quirks

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("POST", "/orders", self.create, "trade"),
            Endpoint("POST", "/orders/preview", self.preview),
            Endpoint("POST", "/orders/edit", self.edit, "trade"),
            Endpoint("POST", "/orders/edit_preview", self.edit_preview),
            Endpoint("POST", "/orders/batch_cancel", self.cancel, "trade"),
            Endpoint("POST", "/orders/close_position", self.close_position, "trade"),
            Endpoint("GET", "/orders/historical/batch", self.orders),
            Endpoint("GET", "/orders/historical/fills", self.fills),
            Endpoint("GET", "/orders/historical/{order_id}", self.order),
        ]

    async def create(self, call: Call) -> Json:
        placed = self._placed(call)
        if not 0 < len(placed.client_order_id) <= CLIENT_ID_MAX:
            raise ApiError(400, "INVALID_ARGUMENT", f"client_order_id of 1 to {CLIENT_ID_MAX} characters is required")
        return await self._place(call, placed)

    async def _place(self, call: Call, placed: Placed) -> Json:
        configuration = placed.configuration
        shown = configuration if isinstance(configuration, dict) and not self._quirks.live else None
        try:
            order = await self._desk.create(call.key, placed, heard=call.heard)
        except Rejection as rejection:
            return {"success": False, "error_response": rejection.body(), "order_configuration": shown or {}}
        body: Json = {
            "success": True,
            "success_response": {
                "order_id": order.order_id,
                "product_id": order.listed.product_id,
                "side": order.side.value,
                "client_order_id": order.client_order_id,
                "attached_order_id": order.attached_order_id,
            },
            "order_configuration": None if self._quirks.live else order.configuration,
        }
        if self._quirks.live:
            body |= {"failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": order.order_id}
        return body

    async def preview(self, call: Call) -> Json:
        return self._preview.of(call.key, self._placed(call))

    async def edit(self, call: Call) -> Json:
        price, size, stop = self._changes(call)
        reason = self._desk.edit_refusal(call.key, call.body.get("order_id"), price, size, stop)
        if reason:
            failure = {"edit_failure_reason": reason, "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON"}
            return {"success": False, "errors": [failure]}
        order_id = call.text("order_id")
        self._desk.edit(order_id, price, size, stop)
        return {"success": True, "success_response": {"order_id": order_id}, "errors": []}

    async def edit_preview(self, call: Call) -> Json:
        price, size, stop = self._changes(call)
        reason = self._desk.edit_refusal(call.key, call.body.get("order_id"), price, size, stop)
        order = self._desk.orders.get(call.text("order_id"))
        if order is None or reason == "ORDER_NOT_FOUND":
            return {"errors": [{"edit_failure_reason": reason}], "slippage": "0", "order_total": "0"}
        ((name, fields),) = order.configuration.items()
        assert isinstance(fields, dict)
        changed = {name: {**fields, "base_size": text(size), "limit_price": text(price)}}
        found = self._preview.of(
            call.key, Placed("", order.listed.product_id, order.side.value, changed, source="edit")
        )
        names = ("slippage", "order_total", "commission_total", "quote_size", "base_size", "best_bid", "best_ask")
        errors = [{"edit_failure_reason": reason}] if reason else []
        average = found.get("est_average_filled_price", "0")
        return {"errors": errors, **{name: found.get(name, "0") for name in names}, "average_filled_price": average}

    def _changes(self, call: Call) -> tuple[Decimal, Decimal, Decimal | None]:
        price, size = call.number("price"), call.number("size")
        if price is None or size is None:
            raise ApiError(400, "INVALID_ARGUMENT", "price and size are required")
        return price, size, call.number("stop_price")

    async def cancel(self, call: Call) -> Json:
        order_ids = call.body.get("order_ids")
        if not isinstance(order_ids, list) or not order_ids:
            raise ApiError(400, "INVALID_ARGUMENT", "order_ids is required")
        if len(order_ids) > CANCELS_MAX:
            raise ApiError(400, "INVALID_ARGUMENT", f"at most {CANCELS_MAX} order_ids in one request")
        self._running.catch_up()
        results = []
        for order_id in order_ids:
            reason = self._desk.cancel(call.key, order_id)
            results.append(
                {
                    "success": not reason,
                    "failure_reason": reason or "UNKNOWN_CANCEL_FAILURE_REASON",
                    "order_id": order_id,
                }
            )
        return {"results": results}

    async def close_position(self, call: Call) -> Json:
        """A market order against the position: of `size` contracts, or all of it."""
        self._running.catch_up()
        product_id, client_order_id = call.text("product_id"), call.text("client_order_id")
        listed = self._desk.listing.get(product_id)
        if listed is None:
            raise ApiError(400, "INVALID_ARGUMENT", "valid product_id is required")
        if not client_order_id:
            raise ApiError(400, "INVALID_ARGUMENT", "client_order_id is required")
        held = {position.symbol: position.quantity for position in self._running.venue.positions(call.key.account)}
        contracts = listed.contracts(held.get(listed.symbol, ZERO))
        size = call.number("size") or abs(contracts)
        if not contracts or size > abs(contracts):
            reason = "REDUCE_ONLY_INCREASED_POSITION_SIZE" if contracts else "CANNOT_CLOSE_ZERO_POSITION"
            refusal = Rejection(reason, "the position is smaller than the size" if contracts else "no open position")
            return {"success": False, "error_response": refusal.body(), "order_configuration": {}}
        side = Side.SELL if contracts > 0 else Side.BUY
        configuration: Json = {"market_market_ioc": {"base_size": text(size)}}
        return await self._place(
            call, Placed(client_order_id, product_id, side.value, configuration, source="close_position")
        )

    async def order(self, call: Call) -> Json:
        order = self._desk.orders.get(call.path["order_id"])
        if order is None or order.account != call.key.account or not self._sees(call, order):
            raise ApiError(404, "unknown", "order with this orderID was not found")
        return {"order": self._order(order)}

    def _sees(self, call: Call, order: WireOrder) -> bool:
        return order.created_ns <= self._seen_until(call) and self._desk.shows(order)

    def _seen_until(self, call: Call) -> int:
        """What was made later is not shown to this read."""
        return self._running.now_ns - call.lag_ns

    async def orders(self, call: Call) -> Json:
        """Newest first."""
        until_ns, wanted = self._seen_until(call), _wanted(call)
        found = [
            order
            for order in reversed(self._desk.by_account[call.key.account])
            if order.created_ns <= until_ns and wanted(order) and self._desk.shows(order)
        ]
        limit = call.whole("limit", ORDERS_MAX, ORDERS_MAX)
        first, last, cursor = cursor_page(len(found), call.one("cursor"), limit)
        return {
            "orders": [self._order(order) for order in found[first:last]],
            "has_next": bool(cursor),
            "sequence": "0",
            "cursor": cursor,
        }

    async def fills(self, call: Call) -> Json:
        """Newest first; the cursor counts from the first trade, so that new ones do not move the pages."""
        until_ns, wanted = self._seen_until(call), _wanted_fill(call)
        known, (start_ns, _) = self._desk.fills[call.key.account], _span(call, *FILL_TIMES)
        first = bisect_left(known, start_ns, key=attrgetter("at_ns"))
        fills = [fill for fill in known[first:] if fill.at_ns <= until_ns and wanted(fill)]
        limit = call.whole("limit", PAGE_DEFAULT, FILLS_MAX)
        cursor = call.one("cursor")
        count = len(fills)
        _, below, _ = cursor_page(count, "0", int(cursor) if cursor.isdigit() else count)
        first = max(0, below - limit)
        return {
            "fills": [fill_json(fill) for fill in reversed(fills[first:below])],
            "cursor": str(first) if first else "",
        }

    def _order(self, order: WireOrder) -> Json:
        body = order_json(order)
        if self._quirks.live:
            body["edit_history"] = list(order.edits) or None
        return body

    def _placed(self, call: Call) -> Placed:
        return Placed(
            client_order_id=call.text("client_order_id"),
            product_id=call.text("product_id"),
            side=call.text("side"),
            configuration=call.body.get("order_configuration"),
            leverage=call.text("leverage"),
            margin_type=call.text("margin_type"),
            reduce_only=call.body.get("reduce_only") in (True, "true", "True"),
            attached=bool(call.body.get("attached_order_configuration")),
        )


FILTERS: Final[Mapping[str, Callable[[WireOrder], str]]] = {
    "order_ids": lambda order: order.order_id,
    "product_ids": lambda order: order.listed.product_id,
    "time_in_forces": lambda order: order.terms.time_in_force,
    "order_types": lambda order: "LIQUIDATION" if order.liquidation else order.terms.order_type,
    "order_side": lambda order: order.side.value,
}
"""Query parameter -> what it is compared with."""


def _wanted(call: Call) -> Callable[[WireOrder], bool]:
    """Which orders were asked for."""
    statuses = frozenset(call.many("order_status"))
    filters = [(value, frozenset(wanted)) for name, value in FILTERS.items() if (wanted := call.many(name))]
    ours = call.one("product_type") in ("", "FUTURE", "UNKNOWN_PRODUCT_TYPE") and call.one("contract_expiry_type") in (
        "",
        "EXPIRING",
        "UNKNOWN_CONTRACT_EXPIRY_TYPE",
    )
    start_ns, end_ns = _span(call, "start_date", "end_date")
    until_ns = end_ns if ours else start_ns

    def wanted_one(order: WireOrder) -> bool:
        return (
            (not statuses or order.status in statuses)
            and start_ns <= order.created_ns < until_ns
            and all(value(order) in wanted for value, wanted in filters)
        )

    return wanted_one


def _wanted_fill(call: Call) -> Callable[[WireFill], bool]:
    """Which trades were asked for."""
    order_ids = frozenset(call.many("order_ids") + call.many("order_id"))
    product_ids = frozenset(call.many("product_ids") + call.many("product_id"))
    trade_ids = frozenset(call.many("trade_ids"))
    start_ns, end_ns = _span(call, *FILL_TIMES)

    def wanted_one(fill: WireFill) -> bool:
        return (
            start_ns <= fill.at_ns < end_ns
            and (not order_ids or fill.order.order_id in order_ids)
            and (not product_ids or fill.order.listed.product_id in product_ids)
            and (not trade_ids or str(fill.trade_number) in trade_ids)
        )

    return wanted_one


def _span(call: Call, start_name: str, end_name: str) -> tuple[int, int]:
    """From the start, up to but not at the end."""
    found = []
    for name, default_ns in ((start_name, 0), (end_name, NEVER)):
        written = call.one(name)
        at_ns = stamp_ns(written) if written else default_ns
        if at_ns is None:
            raise ApiError(400, "INVALID_ARGUMENT", f"{name} must be an RFC 3339 time")
        found.append(at_ns)
    return found[0], found[1]
