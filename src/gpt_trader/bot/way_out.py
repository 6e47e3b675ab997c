"""How does the bot get out, and how does it know that it is out?

Cancels what could fill, closes what is held through the front door by a named tactic, clamped like every exit, and
reads positions and open orders from the venue. It ends within the tactic's own limit and five seconds: flat, or with
the reasons why not. Stops stay until the position they protect is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Final

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError, ExchangeError
from gpt_trader.core.events import FlattenEnded
from gpt_trader.core.values import ExecutionReport, Mode, TimeInForce
from gpt_trader.execution.stop_triggers import STOPS
from gpt_trader.placement.base import ExecutionStrategy
from gpt_trader.placement.order_manager import ManagedOrder

__all__ = ["GRACE_SECONDS", "WayOut", "cancel_each"]

GRACE_SECONDS: Final = 5.0
"""For cancels, and for the venue's word, beside what the tactic may take."""
STEP_SECONDS: Final = 0.1
STEP_SECONDS_MAX: Final = 1.6
"""Between two attempts that were refused."""
LOOK_SECONDS: Final = 0.5
"""Between two reads of the venue while it does not agree yet."""
CANCEL_AGAIN_SECONDS: Final = 2.0
IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
REFUSED: Final = "REFUSED"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One command to get out."""

    number: int
    tactic: str
    reason: str
    began_ns: int
    limit_ns: int
    intents: set[str] = field(default_factory=set)
    """Of its own closes; their orders are not cleared away."""

    @property
    def deadline_ns(self) -> int:
        return self.began_ns + self.limit_ns


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the venue says."""

    positions: Mapping[str, Decimal] = field(default_factory=dict)
    orders: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_flat(self) -> bool:
        return not (self.positions or self.orders or self.problems)


