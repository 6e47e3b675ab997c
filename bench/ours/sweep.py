"""Case sweep: sets of an EMA cross over 259,200 bars, each a production run, on WORKERS processes over one market.

`sweep.py WORKERS busy|rare [SETS] [COUNT]`. Processes are up and have loaded the kernels before the clock starts.
"""

import hashlib
import resource
import sys
import tempfile
from pathlib import Path

from house import FRACTION, RISK, bar_stream, compile_entry_points, data, kernel_entry_points
from ruler import CASH, Timer, peak_mib, sweep_pairs, tell

from gpt_trader import __version__
from gpt_trader.config.bot import BotConfig
from gpt_trader.research.search.shared_market import MarketHead, share_market
from gpt_trader.research.search.trial import Task
from gpt_trader.research.search.workers import InProcess, LocalWorkers, Setup


def peak_of(process: int) -> int:
    """MiB at the peak, of what a process has for itself: pages of the mapped market are counted once, in none."""
    status = Path(f"/proc/{process}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return (int(lines["VmHWM"].split()[0]) - int(lines["RssFile"].split()[0])) // 1024


def main(count: int, kind: str, sets: int, bars: int | None) -> None:
    compile_entry_points(kernel_entry_points(), lambda *_: None)
    stream = bar_stream(bars)
    base = BotConfig.model_validate(
        {
            "profile": "bench",
            "risk": RISK,
            "strategy": {
                "name": "ema_cross",
                "folder": str(Path(__file__).resolve().parents[1] / "strategies"),
                "position_fraction": str(FRACTION),
                "allow_shorts": True,
            },
            "venue": {
                "starting_cash": CASH,
                "entry_latency_ms": 0,
                "ack_latency_ms": 0,
                "bar_half_spread_bps": 0,
                "bar_levels": 1,
                "bar_level_share": 1,
            },
        }
    )
    pairs = sweep_pairs(kind, [sets])
    with tempfile.TemporaryDirectory(prefix="gpt-trader-bench-") as folder:
        setup = Setup(base, MarketHead.of(stream), share_market(stream, Path(folder)), 3600)
        workers = InProcess(setup) if count == 1 else LocalWorkers(setup, count)

        def task(number: int, fast: int, slow: int, end_ns: int) -> Task:
            values = {"strategy.parameters.fast": str(fast), "strategy.parameters.slow": str(slow)}
            return Task(number, values, stream.start_ns, end_ns)

        early = stream.start_ns + 600 * data.MINUTE_NS
        list(workers.results([task(number, 5, 20, early) for number in range(2 * count)]))
        tasks = [task(number, *pair, stream.end_ns) for number, pair in enumerate(pairs)]
        with Timer() as timer:
            outcomes = sorted(workers.results(tasks), key=lambda outcome: outcome.number)
        own = workers.processes() if isinstance(workers, LocalWorkers) else ()
        peaks = [peak_of(process) for process in own]
        workers.close()
    used = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) if own else timer.processor
    bad = [outcome for outcome in outcomes if outcome.state != "complete"]
    assert not bad, bad[0]
    asked = pairs.index((20, 50)) if (20, 50) in pairs else 0
    tell(
        timer=timer,
        units=len(pairs),
        version=__version__,
        orders=int(sum(outcome.figures["orders"] for outcome in outcomes)),
        fees=sum(outcome.figures["fees"] for outcome in outcomes),
        fees_of_one=outcomes[asked].figures["fees"],
        event_hash=hashlib.sha256(
            repr([(each.values, each.figures, each.curve) for each in outcomes]).encode()
        ).hexdigest(),
        one=pairs[asked],
        bars=bars or 259_200,
        workers=count,
        workers_processor_s=round(used, 3),
        memory_mib=peak_mib() + sum(peaks),
        switched_on="production bot, engine Live, all rules and guards, ledger, metrics; events told and not kept",
    )


if __name__ == "__main__":  # workers come here too
    numbers = [int(word) for word in sys.argv[3:]]
    main(int(sys.argv[1]), sys.argv[2], *(numbers or [100])[:1], *(numbers[1:] or [None]))
