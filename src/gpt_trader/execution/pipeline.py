"""In which order is an order handled? Four handlers, in the only order the types allow; every end is told."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import Number, Refusal, Refused, Stage
from gpt_trader.core.events import OrderApproved, OrderRefused
from gpt_trader.core.values import ZERO, ApprovedOrder, Candidate, ExecutionReport, NormalizedOrderRequest, OrderRequest
from gpt_trader.execution.deciding import Decider, Seen, Witness
from gpt_trader.execution.handlers.reconciliation import ReconciliationHandler, reconciled
from gpt_trader.execution.state_collector import StateCollector
from gpt_trader.execution.stop_triggers import StopTriggerManager
from gpt_trader.placement.order_manager import OrderManager
from gpt_trader.placement.tickets import arrival_mid

__all__ = ["ExecutionPipeline", "IntentRegister"]

DECIDED_INTENTS_MAX: Final = 10_000
"""Decided intents remembered in memory; older ones are still refused by their client order id."""

EMPTY: Final[Mapping[str, Number]] = {}

Slot = tuple[str, str, str]
"""Strategy, symbol, opening or closing."""


class IntentRegister:
    """Which intents are being decided, and which were. Shared by the engines, so that a swap doubles nothing."""

    def __init__(self, orders: OrderManager) -> None:
        self._orders = orders
        self._deciding: dict[Slot, str] = {}
        self._decided: OrderedDict[str, None] = OrderedDict()

    def begin(self, order: OrderRequest) -> Slot:
        """Hold the slot (strategy, symbol, opening or closing) while the intent is in the hallway, until `end`. Raises
        Refused."""
        slot = (order.strategy, order.symbol, str(order.purpose))
        if order.intent_id in self._decided:
            raise Refused(Stage.SIGNAL, Refusal.DUPLICATE_INTENT, intent_id=order.intent_id)
        holder = self._deciding.get(slot) or self._orders.slot_busy(order.strategy, order.symbol, order.purpose)
        if holder and (order.replaces is None or holder != order.replaces.client_order_id):
            raise Refused(Stage.SIGNAL, Refusal.SLOT_BUSY, held_by=holder)
        self._deciding[slot] = order.intent_id
        self.remember(order.intent_id)
        return slot

    def end(self, slot: Slot) -> None:
        del self._deciding[slot]

    def remember(self, intent_id: str) -> None:
        """An intent that was decided in an earlier boot."""
        self._decided[intent_id] = None
        while len(self._decided) > DECIDED_INTENTS_MAX:
            self._decided.popitem(last=False)

    def state(self) -> tuple[str, ...]:
        """For a snapshot: what was decided, oldest first."""
        return tuple(self._decided)

    def load(self, state: tuple[str, ...]) -> None:
        """Know what a snapshot kept, instead of the events before it."""
        self._decided = OrderedDict.fromkeys(state)

    def is_deciding(self, symbol: str) -> bool:
        """An intent of the symbol is in the hallway."""
        return any(slot[1] == symbol for slot in self._deciding)

    @property
    def in_hallway(self) -> int:
        """Intents that are being decided right now."""
        return len(self._deciding)


@dataclass(frozen=True)
class ExecutionPipeline:
    """The hallway. An engine gives it a name and furniture; leaving out a stage is a type error."""

    decider: Decider
    collector: StateCollector
    reconciliation: ReconciliationHandler
    intents: IntentRegister
    stops: StopTriggerManager
    bus: EventBus
    clock: Clock
    witnesses: tuple[Witness, ...] = ()
    targets: bool = False
    """The engine offers take profit: a target is kept like a stop. Otherwise it is only judged."""

    async def run(self, order: OrderRequest) -> ExecutionReport:
        """Walk one order through. A refusal is an answer; only StoreError is raised."""
        leg = self.stops.in_the_way(order)
        if leg is None:
            return await self._walk(order)
        try:
            await self.stops.make_way(leg, order.intent_id)
            return await self._walk(order)
        finally:
            self.stops.way_is_free(leg)

    async def _walk(self, order: OrderRequest) -> ExecutionReport:
        decider, found = self.decider, EMPTY
        candidate: Candidate | None = None
        approved: ApprovedOrder | None = None
        tactic = ""
        try:
            slot = self.intents.begin(order)
            try:
                candidate = self.collector.collect(order, measured=self._measured)
                request = await decider.validation.handle(candidate)
                found = request.trace
                approved = decider.risk.handle(request)
                tactic = self._say_approved(order, request, approved)
                found = EMPTY  # told with the approval
                self.stops.plan(approved, targets=self.targets)
                placed = await decider.executor.handle(approved)
                self._show(candidate, approved, tactic)
                report = await self.reconciliation.handle(placed)
            finally:
                self.intents.end(slot)
        except Refused as refused:
            self._show(candidate, approved, tactic, refused)
            return self._refuse(order, refused, found)
        self.bus.publish(reconciled(report, self.clock.now_ns()))
        return report

    @property
    def _measured(self) -> bool:
        return self.decider.measured or any(witness.measured for witness in self.witnesses)

    def _show(
        self,
        candidate: Candidate | None,
        approved: ApprovedOrder | None,
        tactic: str,
        refused: Refused | None = None,
    ) -> None:
        """Let the witnesses see a decision, when nothing waits for it any more; one without a snapshot was none."""
        if not self.witnesses or candidate is None:
            return
        seen = Seen(
            engine=self.decider.engine,
            features=self.decider.features,
            candidate=candidate,
            approved=approved,
            tactic=tactic,
            refused=refused,
        )
        for witness in self.witnesses:
            witness.on_decision(seen)

    def _say_approved(self, asked: OrderRequest, request: NormalizedOrderRequest, approved: ApprovedOrder) -> str:
        """Returns the tactic. Raises Refused where none is offered."""
        order, tactic = approved.order, self.decider.executor.choose(approved).name
        self.bus.publish(
            OrderApproved(
                at_ns=self.clock.now_ns(),
                intent_id=order.intent_id,
                strategy=order.strategy,
                symbol=order.symbol,
                side=order.side,
                asked=asked.quantity,
                quantity=order.quantity,
                order_type=order.order_type,
                purpose=order.purpose,
                engine=self.decider.engine,
                tactic=tactic,
                arrival_mid=arrival_mid(approved),
                validation=request.trace,
                risk=approved.trace,
            )
        )
        return tactic

    def _refuse(self, order: OrderRequest, refused: Refused, found: Mapping[str, Number]) -> ExecutionReport:
        self.bus.publish(
            OrderRefused(
                at_ns=self.clock.now_ns(),
                intent_id=order.intent_id,
                strategy=order.strategy,
                symbol=order.symbol,
                side=order.side,
                quantity=order.quantity if order.quantity.is_finite() else ZERO,
                stage=refused.stage.value,
                code=refused.code.value,
                purpose=order.purpose,
                engine=self.decider.engine,
                numbers=refused.numbers,
                before={**found, **refused.before},
            )
        )
        return ExecutionReport(
            intent_id=order.intent_id,
            symbol=order.symbol,
            outcome="REFUSED",
            code=refused.code.value,
            numbers=refused.numbers,
        )
