"""Kill, flatten and reduce-only from a shell and by signal, over real processes: at the paper venue and at a served one.

The second half starts the program as a person does, with both switches, against a venue in this process that speaks
Coinbase's protocol; what is proven is proven at that venue, not by the bot's own word.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.command_line import TIMEOUT_SECONDS, command, ended, events_of, of_type, started, stores
from tests.exchange_places import market
from tests.local_receiver import Got, receiver
from tests.venue_server import ServedVenue, served

from gpt_trader.core.clock import NS
from gpt_trader.ops.asking import Running, running_bots
from gpt_trader.ops.replay import replay

BTC = "BTC-PERP"
CANARY = "canary93b1f07e55"
WAIT_SECONDS = 60.0
PROFILE = """\
symbols: [BTC-PERP]
strategy: {short_ma: 2000, long_ma: 3000}
risk: {enable_volatility_circuit_breaker: false, max_position_size_pct: 5, max_exposure_pct: 5, max_leverage: 5,
  max_position_pct_per_symbol: 5, daily_loss_limit: 1000, min_liquidation_buffer_pct: 0}
"""
"""A strategy that never has enough bars to want anything, so that only people trade."""
LIVE = "venue: {kind: coinbase, live_trading: true}\nrun: {pace: realtime}\n"


def heard(process: subprocess.Popen[str], home: Path) -> Running:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (found := list(running_bots(home))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never listened"
        time.sleep(0.05)
    return found[0]


def eventually(there: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not there():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)


def placed(bot: Running, quantity: str, **arguments: str) -> dict[str, object]:
    return bot.tell("place", {"side": "buy", "quantity": quantity, "symbol": BTC, **arguments}, "a test")


@pytest.fixture
def figures() -> int:
    """A port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def woken() -> Iterator[Got]:
    """Where alerts arrive."""
    with receiver() as here:
        yield here


@pytest.fixture
def paper(
    state_home: Path, tmp_path: Path, figures: int, woken: Got
) -> Iterator[tuple[subprocess.Popen[str], Running]]:
    """A bot on the made-up market in real time, with a position and a resting entry."""
    profile = tmp_path / "quiet.yaml"
    profile.write_text(PROFILE)
    env = {
        "GPT_TRADER_METRICS__PORT": str(figures),
        "GPT_TRADER_ALERTS__URLS": f"json://127.0.0.1:{woken.port}/{CANARY}",
        "GPT_TRADER_ALERTS__URLS_INFO": f"json://127.0.0.1:{woken.port}/info",
    }
    process = started("run", "--profile", str(profile), "--pace", "realtime", "--duration", "1h", "--json", env=env)
    try:
        bot = heard(process, state_home)
        assert placed(bot, "0.1")["outcome"] == "FILLED"
        mark = Decimal(str(bot.tell("positions")["positions"][0]["mark"]))  # type: ignore[index]
        below = (mark * Decimal("0.98")) // 5 * 5
        assert placed(bot, "0.01", limit=str(below), tif="GTC")["outcome"] == "RESTING"
        yield process, bot
    finally:
        process.kill()
        process.communicate()


def test_a_signal_kills_and_a_shell_flattens(
    paper: tuple[subprocess.Popen[str], Running], state_home: Path, figures: int, woken: Got
) -> None:
    """SIGUSR1: the entry goes within a second, the position stays. Flatten: refused without the name, done with it.

    Mode and cancel are there within a second of the word, the venue proves the end, and the log replays to the same.
    Figures and alerts say so too, and the address of the alerts is nowhere."""
    process, bot = paper

    process.send_signal(signal.SIGUSR1)
    eventually(lambda: not bot.tell("status")["orders"], "the entry's cancel")
    assert bot.tell("status")["positions"] == {BTC: "0.10"}
    refused = command("flatten", "--reason", "a test", "--confirm", "another-run")
    assert (refused.code, "not confirmed" in refused.err) == (1, True)
    done = command("flatten", "--reason", "a test", "--confirm", bot.name, "--json")

    answer = json.loads(done.out)
    assert (done.code, answer["flat"], answer["mode"]) == (0, True, "REDUCE_ONLY"), done
    assert float(answer["took_seconds"]) < 5
    status = bot.tell("status")
    assert (status["positions"], status["orders"]) == ({}, {})
    assert placed(bot, "0.01")["code"] == "reduce_only_mode"
    eventually(lambda: 'gpt_trader_commands_total{command="flatten"} 1.0' in page_of(figures), "the count of flatten")
    page = page_of(figures)
    assert 'gpt_trader_mode{mode="REDUCE_ONLY"} 1.0' in page
    assert "gpt_trader_store_commit_seconds_count" in page
    woken.until(lambda path, body: path == f"/{CANARY}" and "killed by signal SIGUSR1" in body)
    woken.until(lambda path, body: path == "/info" and "flat at the venue: BTC-PERP, by market" in body)
    process.send_signal(signal.SIGTERM)
    done = ended(process)
    assert done.code == 130
    (store,) = stores(state_home)
    written = b"".join(path.read_bytes() for path in store.parent.iterdir() if path.is_file())
    assert CANARY not in done.out + done.err + page
    assert CANARY.encode() not in written
    check_times(store, "signal SIGUSR1")
    assert [event["symbols"] for event in of_type(events_of(store), "FlattenEnded")] == [[BTC]]
    replayed = replay(store, state_home)
    assert (replayed.is_same, replayed.whole_log) == (True, True), replayed.differences[:3]


