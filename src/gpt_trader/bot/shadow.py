"""What would the other engine have done? Decides beside the one that trades, on the same snapshots, and sends nothing.

A shadow is a witness of the hallway: it is shown each decision when its first order has been handed over, or when a
rule has refused. Then it lets the candidate decide on the very same snapshot, at the time of that snapshot, works both
orders on paper beside the market, and writes down what differs. It is given no door: no adapter, no submitter, no
order manager, no stops, no guards. What it finds never becomes state of the bot. When it fails it ends, and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import Clock, HeldClock
from gpt_trader.core.errors import Number, Refused, StoreError
from gpt_trader.core.events import Event, ShadowDecided, ShadowEnded, ShadowPriced, ShadowStarted
from gpt_trader.core.order_rules import BPS
from gpt_trader.core.values import (
    ZERO,
    ApprovedOrder,
    BookView,
    Candidate,
    EngineDecision,
    MarketSnapshot,
    OrderRequest,
    PaperCost,
    TimeInForce,
)
from gpt_trader.execution.deciding import Decider, DecidingParts, Seen
from gpt_trader.execution.handlers.executor import OrderExecutorHandler
from gpt_trader.market.view import MarketView
from gpt_trader.placement.paper import PaperDesk, follow
from gpt_trader.placement.tactics import AllTactics
from gpt_trader.risk.impact import square_root_impact_bps, walk_book

__all__ = ["FOLLOWED_MAX", "Shadow", "ShadowParts"]

FOLLOWED_MAX: Final = 500
"""Intents that are followed on paper at one time; more are counted and left out."""
MARKET: Final = "market"
AS_ASKED: Final = "as_asked"
BPS_GRAIN: Final = Decimal("0.0001")
REASON_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, kw_only=True)
class ShadowParts:
    """All that a shadow is given. None of it can reach a venue."""

    features: tuple[bool, bool, bool]
    """What tells the candidate from other engines, as EngineSelection has it."""
    features_text: str
    market: MarketView
    clock: Clock
    publish: Callable[[Event], None]
    held: HeldClock
    """What the candidate's rules read: the time of the snapshot."""
    deciding: DecidingParts
    """The candidate's. `risk` is its own, and remembers what the candidate let through."""
    decider: Callable[[DecidingParts], Decider]
    tactics: Callable[[PaperDesk], AllTactics]
    entry_tactics: Mapping[str, str]
    """By symbol: what the strategy's entries go by. A candidate that does not offer it goes by market, as after a
    swap."""
    book_age_seconds_max: float


@dataclass
class Following:
    """One intent while it is followed."""

    seen: Seen
    traded_desk: PaperDesk
    desk: PaperDesk
    approved: ApprovedOrder | None = None
    """By the candidate."""
    numbers: Mapping[str, Number] = field(default_factory=dict)
    """Those that it used."""
    is_decided: bool = False


