"""What does the venue say of our account? Turns account updates into facts, each counted once.

Funding comes as payments, or as a sum: then what the sum has beyond the ledger is new. Where the venue is late, what is
due is reckoned and told as an ESTIMATE; the TRUE_UP follows with its booking. A transfer is a difference of cash that
neither trade, fee nor funding explains, that stands still, and by which equity moved as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.events import Event, FundingApplied, RunStarted, TransferObserved
from gpt_trader.core.values import ZERO, Account, Position, Value
from gpt_trader.exchange.base import ExchangeAdapter, FillUpdate, FundingUpdate, OrderUpdate
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.records.ledger import Ledger, to_grid

__all__ = ["AccountFeed", "CashState", "CashWatch", "FundingState"]

LATE_NS: Final = 120 * NS
"""A venue that has not booked funding so long after it was due is late."""
TRANSFER_MIN: Final = Decimal(1)
"""Account currency. Less is rounding of the venue's."""
STANDS_NS: Final = 60 * NS
"""A difference must be the same for so long: trades and fees on their way are not transfers."""
EQUITY_SHARE_MAX: Final = Decimal("0.25")
"""How far, as a share of the difference, equity may have moved otherwise: a venue that settles profit daily moves cash
and not equity."""


class FundingState(Value, frozen=True, kw_only=True):
    """What was counted of funding, as a snapshot keeps it."""

    seen: tuple[tuple[str, int], ...]
    began_ns: int


class CashState(Value, frozen=True, kw_only=True):
    """What is known of a venue that tells sums, as a snapshot keeps it."""

    funding_before: Decimal | None
    told_ns: tuple[tuple[str, int], ...]
    estimated: bool


