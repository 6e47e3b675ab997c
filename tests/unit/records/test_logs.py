"""Is the log found that is meant, wherever it is?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.builders import a_fill

from gpt_trader.core.errors import ConfigError
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.logs import file_of, find_log, log_at
from gpt_trader.records.runs import SERVER_NAME, store_path

PLACE = "postgresql://host/logs#run-1"


@pytest.fixture
def in_file(tmp_path: Path) -> Path:
    path = store_path(tmp_path, "run-0")
    with EventStore.open(path, "run-0", 1, durable=True) as store:
        store.append(a_fill())
    return path


@pytest.fixture
def on_server(tmp_path: Path) -> Path:
    place = tmp_path / "runs" / "run-1" / SERVER_NAME
    place.parent.mkdir(parents=True)
    place.write_text(f"{PLACE}\n")
    return place


def test_a_log_in_a_file(tmp_path: Path, in_file: Path) -> None:
    """Its run, its events, its head, and the same as lines."""
    log = find_log(tmp_path, "run-0", {})

    assert (log.place, log.run_id) == (in_file, "run-0")
    assert [each.event for each in log.read()] == [a_fill()]
    assert [json.loads(line)["hash"] for line in log.lines()] == [log.head().digest]
    assert not log.verify().breaks


def test_a_run_on_a_server_is_found_by_its_name_and_asks_for_the_url(tmp_path: Path, on_server: Path) -> None:
    """Where it is, and what to set."""
    with pytest.raises(ConfigError, match=f"is at {PLACE}. Fix: set GPT_TRADER_STORE_URL"):
        find_log(tmp_path, "run-1", {})
    with pytest.raises(ConfigError, match="GPT_TRADER_STORE_URL"):
        log_at(on_server, {})


def test_what_needs_a_file_says_what_to_do_instead(tmp_path: Path, in_file: Path, on_server: Path) -> None:
    """By the run's name, and by URL without what may be secret in it."""
    assert file_of(tmp_path, "run-0", "this", "that") == in_file
    assert on_server.exists()
    for reference in ("run-1", "postgresql://trader:s3cret@host/logs?sslpassword=s3cret#run-1"):
        with pytest.raises(ConfigError, match=r"host/logs#run-1: this works on files only. Fix: that") as refused:
            file_of(tmp_path, reference, "this", "that")
        assert "s3cret" not in str(refused.value)
