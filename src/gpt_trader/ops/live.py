"""Who runs the bot on a live market? Connects, asks for proof where real orders may leave, and drives it by the clock.

A run on a real account goes on where its store ended: one run for one account and profile, each process a boot of it. A
paper run begins with a new account each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity, check_buildable
from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.bot.simulation import SimulatedRun, summarise
from gpt_trader.bot.steering import Steering
from gpt_trader.bot.watching import watch_over
from gpt_trader.config.bot import BotConfig, VenueKind
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import NS, Clock, SystemClock, iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.lease import Lease
from gpt_trader.core.values import Value
from gpt_trader.exchange.base import ExchangeAdapter
from gpt_trader.exchange.factory import BAR_SECONDS, ExchangeFactory
from gpt_trader.exchange.paper import kernel_entry_points
from gpt_trader.ops.beside import Beside
from gpt_trader.ops.control import control_socket
from gpt_trader.ops.desk import ControlDesk
from gpt_trader.ops.log import run_log
from gpt_trader.ops.panel import LivePanel
from gpt_trader.ops.runner import STOP_SECONDS, say_what_stopping_waits_for
from gpt_trader.ops.signals import commands_of, obey_signals
from gpt_trader.records.opening import open_store, take_lease
from gpt_trader.report.compiling import compile_with_progress
from gpt_trader.report.summary import END_OF_DURATION, STOPPED_BY, RunSummary

__all__ = ["LiveMarketName", "Prove", "check_switches", "held_account", "live_run", "run_live", "sends_real_orders"]

PANEL_SECONDS: Final = 0.2
COINBASE: Final = "coinbase"
Prove = Callable[[ExchangeAdapter], Awaitable[PreflightPassed]]
"""Looks at everything that must hold before real orders may leave. Raises ConfigError with what does not."""


class LiveMarketName(Value, frozen=True, kw_only=True):
    """What a summary says of a live market."""

    name: str
    start_ns: int
    digest: str = ""
    notes: tuple[str, ...] = ()


def sends_real_orders(config: BotConfig) -> bool:
    """Orders of this configuration would leave to where money is real."""
    real = config.venue.kind in (VenueKind.COINBASE, VenueKind.CCXT)
    return real and not (config.venue.read_only or config.run.dry_run)


def check_switches(config: BotConfig, *, live: bool) -> None:
    """Real orders need two switches, one in the configuration and one on the command line. Raises ConfigError."""
    if not sends_real_orders(config):
        return
    missing = []
    if not config.venue.live_trading:
        missing.append("GPT_TRADER_VENUE__LIVE_TRADING=true in your environment or env file")
    if not live:
        missing.append("--live on the command line")
    if missing:
        raise ConfigError(
            f"profile {config.profile}: real orders would leave to {config.venue.kind.value}, which needs two "
            f"switches. Fix: give {' and '.join(missing)}; or --dry-run, which sends nothing"
        )


def run_live(
    loaded: Loaded,
    home: Path,
    console: Console,
    *,
    panel: bool,
    live: bool,
    load: Callable[[], Loaded],
    prove: Prove | None = None,
    rollout: Mapping[str, str] | None = None,
) -> RunSummary:
    """Trade a live market until a stop signal or the configured duration. Raises GptTraderError.

    `live` is the command line's switch; `load` reads the configuration again as at the start; `prove` runs the
    preflight; `rollout` is the plan of one to begin with, where the run has had none.
    """
    check_switches(loaded.config, live=live)
    keep_to_ourselves()
    if loaded.config.venue.kind is VenueKind.PAPER:
        compile_with_progress(console, kernel_entry_points())
    return asyncio.run(_run(loaded, home, console, panel=panel, load=load, prove=prove, rollout=rollout))


def keep_to_ourselves() -> None:
    """A process that holds a key: what it writes is its owner's alone, and no core dump shows its memory."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


