"""Which runs are there, and who keeps looking at them? One thread reads and asks for everybody."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

from gpt_trader.core.clock import NS, Clock
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.values import Value
from gpt_trader.ops.asking import running_bots
from gpt_trader.ops.dashboard.feed import RunFeed, ask, facts_beside
from gpt_trader.ops.dashboard.prices import MarketAgain
from gpt_trader.ops.picture import Picture
from gpt_trader.records.runs import places
from gpt_trader.report.curves import Curves
from gpt_trader.report.facts import RunFacts

__all__ = ["RunLine", "Runs"]

FEEDS_MAX: Final = 6
"""Runs that are kept open; the one that was looked at longest ago is let go."""
LOOK_SECONDS: Final = 1.0
BEHIND_SECONDS: Final = 0.05
"""Between two pieces of a long log, for whoever wants to see what is there already."""
UNWATCHED_SECONDS: Final = 10.0
"""How often a run is looked at when nobody sees it, so that its trail goes on."""
WATCHED_NS: Final = 10 * NS
"""Somebody looks who has asked within so long."""
RUNS_SHOWN_MAX: Final = 50
CURVES_SECONDS: Final = 2.0


class RunLine(Value, frozen=True, kw_only=True):
    """One run in the list."""

    name: str
    picture: Picture | None = None
    """Of one that runs."""
    facts: RunFacts | None = None
    """Of a run that came to its end."""


class Watched:
    """A run that is open here, with its market."""

    def __init__(self, folder: Path) -> None:
        self.feed = RunFeed(folder)
        self.market: MarketAgain | None = None
        self.looked_ns = 0
        self._curves: Curves | None = None
        self._curves_ns = 0

    def curves(self, now_ns: int) -> Curves | None:
        """Of a simulated market; made anew every two seconds at most. The feed's lock is held."""
        feed = self.feed
        if self.market is None and feed.started is not None and feed.around.settings:
            self.market = MarketAgain(feed.log.place, feed.started, feed.around.settings)
        if self.market is None or not self.market.ready or feed.behind:
            return None
        if self._curves is None or (feed.is_running and now_ns - self._curves_ns > CURVES_SECONDS * NS):
            self._curves, self._curves_ns = self.market.curves(feed.story, feed.now_ns), now_ns
        return self._curves


class Runs:
    """Everything under one GPT_TRADER_HOME."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self.home = home
        self.clock = clock
        self._open: OrderedDict[str, Watched] = OrderedDict()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Runs:
        self._thread = threading.Thread(target=self._look_on, name="look", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def list(self) -> list[RunLine]:
        """The newest first."""
        living = {bot.name: ask(bot) for bot in running_bots(self.home)}
        newest = places(self.home)[::-1][:RUNS_SHOWN_MAX]
        found = [
            RunLine(name=store.parent.name, picture=living.get(store.parent.name), facts=facts_beside(store))
            for store in newest
        ]
        return sorted(found, key=lambda line: line.picture is None)

    def open(self, name: str) -> Watched:
        """Begin to look at a run, or go on. Raises ConfigError where there is none of this name."""
        with self._lock:
            watched = self._open.get(name)
            if watched is None:
                folder = self.home / "runs" / name
                if folder.parent != self.home / "runs" or not folder.is_dir():
                    raise ConfigError(f"run {name!r}: there is none of this name")
                watched = self._open[name] = Watched(folder)
                while len(self._open) > FEEDS_MAX:
                    self._open.popitem(last=False)
            self._open.move_to_end(name)
        now_ns = self.clock.now_ns()
        if not watched.feed.asked_ns:
            watched.feed.refresh()
            watched.looked_ns = now_ns
        watched.feed.asked_ns = now_ns
        return watched

    def look(self) -> None:
        """At every open run whose turn it is."""
        with self._lock:
            chosen = list(self._open.values())
        for watched in chosen:
            now_ns = self.clock.now_ns()
            seen = now_ns - watched.feed.asked_ns < WATCHED_NS
            every_seconds = LOOK_SECONDS * 0.9 if seen else UNWATCHED_SECONDS
            if watched.feed.behind or now_ns - watched.looked_ns >= every_seconds * NS:
                watched.looked_ns = now_ns
                watched.feed.refresh()

    def _look_on(self) -> None:
        while not self._over.wait(BEHIND_SECONDS if self._is_behind() else LOOK_SECONDS):
            self.look()

    def _is_behind(self) -> bool:
        with self._lock:
            return any(watched.feed.behind for watched in self._open.values())
