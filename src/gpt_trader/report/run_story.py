"""What does the log of a run amount to? One walk over the events gives everything that a report shows of it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import (
    EngineSelected,
    EngineSwapped,
    Event,
    FundingApplied,
    GuardTripped,
    OrderApproved,
    OrderFilled,
    OrderRefused,
    OrderSubmitted,
    PositionClosed,
    RunEnded,
    RunStarted,
    TradingSignalGenerated,
    TransferObserved,
)
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import ZERO, OrderType, Purpose, Side, Value
from gpt_trader.records.ledger import Ledger
from gpt_trader.records.metrics import OrderMetricsReporter
from gpt_trader.records.tca import CostAnalysis
from gpt_trader.report.round_trips import LIQUIDATION, RoundTrip, TripBook

__all__ = ["Decision", "FillLine", "PnlSplit", "RefusalLine", "RunStory", "tell_story"]

INTENT_PARTS: Final = ("close", "open")
"""What a bot appends to the id of a signal, one for each order that the signal may need."""


class PnlSplit(Value, frozen=True, kw_only=True):
    """Where the change of equity came from; the parts add up to it, to the last digit."""

    price: Decimal
    """Realised and unrealised, of what was not liquidated."""
    fees: Decimal
    """Paid for trades of our own; above zero cost us."""
    funding: Decimal
    """Above zero is received."""
    liquidation_price: Decimal
    """Price PnL that liquidations made real."""
    liquidation_fees: Decimal
    transfers: Decimal

    @property
    def total(self) -> Decimal:
        return self.price - self.fees + self.funding + self.liquidation_price - self.liquidation_fees + self.transfers


class FillLine(Value, frozen=True, kw_only=True):
    """One fill, with what is known of its order."""

    at_ns: int
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    liquidity: str
    cause: str
    order_type: str
    tactic: str
    engine: str
    client_order_id: str
    intent_id: str
    arrival_mid: Decimal
    position: Decimal
    """Held after it, signed."""


class RefusalLine(Value, frozen=True, kw_only=True):
    at_ns: int
    symbol: str
    side: Side
    quantity: Decimal
    code: str
    stage: str
    numbers: Mapping[str, Any]


class Decision(Value, frozen=True, kw_only=True):
    """What a run did with one intent; two runs are compared by it."""

    at_ns: int
    intent_id: str
    symbol: str
    side: Side
    purpose: Purpose
    quantity: Decimal
    """Approved; zero when refused."""
    order_type: OrderType | None = None
    tactic: str = ""
    code: str = ""
    """Of the refusal; empty when approved."""

    @property
    def words(self) -> str:
        if self.code:
            return f"refused: {self.code}"
        return f"{self.side.value.lower()} {self.quantity:f} by {self.tactic or 'default'}"


class _Steps:
    """Cash and positions after each event that moved them."""

    def __init__(self) -> None:
        self.at_ns = array("q")
        self.realised = array("d")
        self.fees = array("d")
        self.funding = array("d")
        self.transfers = array("d")
        self.liquidation = array("d")
        """Price PnL made real by liquidations less their fees; part of `realised` and `fees` too."""
        self.liquidation_fees = array("d")

    def add(self, at_ns: int, ledger: Ledger, liquidation: Decimal, liquidation_fees: Decimal) -> None:
        self.at_ns.append(at_ns)
        self.realised.append(float(ledger.realised))
        self.fees.append(float(ledger.fees))
        self.funding.append(float(ledger.funding))
        self.transfers.append(float(ledger.transfers))
        self.liquidation.append(float(liquidation))
        self.liquidation_fees.append(float(liquidation_fees))


class _Held:
    """What is held of one symbol after each of its fills."""

    def __init__(self) -> None:
        self.at_ns = array("q")
        self.quantity = array("d")
        self.cost = array("d")
        """Signed like the quantity: what is open was bought (or sold) for so much."""


class RunStory:
    """Fed event by event, in order."""

    def __init__(self) -> None:
        self._closed: list[Event] = []
        self.ledger = Ledger(publish=self._closed.append)
        self.metrics = OrderMetricsReporter()
        self.costs = CostAnalysis()
        self.book = TripBook()
        self.steps = _Steps()
        self.held: dict[str, _Held] = {}
        self.fills: list[FillLine] = []
        self.refusals: list[RefusalLine] = []
        self.decisions: dict[str, Decision] = {}
        """By intent, in order; the last word where an intent was decided more than once."""
        self.signals: dict[str, TradingSignalGenerated] = {}
        self.guards: list[GuardTripped] = []
        self.funding: list[FundingApplied] = []
        self.started: RunStarted | None = None
        self.ended: RunEnded | None = None
        self.engines: list[EngineSelected | EngineSwapped] = []
        self.events = 0
        self.last_ns = 0
        self.digest = ""
        self.event_counts: Counter[str] = Counter()
        self._liquidation_price = ZERO
        self._liquidation_fees = ZERO
        self._orders: dict[str, OrderSubmitted] = {}
        self._approved_by: dict[str, str] = {}
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            OrderFilled: self._filled,
            FundingApplied: self._funded,
            TransferObserved: self._transferred,
            OrderSubmitted: self._submitted,
            OrderApproved: self._approved,
            OrderRefused: self._refused,
            TradingSignalGenerated: self._signalled,
            GuardTripped: self.guards.append,
            EngineSelected: self.engines.append,
            EngineSwapped: self.engines.append,
            RunStarted: self._began,
            RunEnded: self._finished,
        }

    @property
    def trips(self) -> list[RoundTrip]:
        return self.book.trips

    def take(self, recorded: Recorded) -> None:
        """Count the next stored event."""
        event = recorded.event
        self.events += 1
        self.digest = recorded.digest
        self.last_ns = event.at_ns
        self.event_counts[type(event).__name__] += 1
        self.metrics.on_event(event)
        self.costs.take(event)
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def split(self, marks: Mapping[str, Decimal]) -> PnlSplit:
        """At the marks. Raises ValueError when an open position has none."""
        return PnlSplit(
            price=self.ledger.price_pnl(marks) - self._liquidation_price,
            fees=self.ledger.fees - self._liquidation_fees,
            funding=self.ledger.funding,
            liquidation_price=self._liquidation_price,
            liquidation_fees=self._liquidation_fees,
            transfers=self.ledger.transfers,
        )

    def reason_of(self, intent_id: str) -> str:
        """Why a strategy wanted it; empty for what no signal asked for."""
        signal = self.signals.get(_signal_of(intent_id))
        return signal.reason if signal is not None else ""

    # --- what changes it ------------------------------------------------------------------------------------------
    def _began(self, event: RunStarted) -> None:
        self.started = self.started or event
        self.ledger.apply(event)

    def _finished(self, event: RunEnded) -> None:
        self.ended = event

    def _signalled(self, event: TradingSignalGenerated) -> None:
        self.signals[event.intent_id] = event

    def _submitted(self, event: OrderSubmitted) -> None:
        self._orders[event.client_order_id] = event

    def _approved(self, event: OrderApproved) -> None:
        self._approved_by[event.intent_id] = event.engine
        self.decisions[event.intent_id] = Decision(
            at_ns=event.at_ns,
            intent_id=event.intent_id,
            symbol=event.symbol,
            side=event.side,
            purpose=event.purpose,
            quantity=event.quantity,
            order_type=event.order_type,
            tactic=event.tactic,
        )

    def _refused(self, event: OrderRefused) -> None:
        code = str(event.code)
        self.refusals.append(
            RefusalLine(
                at_ns=event.at_ns,
                symbol=event.symbol,
                side=event.side,
                quantity=event.quantity,
                code=code,
                stage=str(event.stage),
                numbers=event.numbers,
            )
        )
        self.decisions[event.intent_id] = Decision(
            at_ns=event.at_ns,
            intent_id=event.intent_id,
            symbol=event.symbol,
            side=event.side,
            purpose=event.purpose,
            quantity=ZERO,
            code=code,
        )

    def _filled(self, event: OrderFilled) -> None:
        ledger, liquidated = self.ledger, event.cause == LIQUIDATION
        before = ledger.position(event.symbol).quantity
        realised, fees, repeated = ledger.realised, ledger.fees, ledger.duplicates
        self._closed.clear()
        ledger.apply(event)
        if ledger.duplicates > repeated:
            return
        if liquidated:
            self._liquidation_price += ledger.realised - realised
            self._liquidation_fees += ledger.fees - fees
        closed = next((fact for fact in self._closed if isinstance(fact, PositionClosed)), None)
        self.book.fill(event, before, closed, self.reason_of(event.intent_id))
        self._hold(event)
        self._step(event.at_ns)
        self.fills.append(self._line(event))

    def _hold(self, event: OrderFilled) -> None:
        totals = self.ledger.totals(event.symbol)
        held = self.held.setdefault(event.symbol, _Held())
        held.at_ns.append(event.at_ns)
        held.quantity.append(float(totals.quantity))
        held.cost.append(float(totals.cost if totals.quantity > 0 else -totals.cost))

    def _line(self, event: OrderFilled) -> FillLine:
        order = self._orders.get(event.client_order_id)
        return FillLine(
            at_ns=event.at_ns,
            symbol=event.symbol,
            side=event.side,
            quantity=event.quantity,
            price=event.price,
            fee=event.fee,
            liquidity=event.liquidity.value,
            cause=event.cause,
            order_type=order.order_type.value if order else "",
            tactic=order.tactic if order else "",
            engine=self._approved_by.get(event.intent_id, ""),
            client_order_id=event.client_order_id,
            intent_id=event.intent_id,
            arrival_mid=event.arrival_mid,
            position=self.ledger.position(event.symbol).quantity,
        )

    def _funded(self, event: FundingApplied) -> None:
        self.ledger.apply(event)
        self.funding.append(event)
        self._step(event.at_ns)

    def _transferred(self, event: TransferObserved) -> None:
        self.ledger.apply(event)
        self._step(event.at_ns)

    def _step(self, at_ns: int) -> None:
        liquidation_fees = self._liquidation_fees
        self.steps.add(at_ns, self.ledger, self._liquidation_price - liquidation_fees, liquidation_fees)


def _signal_of(intent_id: str) -> str:
    head, _, part = intent_id.rpartition(":")
    return head if part in INTENT_PARTS else intent_id


def tell_story(events: Iterable[Recorded]) -> RunStory:
    """Raises StoreError where the log breaks, or does not begin as a run does."""
    story = RunStory()
    for recorded in events:
        story.take(recorded)
    if story.started is None:
        raise StoreError("the log has no RunStarted, so there is no run to report on")
    return story
