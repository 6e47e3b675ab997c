"""What did the log say on that day?"""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from tests.builders import START_NS, a_fill

from gpt_trader.core.errors import StoreError
from gpt_trader.records.anchors import anchor_path, note_anchor, read_anchors
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import head_of, verify

RUN = "test-run"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "runs" / RUN / "events.sqlite"
    write(path, "a", "b")
    return path


def write(path: Path, *trades: str) -> None:
    with EventStore.open(path, RUN, 1, durable=True) as store:
        for trade in trades:
            store.append(a_fill(trade_id=trade))


def rewrite(path: Path, *trades: str) -> None:
    """Another log in the same place, with a mark of its own: what somebody would do who covers tracks."""
    other = path.parent.parent.parent.parent / "other" / RUN / "events.sqlite"
    write(other, *trades)
    shutil.rmtree(path.parent)
    shutil.copytree(other.parent, path.parent)


def test_anchors_are_kept_in_order_and_private(path: Path) -> None:
    """One line each, in a file of the owner's."""
    file = anchor_path(path)
    first = note_anchor(file, RUN, head_of(path), START_NS)
    note_anchor(file, RUN, head_of(path), START_NS + 1)
    assert [head.sequence for head in read_anchors(file)] == [2, 2]
    assert first.hash == head_of(path).digest
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.parent.name == "anchors"


@pytest.mark.parametrize("trades", [("a",), ("x", "y"), ("x", "y", "z")])
def test_a_rewritten_log_is_seen_by_its_anchor(path: Path, trades: tuple[str, ...]) -> None:
    """Neither verified nor gone on with, though its own mark agrees with it."""
    note_anchor(anchor_path(path), RUN, head_of(path), START_NS)
    rewrite(path, *trades)
    assert [item.kind for item in verify(path).breaks] == ["wrong_anchor"]
    with pytest.raises(StoreError, match=r"had reached 2|the newest anchor remembers"):
        EventStore.open(path, RUN, 2, durable=True)


def test_an_anchor_from_elsewhere_counts(path: Path, tmp_path: Path) -> None:
    """The file that was kept on another disk."""
    elsewhere = tmp_path / "usb" / "anchors.jsonl"
    note_anchor(elsewhere, RUN, head_of(path), START_NS)
    rewrite(path, "x", "y")
    assert verify(path).breaks == ()
    assert [item.kind for item in verify(path, anchors=read_anchors(elsewhere)).breaks] == ["wrong_anchor"]


def test_a_damaged_anchor_file_is_named_with_its_line(path: Path) -> None:
    """It is never silently done without."""
    file = anchor_path(path)
    note_anchor(file, RUN, head_of(path), START_NS)
    file.write_text(file.read_text() + "scribble\n")
    with pytest.raises(StoreError, match=r"jsonl, line 2: no anchor"):
        verify(path)


def test_no_file_is_no_anchor(tmp_path: Path) -> None:
    """Nobody has to anchor."""
    assert read_anchors(tmp_path / "none") == ()
