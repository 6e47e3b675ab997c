"""What do we hold, and what did it earn? Positions and money, computed from events alone, live and in replay alike.

One rounding rule, that of the venue's kernel: every amount that enters (notional, fee, funding, transfer) is rounded
once, half-even, to 1e-8 of the quote currency; closing q of Q takes round(cost * q / Q) of the cost with it. All
else is sums, which are exact below 1e20. So, to the last digit, always:

    equity(marks) = starting_cash + price_pnl(marks) - fees + funding + transfers
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.bus import EventBus
from gpt_trader.core.events import (
    Event,
    ExternalClaimed,
    ExternalPositionSeen,
    FundingApplied,
    OrderFilled,
    PositionClosed,
    PositionOpened,
    RunStarted,
    TransferObserved,
)
from gpt_trader.core.values import ZERO, Position, Side, Value

__all__ = ["GRAIN", "EquityTracker", "Ledger", "LedgerState", "SymbolTotals", "notional_of", "share_of", "to_grid"]

GRAIN: Final = Decimal("1e-8")
"""Smallest amount of money that is kept."""

KEYS_MAX: Final = 65_536
"""So many fill, funding and transfer keys are remembered; whoever publishes them counts once in the first place."""

_EXACT: Final = Context(prec=64, rounding=ROUND_HALF_EVEN)
"""Enough digits that a product is exact and a quotient cannot look like a tie that it is not."""


def to_grid(amount: Decimal) -> Decimal:
    """Rounded half-even to 1e-8."""
    return amount.quantize(GRAIN, context=_EXACT)


def notional_of(quantity: Decimal, price: Decimal) -> Decimal:
    """`quantity * price` on the grid."""
    return _EXACT.multiply(quantity, price).quantize(GRAIN, context=_EXACT)


def share_of(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`amount * part / whole` on the grid, rounded once."""
    return _EXACT.divide(_EXACT.multiply(amount, part), whole).quantize(GRAIN, context=_EXACT)


class SymbolTotals(Value, frozen=True, kw_only=True):
    """One symbol over the whole run, in the quote currency."""

    symbol: str
    quantity: Decimal
    """Signed."""
    cost: Decimal
    """What was paid for what is open (or got, when short); never below zero."""
    realised: Decimal
    """Price PnL of what was closed, before fees and funding."""
    fees: Decimal
    funding: Decimal
    """Above zero is received."""


@dataclass(slots=True)
class _Money:
    """Sums over some stretch of time."""

    realised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO


class BookState(Value, frozen=True, kw_only=True):
    """One symbol in a snapshot."""

    symbol: str
    quantity: Decimal
    cost: Decimal
    opened_ns: int
    run: _Money
    life: _Money


class LedgerState(Value, frozen=True, kw_only=True):
    """All that a ledger knows, as a snapshot keeps it."""

    books: tuple[BookState, ...]
    keys: tuple[tuple[tuple[str, ...], int], ...]
    forgotten_ns: int
    external: tuple[Position, ...]
    started: bool
    starting_cash: Decimal
    realised: Decimal
    fees: Decimal
    funding: Decimal
    transfers: Decimal
    duplicates: int


