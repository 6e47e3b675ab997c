"""Does every stored run decide the same again, and would a changed rule be noticed?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.stored_runs import FOLDER, RUNS

from gpt_trader.cli.main import run_command_line
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.order_rules import floor_to_lot
from gpt_trader.ops.bundle import is_bundle, unpacked
from gpt_trader.ops.replay import replay
from gpt_trader.ops.replayed import Replayed
from gpt_trader.records.reader import read_run

MEANT = "decisions changed; if that is meant: python -m tests.stored_runs, and say so in the commit"


@pytest.fixture(scope="module", params=RUNS)
def stored(request: pytest.FixtureRequest) -> Iterator[tuple[Path, Path]]:
    """Store and home of a bundle."""
    with unpacked(FOLDER / f"{request.param}.zip") as (store, home):
        yield store, home


def first(done: Replayed) -> str:
    return "\n".join(f"{each.about}: {each.recorded} | {each.replayed}" for each in done.differences[:3])


def test_a_stored_run_decides_the_same_again(stored: tuple[Path, Path]) -> None:
    """The gate: every decision, with every number behind it."""
    store, home = stored

    done = replay(store, home)

    assert done.is_same, f"{MEANT}\n{first(done)}"
    assert done.recorded > 5


def test_a_changed_rule_is_noticed(stored: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """One lot less in every entry: the gate above would fail."""
    store, home = stored
    monkeypatch.setattr(
        "gpt_trader.risk.manager.floor_to_lot",
        lambda quantity, lot: max(Decimal(0), floor_to_lot(quantity, lot) - lot),
    )

    done = replay(store, home)

    assert not done.is_same
    assert done.differences[0].about.startswith("OrderApproved ")


def test_another_limit_is_told_from_the_first_difference(stored: tuple[Path, Path]) -> None:
    """What was approved at one size is approved at another, or refused; what came before is equal."""
    store, home = stored
    config = {"risk.max_position_pct_per_symbol": "0.01", "risk.max_position_size_pct": "0.02"}

    done = replay(store, home, changes={**config, "risk.default_position_size_pct": "0.01"})

    assert done.differences
    at_ns = done.differences[0].at_ns
    assert done.differences[0].about.startswith(("OrderApproved ", "OrderRefused "))
    assert at_ns == min(difference.at_ns for difference in done.differences)
    assert done.whole_log is None


def test_a_part_of_a_run_is_compared_so_far(stored: tuple[Path, Path]) -> None:
    """`--until` cuts both sides at the same time."""
    store, home = stored
    middle_ns = [recorded.event.at_ns for recorded in read_run(store)][-1] // 2 + next(read_run(store)).event.at_ns // 2

    done = replay(store, home, until_ns=middle_ns)

    assert done.is_same, first(done)
    assert 0 < done.recorded < replay(store, home).recorded


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"risk.max_leverag": "2"}, "did you mean risk.max_leverage"),
        ({"run.seed": "8"}, "an input of the run"),
        ({"risk.max_leverage": "none"}, "do not go together"),
    ],
)
def test_a_change_that_cannot_be_tried_is_refused(
    stored: tuple[Path, Path], changes: dict[str, str], problem: str
) -> None:
    """Before anything runs."""
    with pytest.raises(ConfigError, match=problem):
        replay(*stored, changes=changes)


def test_the_command_has_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 for a bundle that decides the same; the other engine is told as JSON."""
    bundle = FOLDER / "advanced.zip"
    assert is_bundle(bundle)

    assert run_command_line(["replay", str(bundle), "--engine", "live", "--json"]) == 0

    verdict = json.loads(capsys.readouterr().out)
    assert verdict["changes"] == {"run.engine": "live"}
    assert "LiveExecutionEngine" in verdict["first"][0]["replayed"]


def test_what_is_no_bundle_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A zip of something else."""
    import zipfile

    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as made:
        made.writestr("hello", "you")

    assert run_command_line(["replay", str(other)]) == 2
    assert "no bundle of a run" in capsys.readouterr().err
