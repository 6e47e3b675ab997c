"""What is an account worth, and how near is it to liquidation? CFM figures, from the kernel's margin and its news."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ZERO, Account, Position, Side
from gpt_trader.market.stream import Rows
from gpt_trader.venue.news import FillNews, FundingNews, News
from gpt_trader.venue.timetable import is_overnight
from gpt_trader.venue.wire.desk import OrderDesk
from gpt_trader.venue.wire.formats import Json, amount, stamp, text
from gpt_trader.venue.wire.history import Trade
from gpt_trader.venue.wire.listing import Listed
from gpt_trader.venue.wire.product_json import EXPIRY_NS
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.running import RunningVenue

__all__ = ["Holding", "MoneyBook", "liquidation_price"]

DAY_NS: Final = 86_400 * NS
CENT: Final = Decimal("0.01")
BUFFER_WHEN_FLAT: Final = Decimal(1000)
"""Percentage without any maintenance margin; the real venue publishes no definition."""


@dataclass
class _Tally:
    """What one account's trades in one product came to."""

    quantity: Decimal = ZERO
    """Base units, signed."""
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    realised_day: int = 0
    realised_today: Decimal = ZERO


@dataclass(frozen=True)
class Holding:
    """One open position with everything the wire says of it; `contracts` is signed."""

    listed: Listed
    position: Position
    mark: Decimal

    @property
    def contracts(self) -> Decimal:
        return self.listed.contracts(self.position.quantity)

    @property
    def notional(self) -> Decimal:
        return abs(self.position.quantity) * self.mark

    @property
    def unrealised(self) -> Decimal:
        return self.position.quantity * (self.mark - self.position.entry_price)

    def margins(self, *, intraday: bool) -> tuple[Decimal, Decimal]:
        """(initial, maintenance) of the position alone in one window."""
        rates = self.listed.spec.margin_intraday if intraday else self.listed.spec.margin_overnight
        if self.position.quantity > 0:
            return self.notional * rates.initial_long, self.notional * rates.maintenance_long
        return self.notional * rates.initial_short, self.notional * rates.maintenance_short


def liquidation_price(quantity: Decimal, mark: Decimal, rate: Decimal, equity: Decimal, others: Decimal) -> Decimal:
    """Mark at which equity meets maintenance margin when only this product moves; zero when no price does that.

    `quantity` is signed, `others` the maintenance margin of all other positions.
    """
    if not quantity:
        return ZERO
    spare = equity - others
    if quantity > 0:
        price = (quantity * mark - spare) / (quantity * (1 - rate))
    else:
        price = (spare - quantity * mark) / (-quantity * (1 + rate))
    return max(ZERO, price)


