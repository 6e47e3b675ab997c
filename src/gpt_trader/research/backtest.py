"""What would the bot have done? The production bot on a simulated market, as fast as it computes, with its log kept.

The same builder, engines, rules, guards and placement as in a live run; only the clock and the exchange differ. The
log has the same events and the same hash as that of `gpt-trader run`, but is written in blocks. Nothing is sampled
inside the run: curves and statistics are reckoned afterwards, from the log and from the prices that were read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gpt_trader.bot.builder import PerpsBotBuilder, check_buildable
from gpt_trader.bot.simulation import (
    SimulatedRun,
    Watched,
    facts_of,
    identify,
    open_configured_market,
    stop_on_signal,
    summarise,
)
from gpt_trader.bot.steering import Steering
from gpt_trader.config.load import Loaded
from gpt_trader.core.clock import NS, SystemClock, VirtualClock, World, run_virtual
from gpt_trader.core.errors import ConfigError
from gpt_trader.exchange.factory import ExchangeFactory
from gpt_trader.exchange.paper import PaperExchange, kernel_entry_points
from gpt_trader.market.stream import MarketStream
from gpt_trader.records.event_store import EventStore
from gpt_trader.report.facts import RunFacts, write_facts
from gpt_trader.report.price_path import PricePath, read_prices, watched
from gpt_trader.report.progress import RunProgress
from gpt_trader.report.summary import END_OF_DURATION, END_OF_MARKET

__all__ = ["Backtest", "open_backtest_market", "prices_again", "run_backtest"]


@dataclass(frozen=True)
class Backtest:
    """A run that has ended."""

    facts: RunFacts
    store: Path
    prices: PricePath | None
    """Where they were asked for."""


def open_backtest_market(
    loaded: Loaded, home: Path, *, from_ns: int | None = None, to_ns: int | None = None
) -> MarketStream:
    """The market of a backtest. Raises ConfigError or MarketDataError before anything is written."""
    if loaded.config.run.pace != "max":
        raise ConfigError(
            f"run.pace = {loaded.config.run.pace!r}: a backtest runs as fast as it computes. "
            "Fix: leave pace out, or watch the market with `gpt-trader run`"
        )
    return open_configured_market(loaded.config, home, from_ns=from_ns, to_ns=to_ns)


def run_backtest(
    loaded: Loaded,
    home: Path,
    progress: RunProgress,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    prices: bool = True,
) -> Backtest:
    """Trade the market from its start to its end and leave log and facts in a folder of their own under `home`.

    `prices` are noted down as the market is read, for curves. Raises GptTraderError.
    """
    config = loaded.config
    market = open_backtest_market(loaded, home, from_ns=from_ns, to_ns=to_ns)
    progress.compile(kernel_entry_points())
    stream, path = watched(market) if prices else (market, None)
    end_ns = stream.end_ns
    if config.run.duration is not None:
        end_ns = min(end_ns, stream.start_ns + config.run.duration * NS)
    run = identify(loaded, stream, home)
    clock = VirtualClock(stream.start_ns)
    adapter = ExchangeFactory(clock).paper(config, stream, clock)
    check_buildable(config, adapter)  # from here on something is written
    facts = _trade(loaded, stream, run, adapter=adapter, clock=clock, end_ns=end_ns, progress=progress)
    facts = msgspec.structs.replace(facts, from_ns=from_ns, to_ns=to_ns)
    write_facts(run.store, facts)
    return Backtest(facts=facts, store=run.store, prices=path)


def _trade(
    loaded: Loaded,
    stream: MarketStream,
    run: SimulatedRun,
    *,
    adapter: PaperExchange,
    clock: VirtualClock,
    end_ns: int,
    progress: RunProgress,
) -> RunFacts:
    config, began_ns = loaded.config, SystemClock().now_ns()
    with EventStore.open(run.store, run.identity.run_id, run.identity.boot, durable=False) as store:
        built = PerpsBotBuilder(
            config, adapter=adapter, clock=clock, journal=store, identity=run.identity, bar_seconds=stream.bar_seconds
        ).build()
        Steering(built, loaded, lambda: loaded).begin_shadow()
        at_end = END_OF_MARKET if end_ns == stream.end_ns else END_OF_DURATION

        async def main() -> str:
            await built.bot.start()
            reason = await built.bot.run_until_stopped(end_ns, at_end)
            await built.bot.stop(reason)
            return reason

        with stop_on_signal(built.bot), progress.over(f"backtest on {stream.name}", stream.start_ns, end_ns) as tell:
            world: World = adapter if tell is None else Watched(adapter, lambda: tell(clock.now_ns()))
            reason = run_virtual(clock, world, main)
        summary = summarise(built, loaded, stream, run, reason=reason, end_ns=clock.now_ns())
        marks = built.bot.marks()
    return facts_of(loaded, stream, adapter, summary=summary, marks=marks, end_ns=clock.now_ns(), began_ns=began_ns)


def prices_again(facts: RunFacts, open_market: Callable[[], MarketStream]) -> PricePath:
    """Prices of a stored run, read from its market once more.

    Raises ConfigError where the market is not the one that the run traded.
    """
    stream = open_market()
    if stream.digest != facts.summary.market_digest:
        raise ConfigError(
            f"market {facts.market_place!r} is not the one that run {facts.summary.run} traded: it has SHA-256 "
            f"{stream.digest[:12]}, the run had {facts.summary.market_digest[:12]}. Fix: name that market with --market"
        )
    return read_prices(stream)
