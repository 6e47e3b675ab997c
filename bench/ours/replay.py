"""How long does a bot need to know everything again? A log of COUNT events, verified and replayed into a new bot.

`replay.py COUNT [FOLDER]`: makes the log once in FOLDER (by trading on every bar, stored a row an event as live runs
are), then reads it: the whole chain verified and every part of the bot restored, without and with a snapshot.
"""

import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from house import RISK, Flip, product

from gpt_trader.bot.builder import PerpsBotBuilder, RunIdentity
from gpt_trader.config.bot import BotConfig
from gpt_trader.core.clock import VirtualClock, run_virtual
from gpt_trader.exchange.paper import PaperExchange, kernel_entry_points
from gpt_trader.market.compiled import compile_entry_points
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.rows import BAR, ROW
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import last_boot, last_sequence, read_run, verify

EVENTS_A_BAR = 15
MINUTE_NS = 60_000_000_000


def bars(count: int) -> ArrayStream:
    rows = np.zeros(count, ROW)
    rows["ts"] = rows["recv"] = 1_767_225_600_000_000_000 + MINUTE_NS * np.arange(1, count + 1)
    rows["kind"] = BAR
    walk = 600_000 + np.cumsum(np.random.default_rng(7).integers(-50, 51, count))
    for field in "abcd":
        rows[field] = walk
    rows["e"] = 100_000
    return ArrayStream([product()], rows, bar_seconds=60, start_ns=int(rows["ts"][0]) - MINUTE_NS)


def built(stream: ArrayStream, store: EventStore, snapshot_events: int = 0):
    clock = VirtualClock(stream.start_ns)
    adapter = PaperExchange(stream, clock=clock, cash=Decimal(100_000_000))
    config = BotConfig.model_validate({"profile": "bench", "risk": RISK, "run": {"mark_outs": False}})
    identity = RunIdentity(
        run_id="bench", boot=store.boot, environment="simulated", config_digest="", market="", seed=0
    )
    bot = PerpsBotBuilder(
        config,
        adapter=adapter,
        clock=clock,
        journal=store,
        identity=identity,
        bar_seconds=60,
        strategy=lambda _: Flip(),
        snapshot_events=snapshot_events,
    ).build()
    return clock, adapter, bot


def make(path: Path, count: int) -> None:
    compile_entry_points(kernel_entry_points(), lambda *_: None)
    stream = bars(count // EVENTS_A_BAR + 10)
    played = path.with_name("played") / "events.sqlite"
    with EventStore.open(played, "bench", 1, durable=False) as store:
        clock, adapter, made = built(stream, store)

        async def main() -> None:
            await made.bot.start()
            await made.bot.run_until_stopped(stream.end_ns)

        run_virtual(clock, adapter, main)
    with EventStore.open(path, "bench", 1, durable=True) as store:
        for recorded in read_run(played):
            store.append(recorded.event)
            if recorded.sequence >= count:
                break


def timed(what: str, work) -> object:
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    print(f"{what}: {time.perf_counter() - wall:.2f} s, of which {time.process_time() - processor:.2f} s computing")
    return result


def main(count: int, folder: Path) -> None:
    path = folder / "run" / "events.sqlite"
    if not path.exists():
        timed(f"made a log of {count} events", lambda: make(path, count))
    print(f"{last_sequence(path)} events, {path.stat().st_size / 1e6:.0f} MB")
    assert not timed("verified", lambda: verify(path)).breaks
    with EventStore.open(path, "bench", last_boot(path) + 1, durable=True) as store:
        timed("replayed into a bot, verified as it is read", lambda: built(bars(10), store))
    for what in ("the same, and a snapshot kept", "begun from the snapshot"):
        with EventStore.open(path, "bench", last_boot(path) + 1, durable=True) as store:
            _, _, bot = timed(what, lambda store=store: built(bars(10), store, 10_000))
            print(f"  {bot.replayed} events known; the snapshot has {len(store.snapshots()[0].state) / 1e6:.1f} MB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made_for_now:
        main(int(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else made_for_now))
