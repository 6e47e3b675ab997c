"""What do the guards look at? Gathers the figures of one moment from ledger, orders and market; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from gpt_trader.bot.account import CashWatch
from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.values import ZERO, Exposure, Side
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.market.statistics import BarStatistics
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.records.ledger import Ledger
from gpt_trader.risk.breaker_counts import BreakerCounts
from gpt_trader.risk.guard_values import GuardInput, GuardSymbol
from gpt_trader.risk.margin_windows import MarginWindows
from gpt_trader.risk.rules import maintenance_rate

__all__ = ["AccountFigures"]

GIGABYTE: Final = Decimal(1_000_000_000)


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
        config: RiskConfig,
        counts: BreakerCounts,
        windows: MarginWindows,
        disk_free_bytes: Callable[[], int | None],
        disk_free_gb_min: Decimal,
        cash: CashWatch | None = None,
    ) -> None:
        self._adapter = adapter
        self._ledger = ledger
        self._orders = orders
        self._clock = clock
        self._symbols = symbols
        self._statistics = statistics
        self._config = config
        self._counts = counts
        self._windows = windows
        self._disk_free_bytes = disk_free_bytes
        self._disk_free_gb_min = disk_free_gb_min
        self._cash = cash
        self._drift: dict[str, tuple[Decimal, int, int]] = {}
        """Ledger less venue where they differed at the last sweep; since when just so, and when last seen."""

    def reload(self, config: RiskConfig) -> None:
        """Count by other windows from now on."""
        self._config = config

    async def sweep(self) -> None:
        """Compare the venue's positions and cash with the ledger's. Raises ExchangeError: no answer is no zero."""
        positions = {position.symbol: position.quantity for position in await self._adapter.positions()}
        now_ns = self._clock.now_ns()
        seen: dict[str, tuple[Decimal, int, int]] = {}
        for symbol in self._symbols:
            known = self._ledger.position(symbol).quantity + self._ledger.external(symbol)
            drift = known - positions.get(symbol, ZERO)
            if drift:
                before, since_ns, _ = self._drift.get(symbol, (ZERO, now_ns, now_ns))
                seen[symbol] = (drift, since_ns if drift == before else now_ns, now_ns)
        self._drift = seen
        if self._cash is not None:
            self._cash.reckon_late_funding()
            if not seen:
                self._cash.compare(self._marks())

    def _marks(self) -> dict[str, Decimal]:
        marks = {symbol: self._adapter.market.mark(symbol) for symbol in self._ledger.positions()}
        return {symbol: mark.price for symbol, mark in marks.items() if mark is not None}

    def read(self) -> GuardInput:
        """Equity is the venue's word; positions are the ledger's."""
        account, now_ns = self._adapter.account(), self._clock.now_ns()
        return GuardInput(
            now_ns=now_ns,
            equity=account.equity,
            cash_flows=self._ledger.transfers,
            initial_margin=account.initial_margin,
            maintenance_margin=account.maintenance_margin,
            symbols=tuple(self._symbol(symbol, now_ns) for symbol in self._symbols),
            rejects_recent=self._counts.rejects(now_ns, self._config.reject_breaker_window_minutes),
            losses_in_a_row=self._counts.losses_in_a_row,
            disk_free_gb=self._disk_free_gb(),
            disk_free_gb_min=self._disk_free_gb_min,
            window_lead_ns=self._windows.next_lead_ns(now_ns) if self._windows.known else None,
        )

    def _disk_free_gb(self) -> Decimal | None:
        """A simulation must not depend on the machine that computes it."""
        free = None if self._adapter.simulated else self._disk_free_bytes()
        return None if free is None else Decimal(free) / GIGABYTE

    def _next_maintenance(self, symbol: str, exposure: Exposure, now_ns: int) -> Decimal | None:
        """Maintenance margin of the position at the rates to come; None while no change is near."""
        product = self._adapter.products().get(symbol)
        if product is None or not self._windows.is_near(now_ns):
            return None
        side = Side.BUY if exposure.position > 0 else Side.SELL
        rate = maintenance_rate(symbol, self._windows.rates(product, now_ns), side, self._config, now_ns)
        return abs(exposure.position) * exposure.mark * rate

    def _symbol(self, symbol: str, now_ns: int) -> GuardSymbol:
        mark = self._adapter.market.mark(symbol)
        position = self._ledger.position(symbol).quantity
        entry_buy, entry_sell, _, _ = self._orders.open_quantities(symbol)
        exposure = Exposure(
            symbol=symbol,
            position=position,
            working_buy=entry_buy,
            working_sell=entry_sell,
            external=self._ledger.external(symbol),
            mark=mark.price if mark is not None else ZERO,
        )
        statistics = self._statistics[symbol]
        watched = self._config.enable_volatility_circuit_breaker  # else nobody asks, and bars stay unread
        drift, since_ns, seen_ns = self._drift.get(symbol, (ZERO, 0, 0))
        return GuardSymbol(
            symbol=symbol,
            position=position,
            mark=None if mark is None else mark.price,
            mark_received_ns=0 if mark is None else mark.received_ns,
            worst_notional=exposure.worst_notional,
            bar_sigma=statistics.bar_sigma if watched else None,
            bar_seconds=statistics.bar_seconds,
            day_volatility=statistics.day_volatility if watched else None,
            slippage_recent=self._counts.slippages(symbol, now_ns, self._config.slippage_breaker_window_minutes),
            drift=drift,
            drift_seconds=Decimal(seen_ns - since_ns) / NS,
            next_maintenance=self._next_maintenance(symbol, exposure, now_ns),
        )
