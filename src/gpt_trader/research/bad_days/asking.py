"""Who asks what of the bot on a bad day? Strategies and operators, at the times that the scenario gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.core.clock import NS, VirtualClock
from gpt_trader.core.errors import ConfigError, ExchangeError, StoreError
from gpt_trader.core.order_rules import floor_to_lot, round_price
from gpt_trader.core.values import Mode, OrderRequest, OrderType, Side, TimeInForce
from gpt_trader.research.bad_days.scenario import Scenario, Step, StepKind
from gpt_trader.strategies.base import Signal, Want

__all__ = ["Asking"]

BPS: Final = Decimal(10_000)
MS: Final = 1_000_000
VALID_SECONDS: Final = 60
OPERATOR: Final = "operator"


class Asking:
    """One for a day: steps whose time has passed while nobody was there are over."""

    def __init__(self, scenario: Scenario, clock: VirtualClock, note: Callable[[int, str], None]) -> None:
        self._steps = scenario.steps
        self._clock = clock
        self._note = note
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask_all(self, bot: PerpsBot, effect: Callable[[str], None]) -> None:
        """Every step that is still to come, each in a task of its own."""
        self._tasks = set()
        for number, step in enumerate(self._steps):
            at_ns = self._clock.start_ns + step.at_ms * MS
            if at_ns < self._clock.now_ns():
                continue
            await self._clock.sleep((at_ns - self._clock.now_ns()) / NS)
            effect("step")
            if step.kind is StepKind.STOP:
                bot.request_stop("stopped by SIGTERM")
                return
            self._begin(bot, step, number)

    def _begin(self, bot: PerpsBot, step: Step, number: int) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._ask(bot, step, number))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if step.cancel_after_ms >= 0:
            loop.call_later(step.cancel_after_ms / 1000, task.cancel)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, (StoreError, SystemExit)):
            self._note(0, f"a request raised {type(error).__name__}: {error}")

    async def _ask(self, bot: PerpsBot, step: Step, number: int) -> None:
        match step.kind:
            case StepKind.ENTRY:
                order = self._entry(bot, step, number)
                if order is not None:
                    await bot.engine.place_order(order)
            case StepKind.EXIT:
                order = self._exit(bot, step, number)
                if order is not None:
                    await bot.engine.place_order(order)
            case StepKind.SIGNAL:
                await self._signal(bot, step, number)
            case StepKind.CLOSE:
                await bot.close_position(step.symbol, "by hand", f"step-{number}")
            case StepKind.MODE:
                self._set_mode(bot, Mode(step.mode))
            case StepKind.LOOK:
                self._take_back(bot)
            case StepKind.CANCEL_ENTRIES:
                await self._cancel_entries(bot)

    def open_again(self, bot: PerpsBot) -> None:
        """Peace: the operator takes back what operators shut."""
        self._take_back(bot)
        self._set_mode(bot, Mode.NORMAL)

    @staticmethod
    def _take_back(bot: PerpsBot) -> None:
        for guard, symbol, _ in bot.guards.tripped():
            bot.guards.clear(guard, symbol, OPERATOR, "looked at")
        for symbol in bot.settings.symbols:
            bot.guards.resume(symbol)

    @staticmethod
    def _set_mode(bot: PerpsBot, mode: Mode) -> None:
        try:
            bot.guards.set_mode(mode, OPERATOR, "a bad day")
        except ConfigError:
            return

    @staticmethod
    async def _cancel_entries(bot: PerpsBot) -> None:
        try:
            await bot.submitter.cancel_entries("by hand")
        except ExchangeError:
            return  # the operator sees it fail

    # --- requests -------------------------------------------------------------------------------------------------
    def _entry(self, bot: PerpsBot, step: Step, number: int) -> OrderRequest | None:
        mark, product = bot.adapter.market.mark(step.symbol), bot.adapter.products()[step.symbol]
        if mark is None:
            return None
        side = Side.BUY if step.buy else Side.SELL
        price, now_ns = mark.price, self._clock.now_ns()
        order_type, time_in_force = OrderType(step.order_type), TimeInForce(step.time_in_force)
        limit = None
        if order_type is OrderType.LIMIT:
            limit = round_price(price * (1 - side.sign * Decimal(step.offset_bps) / BPS), product.tick, side)
        return OrderRequest(
            intent_id=f"{step.strategy}:{step.symbol}:step-{number}:entry",
            strategy=step.strategy,
            symbol=step.symbol,
            side=side,
            quantity=step.lots * product.lot,
            order_type=order_type,
            time_in_force=time_in_force,
            limit_price=limit,
            protective_stop=_beside(price, step.stop_bps, -side.sign),
            target_price=_beside(price, step.target_bps, side.sign),
            trailing_stop=Decimal(step.trail_bps) / BPS if step.trail_bps else None,
            post_only=step.post_only,
            created_ns=now_ns,
            valid_until_ns=now_ns + VALID_SECONDS * NS,
            expire_ns=now_ns + step.expire_seconds * NS if time_in_force is TimeInForce.GTD else None,
            tactic=step.tactic,
            reason="a bad day",
        )

    def _exit(self, bot: PerpsBot, step: Step, number: int) -> OrderRequest | None:
        position = bot.ledger.position(step.symbol).quantity
        lot = bot.adapter.products()[step.symbol].lot
        quantity = max(lot, floor_to_lot(abs(position) * step.share_percent / 100, lot))
        if position == 0:
            return None
        now_ns = self._clock.now_ns()
        return OrderRequest(
            intent_id=f"{step.strategy}:{step.symbol}:step-{number}:exit",
            strategy=step.strategy,
            symbol=step.symbol,
            side=Side.SELL if position > 0 else Side.BUY,
            quantity=quantity,
            reduce_only=True,
            created_ns=now_ns,
            valid_until_ns=now_ns + VALID_SECONDS * NS,
            tactic=step.tactic,
            reason="a bad day",
        )

    async def _signal(self, bot: PerpsBot, step: Step, number: int) -> None:
        mark = bot.adapter.market.mark(step.symbol)
        wish = Signal(
            want=Want.LONG if step.buy else Want.SHORT,
            fraction=Decimal("0.2"),
            protective_stop=None if mark is None else _beside(mark.price, step.stop_bps, -1 if step.buy else 1),
        )
        signal = bot.as_event(step.strategy, step.symbol, f"step-{number}", self._clock.now_ns(), wish)
        await bot.on_trading_signal(signal)


def _beside(price: Decimal, bps: int, sign: int) -> Decimal | None:
    """So far above (sign 1) or below the price; None for no distance."""
    return price * (1 + sign * Decimal(bps) / BPS) if bps else None
