"""What would the bot have done with these values? One production run on a market in memory, of which figures are kept.

Builder, engines, rules, guards, placement and ledger are those of a live run; the log alone is not kept. What a run
gives depends on its task and the market only, never on the worker or on what ran before.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec
import numpy as np

from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity, check_buildable
from gpt_trader.config.bot import BotConfig, StrategyConfig
from gpt_trader.config.load import with_settings
from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.errors import ConfigError, GptTraderError
from gpt_trader.core.values import ProductSpec
from gpt_trader.exchange.factory import ExchangeFactory
from gpt_trader.market.slicing import slice_market
from gpt_trader.market.stream import MarketStream, Rows
from gpt_trader.records.unkept import UnkeptJournal
from gpt_trader.report.summary import END_OF_MARKET
from gpt_trader.research.search.equity import EquityRecorder, StepPrices, step_prices
from gpt_trader.research.search.measures import find_measure
from gpt_trader.research.search.order_costs import OrderCosts
from gpt_trader.research.search.shared_market import MarketHead, market_over
from gpt_trader.research.search.space import Values
from gpt_trader.strategies.base import Strategy
from gpt_trader.strategies.catalogue import find_strategy
from gpt_trader.strategies.kind import StrategyKind

__all__ = ["Floor", "Harder", "Laboratory", "Outcome", "State", "Task", "config_of"]

PRUNED: Final = "pruned"


class State(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    """Ended early: on the first part of the market it did worse than half of those before it."""
    REFUSED = "refused"
    """The settings do not go together; nothing was run."""
    FAILED = "failed"
    """The run broke off; the reason says why."""


@dataclass(frozen=True)
class Harder:
    """Factors on what trading costs: what if they are twice what is assumed?"""

    fees: int = 1
    spread: int = 1
    latency: int = 1


@dataclass(frozen=True)
class Floor:
    """Where a trial is measured on its way, and what it must reach there to go on."""

    at_ns: int
    value: float | None
    """None while too few went before."""


@dataclass(frozen=True)
class Task:
    """One run that is wanted."""

    number: int
    values: Values
    start_ns: int
    end_ns: int
    metric: str = "sharpe"
    """What the floors are of."""
    floors: tuple[Floor, ...] = ()
    harder: Harder = Harder()
    costs: bool = False
    """Reckon the costs of every order too."""


@dataclass(frozen=True)
class Outcome:
    """What came of a task."""

    number: int
    values: Values
    state: State
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    """Equity net of transfers: at the start, then at the end of every step."""
    climbed: tuple[float, ...] = ()
    """The metric at each floor that was reached."""

    @property
    def values_key(self) -> tuple[tuple[str, str], ...]:
        """The values as something to look up by."""
        return tuple(sorted(self.values.items()))


def config_of(base: BotConfig, values: Values, harder: Harder = Harder(), *, costs: bool = True) -> BotConfig:
    """The configuration of one trial. Raises ConfigError where the values do not go together."""
    changed: dict[str, object] = {}
    chosen = with_settings(base, values)
    venue = chosen.venue
    if not costs:  # marks after a fill decide nothing
        changed["run.mark_outs"] = False
    if harder.spread != 1:
        changed["venue.bar_half_spread_bps"] = venue.bar_half_spread_bps * harder.spread
    if harder.fees != 1 and venue.fee_tiers:
        changed["venue.fee_tiers"] = _dearer(venue.fee_tiers, harder.fees)
    if harder.latency != 1:
        changed |= {
            "venue.entry_latency_ms": venue.entry_latency_ms * harder.latency,
            "venue.entry_latency_p99_ms": venue.entry_latency_p99_ms * harder.latency,
            "venue.entry_latency_recorded_ms": [each * harder.latency for each in venue.entry_latency_recorded_ms],
            "venue.ack_latency_ms": venue.ack_latency_ms * harder.latency,
            "venue.ack_latency_p99_ms": venue.ack_latency_p99_ms * harder.latency,
            "venue.ack_latency_recorded_ms": [each * harder.latency for each in venue.ack_latency_recorded_ms],
            "venue.feed_latency_ms": venue.feed_latency_ms * harder.latency,
            "venue.feed_latency_p99_ms": venue.feed_latency_p99_ms * harder.latency,
        }
    return with_settings(chosen, changed) if changed else chosen


class Laboratory:
    """Runs trials on one market, one after the other; what they have in common is made once."""

    def __init__(self, base: BotConfig, head: MarketHead, rows: Rows, step_seconds: int) -> None:
        """`base` is changed by the values of each task."""
        self._base = base
        self._market = market_over(head, rows)
        self._step_seconds = step_seconds
        self._prices: StepPrices | None = None
        self._kinds: dict[str, StrategyKind[Any]] = {}

    def run(self, task: Task) -> Outcome:
        """Never raises for what a set of values can do: the outcome says it."""
        try:
            config = config_of(self._base, task.values, task.harder, costs=task.costs)
            stream = self._stream(task)
            clock = VirtualClock(stream.start_ns)
            adapter = ExchangeFactory(clock).paper(config, stream, clock)
            check_buildable(config, adapter, self._strategy)
        except ConfigError as error:
            return Outcome(task.number, task.values, State.REFUSED, str(error))
        built = PerpsBotBuilder(
            config,
            adapter=adapter,
            clock=clock,
            journal=UnkeptJournal(),
            identity=_identity(config, stream, task),
            bar_seconds=stream.bar_seconds,
            strategy=self._strategy,
        ).build()
        equity = EquityRecorder(built.bot.ledger, config.symbols)
        equity.follow(built.bot.bus)
        costs = OrderCosts() if task.costs else None
        if costs is not None:
            built.bot.bus.watch("costs of a trial", costs.take)
        climbed: list[float] = []

        async def main() -> str:
            await built.bot.start()
            climb = asyncio.ensure_future(self._climb(task, built, clock, equity, climbed))
            reason = await built.bot.run_until_stopped(stream.end_ns, END_OF_MARKET)
            climb.cancel()
            await built.bot.stop(reason)
            return reason

        try:
            reason = run_virtual(clock, adapter, main)
        except GptTraderError as error:
            return Outcome(task.number, task.values, State.FAILED, f"{type(error).__name__}: {error}")
        state = {END_OF_MARKET: State.COMPLETE, PRUNED: State.PRUNED}.get(reason, State.FAILED)
        figures = _figures(built) | (costs.figures() if costs is not None else {})
        return Outcome(
            number=task.number,
            values=task.values,
            state=state,
            reason="" if state is State.COMPLETE else reason,
            figures=figures,
            curve=self._curve(equity, built, task.start_ns, clock.now_ns()),
            climbed=tuple(climbed),
        )

    def _strategy(self, config: StrategyConfig) -> Strategy:
        """Found once: a strategy of one's own lies in a file that would be read again for every trial."""
        if config.name not in self._kinds:
            self._kinds[config.name] = find_strategy(config).kind
        return self._kinds[config.name].build(config)

    def _stream(self, task: Task) -> MarketStream:
        market = self._market
        if task.harder.fees != 1:
            dearer = tuple(_with_fees(product, task.harder.fees) for product in market.products)
            market = replace(market, products=dearer)
        return slice_market(market, task.start_ns, task.end_ns)

    async def _climb(
        self, task: Task, built: BuiltBot, clock: VirtualClock, equity: EquityRecorder, climbed: list[float]
    ) -> None:
        """Measure at each floor; below it the run ends."""
        measure = find_measure(task.metric)
        for floor in task.floors:
            await clock.sleep(max(0.0, (floor.at_ns - clock.now_ns()) / NS))
            curve = self._curve(equity, built, task.start_ns, floor.at_ns)
            if len(curve) < 2:
                continue
            assert measure.of_curve is not None, "floors are of what a curve tells"
            value = measure.of_curve(np.array(curve), self._step_seconds)
            climbed.append(value)
            if floor.value is not None and measure.better(floor.value, value):
                built.bot.request_stop(PRUNED)
                return

    def _curve(self, equity: EquityRecorder, built: BuiltBot, start_ns: int, end_ns: int) -> tuple[float, ...]:
        if self._prices is None:
            self._prices = step_prices(self._market, self._step_seconds)
        start = float(built.bot.ledger.starting_cash)
        return (start, *equity.curve(self._prices.between(start_ns, end_ns), start).tolist())


