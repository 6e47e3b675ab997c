"""Who pulls the strings? The venue owner's own port: time, market, faults, switches, keys and sockets.

Every request carries the token that `venue serve` prints, as `Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final, Literal

import msgspec
from aiohttp import web

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import InvalidOrderError, MarketDataError
from gpt_trader.core.values import Side, TradingStatus
from gpt_trader.venue.wire.desk import OrderDesk
from gpt_trader.venue.wire.faults import VENUE, Fault, FaultPlan
from gpt_trader.venue.wire.formats import Json, encoded, stamp, text
from gpt_trader.venue.wire.interventions import Interventions
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.limits import RateLimits
from gpt_trader.venue.wire.money import MoneyBook
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.rest import RestFace
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.sockets import SocketFace

__all__ = ["AdminFace"]

ADVANCE_SECONDS_MAX: Final = 31 * 86_400


class _Time(msgspec.Struct, forbid_unknown_fields=True):
    advance_seconds: float | None = None
    until_ns: int | None = None
    speed: float | None = None
    stop: bool = False


class _Market(msgspec.Struct, forbid_unknown_fields=True):
    do: Literal[
        "trade", "jump", "mark", "funding", "status", "halt", "session_break", "session_open", "window", "liquidate"
    ]
    product: str = ""
    price: Decimal = Decimal(0)
    size: Decimal = Decimal(1)
    side: Side = Side.BUY
    percent: Decimal = Decimal(0)
    rate: Decimal = Decimal(0)
    status: TradingStatus = TradingStatus.OPEN
    seconds: float = 0.0
    window: str = ""
    account: int = 0


class _Switches(msgspec.Struct, forbid_unknown_fields=True):
    live: bool | None = None
    duplicates_refused: bool | None = None
    edits_refused: bool | None = None
    plain_amounts: bool | None = None
    positions_on_wire: bool | None = None
    skew_seconds: float | None = None
    rate_limit_private: int | None = None
    rate_limit_public: int | None = None


class _KeyRights(msgspec.Struct, forbid_unknown_fields=True):
    account: int = 0
    can_view: bool | None = None
    can_trade: bool | None = None
    can_transfer: bool | None = None


class _Sockets(msgspec.Struct, forbid_unknown_fields=True):
    code: int = 1006
    account: int | None = None
    silent_seconds: float = 0.0


Do = Callable[[bytes], Awaitable[Json]]


class AdminFace:
    """Builds the admin's application."""

    def __init__(
        self,
        *,
        token: str,
        running: RunningVenue,
        desk: OrderDesk,
        money: MoneyBook,
        quirks: Quirks,
        faults: FaultPlan,
        limits: RateLimits,
        sockets: SocketFace,
        rest: RestFace,
        interventions: Interventions,
        keys: list[ApiKey],
    ) -> None:
        self._token = token
        self._running = running
        self._desk = desk
        self._money = money
        self._quirks = quirks
        self._faults = faults
        self._limits = limits
        self._sockets = sockets
        self._rest = rest
        self._interventions = interventions
        self._keys = keys

    def add_to(self, app: web.Application) -> None:
        table: dict[tuple[str, str], Do] = {
            ("GET", "/state"): self.state,
            ("POST", "/time"): self.time,
            ("POST", "/market"): self.market,
            ("GET", "/faults"): self.list_faults,
            ("POST", "/faults"): self.add_fault,
            ("DELETE", "/faults"): self.clear_faults,
            ("POST", "/switches"): self.switches,
            ("POST", "/keys"): self.key_rights,
            ("POST", "/sockets"): self.sockets,
        }
        for (method, path), do in table.items():
            app.router.add_route(method, path, self._guarded(do))

    def _guarded(self, do: Do) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return _reply(401, {"error": "the admin token is missing or wrong"})
            try:
                answer = await do(body)
            except (msgspec.MsgspecError, InvalidOrderError, MarketDataError) as error:
                return _reply(400, {"error": str(error)})
            await self._sockets.flushed()
            return _reply(200, answer)

        return handle

    async def state(self, _: bytes) -> Json:
        """What the venue knows of itself."""
        self._running.catch_up()
        accounts = []
        for key in self._keys:
            money = self._money.account(key.account)
            accounts.append(
                {
                    "account": key.account,
                    "key": key.name,
                    "cash": text(money.cash),
                    "equity": text(money.equity),
                    "positions": {
                        holding.listed.product_id: text(holding.contracts)
                        for holding in self._money.holdings(key.account)
                    },
                    "orders": len(self._desk.by_account[key.account]),
                    "open_orders": sum(not order.ended for order in self._desk.by_account[key.account]),
                    "fills": len(self._desk.fills[key.account]),
                    "funding": text(self._money.funding[key.account]),
                }
            )
        return {
            "now_ns": self._running.now_ns,
            "now": stamp(self._running.now_ns),
            "speed": self._running.speed,
            "over": self._running.venue.is_over,
            "connections": len(self._sockets.connections),
            "accounts": accounts,
            "faults_struck": list(self._faults.struck),
            "tokens_rejected": list(self._rest.rejected_tokens),
        }

    async def time(self, body: bytes) -> Json:
        """Move the market by hand, or change its speed; everything that happens on the way is told before the reply."""
        wanted = msgspec.json.decode(body, type=_Time)
        if wanted.stop or wanted.speed is not None:
            if wanted.speed is not None and wanted.speed <= 0:
                raise InvalidOrderError("speed must be above zero; `stop` stops the market's time", "invalid_number")
            self._running.set_speed(wanted.speed)
        until_ns = wanted.until_ns if wanted.until_ns is not None else self._running.now_ns
        if wanted.advance_seconds is not None:
            until_ns = self._running.now_ns + round(wanted.advance_seconds * NS)
        if not 0 <= until_ns - self._running.now_ns <= ADVANCE_SECONDS_MAX * NS:
            raise InvalidOrderError(f"time goes forward, at most {ADVANCE_SECONDS_MAX} s at once", "invalid_number")
        if until_ns > self._running.now_ns:
            self._running.jump_to(until_ns)
        return {"now_ns": self._running.now_ns, "now": stamp(self._running.now_ns), "speed": self._running.speed}

    async def market(self, body: bytes) -> Json:
        """Interfere with the market; see interventions."""
        wanted = msgspec.json.decode(body, type=_Market)
        listed = self._interventions.listed(wanted.product)
        hand = self._interventions
        match wanted.do:
            case "trade":
                hand.trade(listed, wanted.price, wanted.size, wanted.side)
            case "jump":
                hand.jump(listed, wanted.percent)
            case "mark":
                hand.set_mark(listed, wanted.price)
            case "funding":
                hand.fund(listed, wanted.rate)
            case "status":
                hand.set_status(listed, wanted.status)
            case "halt":
                hand.halt(listed, wanted.seconds)
            case "session_break":
                hand.break_session(listed, wanted.seconds)
            case "session_open":
                hand.open_session(listed)
            case "window":
                hand.change_window(wanted.window)
            case "liquidate":
                hand.liquidate(wanted.account)
        return {"done": wanted.do}

    async def list_faults(self, _: bytes) -> Json:
        return {"faults": msgspec.to_builtins(self._faults.faults()), "struck": list(self._faults.struck)}

    async def add_fault(self, body: bytes) -> Json:
        """One fault in the form of a plan. Faults of the venue are done at once, or at_seconds from now."""
        fault = msgspec.json.decode(body, type=Fault)
        if fault.fault not in VENUE:
            self._faults.add(fault)
        elif fault.at_seconds is None:
            self._interventions.apply(fault)
        else:
            self._interventions.schedule(fault)
        return {"added": fault.fault.value}

    async def clear_faults(self, _: bytes) -> Json:
        self._faults.clear()
        return {"faults": []}

    async def switches(self, body: bytes) -> Json:
        wanted = msgspec.json.decode(body, type=_Switches)
        quirks = self._quirks
        quirks.live = _chosen(wanted.live, quirks.live)
        quirks.duplicates_refused = _chosen(wanted.duplicates_refused, quirks.duplicates_refused)
        quirks.edits_refused = _chosen(wanted.edits_refused, quirks.edits_refused)
        quirks.plain_amounts = _chosen(wanted.plain_amounts, quirks.plain_amounts)
        quirks.positions_on_wire = _chosen(wanted.positions_on_wire, quirks.positions_on_wire)
        if wanted.skew_seconds is not None:
            quirks.skew_ns = round(wanted.skew_seconds * NS)
        if wanted.rate_limit_private is not None:
            self._limits.private = wanted.rate_limit_private
        if wanted.rate_limit_public is not None:
            self._limits.public = wanted.rate_limit_public
        return {"live": quirks.live, "skew_ns": quirks.skew_ns}

    async def key_rights(self, body: bytes) -> Json:
        """What a key may do from now on."""
        wanted = msgspec.json.decode(body, type=_KeyRights)
        if not 0 <= wanted.account < len(self._keys):
            raise InvalidOrderError(f"account {wanted.account}: there are {len(self._keys)}", "invalid_number")
        key = self._keys[wanted.account]
        key.can_view = _chosen(wanted.can_view, key.can_view)
        key.can_trade = _chosen(wanted.can_trade, key.can_trade)
        key.can_transfer = _chosen(wanted.can_transfer, key.can_transfer)
        return {"can_view": key.can_view, "can_trade": key.can_trade, "can_transfer": key.can_transfer}

    async def sockets(self, body: bytes) -> Json:
        """Close connections with a code, or let them fall silent."""
        wanted = msgspec.json.decode(body, type=_Sockets)
        found = [each for each in tuple(self._sockets.connections) if wanted.account in (None, each.account)]
        for connection in found:
            if wanted.silent_seconds > 0:
                connection.silent_until_ns = self._sockets.clock.now_ns() + round(wanted.silent_seconds * NS)
            else:
                connection.outlet.close(wanted.code)
        return {"connections": len(found)}


def _chosen(wanted: bool | None, now: bool) -> bool:
    return now if wanted is None else wanted


def _reply(status: int, body: Json) -> web.Response:
    return web.Response(status=status, body=encoded(body), content_type="application/json")
