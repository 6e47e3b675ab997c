"""How does a request become an answer? Token, permission, rate limit, fault, endpoint, body: in this order."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
from aiohttp import web

from gpt_trader.core.clock import Clock
from gpt_trader.venue.wire.calls import ApiError, Call, Endpoint
from gpt_trader.venue.wire.faults import Fault, FaultKind, FaultPlan
from gpt_trader.venue.wire.formats import Json, encoded
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.limits import RateLimits, Verdict
from gpt_trader.venue.wire.tokens import TokenVerifier, Unauthorized

__all__ = ["PREFIX", "RestFace"]

PREFIX: Final = "/api/v3/brokerage"
BODY_BYTES_MAX: Final = 1_000_000
TOO_MANY: Final[Json] = {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}
HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
ENUMS: Final = frozenset({"status", "failure_reason", "order_type", "time_in_force", "liquidity_indicator", "side"})
REJECTED_MAX: Final = 100
UNKNOWN_ENUM: Final = "SOMETHING_NEW"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestFace:
    """Builds an aiohttp application from a table of endpoints."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        tokens: TokenVerifier,
        limits: RateLimits,
        faults: FaultPlan,
        clock: Clock,
        catch_up: Callable[[], None],
        fail_next: Callable[[int], None],
    ) -> None:
        self.endpoints = endpoints
        self._tokens = tokens
        self._limits = limits
        self._faults = faults
        self._clock = clock
        self._catch_up = catch_up
        self._fail_next = fail_next
        self._zombies: set[asyncio.Task[None]] = set()
        self.rejected_tokens: deque[str] = deque(maxlen=REJECTED_MAX)
        """Why tokens were refused, for the venue's owner."""

    def add_to(self, app: web.Application) -> None:
        for endpoint in self.endpoints:
            app.router.add_route(endpoint.method, PREFIX + endpoint.path, self._handler(endpoint))
        app.router.add_route("*", PREFIX + "/{rest:.*}", self._not_found)

    async def _not_found(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        return _reply(404, ApiError(404, "NOT_FOUND", f"no endpoint {request.method} {request.path}").body())

    def _handler(self, endpoint: Endpoint) -> Answer:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()  # also of a GET: clients send {} with it
            try:
                owner = self._owner(endpoint, request)
            except Unauthorized as error:
                self.rejected_tokens.append(str(error))
                return web.Response(status=401, text="Unauthorized")
            who = f"user:{owner.account}" if owner else f"address:{request.remote}"
            verdict = self._limits.ask(who, private=owner is not None)
            if not verdict.allowed:
                return _reply(429, TOO_MANY, {**verdict.headers(), "retry-after": "1"})
            if owner is not None and not _may(owner, endpoint.scope):
                denied = ApiError(403, "PERMISSION_DENIED", "Missing required scopes")
                return _reply(403, denied.body(), verdict.headers())
            fault = self._faults.for_request(
                request.method, request.path.removeprefix(PREFIX), owner.account if owner else None
            )
            if fault is None:
                return await self._answer(endpoint, request, owner, body, verdict)
            return await self._answer_badly(fault, endpoint, request, owner, body, verdict)

        return handle

    def _owner(self, endpoint: Endpoint, request: web.Request) -> ApiKey | None:
        if endpoint.scope == "public":
            return None
        return self._tokens.rest(
            request.headers.get("Authorization"), request.method, request.path, request.headers.get("Host", "")
        )

    async def _answer(
        self, endpoint: Endpoint, request: web.Request, owner: ApiKey | None, body: bytes, verdict: Verdict
    ) -> web.Response:
        status, answer = await self._do(endpoint, request, owner, body)
        return _reply(status, answer, verdict.headers())

    async def _do(
        self, endpoint: Endpoint, request: web.Request, owner: ApiKey | None, body: bytes
    ) -> tuple[int, Json]:
        try:
            call = Call(owner, _query(request), _body(body), dict(request.match_info))
            self._catch_up()
            return 200, await endpoint.answer(call)
        except ApiError as error:
            return error.status, error.body()

    async def _answer_badly(
        self,
        fault: Fault,
        endpoint: Endpoint,
        request: web.Request,
        owner: ApiKey | None,
        body: bytes,
        verdict: Verdict,
    ) -> web.StreamResponse:
        """One request, as the fault has it."""
        kind, headers = fault.fault, verdict.headers()
        if kind is FaultKind.UNAUTHORIZED:
            return web.Response(status=401, text="Unauthorized")
        if kind is FaultKind.RATE_LIMITED:
            return _reply(429, TOO_MANY, {**headers, "retry-after": f"{fault.seconds:g}"})
        if kind in {FaultKind.SERVER_ERROR, FaultKind.HTML_BODY}:
            if fault.processed:
                await self._do(endpoint, request, owner, body)
            if kind is FaultKind.HTML_BODY:
                return web.Response(status=fault.status, body=HTML, content_type="text/html")
            return _reply(fault.status, ApiError(fault.status, "INTERNAL", "internal server error").body(), headers)
        if kind is FaultKind.LATE_REQUEST:
            self._do_later(fault, endpoint, request, owner, body)
            return _cut(request)
        if kind is FaultKind.FAILED_LATER and owner is not None:
            self._fail_next(owner.account)
        status, answer = await self._do(endpoint, request, owner, body)
        if kind is FaultKind.LOST_REPLY:
            return _cut(request)
        if kind is FaultKind.LATE_REPLY:
            await self._clock.sleep(fault.seconds)
        elif kind is FaultKind.UNKNOWN_ENUM:
            answer = with_unknown_enums(answer)
        elif kind is FaultKind.NULL_FIELD:
            answer = dict.fromkeys(answer)
        elif kind is FaultKind.TRUNCATED_JSON:
            whole = encoded(answer)
            return web.Response(status=status, body=whole[: len(whole) // 2], content_type="application/json")
        return _reply(status, answer, headers)

    def _do_later(
        self, fault: Fault, endpoint: Endpoint, request: web.Request, owner: ApiKey | None, body: bytes
    ) -> None:
        """A zombie: the client sees its connection break, and the request arrives all the same."""

        async def later() -> None:
            await self._clock.sleep(fault.seconds)
            await self._do(endpoint, request, owner, body)

        task = asyncio.get_running_loop().create_task(later())
        self._zombies.add(task)
        task.add_done_callback(self._zombies.discard)

    def cancel_zombies(self) -> None:
        for task in self._zombies:
            task.cancel()


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


def _reply(status: int, body: Json, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=encoded(body), headers=headers, content_type="application/json")


def _cut(request: web.Request) -> web.Response:
    """The connection breaks before a byte of the reply has left."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def with_unknown_enums(value: Json) -> Json:
    """The same body with values in its enums that no client has heard of."""
    return {
        name: UNKNOWN_ENUM if name in ENUMS and isinstance(part, str) else _deeper(part) for name, part in value.items()
    }


def _deeper(value: object) -> object:
    if isinstance(value, dict):
        return with_unknown_enums(value)
    return [_deeper(part) for part in value] if isinstance(value, list) else value
