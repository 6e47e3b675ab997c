"""What is special about Binance? Its words for a duplicate, its totals of an account, its keys and its fees in BNB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from gpt_trader.core.clock import Clock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Account
from gpt_trader.exchange.base import Capabilities
from gpt_trader.exchange.budget import RequestBudget
from gpt_trader.exchange.ccxt.adapter import CcxtAdapter
from gpt_trader.exchange.ccxt.bodies import CAPABILITIES
from gpt_trader.exchange.ccxt.client import Client
from gpt_trader.exchange.ccxt.markets import MarketKind
from gpt_trader.exchange.ccxt.reading import needed

__all__ = ["NAMES", "PLACES", "BinanceCCXTAdapter", "binance_client"]

NAMES: Final = {MarketKind.FUTURES: "binanceusdm", MarketKind.SPOT: "binance"}
"""CCXT's class for each kind of market."""
TYPES: Final = {MarketKind.FUTURES: ["linear"], MarketKind.SPOT: ["spot"]}
"""What is listed; all else would be asked of other hosts."""
PLACES: Final = {
    MarketKind.FUTURES: ("fapi.binance.com/", "api.binance.com/sapi/v1/account/apiRestrictions"),
    MarketKind.SPOT: (
        "api.binance.com/api/",
        "api.binance.com/sapi/v1/account/apiRestrictions",
        "api.binance.com/sapi/v1/asset/tradeFee",
        "api.binance.com/sapi/v1/bnbBurn",
    ),
}
"""Beginnings of addresses that are asked, and no others."""
DUPLICATES: Final = ("-4116", "Duplicate order sent")
POOR: Final = ("-2018", "-2019", "insufficient balance")
REQUESTS_PER_SECOND: Final = 20
RESERVE: Final = 8
"""Of the requests of a second, for cancels and exits."""


class _Restrictions(msgspec.Struct, frozen=True):
    """Of the key, as the exchange says them."""

    enableReading: bool  # noqa: N815 - Binance's name
    enableFutures: bool = False  # noqa: N815 - Binance's name
    enableSpotAndMarginTrading: bool = False  # noqa: N815 - Binance's name
    enableWithdrawals: bool = False  # noqa: N815 - Binance's name
    enableInternalTransfer: bool = False  # noqa: N815 - Binance's name
    permitsUniversalTransfer: bool = False  # noqa: N815 - Binance's name


class _FeeBurn(msgspec.Struct, frozen=True):
    feeBurn: bool = False  # noqa: N815 - Binance's name
    spotBNBBurn: bool = False  # noqa: N815 - Binance's name


class _Totals(msgspec.Struct, frozen=True):
    totalWalletBalance: str  # noqa: N815 - Binance's name
    totalMarginBalance: str  # noqa: N815 - Binance's name
    totalInitialMargin: str  # noqa: N815 - Binance's name
    totalMaintMargin: str  # noqa: N815 - Binance's name
    availableBalance: str  # noqa: N815 - Binance's name


class _Answer(msgspec.Struct, frozen=True):
    info: _Totals


class BinanceCCXTAdapter(CcxtAdapter):
    """USD-M perpetuals (`binanceusdm`) or spot (`binance`), in one-way mode."""

    CAPABILITIES: ClassVar[Mapping[MarketKind, Capabilities]] = CAPABILITIES

    async def _check_account(self) -> None:
        await super()._check_account()
        rights = await self._client.ask("sapiGetAccountApiRestrictions", _Restrictions)
        if rights.enableWithdrawals or rights.enableInternalTransfer or rights.permitsUniversalTransfer:
            raise ConfigError(
                f"venue {self.name}: the key may move money out of the account. Fix: make one that may only read and "
                "trade"
            )
        spot = self._kind is MarketKind.SPOT
        burn = await self._client.ask("sapiGetBnbBurn" if spot else "fapiPrivateGetFeeBurn", _FeeBurn)
        if burn.feeBurn or burn.spotBNBBurn:
            raise ConfigError(
                f"venue {self.name}: fees are paid in BNB, which cannot be booked in {self._settle}. Fix: switch that "
                "off there"
            )

    async def _read_account(self) -> Account:
        if self._kind is MarketKind.SPOT:
            return await super()._read_account()
        totals = (await self._client.ask("fetch_balance", _Answer)).info
        return Account(
            cash=needed(totals.totalWalletBalance, "totalWalletBalance"),
            equity=needed(totals.totalMarginBalance, "totalMarginBalance"),
            initial_margin=needed(totals.totalInitialMargin, "totalInitialMargin"),
            maintenance_margin=needed(totals.totalMaintMargin, "totalMaintMargin"),
            available_margin=needed(totals.availableBalance, "availableBalance"),
            received_ns=self._clock.now_ns(),
        )


def binance_client(kind: MarketKind, clock: Clock, keys: Mapping[str, str], *, url: str = "") -> Client:
    """Without a key only what is public can be read."""
    return Client(
        NAMES[kind],
        RequestBudget(clock, per_second=REQUESTS_PER_SECOND, reserve=RESERVE),
        credentials=keys,
        options={"adjustForTimeDifference": True, "fetchMargins": False, "fetchMarkets": {"types": TYPES[kind]}},
        places=PLACES[kind],
        duplicates=DUPLICATES,
        poor=POOR,
        url=url,
    )
