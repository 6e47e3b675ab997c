"""What if there is no exchange at hand? A seeded, fair market of perpetuals that needs no network and no file.

Fair: the price is a martingale, so that nothing that watches it can earn before costs but by luck. Volatility comes in
regimes, volume follows the hours of a day, jumps are rare, and trends exist: each is paid for by the move that ends
it. Products share one world and are correlated. The rows of a product follow from seed, product, start and length
only, whatever else is in the market, and are the same on any machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market import synthetic_kernel as kernel
from gpt_trader.market.products import simulated_product
from gpt_trader.market.rows import MONEY_SCALE, ROW
from gpt_trader.market.stream import Rows

__all__ = ["GENERATOR", "MODELS", "START_NS", "Model", "SyntheticMarket", "fair_prices"]

GENERATOR: Final = "synthetic-1"
"""Changes whenever the same seed would give other rows."""
START_NS: Final = 1_767_571_200 * NS
"""Monday 2026-01-05 00:00 UTC."""
CHUNK_SECONDS: Final = 600
DURATION_SECONDS_MAX: Final = 10 * 366 * 86_400
STEPS_A_SECOND: Final = NS // kernel.STEP_NS
STEPS_A_DAY: Final = 86_400 * STEPS_A_SECOND

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]


class Model(NamedTuple):
    """How one product behaves."""

    price: float
    """At the start, in the quote currency."""
    sigma_day: float
    """Standard deviation of a day's return in the long run, trends and jumps apart."""
    loading: float
    """Correlation with the common shock."""
    spread_ticks: int
    level_lots: float
    trade_lots: float
    trades_day: float


MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        "BTC-PERP": Model(60_000.0, 0.030, 0.90, 1, 60.0, 4.0, 160_000.0),
        "ETH-PERP": Model(3_000.0, 0.038, 0.85, 1, 80.0, 5.0, 140_000.0),
        "SOL-PERP": Model(150.0, 0.048, 0.75, 2, 30.0, 3.0, 100_000.0),
        "XRP-PERP": Model(2.0, 0.048, 0.70, 2, 20.0, 2.0, 80_000.0),
    }
)

ACTIVITY: Final = np.array(
    [
        [1.05, 0.95, 0.85, 0.75, 0.70, 0.68, 0.72, 0.85, 0.95, 0.92, 0.90, 0.95],
        [1.10, 1.45, 1.60, 1.55, 1.40, 1.25, 1.15, 1.10, 1.05, 0.95, 0.85, 0.90],
    ]
).ravel()
"""Volume of each UTC hour: Asia opens, the small hours, Europe, the peak when New York opens, the evening."""

# purposes of the random streams; a number is never given another meaning
WORLD, PRICE, BASIS, FLOW, BOOK = range(5)


def _words(seed: int, purpose: int, symbol: str = "") -> np.random.PCG64:
    """One stream of 64-bit words. Raw words of PCG64 are the same in every version of numpy."""
    key = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:4])
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(purpose, key)))


class _World:
    """The common part, chunk by chunk: volatility and shocks, shaped by the hours of the day."""

    def __init__(self, seed: int) -> None:
        self._source = _words(seed, WORLD)
        self._state = np.array([1, 0], np.int64)

    def next(self, start_ns: int, steps: int) -> tuple[Floats, Floats, Floats]:
        """(activity, volatility, shock) of the next steps; activity is 1 in the mean of a day."""
        activity = _activity(start_ns, steps)
        season = (0.6 + 0.4 * activity) / _SEASON_SCALE
        volatility, shock = np.empty(steps), np.empty(steps)
        kernel.world_path(self._source.random_raw(steps), season, self._state, volatility, shock)
        return activity, volatility, shock