class AccountFeed:
    """Listener of the account stream. Orders go to their owner; money that moves without a trade is written down."""

    def __init__(self, bus: EventBus, clock: Clock, orders: OrderManager, cash: CashWatch | None = None) -> None:
        """Without a `cash` watch the venue is one that tells each payment of funding."""
        self._bus = bus
        self._clock = clock
        self._orders = orders
        self._cash = cash
        self._funding_seen: dict[str, int] = {}
        self._began_ns = 0
        bus.subscribe(RunStarted, "account feed", self.began)

    def began(self, event: RunStarted) -> None:
        """What was paid before the run is in the money that it began with."""
        self._began_ns = self._began_ns or event.at_ns

    def on_update(self, update: OrderUpdate | FillUpdate | FundingUpdate | Account) -> None:
        if isinstance(update, (OrderUpdate, FillUpdate)):
            self._orders.apply(update)
        elif isinstance(update, FundingUpdate):
            self._apply_funding(update)
        elif self._cash is not None:
            self._cash.on_account(update)
        # An Account needs no event: the adapter keeps the latest, and decisions record what they used of it.

    def _apply_funding(self, update: FundingUpdate) -> None:
        """Once for each (symbol, funding time); venues pay in order of time."""
        if update.funding_ns <= max(self._began_ns, self._funding_seen.get(update.symbol, 0)):
            return
        self._funding_seen[update.symbol] = update.funding_ns
        if update.amount == 0:
            return
        self._bus.publish(
            FundingApplied(
                at_ns=self._clock.now_ns(),
                symbol=update.symbol,
                funding_ns=update.funding_ns,
                amount=update.amount,
                rate=update.rate,
                position=update.position,
                price=update.price,
            )
        )

    def restore(self, event: FundingApplied) -> None:
        """Know again what was counted before a restart."""
        self._funding_seen[event.symbol] = max(event.funding_ns, self._funding_seen.get(event.symbol, 0))

    def state(self) -> FundingState:
        """For a snapshot, of what a replay made."""
        return FundingState(seen=tuple(self._funding_seen.items()), began_ns=self._began_ns)

    def load(self, state: FundingState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._funding_seen, self._began_ns = dict(state.seen), state.began_ns


class CashWatch:
    """Listens to account updates and sweeps of one account. Publishes FundingApplied and TransferObserved."""

    def __init__(
        self, *, bus: EventBus, clock: Clock, adapter: ExchangeAdapter, ledger: Ledger, orders: OrderManager
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._adapter = adapter
        self._ledger = ledger
        self._orders = orders
        self._funding_before: Decimal | None = None
        """The venue's sum when the run began; None where it tells payments, or nothing."""
        self._funding_seen: Decimal | None = None
        self._told_ns: dict[str, int] = {}
        """By symbol: the newest funding time in the log."""
        self._estimated = False
        self._since_ns = clock.now_ns()
        """Funding that was due before is in the venue's sum, or never will be."""
        self._gap, self._gap_since_ns = ZERO, 0

    def restore(self, event: Event) -> None:
        """Take one stored event back in, oldest first."""
        if isinstance(event, RunStarted):
            self._funding_before = event.funding
        elif isinstance(event, FundingApplied):
            self._told_ns[event.symbol] = max(event.funding_ns, self._told_ns.get(event.symbol, 0))
            self._estimated = event.kind == "ESTIMATE" or (self._estimated and event.kind == "PAID")

    def state(self) -> CashState:
        """For a snapshot, of what a replay made."""
        return CashState(
            funding_before=self._funding_before, told_ns=tuple(self._told_ns.items()), estimated=self._estimated
        )

    def load(self, state: CashState) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._funding_before, self._told_ns = state.funding_before, dict(state.told_ns)
        self._estimated = state.estimated

    def begin(self, funding: Decimal | None) -> None:
        """A run begins with this sum at the venue."""
        self._funding_before = funding

    # --- funding --------------------------------------------------------------------------------------------------
    def on_account(self, account: Account) -> None:
        """The venue's newest word on money."""
        if account.funding is None or account.funding == self._funding_seen:
            return
        self._funding_seen = account.funding
        if self._funding_before is None:
            return
        new = to_grid(account.funding - self._funding_before) - self._ledger.funding
        if new:
            kind = "TRUE_UP" if self._estimated else "PAID"
            self._estimated = False
            for symbol, amount in self._split(new).items():
                self._tell(symbol, amount, kind)

    def reckon_late_funding(self) -> None:
        """What was due a while ago and is not booked yet, for what is held."""
        if self._funding_before is None:
            return
        now_ns = self._clock.now_ns()
        for symbol, position in self._ledger.positions().items():
            due_ns = self._due_ns(symbol, now_ns - LATE_NS)
            told_ns = max(self._told_ns.get(symbol, 0), self._since_ns)
            if position.opened_ns <= due_ns and told_ns < due_ns:
                amount = self._estimate(symbol, position)
                if amount:
                    self._estimated = True
                    self._tell(symbol, amount, "ESTIMATE", due_ns)

    def _due_ns(self, symbol: str, at_ns: int) -> int:
        """The last funding time up to then; zero for what the venue lists no more."""
        product = self._adapter.products().get(symbol)
        if product is None:
            return 0
        interval_ns = product.funding_interval_seconds * NS
        return at_ns // interval_ns * interval_ns

    def _estimate(self, symbol: str, position: Position) -> Decimal:
        """Above zero is received: longs pay a rate above zero. By the mark of now."""
        mark = self._adapter.market.mark(symbol)
        if mark is None:
            return ZERO
        return to_grid(-position.quantity * mark.price * self._adapter.market.funding_rate(symbol))

    def _split(self, amount: Decimal) -> Mapping[str, Decimal]:
        """A sum for the whole account, by what each position should have paid; the largest takes what is left over."""
        positions = self._ledger.positions() or {
            symbol: self._ledger.position(symbol) for symbol in self._ledger.symbols()[-1:]
        }
        shares = {symbol: self._estimate(symbol, position) for symbol, position in positions.items()}
        if not shares:
            self._report(f"funding of {amount} while nothing was ever held")
            return {}
        largest = max(shares, key=lambda symbol: abs(shares[symbol]))
        shares[largest] += amount - sum(shares.values())
        return {symbol: share for symbol, share in shares.items() if share}

    def _tell(self, symbol: str, amount: Decimal, kind: str, funding_ns: int = 0) -> None:
        now_ns = self._clock.now_ns()
        if not funding_ns:  # the nearest funding time, for a clock that is a little slow; once that is taken, now
            funding_ns = self._due_ns(symbol, now_ns + NS)
            if funding_ns <= self._told_ns.get(symbol, 0):
                funding_ns = now_ns
        self._told_ns[symbol] = funding_ns
        mark = self._adapter.market.mark(symbol)
        self._bus.publish(
            FundingApplied(
                at_ns=now_ns,
                symbol=symbol,
                funding_ns=funding_ns,
                amount=amount,
                rate=self._adapter.market.funding_rate(symbol),
                position=self._ledger.position(symbol).quantity,
                price=mark.price if mark is not None else ZERO,
                kind=kind,
            )
        )

    # --- transfers ------------------------------------------------------------------------------------------------
    def compare(self, marks: Mapping[str, Decimal]) -> None:
        """After a sweep whose positions agree with the ledger: is there cash that nothing explains?"""
        account = self._adapter.account()
        gap = to_grid(account.cash) - self._ledger.cash
        if abs(gap) < TRANSFER_MIN or self._trades_on_their_way():
            self._gap = ZERO
            return
        if abs(gap - self._gap) >= TRANSFER_MIN:
            self._gap, self._gap_since_ns = gap, account.received_ns
            return
        if account.received_ns - self._gap_since_ns < STANDS_NS or not self._equity_moved(account, gap, marks):
            return
        self._gap = ZERO
        self._bus.publish(TransferObserved(at_ns=self._clock.now_ns(), amount=gap, key=f"cash-{account.received_ns}"))

    def _trades_on_their_way(self) -> bool:
        return any(order.state.is_terminal or order.claimed > order.filled for order in self._orders.living())

    def _equity_moved(self, account: Account, gap: Decimal, marks: Mapping[str, Decimal]) -> bool:
        if not self._ledger.positions().keys() <= marks.keys():
            return False
        return abs(account.equity - self._ledger.equity(marks) - gap) <= abs(gap) * EQUITY_SHARE_MAX

    def _report(self, message: str) -> None:
        self._bus.report("cash", message, "reported, not booked")
