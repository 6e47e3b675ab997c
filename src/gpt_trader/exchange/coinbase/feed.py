"""What does the market say? Everything public of Coinbase: products, books, trades, bars, index and funding.

Needs no key. One supervised connection carries the channels; what no channel carries is asked for every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import msgspec

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ExchangeError, VenueUnavailableError
from gpt_trader.core.values import ProductSpec
from gpt_trader.exchange.base import MarketListener, ProductChanged, StreamChanged
from gpt_trader.exchange.coinbase.carrier import Carrier
from gpt_trader.exchange.coinbase.credentials import ApiKey
from gpt_trader.exchange.coinbase.endpoints import Endpoints
from gpt_trader.exchange.coinbase.frames import Frame, TradesEvent
from gpt_trader.exchange.coinbase.history import CoinbaseHistory
from gpt_trader.exchange.coinbase.live_bars import LiveBars
from gpt_trader.exchange.coinbase.live_market import LiveMarket
from gpt_trader.exchange.coinbase.products import Catalogue, FeeRates
from gpt_trader.exchange.coinbase.rest import CoinbaseRest
from gpt_trader.exchange.coinbase.stream import CoinbaseSocket, Subscription
from gpt_trader.exchange.tasks import Tasks

__all__ = ["CoinbaseFeed"]

START_WAIT_SECONDS: Final = 30.0
"""How long a symbol may take to show a price."""
REFRESH_SECONDS: Final = 5.0
CHANNELS: Final = ("level2", "market_trades", "ticker")
TERMS: Final = ("tick", "lot", "contract_size", "max_quantity", "margin_intraday", "margin_overnight")
"""What must not change under an open position without somebody looking at it."""
FrameListener = Callable[[Frame, int], None]


class CoinbaseFeed:
    """The market of some symbols, from `start` to `close`."""

    def __init__(
        self,
        rest: CoinbaseRest,
        *,
        endpoints: Endpoints,
        key: ApiKey | None,
        clock: Clock,
        draw: Callable[[], float],
        bar_seconds: int,
        carrier: Carrier | None = None,
    ) -> None:
        """`draw` gives 0..1 for the jitter of waits."""
        self._carrier = carrier
        self._rest = rest
        self._endpoints = endpoints
        self._key = key
        self._clock = clock
        self._draw = draw
        self._bar_seconds = bar_seconds
        self.market = LiveMarket()
        self._products: dict[str, ProductSpec] = {}
        self._fees: FeeRates | None = None
        self._followed: tuple[str, ...] = ()
        self._on_market: MarketListener | None = None
        self._on_frame: FrameListener | None = None
        self._bars: LiveBars | None = None
        self._socket: CoinbaseSocket | None = None
        self._tasks = Tasks("coinbase")
        self.up = False
        """All channels are heard."""

    @property
    def products(self) -> Mapping[str, ProductSpec]:
        """Every perpetual, as last refreshed."""
        return self._products

    async def connect(self, fees: FeeRates) -> None:
        """Read the catalogue. Raises ExchangeError."""
        self._fees = fees
        self._catalogue = Catalogue(await self._rest.listed_futures(), fees)
        self._products = dict(self._catalogue.products)

    async def start(
        self, symbols: Sequence[str], on_market: MarketListener, on_frame: FrameListener | None = None
    ) -> None:
        """Subscribe, tell the bars of the past, and return once every symbol has a mark.

        `on_frame` hears every frame after the market did. Raises ConfigError for a symbol that is not listed, and
        ExchangeError.
        """
        specs = [self._catalogue.resolve(symbol) for symbol in symbols]
        self._followed = tuple(symbols)
        self._on_market, self._on_frame = on_market, on_frame
        self.market.follow(specs)
        self._bars = LiveBars(
            clock=self._clock,
            bar_seconds=self._bar_seconds,
            history=CoinbaseHistory(self._rest, self._clock),
            tell=on_market,
        )
        product_ids = tuple(spec.venue_symbol for spec in specs)
        self._socket = socket = CoinbaseSocket(
            self._endpoints.ws,
            [Subscription(channel=channel, product_ids=product_ids) for channel in CHANNELS],
            key=self._key,
            clock=self._clock,
            on_frame=self._hear,
            on_state=self._state,
            draw=self._draw,
            ca_file=self._endpoints.ca_file,
            carrier=self._carrier,
        )
        await self._bars.follow(specs)
        self._spawn("market", socket.run())
        await self._refresh()
        await self._until_marked()
        self._spawn("bars", self._bars.run())
        self._spawn("products", self._keep_refreshing())

    async def close(self) -> None:
        self._on_market = self._on_frame = None
        await self._tasks.close()

    def resolve(self, symbol: str) -> ProductSpec:
        """Raises ConfigError for a symbol that is not listed, or means more than one product."""
        return self._catalogue.resolve(symbol)

    def product_of(self, product_id: str) -> ProductSpec | None:
        """None for what is no perpetual of the catalogue."""
        spec = self._catalogue.of_id(product_id)
        return None if spec is None else self._products.get(spec.symbol, spec)

    def tell(self, item: ProductChanged | StreamChanged) -> None:
        if self._on_market is not None:
            self._on_market(item)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.spawn(
            name,
            work,
            lambda reason: self.tell(StreamChanged(name=name, up=False, reason=reason, final=True)),
        )

    # what is heard

    def _hear(self, frame: Frame, received_ns: int) -> None:
        self.market.hear(frame, received_ns)
        for event in frame.events:
            if isinstance(event, TradesEvent) and self._bars is not None:
                self._bars.hear(event)
        if self._on_frame is not None:
            self._on_frame(frame, received_ns)

    def _state(self, up: bool, reason: str) -> None:
        assert self._bars is not None
        self.up = up
        if up:
            self._bars.up()
        else:
            self.market.lost()
            self._bars.lost()
        self.tell(StreamChanged(name="market", up=up, reason=reason))

    async def _until_marked(self) -> None:
        deadline_ns = self._clock.now_ns() + round(START_WAIT_SECONDS * NS)
        while missing := [symbol for symbol in self._followed if not self.up or self.market.mark(symbol) is None]:
            if self._clock.now_ns() >= deadline_ns:
                raise VenueUnavailableError(f"coinbase: no price of {missing[0]} in {START_WAIT_SECONDS:g} s")
            await self._clock.sleep(0.02)

    # what is asked

    async def _keep_refreshing(self) -> None:
        while True:
            await self._clock.sleep(REFRESH_SECONDS)
            try:
                await self._refresh()
            except ExchangeError:
                continue  # index and status keep their age; the next one follows soon

    async def _refresh(self) -> None:
        """Index, funding, status and terms of what is followed. Raises ExchangeError."""
        assert self._fees is not None
        ids = [self._products[symbol].venue_symbol for symbol in self._followed]
        listed = await self._rest.listed(ids)
        self.market.refresh(listed, self._clock.now_ns())
        for spec in Catalogue(listed, self._fees).products.values():
            known = self._products.get(spec.symbol)
            if known is not None and known.venue_symbol == spec.venue_symbol and known != spec:
                self._products[spec.symbol] = spec
                self.tell(ProductChanged(symbol=spec.symbol, status=spec.status, reason=_changes(known, spec)))


def _changes(known: ProductSpec, now: ProductSpec) -> str:
    """Which terms are others now; empty where none is."""
    before, after = msgspec.structs.asdict(known), msgspec.structs.asdict(now)
    changed = [name for name in TERMS if before[name] != after[name]]
    return f"the venue changed {', '.join(changed)}" if changed else ""
