"""How long will the disk last?"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import START_NS, a_fill

from gpt_trader.core.clock import NS
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.growth import Growth, growth_of, growth_so_far


def a_store(path: Path, hours: float) -> Path:
    with EventStore.open(path, "test-run", 1, durable=True) as store:
        store.append(a_fill(trade_id="a"))
        store.append(a_fill(trade_id="b", at_ns=START_NS + round(hours * 3600 * NS)))
    return path


def test_growth_is_what_is_stored_over_the_time_it_took(tmp_path: Path) -> None:
    """Bytes a day by the events' own times, and the days until the disk is full."""
    found = growth_of(a_store(tmp_path / "events.sqlite", hours=12))
    assert (found.events, found.days) == (2, 0.5)
    assert found.bytes_per_day == found.bytes_stored * 2
    assert found.days_left == pytest.approx(found.bytes_free / (found.bytes_stored * 2))


def test_too_little_is_no_forecast(tmp_path: Path) -> None:
    """Less than an hour says nothing about a year."""
    found = growth_of(a_store(tmp_path / "events.sqlite", hours=0.5))
    assert (found.bytes_per_day, found.days_left) == (None, None)


def test_an_empty_store_has_not_grown(tmp_path: Path) -> None:
    """No events, no days, no forecast."""
    with EventStore.open(tmp_path / "events.sqlite", "test-run", 1, durable=True):
        pass
    found = growth_of(tmp_path / "events.sqlite")
    assert (found.events, found.days) == (0, 0.0)
    assert isinstance(found, Growth)


def test_a_log_that_is_being_written_is_measured_from_its_run_s_beginning(tmp_path: Path) -> None:
    """What `status` shows: the same figures, without reading the log."""
    with EventStore.open(tmp_path / "events.sqlite", "test-run", 1, durable=True) as store:
        store.append(a_fill(trade_id="a"))
        store.flush()

        found = growth_so_far(store, START_NS, START_NS + 12 * 3600 * NS)

        assert found is not None
        assert (found.events, found.days, found.bytes_stored) == (1, 0.5, store.stored_bytes())
        assert found.days_left == pytest.approx(found.bytes_free / (found.bytes_stored * 2))
