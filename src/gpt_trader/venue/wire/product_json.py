"""What does Coinbase say of a product? Listing, session, margin and funding of one future as one object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ZERO, BookView, MarginRates, TradingStatus
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.wire.formats import Json, stamp, text
from gpt_trader.venue.wire.history import Day
from gpt_trader.venue.wire.listing import Listed
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.windows import SESSION_BREAK

__all__ = ["best", "price_text", "product_json", "status_json"]

EXPIRY: Final = datetime(2030, 12, 20, 16, tzinfo=UTC)
EXPIRY_NS: Final = int(EXPIRY.timestamp()) * NS
NEW_YORK: Final = ZoneInfo("America/New_York")
WEEK_NS: Final = 7 * 86_400 * NS
HUNDRED: Final = Decimal(100)


def price_text(price: Decimal | None) -> str:
    return "" if price is None else text(price)


def best(book: BookView | None) -> tuple[Decimal | None, Decimal | None]:
    if book is None:
        return None, None
    return (book.bids[0][0] if book.bids else None), (book.asks[0][0] if book.asks else None)


def product_json(listed: Listed, venue: SimulatedVenue, day: Day | None, quirks: Quirks) -> Json:
    """One product as `/products` shows it."""
    spec = listed.spec
    now_ns = venue.now_ns
    last = venue.last_price(spec.symbol)
    book = venue.book(spec.symbol, 1)
    bid, ask = best(book)
    status = venue.products()[spec.symbol].status
    times = quirks.increments.get(spec.symbol, 1)
    volume = listed.contracts(day.volume) if day else ZERO
    change = (last - day.open) / day.open * HUNDRED if day and last and day.open else ZERO
    return {
        "product_id": listed.product_id,
        "price": price_text(last),
        "price_percentage_change_24h": text(round(change, 8)),
        "volume_24h": text(volume),
        "volume_percentage_change_24h": "0",
        "base_increment": text(listed.base_increment * times),
        "quote_increment": "0.01",
        "quote_min_size": text(spec.min_notional),
        "quote_max_size": "100000000",
        "base_min_size": text(listed.contracts(spec.min_quantity) * times),
        "base_max_size": text(listed.contracts(spec.max_quantity)),
        "base_name": "",
        "quote_name": "US Dollar",
        "watched": False,
        "is_disabled": False,
        "new": False,
        "status": "",
        "cancel_only": status is TradingStatus.CANCEL_ONLY,
        "limit_only": status is TradingStatus.LIMIT_ONLY,
        "post_only": status is TradingStatus.POST_ONLY,
        "trading_disabled": status is TradingStatus.HALTED,
        "auction_mode": False,
        "product_type": "FUTURE",
        "quote_currency_id": spec.quote,
        "base_currency_id": "",
        "fcm_trading_session_details": _session(now_ns, is_open=spec.symbol not in quirks.sessions_closed),
        "mid_market_price": price_text(book.mid if book else None),
        "alias": "",
        "alias_to": [],
        "base_display_symbol": "",
        "quote_display_symbol": spec.quote,
        "view_only": False,
        "price_increment": text(spec.tick * times),
        "display_name": f"{spec.base} PERP",
        "product_venue": "FCM",
        "approximate_quote_24h_volume": text(listed.value(volume, last or ZERO)),
        "new_at": None,
        "market_cap": "",
        "base_cbrn": "",
        "quote_cbrn": "",
        "product_cbrn": "",
        "icon_color": "",
        "icon_url": "",
        "display_name_overwrite": "",
        "is_alpha_testing": False,
        "about_description": "",
        "best_bid_price": price_text(bid),
        "best_ask_price": price_text(ask),
        "future_product_details": _future(listed, venue, last, now_ns),
    }


def _future(listed: Listed, venue: SimulatedVenue, last: Decimal | None, now_ns: int) -> Json:
    spec = listed.spec
    interval_ns = spec.funding_interval_seconds * NS
    return {
        "venue": "cde",
        "contract_code": listed.product_id.partition("-")[0],
        "contract_expiry": "2030-12-20T16:00:00Z",
        "contract_size": text(spec.contract_size),
        "contract_root_unit": spec.base,
        "group_description": f"{spec.base} Perp Futures",
        "contract_expiry_timezone": "Europe/London",
        "group_short_description": f"{spec.base} Perp",
        "risk_managed_by": "MANAGED_BY_FCM",
        "contract_expiry_type": "EXPIRING",
        "perpetual_details": {
            "open_interest": "0",
            "funding_rate": "",
            "funding_time": None,
            "max_leverage": "",
            "base_asset_uuid": "",
            "underlying_type": "",
        },
        "contract_display_name": f"{spec.base} PERP",
        "time_to_expiry_ms": str(max(0, EXPIRY_NS - now_ns) // 1_000_000),
        "non_crypto": False,
        "contract_expiry_name": "2030-12",
        "twenty_four_by_seven": True,
        "funding_interval": f"{spec.funding_interval_seconds}s",
        "open_interest": "0",
        "funding_rate": text(venue.funding_rate(spec.symbol)),
        "funding_time": stamp(now_ns // interval_ns * interval_ns),
        "display_name": f"{spec.base} Perpetual",
        "region_enabled": {},
        "intraday_margin_rate": _rates(spec.margin_intraday),
        "overnight_margin_rate": _rates(spec.margin_overnight),
        "settlement_price": price_text(last),
        "futures_asset_type": "FUTURES_ASSET_TYPE_CRYPTO",
        "index_price": price_text(venue.index_price(spec.symbol)),
        "contract_code_display_name": "",
        "product_group_cbrn": "",
    }


def _rates(rates: MarginRates) -> Json:
    return {"long_margin_rate": text(rates.initial_long), "short_margin_rate": text(rates.initial_short)}


def _session(now_ns: int, *, is_open: bool) -> Json:
    """Sessions run from 17:00 to 17:00 in New York; the next weekly break is named as maintenance."""
    local = datetime.fromtimestamp(now_ns / NS, tz=NEW_YORK)
    close = local.replace(hour=17, minute=0, second=0, microsecond=0)
    if close <= local:
        close += timedelta(days=1)
    opened = close - timedelta(days=1)
    begins, ends = next(iter(SESSION_BREAK.spans(now_ns, now_ns + WEEK_NS)))
    return {
        "is_session_open": is_open,
        "open_time": _utc(opened),
        "close_time": _utc(close),
        "session_state": f"FCM_TRADING_SESSION_STATE_{'OPEN' if is_open else 'CLOSED'}",
        "after_hours_order_entry_disabled": False,
        "closed_reason": "FCM_TRADING_SESSION_CLOSED_REASON_EXCHANGE_MAINTENANCE",
        "maintenance": {"start_time": stamp(begins), "end_time": stamp(ends)},
    }


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def status_json(listed: Listed) -> Json:
    """One product as the status channel shows it."""
    return {
        "product_type": "FUTURE",
        "id": listed.product_id,
        "base_currency": listed.spec.base,
        "quote_currency": listed.spec.quote,
        "base_increment": text(listed.base_increment),
        "quote_increment": text(listed.spec.tick),
        "display_name": f"{listed.spec.base} PERP",
        "status": "",
        "status_message": "",
        "min_market_funds": "0",
    }