async def _run(
    loaded: Loaded,
    home: Path,
    console: Console,
    *,
    panel: bool,
    load: Callable[[], Loaded],
    prove: Prove | None,
    rollout: Mapping[str, str] | None,
) -> RunSummary:
    config, clock = loaded.config, SystemClock()
    factory = ExchangeFactory(clock, random.Random(f"{loaded.digest}:{clock.now_ns()}").random)
    adapter = factory.adapter(config)
    try:
        await adapter.connect()
        check_buildable(config, adapter)
        proof = None
        if sends_real_orders(config):
            if prove is None:
                raise ConfigError(f"profile {config.profile}: real orders may leave only after a preflight that passed")
            proof = await prove(adapter)
        run = live_run(loaded, adapter, home, clock)
        account = run.identity.environment
        beside = Beside(config, run.store)
        with (
            held_account(config, home, account) if sends_real_orders(config) else contextlib.nullcontext() as lease,
            open_store(config.records, run.store, run.identity.run_id) as store,
            run_log(
                run.store.parent,
                run_id=run.identity.run_id,
                boot=store.boot,
                secrets=config.secret_texts(),
                alarms=None if panel else sys.stderr,
            ) as log,
        ):
            built = PerpsBotBuilder(
                config,
                adapter=adapter,
                clock=clock,
                journal=beside.journal(store),
                identity=msgspec.structs.replace(run.identity, boot=store.boot),
                bar_seconds=config.run.bar_seconds or BAR_SECONDS,
                lease=lease,
                snapshot_events=config.records.snapshot_events,
            ).build()
            built.bot.bus.watch("run log", log.on_event)
            watch_over(built.bot, built.parts)
            log.process(
                f"{built.bot.engine.name} by {built.selection.reason}",
                profile=config.profile,
                market=run.identity.market,
                config=loaded.digest,
            )
            market = LiveMarketName(name=run.identity.market, start_ns=clock.now_ns())
            steering = Steering(built, loaded, load)
            if built.replayed:
                steering.recall(built.recovery.flags)
            steering.begin_shadow()
            desk = ControlDesk(built, steering, run=run.store.parent.name)
            async with beside.attend(built, steering):
                reason = await _trade(
                    built, desk, market, run, console, config=config, proof=proof, panel=panel, rollout=rollout
                )
            return summarise(built, loaded, market, run, reason=reason, end_ns=clock.now_ns())
    finally:
        await factory.close()


@contextlib.contextmanager
def held_account(config: BotConfig, home: Path, account: str) -> Iterator[Lease]:
    """The account is ours until the block ends. Raises LeaseError that names who has it."""
    lease = take_lease(config.records, home, account)
    try:
        yield lease
    finally:
        lease.release()


async def _trade(
    built: BuiltBot,
    desk: ControlDesk,
    market: LiveMarketName,
    run: SimulatedRun,
    console: Console,
    *,
    config: BotConfig,
    proof: PreflightPassed | None,
    panel: bool,
    rollout: Mapping[str, str] | None,
) -> str:
    """From the start to the end; returns why it ended."""
    end_ns = None if config.run.duration is None else market.start_ns + config.run.duration * NS
    shown = LivePanel(
        built,
        market=market.name,
        store=run.store.parent.name,
        start_ns=market.start_ns,
        end_ns=end_ns,
        console=console,
    )
    with _stop_on_signal(built.bot), shown if panel else contextlib.nullcontext():
        drawing = asyncio.ensure_future(_draw(shown)) if panel else None
        try:
            await built.bot.start(proof)
            signalled = commands_of(config.control, run.store.parent.name, hangup=not panel)
            async with control_socket(desk, run.store.parent), obey_signals(desk, signalled):
                desk.begin_with_rollout(rollout)
                reason = await built.bot.run_until_stopped(end_ns, END_OF_DURATION)
            if reason.startswith(STOPPED_BY):
                desk.stopped(reason)
                say_what_stopping_waits_for(console, built, reason)
            await built.bot.stop(reason, STOP_SECONDS if reason.startswith(STOPPED_BY) else None)
        finally:
            if drawing is not None:
                drawing.cancel()
    return reason


async def _draw(shown: LivePanel) -> None:
    clock = SystemClock()
    while True:
        shown.tick()
        await clock.sleep(PANEL_SECONDS)


@contextlib.contextmanager
def _stop_on_signal(bot: PerpsBot) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the bot in phases; a second one ends the process as usual."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def ask(number: signal.Signals) -> None:
        for each in numbers:
            loop.remove_signal_handler(each)
        bot.request_stop(f"{STOPPED_BY}{number.name}")

    for number in numbers:
        loop.add_signal_handler(number, ask, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _served(config: BotConfig) -> str:
    """A served venue that is started again has forgotten what was traded: its account is another one."""
    if config.venue.served is None:
        return ""
    return hashlib.sha256(Path(config.venue.served).expanduser().read_bytes()).hexdigest()


def live_run(loaded: Loaded, adapter: ExchangeAdapter, home: Path, clock: Clock) -> SimulatedRun:
    """Which run this is: the one of account and profile, or a new one on paper."""
    config = loaded.config
    place = f"{config.venue.exchange or COINBASE} live" if adapter.simulated else adapter.name
    environment = f"paper:{place}" if adapter.simulated else f"{adapter.name}:{adapter.account_name}"
    told = f"{environment}|{config.profile}|{_served(config)}"
    if adapter.simulated:
        told += f"|{clock.now_ns()}"
    kind = "paper" if adapter.simulated else "live"
    run_id = f"{kind}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    folder = f"{config.profile}-{run_id}"
    if adapter.simulated:
        stamp = iso(clock.now_ns()).translate(str.maketrans("", "", "-: .Z"))
        folder = f"{stamp}-{folder}"
    store = home / "runs" / folder / "events.sqlite"
    return SimulatedRun(
        identity=RunIdentity(
            run_id=run_id,
            boot=1,  # the store says which
            environment=environment,
            config_digest=loaded.digest,
            market=place,
            seed=config.run.seed,
        ),
        store=store,
    )
