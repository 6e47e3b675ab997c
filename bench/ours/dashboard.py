"""Does a dashboard slow the orders of the bot beside it? `dashboard.py [--pairs 10] [--seconds 20]`.

A bot with a durable log sends 50 orders a second against the venue in its process, in turn alone and with the dashboard
open by five clients, each of which asks once a second for what is new of the overview, as the page does. Measured is
the time from an intent to its answer, through the whole hallway, fsync included (the venue's latencies are zero). Told
is the ratio of the two 99th percentiles, pair by pair, and its median; at most 1.10 is what was promised.

The clients are no browsers: those run on other machines. What they ask for and get is the same.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

RATE = 50
CLIENTS = 5
PROMISED = 1.10
SYMBOL = "BTC-PERP"
RUN = "bench"
PORT = 8765
PROGRAM = Path(sys.executable).with_name("gpt-trader")


# --- the bot ----------------------------------------------------------------------------------------------------------
def bot(home: Path, seconds: int) -> None:
    """Trade, and print the 99th percentile and the median in microseconds."""
    from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
    from gpt_trader.bot.steering import Steering
    from gpt_trader.bot.watching import watch_over
    from gpt_trader.config.load import load
    from gpt_trader.core.clock import VirtualClock, run_virtual
    from gpt_trader.core.values import OrderRequest, Side
    from gpt_trader.exchange.factory import ExchangeFactory
    from gpt_trader.exchange.paper import kernel_entry_points
    from gpt_trader.market.compiled import compile_entry_points
    from gpt_trader.market.synthetic import SyntheticMarket
    from gpt_trader.ops.control import control_socket
    from gpt_trader.ops.desk import ControlDesk
    from gpt_trader.records.event_store import EventStore

    compile_entry_points(kernel_entry_points(), lambda *_: None)

    def again() -> Any:
        overrides = {
            "venue.entry_latency_ms": 0,
            "venue.ack_latency_ms": 0,
            "risk.order_rate_per_minute_max": 0,
            "risk.daily_loss_limit": 0,
            "run.pace": "realtime",
        }
        return load("dev", env={}, overrides=overrides)

    loaded = again()
    stream = SyntheticMarket([SYMBOL], seed=7, duration_seconds=3600, bar_seconds=60)
    clock = VirtualClock(stream.start_ns)
    adapter = ExchangeFactory(clock).paper(loaded.config, stream, clock)
    folder = home / "runs" / RUN
    folder.mkdir(parents=True)
    identity = RunIdentity(
        run_id=RUN,
        boot=1,
        environment="simulated",
        config_digest="",
        market=f"synthetic sha256:{stream.digest}",
        seed=7,
    )
    took: list[float] = []
    with EventStore.open(folder / "events.sqlite", RUN, 1, durable=True) as store:
        built = PerpsBotBuilder(
            loaded.config, adapter=adapter, clock=clock, journal=store, identity=identity, bar_seconds=60
        ).build()
        watch_over(built.bot, built.parts)
        desk = ControlDesk(built, Steering(built, loaded, again), run=RUN)

        def order(number: int) -> OrderRequest:
            now_ns = clock.now_ns()
            return OrderRequest(
                intent_id=f"bench:{SYMBOL}:{number}",
                strategy=f"bench{number % 50}",
                symbol=SYMBOL,
                side=Side.BUY if number % 2 else Side.SELL,
                quantity=Decimal("0.01"),
                reduce_only=False,
                created_ns=now_ns,
                valid_until_ns=now_ns + 60 * 10**9,
            )

        async def main() -> None:
            await built.bot.start()
            async with control_socket(desk, folder):
                print("listening", flush=True)
                await asyncio.to_thread(sys.stdin.readline)  # until whoever measures is ready
                trading = asyncio.ensure_future(built.bot.run_until_stopped())
                for number in range(seconds * RATE):
                    began = time.perf_counter()
                    report = await built.bot.engine.place_order(order(number))
                    took.append(time.perf_counter() - began)
                    assert report.outcome != "REFUSED", (report.code, report.numbers)
                    await clock.sleep(1 / RATE)
                built.bot.request_stop("measured")
                await trading
            await built.bot.stop("measured", 5)

        run_virtual(clock, adapter, main, loaded.config.run.pace_factor)
    took.sort()
    told = {
        "p99_us": took[int(len(took) * 0.99)] * 1e6,
        "median_us": statistics.median(took) * 1e6,
        "orders": len(took),
    }
    print(json.dumps(told))


# --- the clients ------------------------------------------------------------------------------------------------------
class Client:
    """What a browser says that shows the overview."""

    def __init__(self, url: str, cookie: str) -> None:
        self.url, self.cookie = urlsplit(url), cookie
        self.page = f"/run/{RUN}/overview"
        self.seen: dict[str, str] = {}
        self.bytes = self.answers = 0
        wanted = [each for each in self._ask("GET", "/_dash-dependencies") if "seen.data" in each["output"]]
        self.output = next(each["output"] for each in wanted if '"live"' in each["output"])

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        line = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=30)
        headers = {"Cookie": self.cookie, "Origin": f"http://{self.url.netloc}", "Content-Type": "application/json"}
        line.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = line.getresponse()
        said = answer.read()
        line.close()
        assert answer.status == 200, (answer.status, said[:500])
        self.bytes += len(said)
        return json.loads(said)

    def look(self, number: int) -> None:
        """Ask for what is new."""
        places = [{"type": "live", "name": name} for name in ("head", "tiles", "positions", "open-orders", "latest")]
        raws = [{"type": "raw", "name": name} for name in (f"price {SYMBOL}", "equity")]
        body = {
            "output": self.output,
            "outputs": [
                [{"id": each, "property": "children"} for each in places],
                [{"id": each, "property": "data"} for each in raws],
                {"id": "seen", "property": "data"},
            ],
            "inputs": [
                {"id": "tick", "property": "n_intervals", "value": number},
                {"id": "shown", "property": "data", "value": self.page},
            ],
            "changedPropIds": ["tick.n_intervals"],
            "state": [
                [{"id": each, "property": "id", "value": each} for each in places],
                [{"id": each, "property": "id", "value": each} for each in raws],
                {"id": "seen", "property": "data", "value": self.seen},
                {"id": "url", "property": "pathname", "value": self.page},
            ],
        }
        answer = self._ask("POST", "/_dash-update-component", body)
        self.seen = answer["response"].get("seen", {}).get("data", self.seen)
        self.answers += 1


def clients(url: str, code: str, over: threading.Event) -> list[Client]:
    """Five of them, each in a thread, until it is over."""
    found = []
    line = http.client.HTTPConnection(urlsplit(url).hostname or "", urlsplit(url).port, timeout=60)
    line.request("GET", f"/login?code={code}")
    answer = line.getresponse()
    answer.read()
    cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
    assert cookie, answer.status

    def go_on(client: Client) -> None:
        number = 0
        while not over.wait(1.0):
            number += 1
            client.look(number)

    for _ in range(CLIENTS):
        found.append(Client(url, cookie))
        threading.Thread(target=go_on, args=(found[-1],), daemon=True).start()
    return found


# --- the pairs --------------------------------------------------------------------------------------------------------
def one(seconds: int, *, open_dashboard: bool) -> dict[str, Any]:
    """A bot with or without a dashboard beside it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = Path(folder)
        kept = Path(os.environ.get("GPT_TRADER_HOME", "")) / "jit"
        if kept.is_dir():
            (home / "jit").symlink_to(kept.resolve(), target_is_directory=True)
        env = {**os.environ, "GPT_TRADER_HOME": folder}
        words = [sys.executable, __file__, "bot", folder, str(seconds)]
        trading = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert trading.stdin is not None
        assert trading.stdout is not None
        assert trading.stdout.readline() == "listening\n"
        over = threading.Event()
        shown, watching = None, []
        if open_dashboard:
            words = [str(PROGRAM), "dashboard", RUN, "--port", str(PORT)]
            shown = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)
            assert shown.stdout is not None
            link = shown.stdout.readline().split()[1]
            url, _, query = link.partition("/login?code=")
            deadline = time.monotonic() + 60
            while True:
                try:
                    watching = clients(url, query.partition("&")[0], over)
                    break
                except ConnectionError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            time.sleep(3)  # its first reading is over
        trading.stdin.write("go\n")
        trading.stdin.flush()
        told: dict[str, Any] = json.loads(trading.stdout.readline())
        over.set()
        trading.wait(60)
        if shown is not None:
            shown.send_signal(signal.SIGINT)
            shown.wait(30)
            told["looks"] = sum(client.answers for client in watching)
            told["bytes"] = sum(client.bytes for client in watching)
        return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=20)
    asked = parser.parse_args()
    ratios = []
    for number in range(asked.pairs):
        order = (False, True) if number % 2 else (True, False)
        found = {with_it: one(asked.seconds, open_dashboard=with_it) for with_it in order}
        ratios.append(found[True]["p99_us"] / found[False]["p99_us"])
        print(
            f"pair {number + 1}: p99 alone {found[False]['p99_us']:,.0f} us, with {CLIENTS} clients "
            f"{found[True]['p99_us']:,.0f} us, ratio {ratios[-1]:.3f}; medians {found[False]['median_us']:,.0f} and "
            f"{found[True]['median_us']:,.0f} us; {found[True]['looks']} looks, {found[True]['bytes'] / 1e6:.1f} MB",
            flush=True,
        )
    middle = statistics.median(ratios)
    print(f"median ratio of p99 over {asked.pairs} pairs: {middle:.3f} (promised: at most {PROMISED})")
    sys.exit(0 if middle <= PROMISED else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["bot"]:
        bot(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
