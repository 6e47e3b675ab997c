"""What would this order do? Cost, margin and the nearest liquidation, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.core.values import ZERO, BookView, OrderType, Side, TimeInForce, TradingStatus
from gpt_trader.venue.wire.admission import Placed
from gpt_trader.venue.wire.desk import OrderDesk
from gpt_trader.venue.wire.formats import Json, identifier, text
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.listing import Listed
from gpt_trader.venue.wire.money import MoneyBook, liquidation_price
from gpt_trader.venue.wire.product_json import best, price_text
from gpt_trader.venue.wire.reasons import Rejection
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.terms import Terms

__all__ = ["Preview"]


@dataclass(frozen=True)
class _Estimate:
    """How much of the order would trade at once, and at which prices; sizes in contracts."""

    taken: Decimal
    taken_value: Decimal
    rest: Decimal
    rest_price: Decimal


class Preview:
    """Reckons with the same marks and rates as the kernel; only the kernel decides."""

    def __init__(self, running: RunningVenue, desk: OrderDesk, money: MoneyBook) -> None:
        self._running = running
        self._venue = running.venue
        self._desk = desk
        self._money = money
        self._count = 0

    def of(self, key: ApiKey, placed: Placed) -> Json:
        """The body of a preview; what is wrong with the order stands in `errs`."""
        try:
            terms = self._desk.check(placed)
        except Rejection as rejection:
            return self._body([rejection.preview])
        listed = self._desk.listing.get(placed.product_id)
        assert listed is not None
        side = Side(placed.side)
        book = self._venue.book(listed.symbol, 500)
        mark = self._venue.mark(listed.symbol)
        if mark is None:
            return self._body(["PREVIEW_MISSING_PRODUCT_PRICE_BOOK"])
        estimate = self._estimate(listed, terms, side, book, mark.price)
        return self._answer(key, listed, terms, side, book, mark.price, estimate)

    def _estimate(self, listed: Listed, terms: Terms, side: Side, book: BookView | None, mark: Decimal) -> _Estimate:
        taken, value = ZERO, ZERO
        limit = terms.limit_price
        if terms.kernel_type not in {OrderType.STOP_LIMIT, OrderType.BRACKET} and book is not None:
            levels = book.asks if side is Side.BUY else book.bids
            taken, value = _walk(listed, levels, side, terms.size, limit)
        rest = ZERO if terms.kernel_tif in {TimeInForce.IOC, TimeInForce.FOK} else terms.size - taken
        return _Estimate(taken, value, rest, limit if limit is not None else mark)

    def _answer(
        self,
        key: ApiKey,
        listed: Listed,
        terms: Terms,
        side: Side,
        book: BookView | None,
        mark: Decimal,
        estimate: _Estimate,
    ) -> Json:
        spec = listed.spec
        rest_value = listed.value(estimate.rest, estimate.rest_price)
        total = estimate.taken_value + rest_value
        fees = estimate.taken_value * spec.taker_fee_rate + rest_value * spec.maker_fee_rate
        account = self._money.account(key.account)
        held = sum((h.position.quantity for h in self._money.holdings(key.account) if h.listed is listed), ZERO)
        rates = spec.margin_intraday if self._money.intraday else spec.margin_overnight
        rate = rates.initial_long if side is Side.BUY else rates.initial_short
        quantity = listed.quantity(terms.size)
        margin = ZERO if terms.reduce_only else self._more_margin(key.account, listed, held, side, quantity, mark)
        errors = self._errors(listed, terms, side, book, mark, estimate)
        if margin and account.available_margin < margin + quantity * mark * spec.taker_fee_rate:
            errors.append("PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES")
        after = held + quantity * side.sign
        maintenance = rates.maintenance_long if after > 0 else rates.maintenance_short
        liquidation = liquidation_price(after, mark, maintenance, account.equity - fees, ZERO)
        projected = account.maintenance_margin + (abs(after) - abs(held)) * mark * maintenance
        filled = estimate.taken_value / listed.quantity(estimate.taken) if estimate.taken else estimate.rest_price
        bid, ask = best(book)
        middle = (bid + ask) / 2 if bid is not None and ask is not None else mark
        return {
            **self._body(errors),
            "order_total": text(round(total + fees * side.sign, 8)),
            "commission_total": text(round(fees, 8)),
            "quote_size": text(round(total, 8)),
            "base_size": text(terms.size),
            "best_bid": price_text(bid),
            "best_ask": price_text(ask),
            "order_margin_total": text(round(margin, 8)),
            "leverage": text(round(1 / rate, 2)) if rate else "",
            "long_leverage": text(round(1 / rates.initial_long, 2)) if rates.initial_long else "",
            "short_leverage": text(round(1 / rates.initial_short, 2)) if rates.initial_short else "",
            "slippage": text(round(abs(filled - middle) / middle, 8)) if estimate.taken else "0",
            "est_average_filled_price": text(round(filled, 8)),
            "predicted_liquidation_price": text(round(liquidation, 8)),
            "margin_ratio_data": {
                "current_margin_ratio": _ratio(account.equity, account.maintenance_margin),
                "projected_margin_ratio": _ratio(account.equity - fees, projected),
            },
            "commission_detail_total": {"total_commission": text(round(fees, 8))},
        }

    def _more_margin(
        self, account: int, listed: Listed, held: Decimal, side: Side, quantity: Decimal, mark: Decimal
    ) -> Decimal:
        """How much more initial margin the worst exposure needs that open orders can lead to, as the kernel has it."""
        rates = listed.spec.margin_intraday if self._money.intraday else listed.spec.margin_overnight
        buys = self._desk.open_quantity(account, listed, Side.BUY)
        sells = self._desk.open_quantity(account, listed, Side.SELL)

        def needed(buying: Decimal, selling: Decimal) -> Decimal:
            long, short = max(ZERO, held + buying), max(ZERO, selling - held)
            return max(long * rates.initial_long, short * rates.initial_short) * mark

        more_buys, more_sells = (quantity, ZERO) if side is Side.BUY else (ZERO, quantity)
        return max(ZERO, needed(buys + more_buys, sells + more_sells) - needed(buys, sells))

    def _errors(
        self, listed: Listed, terms: Terms, side: Side, book: BookView | None, mark: Decimal, estimate: _Estimate
    ) -> list[str]:
        spec = listed.spec
        found = []
        status = self._venue.products()[listed.symbol].status
        if status is TradingStatus.HALTED:
            found.append("PREVIEW_PRODUCT_TRADING_HALTED")
        elif status is not TradingStatus.OPEN:
            found.append("PREVIEW_NOT_ALLOWED_BY_MARKET_STATE")
        quantity = listed.quantity(terms.size)
        if quantity < spec.min_quantity:
            found.append("PREVIEW_INVALID_BASE_SIZE_TOO_SMALL")
        if quantity > spec.max_quantity:
            found.append("PREVIEW_INVALID_BASE_SIZE_TOO_LARGE")
        if terms.limit_price is not None and abs(terms.limit_price - mark) > mark * spec.price_band:
            found.append(f"PREVIEW_LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_{side}")
        if terms.post_only and estimate.taken:
            found.append("PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY")
        if terms.kernel_type is OrderType.MARKET and (book is None or not estimate.taken):
            found.append("PREVIEW_INVALID_NO_LIQUIDITY")
        last = self._venue.last_price(listed.symbol)
        stop = terms.stop_price if terms.kernel_type is OrderType.STOP_LIMIT else None
        if stop is not None and last is not None and (stop - last) * side.sign <= 0:
            found.append(f"PREVIEW_STOP_PRICE_{'BELOW' if side is Side.BUY else 'ABOVE'}_LAST_TRADE_PRICE")
        return found

    def _body(self, errors: Sequence[str]) -> Json:
        self._count += 1
        return {
            "order_total": "0",
            "commission_total": "0",
            "errs": list(errors),
            "warning": [],
            "quote_size": "0",
            "base_size": "0",
            "best_bid": "",
            "best_ask": "",
            "is_max": False,
            "preview_id": identifier("preview", self._count),
        }


def _walk(
    listed: Listed,
    levels: Sequence[tuple[Decimal, Decimal]],
    side: Side,
    contracts: Decimal,
    limit: Decimal | None,
) -> tuple[Decimal, Decimal]:
    """(contracts, value) that the book gives at `limit` or better."""
    left, value = listed.quantity(contracts), ZERO
    for price, quantity in levels:
        if left <= ZERO or (limit is not None and (price - limit) * side.sign > 0):
            break
        taken = min(left, quantity)
        left -= taken
        value += taken * price
    return contracts - listed.contracts(left), value


def _ratio(equity: Decimal, maintenance: Decimal) -> str:
    return text(round(equity / maintenance, 6)) if maintenance else "0"