class Shadow:
    """One candidate beside the engine that trades: `begin`, then `on_decision` for each decision, `end` once."""

    def __init__(self, parts: ShadowParts) -> None:
        self._parts = parts
        self._risk = parts.deciding.risk
        self._tasks: dict[asyncio.Task[None], Following] = {}
        self._decided = self._priced = self._left_out = 0
        self._measured = parts.decider(parts.deciding).measured
        self.candidate = parts.decider(parts.deciding).engine
        """Name of the engine that decides beside the one that trades."""
        self.ended = ""
        """Why it looks on no more; empty while it does."""

    @property
    def features(self) -> tuple[bool, bool, bool]:
        return self._parts.features

    @property
    def measured(self) -> bool:
        return self._measured

    def begin(self, *, source: str, who: str = "", reason: str = "") -> None:
        """Tell that it looks on from here."""
        parts = self._parts
        parts.publish(
            ShadowStarted(
                at_ns=parts.clock.now_ns(),
                candidate=self.candidate,
                features=parts.features_text,
                source=source,
                who=who,
                reason=reason,
            )
        )

    def reload(self, config: RiskConfig) -> None:
        """Decide by other limits from now on."""
        self._risk.reload(config)
        self._parts = replace(self._parts, deciding=replace(self._parts.deciding, config=config))

    def on_decision(self, seen: Seen) -> None:
        """Only takes it in; the work is done when nobody waits for it."""
        if self.ended or seen.features == self.features:  # the candidate itself traded, for a share of the intents
            return
        if len(self._tasks) >= FOLLOWED_MAX:
            self._left_out += 1
            return
        book, symbol = seen.candidate.snapshot.market.book, seen.candidate.order.symbol
        following = Following(seen, self._desk(book, symbol), self._desk(book, symbol))
        task = asyncio.get_running_loop().create_task(self._follow(following), name="shadow")
        self._tasks[task] = following
        task.add_done_callback(self._done)

    def end(self, reason: str, who: str = "") -> None:
        """What is still followed is told as it stands. Raises StoreError."""
        if self.ended:
            return
        self.ended = reason
        for following in self._let_go():
            if following.is_decided:
                self._say_priced(following)
        self._say_ended(reason, who, failed=False)

    def _let_go(self) -> tuple[Following, ...]:
        followed = tuple(self._tasks.items())
        self._tasks.clear()
        for task, _ in followed:
            task.cancel()
        return tuple(following for _, following in followed)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is None or self.ended:
            return
        self.ended = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]
        self._let_go()
        if not isinstance(error, StoreError):  # else nothing can be written; whoever trades finds out by himself
            self._say_ended(self.ended, "", failed=True)

    # --- one intent -----------------------------------------------------------------------------------------------
    async def _follow(self, following: Following) -> None:
        """Decide, tell, and work both orders on paper to their end."""
        seen = following.seen
        traded = await self._traded(seen, following.traded_desk)
        mine = await self._decide(seen.candidate, following)
        self._say_decided(following, traded, mine)
        following.is_decided = True
        await follow(self._parts.clock, following.traded_desk, following.desk)
        self._say_priced(following)

    async def _traded(self, seen: Seen, desk: PaperDesk) -> EngineDecision:
        """What the engine that trades made of it, begun on paper too: paper is compared with paper."""
        refused, approved = seen.refused, seen.approved
        if approved is None or not seen.tactic:
            assert refused is not None, "what was not approved was refused"
            return EngineDecision(engine=seen.engine, code=refused.code.value, stage=refused.stage.value)
        tactics = self._parts.tactics(desk)
        await OrderExecutorHandler(tactics.by_name, tactics.resting).handle(approved)
        return EngineDecision(
            engine=seen.engine,
            quantity=approved.order.quantity,
            tactic=seen.tactic,
            limit_price=desk.first_price,
            expected_bps=self._expected_bps(approved, seen.tactic),
        )

    async def _decide(self, candidate: Candidate, following: Following) -> EngineDecision:
        """Rows 4 to 6 of the walk, as of the moment of the snapshot; the order is put on paper."""
        decider = self._decider(following.desk)
        self._parts.held.at_ns = candidate.snapshot.taken_ns
        candidate = msgspec.structs.replace(candidate, order=self._offered(candidate.order, decider))
        try:
            request = await decider.validation.handle(candidate)
            following.numbers = request.trace
            approved = decider.risk.handle(request)
            tactic = decider.executor.choose(approved).name
            await decider.executor.handle(approved)
        except Refused as refused:
            following.numbers = {**following.numbers, **refused.before, **refused.numbers}
            return EngineDecision(engine=decider.engine, code=refused.code.value, stage=refused.stage.value)
        following.approved, following.numbers = approved, {**request.trace, **approved.trace}
        return EngineDecision(
            engine=decider.engine,
            quantity=approved.order.quantity,
            tactic=tactic,
            limit_price=following.desk.first_price,
            expected_bps=self._expected_bps(approved, tactic),
        )

    def _offered(self, order: OrderRequest, decider: Decider) -> OrderRequest:
        configured = self._parts.entry_tactics.get(order.symbol)
        if not order.tactic or order.tactic != configured or order.tactic in decider.executor.tactics:
            return order
        return msgspec.structs.replace(order, tactic=MARKET)

    def _desk(self, book: BookView | None, symbol: str) -> PaperDesk:
        parts = self._parts
        return PaperDesk(symbol, parts.market, parts.clock, book, parts.book_age_seconds_max)

    def _decider(self, desk: PaperDesk) -> Decider:
        """The candidate, with tactics whose orders end on this desk."""
        tactics = self._parts.tactics(desk)
        return self._parts.decider(replace(self._parts.deciding, tactics=tactics.by_name, resting=tactics.resting))

    def _expected_bps(self, approved: ApprovedOrder, tactic: str) -> Decimal | None:
        """Impact and fee before anything is traded."""
        order, market, product = approved.order, approved.snapshot.market, approved.snapshot.product
        impact, fee_rate = None, product.maker_fee_rate
        if tactic == MARKET or (tactic == AS_ASKED and order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)):
            walk = None if market.book is None else walk_book(order.side, order.quantity, market.book)
            impact, fee_rate = None if walk is None else walk.impact_bps, product.taker_fee_rate
        elif tactic != AS_ASKED and market.sigma_day is not None and market.volume_day is not None:
            coefficient = self._parts.deciding.config.impact_coefficient
            impact = square_root_impact_bps(order.quantity, market.sigma_day, market.volume_day, coefficient)
        return None if impact is None else (impact + fee_rate * BPS).quantize(BPS_GRAIN)

    # --- what is told ---------------------------------------------------------------------------------------------
    def _say_decided(self, following: Following, traded: EngineDecision, mine: EngineDecision) -> None:
        seen = following.seen
        order, snapshot = seen.candidate.order, seen.candidate.snapshot
        at_the_door = seen.refused is not None and traded.is_approved
        self._decided += 1
        self._parts.publish(
            ShadowDecided(
                at_ns=self._parts.clock.now_ns(),
                intent_id=order.intent_id,
                strategy=order.strategy,
                symbol=order.symbol,
                side=order.side,
                purpose=order.purpose,
                asked=order.quantity if order.quantity.is_finite() else ZERO,
                taken_ns=snapshot.taken_ns,
                arrival_mid=_middle(snapshot.market),
                traded=traded,
                candidate=mine,
                numbers=following.numbers,
                door=seen.refused.code.value if at_the_door and seen.refused is not None else "",
                differs=differs(traded, mine),
            )
        )

    def _say_priced(self, following: Following) -> None:
        seen = following.seen
        self._priced += 1
        self._parts.publish(
            ShadowPriced(
                at_ns=self._parts.clock.now_ns(),
                intent_id=seen.candidate.order.intent_id,
                symbol=seen.candidate.order.symbol,
                traded=_cost(following.traded_desk, seen.approved if seen.tactic else None),
                candidate=_cost(following.desk, following.approved),
            )
        )

    def _say_ended(self, reason: str, who: str, *, failed: bool) -> None:
        self._parts.publish(
            ShadowEnded(
                at_ns=self._parts.clock.now_ns(),
                candidate=self.candidate,
                reason=reason,
                who=who,
                failed=failed,
                decided=self._decided,
                priced=self._priced,
                left_out=self._left_out,
            )
        )


def differs(traded: EngineDecision, mine: EngineDecision) -> tuple[str, ...]:
    """In what two decisions are not the same."""
    if traded.code != mine.code:
        return ("refusal",)
    pairs = {
        "size": (traded.quantity, mine.quantity),
        "price": (traded.limit_price, mine.limit_price),
        "tactic": (traded.tactic, mine.tactic),
        "cost": (traded.expected_bps, mine.expected_bps),
    }
    return tuple(name for name, (one, other) in pairs.items() if one != other)


def _middle(market: MarketSnapshot) -> Decimal:
    if market.book is not None and (mid := market.book.mid) is not None:
        return mid
    return ZERO if market.mark is None else market.mark.price


def _cost(desk: PaperDesk, approved: ApprovedOrder | None) -> PaperCost | None:
    return None if approved is None or desk.waits_for_trigger else desk.cost(approved)
