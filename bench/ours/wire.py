"""What do we add between a market frame and an order on Coinbase's wire? Against the served venue, over TLS.

    python bench/ours/wire.py orders 300       our place_order beside the bare SDK's create_order, in turn
    python bench/ours/wire.py ticks 200        from a frame of level 2 to the first byte of an order
    python bench/ours/wire.py stream 600       2,000 messages a second for so many seconds: backlog and memory

The venue runs in a process of its own. Prints one JSON object; times are wall time in milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import requests
from aiohttp import web
from coinbase.rest import RESTClient

from gpt_trader.bot.builder import BuiltBot, PerpsBotBuilder, RunIdentity
from gpt_trader.bot.preflight import PreflightPassed
from gpt_trader.config.bot import BotConfig, CredentialsConfig
from gpt_trader.core.clock import NS, SystemClock
from gpt_trader.core.values import OrderRequest, OrderType, Side, TimeInForce
from gpt_trader.exchange.budget import RequestBudget
from gpt_trader.exchange.coinbase.adapter import CoinbaseExchange
from gpt_trader.exchange.coinbase.credentials import key_of
from gpt_trader.exchange.coinbase.endpoints import Endpoints, served_endpoints
from gpt_trader.exchange.coinbase.frames import BookEvent, Frame
from gpt_trader.exchange.coinbase.live_market import LiveMarket
from gpt_trader.exchange.coinbase.stream import CoinbaseSocket, Subscription
from gpt_trader.market.products import simulated_product
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.lease import HostLease

SYMBOL = "BTC-PERP"
CONFIG = {
    "profile": "bench",
    "execution": {"intent_valid_seconds": 60},
    "run": {"mark_outs": False},
    "risk": {
        "max_position_pct_per_symbol": 5,
        "max_exposure_pct": 5,
        "max_position_size_pct": 5,
        "max_leverage": 5,
        "min_liquidation_buffer_pct": 0,
        "daily_loss_limit": 0,
        "position_sizing_method": "fixed",
        "order_rate_per_minute_max": 0,
        "enable_market_impact_guard": True,
    },
}
MESSAGES_PER_SECOND = 2000


@contextlib.contextmanager
def venue(folder: Path) -> Iterator[tuple[Endpoints, str]]:
    """`gpt-trader venue serve` in a process of its own; its addresses, and the key file of a second account."""
    ready = folder / "ready.json"
    program = str(Path(sys.executable).with_name("gpt-trader"))
    command = [program, "venue", "serve", "--port", "0", "--admin-port", "0"]
    command += ["--symbols", SYMBOL, "--cash", "1000000", "--keys", str(folder / "keys"), "--no-rate-limits"]
    command += ["--accounts", "2"]
    with ready.open("w") as out:
        process = subprocess.Popen(command, stdout=out)
    try:
        while not ready.read_text().endswith("\n"):
            if process.poll() is not None:
                raise SystemExit("the venue did not start")
            time.sleep(0.2)
        yield served_endpoints(ready), json.loads(ready.read_text())["keys"][1]
    finally:
        process.terminate()
        process.wait()


@contextlib.asynccontextmanager
async def bot(endpoints: Endpoints, folder: Path) -> AsyncIterator[tuple[BuiltBot, CoinbaseExchange, EventStore]]:
    clock = SystemClock()
    adapter = CoinbaseExchange(
        key=key_of(CredentialsConfig(), endpoints.key_file),
        clock=clock,
        draw=lambda: 0.5,
        endpoints=endpoints,
        budget=RequestBudget(clock, per_second=100_000),
    )
    identity = RunIdentity(
        run_id="bench", boot=1, environment="coinbase:bench", config_digest="bench", market="coinbase", seed=0
    )
    try:
        await adapter.connect()
        with EventStore.open(folder / "events.sqlite", "bench", 1, durable=True) as store:
            built = PerpsBotBuilder(
                BotConfig.model_validate(CONFIG),
                adapter=adapter,
                clock=clock,
                journal=store,
                identity=identity,
                bar_seconds=60,
                lease=HostLease(folder, "bench"),
            ).build()
            proof = PreflightPassed(
                venue="coinbase", config_digest="bench", passed_ns=clock.now_ns(), checks=("bench",)
            )
            await built.bot.start(proof)
            yield built, adapter, store
            await built.bot.stop("bench")
    finally:
        await adapter.close()
        await asyncio.sleep(0.1)


def a_request(number: int, price: Decimal) -> OrderRequest:
    """One contract, resting far below the market."""
    now_ns = time.time_ns()
    return OrderRequest(
        intent_id=f"bench:{number}",
        strategy=f"bench-{number}",
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=Decimal("0.01"),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=price,
        created_ns=now_ns,
        valid_until_ns=now_ns + 60 * NS,
    )


def far_below(adapter: CoinbaseExchange) -> Decimal:
    touch = adapter.market.touch(SYMBOL)
    assert touch is not None
    return touch[0] * Decimal("0.97") // 5 * 5


def milliseconds(spans_ns: list[int]) -> dict[str, float]:
    ordered = sorted(spans_ns)
    return {
        "p50": round(statistics.median(ordered) / 1e6, 3),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] / 1e6, 3),
    }


def time_commits(built: BuiltBot, spent: list[int]) -> None:
    """Add up in `spent` how long the durable writes take, in nanoseconds."""
    bus = built.bot.bus
    commit = bus.commit

    async def timed() -> None:
        began = time.perf_counter_ns()
        await commit()
        spent[0] += time.perf_counter_ns() - began

    bus.commit = timed  # type: ignore[method-assign]


async def orders(count: int, folder: Path, endpoints: Endpoints, other_key: str) -> dict[str, Any]:
    """In turn, so that both meet the same machine; on two accounts. The durable write is timed and taken off."""
    key = key_of(CredentialsConfig(), other_key)
    client = RESTClient(api_key=key.name, api_secret=key.secret, base_url=endpoints.rest, timeout=5)
    client.session.trust_env = False
    client.session.verify = endpoints.ca_file
    ours, theirs, writes, without = [], [], [], []
    async with bot(endpoints, folder) as (built, adapter, _):
        spent = [0]
        time_commits(built, spent)
        product_id = adapter.products()[SYMBOL].venue_symbol

        def bare(number: int, price: Decimal) -> None:
            """In a thread, as a program with a loop has to: called there, it would hold up the market's frames, and
            whoever came next would pay for them."""
            began = time.perf_counter_ns()
            made = client.create_order(
                f"bare-sdk-{number}",
                product_id,
                "BUY",
                {"limit_limit_gtc": {"base_size": "1", "limit_price": str(price), "post_only": False}},
            )
            theirs.append(time.perf_counter_ns() - began)
            client.cancel_orders([made["success_response"]["order_id"]])

        for number in range(count):
            price = far_below(adapter)
            await asyncio.to_thread(bare, number, price)
            await asyncio.sleep(0.02)
            request = a_request(number, price)
            spent[0], began = 0, time.perf_counter_ns()
            report = await built.bot.engine.place_order(request)
            took = time.perf_counter_ns() - began
            assert report.outcome == "RESTING", report
            ours.append(took)
            writes.append(spent[0])
            without.append(took - spent[0])
            for order in list(built.bot.orders.living()):
                await built.bot.submitter.cancel(order, "bench")
            await asyncio.sleep(0.02)
    added = statistics.median(without) - statistics.median(theirs)
    return {
        "place_order_ms": milliseconds(ours),
        "durable_write_ms": milliseconds(writes),
        "place_order_without_write_ms": milliseconds(without),
        "sdk_create_order_ms": milliseconds(theirs),
        "added_ms_p50": round(added / 1e6, 3),
    }


async def ticks(count: int, folder: Path, endpoints: Endpoints, _: str) -> dict[str, Any]:
    """The frame's text comes out of the socket; the order's request goes into one."""
    spans: list[int] = []
    without: list[int] = []
    spent = [0]
    sent = asyncio.Event()
    began = [0]
    loop = asyncio.get_running_loop()
    original = requests.Session.send

    def watched(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if request.method == "POST" and str(request.url).endswith("/orders") and began[0]:
            spans.append(time.perf_counter_ns() - began[0])
            without.append(spans[-1] - spent[0])
            began[0] = 0
            loop.call_soon_threadsafe(sent.set)
        return original(self, request, **options)

    async with bot(endpoints, folder) as (built, adapter, _store):
        time_commits(built, spent)
        socket = adapter._feed._socket
        assert socket is not None
        hear, on_frame, wanted = socket._hear, socket._on_frame, asyncio.Event()

        def timed(text: str) -> str:
            now = time.perf_counter_ns()
            if wanted.is_set() and not began[0]:
                began[0] = now
            return hear(text)

        def acting(frame: Frame, received_ns: int) -> None:
            on_frame(frame, received_ns)
            if not began[0]:
                return
            if not (wanted.is_set() and any(isinstance(event, BookEvent) for event in frame.events)):
                if wanted.is_set():
                    began[0] = 0
                return
            wanted.clear()
            spent[0] = 0
            placing.append(loop.create_task(built.bot.engine.place_order(a_request(len(spans), far_below(adapter)))))

        placing: list[asyncio.Task[Any]] = []
        socket._hear, socket._on_frame = timed, acting  # type: ignore[method-assign]
        requests.Session.send = watched  # type: ignore[method-assign]
        try:
            while len(spans) < count:
                sent.clear()
                wanted.set()
                await asyncio.wait_for(sent.wait(), 10)
                await asyncio.gather(*placing)
                placing.clear()
                for order in list(built.bot.orders.living()):
                    await built.bot.submitter.cancel(order, "bench")
        finally:
            requests.Session.send = original  # type: ignore[method-assign]
            socket._hear, socket._on_frame = hear, on_frame  # type: ignore[method-assign]
    return {
        "frame_to_bytes_ms": milliseconds(spans),
        "frame_to_bytes_without_write_ms": milliseconds(without),
        "requests": len(spans),
    }


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def flood() -> None:
    """A server that says 2,000 level 2 updates a second, in a process of its own; prints its port."""

    async def serve(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        number, wanted = 0, set()
        while len(wanted) < 2:
            asked = json.loads((await socket.receive()).data)
            wanted.add(asked["channel"])

        async def say(channel: str, events: str) -> None:
            nonlocal number
            at = f"{time.time():.6f}"
            await socket.send_str(
                f'{{"channel":"{channel}","timestamp":"2026-01-01T00:00:00Z","sequence_num":{number},"at":"{at}",'
                f'"events":{events}}}'
            )
            number += 1

        await say("subscriptions", '[{"subscriptions":{"level2":["X"],"heartbeats":["heartbeats"]}}]')
        levels = ",".join(
            f'{{"side":"{side}","event_time":"","price_level":"{60000 + sign * 5 * step}","new_quantity":"10"}}'
            for side, sign in (("bid", -1), ("offer", 1))
            for step in range(1, 400)
        )
        product = simulated_product(SYMBOL).venue_symbol
        await say("l2_data", f'[{{"type":"snapshot","product_id":"{product}","updates":[{levels}]}}]')
        began, told = time.perf_counter(), 0
        while not socket.closed:
            due = int((time.perf_counter() - began) * MESSAGES_PER_SECOND)
            for step in range(told, due):
                price, size = 59995 - 5 * (step * 7 % 300), step % 50 + 1
                level = f'{{"side":"bid","event_time":"","price_level":"{price}","new_quantity":"{size}"}}'
                await say("l2_data", f'[{{"type":"update","product_id":"{product}","updates":[{level}]}}]')
                if step % MESSAGES_PER_SECOND == 0:
                    await say("heartbeats", '[{"current_time":"","heartbeat_counter":1}]')
            told = due
            await asyncio.sleep(0.002)
        return socket

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", serve)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


async def stream(seconds: int) -> dict[str, Any]:
    """Whoever hears keeps a book and a mark of it. Backlog is how long ago a frame was sent when it is heard."""
    flooding = subprocess.Popen([sys.executable, __file__, "flood", "0"], stdout=subprocess.PIPE, text=True)
    assert flooding.stdout is not None
    port = int(flooding.stdout.readline())
    product = simulated_product(SYMBOL)
    market, heard, lags, memory, downs = LiveMarket([product]), [0], [], [], []

    def on_frame(frame: Frame, received_ns: int) -> None:
        market.hear(frame, received_ns)
        heard[0] += 1

    socket = CoinbaseSocket(
        f"ws://127.0.0.1:{port}/",
        [Subscription(channel="level2", product_ids=(product.venue_symbol,))],
        key=None,
        clock=SystemClock(),
        on_frame=on_frame,
        on_state=lambda up, reason: None if up else downs.append(reason),
        draw=lambda: 0.5,
    )
    hear = socket._hear

    def timed(text: str) -> str:
        if socket._last % 200 == 0:
            place = text.index('"at":"') + 6
            lags.append(round((time.time() - float(text[place : text.index('"', place)])) * 1e9))
        return hear(text)

    socket._hear = timed  # type: ignore[method-assign]
    running = asyncio.ensure_future(socket.run())
    try:
        cpu = time.process_time()
        for _ in range(max(1, seconds // 10)):
            await asyncio.sleep(min(10, seconds))
            memory.append(rss_mib())
        used = time.process_time() - cpu
    finally:
        running.cancel()
        flooding.terminate()
    return {
        "seconds": seconds,
        "messages": heard[0],
        "backlog_ms": milliseconds(lags),
        "backlog_at_end_ms": milliseconds(lags[-50:]),
        "rss_mib_first_last": [memory[0], memory[-1]],
        "cpu_share": round(used / seconds, 3),
        "reconnects": len(downs),
    }


def main() -> None:
    what, count = sys.argv[1], int(sys.argv[2])
    if what == "flood":
        flood()
        return
    if what == "stream":
        print(json.dumps(asyncio.run(stream(count))))
        return
    with tempfile.TemporaryDirectory() as made, venue(Path(made)) as (endpoints, other_key):
        work = orders if what == "orders" else ticks
        print(json.dumps(asyncio.run(work(count, Path(made), endpoints, other_key))))


if __name__ == "__main__":
    with contextlib.suppress(aiohttp.ClientError):
        main()
