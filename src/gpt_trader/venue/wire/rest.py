"""How does a request become an answer? Token, permission, rate limit, fault, endpoint, body: in this order."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import web

from gpt_trader.core.clock import NS, Clock
from gpt_trader.venue.wire.calls import ApiError, Call, Endpoint
from gpt_trader.venue.wire.faults import Fault, FaultKind, Faults
from gpt_trader.venue.wire.formats import Json, encoded
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.limits import RateLimits, Verdict
from gpt_trader.venue.wire.tokens import Tokens, Unauthorized

__all__ = ["PREFIX", "Answered", "Asked", "RestFace"]

PREFIX: Final = "/api/v3/brokerage"
BODY_BYTES_MAX: Final = 1_000_000
TOO_MANY: Final[Json] = {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}
HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
ENUMS: Final = frozenset({"status", "failure_reason", "order_type", "time_in_force", "liquidity_indicator", "side"})
REJECTED_MAX: Final = 100
UNKNOWN_ENUM: Final = "SOMETHING_NEW"
PATH: Final = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Asked:
    """One request as it came; `path` is whole, with the prefix."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes = b""
    authorization: str | None = None
    host: str = ""
    address: str = ""


@dataclass(frozen=True)
class Answered:
    """What goes back; `cut` breaks the connection before a byte of it has left."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: bool = False


CUT: Final = Answered(500, b"", cut=True)
UNAUTHORIZED: Final = Answered(401, b"Unauthorized", content_type="text/plain")
Later = Callable[[float, Callable[[], Coroutine[Any, Any, object]]], None]
"""Does some work so many seconds later, whatever becomes of who asked for it."""


class RestFace:
    """Answers requests from a table of endpoints, wherever they come from; `add_to` lets them come over HTTP."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        tokens: Tokens,
        limits: RateLimits,
        faults: Faults,
        clock: Clock,
        catch_up: Callable[[], None],
        fail_next: Callable[[int], None],
        later: Later | None = None,
    ) -> None:
        """Without `later`, late requests are tasks of the running loop, which `cancel_zombies` ends."""
        self.endpoints = endpoints
        self._routes = _Routes(endpoints)
        self._tokens = tokens
        self._limits = limits
        self._faults = faults
        self._clock = clock
        self._catch_up = catch_up
        self._fail_next = fail_next
        self._later = later or self._in_a_task
        self._zombies: set[asyncio.Task[None]] = set()
        self.rejected_tokens: deque[str] = deque(maxlen=REJECTED_MAX)
        """Why tokens were refused, for the venue's owner."""

    # --- over HTTP ------------------------------------------------------------------------------------------------
    def add_to(self, app: web.Application) -> None:
        app.router.add_route("*", PREFIX + "/{rest:.*}", self._over_http)

    async def _over_http(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()  # also of a GET: clients send {} with it
        answered = await self.answer(
            Asked(
                method=request.method,
                path=request.path,
                query=_query(request),
                body=body,
                authorization=request.headers.get("Authorization"),
                host=request.headers.get("Host", ""),
                address=str(request.remote),
            )
        )
        if answered.cut and request.transport is not None:
            request.transport.abort()
        return web.Response(
            status=answered.status,
            body=answered.body,
            headers=answered.headers,
            content_type=answered.content_type,
        )

    # --- one request ----------------------------------------------------------------------------------------------
    async def answer(self, asked: Asked) -> Answered:
        found = self._routes.find(asked.method, asked.path.removeprefix(PREFIX))
        if found is None:
            return _told(404, ApiError(404, "NOT_FOUND", f"no endpoint {asked.method} {asked.path}").body())
        endpoint, path = found
        try:
            owner = self._owner(endpoint, asked)
        except Unauthorized as error:
            self.rejected_tokens.append(str(error))
            return UNAUTHORIZED
        who = f"user:{owner.account}" if owner else f"address:{asked.address}"
        verdict = self._limits.ask(who, private=owner is not None)
        if not verdict.allowed:
            return _told(429, TOO_MANY, {**verdict.headers(), "retry-after": "1"})
        if owner is not None and not _may(owner, endpoint.scope):
            denied = ApiError(403, "PERMISSION_DENIED", "Missing required scopes")
            return _told(403, denied.body(), verdict.headers())
        account = owner.account if owner else None
        fault = self._faults.for_request(asked.method, asked.path.removeprefix(PREFIX), account)
        request = _Request(endpoint, asked, owner, path)
        if fault is None:
            status, body = await self._do(request)
            return _told(status, body, verdict.headers())
        return await self._answer_badly(fault, request, verdict)

    def _owner(self, endpoint: Endpoint, asked: Asked) -> ApiKey | None:
        if endpoint.scope == "public":
            return None
        return self._tokens.rest(asked.authorization, asked.method, asked.path, asked.host)

    async def _do(self, request: _Request, *, heard: bool = True, lag_ns: int = 0) -> tuple[int, Json]:
        asked = request.asked
        try:
            call = Call(request.owner, asked.query, _body(asked.body), request.path, heard=heard, lag_ns=lag_ns)
            self._catch_up()
            return 200, await request.endpoint.answer(call)
        except ApiError as error:
            return error.status, error.body()

    async def _answer_badly(self, fault: Fault, request: _Request, verdict: Verdict) -> Answered:
        """One request, as the fault has it."""
        kind, headers = fault.fault, verdict.headers()
        if kind is FaultKind.UNAUTHORIZED:
            return UNAUTHORIZED
        if kind is FaultKind.RATE_LIMITED:
            return _told(429, TOO_MANY, {**headers, "retry-after": f"{fault.seconds:g}"})
        if kind is FaultKind.LOST_REQUEST:
            return CUT
        if kind in {FaultKind.SERVER_ERROR, FaultKind.HTML_BODY}:
            if fault.processed:
                await self._do(request)
            if kind is FaultKind.HTML_BODY:
                return Answered(fault.status, HTML, content_type="text/html")
            return _told(fault.status, ApiError(fault.status, "INTERNAL", "internal server error").body(), headers)
        if kind is FaultKind.LATE_REQUEST:  # the client sees its connection break, and the request arrives all the same
            self._later(fault.seconds, lambda: self._do(request, heard=False))
            return CUT
        if kind is FaultKind.FAILED_LATER and request.owner is not None:
            self._fail_next(request.owner.account)
        lag_ns = round(fault.seconds * NS) if kind is FaultKind.STALE_READ else 0
        status, answer = await self._do(request, lag_ns=lag_ns)
        if kind is FaultKind.LOST_REPLY:
            return CUT
        if kind is FaultKind.LATE_REPLY:
            await self._clock.sleep(fault.seconds)
        elif kind is FaultKind.UNKNOWN_ENUM:
            answer = with_unknown_enums(answer)
        elif kind is FaultKind.NULL_FIELD:
            answer = dict.fromkeys(answer)
        elif kind is FaultKind.TRUNCATED_JSON:
            whole = encoded(answer)
            return Answered(status, whole[: len(whole) // 2])
        return _told(status, answer, headers)

    def _in_a_task(self, seconds: float, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        async def later() -> None:
            await self._clock.sleep(seconds)
            await work()

        task = asyncio.get_running_loop().create_task(later())
        self._zombies.add(task)
        task.add_done_callback(self._zombies.discard)

    def cancel_zombies(self) -> None:
        for task in self._zombies:
            task.cancel()


@dataclass(frozen=True)
class _Request:
    """One request whose endpoint was found; `owner` is None on public ones."""

    endpoint: Endpoint
    asked: Asked
    owner: ApiKey | None
    path: Mapping[str, str]


class _Routes:
    """By method and path: those without a variable part first."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._exact = {(each.method, each.path): each for each in endpoints if "{" not in each.path}
        self._others = [
            (each.method, re.compile(PATH.sub(r"(?P<\1>[^/]+)", each.path)), each)
            for each in endpoints
            if "{" in each.path
        ]

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]] | None:
        """The endpoint, and the variable parts of its path."""
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, {}
        for wanted, pattern, endpoint in self._others:
            match = pattern.fullmatch(path) if wanted == method else None
            if match is not None:
                return endpoint, match.groupdict()
        return None


def _may(key: ApiKey, scope: str) -> bool:
    return {"view": key.can_view, "trade": key.can_trade, "transfer": key.can_transfer}.get(scope, True)


def _query(request: web.Request) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, value in request.query.items():
        found[name].append(value)
    return found


def _body(raw: bytes) -> Mapping[str, object]:
    if not raw.strip():
        return {}
    try:
        body: object = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise ApiError(400, "INVALID_ARGUMENT", f"body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "INVALID_ARGUMENT", "body must be a JSON object")
    return body


def _told(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Answered:
    return Answered(status, encoded(body), headers or {})


def with_unknown_enums(value: Json) -> Json:
    """The same body with values in its enums that no client has heard of."""
    return {
        name: UNKNOWN_ENUM if name in ENUMS and isinstance(part, str) else _deeper(part) for name, part in value.items()
    }


def _deeper(value: object) -> object:
    if isinstance(value, dict):
        return with_unknown_enums(value)
    return [_deeper(part) for part in value] if isinstance(value, list) else value
