"""What can be done to the market? Halts, session breaks, jumps and trades, put between the rows of the stream."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import InvalidOrderError
from gpt_trader.core.values import Side, TradingStatus
from gpt_trader.market.rows import CLEAR, FUNDING, INDEX, LEVEL, MARK, MONEY_SCALE, RATE_SCALE, STATUS, STATUSES, TRADE
from gpt_trader.market.stream import Rows
from gpt_trader.venue import layout
from gpt_trader.venue.wire.faults import Fault, FaultKind
from gpt_trader.venue.wire.listing import Listed, Listing
from gpt_trader.venue.wire.money import MoneyBook
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.tape import rows_of

__all__ = ["Interventions"]

DEPTH_MAX: Final = 10_000
WINDOWS: Final = {"intraday": layout.INTRADAY, "overnight": layout.OVERNIGHT}
BEYOND_LIQUIDATION: Final = Decimal("0.01")
"""How far past the liquidation price the market is moved."""


class Interventions:
    """Each is in force with the next rows that the venue takes. Raises InvalidOrderError for what cannot be done."""

    def __init__(self, running: RunningVenue, listing: Listing, money: MoneyBook, quirks: Quirks) -> None:
        self._running = running
        self._venue = running.venue
        self._listing = listing
        self._money = money
        self._quirks = quirks

    def apply(self, fault: Fault) -> None:
        """A fault of the venue itself, now."""
        if fault.fault is FaultKind.CLOCK_SKEW:
            self._quirks.skew_ns = round(fault.seconds * NS)
        elif fault.fault is FaultKind.LIQUIDATION:
            self.liquidate(fault.account or 0)
        elif fault.fault is FaultKind.PRICE_JUMP:
            self.jump(self.listed(fault.product), Decimal(str(fault.percent)))
        elif fault.fault is FaultKind.HALT:
            self.halt(self.listed(fault.product), fault.seconds)
        elif fault.fault is FaultKind.SESSION_BREAK:
            for listed in [self.listed(fault.product)] if fault.product else self._listing:
                self.break_session(listed, fault.seconds)
        elif fault.fault is FaultKind.MARGIN_WINDOW:
            self.change_window(fault.window)
        else:
            raise InvalidOrderError(f"{fault.fault}: no fault of the venue", "not_supported")

    def schedule(self, fault: Fault) -> None:
        """A fault of a plan, at its time."""
        assert fault.at_seconds is not None
        self._running.call_at(self._running.now_ns + round(fault.at_seconds * NS), lambda: self.apply(fault))

    def listed(self, product: str) -> Listed:
        """By product id or symbol; empty is the first one."""
        if not product:
            return next(iter(self._listing))
        for listed in self._listing:
            if product in (listed.product_id, listed.symbol):
                return listed
        raise InvalidOrderError(f"product {product}: not listed here", "unknown_symbol")

    def set_status(self, listed: Listed, status: TradingStatus) -> None:
        code = STATUSES.index(status.value)
        self._running.tape.interfere(lambda: rows_of((STATUS, 0, listed.index, code, 0, 0, 0)))

    def halt(self, listed: Listed, seconds: float) -> None:
        """No trading; open again after `seconds` of market time, if above zero."""
        self.set_status(listed, TradingStatus.HALTED)
        if seconds > 0:
            self._running.call_at(
                self._running.now_ns + round(seconds * NS), lambda: self.set_status(listed, TradingStatus.OPEN)
            )

    def break_session(self, listed: Listed, seconds: float) -> None:
        """The product leaves its session: nothing trades, and best prices are empty on the wire."""
        self._quirks.sessions_closed.add(listed.symbol)
        self.set_status(listed, TradingStatus.CANCEL_ONLY)
        if seconds > 0:
            self._running.call_at(self._running.now_ns + round(seconds * NS), lambda: self.open_session(listed))

    def open_session(self, listed: Listed) -> None:
        self._quirks.sessions_closed.discard(listed.symbol)
        self.set_status(listed, TradingStatus.OPEN)

    def change_window(self, window: str) -> None:
        """The margin rates of `intraday` or `overnight` hold from here on."""
        if window not in WINDOWS:
            raise InvalidOrderError(f"window {window!r}: give {' or '.join(WINDOWS)}", "invalid_window")
        code = WINDOWS[window]
        self._quirks.window = window
        rows = [(layout.WINDOW, 0, listed.index, code, 0, 0, 0) for listed in self._listing]
        self._running.tape.interfere(lambda: rows_of(*rows))

    def trade(self, listed: Listed, price: Decimal, contracts: Decimal, side: Side) -> None:
        """A trade of others at a price; `side` is the aggressor's."""
        ticks, lots = _whole(price, listed.spec.tick), _whole(contracts, listed.base_increment)
        self._running.tape.interfere(lambda: rows_of((TRADE, side.sign, listed.index, ticks, lots, 0, 0)))

    def set_mark(self, listed: Listed, price: Decimal) -> None:
        """The venue's own mark, until another one comes."""
        value = _whole(price, Decimal(1) / MONEY_SCALE)
        self._running.tape.interfere(lambda: rows_of((MARK, 0, listed.index, value, 0, 0, 0)))

    def fund(self, listed: Listed, rate: Decimal) -> None:
        """Settle funding once, at a rate."""
        scaled = int(rate * RATE_SCALE)
        self._running.tape.interfere(lambda: rows_of((FUNDING, 0, listed.index, scaled, 0, 0, 0)))

    def jump(self, listed: Listed, percent: Decimal) -> None:
        """Book, last price and index stand `percent` higher from here on, and so does all that is still to come."""
        last = self._venue.last_price(listed.symbol)
        if last is None:
            raise InvalidOrderError(f"{listed.symbol}: no price to jump from", "no_price")
        ticks = int(last * percent / 100 / listed.spec.tick)

        def rows() -> Rows:
            made = self._moved_book(listed, ticks)
            self._running.tape.move_prices(listed.index, ticks)
            return made

        self._running.tape.interfere(rows)

    def _moved_book(self, listed: Listed, ticks: int) -> Rows:
        spec, index = listed.spec, listed.index
        book = self._venue.book(listed.symbol, DEPTH_MAX)
        found: list[tuple[int, int, int, int, int, int, int]] = []
        if book is not None and not book.modelled:
            found.append((CLEAR, 0, index, 0, 0, 0, 0))
            for side, levels in ((1, book.bids), (-1, book.asks)):
                for price, size in levels:
                    found.append((LEVEL, side, index, int(price / spec.tick) + ticks, int(size / spec.lot), 0, 0))
        index_price = self._venue.index_price(listed.symbol)
        if index_price is not None:
            found.append((INDEX, 0, index, int((index_price + ticks * spec.tick) * MONEY_SCALE), 0, 0, 0))
        last = self._venue.last_price(listed.symbol)
        if last is not None and found:
            aggressor = 1 if ticks > 0 else -1
            found.append((TRADE, aggressor, index, int(last / spec.tick) + ticks, 1, 0, 0))
        return rows_of(*found)

    def liquidate(self, account: int) -> None:
        """Move the market of the account's largest position past its liquidation price."""
        holdings = self._money.holdings(account)
        if not holdings:
            raise InvalidOrderError(f"account {account} has no position to liquidate", "no_position")
        largest = max(holdings, key=lambda holding: holding.notional)
        target = self._money.liquidation_price_of(account, largest)
        if not target:
            raise InvalidOrderError(f"account {account}: no price liquidates {largest.listed.symbol}", "no_price")
        beyond = target * (1 - BEYOND_LIQUIDATION if largest.contracts > 0 else 1 + BEYOND_LIQUIDATION)
        self.jump(largest.listed, (beyond / largest.mark - 1) * 100)


def _whole(value: Decimal, unit: Decimal) -> int:
    number = int(value / unit)
    if number * unit != value or number <= 0:
        raise InvalidOrderError(f"{value} is not a positive multiple of {unit}", "invalid_number")
    return number
