"""How much does the advanced engine want? Dynamic size, then the largest that stays under the impact cap.

Only entries are touched: an exit is neither enlarged nor shrunk here. Each of the two features has its own flag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Number, Refusal, Refused, Stage
from gpt_trader.core.order_rules import floor_to_lot
from gpt_trader.core.values import (
    BookView,
    NormalizedOrderRequest,
    OrderRequest,
    OrderType,
    Purpose,
    TimeInForce,
)
from gpt_trader.execution.handlers.risk import Sized
from gpt_trader.execution.handlers.validation import seconds
from gpt_trader.risk.impact import (
    Fit,
    fit,
    largest_under_square_root,
    largest_within_book,
    levels_taken,
    square_root_impact_bps,
    walk_book,
)
from gpt_trader.risk.sizing import Edge, SizingInputs, size_entry

__all__ = ["DynamicSizingHelper"]


SLICING: Final = ("twap", "iceberg")
"""Tactics that keep `slice_quantity_max`."""


def slicing_tactic(order: OrderRequest) -> str:
    """Which tactic works the order in slices: its own where that slices; TWAP for what wants to be filled, iceberg for
    a limit order that wants to rest; empty for what must go whole."""
    if order.tactic in SLICING:
        return order.tactic
    if order.order_type is OrderType.MARKET:
        return "twap" if order.time_in_force is TimeInForce.IOC else ""
    rests = order.order_type is OrderType.LIMIT and order.time_in_force is TimeInForce.GTC and not order.post_only
    if not rests:
        return ""
    return "twap" if order.tactic else "iceberg"


def _unrounded(request: NormalizedOrderRequest) -> Decimal:
    """What was asked before it was put on the lot grid: a size is rounded once, when it is final."""
    asked = request.trace.get("asked_quantity", request.order.quantity)
    assert isinstance(asked, Decimal)
    return asked


class DynamicSizingHelper:
    """Furniture of AdvancedExecutionEngine."""

    def __init__(
        self,
        *,
        config: RiskConfig,
        clock: Clock,
        dynamic_sizing: bool,
        impact_guard: bool,
        simulated: bool,
        edge: Callable[[int], Edge | None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._dynamic_sizing = dynamic_sizing
        self._impact_guard = impact_guard
        self._simulated = simulated
        self._edge = edge

    def size(self, request: NormalizedOrderRequest) -> Sized:
        if request.order.purpose is Purpose.EXIT:
            return Sized(request.order.quantity, {"sizing": "exit, as asked"})
        quantity, trace = self._target(request)
        return self._under_impact(request, quantity, trace) if self._impact_guard else Sized(quantity, trace)

    def confirm(self, request: NormalizedOrderRequest, quantity: Decimal) -> Mapping[str, Number]:
        """The impact rule on the final quantity, which risk may have made smaller."""
        if request.order.purpose is Purpose.EXIT or not self._impact_guard:
            return {}
        impact = self._impact_bps(request, quantity)
        if impact > self._config.max_market_impact_bps:
            raise Refused(
                Stage.RISK,
                Refusal.MARKET_IMPACT,
                impact_bps=impact,
                max_market_impact_bps=self._config.max_market_impact_bps,
                quantity=quantity,
            )
        return {"final_impact_bps": impact, **self._impact_inputs(request, quantity)}

    def _impact_inputs(self, request: NormalizedOrderRequest, quantity: Decimal) -> dict[str, Number]:
        """What the impact of the final quantity was computed from."""
        if (known := self._statistics(request)) is not None:
            return {"sigma_day": known[0], "volume_day": known[1]}
        book = request.snapshot.market.book
        return {} if book is None else {"levels_taken": levels_taken(request.order.side, quantity, book)}

    def _target(self, request: NormalizedOrderRequest) -> tuple[Decimal, dict[str, Number]]:
        order, snapshot = request.order, request.snapshot
        if not self._dynamic_sizing:
            return order.quantity, {"sizing": "as asked"}
        sizing = size_entry(
            SizingInputs(
                asked=_unrounded(request),
                equity=snapshot.account.equity,
                mark=snapshot.exposure.mark,
                sigma_day=snapshot.market.sigma_day,
                edge=self._edge(self._clock.now_ns()),
                drawdown=snapshot.drawdown,
                strength=None if order.strength is None else Decimal(repr(order.strength)),
            ),
            self._config,
        )
        if sizing.quantity <= 0:
            raise Refused(Stage.RISK, Refusal.NO_EDGE, **sizing.trace)
        return sizing.quantity, dict(sizing.trace)

    def _under_impact(self, request: NormalizedOrderRequest, target: Decimal, trace: dict[str, Number]) -> Sized:
        lot, cap = request.snapshot.product.lot, self._config.max_market_impact_bps
        fitting = self._largest_fitting(request)
        trace.update(max_market_impact_bps=cap, sizing_mode=self._config.sizing_mode.value)
        if fitting is None:
            trace["impact_room"] = "no bound"
            return Sized(target, trace)
        trace["impact_room"] = fitting
        fitted = fit(target, fitting, self._config.sizing_mode, lot)
        if fitted.quantity <= 0 < floor_to_lot(target, lot):
            raise Refused(Stage.RISK, Refusal.MARKET_IMPACT, target=target, **trace)
        if fitted.slices > 1:
            return self._sliced(request, fitted, trace)
        # A target below one lot is left as it is: the size rules name what it would need.
        return Sized(fitted.quantity or target, trace)

    @staticmethod
    def _sliced(request: NormalizedOrderRequest, fitted: Fit, trace: dict[str, Number]) -> Sized:
        """AGGRESSIVE: all of it, in orders that each stay under the cap, spread over time by a slicing tactic."""
        tactic = slicing_tactic(request.order)
        trace.update(slices=fitted.slices, slice_quantity=fitted.slice_quantity)
        if not tactic:
            raise Refused(Stage.RISK, Refusal.MARKET_IMPACT, slicing="an order of this kind goes whole", **trace)
        trace["tactic"] = tactic
        return Sized(fitted.quantity, trace, tactic=tactic, slice_quantity_max=fitted.slice_quantity)

    def _is_immediate(self, request: NormalizedOrderRequest) -> bool:
        return request.order.order_type is OrderType.MARKET and request.order.tactic in ("", "market")

    def _statistics(self, request: NormalizedOrderRequest) -> tuple[Decimal, Decimal] | None:
        market = request.snapshot.market
        if self._is_immediate(request) or market.sigma_day is None or market.volume_day is None:
            return None
        return market.sigma_day, market.volume_day

    def _largest_fitting(self, request: NormalizedOrderRequest) -> Decimal | None:
        """Worked orders by the square-root law where statistics are known; all others by the book."""
        cap, lot = self._config.max_market_impact_bps, request.snapshot.product.lot
        if (known := self._statistics(request)) is not None:
            return largest_under_square_root(cap, *known, self._config.impact_coefficient, lot)
        return largest_within_book(request.order.side, self._fresh_book(request), cap, lot)

    def _impact_bps(self, request: NormalizedOrderRequest, quantity: Decimal) -> Decimal:
        """Raises Refused where the book cannot say."""
        if (known := self._statistics(request)) is not None:
            impact = square_root_impact_bps(quantity, *known, self._config.impact_coefficient)
            if impact is not None:
                return impact
        walk = walk_book(request.order.side, quantity, self._fresh_book(request))
        if walk is None:
            raise Refused(Stage.RISK, Refusal.STALE_BOOK, book="thinner than the order", quantity=quantity)
        return walk.impact_bps

    def _fresh_book(self, request: NormalizedOrderRequest) -> BookView:
        """No book or a stale one refuses the entry; a price is never invented. Raises Refused."""
        book = request.snapshot.market.book
        if book is None:
            raise Refused(Stage.RISK, Refusal.STALE_BOOK, book="missing")
        age = seconds(self._clock.now_ns() - book.received_ns)
        if age > self._config.max_book_staleness_seconds:
            raise Refused(
                Stage.RISK,
                Refusal.STALE_BOOK,
                book_age_seconds=age,
                max_book_staleness_seconds=self._config.max_book_staleness_seconds,
            )
        if book.modelled and not self._simulated:
            raise Refused(Stage.RISK, Refusal.MODELLED_BOOK)
        return book
