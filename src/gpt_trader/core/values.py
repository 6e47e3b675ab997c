"""What do we talk about? The frozen values that pass along the order path.

Quantities are in units of the base asset and signed only where the name says so; prices and money are in the
quote currency; both are Decimal. Times are int nanoseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from gpt_trader.core.errors import Number

__all__ = [
    "TERMINAL",
    "ZERO",
    "Account",
    "ApprovedOrder",
    "Bar",
    "BookView",
    "Candidate",
    "EngineDecision",
    "ExecutionReport",
    "Exposure",
    "Keeper",
    "Liquidity",
    "MarginRates",
    "Mark",
    "MarketSnapshot",
    "Mode",
    "NormalizedOrderRequest",
    "OrderRequest",
    "OrderState",
    "OrderTicket",
    "OrderType",
    "PaperCost",
    "PlacedOrder",
    "Position",
    "ProductSpec",
    "Purpose",
    "Side",
    "Snapshot",
    "StopKind",
    "TimeInForce",
    "TradingStatus",
]

ZERO: Final = Decimal(0)


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LIMIT = "STOP_LIMIT"
    BRACKET = "BRACKET"
    """A limit where the profit is and a stop on the other side, one order: what one leg fills the other loses."""


class TimeInForce(StrEnum):
    GTC = "GTC"
    GTD = "GTD"
    IOC = "IOC"
    FOK = "FOK"


class Liquidity(StrEnum):
    MAKER = "MAKER"
    TAKER = "TAKER"


class Purpose(StrEnum):
    """Why an order exists: an entry may be refused, an exit must get out."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"


class Mode(StrEnum):
    """What may leave the bot at all; ordered from open to shut."""

    NORMAL = "NORMAL"
    REDUCE_ONLY = "REDUCE_ONLY"
    CANCEL_ONLY = "CANCEL_ONLY"
    FROZEN = "FROZEN"


class StopKind(StrEnum):
    """What makes a stop fire, and how it then leaves."""

    STOP = "STOP"
    """The price falls (or rises) to the trigger; out at once, within the exit collar."""
    STOP_LIMIT = "STOP_LIMIT"
    """The same, out at its own limit price first."""
    TRAILING = "TRAILING"
    """The trigger follows the best price at a fixed share of it."""
    TAKE_PROFIT = "TAKE_PROFIT"
    """The price reaches the target."""


class Keeper(StrEnum):
    """Who holds a stop; exactly one at a time."""

    VENUE = "VENUE"
    LOCAL = "LOCAL"
    """The bot itself."""
    STRATEGY = "STRATEGY"


class TradingStatus(StrEnum):
    """What the venue lets a product do."""

    OPEN = "OPEN"
    LIMIT_ONLY = "LIMIT_ONLY"
    POST_ONLY = "POST_ONLY"
    CANCEL_ONLY = "CANCEL_ONLY"
    HALTED = "HALTED"


class OrderState(StrEnum):
    """Life of an order; UNKNOWN means bytes left and there is no proof."""

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    UNKNOWN = "UNKNOWN"
    ACTIVE = "ACTIVE"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


TERMINAL: Final = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.FAILED}
)


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A frozen value with named fields."""


class MarginRates(Value, frozen=True, kw_only=True):
    """Margin as a share of notional, by side."""

    initial_long: Decimal
    initial_short: Decimal
    maintenance_long: Decimal
    maintenance_short: Decimal


class ProductSpec(Value, frozen=True, kw_only=True):
    """What the venue says of one perpetual."""

    symbol: str
    venue_symbol: str
    base: str
    quote: str = "USD"
    tick: Decimal
    """Price increment."""
    lot: Decimal
    """Quantity increment in base units; one contract where the venue trades contracts."""
    contract_size: Decimal
    """Base units in one venue contract; 1 where the venue sizes in base units."""
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal = ZERO
    price_band: Decimal = Decimal("0.10")
    """Furthest a limit price may lie from the mark, as a share of the mark."""
    maker_fee_rate: Decimal
    taker_fee_rate: Decimal
    liquidation_fee_rate: Decimal = ZERO
    margin_intraday: MarginRates
    margin_overnight: MarginRates
    funding_interval_seconds: int = 3600
    status: TradingStatus = TradingStatus.OPEN


class Position(Value, frozen=True, kw_only=True):
    """One net position. `quantity` is signed: above zero long, below zero short."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    """Average price of what is open; zero when flat."""
    opened_ns: int = 0


class Account(Value, frozen=True, kw_only=True):
    """The venue's word on money, in the account currency."""

    cash: Decimal
    """Balance without unrealised PnL."""
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    available_margin: Decimal
    received_ns: int
    funding: Decimal | None = None
    """All funding the venue has booked so far, where it tells a sum instead of payments; above zero is received."""


