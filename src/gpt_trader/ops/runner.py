"""Who runs the bot for a person? Opens the market, makes the store, drives the loop, and says what came of it."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, check_buildable
from gpt_trader.bot.simulation import (
    Watched,
    facts_of,
    identify,
    open_configured_market,
    stop_on_signal,
    summarise,
)
from gpt_trader.bot.steering import Steering
from gpt_trader.bot.watching import watch_over
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import NS, SystemClock, VirtualClock, World, run_virtual
from gpt_trader.exchange.factory import ExchangeFactory
from gpt_trader.exchange.paper import kernel_entry_points
from gpt_trader.ops.beside import Beside
from gpt_trader.ops.control import control_socket
from gpt_trader.ops.desk import ControlDesk
from gpt_trader.ops.log import run_log
from gpt_trader.ops.panel import LivePanel
from gpt_trader.ops.signals import commands_of, obey_signals
from gpt_trader.records.opening import open_store
from gpt_trader.report.compiling import compile_with_progress
from gpt_trader.report.facts import write_facts
from gpt_trader.report.summary import END_OF_DURATION, END_OF_MARKET, STOPPED_BY, RunSummary

__all__ = ["STOP_SECONDS", "kernel_entry_points", "run_simulated", "say_what_stopping_waits_for"]

STOP_SECONDS: Final = 8.0
"""Who was told to stop by a signal has ten seconds before it is killed; two of them are for the log and the wire."""


def run_simulated(
    loaded: Loaded,
    home: Path,
    console: Console,
    *,
    panel: bool,
    load: Callable[[], Loaded],
    rollout: Mapping[str, str] | None = None,
) -> RunSummary:
    """Trade a simulated market to its end, a stop signal, or the configured duration; `load` reads the configuration
    again as it was read at the start, `rollout` is the plan of one to begin with. Raises GptTraderError."""
    config, began_ns = loaded.config, SystemClock().now_ns()
    stream = open_configured_market(config, home)
    compile_with_progress(console, kernel_entry_points())
    end_ns = stream.end_ns
    if config.run.duration is not None:
        end_ns = min(end_ns, stream.start_ns + config.run.duration * NS)
    run = identify(loaded, stream, home)
    clock = VirtualClock(stream.start_ns)
    adapter = ExchangeFactory(clock).paper(config, stream, clock)
    check_buildable(config, adapter)
    beside = Beside(config, run.store)  # from here on something is written
    with (
        open_store(
            config.records,
            run.store,
            run.identity.run_id if config.records.url is None else run.store.parent.name,
            run.identity.boot,
        ) as store,
        run_log(
            run.store.parent,
            run_id=run.identity.run_id,
            boot=run.identity.boot,
            secrets=config.secret_texts(),
            alarms=None if panel else sys.stderr,
        ) as log,
    ):
        built = PerpsBotBuilder(
            config,
            adapter=adapter,
            clock=clock,
            journal=beside.journal(store),
            identity=run.identity,
            bar_seconds=stream.bar_seconds,
        ).build()
        built.bot.bus.watch("run log", log.on_event)
        watch_over(built.bot, built.parts)
        log.process(
            f"{built.bot.engine.name} by {built.selection.reason}",
            profile=config.profile,
            market=run.identity.market,
            config=loaded.digest,
        )
        steering = Steering(built, loaded, load)
        if built.replayed:
            steering.recall(built.recovery.flags)
        steering.begin_shadow()
        desk = ControlDesk(built, steering, run=run.store.parent.name)
        shown = LivePanel(
            built,
            market=stream.name,
            store=run.store.parent.name,
            start_ns=stream.start_ns,
            end_ns=end_ns,
            console=console,
        )
        # With a panel SIGHUP says that its terminal has gone; without one, that the configuration is to be read again.
        gone = (signal.SIGHUP,) if panel else ()
        signalled = commands_of(config.control, run.store.parent.name, hangup=not panel)
        with stop_on_signal(built.bot, *gone), shown if panel else contextlib.nullcontext():
            world: World = Watched(adapter, shown.tick) if panel else adapter
            at_end = END_OF_MARKET if end_ns == stream.end_ns else END_OF_DURATION

            async def main() -> str:
                async with beside.attend(built, steering):
                    await built.bot.start()
                    async with control_socket(desk, run.store.parent), obey_signals(desk, signalled):
                        desk.begin_with_rollout(rollout)
                        reason = await built.bot.run_until_stopped(end_ns, at_end)
                    if reason.startswith(STOPPED_BY):
                        desk.stopped(reason)
                        say_what_stopping_waits_for(console, built, reason)
                    await built.bot.stop(reason, STOP_SECONDS if reason.startswith(STOPPED_BY) else None)
                    return reason

            reason = run_virtual(clock, world, main, config.run.pace_factor)
        summary = summarise(built, loaded, stream, run, reason=reason, end_ns=clock.now_ns())
        facts = facts_of(
            loaded,
            stream,
            adapter,
            summary=summary,
            marks=built.bot.marks(),
            end_ns=clock.now_ns(),
            began_ns=began_ns,
        )
        write_facts(run.store, facts)  # what `gpt-trader report` needs beside the log
        return summary


def say_what_stopping_waits_for(console: Console, built: BuiltBot, reason: str) -> None:
    """Tactics come to their own end, which may take its time when the market is paced."""
    tactics, orders = len(built.bot.tracker.working()), sum(1 for _ in built.bot.orders.living())
    console.print(
        f"{reason}: no new entries; waiting for {tactics} tactics and {orders} orders to end. "
        "Ctrl-C again stops at once.",
        highlight=False,
    )
