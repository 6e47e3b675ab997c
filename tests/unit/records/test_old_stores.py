"""Can what earlier releases wrote still be used? One day's run of each released layout, as that release left it."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from tests.builders import a_fill

from gpt_trader.core.errors import StoreError
from gpt_trader.records.event_store import EventStore
from gpt_trader.records.logs import StoredLog
from gpt_trader.records.reader import last_boot, read_run, run_id_of, verify
from gpt_trader.records.rebuild import verify_and_rebuild
from gpt_trader.records.sqlite_layout import STORE_VERSION, layout_of

STORES = Path(__file__).with_name("stores")
HEADS = {
    1: "4f4b02070e94e3d43881645298bb91c4cd831e40052e91714eb65acf7e2b859d",
    2: "1421d4fdb5903e73dc6f3c7f3f5bd85c3004044e854a3b2723c781f335674047",
}
"""Hash of event 524, as the release itself printed it."""

each_layout = pytest.mark.parametrize("layout", HEADS)


@pytest.fixture
def path(tmp_path: Path, layout: int) -> Path:
    """The store of a release, where a store lies."""
    path = tmp_path / "home" / "runs" / f"layout{layout}" / "events.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.decompress((STORES / f"layout{layout}.sqlite.gz").read_bytes()))
    shutil.copy(STORES / f"layout{layout}.mark", path.with_suffix(".mark"))
    return path


def layout_in(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        layout = layout_of(connection)
    connection.close()
    return layout


@each_layout
def test_an_old_store_is_read_as_it_is(path: Path, layout: int) -> None:
    """Whole, with the head that the release printed, the ledger of then, and not a byte of it changed."""
    before = path.read_bytes()
    found, rebuilt = verify_and_rebuild(StoredLog(path))
    assert (found.breaks, found.events, found.head.digest) == ((), 524, HEADS[layout])
    assert rebuilt.ledger.position("BTC-PERP").quantity == Decimal("0.02")
    assert rebuilt.ledger.fees == Decimal("71.73965000")
    assert path.read_bytes() == before


@each_layout
def test_an_old_store_is_gone_on_with(path: Path, layout: int) -> None:
    """The writer brings the tables to today's layout; the events stay, and the chain goes on behind them."""
    assert layout_in(path) == layout
    with EventStore.open(path, run_id_of(path), last_boot(path) + 1, durable=True) as store:
        assert store.head.digest == HEADS[layout]
        assert store.append(a_fill()) == 525
    assert layout_in(path) == STORE_VERSION
    assert verify(path).breaks == ()
    assert sum(1 for _ in read_run(path)) == 525


@pytest.mark.parametrize("layout", [2])
def test_a_layout_of_the_future_is_refused(path: Path) -> None:
    """Nobody guesses at tables of a later release, neither to read nor to write."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    for use in (verify, lambda path: EventStore.open(path, "any", 2, durable=True)):
        with pytest.raises(StoreError, match=r"store layout 99 is unknown here .* reads 3, 2, 1"):
            use(path)


@pytest.mark.parametrize("layout", [2])
def test_an_event_of_an_unknown_schema_is_refused(path: Path) -> None:
    """A row that a later release wrote stops the writer, too."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET schema_version = 99 WHERE sequence = 524")
    connection.close()
    with pytest.raises(StoreError, match="524"):
        EventStore.open(path, run_id_of(path), 2, durable=True)