class Mark(Value, frozen=True, kw_only=True):
    """The price that PnL and exposure are measured with."""

    price: Decimal
    venue_ns: int
    received_ns: int


class BookView(Value, frozen=True, kw_only=True):
    """Price levels, best first, each (price, quantity)."""

    bids: Sequence[tuple[Decimal, Decimal]]
    asks: Sequence[tuple[Decimal, Decimal]]
    received_ns: int
    modelled: bool = False
    """Made from bars, not seen at a venue."""
    known_mid: Decimal | None = None
    """`mid`, where whoever made the view has worked it out: an order asks for it half a dozen times."""

    @property
    def mid(self) -> Decimal | None:
        """Half way between the best prices; None when a side is empty."""
        if self.known_mid is not None:
            return self.known_mid
        if not self.bids or not self.asks:
            return None
        return (self.bids[0][0] + self.asks[0][0]) / 2


class Bar(msgspec.Struct, frozen=True):
    """One closed bar. Prices and volume are floats: they feed signals, never money.

    Positional on purpose: a backtest makes one per bar.
    """

    symbol: str
    close_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    """In base units."""
    history: bool = False
    """Warm-up, or delivered late: state may be updated, nothing may be traded."""


class Exposure(Value, frozen=True, kw_only=True):
    """What one symbol could become if every order that may be alive fills. Quantities in base units."""

    symbol: str
    position: Decimal
    """Signed."""
    working_buy: Decimal = ZERO
    """Unfilled part of live and unknown buys that can increase the position."""
    working_sell: Decimal = ZERO
    closing_buy: Decimal = ZERO
    """Unfilled part of live and unknown reduce-only buys."""
    closing_sell: Decimal = ZERO
    external: Decimal = ZERO
    """Signed position that is somebody else's: it counts, and no order of ours may close it."""
    mark: Decimal
    margin: MarginRates | None = None
    """Rates of this symbol where known; rules fall back on configured rates without them."""

    def reach(self, side: Side) -> Decimal:
        """Position in the direction of `side` if everything on that side fills; below zero while it stays opposite.

        Closing orders count too: an entry may fill before the close that makes way for it, or the venue may not
        honour reduce-only.
        """
        if side is Side.BUY:
            return self.position + self.external + self.working_buy + self.closing_buy
        return -self.position - self.external + self.working_sell + self.closing_sell

    def worst_quantity(self, side: Side, extra: Decimal = ZERO) -> Decimal:
        """Largest position, in the direction of `side` and at least zero, if everything on that side fills."""
        return max(ZERO, self.reach(side) + extra)

    @property
    def worst_notional(self) -> Decimal:
        return max(ZERO, self.reach(Side.BUY), self.reach(Side.SELL)) * self.mark


class MarketSnapshot(Value, frozen=True, kw_only=True):
    """What was known of one symbol's market at one moment; ages are on the receive clock."""

    mark: Mark | None
    book: BookView | None
    last_price: Decimal | None = None
    index_price: Decimal | None = None
    funding_rate: Decimal = ZERO
    """Per funding interval; above zero longs pay."""
    sigma_day: Decimal | None = None
    """Standard deviation of one day's return, from closed bars; None until enough bars are seen."""
    volume_day: Decimal | None = None
    """Base units traded in a day, from closed bars; None until enough bars are seen."""


class Snapshot(Value, frozen=True, kw_only=True):
    """One consistent view of account and market, taken once per intent."""

    taken_ns: int
    product: ProductSpec
    account: Account
    exposure: Exposure
    others: tuple[Exposure, ...] = ()
    """Exposure of every other symbol with a position or a living order."""
    market: MarketSnapshot
    mode: Mode = Mode.NORMAL
    pause_reason: str = ""
    """Why entries of this symbol are paused; empty when they are not."""
    margin: MarginRates
    """The strictest rates that hold until the position could be closed: the next window's near its change."""
    drawdown: Decimal = ZERO
    """Loss from the highest equity of the run, as a share of it."""


class Replaced(Value, frozen=True, kw_only=True):
    """A resting order in whose place another is wanted."""

    client_order_id: str
    filled: Decimal
    """When the wish was said; what it trades beyond that while it is taken back is taken off the new one."""