class MoneyBook:
    """All accounts."""

    def __init__(self, running: RunningVenue, desk: OrderDesk, quirks: Quirks) -> None:
        self._running = running
        self._venue = running.venue
        self._desk = desk
        self._quirks = quirks
        self._tallies: dict[tuple[int, str], _Tally] = defaultdict(_Tally)
        self.funding: dict[int, Decimal] = defaultdict(Decimal)
        self.settings: dict[int, str] = defaultdict(lambda: "INTRADAY_MARGIN_SETTING_STANDARD")
        running.listen(self)

    def on_rows(self, rows: Rows, trades: Mapping[str, list[Trade]]) -> None:
        """Marks are read when they are asked for."""

    def on_time(self, now_ns: int) -> None:
        """Nothing is kept by the clock."""

    def on_news(self, news: News) -> None:
        if isinstance(news, FundingNews):
            self.funding[news.account] += news.amount
        elif isinstance(news, FillNews):
            self._fill(news)

    def _fill(self, news: FillNews) -> None:
        tally = self._tallies[news.account, news.symbol]
        day = news.at_ns // DAY_NS
        if tally.realised_day != day:
            tally.realised_day, tally.realised_today = day, ZERO
        tally.fees += news.fee
        signed = news.quantity if news.side is Side.BUY else -news.quantity
        closing = min(abs(signed), abs(tally.quantity)) if tally.quantity * signed < 0 else ZERO
        if closing:  # the share of the cost is rounded as in the kernel
            direction = 1 if tally.quantity > 0 else -1
            moved = round(abs(tally.cost) * closing / abs(tally.quantity), 8)
            gain = (closing * news.price - moved) * direction
            tally.realised += gain
            tally.realised_today += gain
            tally.cost -= moved * direction
            tally.quantity -= closing * direction
        rest = signed + closing if signed < 0 else signed - closing
        tally.quantity += rest
        tally.cost += rest * news.price

    def realised(self, account: int) -> Decimal:
        """What closing trades gained, fees apart."""
        return sum((tally.realised for (owner, _), tally in self._tallies.items() if owner == account), ZERO)

    def holdings(self, account: int) -> list[Holding]:
        found = []
        for position in self._venue.positions(account):
            listed = self._desk.listing.of_symbol(position.symbol)
            mark = self._venue.mark(position.symbol)
            found.append(Holding(listed, position, mark.price if mark else position.entry_price))
        return found

    @property
    def intraday(self) -> bool:
        """Whether the kernel demands the lower rates now."""
        if self._quirks.window:
            return self._quirks.window == "intraday"
        return not is_overnight(self._venue.settings, self._running.now_ns)

    def account(self, account: int) -> Account:
        return self._venue.account(account)

    def positions(self, account: int, *, lag_ns: int = 0) -> list[Json]:
        """Futures positions as REST shows them; with a lag in the quantities of so long ago."""
        holdings = self.holdings(account)
        if lag_ns:
            holdings = [each for each in map(partial(self._before, account, lag_ns), self._desk.listing) if each]
        return [self._position(account, holding) for holding in holdings]

    def _before(self, account: int, lag_ns: int, listed: Listed) -> Holding | None:
        """One product as it was held; None where it was not."""
        known = {holding.listed: holding for holding in self.holdings(account)}.get(listed)
        since = sum(
            (
                fill.order.side.sign * fill.size
                for fill in self._desk.fills[account]
                if fill.order.listed is listed and fill.at_ns > self._running.now_ns - lag_ns
            ),
            ZERO,
        )
        quantity = (known.position.quantity if known else ZERO) - listed.quantity(since)
        mark = self._venue.mark(listed.symbol)
        if not quantity or mark is None:
            return None
        price = known.position.entry_price if known else mark.price
        position = Position(symbol=listed.symbol, quantity=quantity, entry_price=price)
        return Holding(listed, position, mark.price)

    def liquidation_price_of(self, account: int, holding: Holding) -> Decimal:
        """When only this product moves, with the margin that the kernel demands; zero when no price does it."""
        money = self.account(account)
        own = holding.margins(intraday=self.intraday)[1]
        rate = own / holding.notional if holding.notional else ZERO
        others = money.maintenance_margin - own
        return liquidation_price(holding.position.quantity, holding.mark, rate, money.equity, others)

    def _position(self, account: int, holding: Holding) -> Json:
        initial, maintenance = holding.margins(intraday=self.intraday)
        tally = self._tallies[account, holding.listed.symbol]
        today = tally.realised_today if tally.realised_day == self._running.now_ns // DAY_NS else ZERO
        liquidation = self.liquidation_price_of(account, holding)
        numbers = {
            "current_price": holding.mark,
            "avg_entry_price": holding.position.entry_price,
            "unrealized_pnl": holding.unrealised,
            "daily_realized_pnl": today,
            "total_fees": tally.fees,
            "entry_vwap": holding.position.entry_price,
            "liquidation_price": liquidation,
            "im_contribution": initial,
            "mm_contribution": maintenance,
            "position_notional": holding.notional,
        }
        return {
            "product_id": holding.listed.product_id,
            "expiration_time": stamp(EXPIRY_NS),
            "side": "LONG" if holding.contracts > 0 else "SHORT",
            "number_of_contracts": text(abs(holding.contracts)),
            "contract_size": text(holding.listed.spec.contract_size),
            "leverage": text(round(1 / (initial / holding.notional), 2)) if initial else "",
            **{name: self._amount(_rounded(value)) for name, value in numbers.items()},
        }

    def _amount(self, value: Decimal) -> object:
        return text(value) if self._quirks.plain_amounts else amount(value)

    def summary(self, account: int) -> tuple[Mapping[str, Decimal], Mapping[str, Mapping[str, Decimal]]]:
        """(figures of the account, figures of each margin window by its name)."""
        money = self.account(account)
        holdings = self.holdings(account)
        held = sum((holding.margins(intraday=self.intraday)[0] for holding in holdings), ZERO)
        hold = max(ZERO, money.initial_margin - held)
        today = self._running.now_ns // DAY_NS
        realised = sum(
            (
                tally.realised_today
                for (owner, _), tally in self._tallies.items()
                if owner == account and tally.realised_day == today
            ),
            ZERO,
        )
        threshold = money.maintenance_margin
        buffer = money.equity - threshold
        figures = {
            "futures_buying_power": money.available_margin,
            "total_usd_balance": money.cash,
            "cbi_usd_balance": ZERO,
            "cfm_usd_balance": money.cash,
            "total_open_orders_hold_amount": hold,
            "unrealized_pnl": money.equity - money.cash,
            "daily_realized_pnl": realised,
            "initial_margin": money.initial_margin,
            "available_margin": money.equity,
            "liquidation_threshold": threshold,
            "liquidation_buffer_amount": buffer,
            "liquidation_buffer_percentage": _percentage(buffer, threshold),
            "total_pending_transfers_amount": ZERO,
            "funding_pnl": self.funding[account],
        }
        windows = {}
        for name in ("intraday", "overnight"):
            margins = [holding.margins(intraday=name == "intraday") for holding in holdings]
            initial = sum((each[0] for each in margins), ZERO) + hold
            maintenance = sum((each[1] for each in margins), ZERO)
            windows[name] = {
                "initial_margin": initial,
                "maintenance_margin": maintenance,
                "liquidation_buffer": money.equity - maintenance,
                "liquidation_buffer_percentage": _percentage(money.equity - maintenance, maintenance),
                "total_hold": hold,
                "futures_buying_power": money.equity - initial,
            }
        return {name: _rounded(value) for name, value in figures.items()}, windows

    def balance_json(self, account: int) -> Json:
        """The balance summary as REST shows it: amounts."""
        figures, windows = self.summary(account)
        body: Json = {name: _value(name, value, plain=False) for name, value in figures.items()}
        body.update(_windows(windows, plain=False))
        return {"balance_summary": body}

    def balance_text(self, account: int) -> Json:
        """The same on the WebSocket: plain strings."""
        figures, windows = self.summary(account)
        return {
            **{name: _value(name, value, plain=True) for name, value in figures.items()},
            **_windows(windows, plain=True),
        }


def _windows(windows: Mapping[str, Mapping[str, Decimal]], *, plain: bool) -> Json:
    return {
        f"{window}_margin_window_measure": {
            "margin_window_type": f"FCM_MARGIN_WINDOW_TYPE_{window.upper()}",
            "margin_level": "MARGIN_LEVEL_TYPE_BASE",
            **{name: _value(name, _rounded(value), plain=plain) for name, value in figures.items()},
        }
        for window, figures in windows.items()
    }


def _value(name: str, value: Decimal, *, plain: bool) -> object:
    return text(value) if plain or name.endswith("percentage") else amount(value)


def _percentage(buffer: Decimal, threshold: Decimal) -> Decimal:
    return buffer / threshold * 100 if threshold else BUFFER_WHEN_FLAT


def _rounded(value: Decimal) -> Decimal:
    return round(value, 8)