def _activity(start_ns: int, steps: int) -> Floats:
    """Hourly weights, joined by straight lines, for each step from `start_ns`."""
    seconds = (start_ns // NS + np.arange(steps) // STEPS_A_SECOND) % 86_400
    hours, share = seconds // 3600, (seconds % 3600) / 3600.0
    weights = ACTIVITY / ACTIVITY.mean()
    shaped: Floats = weights[hours] * (1.0 - share) + weights[(hours + 1) % 24] * share
    return shaped


_SEASON_SCALE: Final = float(np.sqrt(np.mean((0.6 + 0.4 * _activity(0, STEPS_A_DAY)) ** 2)))


class _Instrument:
    """One product, chunk by chunk."""

    def __init__(self, number: int, product: ProductSpec, seed: int) -> None:
        self._model = MODELS[product.symbol]
        self._sources = {purpose: _words(seed, purpose, product.symbol) for purpose in (PRICE, BASIS, FLOW, BOOK)}
        self._price = self._model.price / float(product.tick)
        self._basis = 0.0
        self._bids = np.zeros(kernel.LEVELS, np.int64)
        self._asks = np.zeros(kernel.LEVELS, np.int64)
        self._parameters = np.zeros(1, kernel.PARAMETERS)
        self._parameters["product"] = number
        self._parameters["tick_e8"] = float(product.tick * MONEY_SCALE)
        self._parameters["spread"] = self._model.spread_ticks
        self._parameters["level_lots"] = self._model.level_lots
        self._parameters["trade_lots"] = self._model.trade_lots
        self._parameters["trades_a_step"] = self._model.trades_day / STEPS_A_DAY

    def open(self, start_ns: int, buffer: Rows) -> Rows:
        word = self._sources[BOOK].random_raw(1)
        count = kernel.open_book(buffer, start_ns, self._parameters, self._bids, self._asks, self._price, word)
        return buffer[:count].copy()

    def prices(self, volatility: Floats, shock: Floats) -> Floats:
        """Fair price after each of the next steps, in ticks."""
        prices = np.empty(len(shock))
        words: Words = self._sources[PRICE].random_raw(len(shock))
        sigma_step = self._model.sigma_day / float(np.sqrt(STEPS_A_DAY))
        self._price = kernel.price_path(self._price, words, volatility, shock, sigma_step, self._model.loading, prices)
        return prices

    def next(self, start_ns: int, world: tuple[Floats, Floats, Floats], buffer: Rows) -> Rows:
        activity, volatility, shock = world
        steps = len(shock)
        before = self._price
        prices = self.prices(volatility, shock)
        bases = np.empty(steps // STEPS_A_SECOND)
        self._basis = kernel.basis_path(self._basis, self._sources[BASIS].random_raw(len(bases)), bases)
        flow, book = self._sources[FLOW].random_raw(steps), self._sources[BOOK].random_raw(steps)
        count = kernel.make_rows(
            buffer, start_ns, before, prices, volatility, activity, bases, flow, book,
            self._parameters, self._bids, self._asks,
        )  # fmt: skip
        return buffer[:count].copy()


class SyntheticMarket:
    """A market.stream.MarketStream made of a seed. Raises ConfigError on symbols or lengths that cannot be made."""

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        seed: int,
        duration_seconds: int,
        start_ns: int = START_NS,
        bar_seconds: int = 60,
    ) -> None:
        if not symbols:
            raise ConfigError("symbols: none given; name at least one, for example BTC-PERP")
        if len(set(symbols)) != len(symbols):
            raise ConfigError(f"symbols: {', '.join(symbols)} names one twice; name each once")
        if not 0 < duration_seconds <= DURATION_SECONDS_MAX:
            raise ConfigError(f"duration: {duration_seconds} s; give 1 to {DURATION_SECONDS_MAX} seconds")
        if seed < 0:
            raise ConfigError(f"seed: {seed}; give a whole number that is not negative")
        if bar_seconds <= 0 or start_ns < 0 or start_ns % NS:
            raise ConfigError(f"bar_seconds={bar_seconds}, start_ns={start_ns}: bars and start are whole seconds")
        self._products = tuple(simulated_product(symbol) for symbol in symbols)
        self._seed = seed
        self._seconds = duration_seconds
        self._start_ns = start_ns
        self._bar_seconds = bar_seconds

    @property
    def name(self) -> str:
        return "synthetic"

    @property
    def digest(self) -> str:
        facts = {
            "generator": GENERATOR,
            "seed": self._seed,
            "start_ns": self._start_ns,
            "duration_seconds": self._seconds,
            "bar_seconds": self._bar_seconds,
            "products": [product.symbol for product in self._products],
            "specifications": [msgspec.to_builtins(product) for product in self._products],
            "models": [MODELS[product.symbol] for product in self._products],
        }
        return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()

    @property
    def products(self) -> tuple[ProductSpec, ...]:
        return self._products

    @property
    def start_ns(self) -> int:
        return self._start_ns

    @property
    def end_ns(self) -> int:
        return self._start_ns + self._seconds * NS

    @property
    def bar_seconds(self) -> int:
        return self._bar_seconds

    @property
    def modelled_book(self) -> bool:
        return False

    @property
    def notes(self) -> tuple[str, ...]:
        return (
            f"Synthetic market {GENERATOR}, seed {self._seed}: a martingale, where before costs only luck earns.",
            "Size, tick, fees and margin as in Coinbase's US perpetual-style futures; there is no session break.",
            "Funding is hourly: 0.75 x premium + 0.25 x previous, with the mid of the book as mark.",
            f"The book has {kernel.LEVELS} levels a side and is quoted anew four times a second.",
        )

    def chunks(self) -> Iterator[Rows]:
        """Ten minutes at a time, products merged by time; the first chunk is the opening books."""
        buffer: Rows = np.empty(CHUNK_SECONDS * STEPS_A_SECOND * kernel.ROWS_A_STEP_MAX, ROW)
        world = _World(self._seed)
        instruments = [_Instrument(n, product, self._seed) for n, product in enumerate(self._products)]
        yield np.concatenate([instrument.open(self._start_ns, buffer) for instrument in instruments])
        for second in range(0, self._seconds, CHUNK_SECONDS):
            start_ns = self._start_ns + second * NS
            steps = min(CHUNK_SECONDS, self._seconds - second) * STEPS_A_SECOND
            shared = world.next(start_ns, steps)
            yield _merge([instrument.next(start_ns, shared, buffer) for instrument in instruments])


def _merge(parts: list[Rows]) -> Rows:
    """By time; at the same time by product, in the order each made them."""
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate(parts)
    merged: Rows = rows[np.argsort(rows["ts"], kind="stable")]
    return merged


def fair_prices(symbol: str, *, seed: int, duration_seconds: int, start_ns: int = START_NS) -> Floats:
    """The price, in the quote currency, that the book of SyntheticMarket is quoted around: one a step of 250 ms.

    For tests of fairness and for studies that need no book.
    """
    product = simulated_product(symbol)
    world, instrument = _World(seed), _Instrument(0, product, seed)
    parts = []
    for second in range(0, duration_seconds, CHUNK_SECONDS):
        steps = min(CHUNK_SECONDS, duration_seconds - second) * STEPS_A_SECOND
        _, volatility, shock = world.next(start_ns + second * NS, steps)
        parts.append(instrument.prices(volatility, shock))
    path: Floats = np.concatenate(parts) * float(product.tick)
    return path
