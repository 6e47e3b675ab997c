"""What do the guards look at? Gathers the figures of one moment from ledger, orders and market; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpt_trader.core.clock import Clock
from gpt_trader.core.values import ZERO, Exposure
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.market.statistics import BarStatistics
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.records.ledger import Ledger
from gpt_trader.risk.guard_rules import GuardInput, GuardSymbol

__all__ = ["AccountFigures"]


class AccountFigures:
    """Account-wide, so that both engines are watched alike."""

    def __init__(
        self,
        *,
        adapter: ExchangeAdapter,
        ledger: Ledger,
        orders: OrderManager,
        clock: Clock,
        symbols: Sequence[str],
        statistics: Mapping[str, BarStatistics],
    ) -> None:
        self._adapter = adapter
        self._ledger = ledger
        self._orders = orders
        self._clock = clock
        self._symbols = symbols
        self._statistics = statistics

    def read(self) -> GuardInput:
        """Equity is the venue's word; positions are the ledger's."""
        account = self._adapter.account()
        return GuardInput(
            now_ns=self._clock.now_ns(),
            equity=account.equity,
            cash_flows=self._ledger.transfers,
            initial_margin=account.initial_margin,
            maintenance_margin=account.maintenance_margin,
            symbols=tuple(self._symbol(symbol) for symbol in self._symbols),
        )

    def _symbol(self, symbol: str) -> GuardSymbol:
        mark = self._adapter.market.mark(symbol)
        position = self._ledger.position(symbol).quantity
        entry_buy, entry_sell, _, _ = self._orders.open_quantities(symbol)
        exposure = Exposure(
            symbol=symbol,
            position=position,
            working_buy=entry_buy,
            working_sell=entry_sell,
            mark=mark.price if mark is not None else ZERO,
        )
        statistics = self._statistics[symbol]
        return GuardSymbol(
            symbol=symbol,
            position=position,
            mark=None if mark is None else mark.price,
            mark_received_ns=0 if mark is None else mark.received_ns,
            worst_notional=exposure.worst_notional,
            bar_sigma=statistics.bar_sigma,
            bar_seconds=statistics.bar_seconds,
            day_volatility=statistics.day_volatility,
        )
