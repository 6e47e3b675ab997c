"""What is raced, against whom, and what do we want to reach? The goals are those that the project set itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from data import folder, peers_home
from expected import cross_sides, flip_sides, reckon

TICK = 0.1
Runs = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Peer:
    """Another program, in an environment of its own."""

    name: str
    environment: str
    script: str

    def python(self) -> Path:
        return peers_home() / "venvs" / self.environment / "bin" / "python"


PEERS = {
    peer.name: peer
    for peer in (
        Peer("lrvx", "lrvx", "with_lrvx.py"),
        Peer("backtesting", "backtesting", "with_backtesting.py"),
        Peer("basana", "basana", "with_basana.py"),
        Peer("nautilus", "nautilus313", "with_nautilus.py"),
        Peer("nautilus-rust", "nautilus313", "with_nautilus_rust.py"),
        Peer("hftbacktest", "hbt", "with_hftbacktest.py"),
        Peer("vectorbt", "vectorbt", "with_vectorbt.py"),
    )
}


@dataclass(frozen=True)
class Rival:
    """One peer in one case."""

    peer: str
    full: tuple[str, ...]
    quick: tuple[str, ...]
    goal: float | None = None
    variant: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        return f"{self.peer} {self.variant}".strip()

    def words(self, quick: bool) -> tuple[str, ...]:
        return self.quick if quick else self.full


@dataclass(frozen=True)
class Case:
    """One workload."""

    name: str
    title: str
    unit: str
    script: str
    full: tuple[str, ...]
    quick: tuple[str, ...]
    rivals: tuple[Rival, ...]
    expected: Callable[[dict[str, Any]], dict[str, float]] | None = None
    clock: str = "processor_s"
    switched_on: str = field(default="")

    def words(self, quick: bool) -> tuple[str, ...]:
        return self.quick if quick else self.full

    def wrong(self, ours: Runs) -> str:
        """What in our result is not what the same trades give when reckoned by hand; empty when all agrees."""
        if self.expected is None or not ours:
            return ""
        want = self.expected(ours[0])
        found = [
            f"{name} {run[name]} instead of {value}"
            for run in ours
            for name, value in want.items()
            if abs(float(run[name]) - value) > 0.005
        ]
        if len({run["event_hash"] for run in ours}) > 1:
            found.append("the event hash differs between runs")
        return "; ".join(found)

    def equal_work(self, ours: Runs, theirs: Runs) -> str:
        """Orders of both sides, and how far the peer's money is from the same trades reckoned by hand."""
        if not ours or not theirs:
            return ""
        words = f"orders {ours[0]['orders']:,} / {theirs[0]['orders']:,}"
        if "fees" in ours[0] and "fees" in theirs[0]:
            words += f", fees {float(ours[0]['fees']):,.2f} / {float(theirs[0]['fees']):,.2f}"
        if "memory_mib" in ours[0] and "memory_mib" in theirs[0]:
            words += f", memory {ours[0]['memory_mib']:,} / {theirs[0]['memory_mib']:,} MiB"
        return words


def closes(count: int) -> np.ndarray:
    made = np.load(folder() / "bars_BTC.npy")["c"]
    return np.resize(made, count)


def bars_expected(run: dict[str, Any]) -> dict[str, float]:
    """A close and an open for each turn, one tick of half spread."""
    prices = closes(run["units"])
    return _ours(reckon(cross_sides(prices), prices, TICK))


