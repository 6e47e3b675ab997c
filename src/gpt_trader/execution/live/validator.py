"""Would the baseline send this? Venue rules, expected slippage, and the venue's own preview where it is enabled."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Number, Refusal, Refused, Stage
from gpt_trader.core.order_rules import (
    check_price_band,
    check_stop_side,
    floor_to_lot,
    round_price,
    round_stop_price,
)
from gpt_trader.core.values import (
    Candidate,
    NormalizedOrderRequest,
    OrderRequest,
    OrderType,
    Purpose,
    Snapshot,
    TimeInForce,
)
from gpt_trader.execution.handlers.validation import check_freshness
from gpt_trader.execution.live.preview import VenuePreview
from gpt_trader.risk.impact import levels_taken, walk_book

__all__ = ["OrderValidator"]

TIMES_IN_FORCE: Final = frozenset({TimeInForce.GTC, TimeInForce.IOC})
"""The baseline stays small; the advanced engine has the full table."""


class OrderValidator:
    """Furniture of LiveExecutionEngine. `slippage_multipliers` multiply the *expected* slippage of a symbol."""

    def __init__(
        self,
        *,
        config: RiskConfig,
        clock: Clock,
        slippage_multipliers: Mapping[str, Decimal],
        preview: VenuePreview | None = None,
    ) -> None:
        """Without `preview` the venue is not asked."""
        self._config = config
        self._clock = clock
        self._slippage_multipliers = slippage_multipliers
        self._preview = preview

    async def validate(self, candidate: Candidate) -> NormalizedOrderRequest:
        snapshot = candidate.snapshot
        order = self._on_grid(candidate.order, snapshot)
        self._check_offer(order)
        self._check_prices(order, snapshot)
        trace = self._check_slippage(order, snapshot)
        if order.target_price is not None and order.purpose is Purpose.ENTRY:
            trace["target_kept"] = "no: this engine keeps stops only"
        if self._preview is not None:
            trace |= await self._check_preview(order, self._preview)
            check_freshness(order, snapshot, self._config, self._clock.now_ns())
        return NormalizedOrderRequest(order=order, snapshot=snapshot, trace=trace)

    @staticmethod
    def _on_grid(order: OrderRequest, snapshot: Snapshot) -> OrderRequest:
        tick = snapshot.product.tick
        limit, stop = order.limit_price, order.stop_price
        if limit is None and stop is None:
            return order
        return msgspec.structs.replace(
            order,
            limit_price=round_price(limit, tick, order.side) if limit is not None else None,
            stop_price=round_stop_price(stop, tick, order.side) if stop is not None else None,
        )

    @staticmethod
    def _check_offer(order: OrderRequest) -> None:
        if order.time_in_force not in TIMES_IN_FORCE:
            raise Refused(Stage.VALIDATION, Refusal.UNSUPPORTED_TIF, time_in_force=order.time_in_force.value)
        if order.post_only:
            raise Refused(Stage.VALIDATION, Refusal.UNSUPPORTED_ORDER_TYPE, post_only="true")
        if order.trailing_stop is not None:
            raise Refused(Stage.VALIDATION, Refusal.UNSUPPORTED_ORDER_TYPE, trailing_stop=order.trailing_stop)

    @staticmethod
    def _check_prices(order: OrderRequest, snapshot: Snapshot) -> None:
        mark, last = snapshot.market.mark, snapshot.market.last_price
        if order.limit_price is not None and mark is not None:
            check_price_band(order.limit_price, mark.price, snapshot.product)
        if order.stop_price is not None and last is not None:
            check_stop_side(order.side, order.stop_price, last)

    def _check_slippage(self, order: OrderRequest, snapshot: Snapshot) -> dict[str, Number]:
        """Cost of walking the book for the asked size, times the symbol's multiplier. Judges immediate entries; a
        guard of zero is off and needs no book."""
        if order.order_type is not OrderType.MARKET or not self._config.slippage_guard_bps:
            return {}
        product, book = snapshot.product, snapshot.market.book
        multiplier = self._slippage_multipliers.get(order.symbol, Decimal(1))
        quantity = max(product.lot, floor_to_lot(order.quantity, product.lot))
        walk = walk_book(order.side, quantity, book) if book is not None else None
        if book is None or walk is None:
            if order.purpose is Purpose.EXIT:
                return {"expected_slippage_bps": "unknown"}
            raise Refused(
                Stage.VALIDATION,
                Refusal.STALE_BOOK,
                book="missing" if book is None else "thinner than the order",
                quantity=order.quantity,
            )
        expected = walk.impact_bps * multiplier
        trace: dict[str, Number] = {
            "book_walk_bps": walk.impact_bps,
            "levels_taken": levels_taken(order.side, quantity, book),
            "book_mid": book.mid or "unknown",
            "slippage_multiplier": multiplier,
            "expected_slippage_bps": expected,
            "slippage_guard_bps": self._config.slippage_guard_bps,
        }
        if order.purpose is Purpose.ENTRY and expected > self._config.slippage_guard_bps:
            raise Refused(Stage.VALIDATION, Refusal.SLIPPAGE_GUARD, **trace)
        return trace

    @staticmethod
    async def _check_preview(order: OrderRequest, preview: VenuePreview) -> dict[str, Number]:
        """Errors refuse, warnings are recorded; silence refuses an entry and lets an exit go on."""
        answer = await preview.ask(order)
        if answer is None:
            if order.purpose is Purpose.ENTRY:
                raise Refused(
                    Stage.VALIDATION,
                    Refusal.PREVIEW_UNAVAILABLE,
                    preview_timeout_seconds=str(preview.timeout_seconds),
                )
            return {"preview": "unavailable"}
        if answer.errors:
            raise Refused(Stage.VALIDATION, Refusal.PREVIEW_REJECTED, errors=", ".join(answer.errors))
        trace: dict[str, Number] = {"preview": "passed"}
        if answer.warnings:
            trace["preview_warnings"] = ", ".join(answer.warnings)
        figures = {"preview_commission": answer.commission, "preview_margin": answer.margin}
        return trace | {name: value for name, value in figures.items() if value is not None}
