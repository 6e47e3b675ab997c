"""How is a store looked after while nobody writes it?"""

from __future__ import annotations

import gzip
import random
import sqlite3
from pathlib import Path

import msgspec
import pytest
from tests.builders import START_NS, a_fill

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import StoreError
from gpt_trader.core.events import LogRepaired
from gpt_trader.records.anchors import anchor_path, note_anchor
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.reader import head_of, last_boot, read_run, verify
from gpt_trader.records.reader import lines_of as export
from gpt_trader.records.upkeep import archive, repair

RUN = "test-run"
EVENTS = 40
HALF_NS = START_NS + EVENTS // 2 * NS


@pytest.fixture(params=[True, False], ids=["rows", "blocks"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A store of forty fills, a second apart."""
    path = tmp_path / "home" / "runs" / RUN / "events.sqlite"
    with EventStore.open(path, RUN, 1, durable=request.param) as store:
        for number in range(EVENTS):
            store.append(a_fill(trade_id=str(number), at_ns=START_NS + number * NS))
            if number % 10 == 9:
                store.flush()
    return path


def anchor(path: Path) -> None:
    note_anchor(anchor_path(path), RUN, head_of(path), START_NS)


def content(path: Path) -> list[tuple[int, object, str]]:
    return [(item.sequence, item.event, item.digest) for item in read_run(path)]


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_an_archived_log_reads_as_before(path: Path) -> None:
    """Events, hashes, reading from the middle and verification are the same; the rows are gone."""
    before, middle = content(path), [item.digest for item in read_run(path, after=15)]
    anchor(path)
    moved = archive(path, HALF_NS)
    assert moved is not None
    assert (moved.first, moved.last) == (1, 20)
    assert content(path) == before
    assert [item.digest for item in read_run(path, after=15)] == middle
    assert verify(path).breaks == ()
    again = archive(path, START_NS + 1000 * NS)
    assert again is not None
    assert (again.first, again.last) == (21, EVENTS)
    assert content(path) == before
    with EventStore.open(path, RUN, 2, durable=True) as store:
        assert store.append(a_fill(trade_id="new")) == EVENTS + 1


def test_only_what_is_anchored_is_archived(path: Path) -> None:
    """Without a word about it elsewhere nothing leaves the database."""
    assert archive(path, HALF_NS) is None
    anchor(path)
    assert archive(path, START_NS) is None, "nothing is that old"


def test_a_store_in_use_is_neither_archived_nor_repaired(path: Path) -> None:
    """One writer, whatever it writes."""
    anchor(path)
    with EventStore.open(path, RUN, 2, durable=True):
        for work in (archive, repair):
            with pytest.raises(StoreError, match="writes this store already"):
                work(path, HALF_NS)


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "exchanged"])
def test_a_damaged_archive_is_named(path: Path, damage: str) -> None:
    """By verify with its place, and by whoever reads; the rest of the house never guesses."""
    anchor(path)
    moved = archive(path, HALF_NS)
    assert moved is not None
    file = Path(moved.file)
    whole = file.read_bytes()
    if damage == "flipped":
        file.write_bytes(whole[:60] + bytes([whole[60] ^ 4]) + whole[61:])
    elif damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "gone":
        file.unlink()
    else:
        lines = gzip.decompress(whole).splitlines(keepends=True)
        file.write_bytes(gzip.compress(b"".join((lines[1], lines[0], *lines[2:]))))
    assert verify(path).breaks
    with pytest.raises(StoreError):
        content(path)


def test_an_export_is_the_log_line_by_line(path: Path) -> None:
    """Sequence, boot, schema, hash and the very bytes that were hashed."""
    lines = [msgspec.json.decode(line) for line in export(path)]
    assert [(line["sequence"], line["hash"]) for line in lines] == [(item[0], item[2]) for item in content(path)]
    assert lines[0]["event"]["type"] == "OrderFilled"
    assert len(list(export(path, after=30))) == 10
    with pytest.raises(StoreError, match="no event with sequence 99"):
        list(export(path, after=99))


def test_a_broken_log_is_not_exported_further(path: Path) -> None:
    """What comes after a break is not passed on as if it were the log."""
    change(path, "DELETE FROM events WHERE sequence = 15")
    change(path, "UPDATE blocks SET payloads = replace(payloads, '\"15\"', '\"99\"')")
    with pytest.raises(StoreError, match="the chain breaks at sequence"):
        list(export(path))


def test_a_whole_log_is_not_repaired(path: Path) -> None:
    """Nothing moves."""
    before = content(path)
    assert repair(path, START_NS) is None
    assert content(path) == before
    assert not list(path.parent.glob("quarantine-*"))


def test_repair_keeps_what_comes_before_the_break(path: Path) -> None:
    """The same events and hashes, then the fact itself; the damaged files lie in quarantine, and the run goes on."""
    before = content(path)
    anchor(path)
    change(path, "DELETE FROM events WHERE sequence > 25")
    change(path, "DELETE FROM blocks WHERE last > 25")
    repaired = repair(path, START_NS)
    assert repaired is not None
    kept = repaired.kept
    assert kept in (20, 25)
    assert (repaired.reached, repaired.reason.split(": ")[1]) == (EVENTS, "tail_cut")
    after = content(path)
    assert after[:kept] == before[:kept]
    fact = after[kept][1]
    assert isinstance(fact, LogRepaired)
    assert (fact.kept, fact.reached) == (kept, EVENTS)
    assert (Path(repaired.quarantine) / "events.sqlite").exists()
    assert verify(path).breaks == ()
    with EventStore.open(path, RUN, last_boot(path) + 1, durable=True) as store:
        assert store.append(a_fill(trade_id="new")) == kept + 2


def test_repair_of_a_file_that_cannot_be_opened(path: Path) -> None:
    """Nothing can be kept; the fact says how far it had got, so that the next boot asks the venue."""
    path.write_bytes(b"\0" * 4096)
    repaired = repair(path, START_NS)
    assert repaired is not None
    assert (repaired.kept, repaired.reached) == (0, EVENTS)
    assert [type(item.event) for item in read_run(path)] == [LogRepaired]


def test_repair_mends_what_the_chain_can_prove(tmp_path: Path) -> None:
    """A damaged column or hash beside a whole payload loses nothing."""
    path = tmp_path / "home" / "runs" / RUN / "events.sqlite"
    with EventStore.open(path, RUN, 1, durable=True) as store:
        for number in range(5):
            store.append(a_fill(trade_id=str(number)))
    before = content(path)
    change(path, "UPDATE events SET type = 'OrderFailed' WHERE sequence = 2")
    change(path, "UPDATE events SET hash = zeroblob(32) WHERE sequence = 4")
    repaired = repair(path, START_NS)
    assert repaired is not None
    assert repaired.kept == 5
    assert content(path)[:5] == before


def test_any_flipped_bit_can_be_repaired(path: Path) -> None:
    """Whatever was hit, what is left verifies and is the beginning of what was written."""
    before = content(path)
    whole, mark = path.read_bytes(), path.with_suffix(".mark").read_bytes()
    draw = random.Random(85)
    mended = 0
    for _ in range(25):
        damaged = bytearray(whole)
        damaged[draw.randrange(100, len(damaged))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        path.with_suffix(".mark").write_bytes(mark)
        repaired = repair(path, START_NS + mended * NS)
        if repaired is not None:
            mended += 1
            assert verify(path).breaks == ()
            assert content(path)[: repaired.kept] == before[: repaired.kept]
            anchor_path(path).unlink()
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert mended > 5
