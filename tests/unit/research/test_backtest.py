"""Is a backtest the production bot, with nothing added to it but a look at the prices?"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.builders import MINUTE_NS, a_product, some_bars
from tests.command_line import hashes_of, stores

from gpt_trader.config.load import Loaded, load
from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.catalog_writer import import_market
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.stream import MarketStream
from gpt_trader.records.reader import read_run
from gpt_trader.report.facts import read_facts
from gpt_trader.report.page import curves_of
from gpt_trader.report.progress import RunProgress
from gpt_trader.report.run_story import tell_story
from gpt_trader.research.backtest import open_backtest_market, prices_again, run_backtest

QUIET = RunProgress(Console(file=io.StringIO(), force_terminal=False))


def loaded(**overrides: Any) -> Loaded:
    """dev_entry for twenty minutes, with overrides by setting, dots as double underscores."""
    named: Mapping[str, Any] = {name.replace("__", "."): value for name, value in overrides.items()}
    return load("dev_entry", overrides={"run.duration": "20m", **named}, env={})


def test_looking_at_prices_changes_nothing(state_home: Path) -> None:
    """The same log, byte for byte, with a report and without."""
    looked = run_backtest(loaded(), state_home, QUIET)
    plain = run_backtest(loaded(), state_home, QUIET, prices=False)

    assert plain.prices is None
    assert hashes_of(looked.store) == hashes_of(plain.store)
    assert looked.prices is not None
    assert len(looked.prices.times_ns) == 20


def test_a_run_leaves_the_facts_that_a_report_needs(state_home: Path) -> None:
    """Settings with sources, market, assumptions and the margin window."""
    run = run_backtest(loaded(run__seed=3), state_home, QUIET, prices=False)

    facts = read_facts(run.store)
    assert facts == run.facts
    assert [line.source for line in facts.settings if line.path == "run.seed"] == ["command line --seed"]
    assert any("reaches the exchange" in sentence for sentence in facts.assumptions)
    assert facts.overnight[0][0] == facts.start_ns
    assert [product.symbol for product in facts.products] == ["BTC-PERP"]


def test_prices_are_read_again_from_the_same_market_only(state_home: Path) -> None:
    """Another seed is another market."""
    run = run_backtest(loaded(), state_home, QUIET)
    same, other = (open_backtest_market(loaded(run__seed=seed), state_home) for seed in (7, 8))

    again = prices_again(run.facts, lambda: same)

    assert run.prices is not None
    assert again.symbols()[0].last.tolist() == run.prices.symbols()[0].last.tolist()
    with pytest.raises(ConfigError, match="is not the one that run sim-"):
        prices_again(run.facts, lambda: other)


def test_a_pace_is_refused(state_home: Path) -> None:
    """A backtest that waits is a run."""
    with pytest.raises(ConfigError, match=r"run\.pace = '60x': a backtest runs as fast as it computes"):
        run_backtest(loaded(run__pace="60x"), state_home, QUIET)

    assert stores(state_home) == []


def test_a_part_begins_with_its_own_start(state_home: Path) -> None:
    """And is remembered, so that the same part is read again."""
    start_ns = loaded_market(state_home).start_ns

    run = run_backtest(
        loaded(), state_home, QUIET, from_ns=start_ns + 300 * NS, to_ns=start_ns + 900 * NS, prices=False
    )

    assert (run.facts.start_ns - start_ns, run.facts.end_ns - start_ns) == (300 * NS, 900 * NS)
    assert (run.facts.from_ns, run.facts.to_ns) == (start_ns + 300 * NS, start_ns + 900 * NS)


def loaded_market(home: Path) -> MarketStream:
    return open_backtest_market(loaded(), home)


def test_a_run_shorter_than_a_bar_has_nothing_to_report(state_home: Path) -> None:
    """Half a minute of bars of a minute."""
    pytest.importorskip("pyarrow", reason="the extra `research` is not installed")
    stream = ArrayStream([a_product()], some_bars(*range(11_900, 12_000)), name="mine", start_ns=MINUTE_NS - 60 * NS)
    import_market(state_home, "mine", stream, now_ns=MINUTE_NS, sources=())
    run = run_backtest(loaded(venue__market="mine", run__duration="30s"), state_home, QUIET)
    assert run.prices is not None

    with pytest.raises(ConfigError, match="ended before its first bar"):
        curves_of(run.facts, tell_story(read_run(run.store)), run.prices)
