"""In what world is the decision taken? One snapshot of account and market per intent; no I/O.

Reads what streams and sweeps keep current and says how old each part is. What is missing stays missing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Refusal, Refused, Stage
from gpt_trader.core.values import (
    ZERO,
    Candidate,
    Exposure,
    MarginRates,
    MarketSnapshot,
    Mode,
    OrderRequest,
    Replaced,
    Snapshot,
)
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.market.statistics import SymbolStatistics
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.records.ledger import Ledger
from gpt_trader.risk.margin_windows import MarginWindows

__all__ = ["StateCollector"]

UNMEASURED: Final = SymbolStatistics(None, None)
BOOK_DEPTH: Final = 20
"""Levels a side that a decision looks at."""


class StateCollector:
    """Shared by both engines."""

    def __init__(
        self,
        *,
        adapter: ExchangeAdapter,
        ledger: Ledger,
        orders: OrderManager,
        clock: Clock,
        mode: Callable[[], Mode],
        pause_reason: Callable[[str], str],
        drawdown: Callable[[], Decimal],
        statistics: Callable[[str], SymbolStatistics],
        windows: MarginWindows | None = None,
    ) -> None:
        self._adapter = adapter
        self._ledger = ledger
        self._orders = orders
        self._clock = clock
        self._mode = mode
        self._pause_reason = pause_reason
        self._drawdown = drawdown
        self._statistics = statistics
        self._windows = windows or MarginWindows()

    def collect(self, order: OrderRequest, *, measured: bool = True) -> Candidate:
        """Raises Refused when the venue lists no such product. Volatility and volume of the day are reckoned only where
        they are `measured`: nobody else looks at them, and it takes as long as all the rest."""
        product = self._adapter.products().get(order.symbol)
        if product is None:
            listed = ", ".join(sorted(self._adapter.products()))
            raise Refused(Stage.VALIDATION, Refusal.UNKNOWN_SYMBOL, symbol=order.symbol, listed=listed)
        market = self._market(order.symbol, measured=measured)
        mark = market.mark.price if market.mark is not None else ZERO
        return Candidate(
            order=order,
            snapshot=Snapshot(
                taken_ns=self._clock.now_ns(),
                product=product,
                account=self._adapter.account(),
                exposure=self.exposure(order.symbol, mark, order.replaces),
                others=self._others(order.symbol),
                market=market,
                mode=self._mode(),
                pause_reason=self._pause_reason(order.symbol),
                margin=self._windows.rates(product, self._clock.now_ns()),
                drawdown=self._drawdown(),
            ),
        )

    def exposure(self, symbol: str, mark: Decimal, replaced: Replaced | None = None) -> Exposure:
        """Position and everything that may still fill, but for an order that is taken back first."""
        but = "" if replaced is None else replaced.client_order_id
        entry_buy, entry_sell, closing_buy, closing_sell = self._orders.open_quantities(symbol, but)
        return Exposure(
            symbol=symbol,
            position=self._ledger.position(symbol).quantity,
            working_buy=entry_buy,
            working_sell=entry_sell,
            closing_buy=closing_buy,
            closing_sell=closing_sell,
            external=self._ledger.external(symbol),
            mark=mark,
        )

    def _market(self, symbol: str, *, measured: bool) -> MarketSnapshot:
        view = self._adapter.market
        statistics = self._statistics(symbol) if measured else UNMEASURED
        return MarketSnapshot(
            mark=view.mark(symbol),
            book=view.book(symbol, BOOK_DEPTH),
            last_price=view.last_price(symbol),
            index_price=view.index_price(symbol),
            funding_rate=view.funding_rate(symbol),
            sigma_day=statistics.sigma_day,
            volume_day=statistics.volume_day,
        )

    def _others(self, symbol: str) -> tuple[Exposure, ...]:
        names = {name for name, position in self._ledger.positions().items() if position.quantity}
        names.update(self._orders.symbols())
        names.update(self._ledger.externals())
        names.discard(symbol)
        if not names:
            return ()
        exposures = []
        for name in sorted(names):
            mark = self._adapter.market.mark(name)
            # Without a mark the entry price stands in: counting it at zero would hide the position.
            price = mark.price if mark is not None else self._entry_price(name)
            exposures.append(msgspec.structs.replace(self.exposure(name, price), margin=self.margin_of(name)))
        return tuple(exposures)

    def _entry_price(self, symbol: str) -> Decimal:
        external = self._ledger.externals().get(symbol)
        return self._ledger.position(symbol).entry_price or (ZERO if external is None else external.entry_price)

    def margin_of(self, symbol: str) -> MarginRates | None:
        """None for what the venue lists no more: the rules then take the configured rate."""
        product = self._adapter.products().get(symbol)
        return None if product is None else self._windows.rates(product, self._clock.now_ns())
