"""Would the advanced engine send this? Normalise, then judge step by step; the first step that objects is named."""

from __future__ import annotations

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.order_rules import check_post_only, check_price_band, check_stop_side
from gpt_trader.core.values import Candidate, NormalizedOrderRequest, OrderRequest, Purpose, Snapshot
from gpt_trader.execution.advanced.broker_adapter import BrokerAdapter
from gpt_trader.execution.advanced.normalizer import OrderRequestNormalizer
from gpt_trader.execution.handlers.validation import seconds

__all__ = ["OrderValidationPipeline"]


class OrderValidationPipeline:
    """Furniture of AdvancedExecutionEngine."""

    def __init__(
        self, *, normalizer: OrderRequestNormalizer, broker: BrokerAdapter, config: RiskConfig, clock: Clock
    ) -> None:
        self._normalizer = normalizer
        self._broker = broker
        self._config = config
        self._clock = clock

    async def validate(self, candidate: Candidate) -> NormalizedOrderRequest:
        snapshot = candidate.snapshot
        order, trace = self._normalizer.normalize(candidate.order, snapshot.product)
        self._broker.check(order)
        self._check_prices(order, snapshot)
        self._check_post_only(order, snapshot)
        return NormalizedOrderRequest(order=order, snapshot=snapshot, trace=trace)

    @staticmethod
    def _check_prices(order: OrderRequest, snapshot: Snapshot) -> None:
        mark, last = snapshot.market.mark, snapshot.market.last_price
        if order.limit_price is not None and mark is not None:
            check_price_band(order.limit_price, mark.price, snapshot.product)
        if order.stop_price is not None:
            if last is None:
                raise Refused(Stage.VALIDATION, Refusal.INVALID_STOP, last="no trade seen yet")
            check_stop_side(order.side, order.stop_price, last)

    def _check_post_only(self, order: OrderRequest, snapshot: Snapshot) -> None:
        """Post-only needs a fresh book: on an old one it only collects rejects."""
        if not order.post_only or order.limit_price is None:
            return
        book = snapshot.market.book
        age = seconds(self._clock.now_ns() - book.received_ns) if book is not None else None
        if book is None or age is None or age > self._config.max_book_staleness_seconds:
            raise Refused(
                Stage.VALIDATION,
                Refusal.STALE_BOOK,
                book_age_seconds="missing" if age is None else age,
                max_book_staleness_seconds=self._config.max_book_staleness_seconds,
                purpose=Purpose(order.purpose).value,
            )
        check_post_only(order.side, order.limit_price, book)
