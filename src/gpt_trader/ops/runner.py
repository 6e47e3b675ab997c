"""Who runs the bot for a person? Opens the market, makes the store, drives the loop, and says what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity, check_buildable
from gpt_trader.config.bot import SYNTHETIC, BotConfig, VenueKind
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import NS, SystemClock, VirtualClock, World, iso, run_virtual
from gpt_trader.core.errors import ConfigError
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.catalog import dataset_names, is_dataset
from gpt_trader.market.compiled import EntryPoint, compile_entry_points, entry_points_compiled
from gpt_trader.market.importing import FileReading, open_named
from gpt_trader.market.stream import MarketStream
from gpt_trader.market.synthetic import SyntheticMarket
from gpt_trader.ops.log import run_log
from gpt_trader.ops.panel import LivePanel
from gpt_trader.records.event_store import EventStore
from gpt_trader.report.summary import END_OF_DURATION, END_OF_MARKET, STOPPED_BY, RunSummary

__all__ = ["SimulatedRun", "open_configured_market", "run_simulated"]

DAY_SECONDS: Final = 86_400


def open_configured_market(config: BotConfig, home: Path) -> MarketStream:
    """The market that a simulated run trades: made from the seed, a dataset of the catalog in `home`, or a file.

    Raises MarketDataError or ConfigError before anything is written.
    """
    if config.venue.kind is not VenueKind.SIMULATED:
        raise ConfigError(
            f"venue.kind = {config.venue.kind.value!r} (profile {config.profile}): trading a real venue is not built "
            "yet in this release. Fix: choose a profile with venue.kind simulated, such as dev_entry or dev."
        )
    duration_seconds = config.run.duration
    if config.venue.market == SYNTHETIC:
        stream: MarketStream = SyntheticMarket(
            config.symbols,
            seed=config.run.seed,
            duration_seconds=duration_seconds or DAY_SECONDS,
            bar_seconds=config.run.bar_seconds or 60,
        )
    else:
        stream = _open_kept(config, home)
    listed = [product.symbol for product in stream.products]
    missing = [symbol for symbol in config.symbols if symbol not in listed]
    if missing:
        raise ConfigError(
            f"symbols = {', '.join(config.symbols)}: the market {stream.name} has only {', '.join(listed)}. "
            f"Fix: --symbols {','.join(listed)}"
        )
    return stream


def _open_kept(config: BotConfig, home: Path) -> MarketStream:
    """A dataset, or a file. A bare word that is neither is probably the name of something, mistyped."""
    market = config.venue.market
    path = Path(market)
    if not (is_dataset(home, market) or path.exists() or path.suffix or path.name != market):
        known = ", ".join((SYNTHETIC, *dataset_names(home)))
        raise ConfigError(
            f"venue.market = {market!r}: neither a file nor one of the markets there are ({known}). Fix: name one of "
            "them or the path of a recording; `gpt-trader data import FILE --name NAME` keeps one"
        )
    return open_named(home, market, FileReading(bar_seconds=config.run.bar_seconds))


@dataclass(frozen=True)
class SimulatedRun:
    """Where a run lives and what determines it."""

    identity: RunIdentity
    store: Path


def identify(loaded: Loaded, stream: MarketStream, home: Path) -> SimulatedRun:
    """The run id follows from configuration, seed and market; the folder also from the time of day."""
    config = loaded.config
    parts = (str(config.run.seed), loaded.digest, stream.digest)
    run_id = "sim-" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
    stamp = iso(SystemClock().now_ns()).translate(str.maketrans("", "", "-: .Z"))
    return SimulatedRun(
        identity=RunIdentity(
            run_id=run_id,
            boot=1,
            environment="simulated",
            config_digest=loaded.digest,
            market=f"{stream.name} sha256:{stream.digest}",
            seed=config.run.seed,
        ),
        store=home / "runs" / f"{stamp}-{config.profile}-{run_id}" / "events.sqlite",
    )


def run_simulated(loaded: Loaded, home: Path, console: Console, *, panel: bool) -> RunSummary:
    """Trade a simulated market to its end, a stop signal, or the configured duration. Raises GptTraderError."""
    config = loaded.config
    stream = open_configured_market(config, home)
    compile_with_progress(console)
    end_ns = stream.end_ns
    if config.run.duration is not None:
        end_ns = min(end_ns, stream.start_ns + config.run.duration * NS)
    run = identify(loaded, stream, home)
    clock = VirtualClock(stream.start_ns)
    adapter = PaperExchange(
        stream,
        clock=clock,
        cash=config.venue.starting_cash,
        entry_latency_ms=config.venue.entry_latency_ms,
        ack_latency_ms=config.venue.ack_latency_ms,
    )
    check_buildable(config, adapter)  # from here on something is written
    with (
        EventStore.open(run.store, run.identity.run_id, run.identity.boot, durable=True) as store,
        run_log(
            run.store.parent,
            run_id=run.identity.run_id,
            boot=run.identity.boot,
            secrets=config.credentials.secret_texts(),
            alarms=None if panel else sys.stderr,
        ) as log,
    ):
        built = PerpsBotBuilder(
            config, adapter=adapter, clock=clock, journal=store, identity=run.identity, bar_seconds=stream.bar_seconds
        ).build()
        built.bot.bus.watch("run log", log.on_event)
        log.process(
            f"{built.bot.engine.name} by {built.selection.reason}",
            profile=config.profile,
            market=run.identity.market,
            config=loaded.digest,
        )
        shown = LivePanel(
            built,
            market=stream.name,
            store=run.store.parent.name,
            start_ns=stream.start_ns,
            end_ns=end_ns,
            console=console,
        )
        with stop_on_signal(built.bot), shown if panel else contextlib.nullcontext():
            world: World = Watched(adapter, shown.tick) if panel else adapter
            at_end = END_OF_MARKET if end_ns == stream.end_ns else END_OF_DURATION

            async def main() -> str:
                await built.bot.start()
                reason = await built.bot.run_until_stopped(end_ns, at_end)
                if reason.startswith(STOPPED_BY):
                    say_what_stopping_waits_for(console, built, reason)
                await built.bot.stop(reason)
                return reason

            reason = run_virtual(clock, world, main, config.run.pace_factor)
        return summarise(built, loaded, stream, run, reason=reason, end_ns=clock.now_ns())


class Watched:
    """A world that lets somebody look after each move."""

    def __init__(self, world: World, look: Callable[[], None]) -> None:
        self._world = world
        self._look = look

    def advance(self, until_ns: int | None) -> int:
        reached = self._world.advance(until_ns)
        self._look()
        return reached


@contextlib.contextmanager
def stop_on_signal(bot: PerpsBot) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the bot in phases; a second one ends the process as usual."""
    before: dict[signal.Signals, signal.Handlers | Callable[[int, FrameType | None], object] | int | None] = {}

    def ask(number: int, _: FrameType | None) -> None:
        bot.request_stop(f"{STOPPED_BY}{signal.Signals(number).name}")
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say_what_stopping_waits_for(console: Console, built: BuiltBot, reason: str) -> None:
    """Tactics come to their own end, which may take its time when the market is paced."""
    tactics, orders = len(built.bot.tracker.working()), sum(1 for _ in built.bot.orders.living())
    console.print(
        f"{reason}: no new entries; waiting for {tactics} tactics and {orders} orders to end. "
        "Ctrl-C again stops at once.",
        highlight=False,
    )


