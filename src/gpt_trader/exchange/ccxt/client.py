"""How does a request reach an exchange through CCXT, and what does its failure prove?

One client, no retry of its own, addresses of the chosen market only: CCXT would also ask other hosts of the same
company, with the key. A request that changes something and whose answer is missing, late or unreadable raises
OutcomeUnknownError: only what surely never left, or was refused before it was looked at, raises anything else.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Mapping
from decimal import localcontext
from operator import methodcaller
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import ccxt
import ccxt.async_support

from gpt_trader.core.clock import Clock, until
from gpt_trader.core.errors import (
    ConfigError,
    ExchangeError,
    InsufficientBalanceError,
    InvalidOrderError,
    OrderNotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    VenueUnavailableError,
)
from gpt_trader.exchange.budget import CHANGE_WAIT_SECONDS_MAX, RequestBudget
from gpt_trader.exchange.ccxt.markets import MarketKind
from gpt_trader.exchange.ccxt.reading import ReplyError, read

__all__ = ["Client", "any_client", "known_exchange"]

T = TypeVar("T")
RETRY_AFTER_SECONDS: Final = 5.0
"""CCXT drops the header that says how long; exchanges that are asked on and on ban the address."""
CLOSE_MILLISECONDS: Final = 50
"""For TLS to say goodbye."""
TEXT_MAX: Final = 300
ANY_REQUESTS_PER_SECOND: Final = 8
ANY_RESERVE: Final = 3
LIMITED: Final = (ccxt.RateLimitExceeded, ccxt.DDoSProtection)
UNREAD: Final = (ccxt.AuthenticationError, ccxt.InvalidNonce)
"""Turned away at the door: key or clock."""
REFUSED: Final = (
    ccxt.InvalidOrder,
    ccxt.BadRequest,
    ccxt.ArgumentsRequired,
    ccxt.NotSupported,
    ccxt.OperationRejected,
)
DOUBTFUL: Final = (ccxt.DuplicateOrderId, ccxt.ChecksumError, ccxt.OrderNotFound)
"""Among the above, but an order may be there."""
BROKEN: Final = (aiohttp.ClientError, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What CCXT lets through, also when it cannot read an answer to something that was done."""
FAILURES: Final = (ccxt.BaseError, *BROKEN)


def known_exchange(name: str) -> bool:
    return name in ccxt.exchanges


