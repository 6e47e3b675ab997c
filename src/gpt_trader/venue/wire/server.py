"""What does it take to serve the venue? Market, accounts, keys, certificates and ports, put together and taken down."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from aiohttp import web

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.stream import MarketStream
from gpt_trader.venue.settings import VenueSettings
from gpt_trader.venue.wire.account_calls import AccountCalls
from gpt_trader.venue.wire.admin import AdminFace
from gpt_trader.venue.wire.certificates import write_certificates
from gpt_trader.venue.wire.desk import OrderDesk
from gpt_trader.venue.wire.faults import FaultPlan, PlanFile
from gpt_trader.venue.wire.formats import Json
from gpt_trader.venue.wire.interventions import Interventions
from gpt_trader.venue.wire.keys import ApiKey, KeyType, new_secret, open_keys
from gpt_trader.venue.wire.limits import RateLimits
from gpt_trader.venue.wire.market_calls import MarketCalls
from gpt_trader.venue.wire.money import MoneyBook
from gpt_trader.venue.wire.order_calls import OrderCalls
from gpt_trader.venue.wire.preview import Preview
from gpt_trader.venue.wire.publishing import Publisher
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.rest import RestFace
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.sockets import SocketFace
from gpt_trader.venue.wire.tokens import TokenVerifier

__all__ = ["ServerOptions", "VenueServer", "serving"]

LOOPBACK: Final = "127.0.0.1"
"""Nothing else is listened on: the venue is a toy with real keys' formats."""
BODY_BYTES_MAX: Final = 1_000_000
STOP_SECONDS: Final = 1.0
LAST_WORDS_SECONDS: Final = 0.05
"""For TLS to say goodbye before the loop ends."""


@dataclass(frozen=True)
class ServerOptions:
    """Everything about the venue that is not its market."""

    folder: Path
    """Of keys and certificates."""
    port: int = 0
    admin_port: int = 0
    """0 lets the system choose."""
    tls: bool = True
    accounts: int = 1
    cash: Decimal = Decimal(10_000)
    key_type: KeyType = KeyType.ECDSA
    speed: float | None = 1.0
    """None: time stands still until the admin moves it."""
    history_seconds: int = 7200
    venue: VenueSettings = VenueSettings()  # noqa: RUF009 - frozen
    """Latencies, margin windows, session break, funding, and what else the simulation assumes."""
    live_quirks: bool = False
    rate_limits: bool = True
    plan: PlanFile | None = None