def orders_expected(run: dict[str, Any]) -> dict[str, float]:
    """Nothing is traded at the last close any more: the market is over."""
    prices = closes((run["asked"] + 1) // 2 + 1)
    sides = flip_sides(len(prices))
    sides[-1] = sides[-2]
    return _ours(reckon(sides, prices, TICK))


def sweep_expected(run: dict[str, Any]) -> dict[str, float]:
    """Fees of one of the sets; an order at the last close is not carried out any more."""
    prices = closes(run["bars"])
    sides = cross_sides(prices, *run["one"])
    sides[-1] = sides[-2]
    return {"fees_of_one": reckon(sides, prices, TICK)["fees"]}


def _ours(want: dict[str, float]) -> dict[str, float]:
    return {
        "fills": want["orders_apart"],
        "position": want["position"],
        "profit": want["profit"],
        "fees": want["fees"],
    }


CASES: tuple[Case, ...] = (
    Case(
        name="bars",
        title="259,200 one-minute bars, EMA 20/50 cross, market order flips, fees; strategy step by step",
        unit="bars/s",
        script="bars.py",
        full=("step",),
        quick=("step", "30000"),
        expected=bars_expected,
        rivals=(
            Rival("lrvx", ("bars",), ("bars", "30000"), goal=1.0),
            Rival("backtesting", ("bars",), ("bars", "30000"), goal=3.0),
            Rival("basana", ("bars",), ("bars", "10000")),
            Rival("nautilus", ("bars",), ("bars", "30000"), goal=15.0),
            Rival("nautilus-rust", ("bars",), ("bars", "30000"), goal=6.0),
        ),
    ),
    Case(
        name="bars_vector",
        title="the same bars and orders, the signal in its vectorised form",
        unit="bars/s",
        script="bars.py",
        full=("vector",),
        quick=("vector", "30000"),
        expected=bars_expected,
        rivals=(
            Rival("lrvx", ("bars",), ("bars", "30000"), goal=2.0),
            Rival("vectorbt", ("bars",), ("bars", "30000"), note="arrays only, no order life"),
        ),
    ),
    Case(
        name="ticks",
        title="5,000,000 quotes and trades, strategy on the one-minute bars built from them",
        unit="rows/s",
        script="ticks.py",
        full=(),
        quick=("500000",),
        rivals=(
            Rival("lrvx", ("ticks", "books"), ("ticks", "500000", "books"), goal=15.0, variant="told of all"),
            Rival("lrvx", ("ticks",), ("ticks", "500000"), variant="told of trades"),
            Rival("nautilus", ("ticks",), ("ticks", "500000"), goal=40.0),
        ),
    ),
    Case(
        name="l2",
        title="2.2 M rows of depth and trades, EMA 200/500 once a second, a close and an open on a cross, 10 ms",
        unit="rows/s",
        script="l2.py",
        full=("200", "500"),
        quick=("200", "500", "300000"),
        rivals=(Rival("hftbacktest", ("l2", "200", "500"), ("l2", "200", "500", "300000"), goal=0.8),),
    ),
    Case(
        name="l2_busy",
        title="the same with EMA 20/50: ten times the orders",
        unit="rows/s",
        script="l2.py",
        full=("20", "50"),
        quick=("20", "50", "300000"),
        rivals=(Rival("hftbacktest", ("l2", "20", "50"), ("l2", "20", "50", "300000"), goal=0.8),),
    ),
    Case(
        name="orders",
        title="market orders on every bar through the whole hallway, every event hashed and stored",
        unit="orders/s",
        script="orders.py",
        full=("50000",),
        quick=("4000",),
        expected=orders_expected,
        rivals=(
            Rival("nautilus", ("orders", "16000"), ("orders", "2000"), goal=10.0),
            Rival("nautilus-rust", ("orders", "16000"), ("orders", "2000")),
            Rival("basana", ("orders", "50000"), ("orders", "4000"), goal=1.0, note="aim: 2x"),
            Rival("lrvx", ("orders", "50000", "hooks", "log"), ("orders", "4000", "hooks", "log"), variant="hooks+log"),
            Rival("lrvx", ("orders", "50000", "hooks"), ("orders", "4000", "hooks"), variant="hooks"),
            Rival("lrvx", ("orders", "50000"), ("orders", "4000"), variant="bare"),
        ),
    ),
    Case(
        name="orders_durable",
        title="the same, every order on the disk (fsync) before it leaves",
        unit="orders/s",
        script="orders.py",
        full=("5000", "durable"),
        quick=("1000", "durable"),
        expected=orders_expected,
        clock="wall_s",
        rivals=(),
    ),
    Case(
        name="sweep",
        title="100 sets of an EMA cross over the bars, two workers; a turn is a close and an open",
        unit="sets/s",
        script="sweep.py",
        full=("2", "busy"),
        quick=("2", "busy", "4", "30000"),
        expected=sweep_expected,
        clock="wall_s",
        rivals=(
            Rival("vectorbt", ("sweep", "busy"), ("sweep", "busy", "4", "30000"), goal=0.25, note="no order life"),
            Rival("lrvx", ("sweep", "busy"), ("sweep", "busy", "4", "30000"), goal=1.0, note="two processes"),
        ),
    ),
    Case(
        name="sweep_rare",
        title="the same with averages of thousands of bars: some two hundred orders a set",
        unit="sets/s",
        script="sweep.py",
        full=("2", "rare"),
        quick=("2", "rare", "4", "30000"),
        expected=sweep_expected,
        clock="wall_s",
        rivals=(Rival("vectorbt", ("sweep", "rare"), ("sweep", "rare", "4", "30000"), goal=1.0, note="no order life"),),
    ),
)
