"""What is measured of ours alone: how cost grows, what memory is taken, how long compiling and starting take."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from process import measure

Line = dict[str, Any]
Probe = Callable[[bool], list[Line]]

OURS = Path(__file__).resolve().parent / "ours"
FLAT = 1.25
"""Cost of one counts as flat when it grows by no more than a quarter from the smallest to the largest run."""
BUDGET_SECONDS = 420.0
"""The largest run of a series is left out, and said to be, when it would take longer."""
MEMORY_MIB_MAX = 400
COMPILE_SECONDS_MAX = 45.0
START_SECONDS_MAX = 1.5
ADDED_MS_MAX = 0.5
BACKLOG_MS_MAX = 50.0


def ours(script: str, *words: object, environment: dict[str, str] | None = None) -> dict[str, Any]:
    return measure([sys.executable, str(OURS / script), *map(str, words)], environment)


def best_of(times: int, script: str, *words: object) -> dict[str, Any]:
    return min((ours(script, *words) for _ in range(times)), key=lambda run: run["processor_s"])


def cost_us(run: dict[str, Any]) -> float:
    """Processor microseconds for one unit."""
    return float(run["processor_s"]) / int(run["units"]) * 1e6


def series(what: str, unit: str, runs: Sequence[tuple[int, dict[str, Any]]], left_out: str = "") -> list[Line]:
    """One line for each size, and one that says whether the cost of one stayed flat."""
    costs = [cost_us(run) for _, run in runs]
    lines: list[Line] = [
        {"what": f"{what} {size:,}", "ours": cost, "unit": unit, "runs": [run]}
        for (size, run), cost in zip(runs, costs, strict=True)
    ]
    growth = costs[-1] / costs[0]
    return [
        *lines,
        {
            "what": f"{what}: growth",
            "ratio": growth,
            "goal": f"<= {FLAT}x",
            "met": growth <= FLAT and not left_out,
            "note": left_out,
        },
    ]


def flat_orders(quick: bool) -> list[Line]:
    """Does one order cost the same at the millionth as at the thousandth?"""
    sizes = (1_000, 4_000, 16_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    runs: list[tuple[int, dict[str, Any]]] = []
    for size in sizes:
        guess = cost_us(runs[-1][1]) * size / 1e6 if runs else 0.0
        if guess > BUDGET_SECONDS:
            return series("us an order, orders", "us", runs, f"{size:,} left out: about {guess:,.0f} s")
        runs.append((size, best_of(2 if guess < 30 else 1, "orders.py", size)))
    return series("us an order, orders", "us", runs)


def flat_symbols(quick: bool) -> list[Line]:
    """Does one bar cost the same with five symbols in one bot as with one?"""
    bars = 10_000 if quick else 86_400
    runs = [(count, best_of(2, "symbols.py", count, bars)) for count in (1, 2, 5)]
    return series("us a bar, symbols", "us", runs)


def linear_events(quick: bool) -> list[Line]:
    """Is the cost of a market linear in its rows?"""
    whole = 500_000 if quick else 5_000_000
    runs = [(whole // share, best_of(3, "ticks.py", whole // share)) for share in (16, 4, 1)]
    return series("us a row, rows", "us", runs)


def memory(quick: bool) -> list[Line]:
    """How much memory does a streamed market take, and does it grow with the market?"""
    whole = 500_000 if quick else 5_000_000
    runs = [(whole * times // 4, ours("streamed.py", whole * times // 4)) for times in (1, 4, 16)]
    lines: list[Line] = [
        {
            "what": f"MiB at the peak, {rows:,} ticks",
            "ours": run["peak_mib"],
            "unit": "MiB",
            "goal": f"<= {MEMORY_MIB_MAX}",
            "met": run["peak_mib"] <= MEMORY_MIB_MAX,
            "runs": [run],
        }
        for rows, run in runs
    ]
    growth = runs[-1][1]["peak_mib"] / runs[0][1]["peak_mib"]
    return [*lines, {"what": "MiB: growth, 1x to 16x", "ratio": growth, "goal": "<= 1.1x", "met": growth <= 1.1}]


def compiling(quick: bool) -> list[Line]:
    """How long does the first start compile, and how long does a later one take?"""
    with tempfile.TemporaryDirectory(prefix="gpt-trader-bench-") as home:
        # as after an installation: Python keeps the bytecode of what it imports, whatever is set here
        place = {"GPT_TRADER_HOME": home, "PYTHONPYCACHEPREFIX": f"{home}/pyc", "PYTHONDONTWRITEBYTECODE": ""}
        cold = ours("start.py", "compile", environment=place)
        warm = min((ours("start.py", environment=place) for _ in range(3)), key=lambda run: run["process_processor_s"])
    return [
        {
            "what": "s to compile, once",
            "ours": cold["processor_s"],
            "unit": "s",
            "goal": f"<= {COMPILE_SECONDS_MAX:g} s",
            "met": cold["processor_s"] <= COMPILE_SECONDS_MAX,
            "note": f"{cold['units']} entry points; {cold['wall_s']:.0f} s of wall time",
            "runs": [cold],
        },
        {
            "what": "s to start later, whole process",
            "ours": warm["process_processor_s"],
            "unit": "s",
            "goal": f"<= {START_SECONDS_MAX:g} s",
            "met": warm["process_processor_s"] <= START_SECONDS_MAX,
            "note": f"import, load, build the bot, trade two bars, close the store; {warm['process_s']} s of wall time",
            "runs": [warm],
        },
    ]


def rooms(quick: bool) -> list[Line]:
    """Where does the time of one order go?"""
    run = ours("rooms.py", 500 if quick else 4000)
    return [
        {"what": f"us an order in {room}", "ours": cost, "unit": "us"}
        for room, cost in run["rooms"].items()
        if cost > 0.5
    ] + [{"what": "us an order, all", "ours": run["order_us"], "unit": "us", "runs": [run]}]


def wire(quick: bool) -> list[Line]:
    """What do we add between a market frame and an order on Coinbase's wire, beside the bare SDK over the same TLS?"""
    count = 100 if quick else 1000
    sent, seen = ours("wire.py", "orders", count), ours("wire.py", "ticks", 50 if quick else 400)
    added = sent["added_ms_p50"]
    return [
        {
            "what": "ms that place_order adds to the SDK's create_order, p50, durable write taken off",
            "ours": added,
            "unit": "ms",
            "goal": f"< {ADDED_MS_MAX:g} ms",
            "met": added < ADDED_MS_MAX,
            "note": f"{count} of each in turn, on two accounts of one venue in a process of its own",
            "runs": [sent],
        },
        *_milliseconds("place_order, durable write taken off", sent["place_order_without_write_ms"]),
        *_milliseconds("create_order of the bare SDK", sent["sdk_create_order_ms"]),
        *_milliseconds("durable write", sent["durable_write_ms"]),
        *_milliseconds(
            "frame of level 2 to bytes of an order, durable write included", seen["frame_to_bytes_ms"], seen
        ),
        *_milliseconds("the same, durable write taken off", seen["frame_to_bytes_without_write_ms"]),
    ]


