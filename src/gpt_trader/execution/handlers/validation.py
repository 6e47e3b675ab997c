"""Is it well formed, here and now? Rules that hold for every engine, then the engine's own validator."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import msgspec

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.order_rules import check_expiry, check_shape, check_status
from gpt_trader.core.values import Candidate, NormalizedOrderRequest, OrderRequest, Purpose, Side, Snapshot
from gpt_trader.risk.rules import check_signal

__all__ = ["ValidationHandler", "Validator", "check_freshness"]


class Validator(Protocol):
    """An engine's furniture for this stage."""

    async def validate(self, candidate: Candidate) -> NormalizedOrderRequest:
        """Raises Refused. Async because a preview is a question to the venue."""
        ...


@dataclass(frozen=True)
class ValidationHandler:
    validator: Validator
    config: RiskConfig
    clock: Clock
    exchange: str = ""
    """Where this bot trades; a signal that names another exchange is refused."""

    async def handle(self, candidate: Candidate) -> NormalizedOrderRequest:
        order, snapshot = candidate.order, candidate.snapshot
        if order.exchange and order.exchange != self.exchange:
            raise Refused(Stage.VALIDATION, Refusal.UNKNOWN_EXCHANGE, exchange=order.exchange, offered=self.exchange)
        check_shape(order)
        check_expiry(order, self.clock.now_ns())
        check_status(order, snapshot.product)
        check_freshness(order, snapshot, self.config, self.clock.now_ns())
        trace = check_signal(order, self.config) if order.purpose is Purpose.ENTRY else {}
        self._check_stop_and_target(order, snapshot)
        request = await self.validator.validate(candidate)
        return msgspec.structs.replace(request, trace={**trace, **request.trace}) if trace else request

    @staticmethod
    def _check_stop_and_target(order: OrderRequest, snapshot: Snapshot) -> None:
        """A long gives up below its entry and wins above it; a short the other way round. Where a book is known, both
        also lie beyond it: a stop or target inside the spread would fire at once."""
        stop, target = order.protective_stop, order.target_price
        if order.purpose is Purpose.EXIT or (stop is None and target is None):
            return
        mark, book, sign = snapshot.market.mark, snapshot.market.book, order.side.sign
        entry = order.limit_price or (mark.price if mark else None)
        if entry is None:
            return  # an entry without a mark was refused as stale
        losing = winning = entry
        if order.limit_price is None and book is not None and book.bids and book.asks:
            bid, ask = book.bids[0][0], book.asks[0][0]
            losing, winning = (bid, ask) if order.side is Side.BUY else (ask, bid)
        if stop is not None and ((stop - entry) * sign >= 0 or (stop - losing) * sign >= 0):
            raise Refused(Stage.VALIDATION, Refusal.INVALID_STOP, protective_stop=stop, entry=entry, touch=losing)
        if target is not None and ((target - entry) * sign <= 0 or (target - winning) * sign <= 0):
            raise Refused(Stage.VALIDATION, Refusal.INVALID_TARGET, target_price=target, entry=entry, touch=winning)


def check_freshness(order: OrderRequest, snapshot: Snapshot, config: RiskConfig, now_ns: int) -> None:
    """No entry on stale or missing data. Exits go on: their price is collared from the last mark. Raises Refused."""
    if order.purpose is Purpose.EXIT:
        return
    mark = snapshot.market.mark
    if mark is None:
        raise Refused(Stage.VALIDATION, Refusal.STALE_MARK, mark="missing")
    mark_age = seconds(now_ns - mark.received_ns)
    if mark_age > config.max_mark_staleness_seconds:
        raise Refused(
            Stage.VALIDATION,
            Refusal.STALE_MARK,
            mark_age_seconds=mark_age,
            max_mark_staleness_seconds=config.max_mark_staleness_seconds,
        )
    account_age = seconds(now_ns - snapshot.account.received_ns)
    if account_age > config.max_account_staleness_seconds:
        raise Refused(
            Stage.VALIDATION,
            Refusal.STALE_ACCOUNT,
            account_age_seconds=account_age,
            max_account_staleness_seconds=config.max_account_staleness_seconds,
        )


def seconds(span_ns: int) -> Decimal:
    """Exact seconds of a time span."""
    return Decimal(span_ns) / NS
