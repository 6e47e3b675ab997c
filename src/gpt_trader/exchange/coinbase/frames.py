"""What does the venue say by itself? Frames of the WebSocket, read channel by channel.

`read_frame` reads the envelope first, so that sequence and channel are known whatever the events hold. Live frames may
lack `client_id`; an error frame has no channel.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gpt_trader.exchange.coinbase.decoding import WireError, Written
from gpt_trader.exchange.coinbase.replies import Trade

__all__ = [
    "BalanceEvent",
    "BookEvent",
    "CandlesEvent",
    "Event",
    "Frame",
    "HeartbeatEvent",
    "StatusEvent",
    "SubscriptionsEvent",
    "TickerEvent",
    "TradesEvent",
    "UserEvent",
    "UserOrder",
    "read_frame",
]


class _Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Unknown fields are passed over."""


class HeartbeatEvent(_Wire, frozen=True, kw_only=True):
    heartbeat_counter: int | str
    current_time: str = ""


class SubscriptionsEvent(_Wire, frozen=True, kw_only=True):
    subscriptions: dict[str, list[str]]


class BookLevel(_Wire, frozen=True, kw_only=True):
    side: str
    """bid or offer."""
    price_level: str
    new_quantity: str
    """The whole quantity now, in contracts; zero takes the level away."""
    event_time: str = ""


class BookEvent(_Wire, frozen=True, kw_only=True):
    type: str
    """snapshot replaces the book, update changes levels."""
    product_id: str
    updates: list[BookLevel]


class TradesEvent(_Wire, frozen=True, kw_only=True):
    type: str
    trades: list[Trade]


class Ticker(_Wire, frozen=True, kw_only=True):
    product_id: str
    price: Written
    best_bid: Written = None
    """Empty while the session is closed."""
    best_ask: Written = None
    best_bid_quantity: Written = None
    best_ask_quantity: Written = None


class TickerEvent(_Wire, frozen=True, kw_only=True):
    type: str
    tickers: list[Ticker]


class FiveMinutes(_Wire, frozen=True, kw_only=True):
    """One candle of five minutes; the newest is still forming."""

    product_id: str
    start: str
    low: str
    high: str
    open: str
    close: str
    volume: str


class CandlesEvent(_Wire, frozen=True, kw_only=True):
    type: str
    candles: list[FiveMinutes]


class ProductStatus(_Wire, frozen=True, kw_only=True):
    id: str
    status: str = ""


class StatusEvent(_Wire, frozen=True, kw_only=True):
    type: str
    products: list[ProductStatus]


class UserOrder(_Wire, frozen=True, kw_only=True):
    """One order, cumulative: what it is by now, never what changed."""

    order_id: str
    product_id: str
    status: str
    client_order_id: str = ""
    cumulative_quantity: Written
    leaves_quantity: Written = None
    """Zeroed once the order has ended."""
    avg_price: Written = None
    total_fees: Written = None
    order_side: str = ""
    order_type: str = ""
    cancel_reason: str | None = None
    reject_reason: str | None = None
    creation_time: str | None = None


class UserEvent(_Wire, frozen=True, kw_only=True):
    """Positions come only where support enabled them; the adapter asks for them over REST."""

    type: str
    orders: list[UserOrder]


class FuturesBalance(_Wire, frozen=True, kw_only=True):
    total_usd_balance: Written
    cfm_usd_balance: Written
    unrealized_pnl: Written
    initial_margin: Written
    available_margin: Written
    liquidation_threshold: Written
    futures_buying_power: Written
    funding_pnl: Written = None


class BalanceEvent(_Wire, frozen=True, kw_only=True):
    type: str
    fcm_balance_summary: FuturesBalance


Event = (
    HeartbeatEvent
    | SubscriptionsEvent
    | BookEvent
    | TradesEvent
    | TickerEvent
    | CandlesEvent
    | StatusEvent
    | UserEvent
    | BalanceEvent
)


class Frame(_Wire, frozen=True, kw_only=True):
    """One frame. `error` is set for an error frame, which has neither channel nor number."""

    channel: str = ""
    sequence: int = -1
    timestamp: str = ""
    events: tuple[Event, ...] = ()
    error: str = ""


class _Envelope(_Wire, frozen=True, kw_only=True):
    channel: str = ""
    sequence_num: int = -1
    timestamp: str = ""
    events: msgspec.Raw = msgspec.Raw(b"[]")
    type: str = ""
    message: str = ""


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_EVENTS: Final[dict[str, msgspec.json.Decoder[tuple[Event, ...]]]] = {
    "heartbeats": msgspec.json.Decoder(tuple[HeartbeatEvent, ...]),
    "subscriptions": msgspec.json.Decoder(tuple[SubscriptionsEvent, ...]),
    "l2_data": msgspec.json.Decoder(tuple[BookEvent, ...]),
    "market_trades": msgspec.json.Decoder(tuple[TradesEvent, ...]),
    "ticker": msgspec.json.Decoder(tuple[TickerEvent, ...]),
    "ticker_batch": msgspec.json.Decoder(tuple[TickerEvent, ...]),
    "candles": msgspec.json.Decoder(tuple[CandlesEvent, ...]),
    "status": msgspec.json.Decoder(tuple[StatusEvent, ...]),
    "user": msgspec.json.Decoder(tuple[UserEvent, ...]),
    "futures_balance_summary": msgspec.json.Decoder(tuple[BalanceEvent, ...]),
}


def read_frame(text: str | bytes) -> Frame:
    """One frame; a channel that nobody knows keeps its number and has no events. Raises WireError."""
    try:
        envelope = _ENVELOPE.decode(text)
        if not envelope.channel:
            if envelope.type != "error":
                raise WireError(f"frame of Coinbase has no channel, type is {envelope.type!r}")
            return Frame(error=envelope.message or "error without a message")
        if envelope.sequence_num < 0:
            raise WireError(f"frame of {envelope.channel} has no sequence_num")
        decoder = _EVENTS.get(envelope.channel)
        events = decoder.decode(envelope.events) if decoder else ()
    except msgspec.MsgspecError as error:
        raise WireError(f"frame of Coinbase cannot be read: {error}") from error
    return Frame(channel=envelope.channel, sequence=envelope.sequence_num, timestamp=envelope.timestamp, events=events)
