"""What does the venue answer to a request? The REST replies that the adapter reads, with the fields it uses.

A field without a default must be there; a list is never null here, since no answer must not look like an empty one.
Sizes are in contracts, times RFC 3339 text, enums text as the venue has them.
"""

from __future__ import annotations

import msgspec

from gpt_trader.exchange.coinbase.decoding import Written

__all__ = [
    "AccountsReply",
    "BalanceReply",
    "BalanceSummary",
    "BookReply",
    "CancelReply",
    "Candle",
    "CandlesReply",
    "CreateReply",
    "ErrorReply",
    "FeesReply",
    "Fill",
    "FillsReply",
    "FutureDetails",
    "KeyPermissions",
    "MarginRate",
    "MarginSetting",
    "MarginWindowReply",
    "Order",
    "OrderReply",
    "OrdersReply",
    "Position",
    "PositionReply",
    "PositionsReply",
    "PreviewReply",
    "Product",
    "ProductsReply",
    "Refusal",
    "TimeReply",
    "Trade",
    "TradesReply",
    "Wallet",
]


class _Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown fields are passed over."""


# products and market


class MarginRate(_Wire, frozen=True, kw_only=True):
    """Initial margin as a share of notional."""

    long_margin_rate: Written = None
    short_margin_rate: Written = None


class FutureDetails(_Wire, frozen=True, kw_only=True):
    """What makes a product a future. The inner `perpetual_details` is left alone: its funding rate is always empty."""

    contract_size: Written = None
    contract_root_unit: str | None = None
    contract_expiry_type: str | None = None
    funding_interval: str | None = None
    """Seconds with an `s`; empty where there is no funding."""
    funding_rate: Written = None
    funding_time: str | None = None
    intraday_margin_rate: MarginRate | None = None
    overnight_margin_rate: MarginRate | None = None
    index_price: Written = None
    settlement_price: Written = None


class SessionDetails(_Wire, frozen=True, kw_only=True):
    is_session_open: bool | None = None
    open_time: str | None = None
    close_time: str | None = None


class Product(_Wire, frozen=True, kw_only=True):
    product_id: str
    product_type: str = ""
    product_venue: str = ""
    display_name: str | None = None
    quote_currency_id: str | None = None
    price: Written = None
    base_increment: Written = None
    price_increment: Written = None
    base_min_size: Written = None
    base_max_size: Written = None
    best_bid_price: Written = None
    best_ask_price: Written = None
    mid_market_price: Written = None
    is_disabled: bool | None = False
    trading_disabled: bool | None = False
    view_only: bool | None = False
    cancel_only: bool | None = False
    limit_only: bool | None = False
    post_only: bool | None = False
    auction_mode: bool | None = False
    fcm_trading_session_details: SessionDetails | None = None
    future_product_details: FutureDetails | None = None


class ProductsReply(_Wire, frozen=True, kw_only=True):
    products: list[Product]
    num_products: int | None = None


class Level(_Wire, frozen=True, kw_only=True):
    price: str
    size: str


class PriceBook(_Wire, frozen=True, kw_only=True):
    product_id: str
    bids: list[Level]
    asks: list[Level]
    time: str | None = None


class BookReply(_Wire, frozen=True, kw_only=True):
    pricebook: PriceBook


class Candle(_Wire, frozen=True, kw_only=True):
    start: str
    """Seconds since the epoch."""
    low: str
    high: str
    open: str
    close: str
    volume: str


class CandlesReply(_Wire, frozen=True, kw_only=True):
    candles: list[Candle]


class Trade(_Wire, frozen=True, kw_only=True):
    trade_id: str
    product_id: str
    price: str
    size: str
    time: str | None = None
    side: str = ""
    """Of the maker."""


class TradesReply(_Wire, frozen=True, kw_only=True):
    trades: list[Trade]
    best_bid: Written = None
    best_ask: Written = None


class TimeReply(_Wire, frozen=True, kw_only=True):
    epochMillis: str | int  # noqa: N815 - the venue's name


# orders


class OrderSize(_Wire, frozen=True, kw_only=True):
    """What every configuration of an order has, one way or the other."""

    base_size: Written = None


class Order(_Wire, frozen=True, kw_only=True):
    order_id: str
    product_id: str
    side: str
    status: str
    client_order_id: str = ""
    filled_size: Written = None
    average_filled_price: Written = None
    created_time: str | None = None
    last_fill_time: str | None = None
    last_update_time: str | None = None
    reject_reason: str | None = None
    reject_message: str | None = None
    cancel_message: str | None = None
    is_liquidation: bool | None = False
    order_type: str | None = None
    size_in_quote: bool | None = False
    order_configuration: dict[str, OrderSize] | None = None


class MarginSetting(_Wire, frozen=True, kw_only=True):
    setting: str
    """INTRADAY_MARGIN_SETTING_STANDARD or ..._INTRADAY."""


class MarginWindow(_Wire, frozen=True, kw_only=True):
    margin_window_type: str = ""
    end_time: str | None = None


class MarginWindowReply(_Wire, frozen=True, kw_only=True):
    margin_window: MarginWindow
    is_intraday_margin_killswitch_enabled: bool = False
    is_intraday_margin_enrollment_killswitch_enabled: bool = False


class OrderReply(_Wire, frozen=True, kw_only=True):
    order: Order


class OrdersReply(_Wire, frozen=True, kw_only=True):
    orders: list[Order]
    has_next: bool
    cursor: str | None = None


class Fill(_Wire, frozen=True, kw_only=True):
    entry_id: str
    trade_id: str
    order_id: str
    trade_time: str
    trade_type: str
    price: str
    size: str
    commission: Written
    product_id: str
    side: str
    liquidity_indicator: str = ""
    sequence_timestamp: str | None = None
    size_in_quote: bool | None = False


class FillsReply(_Wire, frozen=True, kw_only=True):
    fills: list[Fill]
    cursor: str | None = None
    """Empty at the end; there is no has_next."""


class Accepted(_Wire, frozen=True, kw_only=True):
    order_id: str
    client_order_id: str = ""
    product_id: str = ""


class Refusal(_Wire, frozen=True, kw_only=True):
    """Why an order was not taken."""

    error: str | None = None
    message: str | None = None
    error_details: str | None = None
    preview_failure_reason: str | None = None
    new_order_failure_reason: str | None = None


class CreateReply(_Wire, frozen=True, kw_only=True):
    """HTTP 200 for both outcomes: `success` alone decides."""

    success: bool
    success_response: Accepted | None = None
    error_response: Refusal | None = None
    order_id: str | None = None
    """Where older replies have it."""
    failure_reason: str | None = None


class Cancelled(_Wire, frozen=True, kw_only=True):
    success: bool
    """The request was taken; the order is not cancelled yet."""
    order_id: str
    failure_reason: str | None = None


class CancelReply(_Wire, frozen=True, kw_only=True):
    results: list[Cancelled]


class PreviewReply(_Wire, frozen=True, kw_only=True):
    """HTTP 200 also for an order that would fail: `errs` says so."""

    errs: list[str]
    warning: list[str] = []
    commission_total: Written = None
    order_margin_total: Written = None
    slippage: Written = None
    predicted_liquidation_price: Written = None


# the account


class Wallet(_Wire, frozen=True, kw_only=True):
    """One currency of the account, outside the futures wallet."""

    uuid: str
    currency: str
    available_balance: Written = None
    hold: Written = None
    active: bool | None = None
    ready: bool | None = None


class AccountsReply(_Wire, frozen=True, kw_only=True):
    accounts: list[Wallet]
    has_next: bool
    cursor: str | None = None


class BalanceSummary(_Wire, frozen=True, kw_only=True):
    total_usd_balance: Written
    cfm_usd_balance: Written
    unrealized_pnl: Written
    initial_margin: Written
    available_margin: Written
    liquidation_threshold: Written
    futures_buying_power: Written
    cbi_usd_balance: Written = None
    daily_realized_pnl: Written = None
    liquidation_buffer_amount: Written = None
    liquidation_buffer_percentage: Written = None
    funding_pnl: Written = None


class BalanceReply(_Wire, frozen=True, kw_only=True):
    balance_summary: BalanceSummary


class Position(_Wire, frozen=True, kw_only=True):
    product_id: str
    side: str
    number_of_contracts: Written
    avg_entry_price: Written = None
    current_price: Written = None
    unrealized_pnl: Written = None


class PositionReply(_Wire, frozen=True, kw_only=True):
    position: Position | None
    """Null while flat."""


class PositionsReply(_Wire, frozen=True, kw_only=True):
    positions: list[Position]


class FeeTier(_Wire, frozen=True, kw_only=True):
    maker_fee_rate: Written
    taker_fee_rate: Written
    pricing_tier: str | None = None


class FeesReply(_Wire, frozen=True, kw_only=True):
    fee_tier: FeeTier


class KeyPermissions(_Wire, frozen=True, kw_only=True):
    can_view: bool
    can_trade: bool
    can_transfer: bool
    portfolio_uuid: str | None = None


class ErrorReply(_Wire, frozen=True, kw_only=True):
    """Body of a request that failed as such; any part may be missing."""

    error: str | None = None
    message: str | None = None
    error_details: str | None = None
    error_response: Refusal | None = None
