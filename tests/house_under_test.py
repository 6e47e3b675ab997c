"""A whole bot on a small market made by hand: the paper venue, a real store, virtual time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tests.builders import START_NS, D, a_product

from gpt_trader.bot.bot import PerpsBot
from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity
from gpt_trader.config.bot import BotConfig, StrategyConfig
from gpt_trader.core.clock import NS, VirtualClock, run_virtual
from gpt_trader.core.errors import (
    InsufficientBalanceError,
    InvalidOrderError,
    OutcomeUnknownError,
    RateLimitError,
    VenueUnavailableError,
)
from gpt_trader.core.events import Event
from gpt_trader.core.values import ProductSpec
from gpt_trader.exchange.base import Capabilities, OrderUpdate, PreparedOrder
from gpt_trader.exchange.paper import PaperExchange
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import LEVEL, ROW, TRADE
from gpt_trader.records.event_store import EventStore
from gpt_trader.strategies.base import Strategy

LEVELS = 10
LOTS_PER_LEVEL = 100
TICK = 5


def steady_market(
    prices: Sequence[int],
    *,
    seconds_each: float = 1.0,
    silence: tuple[int, float] = (0, 0.0),
    product: ProductSpec | None = None,
) -> ArrayStream:
    """A book of ten levels of one unit around each price in turn, and a trade of 0.01 at the price.

    The best prices are one tick (5) from the price. Prices are multiples of 5. `silence` is a number of steps after
    which nothing is said for so many seconds.
    """
    rows: list[tuple[Any, ...]] = []
    shown: dict[tuple[int, int], int] = {}
    for step, price in enumerate(prices):
        late_seconds = silence[1] if step >= silence[0] else 0.0
        at_ns = START_NS + round((step * seconds_each + late_seconds) * NS)
        wanted = {
            (side, price // TICK - side * level): LOTS_PER_LEVEL for side in (1, -1) for level in range(1, LEVELS + 1)
        }
        gone = [key for key in shown if key not in wanted]
        new = [key for key in wanted if key not in shown]
        rows += [(at_ns, at_ns, LEVEL, side, 0, 0, tick, 0, 0, 0, 0) for side, tick in gone]
        rows += [(at_ns, at_ns, LEVEL, side, 0, 0, tick, LOTS_PER_LEVEL, 0, 0, 0) for side, tick in new]
        rows.append((at_ns, at_ns, TRADE, 1, 0, 0, price // TICK, 1, 0, 0, 0))
        shown = wanted
    return ArrayStream([product or a_product()], np.array(rows, dtype=ROW), name="steady", bar_seconds=60)


def a_config(**risk: Any) -> BotConfig:
    """Both flags off and room enough, unless the test says otherwise."""
    wide: dict[str, Any] = {
        "max_position_pct_per_symbol": 5,
        "max_exposure_pct": 5,
        "max_position_size_pct": 5,
        "max_leverage": 5,
        "min_liquidation_buffer_pct": 0,
        "daily_loss_limit": 0,
        "position_sizing_method": "fixed",
        "order_rate_per_minute_max": 0,
    }
    return BotConfig.model_validate({"profile": "test", "risk": wide | risk})


class BadWire(PaperExchange):
    """The paper exchange behind a wire that fails as scripted: one word for each attempt to send, then it is sound."""

    def __init__(self, *arguments: Any, script: Sequence[str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._script = list(script)
        self.bodies: list[bytes] = []
        self.cancel_script: list[str] = []
        """The same for each attempt to cancel."""

        self.failing_reads = 0
        """How many of the next reads of open orders fail."""

        self.idempotent = True
        """What it states of creating an order twice."""

    @property
    def capabilities(self) -> Capabilities:
        return msgspec.structs.replace(super().capabilities, idempotent_create=self.idempotent)

    async def open_orders(self) -> tuple[OrderUpdate, ...]:
        if self.failing_reads > 0:
            self.failing_reads -= 1
            raise VenueUnavailableError("503")
        return await super().open_orders()

    async def cancel(self, client_order_id: str, venue_order_id: str, symbol: str) -> None:
        fault = self.cancel_script.pop(0) if self.cancel_script else "sound"
        match fault:
            case "unavailable":
                raise VenueUnavailableError("503")
            case "request lost":
                raise OutcomeUnknownError("no answer")
            case "reply lost":
                await super().cancel(client_order_id, venue_order_id, symbol)
                raise OutcomeUnknownError("no answer")
            case "sound":
                await super().cancel(client_order_id, venue_order_id, symbol)
            case _:
                assert fault == "swallowed", fault  # answered by nothing, done by nobody

    async def send(self, prepared: PreparedOrder) -> OrderUpdate:
        self.bodies.append(prepared.body)
        fault = self._script.pop(0) if self._script else "sound"
        match fault:
            case "request lost":
                raise OutcomeUnknownError("no answer")
            case "reply lost":
                await super().send(prepared)
                raise OutcomeUnknownError("no answer")
            case "unavailable":
                raise VenueUnavailableError("503")
            case "rate limited":
                raise RateLimitError("429", retry_after_seconds=7)
            case "refused":
                raise InvalidOrderError("the venue says no", code="INVALID_LIMIT_PRICE")
            case "poor":
                raise InsufficientBalanceError("INSUFFICIENT_FUND")
        return await super().send(prepared)


class House:
    """Everything a test may look at after (and during) a run."""

    def __init__(
        self, built: BuiltBot, adapter: BadWire, store: EventStore, clock: VirtualClock, folder: Path | None = None
    ) -> None:
        self.built = built
        self.folder = folder or Path()
        self.bot: PerpsBot = built.bot
        self.adapter = adapter
        self.store = store
        self.clock = clock
        self.events: list[Event] = []
        self.bot.bus.watch("test", self.events.append)

    def run(self, scenario: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Start the bot, play the scenario in market time, then let what is under way come to its end."""

        async def main() -> Any:
            await self.bot.start()
            result = await scenario()
            await self.clock.sleep(2)
            return result

        return run_virtual(self.clock, self.adapter, main)

    def kinds(self, *ignored: str) -> list[str]:
        return [type(event).__name__ for event in self.events if type(event).__name__ not in ignored]

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    def check_invariants(self) -> None:
        """Ledger equals venue, nothing is lost or doubled, and the log says the same as the memory."""
        venue_positions = {
            position.symbol: position.quantity for position in self.adapter.venue.positions() if position.quantity
        }
        held = {symbol: position.quantity for symbol, position in self.bot.ledger.positions().items()}
        assert held == venue_positions
        assert self.bot.ledger.cash == self.adapter.account().cash
        replayed = type(self.bot.ledger)()
        replayed.replay(recorded.event for recorded in self.store.read())
        assert replayed.cash == self.bot.ledger.cash
        assert replayed.positions() == self.bot.ledger.positions()
        assert self.store.verify().breaks == ()


@contextlib.contextmanager
def a_house(
    folder: Path,
    config: BotConfig | None = None,
    market: ArrayStream | None = None,
    *,
    cash: int = 100_000,
    wire: Sequence[str] = (),
    strategy: Callable[[StrategyConfig], Strategy] | None = None,
    environment: str = "simulated",
) -> Iterator[House]:
    """A bot built the way every bot is built; `strategy` makes another than the configured one."""
    stream = market or steady_market([60_000] * 120)
    clock = VirtualClock(stream.start_ns)
    adapter = BadWire(stream, clock=clock, cash=D(cash), entry_latency_ms=10, ack_latency_ms=10, script=wire)
    identity = RunIdentity(
        run_id="test-run", boot=1, environment=environment, config_digest="", market=stream.name, seed=0
    )
    with EventStore.open(folder / "events.sqlite", "test-run", 1, durable=False) as store:
        built = PerpsBotBuilder(
            config or a_config(),
            adapter=adapter,
            clock=clock,
            journal=store,
            identity=identity,
            bar_seconds=stream.bar_seconds,
            strategy=strategy,
        ).build()
        yield House(built, adapter, store, clock, folder)
