"""Which engine does an intent go to while a candidate is tried, and what follows from what its orders cost?

A position belongs to one engine: the intent that finds its symbol free is assigned by hash, and all that follows in the
symbol goes to the same engine until it is free again. What is counted is told as events and judged from them alone, so
that a restarted bot goes on where it was. A candidate that breaks a limit loses its share within the same turn of the
loop, and the flags that would have chosen it are latched off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Protocol

from gpt_trader.bot.builder import BuiltBot
from gpt_trader.bot.rollout.costs import COST_EVENTS, Holding, PositionCosts
from gpt_trader.bot.rollout.evidence import ALPHA, POWER, Bet, winsorised_sd
from gpt_trader.bot.rollout.plan import RolloutPlan, is_candidate, make_plan, parse_asked, percent
from gpt_trader.bot.rollout.record import HASH, RolloutRecord
from gpt_trader.bot.snapshots import RolloutMark
from gpt_trader.config.bot import BotConfig
from gpt_trader.config.flags import ENGINE_FLAGS
from gpt_trader.core.clock import call_after
from gpt_trader.core.errors import ConfigError, Number
from gpt_trader.core.events import (
    EngineSwapped,
    Event,
    FlagCleared,
    FlagSet,
    GuardTripped,
    IntentAssigned,
    InvariantBroken,
    LimitsChanged,
    OrderReconciled,
    RolloutCounted,
    RolloutEnded,
    RolloutPaused,
    RolloutResumed,
    RolloutStarted,
    RolloutStepped,
)
from gpt_trader.core.values import ZERO, OrderRequest
from gpt_trader.execution.engine import ExecutionEngine
from gpt_trader.execution.factory import EngineSelection, ExecutionEngineFactory

__all__ = ["ABORTED", "COMPLETED", "ROLLED_BACK", "WHO", "Rollout"]

COMPLETED: Final = "COMPLETED"
ROLLED_BACK: Final = "ROLLED_BACK"
ABORTED: Final = "ABORTED"
WHO: Final = "rollout"
OPERATOR: Final = "operator"
"""Strategy of orders that a person gave: they are no part of the experiment."""
SLIPPAGES_MAX: Final = 200
"""Last intents whose slippage is remembered, for the plan of a rollout to come."""
SLIPPAGES_MIN: Final = 30
IN_FLIGHT_MAX: Final = 500
CANDIDATES_MAX: Final = 10_000
BPS_STEP: Final = Decimal("0.01")
PARTS: Final = {"opening": "orders that open", "others": "orders that add or close", "position": "orders"}
"""What each stake on costs looks at."""
HELD: Final = "held"
ROLLOUT_EVENTS: Final = (RolloutCounted, RolloutStepped, RolloutPaused, RolloutResumed, RolloutEnded)


class FlagDesk(Protocol):
    """What is needed of `bot.steering.Steering`."""

    @property
    def config(self) -> BotConfig: ...

    def check_flags(self, values: Mapping[str, bool]) -> None:
        """Raises ConfigError when these flags would not take effect."""
        ...

    def build(self, selection: EngineSelection) -> ExecutionEngine:
        """Raises ConfigError."""
        ...

    def set_flags(self, values: Mapping[str, bool], *, who: str, reason: str) -> None: ...

    def latch_off(self, names: Sequence[str], *, who: str, reason: str) -> None: ...


class Rollout:
    """One for a running bot, with at most one rollout under way."""

    def __init__(self, built: BuiltBot, flags: FlagDesk) -> None:
        self._built = built
        self._bot = built.bot
        self._flags = flags
        self._record: RolloutRecord | None = None
        """The last one, ended or not."""
        self._count = 0
        self._engine: ExecutionEngine | None = None
        """The candidate, while one is under way."""
        self._costs = PositionCosts()
        self._candidates: dict[str, None] = {}
        """Intents that went to it, the oldest first; what a guard names is looked for here."""
        self._slippages: deque[Decimal] = deque(maxlen=SLIPPAGES_MAX)
        self._looking = False
        self._is_ours = False
        """A flag is being set by the rollout itself."""
        self._stop_timer: Callable[[], None] | None = None
        self._listens = False
        self._bot.bus.subscribe(OrderReconciled, WHO, self._remember_slippage)

    # --- questions ------------------------------------------------------------------------------------------------
    @property
    def record(self) -> RolloutRecord | None:
        """The rollout that is under way, or the last one."""
        return self._record

    @property
    def is_active(self) -> bool:
        return self._engine is not None

    def headline(self) -> str:
        """One line of what is under way; empty when nothing is."""
        return "" if self._record is None or not self.is_active else self._record.headline()

    def holders(self) -> dict[str, bool]:
        """By symbol, where an engine has its turn: whether it is the candidate."""
        return {symbol: holding.candidate for symbol, holding in self._costs.by_symbol.items()}

    def status(self) -> dict[str, object]:
        """The rollout as people read it."""
        if self._record is None:
            known = f"{self._count} before this start: `rollout report`" if self._count else "none yet in this run"
            return {"rollout": known}
        lines = self._record.lines(self._bot.clock.now_ns())
        held = [symbol for symbol, candidate in self.holders().items() if candidate]
        return {**lines, "holds": ", ".join(held) or "nothing"} if self.is_active else lines

    # --- which engine ---------------------------------------------------------------------------------------------
    def engine_for(self, order: OrderRequest) -> ExecutionEngine:
        """Assign an intent, and write down where it goes; asked again of the same intent the answer is the same."""
        if self._engine is None or self._record is None:
            return self._bot.engine
        holding = self._costs.by_symbol.get(order.symbol)
        if holding is not None and order.intent_id in holding.intents:
            return self._engine if holding.candidate else self._bot.engine
        if self._is_busy(order.symbol):
            candidate = holding is not None and holding.candidate
            self._assign(order, candidate=candidate, why=HELD, share=ZERO)
        else:
            if holding is not None:
                self._count_holding(holding)
            if not self.is_active:  # what it has cost was the last proof
                return self._bot.engine
            self._throw(order, self._record)
        self._costs.add(order.symbol, order.intent_id)
        holding = self._costs.by_symbol.get(order.symbol)
        if holding is not None and holding.candidate:
            self._note_candidate(order.intent_id)
            return self._engine
        return self._bot.engine

    def _note_candidate(self, intent_id: str) -> None:
        self._candidates[intent_id] = None
        while len(self._candidates) > CANDIDATES_MAX:
            del self._candidates[next(iter(self._candidates))]

    def _throw(self, order: OrderRequest, record: RolloutRecord) -> None:
        """The symbol is free: the coin decides who opens the next position, where there is one to be thrown."""
        why, share = HASH, record.share
        if order.strategy == OPERATOR:
            why, share = "ordered by hand", ZERO
        elif order.reduce_only:
            why, share = "nothing to reduce", ZERO
        elif record.paused is not None:
            why = "paused"
        candidate = why == HASH and is_candidate(record.plan.rollout, order.intent_id, share)
        self._assign(order, candidate=candidate, why=why, share=share)
        self._costs.begin(
            Holding(
                symbol=order.symbol,
                opening=order.intent_id,
                candidate=candidate,
                counts=why == HASH,
                step=record.step,
                share=share,
            )
        )

    def _assign(self, order: OrderRequest, *, candidate: bool, why: str, share: Decimal) -> None:
        engine = self._engine if candidate and self._engine is not None else self._bot.engine
        self._bot.bus.publish(
            IntentAssigned(
                at_ns=self._bot.clock.now_ns(),
                intent_id=order.intent_id,
                symbol=order.symbol,
                engine=engine.name,
                candidate=candidate,
                why=why,
                share=share,
            ),
            first=None if self._record is None else self._record.take,
        )

    def _is_busy(self, symbol: str) -> bool:
        """Something is held, works or is being decided in the symbol."""
        bot = self._bot
        return (
            bot.ledger.position(symbol).quantity != 0
            or next(iter(bot.orders.living(symbol)), None) is not None
            or symbol in bot.tracker.symbols()
            or self._built.parts.intents.is_deciding(symbol)
        )

    # --- what people say ------------------------------------------------------------------------------------------
    async def start(self, arguments: Mapping[str, str], *, who: str, reason: str) -> RolloutPlan:
        """Agree on a plan, make it durable, and give the candidate its first share. Raises ConfigError and changes
        nothing when it cannot be, or cannot be found out by it."""
        if self.is_active:
            raise ConfigError("a rollout is under way already. Fix: `gpt-trader rollout abort` first")
        plan = self._plan(arguments)
        engine = self._build(plan.asked.to)
        started = self._started(plan, who, reason)
        self._bot.bus.publish(started)
        await self._bot.bus.commit()
        self._begin(started, engine)
        return plan

    def pause(self, *, who: str, reason: str) -> None:
        """New positions go to the baseline until `resume`. Raises ConfigError when none is under way."""
        record = self._active()
        if record.paused is not None:
            raise ConfigError(f"the rollout is paused already by {record.paused.who}: {record.paused.reason}")
        self._tell(RolloutPaused(at_ns=self._bot.clock.now_ns(), who=who, reason=reason))

    def resume(self, *, who: str, reason: str) -> None:
        """Go on with the step that was paused; the pause does not count as time held."""
        if self._active().paused is None:
            raise ConfigError("the rollout is not paused")
        self._tell(RolloutResumed(at_ns=self._bot.clock.now_ns(), who=who, reason=reason))
        self._wait_for_time()

    def abort(self, *, who: str, reason: str) -> None:
        """Every intent goes to the baseline; nothing is latched, so another one may be started."""
        self._active()
        self._end(ABORTED, who, reason, {})

    def _active(self) -> RolloutRecord:
        if self._record is None or self._engine is None:
            raise ConfigError("no rollout is under way")
        return self._record

    # --- restart --------------------------------------------------------------------------------------------------
    def recall(self, mark: RolloutMark) -> None:
        """After a restart, before the start: one that is under way is read back from its beginning, and goes on or
        ends where the new settings leave no room for it. Raises StoreError."""
        self._count = mark.count
        if not mark.is_active:
            return
        for recorded in self._bot.journal.read(mark.before):
            self._restore(recorded.event)
        self._go_on()

    @property
    def has_been(self) -> bool:
        """The run has had one."""
        return self._count > 0

    def _restore(self, event: Event) -> None:
        match event:
            case RolloutStarted():
                self._record, self._costs = RolloutRecord(event), PositionCosts()
            case IntentAssigned():
                self._restore_assignment(event)
            case OrderReconciled():
                self._remember_slippage(event)
                self._costs.take(event)
            case _ if isinstance(event, COST_EVENTS):
                self._costs.take(event)
            case _ if isinstance(event, ROLLOUT_EVENTS) and self._record is not None:
                self._record.take(event)
                self._restore_counted(event)
            case _:
                pass

    def _restore_assignment(self, event: IntentAssigned) -> None:
        if self._record is None:
            return
        self._record.take(event)
        if event.why != HELD:
            self._costs.begin(
                Holding(
                    symbol=event.symbol,
                    opening=event.intent_id,
                    candidate=event.candidate,
                    counts=event.why == HASH,
                    step=self._record.step,
                    share=event.share,
                )
            )
        self._costs.add(event.symbol, event.intent_id)
        if event.candidate:
            self._note_candidate(event.intent_id)

    def _restore_counted(self, event: Event) -> None:
        if not isinstance(event, RolloutCounted):
            return
        holding = self._costs.by_symbol.get(event.symbol)
        if holding is None or holding.opening != event.intent_id:
            return
        if event.closed:
            self._costs.end(holding)
        else:
            holding.is_opened = True

    def _go_on(self) -> None:
        if self._record is None or self._record.ended is not None:
            return
        try:
            self._check_baseline(self._record.plan)
            engine = self._build(self._record.plan.to)
        except ConfigError as error:
            self._tell(self._ended(ABORTED, "restart", str(error), {}))
            return
        self._activate(engine)

    def _check_baseline(self, plan: RolloutStarted) -> None:
        flags = _flags_text(self._built.selection)
        if flags != plan.flags:
            raise ConfigError(f"the engine flags were {plan.flags} when it began and are {flags} now")

    # --- beginning ------------------------------------------------------------------------------------------------
    def _plan(self, arguments: Mapping[str, str]) -> RolloutPlan:
        asked = parse_asked(arguments)
        selection, config = ExecutionEngineFactory.named(asked.to), self._flags.config
        current = self._built.selection
        if _flags_text(selection) == _flags_text(current):
            raise ConfigError(f"--to {asked.to}: that is the engine that trades now ({current.reason})")
        if not self._bot.settings.sends:
            raise ConfigError("nothing is sent in this run, so no engine can be judged by it")
        if not config.run.mark_outs:
            raise ConfigError("run.mark_outs = false: what is not filled would cost nothing. Fix: set it to true")
        self._flags.check_flags(ExecutionEngineFactory.flags_for(selection))
        return make_plan(
            asked,
            name=f"rollout-{self._count + 1}",
            baseline=self._bot.engine.name,
            candidate=self._build(asked.to).name,
            measured=self._measured(),
        )

    def _measured(self) -> tuple[Decimal, int] | None:
        """Standard deviation of slippage over the last intents; too few say nothing."""
        if len(self._slippages) < SLIPPAGES_MIN:
            return None
        sd = winsorised_sd([float(each) for each in self._slippages])
        return Decimal(repr(sd)).quantize(BPS_STEP) + BPS_STEP, len(self._slippages)

    def _started(self, plan: RolloutPlan, who: str, reason: str) -> RolloutStarted:
        asked = plan.asked
        return RolloutStarted(
            at_ns=self._bot.clock.now_ns(),
            rollout=plan.name,
            to=asked.to,
            baseline=plan.baseline,
            candidate=plan.candidate,
            flags=_flags_text(self._built.selection),
            shares=asked.shares,
            min_orders=asked.min_orders,
            hold_seconds=asked.hold_seconds,
            shortfall_delta_bps_max=asked.shortfall_delta_bps_max,
            venue_rejects_max=plan.venue_rejects_max,
            shortfall_sd_bps=plan.shortfall_sd_bps,
            sd_from=plan.sd_from,
            detectable_bps=plan.detectable_bps,
            detectable_rejects=plan.detectable_rejects,
            false_alarms=Decimal(repr(ALPHA)),
            power=Decimal(repr(POWER)),
            who=who,
            reason=reason,
        )

    def _build(self, name: str) -> ExecutionEngine:
        return self._flags.build(ExecutionEngineFactory.named(name))

    def _begin(self, started: RolloutStarted, engine: ExecutionEngine) -> None:
        self._record, self._count = RolloutRecord(started), self._count + 1
        self._costs = PositionCosts()
        self._activate(engine)
        self._wait_for_time()

    def _activate(self, engine: ExecutionEngine) -> None:
        self._engine = engine
        self._bot.share = self
        if self._listens:
            return
        self._listens = True
        for kind in COST_EVENTS:
            self._bot.bus.subscribe(kind, WHO, self._on_order)
        self._bot.bus.subscribe(FlagSet, WHO, self._on_flags)
        self._bot.bus.subscribe(FlagCleared, WHO, self._on_flags)
        self._bot.bus.subscribe(EngineSwapped, WHO, self._on_flags)
        self._bot.bus.subscribe(LimitsChanged, WHO, self._on_limits)
        self._bot.bus.subscribe(GuardTripped, WHO, self._on_guard)
        self._bot.bus.subscribe(InvariantBroken, WHO, self._on_invariant)
        self._bot.bus.watch(WHO, self._on_anything)

    # --- what happens ---------------------------------------------------------------------------------------------
    def _remember_slippage(self, event: OrderReconciled) -> None:
        if event.slippage_bps is not None:
            self._slippages.append(event.slippage_bps)

    def _on_order(self, event: Event) -> None:
        if self.is_active:
            self._costs.take(event)

    def _on_anything(self, _: Event) -> None:
        """Between two steps, when everybody has heard of what has just happened."""
        if self.is_active and self._costs.by_symbol and not self._looking:
            self._looking = True
            call_after(0, self._look)

    def _look(self) -> None:
        self._looking = False
        for holding in tuple(self._costs.by_symbol.values()):
            if not self.is_active:
                return
            self._count_holding(holding)
        self._pass_if_proven()

    def _count_holding(self, holding: Holding) -> None:
        is_over = holding.is_settled and not self._is_busy(holding.symbol)
        if holding.counts and not holding.is_opened and holding.intents.get(holding.opening, False):
            holding.is_opened = True
            if (cost := self._costs.cost_bps(holding.opening)) is not None:
                self._say_counted(holding, cost, closed=False)
        if not is_over or not self.is_active:
            return
        if holding.counts and holding.orders:
            self._say_counted(holding, self._costs.cost_bps(holding.opening), closed=True)
        self._costs.end(holding)

    def _say_counted(self, holding: Holding, opening: Decimal | None, *, closed: bool) -> None:
        self._tell(
            RolloutCounted(
                at_ns=self._bot.clock.now_ns(),
                intent_id=holding.opening,
                symbol=holding.symbol,
                candidate=holding.candidate,
                step=holding.step,
                share=holding.share,
                closed=closed,
                opening_bps=opening,
                others_bps=self._costs.others_bps(holding) if closed else (),
                orders=holding.orders,
                rejects=holding.rejects,
            )
        )
        record = self._active()
        bet = record.evidence.broken()
        if bet is not None:
            self._roll_back(*_broke(bet, record))

    def _on_flags(self, event: FlagSet | FlagCleared | EngineSwapped) -> None:
        """Somebody else decides which engine trades: then there is nothing left to be tried."""
        chooses = isinstance(event, EngineSwapped) or event.flag in {flag.name for flag in ENGINE_FLAGS}
        if self.is_active and chooses and not self._is_ours:
            self._end(ABORTED, event.who, f"the engine was chosen by hand: {event.reason}", {})

    def _on_limits(self, _: LimitsChanged) -> None:
        """The candidate obeys the limits that everybody obeys."""
        if self._record is None or not self.is_active:
            return
        try:
            self._engine = self._build(self._record.plan.to)
        except ConfigError as error:
            self._end(ABORTED, WHO, f"the candidate cannot be built with the new limits: {error}", {})

    def _on_guard(self, event: GuardTripped) -> None:
        if not self.is_active:
            return
        told = f"guard {event.guard}: {event.value:f} {event.unit}, threshold {event.threshold:f}"
        named = [name for name in _named_by(event) if self._is_candidates(name)]
        if named:
            self._roll_back(f"{told}, by {', '.join(named)}", {"guard": event.guard, "value": event.value})
        elif self._active().paused is None:
            self.pause(who=WHO, reason=f"{told}; nothing of the candidate is named")

    def _on_invariant(self, event: InvariantBroken) -> None:
        if self.is_active and self._active().paused is None:
            self.pause(who=WHO, reason=f"invariant {event.number} {event.name} is broken")

    def _is_candidates(self, name: str) -> bool:
        """An intent or an order by its id."""
        order = self._bot.orders.find(name)
        return (name if order is None else order.submitted.intent_id) in self._candidates

    # --- what follows ---------------------------------------------------------------------------------------------
    def _pass_if_proven(self) -> None:
        """By evidence and time."""
        record, now_ns = self._record, self._bot.clock.now_ns()
        if record is None or not self.is_active or record.paused is not None or record.missing(now_ns):
            return
        if record.is_last_step:
            self._complete(record)
            return
        step = record.step + 1
        share, orders = record.plan.shares[step], record.step_orders
        self._tell(RolloutStepped(at_ns=now_ns, step=step, share=share, orders=orders))
        self._wait_for_time()

    def _complete(self, record: RolloutRecord) -> None:
        """The flags now say what the rollout did."""
        reason = f"{record.plan.rollout} to {record.plan.to} passed its last step"
        wanted = ExecutionEngineFactory.flags_for(ExecutionEngineFactory.named(record.plan.to))
        self._is_ours = True
        try:
            self._flags.set_flags(wanted, who=WHO, reason=reason)
        except ConfigError as error:
            self._is_ours = False
            self.pause(who=WHO, reason=f"passed, and the flags cannot be set: {error}")
            return
        self._is_ours = False
        self._end(COMPLETED, WHO, reason, {})

    def _roll_back(self, reason: str, numbers: Mapping[str, Number]) -> None:
        """What the candidate would have turned on is latched off, then every intent goes to the baseline."""
        record = self._active()
        selection = ExecutionEngineFactory.named(record.plan.to)
        current = ExecutionEngineFactory.flags_for(self._built.selection)
        flags = ExecutionEngineFactory.flags_for(selection)
        off = [name for name, value in flags.items() if value and not current[name]]
        self._is_ours = True
        try:
            if off:
                self._flags.latch_off(off, who=WHO, reason=reason)
        finally:
            self._is_ours = False
            self._end(ROLLED_BACK, WHO, reason, numbers)

    def _end(self, outcome: str, who: str, reason: str, numbers: Mapping[str, Number]) -> None:
        self._tell(self._ended(outcome, who, reason, numbers))
        self._engine, self._bot.share = None, None
        self._costs = PositionCosts()
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None

    def _ended(self, outcome: str, who: str, reason: str, numbers: Mapping[str, Number]) -> RolloutEnded:
        living = [order for order in self._bot.orders.living() if order.submitted.intent_id in self._candidates]
        return RolloutEnded(
            at_ns=self._bot.clock.now_ns(),
            outcome=outcome,
            who=who,
            reason=reason,
            numbers=numbers,
            in_flight={order.client_order_id: order.state.value for order in living[:IN_FLIGHT_MAX]},
        )

    def _tell(self, event: Event) -> None:
        assert self._record is not None
        self._bot.bus.publish(event, first=self._record.take)

    def _wait_for_time(self) -> None:
        """Look again when the step has been held for long enough."""
        record = self._active()
        if self._stop_timer is not None:
            self._stop_timer()
        seconds = record.plan.hold_seconds - record.held_seconds(self._bot.clock.now_ns())
        self._stop_timer = call_after(max(0, seconds), self._time_is_over)

    def _time_is_over(self) -> None:
        self._stop_timer = None
        self._pass_if_proven()


def _flags_text(selection: EngineSelection) -> str:
    """What the flags are where this engine is chosen, as text that can be compared over a restart."""
    flags = ExecutionEngineFactory.flags_for(selection)
    return f"{'advanced' if selection.advanced else 'live'} " + ", ".join(
        f"{name}={'true' if value else 'false'}" for name, value in flags.items()
    )


def _named_by(event: GuardTripped) -> list[str]:
    """Orders and intents that a trip is about."""
    texts = [event.client_order_id, event.intent_id, *(str(value) for value in event.numbers.values())]
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def _broke(bet: Bet, record: RolloutRecord) -> tuple[str, Mapping[str, Number]]:
    """Which number broke, in words and as numbers."""
    mine, theirs = record.by_candidate[True], record.by_candidate[False]
    if bet.name == "rejects":
        numbers: dict[str, Number] = {
            "candidate_rejects": mine.rejects,
            "candidate_orders": mine.orders,
            "baseline_rejects": theirs.rejects,
            "baseline_orders": theirs.orders,
        }
        told = (
            f"venue rejects: {mine.rejects} of {mine.orders} orders of the candidate, {theirs.rejects} of "
            f"{theirs.orders} of the baseline (limit {percent(record.plan.venue_rejects_max)} more)"
        )
        return told, numbers
    delta, limit = record.delta_bps(bet.name) or ZERO, record.plan.shortfall_delta_bps_max
    (my_count, _), (their_count, _) = mine.part(bet.name), theirs.part(bet.name)
    numbers = {"delta_bps": delta.quantize(BPS_STEP), "limit_bps": limit, "orders": PARTS[bet.name]}
    numbers |= {"candidate_orders": my_count, "baseline_orders": their_count}
    told = (
        f"shortfall: the candidate's {PARTS[bet.name]} cost {delta:.2f} bps more than the baseline's (limit "
        f"{limit:f}; {my_count} against {their_count})"
    )
    return told, numbers
