"""What does every simulated run share? Its market, its venue, its name, how it is stopped, and what came of it.

`ops` runs it for a person to watch, `research` as fast as it computes.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Final, Protocol

from gpt_trader import __version__
from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.builder import BuiltBot, RunIdentity
from gpt_trader.config.bot import SYNTHETIC, BotConfig, VenueKind
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import NS, SystemClock, World, iso
from gpt_trader.core.errors import ConfigError
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.catalog import dataset_names, is_dataset
from gpt_trader.market.importing import FileReading, open_named
from gpt_trader.market.slicing import slice_market
from gpt_trader.market.stream import MarketStream
from gpt_trader.market.synthetic import SyntheticMarket
from gpt_trader.report.facts import RunFacts, settings_of
from gpt_trader.report.summary import STOPPED_BY, RunSummary

__all__ = [
    "DescribedMarket",
    "SimulatedRun",
    "Watched",
    "facts_of",
    "identify",
    "market_again",
    "open_configured_market",
    "stop_on_signal",
    "summarise",
]

DAY_SECONDS: Final = 86_400
NOT_SET: Final = frozenset({"none", "null"})
"""How facts and events write a setting that is not set."""


def open_configured_market(
    config: BotConfig, home: Path, *, from_ns: int | None = None, to_ns: int | None = None
) -> MarketStream:
    """The market that a simulated run trades: made from the seed, a dataset of the catalog in `home`, or a file.

    The two times choose a part of it. Raises MarketDataError or ConfigError before anything is written.
    """
    if config.venue.kind is not VenueKind.SIMULATED:
        raise ConfigError(
            f"venue.kind = {config.venue.kind.value!r} (profile {config.profile}): trading a real venue is not built "
            "yet in this release. Fix: choose a profile with venue.kind simulated, such as dev_entry or dev."
        )
    duration_seconds = config.run.duration
    if config.venue.market == SYNTHETIC:
        made = SyntheticMarket(
            config.symbols,
            seed=config.run.seed,
            duration_seconds=duration_seconds or DAY_SECONDS,
            bar_seconds=config.run.bar_seconds or 60,
        )
        stream = slice_market(made, from_ns, to_ns)
    else:
        stream = _open_kept(config, home, from_ns, to_ns)
    listed = [product.symbol for product in stream.products]
    missing = [symbol for symbol in config.symbols if symbol not in listed]
    if missing:
        raise ConfigError(
            f"symbols = {', '.join(config.symbols)}: the market {stream.name} has only {', '.join(listed)}. "
            f"Fix: --symbols {','.join(listed)}"
        )
    return stream


def market_again(settings: Mapping[str, str], seed: int, home: Path, market: str, **part: int | None) -> MarketStream:
    """The market of a run that was made, from the run's settings as text by path; `part` are the two times of
    `open_configured_market`. Whether it is the same one, its digest says. Raises MarketDataError or ConfigError."""
    bar_seconds, duration = settings["run.bar_seconds"], settings["run.duration"]
    config = BotConfig.model_validate(
        {
            "symbols": settings["symbols"],
            "venue": {"market": market},
            "run": {
                "seed": seed,
                "bar_seconds": None if bar_seconds in NOT_SET else int(bar_seconds),
                "duration": None if duration in NOT_SET else int(duration),
            },
        }
    )
    return open_configured_market(config, home, **part)


def _open_kept(config: BotConfig, home: Path, from_ns: int | None, to_ns: int | None) -> MarketStream:
    """A dataset, or a file. A bare word that is neither is probably the name of something, mistyped."""
    market = config.venue.market
    path = Path(market)
    if not (is_dataset(home, market) or path.exists() or path.suffix or path.name != market):
        known = ", ".join((SYNTHETIC, *dataset_names(home)))
        raise ConfigError(
            f"venue.market = {market!r}: neither a file nor one of the markets there are ({known}). Fix: name one of "
            "them or the path of a recording; `gpt-trader data import FILE --name NAME` keeps one"
        )
    reading = FileReading(bar_seconds=config.run.bar_seconds)
    return open_named(home, market, reading, from_ns=from_ns, to_ns=to_ns)


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
def stop_on_signal(bot: PerpsBot, *others: signal.Signals) -> Iterator[None]:
    """Ctrl-C, SIGTERM and `others` stop the bot in phases; a second one ends the process as usual."""
    before: dict[signal.Signals, signal.Handlers | Callable[[int, FrameType | None], object] | int | None] = {}

    def ask(number: int, _: FrameType | None) -> None:
        bot.request_stop(f"{STOPPED_BY}{signal.Signals(number).name}")
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in (signal.SIGINT, signal.SIGTERM, *others):
        before[number] = signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class DescribedMarket(Protocol):
    """What a summary says of the market that was traded."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def start_ns(self) -> int: ...


def summarise(
    built: BuiltBot, loaded: Loaded, stream: DescribedMarket, run: SimulatedRun, *, reason: str, end_ns: int
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


def facts_of(
    loaded: Loaded,
    stream: MarketStream,
    adapter: PaperExchange,
    *,
    summary: RunSummary,
    marks: Mapping[str, Decimal],
    end_ns: int,
    began_ns: int,
) -> RunFacts:
    """What a report needs beside the log; `began_ns` is the machine's clock when the run began."""
    config = loaded.config
    return RunFacts(
        summary=summary,
        code_version=__version__,
        market_place=config.venue.market,
        start_ns=stream.start_ns,
        end_ns=end_ns,
        bar_seconds=stream.bar_seconds,
        modelled_book=stream.modelled_book,
        products=tuple(product for product in stream.products if product.symbol in config.symbols),
        marks=marks,
        settings=settings_of(loaded),
        overnight=adapter.overnight_spans(stream),
        assumptions=adapter.assumptions(stream),
        real_seconds=round((SystemClock().now_ns() - began_ns) / NS, 3),
    )
