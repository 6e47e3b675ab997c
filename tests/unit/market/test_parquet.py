"""Do rows come out of a Parquet file as they went in, or not at all?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders import START_NS, some_rows

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market import parquet
from gpt_trader.market.parquet import GROUP_ROWS, RowsWriter, file_digest, read_metadata, read_rows, require_parquet
from gpt_trader.market.rows import ROW, TRADE
from gpt_trader.market.stream import Rows


def written(path: Path, rows: Rows, *, pieces: int = 1000) -> Path:
    with RowsWriter(path, {"who": "test"}) as writer:
        for start in range(0, len(rows), pieces):
            part = rows[start : start + pieces]
            writer.append(part, np.arange(start, start + len(part)))
    return path


def read_back(path: Path, since_ns: int | None = None) -> Iterator[tuple[Rows, Any]]:
    return read_rows(path, file_digest(path), since_ns=since_ns)


def many(count: int) -> Rows:
    rows: Rows = np.zeros(count, ROW)
    rows["ts"] = rows["recv"] = START_NS + NS * np.arange(count)
    rows["kind"], rows["a"] = TRADE, np.arange(count) % 97
    return rows


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=st.binary(min_size=64, max_size=64 * 20).map(lambda raw: raw[: len(raw) // 64 * 64]))
def test_any_row_survives(tmp_path: Path, raw: bytes) -> None:
    """Every bit of every column, whatever it is; the product is said by the file's place."""
    rows: Rows = np.frombuffer(raw, ROW).copy()
    rows["product"] = 0
    (found, sequence), *more = read_back(written(tmp_path / "x.parquet", rows))

    assert found.tobytes() == rows.tobytes()
    assert sequence.tolist() == list(range(len(rows)))
    assert not more


def test_rows_are_read_a_group_at_a_time(tmp_path: Path) -> None:
    """Memory is that of a group, however long the file."""
    rows = many(2 * GROUP_ROWS + 5)
    parts = [part for part, _ in read_back(written(tmp_path / "x.parquet", rows))]

    assert max(map(len, parts)) <= GROUP_ROWS
    assert len(parts) >= 3
    assert np.concatenate(parts).tobytes() == rows.tobytes()


def test_groups_before_a_time_are_not_read(tmp_path: Path) -> None:
    """Whoever wants the end need not decode the beginning."""
    rows = many(2 * GROUP_ROWS)
    since = int(rows["ts"][GROUP_ROWS + 10])
    found = np.concatenate([part for part, _ in read_back(written(tmp_path / "x.parquet", rows), since_ns=since)])

    assert START_NS < int(found["ts"][0]) <= since
    assert found["ts"][-1] == rows["ts"][-1]


def test_file_says_what_it_is(tmp_path: Path) -> None:
    """For readers with other tools."""
    assert read_metadata(written(tmp_path / "x.parquet", many(3))) == {"who": "test"}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
def test_one_wrong_bit_is_refused(tmp_path: Path, share: float) -> None:
    """Anywhere in the file, also where Parquet's own checksums do not reach."""
    path = written(tmp_path / "x.parquet", many(5000))
    digest = file_digest(path)
    damaged = bytearray(path.read_bytes())
    damaged[int(share * len(damaged))] ^= 1
    path.write_bytes(damaged)

    with pytest.raises(MarketDataError, match=r"x\.parquet: changed since it was written\. Fix: import it again"):
        list(read_rows(path, digest))


@pytest.mark.parametrize("kept", [0, 3, 500])
def test_cut_file_is_refused(tmp_path: Path, kept: int) -> None:
    """A full disk or a lost copy leaves such a file."""
    path = written(tmp_path / "x.parquet", many(5000))
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(MarketDataError, match="missing or damaged"):
        list(read_back(path))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """Named by its place."""
    with pytest.raises(MarketDataError, match=r"gone\.parquet"):
        list(read_rows(tmp_path / "gone.parquet", ""))
    with pytest.raises(MarketDataError, match=r"gone\.parquet"):
        read_metadata(tmp_path / "gone.parquet")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core does without PyArrow; the answer says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    parquet._arrow.cache_clear()

    with pytest.raises(ConfigError, match=r"pip install 'gpt-trader\[research\]'"):
        require_parquet()


def test_columns_of_another_kind_are_refused(tmp_path: Path) -> None:
    """A Parquet file that is no market of ours."""
    arrow, writer, _ = parquet._arrow()
    writer.write_table(arrow.table({"x": [1]}), tmp_path / "x.parquet")

    with pytest.raises(MarketDataError, match="not the columns of a market"):
        list(read_back(tmp_path / "x.parquet"))


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    """Nothing is made up."""
    assert list(read_back(written(tmp_path / "x.parquet", some_rows()))) == []