def kernel_entry_points() -> tuple[EntryPoint, ...]:
    """Everything that Python calls in machine code."""
    from gpt_trader.market.synthetic_kernel import ENTRY_POINTS as synthetic  # noqa: N811, PLC0415 - heavy
    from gpt_trader.venue.kernel import ENTRY_POINTS as venue  # noqa: N811, PLC0415 - heavy

    return (*venue, *synthetic)


def compile_with_progress(console: Console) -> None:
    """Once for each version of the code; later starts load it."""
    points = kernel_entry_points()
    if entry_points_compiled(points):
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[part]}"),
        console=console,
    )
    with progress:
        task = progress.add_task("Compiling the venue (only this once)", total=len(points), part="")

        def tell(name: str, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, part=name)

        compile_entry_points(points, tell)


def summarise(
    built: BuiltBot, loaded: Loaded, stream: MarketStream, run: SimulatedRun, *, reason: str, end_ns: int
) -> RunSummary:
    """All figures from the ledger and the counters that listened to the log."""
    bot, metrics, ledger = built.bot, built.metrics, built.bot.ledger
    marks = bot.marks()
    head = bot.journal.head
    return RunSummary(
        run=run.identity.run_id,
        profile=loaded.config.profile,
        engine=bot.engine.name,
        engine_reason=built.selection.reason,
        market=stream.name,
        market_digest=stream.digest,
        market_notes=stream.notes,
        start=iso(stream.start_ns),
        end=iso(end_ns),
        stopped_by=reason,
        seed=loaded.config.run.seed,
        dry_run=loaded.config.run.dry_run,
        signals=metrics.signals,
        orders=metrics.orders,
        fills=metrics.fills,
        buys=metrics.buys,
        sells=metrics.sells,
        refusals=metrics.refusals,
        venue_rejects=metrics.venue_rejects,
        open_orders=tuple(order.client_order_id for order in bot.orders.living()),
        positions={name: position.quantity for name, position in ledger.positions().items() if position.quantity},
        equity_start=ledger.starting_cash,
        equity_end=ledger.equity(marks),
        price_pnl=ledger.price_pnl(marks),
        fees=ledger.fees,
        funding=ledger.funding,
        transfers=ledger.transfers,
        liquidations=metrics.liquidations,
        max_drawdown=bot.equity.max_drawdown,
        arrival_cost=metrics.arrival_cost,
        arrival_cost_bps=metrics.arrival_cost_bps,
        guards=metrics.guard_trips,
        system_errors=metrics.system_errors,
        event_count=head.sequence,
        event_hash=head.digest,
        store=str(run.store),
    )
