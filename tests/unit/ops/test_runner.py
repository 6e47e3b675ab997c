"""Does a run leave what it should, and nothing when it cannot be built?"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.builders import MINUTE_NS, a_product, some_bars
from tests.command_line import left_behind, stores

from gpt_trader.config.load import Loaded, load
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.catalog_writer import import_market
from gpt_trader.market.memory import ArrayStream
from gpt_trader.ops.log import LOG_NAME
from gpt_trader.ops.runner import run_simulated
from gpt_trader.report.summary import RunSummary

QUIET = Console(file=io.StringIO(), force_terminal=False)


def loaded(env: Mapping[str, str] | None = None, **overrides: Any) -> Loaded:
    """dev_entry with overrides by setting, dots as double underscores."""
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load("dev_entry", overrides=named, env=env or {})


def simulated(asked: Loaded, home: Path) -> RunSummary:
    """One that nobody watches or steers."""
    return run_simulated(asked, home, QUIET, panel=False, load=lambda: asked)


def test_a_run_leaves_a_store_a_log_and_figures_that_agree(state_home: Path) -> None:
    """Twenty minutes of a made-up market."""
    summary = simulated(loaded(run__duration="20m"), state_home)

    (store,) = stores(state_home)
    assert summary.store == str(store)
    assert summary.equity_start + summary.price_pnl - summary.fees + summary.funding == summary.equity_end
    assert summary.stopped_by == "end of market"
    assert (store.parent / LOG_NAME).is_file()


def test_a_duration_ends_a_longer_market(state_home: Path, tmp_path: Path) -> None:
    """And says that it was the duration."""
    stream = ArrayStream([a_product()], some_bars(*range(11_900, 12_000)), name="mine")
    import_market(state_home, "mine", stream, now_ns=MINUTE_NS, sources=())

    summary = simulated(loaded(venue__market="mine", run__duration="10m"), state_home)

    assert summary.stopped_by == "end of duration"
    assert summary.end == "2025-06-16 00:10:00.000Z"


def test_what_cannot_be_built_is_refused_before_a_store_is_made(state_home: Path) -> None:
    """A preview that the venue does not have; the folder of runs stays empty."""
    with pytest.raises(ConfigError, match="has no order preview"):
        simulated(loaded({"ORDER_PREVIEW_ENABLED": "true"}, run__duration="1h"), state_home)

    assert left_behind(state_home) == []
