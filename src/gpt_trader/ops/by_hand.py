"""Who answers when no bot is running? The account itself, read under the run's lease, and one order at a time.

An account has one process. Whoever looks at it or orders by hand holds its lease meanwhile, so that no bot starts
beside him; a bot that holds it already is named. An order by hand is a boot of the run like any other: written
down first, and found again by the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import structs

from gpt_trader.bot.builder import PerpsBotBuilder, check_buildable
from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.bot.steering import Steering
from gpt_trader.config.bot import BotConfig, StrategyConfig, VenueKind
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import ConfigError, Number
from gpt_trader.core.values import Bar
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.exchange.factory import BAR_SECONDS, ExchangeFactory
from gpt_trader.ops.account_answers import (
    Answer,
    account_answer,
    fee_answer,
    position_answer,
    product_answer,
    venue_order_answer,
)
from gpt_trader.ops.account_desk import WHO, AccountDesk, preview_order
from gpt_trader.ops.live import check_switches, held_account, live_run, sends_real_orders
from gpt_trader.records.opening import open_store
from gpt_trader.strategies.base import Strategy
from gpt_trader.strategies.catalogue import make_strategy

__all__ = ["act", "check_credentials", "look"]

REAL: Final = frozenset({VenueKind.COINBASE, VenueKind.CCXT})
SENDS: Final = frozenset({"place", "edit", "flatten", "close"})
"""Commands that may let a new order leave; a cancel may always."""
Prove = Callable[[ExchangeAdapter], Awaitable[PreflightPassed]]


async def look(loaded: Loaded, home: Path, clock: Clock, question: str) -> Answer:
    """account, positions, orders, products or fees of a real venue. Raises ConfigError, ExchangeError, StoreError."""
    config = loaded.config
    _check_real(config)
    exchanges = ExchangeFactory(clock)
    try:
        adapter = exchanges.adapter(_dry(config))
        await adapter.connect()
        with held_account(config, home, live_run(loaded, adapter, home, clock).identity.environment):
            return await _ANSWERS[question](adapter, config, clock)
    finally:
        await exchanges.close()


async def act(
    loaded: Loaded,
    home: Path,
    clock: Clock,
    command: str,
    arguments: Mapping[str, str],
    *,
    reason: str,
    live: bool,
    prove: Prove,
) -> Answer:
    """Place, edit, cancel, close or flatten as a boot of the run, also preview an edit, whose order only the log knows;
    preview a new order beside it. A refusal is an answer.

    Raises GptTraderError.
    """
    config = loaded.config
    _check_real(config)
    sends = command in SENDS
    if sends:
        check_switches(config, live=live)
    used = config if sends else _dry(config)
    exchanges = ExchangeFactory(clock)
    try:
        adapter = exchanges.adapter(used)
        await adapter.connect()
        if command == "preview":
            return await preview_order(adapter, arguments, clock.now_ns())
        check_buildable(used, adapter)
        proof = await prove(adapter) if sends and sends_real_orders(used) else None
        run = live_run(loaded, adapter, home, clock)
        with (
            held_account(used, home, run.identity.environment) as lease,
            open_store(used.records, run.store, run.identity.run_id) as store,
        ):
            built = PerpsBotBuilder(
                used,
                adapter=adapter,
                clock=clock,
                journal=store,
                identity=structs.replace(run.identity, boot=store.boot),
                bar_seconds=used.run.bar_seconds or BAR_SECONDS,
                strategy=_Idle,
                lease=lease,
                snapshot_events=used.records.snapshot_events,
            ).build()
            if built.replayed:  # a flag that was set in an earlier boot holds for an order by hand too
                Steering(built, loaded, lambda: loaded).recall(built.recovery.flags)
            await built.bot.start(proof)
            try:
                return await _DEEDS[command](AccountDesk(built), arguments, reason)
            finally:
                await built.bot.stop(f"{WHO}: {command} is done")
    finally:
        await exchanges.close()


async def check_credentials(loaded: Loaded, clock: Clock) -> Answer:
    """Let the venue look at the key. Raises ConfigError for one that must not be used, ExchangeError."""
    config = loaded.config
    _check_real(config)
    exchanges = ExchangeFactory(clock)
    try:
        adapter = exchanges.adapter(config)
        await adapter.connect()
        may = "view" if config.venue.read_only else "view and trade"
        return {"venue": adapter.name, "account": adapter.account_name, "accepted": True, "may": may, "transfer": False}
    finally:
        await exchanges.close()


def _check_real(config: BotConfig) -> None:
    if config.venue.kind not in REAL:
        raise ConfigError(
            f"profile {config.profile}: no bot of it is running, and its account lives only while one does (venue.kind "
            f"{config.venue.kind.value}). Fix: start it, or name a profile of a real venue, such as --profile observe"
        )


def _dry(config: BotConfig) -> BotConfig:
    return config.model_copy(update={"run": config.run.model_copy(update={"dry_run": True})})


class _Idle:
    """The configured strategy, which keeps what it knew and wants nothing: the order at hand is the only one."""

    def __init__(self, config: StrategyConfig) -> None:
        self._strategy: Strategy = make_strategy(config)

    @property
    def name(self) -> str:
        return self._strategy.name

    @property
    def warmup_bars(self) -> int:
        return self._strategy.warmup_bars

    def decide(self, bar: Bar, position: float) -> None:
        """Nothing is seen and nothing is wanted; the next boot is told the bars by the venue."""

    def state(self) -> Mapping[str, Number]:
        return self._strategy.state()

    def restore(self, state: Mapping[str, Number]) -> None:
        self._strategy.restore(state)


async def _account(adapter: ExchangeAdapter, _: BotConfig, clock: Clock) -> Answer:
    return account_answer(adapter.name, adapter.account_name, await adapter.balances(), clock.now_ns())


async def _positions(adapter: ExchangeAdapter, _: BotConfig, __: Clock) -> Answer:
    held = await adapter.positions()
    return {"positions": [position_answer(each.symbol, each.quantity, each.entry_price, None) for each in held]}


async def _orders(adapter: ExchangeAdapter, _: BotConfig, __: Clock) -> Answer:
    return {"orders": [venue_order_answer(update) for update in await adapter.open_orders()]}


async def _products(adapter: ExchangeAdapter, _: BotConfig, __: Clock) -> Answer:
    return {"products": [product_answer(product) for product in adapter.products().values()]}


async def _fees(adapter: ExchangeAdapter, config: BotConfig, _: Clock) -> Answer:
    listed = adapter.products()
    return {"fees": [fee_answer(listed[symbol]) for symbol in config.symbols if symbol in listed]}


_DEEDS: Final[Mapping[str, Callable[[AccountDesk, Mapping[str, str], str], Awaitable[Answer]]]] = {
    "place": lambda desk, arguments, reason: desk.place(arguments, reason),
    "edit": lambda desk, arguments, reason: desk.edit(arguments, reason),
    "cancel": lambda desk, arguments, reason: desk.cancel(arguments, reason),
    "flatten": lambda desk, arguments, reason: desk.flatten(arguments, reason),
    "close": lambda desk, arguments, reason: desk.close(arguments, reason),
    "preview_edit": lambda desk, arguments, _: desk.preview_edit(arguments),
}
_ANSWERS: Final = {
    "account": _account,
    "positions": _positions,
    "orders": _orders,
    "products": _products,
    "fees": _fees,
}