def _identity(config: BotConfig, stream: MarketStream, task: Task) -> RunIdentity:
    """What it draws follows from seed, values and market."""
    parts = (str(config.run.seed), stream.digest, *(f"{path}={value}" for path, value in sorted(task.values.items())))
    return RunIdentity(
        run_id="sim-" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:16],
        boot=1,
        environment="simulated",
        config_digest="",
        market=f"{stream.name} sha256:{stream.digest}",
        seed=config.run.seed,
    )


def _figures(built: BuiltBot) -> dict[str, float]:
    bot, metrics = built.bot, built.metrics
    return {
        "orders": float(metrics.orders),
        "fills": float(metrics.fills),
        "signals": float(metrics.signals),
        "refusals": float(sum(metrics.refusals.values())),
        "guard_trips": float(sum(metrics.guard_trips.values())),
        "system_errors": float(metrics.system_errors),
        "liquidations": float(metrics.liquidations),
        "fees": float(bot.ledger.fees),
        "funding": float(bot.ledger.funding),
        "net": float(bot.ledger.equity(bot.marks()) - bot.ledger.starting_cash - bot.ledger.transfers),
    }


def _with_fees(product: ProductSpec, factor: int) -> ProductSpec:
    return msgspec.structs.replace(
        product, maker_fee_rate=product.maker_fee_rate * factor, taker_fee_rate=product.taker_fee_rate * factor
    )


def _dearer(tiers: str, factor: int) -> str:
    """`0:0.0009/0.001, ...` with its rates times the factor."""
    found = []
    for tier in tiers.split(","):
        volume, _, rates = tier.partition(":")
        dear = "/".join(format(Decimal(rate.strip()) * factor, "f") for rate in rates.split("/"))
        found.append(f"{volume.strip()}:{dear}")
    return ", ".join(found)
