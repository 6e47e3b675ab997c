"""Is a simulated run the same run whenever it is made? One seed is one log, byte for byte; another seed is another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.command_line import Done, a_busy_profile, a_home, check_ledger, ended, started, stores

WAYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "as it is": ("1", ("--seed", "11")),
    "another hash seed": ("4242", ("--seed", "11")),
    "paced": ("1", ("--seed", "11", "--pace", "1500x")),
    "another seed": ("1", ("--seed", "12")),
}
"""PYTHONHASHSEED and options of each run; all of them at once and into one home."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def runs(home: Path) -> Mapping[str, Done]:
    profile = a_busy_profile(home)
    processes = {
        way: started(
            "run",
            "--profile",
            profile,
            "--json",
            *options,
            env={"GPT_TRADER_HOME": str(home), "PYTHONHASHSEED": hash_seed},
        )
        for way, (hash_seed, options) in WAYS.items()
    }
    return {way: ended(process) for way, process in processes.items()}


def test_all_end_well_and_say_nothing_else(runs: Mapping[str, Done]) -> None:
    """Once the venue is compiled, nothing but the object is printed."""
    assert {way: done.code for way, done in runs.items()} == dict.fromkeys(WAYS, 0)
    assert {way: done.err for way, done in runs.items() if "Compiling" not in done.err} == dict.fromkeys(WAYS, "")


def test_one_seed_is_one_log(runs: Mapping[str, Done]) -> None:
    """Whatever order Python gives its sets; the last hash covers every byte before it."""
    one, two = runs["as it is"].summary, runs["another hash seed"].summary

    assert one["fills"] > 0
    assert two["event_hash"] == one["event_hash"]
    assert {**two, "store": ""} == {**one, "store": ""}


def test_pace_changes_nothing_in_the_log(runs: Mapping[str, Done]) -> None:
    """A market that is watched at leisure is the market that is computed at once."""
    assert runs["paced"].summary["event_hash"] == runs["as it is"].summary["event_hash"]


def test_another_seed_is_another_log(runs: Mapping[str, Done]) -> None:
    """Another market, another run id."""
    one, two = runs["as it is"].summary, runs["another seed"].summary

    assert two["market_digest"] != one["market_digest"]
    assert two["run"] != one["run"]
    assert two["event_hash"] != one["event_hash"]


def test_runs_of_one_seed_lie_side_by_side(runs: Mapping[str, Done], home: Path) -> None:
    """They have one id and a store each, although they were made at the same time."""
    same = [runs[way].summary for way in WAYS if way != "another seed"]

    assert len({summary["run"] for summary in same}) == 1
    assert {done.summary["store"] for done in runs.values()} == {str(store) for store in stores(home)}
    for done in runs.values():
        check_ledger(done.summary)
