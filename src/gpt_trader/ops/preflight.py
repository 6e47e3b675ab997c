"""May this configuration be let at real money, here and now? Every check looks at the thing itself; nothing is sent.

The last check walks the order that the strategy would ask for through the whole house as a dry run, on account and
market as they are. A verdict that passed gives the proof that `PerpsBot.start` asks for.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity, check_buildable
from gpt_trader.bot.foreign import EXTERNAL
from gpt_trader.bot.foreign import WHO as RECOVERY
from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.config.bot import BotConfig, VenueKind
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ConfigError, ExchangeError, StoreError
from gpt_trader.core.ids import intent_id
from gpt_trader.core.values import ExecutionReport, OrderRequest, Side, Value
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.exchange.factory import ExchangeFactory
from gpt_trader.ops.checks import (
    Check,
    check_clock,
    check_credentials,
    check_decision,
    check_dependencies,
    check_disk,
    check_limits,
    check_margin,
    check_product,
    check_python,
)
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.runs import STORE_NAME

__all__ = ["Verdict", "proven", "run_preflight"]

REAL: Final = frozenset({VenueKind.COINBASE, VenueKind.CCXT})
WHO: Final = "preflight"
VALID_SECONDS: Final = 60
BAR_SECONDS: Final = 60
FOREIGN_FILL: Final = "a foreign fill"
"""How guards say that somebody else traded."""


class Verdict(Value, frozen=True, kw_only=True):
    """All that was looked at."""

    profile: str
    venue: str
    config_digest: str
    at_ns: int
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    def proof(self) -> PreflightPassed:
        """Raises ConfigError naming what did not pass."""
        if self.failed:
            told = "; ".join(f"{check.name}: {check.said}" for check in self.failed)
            raise ConfigError(f"preflight of profile {self.profile}: {told}. Nothing was sent")
        return PreflightPassed(
            venue=self.venue,
            config_digest=self.config_digest,
            passed_ns=self.at_ns,
            checks=tuple(check.name for check in self.checks),
        )


def proven(
    loaded: Loaded, home: Path, clock: Clock, show: Callable[[Verdict], None]
) -> Callable[[ExchangeAdapter], Awaitable[PreflightPassed]]:
    """What a live run asks before an order may leave. It connects by itself, and has closed when it answers."""

    async def prove(_: ExchangeAdapter) -> PreflightPassed:
        verdict = await run_preflight(loaded, home, clock)
        show(verdict)
        return verdict.proof()

    return prove


async def run_preflight(loaded: Loaded, home: Path, clock: Clock) -> Verdict:
    """Look at everything. Raises ConfigError only where there is nothing to look at."""
    config = loaded.config
    if config.venue.kind not in REAL:
        raise ConfigError(
            f"venue.kind = {config.venue.kind.value!r} (profile {config.profile}): no real order can leave, so nothing "
            "is to be proven. Fix: name a profile of a real venue, such as --profile canary"
        )
    checks = [check_python(), check_dependencies(config), check_limits(loaded), check_disk(home)]
    exchanges, venue = ExchangeFactory(clock), config.venue.kind.value
    try:
        adapter = exchanges.adapter(config)
        venue = adapter.name
        async for check in _at_the_venue(loaded, adapter, home, clock):
            checks.append(check)  # noqa: PERF401 - what was found before an error is kept
    except (ConfigError, ExchangeError) as error:
        checks.append(Check(name="venue", passed=False, said=str(error), fix="mend what it says, then look again"))
    except (StoreError, OSError) as error:
        checks.append(Check(name="store", passed=False, said=str(error), fix="make room, or set GPT_TRADER_HOME"))
    finally:
        await exchanges.close()
    return Verdict(
        profile=config.profile, venue=venue, config_digest=loaded.digest, at_ns=clock.now_ns(), checks=tuple(checks)
    )


async def _at_the_venue(loaded: Loaded, adapter: ExchangeAdapter, home: Path, clock: Clock) -> AsyncIterator[Check]:
    """In the order in which one needs the other; what raises ends it."""
    config = loaded.config
    await adapter.connect()
    yield check_credentials(config, adapter)
    yield await check_clock(adapter, clock)
    check_buildable(config, adapter)
    for symbol in config.symbols:
        yield check_product(symbol, adapter.products().get(symbol))
    folder = Path(tempfile.mkdtemp(prefix=f"{WHO}-", dir=home))
    try:
        with EventStore.open(folder / STORE_NAME, WHO, 1, durable=True) as store:
            built = _built(loaded, adapter, store, clock)
            await built.bot.start()
            yield Check(name="store", passed=True, said=f"a run can be written under {home}")
            yield check_margin(config.symbols, adapter)
            _forget_strangers(built)
            held = any(position.quantity for position in await adapter.positions()) or await adapter.open_orders() != ()
            yield check_decision(await _dry_order(built, config, clock), held=held)
            await built.bot.stop(WHO)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _built(loaded: Loaded, adapter: ExchangeAdapter, store: EventStore, clock: Clock) -> BuiltBot:
    """The bot of this configuration, which sends nothing."""
    config = loaded.config
    dry = config.model_copy(update={"run": config.run.model_copy(update={"dry_run": True})})
    identity = RunIdentity(
        run_id=WHO,
        boot=1,
        environment=f"{WHO}:{adapter.name}",
        config_digest=loaded.digest,
        market=adapter.name,
        seed=config.run.seed,
    )
    bar_seconds = config.run.bar_seconds or BAR_SECONDS
    builder = PerpsBotBuilder(
        dry, adapter=adapter, clock=clock, journal=store, identity=identity, bar_seconds=bar_seconds
    )
    return builder.build()


def _forget_strangers(built: BuiltBot) -> None:
    """To an empty log all that the account holds looks foreign. The run's own log decides that at its start."""
    for symbol in built.bot.settings.symbols:
        reason = built.bot.guards.pause_reason(symbol)
        if reason.startswith(f"{RECOVERY}: {EXTERNAL}") or reason.endswith(FOREIGN_FILL):
            built.bot.guards.resume(symbol)


async def _dry_order(built: BuiltBot, config: BotConfig, clock: Clock) -> ExecutionReport:
    """What the strategy would ask for of the first symbol, if it asked now."""
    symbol, now_ns, adapter = config.symbols[0], clock.now_ns(), built.bot.adapter
    mark = adapter.market.mark(symbol)
    worth = adapter.account().equity * config.strategy.position_fraction
    order = OrderRequest(
        intent_id=intent_id(WHO, symbol, str(now_ns), "buy"),
        strategy=WHO,
        symbol=symbol,
        side=Side.BUY,
        quantity=worth / mark.price if mark is not None and worth > 0 else adapter.products()[symbol].min_quantity,
        tactic=config.strategy.of(symbol).entry_tactic,
        created_ns=now_ns,
        valid_until_ns=now_ns + VALID_SECONDS * NS,
        reason=WHO,
    )
    return await built.bot.engine.place_order(order)
