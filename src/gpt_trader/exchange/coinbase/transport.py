"""How does a request reach Coinbase, and what does its failure prove? The official SDK's client, in threads.

The SDK signs and sends; deadlines, limits and the meaning of failures are ours. Nothing is sent again here. A request
that changes something and whose answer is missing, late or unreadable raises OutcomeUnknownError: only what surely
never left raises VenueUnavailableError.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

import requests
from urllib3.exceptions import HTTPError as PoolError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from gpt_trader.core.clock import until
from gpt_trader.core.errors import (
    ExchangeError,
    InvalidOrderError,
    OrderNotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    VenueUnavailableError,
)
from gpt_trader.exchange.budget import CHANGE_WAIT_SECONDS_MAX, RequestBudget
from gpt_trader.exchange.coinbase.carrier import Asked, Carrier, Internet, SignsAhead
from gpt_trader.exchange.coinbase.credentials import ApiKey
from gpt_trader.exchange.coinbase.decoding import WireError, read
from gpt_trader.exchange.coinbase.replies import ErrorReply

__all__ = ["HOST", "Transport"]

T = TypeVar("T")
HOST: Final = "api.coinbase.com"
ORDER_THREADS: Final = 4
READ_THREADS: Final = 2
RETRY_AFTER_SECONDS: Final = 1.0
"""Where a 429 does not say how long."""
RETRY_AFTER_SECONDS_MAX: Final = 60.0
TEXT_MAX: Final = 200
FAILURES: Final = (requests.RequestException, PoolError, OSError, ValueError)
"""What the SDK lets through."""


class Transport:
    """Connections of one key. Requests that change something have threads that reading cannot occupy."""

    def __init__(
        self,
        key: ApiKey | None,
        budget: RequestBudget,
        *,
        host: str = HOST,
        ca_file: str | None = None,
        deadline_seconds: float = 5.0,
        carrier: Carrier | None = None,
    ) -> None:
        """`host` with its port and without a scheme; `ca_file` replaces the public authorities. A `carrier` goes its
        own way instead.

        Without a key only public paths can be read.
        """
        self._budget = budget
        self.asking = 0
        """Requests on their way."""
        self._deadline_seconds = deadline_seconds
        carrier = carrier or Internet(key, host=host, ca_file=ca_file, deadline_seconds=deadline_seconds)
        self._orders = carrier.lane("coinbase-orders", ORDER_THREADS)
        self._reads = carrier.lane("coinbase-reads", READ_THREADS)

    def get_ready(self, path: str, body: Mapping[str, Any]) -> None:
        """Sign a POST that will soon be made; nothing leaves."""
        if isinstance(self._orders, SignsAhead):
            self._orders.get_ready(path, body)

    async def get(self, path: str, shape: type[T], query: Mapping[str, object] | None = None) -> T:
        """Read. Raises OrderNotFoundError (404), RateLimitError, VenueUnavailableError."""
        await self._budget.take()
        asked = self._reads.ask("GET", path, query or {}, None)
        try:
            return read(await self._answer(asked, path), shape)
        except FAILURES as error:
            raise self._failure(error, path, changing=False) from error
        except WireError as error:
            raise VenueUnavailableError(f"{path}: {error}") from error

    async def post(self, path: str, body: Mapping[str, Any], shape: type[T], *, urgent: bool = False) -> T:
        """Change something. Raises InvalidOrderError, RateLimitError, VenueUnavailableError, OutcomeUnknownError."""
        await self._budget.take(urgent=urgent, wait_seconds_max=CHANGE_WAIT_SECONDS_MAX)
        asked = self._orders.ask("POST", path, None, body)
        try:
            return read(await self._answer(asked, path), shape)
        except FAILURES as error:
            raise self._failure(error, path, changing=True) from error
        except WireError as error:
            raise OutcomeUnknownError(f"{path}: {error}") from error

    async def ask(self, path: str, body: Mapping[str, Any], shape: type[T]) -> T:
        """A POST that changes nothing. Raises InvalidOrderError, RateLimitError, VenueUnavailableError."""
        try:
            return await self.post(path, body, shape)
        except OutcomeUnknownError as error:
            raise VenueUnavailableError(str(error)) from error

    def close(self) -> None:
        """What is on its way is not waited for."""
        self._orders.close()
        self._reads.close()

    async def _answer(self, asked: Asked, path: str) -> dict[str, object]:
        waiting = asked.answer
        waiting.add_done_callback(_heard)
        self.asking += 1
        try:
            answered = await until(waiting, self._deadline_seconds)
        finally:
            self.asking -= 1
        if answered:
            return waiting.result()
        if asked.take_back():  # it never got a thread
            raise VenueUnavailableError(f"{path}: not sent in {self._deadline_seconds:g} s, too many requests wait")
        raise requests.Timeout(f"no answer in {self._deadline_seconds:g} s")

    def _failure(self, error: Exception, path: str, *, changing: bool) -> ExchangeError:
        if isinstance(error, requests.HTTPError) and error.response is not None:
            return self._refusal(error.response, path, changing=changing)
        text = f"{path}: {type(error).__name__}: {str(error)[:TEXT_MAX]}"
        if changing and not _never_left(error):
            return OutcomeUnknownError(text)
        return VenueUnavailableError(text)

    def _refusal(self, response: requests.Response, path: str, *, changing: bool) -> ExchangeError:
        """What a status other than 2xx means."""
        status = response.status_code
        reason, told = _told(response)
        text = f"{path}: HTTP {status} {told}".rstrip()
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = _retry_after(response)
            self._budget.shut(seconds)
            return RateLimitError(text, seconds)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return VenueUnavailableError(f"{text}; the key was not accepted")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return OutcomeUnknownError(text) if changing else VenueUnavailableError(text)
        if status == HTTPStatus.NOT_FOUND and not changing:
            return OrderNotFoundError(text)
        return InvalidOrderError(text, reason)


def _heard(late: asyncio.Future[dict[str, object]]) -> None:
    """Nobody may be left to hear it, after a deadline; its error is then not reported as forgotten."""
    if not late.cancelled():
        late.exception()


def _never_left(error: Exception) -> bool:
    """No connection was made: nobody listened, or it was not the venue that did."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause: object = error
    for _ in range(5):  # requests wraps the pool's error, which names a reason
        if isinstance(cause, NewConnectionError | ssl.SSLCertVerificationError):
            return True
        if isinstance(cause, MaxRetryError):
            cause = cause.reason
        elif isinstance(cause, Exception) and cause.args and isinstance(cause.args[0], Exception):
            cause = cause.args[0]
        else:
            return False
    return False


def _told(response: requests.Response) -> tuple[str, str]:
    """(the venue's reason, what it says) of an error body, which may be text or a page."""
    try:
        body = read(response.content, ErrorReply)
    except WireError:
        return f"http_{response.status_code}", ""
    refusal = body.error_response
    reason = (refusal and (refusal.new_order_failure_reason or refusal.error)) or body.error
    said = (refusal and refusal.message) or body.error_details or body.message or ""
    return reason or f"http_{response.status_code}", f"{reason or ''}: {said[:TEXT_MAX]}"


def _retry_after(response: requests.Response) -> float:
    written = response.headers.get("retry-after", "")
    try:
        seconds = float(written)
    except ValueError:
        return RETRY_AFTER_SECONDS
    return seconds if 0 <= seconds <= RETRY_AFTER_SECONDS_MAX else RETRY_AFTER_SECONDS_MAX