class VenueServer:
    """One venue on two ports of loopback: the protocol, and the admin's."""

    def __init__(self, stream: MarketStream, options: ServerOptions, clock: Clock) -> None:
        """Raises ConfigError and MarketDataError before anything listens."""
        if options.accounts < 1:
            raise ConfigError("--accounts: give at least 1")
        self.options = options
        self.clock = clock
        self.keys: list[ApiKey] = open_keys(options.folder, options.accounts, options.key_type)
        self.quirks = Quirks(live=options.live_quirks)
        self.running = RunningVenue(
            stream,
            cash=[options.cash] * options.accounts,
            clock=clock,
            speed=options.speed,
            history_seconds=options.history_seconds,
            settings=options.venue,
        )
        self.faults = FaultPlan(options.plan)
        self.tokens = TokenVerifier(self.keys, self.wall_seconds)
        limits = (30, 10, 8) if options.rate_limits else (0, 0, 0)
        self.limits = RateLimits(lambda: clock.now_ns() / NS, *limits)
        self.desk = OrderDesk(self.running, self.keys, self.quirks)
        self.money = MoneyBook(self.running, self.desk, self.quirks)
        self.rest = self._rest()
        self.sockets = SocketFace(
            tokens=self.tokens,
            faults=self.faults,
            quirks=self.quirks,
            limits=self.limits,
            clock=clock,
            market_ns=lambda: self.running.now_ns,
            product_ids=[listed.product_id for listed in self.desk.listing],
        )
        Publisher(self.running, self.desk, self.money, self.sockets, self.quirks)
        self.interventions = Interventions(self.running, self.desk.listing, self.money, self.quirks)
        self.admin_token = new_secret()
        self._runners: list[web.AppRunner] = []
        self._tasks: list[asyncio.Task[None]] = []
        for fault in self.faults.venue_faults():
            self.interventions.schedule(fault)
        self.ready: Json = {}

    def wall_seconds(self) -> float:
        """The venue's own clock, by which tokens are judged; a fault may put it wrong."""
        return (self.clock.now_ns() + self.quirks.skew_ns) / NS

    def _rest(self) -> RestFace:
        preview = Preview(self.running, self.desk, self.money)
        groups = (
            MarketCalls(self.running, self.desk.listing, self.quirks),
            OrderCalls(self.running, self.desk, preview, self.quirks),
            AccountCalls(self.running, self.desk, self.money, self.quirks),
        )

        def fail_next(account: int) -> None:
            self.desk.fail_next[account] += 1

        return RestFace(
            [endpoint for group in groups for endpoint in group.endpoints()],
            tokens=self.tokens,
            limits=self.limits,
            faults=self.faults,
            clock=self.clock,
            catch_up=self.running.catch_up,
            fail_next=fail_next,
        )

    async def start(self) -> Json:
        """Listen, and let the market go on; returns what a client needs to know, as `venue serve` prints it.

        Raises ConfigError for a port that is taken.
        """
        certificates = write_certificates(self.options.folder, self.wall_seconds()) if self.options.tls else None
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        self.rest.add_to(app)
        self.sockets.add_to(app)
        admin = web.Application(client_max_size=BODY_BYTES_MAX)
        self._admin().add_to(admin)
        port = await self._listen(app, self.options.port, certificates.context if certificates else None)
        admin_port = await self._listen(admin, self.options.admin_port, None)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.running.run()), loop.create_task(self.sockets.run())]
        address = f"{LOOPBACK}:{port}"
        ws = "wss" if certificates else "ws"
        self.ready = {
            "rest": address,
            "scheme": "https" if certificates else "http",
            "ws": f"{ws}://{address}/ws",
            "ws_user": f"{ws}://{address}/ws-user",
            "admin": f"http://{LOOPBACK}:{admin_port}",
            "admin_token": self.admin_token,
            "ca": str(certificates.authority) if certificates else None,
            "keys": [str(key.path) for key in self.keys],
            "products": {listed.symbol: listed.product_id for listed in self.desk.listing},
        }
        return self.ready

    def _admin(self) -> AdminFace:
        return AdminFace(
            token=self.admin_token,
            running=self.running,
            desk=self.desk,
            money=self.money,
            quirks=self.quirks,
            faults=self.faults,
            limits=self.limits,
            sockets=self.sockets,
            rest=self.rest,
            interventions=self.interventions,
            keys=self.keys,
        )

    async def _listen(self, app: web.Application, port: int, context: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, LOOPBACK, port, ssl_context=context).start()
        except OSError as error:
            raise ConfigError(f"--port {port}: {error.strerror}. Fix: choose another one, or 0 for any") from error
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Close all connections and ports. Raises what stopped the market, if something did."""
        for task in self._tasks:
            task.cancel()
        self.rest.cancel_zombies()
        await self.sockets.close()
        transports = [
            connection.transport
            for runner in self._runners
            if runner.server is not None
            for connection in runner.server.connections
        ]
        for runner in self._runners:
            await runner.cleanup()
        for transport in transports:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()  # a client that does not say goodbye holds nobody up
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.clock.sleep(LAST_WORDS_SECONDS)

    async def until_broken(self) -> None:
        """Wait for the market to fail: for ever, unless it does. Raises MarketDataError."""
        await asyncio.gather(*self._tasks)


@contextlib.asynccontextmanager
async def serving(stream: MarketStream, options: ServerOptions, clock: Clock) -> AsyncIterator[VenueServer]:
    """A venue that listens until the block ends."""
    server = VenueServer(stream, options, clock)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