class WayOut:
    """Of one bot. A later command for a symbol takes over from an earlier one."""

    def __init__(self, bot: PerpsBot, tactics: Mapping[str, ExecutionStrategy]) -> None:
        self._bot = bot
        self._tactics = tactics
        self._count = 0
        self._latest: dict[str, int] = {}
        """By symbol: number of the attempt that closes it."""

    def everything(self) -> tuple[str, ...]:
        """Every symbol that is traded, held, or has an order."""
        bot = self._bot
        return tuple(dict.fromkeys((*bot.settings.symbols, *bot.ledger.positions(), *bot.orders.symbols())))

    def check(self, tactic: str) -> None:
        """Raises ConfigError for a tactic that the engine does not offer, and in modes that let no close leave."""
        bot = self._bot
        if tactic not in bot.engine.tactics:
            offered = ", ".join(sorted(bot.engine.tactics))
            raise ConfigError(f"tactic {tactic!r}: {bot.engine.name} does not offer it. Fix: one of {offered}")
        if bot.guards.mode in (Mode.CANCEL_ONLY, Mode.FROZEN):
            raise ConfigError(
                f"mode {bot.guards.mode} lets no close leave, so nothing was closed. Fix: gpt-trader mode REDUCE_ONLY"
            )

    async def out_of(self, symbols: Sequence[str], *, tactic: str, reason: str) -> FlattenEnded:
        """Get out of these; what came of it is told as the event that is returned. Raises ConfigError (see `check`),
        StoreError."""
        self.check(tactic)
        bot, attempt, work = self._bot, self._begin(symbols, tactic, reason), asyncio.current_task()
        assert work is not None, "a coroutine runs in a task"
        bot.wait_at_end(work)
        for symbol in symbols:
            bot.tracker.tell_to_end(reason, symbol=symbol, exits=True)
        said = [each for each in await asyncio.gather(*(self._close(one, attempt) for one in symbols)) if each]
        seen = await self._look(symbols, attempt.deadline_ns if not said else 0)
        ended = FlattenEnded(
            at_ns=bot.clock.now_ns(),
            symbols=tuple(symbols),
            tactic=tactic,
            flat=not said and seen.is_flat,
            positions=seen.positions,
            orders=seen.orders,
            reasons=(*said, *seen.problems),
            took_ms=(bot.clock.now_ns() - attempt.began_ns) // 1_000_000,
            limit_ms=attempt.limit_ns // 1_000_000,
        )
        bot.bus.publish(ended)
        return ended

    def _begin(self, symbols: Sequence[str], tactic: str, reason: str) -> Attempt:
        self._count += 1
        self._latest |= dict.fromkeys(symbols, self._count)
        seconds = self._tactics[tactic].seconds_max * max(map(self._pieces, symbols), default=1) + GRACE_SECONDS
        return Attempt(
            number=self._count,
            tactic=tactic,
            reason=reason,
            began_ns=self._bot.clock.now_ns(),
            limit_ns=round(seconds * NS),
        )

    def _pieces(self, symbol: str) -> int:
        """Orders that a position needs because the venue takes no larger one."""
        product = self._bot.adapter.products().get(symbol)
        if product is None:
            return 1
        held = abs(self._bot.ledger.position(symbol).quantity)
        return max(1, int((held / product.max_quantity).to_integral_value(ROUND_CEILING)))

    # --- one symbol -----------------------------------------------------------------------------------------------
    async def _close(self, symbol: str, attempt: Attempt) -> str:
        """Until nothing of it is left; else why it ended before."""
        bot, wait_seconds, closes, said = self._bot, STEP_SECONDS, 0, ""
        while True:
            await self._clear(symbol, attempt)
            lives = self._lives(symbol)
            if not bot.ledger.position(symbol).quantity and not lives:
                return ""
            if why := self._ends(symbol, attempt):
                return f"{symbol}: {why}" + (f"; {said or lives}" if said or lives else "")
            if bot.ledger.position(symbol).quantity and not self._closing(symbol):
                closes += 1
                report = await bot.close_position(
                    symbol, attempt.reason, f"{attempt.began_ns}-{closes}", tactic=attempt.tactic
                )
                if report is not None:
                    attempt.intents.add(report.intent_id)
                    said = _said(report)
                    refused = report.outcome == REFUSED
                    wait_seconds = min(STEP_SECONDS_MAX, wait_seconds * 2) if refused else STEP_SECONDS
            left_seconds = (attempt.deadline_ns - bot.clock.now_ns()) / NS
            await bot.clock.sleep(max(0.0, min(wait_seconds, left_seconds)))

    def _ends(self, symbol: str, attempt: Attempt) -> str:
        bot = self._bot
        if self._latest[symbol] != attempt.number:
            return "a later command took over"
        if bot.is_stopping:
            return "the bot stops"
        if bot.clock.now_ns() >= attempt.deadline_ns:
            return f"still open after {attempt.limit_ns / NS:g} s"
        return ""

    async def _clear(self, symbol: str, attempt: Attempt) -> None:
        """Cancel what rests there and is not this attempt's, nor a stop: that makes way by itself."""
        again_ns = self._bot.clock.now_ns() - round(CANCEL_AGAIN_SECONDS * NS)
        in_the_way = [
            order
            for order in self._living(symbol)
            if order.submitted.intent_id not in attempt.intents
            and order.submitted.time_in_force not in IMMEDIATE
            and (not order.cancel_requested or order.cancel_requested_ns <= again_ns)
        ]
        await cancel_each(self._bot, in_the_way, attempt.reason)

    def _living(self, symbol: str) -> list[ManagedOrder]:
        return [order for order in self._bot.orders.living(symbol) if order.submitted.strategy != STOPS]

    def _lives(self, symbol: str) -> str:
        """What may still fill, in words."""
        orders = ", ".join(f"order {order.client_order_id} is {order.state}" for order in self._living(symbol))
        return orders or ("a tactic is at work" if symbol in self._bot.tracker.symbols() else "")

    def _closing(self, symbol: str) -> bool:
        """Something closes the position already, or is being proven not to."""
        _, _, closing_buy, closing_sell = self._bot.tracker.reserved(symbol)
        return bool(closing_buy or closing_sell) or any(order.submitted.reduce_only for order in self._living(symbol))

    # --- the venue ------------------------------------------------------------------------------------------------
    async def _look(self, symbols: Sequence[str], deadline_ns: int) -> Seen:
        """Positions and open orders of ours, read until there are none, at least once."""
        while True:
            seen = await self._read(symbols)
            if seen.is_flat or self._bot.clock.now_ns() >= deadline_ns or self._bot.is_stopping:
                return seen
            await self._bot.clock.sleep(LOOK_SECONDS)

    async def _read(self, symbols: Sequence[str]) -> Seen:
        bot = self._bot
        try:
            held = {each.symbol: each.quantity for each in await bot.adapter.positions()}
            listed = await bot.adapter.open_orders()
        except ExchangeError as error:
            return Seen(problems=(f"the venue does not say what is open: {error}",))
        positions = {symbol: held.get(symbol, Decimal(0)) - bot.ledger.external(symbol) for symbol in symbols}
        positions = {symbol: quantity for symbol, quantity in positions.items() if quantity}
        orders = tuple(
            update.client_order_id
            for update in listed
            if (order := bot.orders.find(update.client_order_id)) is not None and order.submitted.symbol in symbols
        )
        problems = (
            *(f"the venue holds {quantity:f} {symbol}" for symbol, quantity in positions.items()),
            *(f"order {name} is open at the venue" for name in orders),
        )
        return Seen(positions=positions, orders=orders, problems=problems)


async def cancel_each(bot: PerpsBot, orders: Sequence[ManagedOrder], reason: str) -> tuple[str, ...]:
    """Ask for all of these cancels at once; returns the refusals of those that could not be asked for."""
    asked = await asyncio.gather(*(bot.submitter.cancel(order, reason) for order in orders), return_exceptions=True)
    failed = []
    for order, error in zip(orders, asked, strict=True):
        if isinstance(error, ExchangeError):
            failed.append(f"cancel of {order.client_order_id}: {error}")
        elif error is not None:
            raise error
    return tuple(failed)


def _said(report: ExecutionReport) -> str:
    numbers = ", ".join(f"{name} {value}" for name, value in report.numbers.items())
    return f"the last close: {report.code or report.outcome}" + (f" ({numbers})" if numbers else "")