def page_of(port: int) -> str:
    """The figures as they are; those of events are counted in another thread."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def check_times(store: Path, who: str) -> None:
    """What a signal said was written down; mode and first cancel follow within a second of it."""
    events = events_of(store)
    kill = next(event for event in of_type(events, "OperatorCommanded") if event["who"] == who)
    after = [
        event for event in of_type(events, "ModeChanged", "OrderCancelRequested") if event["at_ns"] >= kill["at_ns"]
    ]
    assert {event["type"] for event in after if event["at_ns"] - kill["at_ns"] < NS} == {
        "ModeChanged",
        "OrderCancelRequested",
    }


# --- at a served venue ------------------------------------------------------------------------------------------------
@pytest.fixture
def live(state_home: Path, tmp_path: Path) -> Iterator[tuple[ServedVenue, subprocess.Popen[str], Running]]:
    """`gpt-trader run --live` at a venue that speaks Coinbase's protocol, with a position, a stop and a resting entry."""
    profile, ready = tmp_path / "live.yaml", tmp_path / "ready.json"
    profile.write_text(PROFILE + LIVE)
    with served(tmp_path, market(3 * 3600), speed=1.0, history_seconds=3600, cash=Decimal(100_000)) as venue:
        ready.write_text(json.dumps(venue.ready))
        process = started("run", "--profile", str(profile), "--served", str(ready), "--live", "--json")
        try:
            bot = heard(process, state_home)
            assert placed(bot, "0.1")["outcome"] == "FILLED"
            mark = Decimal(str(bot.tell("positions")["positions"][0]["mark"]))  # type: ignore[index]
            below = (mark * Decimal("0.98")) // 5 * 5
            assert placed(bot, "0.01", limit=str(below), tif="GTC")["outcome"] == "RESTING"
            yield venue, process, bot
        finally:
            process.kill()
            process.communicate()


def at_venue(venue: ServedVenue) -> tuple[Decimal, list[str]]:
    """Position, and the orders that are open, as the venue itself has them."""
    running = venue.server.running
    position = sum((each.quantity for each in running.venue.positions()), Decimal(0))
    return position, [order.client_order_id for order in venue.server.desk.by_account[0] if order.status == "OPEN"]


@pytest.mark.long
def test_kill_reduce_only_and_flatten_at_a_served_venue(
    live: tuple[ServedVenue, subprocess.Popen[str], Running], state_home: Path
) -> None:
    """Each does what it says at the venue itself: `pytest -m long tests/integration/test_flatten.py`, half a minute.

    Flatten is a signal here, and flat is flat within the tactic's limit and five seconds."""
    venue, process, bot = live
    held, resting = at_venue(venue)
    assert (held, len(resting)) == (Decimal("0.10"), 1)

    assert bot.tell("mode", {"mode": "REDUCE_ONLY"}, "a test")["mode"] == "REDUCE_ONLY"
    assert at_venue(venue)[1] == resting, "reduce-only takes nothing back"
    assert bot.tell("kill", {}, "a test")["mode"] == "REDUCE_ONLY"
    eventually(lambda: not at_venue(venue)[1], "the entry's cancel at the venue")
    process.send_signal(signal.SIGUSR2)
    eventually(lambda: at_venue(venue) == (Decimal(0), []), "flat at the venue")

    (store,) = stores(state_home)
    eventually(lambda: bool(list(of_type(events_of(store), "FlattenEnded"))), "the venue's word")
    (flat,) = of_type(events_of(store), "FlattenEnded")
    assert flat["flat"] is True, flat
    assert flat["took_ms"] < flat["limit_ms"] == 45_000
