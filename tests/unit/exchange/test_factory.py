"""Does a configuration get its exchange, once for each account, and are all of them closed?"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from gpt_trader.config.bot import BotConfig, CredentialsConfig, VenueConfig, VenueKind
from gpt_trader.core.clock import SystemClock, VirtualClock
from gpt_trader.core.errors import ConfigError
from gpt_trader.exchange.ccxt.adapter import CcxtAdapter
from gpt_trader.exchange.ccxt.binance import BinanceCCXTAdapter
from gpt_trader.exchange.factory import ExchangeFactory
from gpt_trader.market.synthetic import SyntheticMarket


def a_config(credentials: Mapping[str, str] | None = None, **venue: Any) -> BotConfig:
    chosen = {"kind": VenueKind.CCXT, "settle_currency": "USDT", **venue}
    keys: dict[str, Any] = {name: SecretStr(value) for name, value in (credentials or {}).items()}
    return BotConfig(venue=VenueConfig(**chosen), credentials=CredentialsConfig(**keys))


def factory() -> ExchangeFactory:
    return ExchangeFactory(SystemClock())


def test_the_same_account_is_the_same_adapter() -> None:
    """One connection and one budget of requests, whoever asks for it."""
    made = factory()

    assert made.adapter(a_config()) is made.adapter(a_config())


def test_f62_another_key_is_another_account() -> None:
    """And another exchange is another venue."""
    made = factory()
    other = {"ccxt_api_key": "k", "ccxt_api_secret": "s"}

    adapters = {
        id(made.adapter(config))
        for config in (a_config(), a_config(other), a_config(exchange="okx"), a_config(market_kind="spot"))
    }
    assert len(adapters) == 4


@pytest.mark.parametrize(
    ("exchange", "made_by"), [("", BinanceCCXTAdapter), ("binanceusdm", BinanceCCXTAdapter), ("okx", CcxtAdapter)]
)
def test_an_exchange_is_a_setting(exchange: str, made_by: type[CcxtAdapter]) -> None:
    """Binance has an adapter that knows it; any other gets the plain one, which states less."""
    adapter = factory().adapter(a_config(exchange=exchange))

    assert type(adapter) is made_by
    assert adapter.name == (exchange or "binanceusdm")
    assert adapter.capabilities.lookup_by_client_id is (made_by is BinanceCCXTAdapter)


@pytest.mark.parametrize(
    ("venue", "said"),
    [
        ({"exchange": "nowhere", "balance_total": "wallet"}, "knows no such exchange"),
        ({"exchange": "kraken"}, r"not known whether the total .* set venue.balance_total"),
        ({"kind": VenueKind.COINBASE}, "no Coinbase key"),
        ({"kind": VenueKind.SIMULATED}, "no live market"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(venue: dict[str, Any], said: str) -> None:
    """Before anything is connected."""
    with pytest.raises(ConfigError, match=said):
        factory().adapter(a_config(**venue))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core does without CCXT."""
    monkeypatch.setitem(sys.modules, "gpt_trader.exchange.ccxt.adapter", None)

    with pytest.raises(ConfigError, match=r"pip install 'gpt-trader\[ccxt\]'"):
        factory().adapter(a_config())


def test_simulated_runs_share_nothing() -> None:
    """Each has its own market, time and account."""
    stream = SyntheticMarket(("BTC-PERP",), seed=1, duration_seconds=3600)
    made = factory()

    first, second = (made.paper(BotConfig(), stream, VirtualClock(stream.start_ns)) for _ in range(2))
    assert first is not second


def test_all_are_closed_and_a_second_time_does_nothing() -> None:
    """Whatever is asked for afterwards is made anew."""

    async def go() -> None:
        made = factory()
        before = made.adapter(a_config())
        await made.close()
        await made.close()
        assert made.adapter(a_config()) is not before

    asyncio.run(go())


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """Neither CCXT nor the compiled kernel, nor the SDK."""
    code = "import sys; import gpt_trader.exchange.factory; print(sorted({'ccxt', 'numba', 'coinbase'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
