"""What may a person tell a running bot, and what is then done? Every command is an event with who and why, first.

The control socket (and with it the dashboard) and signals all come through here, so that the log has one word for each.
Questions change nothing and are not written down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.bot.builder import BuiltBot
from gpt_trader.bot.claims import claim
from gpt_trader.bot.steering import Steering
from gpt_trader.config.flags import as_text, find_flag, parse_value
from gpt_trader.core.clock import iso
from gpt_trader.core.errors import ConfigError, GptTraderError, StoreError
from gpt_trader.core.events import OperatorCommanded, OperatorCommandFailed
from gpt_trader.core.values import Mode
from gpt_trader.ops.account_answers import Answer
from gpt_trader.ops.account_desk import ALL, MARKET, AccountDesk
from gpt_trader.ops.picture import answer_of, picture_of
from gpt_trader.records.growth import growth_so_far

__all__ = ["CONFIRM_CHARACTERS_MIN", "STOP", "Answer", "Command", "ControlDesk"]

REASON_CHARACTERS_MAX: Final = 500
GIGABYTE: Final = 1e9
MEGABYTE: Final = 1_000_000
STOP: Final = "stop"
CONFIRM_CHARACTERS_MIN: Final = 4
"""The beginning of a run's name is enough to confirm by, but so much of it."""
CLOSES: Final = frozenset({"flatten", "close"})
LONG: Final = frozenset({"flatten", "close", "cancel", "place", "preview", "edit", "preview_edit", "kill"})
"""Commands that wait for the venue: they do not hold up the ones after them."""
ROLLOUT_START: Final = "rollout_start"
LATCHED: Final = "yes"
CONFIRMED: Final = "yes"
FAILURE_CHARACTERS_MAX: Final = 2000


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wanted, by whom and why. Questions need no reason."""

    name: str
    arguments: Mapping[str, str] = {}
    who: str
    reason: str = ""


class ControlDesk:
    """Takes commands one after another, but for those that wait for the venue; questions are answered at any time."""

    def __init__(self, built: BuiltBot, steering: Steering, *, run: str, recorded: bool = False) -> None:
        """`run` is the name of the run's folder, by which people call it. `recorded`: commands come from a log, and
        were confirmed when they were written into it."""
        self._steering = steering
        self._built = built
        self._bot = built.bot
        self._run = run
        self._recorded = recorded
        self._turn = asyncio.Lock()
        self._first: asyncio.Task[None] | None = None
        self._account = AccountDesk(built)
        self._questions: Mapping[str, Callable[[], Answer]] = {
            "status": self._status,
            "picture": lambda: answer_of(picture_of(self._built, self._run)),
            "flags": self._flags,
            "rollout": steering.rollout.status,
            "account": self._account.account,
            "positions": self._account.positions,
            "orders": self._account.orders,
            "products": self._account.products,
            "fees": self._account.fees,
        }
        self._commands: dict[str, Callable[[Command], Awaitable[Answer]]] = {
            "mode": self._set_mode,
            "pause": self._pause,
            "resume": self._resume,
            "claim": self._claim,
            "kill": self._kill,
            "flatten": lambda command: self._account.flatten(command.arguments, command.reason, command.who),
            "close": lambda command: self._account.close(command.arguments, command.reason, command.who),
            "set_flag": self._set_flag,
            "unset_flag": self._unset_flag,
            "rollback": self._rollback,
            "reload": self._reload,
            ROLLOUT_START: self._rollout_start,
            "rollout_pause": self._rollout_pause,
            "rollout_resume": self._rollout_resume,
            "rollout_abort": self._rollout_abort,
            "place": lambda command: self._account.place(command.arguments, command.reason),
            "preview": lambda command: self._account.preview(command.arguments),
            "cancel": lambda command: self._account.cancel(command.arguments, command.reason),
            "edit": lambda command: self._account.edit(command.arguments, command.reason),
            "preview_edit": lambda command: self._account.preview_edit(command.arguments),
        }

    def is_question(self, name: str) -> bool:
        return name in self._questions

    def ask(self, name: str) -> Answer:
        """Answer a question; nothing changes."""
        return self._questions[name]()

    async def settle(self) -> None:
        """What an answer knows of can be read in the log, too: whoever asks may do that next."""
        with contextlib.suppress(StoreError):  # what can still be seen is answered all the same
            await self._bot.bus.commit()

    async def take(self, command: Command, accepted: Callable[[], Awaitable[None]] | None = None) -> Answer:
        """Write the command down, say `accepted` once it is durable, then do it.

        Raises ConfigError for what is not understood (nothing is written then) or cannot be done, and says so in the
        log; StoreError when nothing can be written any more.
        """
        work = self._commands.get(command.name)
        if work is None:
            known = ", ".join(sorted([*self._questions, *self._commands]))
            raise ConfigError(f"command {command.name!r}: no such command. Fix: one of {known}")
        if not command.reason.strip():
            raise ConfigError(f"{command.name}: no reason given. Fix: --reason TEXT; it stands in the log")
        if not self._recorded:
            self._check_confirmed(command)
        if command.name in CLOSES and not command.arguments.get("tactic"):
            command = msgspec.structs.replace(command, arguments={**command.arguments, "tactic": MARKET})
        async with self._turn:
            await self._write_down(command)
            if accepted is not None:
                await accepted()
            if command.name not in LONG:
                return await self._do(work, command)
        return await self._do(work, command)

    async def _do(self, work: Callable[[Command], Awaitable[Answer]], command: Command) -> Answer:
        try:
            return await work(command)
        except GptTraderError as error:
            self._write_failure(command, error)
            raise
        finally:
            await self._bot.bus.commit()

    def begin_with_rollout(self, arguments: Mapping[str, str] | None) -> None:
        """What `run --rollout` asks for, told as a command like any other as soon as the bot runs; a run that has had
        a rollout goes on with what became of it. A plan that cannot be stops the bot, which says why."""
        if arguments is not None and not self._steering.rollout.has_been:
            self._first = asyncio.ensure_future(self._begin_with(arguments))

    async def _begin_with(self, arguments: Mapping[str, str]) -> None:
        await self._bot.clock.sleep(0)
        command = Command(name=ROLLOUT_START, arguments=arguments, who="command line", reason="run --rollout")
        try:
            await self.take(command)
        except ConfigError as error:
            self._bot.request_stop(f"the rollout cannot begin: {error}")

    def stopped(self, reason: str) -> None:
        """A signal ended the run: a command like any other, written down as the bot begins to stop."""
        self._publish(Command(name=STOP, who="signal", reason=reason))

    def _check_confirmed(self, command: Command) -> None:
        """What cannot be taken back needs the name of what it is about: of the symbol, or of the run."""
        said, about = command.arguments.get("confirm", ""), command.arguments.get("symbol", "")
        if command.name == "close" and said != about:
            raise ConfigError(f"close {about}: not confirmed, so nothing was done. Fix: confirm it by {about}")
        everything = command.name == "flatten" or (command.name == "cancel" and command.arguments.get("order") == ALL)
        if everything and (len(said) < CONFIRM_CHARACTERS_MIN or not self._run.startswith(said)):
            raise ConfigError(
                f"{command.name}: not confirmed, so nothing was done. Fix: confirm it by the run's name, {self._run}, "
                "or its beginning"
            )

    async def _write_down(self, command: Command) -> None:
        self._publish(command)
        await self._bot.bus.commit()

    def _publish(self, command: Command) -> None:
        self._bot.bus.publish(
            OperatorCommanded(
                at_ns=self._bot.clock.now_ns(),
                command=command.name,
                arguments=command.arguments,
                who=command.who,
                reason=command.reason[:REASON_CHARACTERS_MAX],
            )
        )

    def _write_failure(self, command: Command, error: GptTraderError) -> None:
        bot = self._bot
        if bot.bus.store_failed:
            return
        bot.bus.publish(
            OperatorCommandFailed(
                at_ns=bot.clock.now_ns(),
                command=command.name,
                who=command.who,
                problem=str(error)[:FAILURE_CHARACTERS_MAX],
            )
        )

    # --- questions ------------------------------------------------------------------------------------------------
    def _status(self) -> Answer:
        bot = self._bot
        marks = bot.marks()
        positions = {symbol: position.quantity for symbol, position in bot.ledger.positions().items()}
        unpriced = [symbol for symbol, quantity in positions.items() if quantity and symbol not in marks]
        return {
            "run": self._run,
            "profile": self._built.profile,
            "time": iso(bot.clock.now_ns()),
            "engine": bot.engine.name,
            "rollout": self._steering.rollout.headline(),
            "shadow": "" if bot.shadow is None or bot.shadow.ended else bot.shadow.candidate,
            "mode": bot.guards.mode.value,
            "pauses": dict(bot.guards.pauses()),
            "tripped": [
                f"{guard}{f' {symbol}' if symbol else ''}: {why}" for guard, symbol, why in bot.guards.tripped()
            ],
            "equity": "unknown" if unpriced else _money(bot.ledger.equity(marks)),
            "positions": {symbol: str(quantity) for symbol, quantity in positions.items() if quantity},
            "external": {symbol: str(each.quantity) for symbol, each in bot.ledger.externals().items()},
            "external_orders": {
                name: f"{each.symbol} {each.side} {each.left}" if each.side else f"{each.symbol}, size unknown"
                for name, each in bot.recovery.foreign.living().items()
            },
            "orders": {order.client_order_id: order.state.value for order in bot.orders.living()},
            "tactics": list(bot.tracker.working()),
            "stops": [
                f"{stop.symbol} {stop.kind.value} at {stop.trigger_price} kept by {stop.keeper.value}"
                for stop in bot.stops.kept()
            ],
            "events": bot.journal.head.sequence,
            **self._disk(),
        }

    def _disk(self) -> Answer:
        """Room, what the log has taken since the run began, and how long the room lasts if it goes on so."""
        bot = self._bot
        growth = growth_so_far(bot.journal, bot.recovery.began_ns, bot.clock.now_ns())
        if growth is None:
            return {"disk_free_gb": None, "log_mb": None, "disk_days_left": None}
        days = growth.days_left
        return {
            "disk_free_gb": round(growth.bytes_free / GIGABYTE, 1),
            "log_mb": round(growth.bytes_stored / MEGABYTE, 1),
            "disk_days_left": None if days is None else round(days),
        }

    def _flags(self) -> Answer:
        """Every flag as it is now."""
        rows = [
            {
                "flag": state.flag,
                "value": as_text(state.value),
                "source": state.source,
                "since": "" if state.since_ns is None else iso(state.since_ns),
                "who": state.who,
                "reason": state.reason,
            }
            for state in self._steering.flags()
        ]
        return {"engine": self._bot.engine.name, "flags": rows}

    # --- commands -------------------------------------------------------------------------------------------------
    async def _set_mode(self, command: Command) -> Answer:
        wanted = _argument(command, "mode").upper().replace("-", "_")
        modes = [mode.value for mode in Mode]
        if wanted not in modes:
            raise ConfigError(f"mode {wanted!r}: no such mode. Fix: one of {', '.join(modes)}")
        self._bot.guards.set_mode(Mode(wanted), command.who, command.reason)
        self._bot.look_now()
        return {"mode": self._bot.guards.mode.value}

    async def _kill(self, command: Command) -> Answer:
        """No entries, and those that live are cancelled now; what is not proven gone, at the guards' next looks."""
        self._bot.guards.kill(command.who, command.reason)
        await self._bot.guards.cancel_now()
        self._bot.look_now()
        return {"mode": self._bot.guards.mode.value, "cancelling": self._bot.guards.is_cancelling}

    async def _pause(self, command: Command) -> Answer:
        for symbol in self._symbols(command):
            self._bot.guards.pause(symbol, command.reason, command.who)
        return {"pauses": dict(self._bot.guards.pauses())}

    async def _resume(self, command: Command) -> Answer:
        for symbol in self._symbols(command):
            self._bot.guards.resume(symbol)
        return {"pauses": dict(self._bot.guards.pauses())}

    async def _claim(self, command: Command) -> Answer:
        symbol = _argument(command, "symbol")
        claimed = claim(
            self._bot.ledger,
            self._bot.bus.publish,
            symbol,
            who=command.who,
            reason=command.reason,
            now_ns=self._bot.clock.now_ns(),
        )
        self._bot.guards.resume(symbol)
        return {"claimed": f"{claimed.quantity} {symbol} at {claimed.entry_price}"}

    async def _set_flag(self, command: Command) -> Answer:
        flag = find_flag(_argument(command, "flag"))
        value = parse_value(flag, _argument(command, "value"))
        latch = command.arguments.get("latch", "") == LATCHED
        self._steering.set_flag(flag.name, value=value, who=command.who, reason=command.reason, latch=latch)
        return {flag.name: as_text(value), "engine": self._bot.engine.name}

    async def _unset_flag(self, command: Command) -> Answer:
        flag = find_flag(_argument(command, "flag"))
        self._steering.unset_flag(flag.name, who=command.who, reason=command.reason)
        state = next(state for state in self._steering.flags() if state.flag == flag.name)
        return {flag.name: as_text(state.value), "source": state.source, "engine": self._bot.engine.name}

    async def _rollback(self, command: Command) -> Answer:
        self._steering.latch_engine_off(who=command.who, reason=command.reason)
        return {"engine": self._bot.engine.name}

    async def _reload(self, command: Command) -> Answer:
        confirmed = command.arguments.get("confirm", "") == CONFIRMED
        done = self._steering.reload(who=command.who, reason=command.reason, confirmed=confirmed)
        return {"changed": dict(done.changed), "held_back": dict(done.held_back), "engine": done.engine}

    async def _rollout_start(self, command: Command) -> Answer:
        await self._steering.rollout.start(command.arguments, who=command.who, reason=command.reason)
        return self._steering.rollout.status()

    async def _rollout_pause(self, command: Command) -> Answer:
        self._steering.rollout.pause(who=command.who, reason=command.reason)
        return self._steering.rollout.status()

    async def _rollout_resume(self, command: Command) -> Answer:
        self._steering.rollout.resume(who=command.who, reason=command.reason)
        return self._steering.rollout.status()

    async def _rollout_abort(self, command: Command) -> Answer:
        self._steering.rollout.abort(who=command.who, reason=command.reason)
        return self._steering.rollout.status()

    def _symbols(self, command: Command) -> tuple[str, ...]:
        symbol = _argument(command, "symbol")
        traded = tuple(self._bot.settings.symbols)
        if symbol == ALL:
            return traded
        if symbol not in traded:
            raise ConfigError(f"symbol {symbol!r}: not traded here. Fix: one of {', '.join(traded)}, or {ALL}")
        return (symbol,)


def _argument(command: Command, name: str) -> str:
    value = command.arguments.get(name, "")
    if not value:
        raise ConfigError(f"{command.name}: argument {name} is missing")
    return value


def _money(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01")))
