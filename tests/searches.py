"""A small search: a market of a few hours of made-up bars, on which a trial takes a twentieth of a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.builders import a_product, some_bars

from gpt_trader.config.load import Loaded, load
from gpt_trader.core.clock import NS
from gpt_trader.market.memory import ArrayStream
from gpt_trader.research.search.measures import find_measure
from gpt_trader.research.search.optimize import Prepared, Request, choose_sampler, prepare
from gpt_trader.research.search.space import parse_space
from gpt_trader.research.search.walk_forward import Scheme

BUSY = {
    "strategy.short_ma": 3,
    "strategy.long_ma": 9,
    "strategy.confirmation_bars": 0,
    "strategy.trailing_stop_pct": 0,
    "run.engine": "live",
    "risk.daily_loss_limit": 0,
}


def a_market(bars: int = 240, seed: int = 1) -> ArrayStream:
    """A random walk of minutes."""
    steps = np.random.default_rng(seed).integers(-12, 13, bars)
    closes = (12_000 + np.cumsum(steps)).tolist()
    rows = some_bars(*closes, volume=1000)
    return ArrayStream([a_product()], rows, bar_seconds=60, start_ns=int(rows["ts"][0]) - 60 * NS)


def settings(**overrides: Any) -> Loaded:
    """dev_entry, trading often."""
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load("dev_entry", overrides={**BUSY, **named}, env={})


def a_request(home: Path, *space: str, **changes: Any) -> Request:
    dimensions = parse_space(space or ("short_ma=2:3", "long_ma=8:10:2"), settings().config.strategy)
    given: dict[str, Any] = {
        "study": "small",
        "space": dimensions,
        "measures": (find_measure("sharpe"),),
        "sampler": choose_sampler(dimensions, None),
        "trials": 12,
        "batch": 4,
        "seed": 7,
        "schemes": tuple(Scheme),
        "folds": 3,
        "prune": False,
        "harder": False,
        "storage": f"sqlite:///{home / 'study.sqlite'}",
        "resume": False,
    }
    return Request(**{**given, **changes})


def prepared(home: Path, *space: str, market: ArrayStream | None = None, **changes: Any) -> Prepared:
    return prepare(a_request(home, *space, **changes), settings(), market or a_market(), home)


def silent(what: str, total: int) -> Callable[[int], None]:
    """A stage that nobody watches."""
    return lambda count: None
