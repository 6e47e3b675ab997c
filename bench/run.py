"""What does it cost, and what do others cost? Measures ours and each peer in the same run, and prints their ratios.

    make bench                                      everything, best of 3
    make bench ARGS="--case bars --repeat 1"        one case (or --case bars,ticks)
    make bench ARGS="--quick"                       small markets: shows that it runs, not what to quote
    make bench ARGS="--peer lrvx"                   only against this peer

Ours and the peers run in turn (ours, peer, peer, ours, ...), each in a process of its own, and the best of each counts.
Times are processor seconds (user and system, all threads) unless a case waits for the disk: neighbours on the machine
disturb them less than wall time. Both are in bench/results.json. What they mean: docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import alone
import data
from cases import CASES, PEERS, Case, Peer, Rival
from process import Failed, measure
from rich.console import Console
from rich.table import Table
from ruler import calib_ms

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "docs" / "performance.md"
SLOW_SECONDS = 45.0
"""A program that runs longer is measured once: its figure moves less than the machine does."""

say = Console(stderr=True)


def main() -> int:
    options = parse(sys.argv[1:])
    data.make(data.folder())
    os.environ.setdefault("PYTHONHASHSEED", "0")
    results: list[dict[str, Any]] = []
    say.print(f"calib {calib_ms():.1f} ms (an idle machine of the README's kind: 10.5)")
    for case in chosen(options.case):
        say.print(f"[bold]{case.name}[/]: {case.title}")
        rivals = [rival for rival in case.rivals if not options.peer or rival.peer in options.peer.split(",")]
        results += race(case, rivals, quick=options.quick, repeat=options.repeat)
    for name, probe in alone.PROBES.items():
        if wanted(options.case, name) and not options.peer:
            say.print(f"[bold]{name}[/]: {(probe.__doc__ or '').splitlines()[0]}")
            results += attempt(name, probe, quick=options.quick)
    show(results)
    together = write(results, options)
    if options.document:
        document(together)
    wrong = [line for line in results if line.get("wrong")]
    for line in wrong:
        say.print(f"[red]wrong[/] {line['case']}: {line['wrong']}")
    return 1 if wrong else 0


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure ours and the peers in the same run.")
    names = ", ".join([case.name for case in CASES] + list(alone.PROBES))
    parser.add_argument("--case", default="", help=f"comma list of: {names}")
    parser.add_argument("--peer", default="", help=f"comma list of: {', '.join(PEERS)}")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side; the best counts")
    parser.add_argument("--quick", action="store_true", help="small markets")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    return parser.parse_args(words)


def wanted(selection: str, name: str) -> bool:
    return not selection or name in selection.split(",")


def chosen(selection: str) -> Iterator[Case]:
    known = {case.name for case in CASES} | set(alone.PROBES)
    for name in filter(None, selection.split(",")):
        if name not in known:
            raise SystemExit(f"--case {name}: no such case; there are {', '.join(sorted(known))}")
    return (case for case in CASES if wanted(selection, case.name))


def race(case: Case, rivals: Sequence[Rival], *, quick: bool, repeat: int) -> list[dict[str, Any]]:
    """One line for each rival, or one line of ours alone."""
    ours: list[dict[str, Any]] = []
    theirs: dict[str, list[dict[str, Any]]] = {rival.label: [] for rival in rivals}
    said: dict[str, str] = {}
    for turn in range(repeat):
        if turn == 0 or not slow(ours):
            run_ours(case, ours, said, quick=quick)
        if case.name in said:
            break
        for rival in rivals:
            runs = theirs[rival.label]
            if rival.label in said or (turn and slow(runs)):
                continue
            peer = PEERS[rival.peer]
            if not peer.python().exists():
                said[rival.label] = f"not installed: bench/peers {peer.name}"
                continue
            try:
                runs.append(measure([str(peer.python()), str(HERE / "theirs" / peer.script), *rival.words(quick)]))
            except Failed as error:
                said[rival.label] = str(error)
    return [line(case, rival, ours, theirs[rival.label], said, quick=quick) for rival in rivals] or [
        line(case, None, ours, [], said, quick=quick)
    ]


def run_ours(case: Case, runs: list[dict[str, Any]], said: dict[str, str], *, quick: bool) -> None:
    try:
        runs.append(measure([sys.executable, str(HERE / "ours" / case.script), *case.words(quick)]))
    except Failed as error:
        said[case.name] = str(error)


def slow(runs: Sequence[dict[str, Any]]) -> bool:
    return bool(runs) and runs[-1]["process_s"] > SLOW_SECONDS


def best(runs: Sequence[dict[str, Any]], clock: str) -> float | None:
    """Units a second of the best run."""
    return max((run["units"] / run[clock] for run in runs), default=None)


def line(
    case: Case,
    rival: Rival | None,
    ours: Sequence[dict[str, Any]],
    theirs: Sequence[dict[str, Any]],
    said: dict[str, str],
    *,
    quick: bool,
) -> dict[str, Any]:
    """Everything that is known of one comparison."""
    mine, other = best(ours, case.clock), best(theirs, case.clock)
    ratio = mine / other if mine and other else None
    goal = rival.goal if rival else None
    wall_mine, wall_other = best(ours, "wall_s"), best(theirs, "wall_s")
    return {
        "case": case.name,
        "title": case.title,
        "unit": case.unit,
        "clock": case.clock,
        "peer": rival.label if rival else "",
        "ours": mine,
        "theirs": other,
        "ratio": ratio,
        "ratio_wall": wall_mine / wall_other if wall_mine and wall_other else None,
        "goal": goal,
        "met": None if ratio is None or goal is None else ratio >= goal,
        "quick": quick,
        "said": said.get(case.name) or (said.get(rival.label) if rival else None),
        "equal_work": case.equal_work(ours, theirs),
        "wrong": case.wrong(ours),
        "note": rival.note if rival else "",
        "runs": {"ours": list(ours), "theirs": list(theirs)},
    }


def attempt(name: str, probe: alone.Probe, *, quick: bool) -> list[dict[str, Any]]:
    try:
        return [{"case": name, "quick": quick} | found for found in probe(quick)]
    except Failed as error:
        return [{"case": name, "quick": quick, "said": str(error)}]


def show(results: Sequence[dict[str, Any]]) -> None:
    table = Table(title="ours against peers" if any(found.get("peer") for found in results) else "ours")
    for name in ("case", "what", "ours", "peer", "ratio", "goal", "met", "equal work?"):
        table.add_column(name, justify="right" if name in {"ours", "peer", "ratio", "goal"} else "left")
    for found in results:
        table.add_row(
            found["case"],
            found.get("peer") or found.get("what") or found.get("unit", ""),
            number(found.get("ours")),
            number(found.get("theirs")) if found.get("theirs") else "",
            f"{found['ratio']:.2f}x" if found.get("ratio") else "",
            goal_text(found),
            {True: "[green]yes[/]", False: "[red]no[/]", None: "-"}[found.get("met")],
            found.get("said") or found.get("wrong") or found.get("equal_work") or found.get("note", ""),
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def goal_text(found: dict[str, Any]) -> str:
    goal = found.get("goal")
    if goal is None:
        return ""
    return goal if isinstance(goal, str) else f">= {goal:g}x"


def number(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(results: Sequence[dict[str, Any]], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Results of cases that were not measured now stay as they were, with the time at which they were measured."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    machine = {"python": platform.python_version(), "system": platform.system(), "processors": os.cpu_count()}
    fresh = [{"at": at, "machine": machine, "calib_ms": round(calib_ms(), 2)} | found for found in results]
    kept: list[dict[str, Any]] = []
    if options.output.exists():
        again = {(found["case"], found.get("peer"), found.get("what")) for found in fresh}
        before = json.loads(options.output.read_text())
        kept = [found for found in before if (found["case"], found.get("peer"), found.get("what")) not in again]
    order = [case.name for case in CASES] + list(alone.PROBES)
    together = sorted(kept + fresh, key=lambda found: order.index(found["case"]) if found["case"] in order else 99)
    options.output.write_text(json.dumps(together, indent=1) + "\n")
    say.print(f"written: {options.output}")
    return together


def document(results: Sequence[dict[str, Any]]) -> None:
    """Put the table where the marks are. Quick results are never written down."""
    found = [each for each in results if not each["quick"]]
    rows = [
        (
            each["case"],
            each.get("peer") or each.get("what") or each.get("unit", ""),
            number(each.get("ours")),
            number(each.get("theirs")),
            f"{each['ratio']:.2f}x" if each.get("ratio") else "",
            goal_text(each).replace("<", "&lt;").replace(">", "&gt;"),
            {True: "yes", False: "**no**", None: "-"}[each.get("met")],
            each.get("said") or each.get("equal_work") or each.get("note", ""),
        )
        for each in found
    ]
    lines = [
        "| Case | Against | Ours | Theirs | Ratio | Goal | Met | Equal work, notes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    when = max((each["at"] for each in found), default="never")
    machine = f"Newest figure of {when}; {os.cpu_count()} processors, Python {platform.python_version()}.\n\n"
    text = PAGE.read_text(encoding="utf8")
    head, _, rest = text.partition("<!-- results -->")
    _, mark, tail = rest.partition("<!-- end of results -->")
    PAGE.write_text(f"{head}<!-- results -->\n{machine}" + "\n".join(lines) + f"\n{mark}{tail}", encoding="utf8")


__all__ = ["Peer", "main"]

if __name__ == "__main__":
    raise SystemExit(main())
