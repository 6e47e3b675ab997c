"""Does the running bot keep its promises? Hears every event, looks at the house now and then, and acts on what breaks.

What is broken is told as InvariantBroken, once for each promise and symbol until a restart, and its policy follows:
entries of the symbol paused, reduce-only, or frozen until an operator sets the mode again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from gpt_trader.bot.invariants.house import House, look
from gpt_trader.bot.invariants.log import LogWatch
from gpt_trader.bot.invariants.sending import SendingWorld, judge
from gpt_trader.bot.invariants.table import INVARIANTS, Broken, Policy
from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.core.events import Event, InvariantBroken, OrderSubmitted
from gpt_trader.core.values import ZERO, Mode, OrderTicket

__all__ = ["InvariantWatch"]

LOOK_EVERY_NS: Final = 10 * NS
"""At most this often the whole house is looked at, after something has happened."""
WHO: Final = "invariants"
BY_NUMBER: Final = {invariant.number: invariant for invariant in INVARIANTS}


class InvariantWatch:
    """A listener of the bus. `house` is that of the bot, caught up before orders leave."""

    def __init__(
        self, house: House, config: RiskConfig, caught_up: Callable[[], bool], log: LogWatch | None = None
    ) -> None:
        """`caught_up`: log and memory are one, and orders may leave. `log` has seen what was replayed."""
        self._house = house
        self._caught_up = caught_up
        self._config = config
        self._log = log or LogWatch()
        self._told: set[tuple[int, str]] = set()
        self._looked_ns = 0
        self._looking = False
        self.looks = 0

    def restore(self, event: Event) -> None:
        """Take one stored event in, oldest first; what was broken then was told then."""
        self._log.take(event)
        self._log.broken.clear()

    def on_event(self, event: Event) -> None:
        """One event of the living bot."""
        self._log.take(event)
        if self._log.broken:
            broken, self._log.broken = self._log.broken, []
            self._act_on(broken)
        if isinstance(event, OrderSubmitted) and self._caught_up():
            self._act_on(judge(_ticket(event), self._world(event)))
        self._look_soon()

    def _look_soon(self) -> None:
        """Between two steps, when everybody has heard of what has just happened."""
        now_ns = self._house.clock.now_ns()
        if self._looking or not self._caught_up() or now_ns - self._looked_ns < LOOK_EVERY_NS:
            return
        self._looking = True
        asyncio.get_running_loop().call_soon(self.look)

    def look(self) -> None:
        """At everything that can be seen without the venue."""
        self._looking, self._looked_ns = False, self._house.clock.now_ns()
        self.looks += 1
        if self._caught_up():
            self._act_on(look(self._house, self._log))

    def _act_on(self, found: Iterable[Broken]) -> None:
        for broken in tuple(found):
            key = (broken.number, broken.symbol)
            if key in self._told:
                continue
            self._told.add(key)
            self._tell(broken)
            self._follow(broken)

    def _tell(self, broken: Broken) -> None:
        invariant = BY_NUMBER[broken.number]
        self._house.bus.publish(
            InvariantBroken(
                at_ns=self._house.clock.now_ns(),
                number=invariant.number,
                name=invariant.name,
                symbol=broken.symbol,
                detail=broken.detail,
                policy=invariant.policy.value,
            )
        )

    def _follow(self, broken: Broken) -> None:
        invariant, guards = BY_NUMBER[broken.number], self._house.guards
        reason = f"invariant {invariant.number} {invariant.name} is broken"
        match invariant.policy:
            case Policy.PAUSE if broken.symbol:
                guards.pause(broken.symbol, reason, WHO)
            case Policy.PAUSE | Policy.REDUCE_ONLY:
                guards.set_mode(_stricter(guards.mode, Mode.REDUCE_ONLY), WHO, reason)
            case Policy.FREEZE:
                guards.set_mode(Mode.FROZEN, WHO, reason)
            case Policy.RECORD:
                return

    def _world(self, event: OrderSubmitted) -> SendingWorld:
        """As the bot itself sees it; a simulation puts the venue's truth in its place."""
        house, symbol = self._house, event.symbol
        others = [order for order in house.orders.living(symbol) if order.client_order_id != event.client_order_id]
        same_side = [order for order in others if order.submitted.side is event.side]
        account = house.adapter.account()
        return SendingWorld(
            now_ns=house.clock.now_ns(),
            mode=house.guards.mode,
            product=house.adapter.products()[symbol],
            mark=house.adapter.market.mark(symbol),
            account_ns=account.received_ns,
            equity=account.equity,
            position=house.ledger.position(symbol).quantity,
            entries_same_side=sum((o.may_still_fill for o in same_side if not o.submitted.reduce_only), start=ZERO),
            closing_same_side=sum((o.may_still_fill for o in same_side if o.submitted.reduce_only), start=ZERO),
            mark_age_seconds_max=Decimal(self._config.max_mark_staleness_seconds),
            account_age_seconds_max=Decimal(self._config.max_account_staleness_seconds),
            position_share_max=self._config.max_position_pct_per_symbol,
        )


def _stricter(now: Mode, wanted: Mode) -> Mode:
    """What is shut further stays so."""
    ranks = tuple(Mode)
    return max(now, wanted, key=ranks.index)


def _ticket(event: OrderSubmitted) -> OrderTicket:
    """The order as it will leave."""
    return OrderTicket(
        client_order_id=event.client_order_id,
        intent_id=event.intent_id,
        symbol=event.symbol,
        side=event.side,
        quantity=event.quantity,
        order_type=event.order_type,
        time_in_force=event.time_in_force,
        limit_price=event.limit_price,
        stop_price=event.stop_price,
        expire_ns=event.expire_ns,
        post_only=event.post_only,
        reduce_only=event.reduce_only,
        purpose=event.purpose,
        strategy=event.strategy,
        tactic=event.tactic,
        leg=event.leg,
        slice_number=event.slice_number,
        valid_until_ns=event.valid_until_ns,
    )
