"""Which exchange is it? Adapters by configuration, one for each account, closed together.

What a venue needs (an SDK, CCXT, the compiled kernel) is imported when a configuration asks for that venue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Final

from gpt_trader.config.bot import BotConfig, CredentialsConfig, VenueConfig, VenueKind
from gpt_trader.core.clock import Clock, VirtualClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.exchange.base import ExchangeAdapter

if TYPE_CHECKING:
    from gpt_trader.exchange.paper import PaperExchange
    from gpt_trader.market.stream import MarketStream

__all__ = ["BAR_SECONDS", "ExchangeFactory"]

BINANCE: Final = frozenset({"", "binance", "binanceusdm"})
BALANCE_TOTALS: Final = {"okx": "equity", "bitget": "equity", "bybit": "wallet", "gate": "wallet"}
"""As CCXT 4.5.90 reads their answers."""
BAR_SECONDS: Final = 60


class ExchangeFactory:
    """Two that ask for the same account get the same adapter: one connection, one budget of requests, one truth."""

    def __init__(self, clock: Clock, draw: Callable[[], float] = lambda: 0.5) -> None:
        """`draw` gives 0..1 for the jitter of waits."""
        self._clock = clock
        self._draw = draw
        self._adapters: dict[Hashable, ExchangeAdapter] = {}

    def adapter(self, config: BotConfig) -> ExchangeAdapter:
        """The adapter to the live market of this configuration; made when first asked for, connected by its user.

        Raises ConfigError naming the setting for what is not built, not installed or has no key.
        """
        key = _account_of(config)
        if key not in self._adapters:
            self._adapters[key] = self._made(config)
        return self._adapters[key]

    def paper(self, config: BotConfig, stream: MarketStream, clock: VirtualClock) -> PaperExchange:
        """The simulated venue that the configuration asks for, over this market and on its time: a new one each time,
        since two runs share nothing."""
        from gpt_trader.exchange.paper import PaperExchange, venue_settings

        made = PaperExchange(
            stream,
            clock=clock,
            cash=config.venue.starting_cash,
            settings=venue_settings(config.venue, config.run.seed),
        )
        self._adapters["paper", len(self._adapters)] = made
        return made

    async def close(self) -> None:
        """Close every adapter, each whatever became of the others; a second call does nothing.

        Raises the first error when all have been closed.
        """
        adapters, self._adapters = self._adapters, {}
        ends = await asyncio.gather(*(adapter.close() for adapter in adapters.values()), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    def _made(self, config: BotConfig) -> ExchangeAdapter:
        kind = config.venue.kind
        if kind is VenueKind.CCXT:
            return _ccxt(config, self._clock)
        if kind is VenueKind.COINBASE:
            from gpt_trader.exchange.coinbase.adapter import coinbase_exchange

            return coinbase_exchange(config, self._clock, self._draw)
        if kind is VenueKind.PAPER:
            return self._live_paper(config)
        raise ConfigError(f"venue.kind = {kind.value!r} (profile {config.profile}): no live market")

    def _live_paper(self, config: BotConfig) -> ExchangeAdapter:
        from gpt_trader.exchange.coinbase.public import CoinbasePublic
        from gpt_trader.exchange.paper_live import LivePaperExchange

        if config.venue.exchange not in ("", "coinbase"):
            raise ConfigError(
                f"venue.exchange = {config.venue.exchange!r} (profile {config.profile}): paper trading follows the "
                "live market of coinbase only. Fix: set it to coinbase"
            )
        return LivePaperExchange(config, CoinbasePublic(config, self._clock, self._draw), self._clock)


def _account_of(config: BotConfig) -> Hashable:
    """What makes an account: where, and with which key."""
    venue, credentials = config.venue, config.credentials
    places = (venue.exchange, venue.market_kind, venue.url, venue.served, credentials.coinbase_api_key_file)
    return (venue.kind, *places, config.symbols, credentials.secret_texts())


def _ccxt(config: BotConfig, clock: Clock) -> ExchangeAdapter:
    try:
        from gpt_trader.exchange.ccxt.adapter import CcxtAdapter
        from gpt_trader.exchange.ccxt.binance import BinanceCCXTAdapter, binance_client
        from gpt_trader.exchange.ccxt.client import any_client
        from gpt_trader.exchange.ccxt.markets import MarketKind
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"venue.kind = 'ccxt' needs {error.name}, which is not part of the core. Fix: pip install "
            "'gpt-trader[ccxt]'"
        ) from error
    venue, kind = config.venue, MarketKind(config.venue.market_kind)
    keys, binance = _keys(config.credentials), venue.exchange in BINANCE
    connect = binance_client if binance else partial(any_client, venue.exchange)
    made: type[CcxtAdapter] = BinanceCCXTAdapter if binance else CcxtAdapter
    return made(
        connect(kind, clock, keys, url=venue.url),
        clock,
        kind=kind,
        settle=venue.settle_currency,
        symbols=config.symbols,
        bar_seconds=config.run.bar_seconds or BAR_SECONDS,
        poll_seconds=venue.poll_seconds,
        total_is_equity=_total_is_equity(venue),
    )


def _total_is_equity(venue: VenueConfig) -> bool:
    """What is wrong here is wrong by the profit of all open positions, so it is not guessed."""
    if venue.exchange in BINANCE or venue.market_kind == "spot":
        return True
    meaning = venue.balance_total or BALANCE_TOTALS.get(venue.exchange)
    if meaning is None:
        raise ConfigError(
            f"venue.exchange = {venue.exchange!r}: not known whether the total of its balance holds the profit of open "
            "positions. Fix: set venue.balance_total to equity where it does, else to wallet"
        )
    return meaning == "equity"


def _keys(credentials: CredentialsConfig) -> dict[str, str]:
    """As CCXT calls them; none where no key is set."""
    given = {
        "apiKey": credentials.ccxt_api_key,
        "secret": credentials.ccxt_api_secret,
        "password": credentials.ccxt_api_password,
    }
    return {name: value.get_secret_value() for name, value in given.items() if value is not None}