class OrderRequest(Value, frozen=True, kw_only=True):
    """What a strategy or operator wants done in the market."""

    intent_id: str
    strategy: str
    symbol: str
    side: Side
    quantity: Decimal
    """As asked, in base units; need not lie on the lot grid yet."""
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.IOC
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    """Trigger of a STOP_LIMIT."""
    protective_stop: Decimal | None = None
    """Where the position is to be given up, if the strategy says so."""
    protective_limit: Decimal | None = None
    """Limit price of the exit once the protective stop fires; none lets the exit collar decide."""
    trailing_stop: Decimal | None = None
    """Give the position up so far from the best price since the fill, as a share of that price."""
    target_price: Decimal | None = None
    post_only: bool = False
    reduce_only: bool = False
    created_ns: int
    valid_until_ns: int
    """After this the intent is dead: nothing is sent or sent again for it."""
    expire_ns: int | None = None
    """End of a GTD order."""
    strength: float | None = None
    """0..1 where the strategy has an opinion; a request without one is not judged by that rule."""
    confluence: float | None = None
    tactic: str = ""
    """Named placement strategy; empty lets the engine choose by order type."""
    trigger_fill_price: Decimal | None = None
    """Where the fill that caused this order happened: a working tactic pays no more than breaks even against it."""
    slice_quantity_max: Decimal | None = None
    """Largest single order of a slicing tactic; None leaves it to the tactic."""
    exchange: str = ""
    """Where the signal wants it done, by the adapter's name; empty where it does not say."""
    replaces: Replaced | None = None
    """Taken back, proven, before this one leaves; judged as if it were gone."""
    reason: str = ""

    @property
    def purpose(self) -> Purpose:
        return Purpose.EXIT if self.reduce_only else Purpose.ENTRY


class Candidate(Value, frozen=True, kw_only=True):
    """Row 3: a wish and the world it was wished in."""

    order: OrderRequest
    snapshot: Snapshot


class NormalizedOrderRequest(Value, frozen=True, kw_only=True):
    """Row 4: well formed, here and now. Made by validation only."""

    order: OrderRequest
    snapshot: Snapshot
    trace: Mapping[str, Number] = {}
    """Every number the stage used, by name."""


class ApprovedOrder(Value, frozen=True, kw_only=True):
    """Row 5: allowed, at this quantity. Made by the risk stage only."""

    order: OrderRequest
    snapshot: Snapshot
    trace: Mapping[str, Number] = {}


class OrderTicket(Value, frozen=True, kw_only=True):
    """One order as it will stand at the venue: one `client_order_id`, one frozen body, for ever."""

    client_order_id: str
    intent_id: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expire_ns: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    purpose: Purpose = Purpose.ENTRY
    strategy: str = ""
    tactic: str = ""
    leg: str = ""
    slice_number: int = 0
    valid_until_ns: int
    arrival_mid: Decimal = ZERO


class PlacedOrder(Value, frozen=True, kw_only=True):
    """Row 6: what the placement strategy started, and how far it is."""

    approved: ApprovedOrder
    client_order_ids: tuple[str, ...]
    state: OrderState
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    working: bool = False
    """The tactic goes on by itself; the pipeline does not wait for it."""


class EngineDecision(Value, frozen=True, kw_only=True):
    """What one engine makes of one intent, for comparison with another's."""

    engine: str
    code: str = ""
    """Of its refusal; empty where it approved."""
    stage: str = ""
    """Where it refused."""
    quantity: Decimal = ZERO
    """As approved; zero where a rule refused."""
    tactic: str = ""
    limit_price: Decimal | None = None
    """Of the first order that follows from it; None where none does."""
    expected_bps: Decimal | None = None
    """Cost of the quantity before it is traded, fee included: by the book of the decision where it is taken at once,
    by the square-root law where it is worked. None where neither can say."""

    @property
    def is_approved(self) -> bool:
        return not self.code


class PaperCost(Value, frozen=True, kw_only=True):
    """What an approved order cost on paper."""

    filled: Decimal
    average_price: Decimal | None = None
    all_in_bps: Decimal
    """Shortfall of what was filled (price against the arrival middle, and fees) and the rest at the middle when it
    ended, of what was wanted. Above zero cost us."""
    is_over: bool = True
    """False where it still rested when it was last looked at."""


OPEN_OUTCOMES: Final = frozenset({"WORKING", "RESTING", "UNKNOWN"})
"""Answers to an intent that are followed by another one."""


class ExecutionReport(Value, frozen=True, kw_only=True):
    """Row 10: the answer to place_order."""

    intent_id: str
    symbol: str
    outcome: str
    """FILLED, PARTIALLY_FILLED, RESTING, WORKING, UNKNOWN, REFUSED, REJECTED, CANCELLED, EXPIRED or FAILED."""
    client_order_ids: tuple[str, ...] = ()
    quantity: Decimal = ZERO
    """As approved."""
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    slippage_bps: Decimal | None = None
    """Against the arrival mid; above zero cost us."""
    code: str = ""
    """Refusal or venue code."""
    numbers: Mapping[str, Number] = {}