class Client:
    """One exchange with one key, or none."""

    def __init__(
        self,
        name: str,
        budget: RequestBudget,
        *,
        credentials: Mapping[str, str],
        options: Mapping[str, object],
        places: tuple[str, ...] = (),
        duplicates: tuple[str, ...] = (),
        poor: tuple[str, ...] = (),
        url: str = "",
        deadline_seconds: float = 5.0,
    ) -> None:
        """`places` are beginnings of addresses, host and path, that may be asked; none leaves it to CCXT. `url` takes
        the place of every host. `duplicates` are words of a refusal that says an order of this id is there, `poor` of
        one for lack of money, where CCXT does not tell.

        Raises ConfigError for an exchange that CCXT does not know.
        """
        if not known_exchange(name):
            raise ConfigError(f"venue.exchange = {name!r}: CCXT {ccxt.__version__} knows no such exchange")
        self.name = name
        self._budget = budget
        self._deadline_seconds = deadline_seconds
        self._left = 0
        made = vars(ccxt.async_support)[name](
            {
                **credentials,
                "enableRateLimit": False,  # our budget keeps a reserve for exits; a queue of CCXT would not
                "timeout": round(deadline_seconds * 1000),
                "options": {"maxRetriesOnFailure": 0, "fetchCurrencies": False, **options},
            }
        )
        made.number = str
        made.aiohttp_trust_env = False
        made.timeout_on_exit = CLOSE_MILLISECONDS
        made.has["fetchCurrencies"] = False  # with a key it would ask the wallet of another host
        if url:
            made.urls["api"] = _moved(made.urls["api"], url.rstrip("/"))
            places = (urlsplit(url).netloc,)
        self._fetch = made.fetch
        self._places = places
        self._duplicates = duplicates
        self._poor = poor
        made.fetch = self._guarded
        self._ccxt = made

    def can(self, call: str) -> bool:
        """Whether CCXT has it for this exchange, by its camel-case name; emulated counts."""
        return bool(self._ccxt.has.get(call))

    def has_key(self) -> bool:
        return bool(self._ccxt.apiKey)

    def account_name(self) -> str:
        """Tells accounts apart without naming the key: a digest of it."""
        key = str(self._ccxt.apiKey or "")
        return hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""

    async def ask(self, call: str, shape: type[T], *arguments: object, urgent: bool = False) -> T:
        """Read. Raises OrderNotFoundError, RateLimitError, VenueUnavailableError."""
        try:
            await self._budget.take(urgent=urgent)
            return read(await self._call(call, arguments), shape)
        except ccxt.OrderNotFound as error:
            raise OrderNotFoundError(self._text(call, error)) from error
        except FAILURES as error:
            raise self._limited(error, call) or VenueUnavailableError(self._text(call, error)) from error
        except ReplyError as error:
            raise VenueUnavailableError(f"{self.name} {call}: {error}") from error

    async def change(self, call: str, shape: type[T], *arguments: object, urgent: bool = False) -> T:
        """Change something. Raises InvalidOrderError, InsufficientBalanceError, OrderNotFoundError, RateLimitError,
        VenueUnavailableError, OutcomeUnknownError."""
        left = self._left
        try:
            await self._budget.take(urgent=urgent, wait_seconds_max=CHANGE_WAIT_SECONDS_MAX)
            return read(await self._call(call, arguments), shape)
        except FAILURES as error:
            raise self._meaning(error, call, left=self._left != left) from error
        except ReplyError as error:
            raise OutcomeUnknownError(f"{self.name} {call}: {error}") from error

    async def close(self) -> None:
        await self._ccxt.close()

    async def _call(self, call: str, arguments: tuple[object, ...]) -> object:
        task: asyncio.Future[object] = asyncio.ensure_future(self._apart(call, arguments))
        if await until(task, self._deadline_seconds):
            return task.result()
        task.cancel()
        raise ccxt.RequestTimeout(f"no answer in {self._deadline_seconds:g} s")

    async def _apart(self, call: str, arguments: tuple[object, ...]) -> object:
        """In a decimal context of its own: CCXT changes the rounding of the one it runs in; money counts by ours."""
        with localcontext():
            result: object = await methodcaller(call, *arguments)(self._ccxt)
            return result

    async def _guarded(self, url: str, *arguments: Any, **named: Any) -> Any:
        """Every request of CCXT passes here, so none goes elsewhere, and one that left is known to have left."""
        parts = urlsplit(url)
        if self._places and not f"{parts.netloc}{parts.path}".startswith(self._places):
            raise ccxt.BadRequest(f"{self.name}: a request to {parts.netloc}{parts.path} was not sent")
        self._left += 1
        answer = await self._fetch(url, *arguments, **named)
        if not isinstance(answer, dict | list):  # text: CCXT would make an order of nothing out of it, or an empty list
            raise ccxt.BadResponse(f"{self.name}: the answer is no JSON")
        return answer

    def _limited(self, error: Exception, call: str) -> ExchangeError | None:
        if not isinstance(error, LIMITED):
            return None
        self._budget.shut(RETRY_AFTER_SECONDS)
        return RateLimitError(self._text(call, error), RETRY_AFTER_SECONDS)

    def _meaning(self, error: Exception, call: str, *, left: bool) -> ExchangeError:
        text = self._text(call, error)
        limited = self._limited(error, call)
        if limited is not None:
            return limited
        if isinstance(error, ccxt.OrderNotFound):
            return OrderNotFoundError(text)
        if isinstance(error, DOUBTFUL) or any(word in text for word in self._duplicates):
            return OutcomeUnknownError(text)
        if isinstance(error, ccxt.InsufficientFunds) or any(word in text for word in self._poor):
            return InsufficientBalanceError(text)
        if isinstance(error, REFUSED):
            return InvalidOrderError(text, type(error).__name__)
        if isinstance(error, UNREAD) or not left or _never_left(error):
            return VenueUnavailableError(text)
        return OutcomeUnknownError(text)

    def _text(self, call: str, error: Exception) -> str:
        """Without the address, which carries the signature."""
        said = " ".join(word for word in str(error).split() if "://" not in word)
        return f"{self.name} {call}: {type(error).__name__}: {said[:TEXT_MAX]}"


def _never_left(error: Exception) -> bool:
    """No connection was made: nobody listened, or it was not the exchange that did."""
    cause = error.__cause__
    return isinstance(cause, aiohttp.ClientConnectorError | ssl.SSLCertVerificationError)


def _moved(urls: object, url: str) -> object:
    """Every address at any depth, with the path it had."""
    if isinstance(urls, Mapping):
        return {name: _moved(value, url) for name, value in urls.items()}
    return url + urlsplit(urls).path if isinstance(urls, str) and "://" in urls else urls


def any_client(name: str, kind: MarketKind, clock: Clock, keys: Mapping[str, str], *, url: str = "") -> Client:
    """An exchange of which nothing special is known: its default market, few requests."""
    options = {"defaultType": "swap" if kind is MarketKind.FUTURES else "spot"}
    budget = RequestBudget(clock, per_second=ANY_REQUESTS_PER_SECOND, reserve=ANY_RESERVE)
    return Client(name, budget, credentials=keys, options=options, url=url)
