"""`gpt-trader venue`: the simulated exchange for other programs, over Coinbase's protocol on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gpt_trader.cli.console import console_for_people

if TYPE_CHECKING:
    from gpt_trader.market.stream import MarketStream
    from gpt_trader.venue.wire.server import ServerOptions

__all__ = ["venue"]

SYNTHETIC: Final = "synthetic"
MANUAL: Final = "manual"
SYNTHETIC_SECONDS: Final = 60 * 86_400


class _Speed(click.ParamType[float | None]):
    """Market seconds a second, or `manual`."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value is None or value == MANUAL:
            return None
        try:
            speed = float(str(value).removesuffix("x"))
        except ValueError:
            speed = 0.0
        if not 0 < speed <= 10_000:
            self.fail(f"{value!r} is not {MANUAL} or a factor such as 1, 60x", param, ctx)
        return speed


class _Money(click.ParamType[Decimal]):
    """An amount above zero."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal(0)
        if not amount.is_finite() or amount <= 0:
            self.fail(f"{value!r} is not an amount above zero", param, ctx)
        return amount


class _Duration(click.ParamType[int]):
    """Seconds, or 1d, 6h, 90m."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from gpt_trader.config.bot import parse_duration

        try:
            seconds = int(str(parse_duration(value)))
        except ValueError as error:
            self.fail(f"{value!r} is {error}", param, ctx)
        return seconds


@click.group()
def venue() -> None:
    """Serve the simulated exchange to other programs."""


@venue.command()
@click.option("--market", metavar="PATH", default=SYNTHETIC, show_default=True, help="Or a recording.")
@click.option("--symbols", metavar="LIST", default="BTC-PERP,ETH-PERP", show_default=True, help="Of `synthetic`.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of `synthetic`.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8443, show_default=True, help="0 for any.")
@click.option("--admin-port", type=click.IntRange(0, 65_535), default=8444, show_default=True, help="0 for any.")
@click.option("--tls/--plain", default=True, help="HTTPS and wss with a certificate of its own, or neither.")
@click.option("--accounts", type=click.IntRange(1, 100), default=1, show_default=True)
@click.option("--cash", type=_Money(), default="10000", show_default=True, help="Of each account, in USD.")
@click.option("--keys", type=click.Path(path_type=Path), metavar="DIR", help="Key files, made where missing.")
@click.option("--key-type", type=click.Choice(["ecdsa", "ed25519"]), default="ecdsa", show_default=True)
@click.option("--faults", type=click.Path(path_type=Path), metavar="PLAN", help="A fault plan, YAML or JSON.")
@click.option("--speed", type=_Speed(), default="1", show_default=True, help="`manual`, or a factor such as 60x.")
@click.option("--history", type=_Duration(), default="2h", show_default=True, help="Market that has passed.")
@click.option("--entry-latency-ms", type=click.IntRange(0, 60_000), default=0, show_default=True)
@click.option("--ack-latency-ms", type=click.IntRange(0, 60_000), default=0, show_default=True)
@click.option(
    "--margin-window",
    type=click.Choice(["overnight", "intraday", "schedule"]),
    default="overnight",
    show_default=True,
    help="Which rates hold; `schedule` is intraday on weekdays 8:00-16:00 New York.",
)
@click.option("--session-break/--no-session-break", default=True, show_default=True, help="Fridays 17:00-18:00.")
@click.option("--funding", type=click.Choice(["market", "venue", "none"]), default="market", show_default=True)
@click.option("--live-quirks", is_flag=True, help="Nulls, no client_id, cancels and refusals after the reply.")
@click.option("--rate-limits/--no-rate-limits", default=True, show_default=True)
def serve(
    *,
    market: str,
    symbols: str,
    seed: int,
    keys: Path | None,
    key_type: str,
    faults: Path | None,
    entry_latency_ms: int,
    ack_latency_ms: int,
    margin_window: str,
    session_break: bool,
    funding: str,
    **chosen: Any,
) -> None:
    """Serve REST and WebSocket until Ctrl-C, and print one line of JSON when ready.

    The line names addresses, certificate, key files and the admin's token. Nothing but loopback is listened on.
    """
    from gpt_trader.config.home import home
    from gpt_trader.exchange.paper import kernel_entry_points
    from gpt_trader.report.compiling import compile_with_progress
    from gpt_trader.venue.settings import FundingSource, Latency, MarginWindow, VenueSettings
    from gpt_trader.venue.wire.faults import read_plan
    from gpt_trader.venue.wire.keys import KeyType
    from gpt_trader.venue.wire.server import ServerOptions
    from gpt_trader.venue.wire.windows import DAY_HOURS, SESSION_BREAK

    settings = VenueSettings(
        entry_latency=Latency(milliseconds=Decimal(entry_latency_ms)),
        ack_latency=Latency(milliseconds=Decimal(ack_latency_ms)),
        seed=seed,
        margin_window=MarginWindow(margin_window),
        day_hours=DAY_HOURS,
        session_break=SESSION_BREAK if session_break else None,
        funding=FundingSource(funding),
    )
    options = ServerOptions(
        venue=settings,
        folder=keys or home(os.environ) / "venue",
        key_type=KeyType(key_type),
        plan=read_plan(faults) if faults is not None else None,
        history_seconds=chosen.pop("history"),
        **chosen,
    )
    stream = _open_market(market, symbols, seed)
    compile_with_progress(console_for_people(stderr=True), kernel_entry_points())
    asyncio.run(_serve(stream, options))


def _open_market(market: str, symbols: str, seed: int) -> MarketStream:
    if market == SYNTHETIC:
        from gpt_trader.market.synthetic import SyntheticMarket

        names = [name.strip() for name in symbols.split(",") if name.strip()]
        return SyntheticMarket(names, seed=seed, duration_seconds=SYNTHETIC_SECONDS)
    from gpt_trader.market.recorded import open_market

    return open_market(Path(market), bar_seconds=60)


async def _serve(stream: MarketStream, options: ServerOptions) -> None:
    from gpt_trader.core.clock import SystemClock
    from gpt_trader.venue.wire.formats import encoded
    from gpt_trader.venue.wire.server import serving

    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    async with serving(stream, options, SystemClock()) as server:
        click.echo(encoded(server.ready).decode())
        stop = loop.create_task(asked.wait())
        broken = loop.create_task(server.until_broken())
        await asyncio.wait({stop, broken}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        broken.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await broken