def _milliseconds(what: str, spans: dict[str, float], run: dict[str, Any] | None = None) -> list[Line]:
    line: Line = {"what": f"ms, p50: {what}", "ours": spans["p50"], "unit": "ms", "note": f"p99 {spans['p99']:g} ms"}
    return [line | ({} if run is None else {"runs": [run]})]


def wire_stream(quick: bool) -> list[Line]:
    """Does a market of 2,000 messages a second leave a backlog, and does memory grow with it?"""
    run = ours("wire.py", "stream", 10 if quick else 600)
    first, last = run["rss_mib_first_last"]
    lag, kept = run["backlog_at_end_ms"]["p99"], run["messages"] >= 0.99 * 2000 * run["seconds"]
    return [
        {
            "what": f"ms behind at the end of {run['seconds']} s, p99",
            "ours": lag,
            "unit": "ms",
            "goal": f"<= {BACKLOG_MS_MAX:g} ms",
            "met": lag <= BACKLOG_MS_MAX and kept and not run["reconnects"],
            "note": f"{run['messages']:,} messages, {run['cpu_share']:.0%} of one processor",
            "runs": [run],
        },
        {
            "what": "MiB, end against the first ten seconds",
            "ratio": last / first,
            "goal": "<= 1.05x",
            "met": last <= 1.05 * first,
        },
    ]


PROBES: dict[str, Probe] = {
    "flat_orders": flat_orders,
    "flat_symbols": flat_symbols,
    "linear_events": linear_events,
    "memory": memory,
    "compiling": compiling,
    "rooms": rooms,
    "wire": wire,
    "wire_stream": wire_stream,
}