class _Book:
    """What is held in one symbol."""

    __slots__ = ("cost", "life", "opened_ns", "position", "quantity", "run", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.quantity = ZERO
        self.cost = ZERO
        self.opened_ns = 0
        self.run = _Money()
        self.life = _Money()
        """Since the position was last opened."""
        self.position: Position | None = None
        """Made when asked for, until the next fill."""

    def price_now(self) -> Decimal:
        """Average price of what is open, on the grid; zero when flat."""
        return share_of(self.cost, Decimal(1), abs(self.quantity)) if self.quantity else ZERO

    def unrealised(self, mark: Decimal) -> Decimal:
        if self.quantity > 0:
            return notional_of(self.quantity, mark) - self.cost
        return self.cost - notional_of(-self.quantity, mark)


class Ledger:
    """Positions and money of one run.

    Counts each fill (symbol, venue order, trade), funding (symbol, time) and transfer (key) once. Live it follows the
    bus and publishes PositionOpened and PositionClosed; in replay it only counts.
    """

    def __init__(self, publish: Callable[[Event], None] | None = None) -> None:
        self._publish = publish
        self._books: dict[str, _Book] = {}
        self._keys: OrderedDict[tuple[str, ...], int] = OrderedDict()
        """What was counted, with the time of a trade."""
        self._forgotten_ns = 0
        """The newest trade whose key had to make room."""
        self._external: dict[str, Position] = {}
        self._started = False
        self.starting_cash = ZERO
        """Balance when the run began."""
        self.realised = ZERO
        self.fees = ZERO
        self.funding = ZERO
        self.transfers = ZERO
        self.duplicates = 0
        """Fills, fundings and transfers that came again and were not counted."""
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            OrderFilled: self._fill,
            FundingApplied: self._fund,
            TransferObserved: self._transfer,
            RunStarted: self._start,
            ExternalPositionSeen: self._see_external,
            ExternalClaimed: self._claim,
        }

    def follow(self, bus: EventBus) -> None:
        """Listen to what it counts. Call before anybody else subscribes: others ask the ledger about the event."""
        for kind, handler in self._handlers.items():
            bus.subscribe(kind, "ledger", handler)

    def apply(self, event: Event) -> None:
        """Count one event; those that move neither position nor money are ignored."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def replay(self, events: Iterable[Event]) -> None:
        """Count stored events."""
        with self.replaying():
            for event in events:
                self.apply(event)

    @contextlib.contextmanager
    def replaying(self) -> Iterator[Mapping[type[Event], Callable[[Any], None]]]:
        """How stored events of each type are counted; nothing is published: what they led to is in the store."""
        publish, self._publish = self._publish, None
        try:
            yield self._handlers
        finally:
            self._publish = publish

    def state(self) -> LedgerState:
        """For a snapshot."""
        return LedgerState(
            books=tuple(
                BookState(
                    symbol=book.symbol,
                    quantity=book.quantity,
                    cost=book.cost,
                    opened_ns=book.opened_ns,
                    run=book.run,
                    life=book.life,
                )
                for book in self._books.values()
            ),
            keys=tuple(self._keys.items()),
            forgotten_ns=self._forgotten_ns,
            external=tuple(self._external.values()),
            started=self._started,
            starting_cash=self.starting_cash,
            realised=self.realised,
            fees=self.fees,
            funding=self.funding,
            transfers=self.transfers,
            duplicates=self.duplicates,
        )

    def load(self, state: LedgerState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        for kept in state.books:
            book = self._book(kept.symbol)
            book.quantity, book.cost, book.opened_ns = kept.quantity, kept.cost, kept.opened_ns
            book.run, book.life = kept.run, kept.life
        self._keys, self._forgotten_ns = OrderedDict(state.keys), state.forgotten_ns
        self._external = {position.symbol: position for position in state.external}
        self._started, self.starting_cash = state.started, state.starting_cash
        self.realised, self.fees, self.funding = state.realised, state.fees, state.funding
        self.transfers, self.duplicates = state.transfers, state.duplicates

    # --- questions ------------------------------------------------------------------------------------------------
    def position(self, symbol: str) -> Position:
        """Quantity zero when nothing is held."""
        book = self._books.get(symbol)
        if book is None:
            return Position(symbol=symbol, quantity=ZERO, entry_price=ZERO)
        if book.position is None:
            book.position = Position(
                symbol=symbol, quantity=book.quantity, entry_price=book.price_now(), opened_ns=book.opened_ns
            )
        return book.position

    def positions(self) -> dict[str, Position]:
        """What is open, by symbol."""
        return {symbol: self.position(symbol) for symbol, book in self._books.items() if book.quantity}

    def external(self, symbol: str) -> Decimal:
        """Signed position on the account that is somebody else's."""
        position = self._external.get(symbol)
        return ZERO if position is None else position.quantity

    def externals(self) -> dict[str, Position]:
        """What is somebody else's, by symbol."""
        return dict(self._external)

    def counted(self, symbol: str, venue_order_id: str, trade_id: str, trade_ns: int) -> bool:
        """Whether this trade is remembered as counted, or older than some that had to be forgotten: booked again it
        would count twice."""
        return trade_ns <= self._forgotten_ns or ("fill", symbol, venue_order_id, trade_id) in self._keys

    def totals(self, symbol: str) -> SymbolTotals:
        """One symbol over the whole run."""
        book = self._books.get(symbol) or _Book(symbol)
        return SymbolTotals(
            symbol=symbol,
            quantity=book.quantity,
            cost=book.cost,
            realised=book.run.realised,
            fees=book.run.fees,
            funding=book.run.funding,
        )

    def symbols(self) -> tuple[str, ...]:
        """Every symbol that ever moved position or money, in the order of appearance."""
        return tuple(self._books)

    @property
    def cash(self) -> Decimal:
        """Balance without unrealised PnL."""
        return self.starting_cash + self.realised - self.fees + self.funding + self.transfers

    def unrealised(self, marks: Mapping[str, Decimal]) -> Decimal:
        """PnL of what is open, at the marks. Raises ValueError when an open position has no mark."""
        total = ZERO
        for symbol, book in self._books.items():
            if book.quantity:
                if symbol not in marks:
                    raise ValueError(f"{symbol}: {book.quantity} are open and there is no mark; missing is never zero")
                total += book.unrealised(marks[symbol])
        return total

    def price_pnl(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Realised and unrealised, before fees and funding. Raises ValueError when an open position has no mark."""
        return self.realised + self.unrealised(marks)

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Cash and unrealised PnL. Raises ValueError when an open position has no mark."""
        return self.cash + self.unrealised(marks)

    # --- how events change it -------------------------------------------------------------------------------------
    def _start(self, event: RunStarted) -> None:
        if not self._started:
            self._started = True
            self.starting_cash = to_grid(event.cash)

    def _fill(self, event: OrderFilled) -> None:
        if self._seen(("fill", event.symbol, event.venue_order_id, event.trade_id), event.trade_ns):
            return
        assert event.quantity > 0, event
        if event.cause == "FOREIGN" and event.symbol in self._external:
            self._move_external(event)
            return
        book = self._book(event.symbol)
        quantity, fee, held = event.quantity, to_grid(event.fee), book.quantity
        opposite = held < 0 if event.side is Side.BUY else held > 0
        closing = min(quantity, abs(held)) if opposite else ZERO
        closing_fee = share_of(fee, closing, quantity) if closing else ZERO
        facts: list[Event] = []
        if closing:
            self._close(book, closing, event, closing_fee, facts)
        if quantity > closing:
            self._open(book, quantity - closing, event, fee - closing_fee, facts)
        book.position = None
        if self._publish is not None:
            for fact in facts:
                self._publish(fact)

    def _close(self, book: _Book, quantity: Decimal, fill: OrderFilled, fee: Decimal, facts: list[Event]) -> None:
        notional = notional_of(quantity, fill.price)
        moved = share_of(book.cost, quantity, abs(book.quantity))
        realised = notional - moved if book.quantity > 0 else moved - notional
        book.cost -= moved
        book.quantity += quantity if fill.side is Side.BUY else -quantity
        self.realised += realised
        book.run.realised += realised
        book.life.realised += realised
        self._charge(book, fee)
        if book.quantity:
            return
        facts.append(
            PositionClosed(
                at_ns=fill.at_ns,
                intent_id=fill.intent_id,
                client_order_id=fill.client_order_id,
                symbol=book.symbol,
                realised_pnl=book.life.realised,
                fees=book.life.fees,
                funding=book.life.funding,
            )
        )
        book.life = _Money()
        book.opened_ns = 0

    def _open(self, book: _Book, quantity: Decimal, fill: OrderFilled, fee: Decimal, facts: list[Event]) -> None:
        was_flat = not book.quantity
        book.quantity += quantity if fill.side is Side.BUY else -quantity
        book.cost += notional_of(quantity, fill.price)
        self._charge(book, fee)
        if not was_flat:
            return
        book.opened_ns = fill.trade_ns
        facts.append(
            PositionOpened(
                at_ns=fill.at_ns,
                intent_id=fill.intent_id,
                client_order_id=fill.client_order_id,
                symbol=book.symbol,
                quantity=book.quantity,
                entry_price=book.price_now(),
            )
        )

    def _see_external(self, event: ExternalPositionSeen) -> None:
        self._external.pop(event.symbol, None)
        if event.quantity:
            self._external[event.symbol] = Position(
                symbol=event.symbol, quantity=event.quantity, entry_price=event.entry_price, opened_ns=event.at_ns
            )

    def _move_external(self, event: OrderFilled) -> None:
        """Whoever holds it has traded it; what it earns is none of ours."""
        held = self._external.pop(event.symbol)
        quantity = held.quantity + (event.quantity if event.side is Side.BUY else -event.quantity)
        if quantity:
            price = held.entry_price if quantity * held.quantity > 0 else event.price
            self._external[event.symbol] = Position(
                symbol=event.symbol, quantity=quantity, entry_price=price, opened_ns=held.opened_ns
            )

    def _claim(self, event: ExternalClaimed) -> None:
        """Ours from now on, at its price and without a fee; what stands against our own closes it."""
        self._external.pop(event.symbol, None)
        book, quantity = self._book(event.symbol), abs(event.quantity)
        closing = min(quantity, abs(book.quantity)) if book.quantity * event.quantity < 0 else ZERO
        if closing:
            notional, moved = notional_of(closing, event.entry_price), share_of(book.cost, closing, abs(book.quantity))
            realised = notional - moved if book.quantity > 0 else moved - notional
            book.cost -= moved
            for sums in (book.run, book.life):
                sums.realised += realised
            self.realised += realised
        book.cost += notional_of(quantity - closing, event.entry_price)
        book.opened_ns = book.opened_ns or event.at_ns
        book.quantity += event.quantity
        book.position = None

    def _charge(self, book: _Book, fee: Decimal) -> None:
        self.fees += fee
        book.run.fees += fee
        book.life.fees += fee

    def _fund(self, event: FundingApplied) -> None:
        if self._seen(("funding", event.symbol, str(event.funding_ns))):
            return
        amount, book = to_grid(event.amount), self._book(event.symbol)
        self.funding += amount
        book.run.funding += amount
        if book.quantity:
            book.life.funding += amount

    def _transfer(self, event: TransferObserved) -> None:
        if not self._seen(("transfer", event.key)):
            self.transfers += to_grid(event.amount)

    def _book(self, symbol: str) -> _Book:
        book = self._books.get(symbol)
        if book is None:
            book = self._books[symbol] = _Book(symbol)
        return book

    def _seen(self, key: tuple[str, ...], at_ns: int = 0) -> bool:
        """Whether the key was counted before; remembers it."""
        if key in self._keys:
            self.duplicates += 1
            return True
        self._keys[key] = at_ns
        if len(self._keys) > KEYS_MAX:
            self._forgotten_ns = max(self._forgotten_ns, self._keys.popitem(last=False)[1])
        return False


class EquityTracker:
    """Highest equity and deepest fall from it, net of transfers, from samples."""

    def __init__(self) -> None:
        self.high_water = ZERO
        """Highest equity seen; zero before the first sample."""
        self.drawdown = ZERO
        """Fall from it now, as a share of it."""
        self.max_drawdown = ZERO
        """Largest such share."""
        self.max_drawdown_amount = ZERO
        """Largest fall in money."""
        self.sampled_ns = 0

    def restore(self, at_ns: int, high_water: Decimal) -> None:
        """Know again from where a fall is measured; the fall itself is known at the next sample."""
        self.high_water = max(self.high_water, high_water)
        self.sampled_ns = at_ns

    def state(self) -> tuple[int, Decimal]:
        """For a snapshot, of what a replay made."""
        return self.sampled_ns, self.high_water

    def load(self, state: tuple[int, Decimal]) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self.sampled_ns, self.high_water = state

    def sample(self, at_ns: int, equity: Decimal, transfers: Decimal = ZERO) -> None:
        """`transfers` is the sum of all so far: money carried in or out is neither profit nor loss."""
        worth = equity - transfers
        if worth >= self.high_water or not self.sampled_ns:
            self.high_water = worth
            self.drawdown = ZERO
        else:
            fall = self.high_water - worth
            self.drawdown = fall / self.high_water if self.high_water > 0 else Decimal(1)
            self.max_drawdown = max(self.max_drawdown, self.drawdown)
            self.max_drawdown_amount = max(self.max_drawdown_amount, fall)
        self.sampled_ns = at_ns

    def sample_many(self, at_ns: int, worth: NDArray[np.int64]) -> None:
        """Samples one after another, the last at `at_ns`: equity net of transfers in units of GRAIN.

        The figures are those that `sample` would have found, to the last digit.
        """
        if not len(worth):
            return
        before = int(self.high_water / GRAIN) if self.sampled_ns else int(worth[0])
        peaks = np.maximum.accumulate(np.maximum(worth, before))
        falls = peaks - worth
        deepest = int(falls.max())
        self.high_water = int(peaks[-1]) * GRAIN
        self.drawdown = self._share(int(falls[-1]), int(peaks[-1]))
        if deepest > 0:
            shares = np.where(peaks > 0, falls / np.maximum(peaks, 1), 1.0)
            near = np.flatnonzero(shares >= shares.max() * (1 - 1e-12))  # floats choose, Decimal decides
            share = max(self._share(int(falls[place]), int(peaks[place])) for place in near)
            self.max_drawdown = max(self.max_drawdown, share)
            self.max_drawdown_amount = max(self.max_drawdown_amount, deepest * GRAIN)
        self.sampled_ns = at_ns

    def sample_few(self, at_ns: int, worth: Sequence[int]) -> None:
        """The same as `sample_many`; faster for less than some hundred."""
        peak = int(self.high_water / GRAIN) if self.sampled_ns else worth[0]
        # between two peaks the lowest is both the largest fall and the largest share
        deepest, shares, lowest = 0, [self.max_drawdown], peak
        for each in [*worth, max(peak, *worth)]:
            if each < lowest:
                lowest = each
            elif each >= peak:
                if lowest < peak:
                    deepest = max(deepest, peak - lowest)
                    shares.append(self._share(peak - lowest, peak))
                peak = lowest = each
        before = int(self.high_water / GRAIN) if self.sampled_ns else worth[0]
        self.high_water = max(before, *worth) * GRAIN
        fall = max(before, *worth) - worth[-1]
        self.drawdown = self._share(fall, max(before, *worth))
        self.max_drawdown = max(shares)
        self.max_drawdown_amount = max(self.max_drawdown_amount, deepest * GRAIN)
        self.sampled_ns = at_ns

    @staticmethod
    def _share(fall: int, peak: int) -> Decimal:
        if fall == 0:
            return ZERO
        return fall * GRAIN / (peak * GRAIN) if peak > 0 else Decimal(1)
