"""How do rows lie in a Parquet file? The one place that knows PyArrow.

One file holds rows of one product, in order. Columns are those of market.rows.ROW but for `product`,
which the file's place says, and `seq` before them: the row's position in its dataset, by which products are put
together again in exactly the order in which they came. Prices and quantities stay whole ticks and lots. A file is read
only if its SHA-256 is the one noted when it was written: the checksums of Parquet's pages leave page headers and the
footer unprotected. Every row group is small enough to be the unit of memory.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.rows import ROW
from gpt_trader.market.stream import Rows

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["GROUP_ROWS", "RowsWriter", "file_digest", "read_metadata", "read_rows", "require_parquet"]

GROUP_ROWS: Final = 65_536
"""Rows that are written, and later read, at a time: 4 MiB in memory."""
TIMES: Final = ("ts", "recv")
NUMBERS: Final = tuple(name for name in ROW.names or () if name not in {*TIMES, "product"})
AGAIN: Final = "Fix: import it again, with --replace"
COUNTED_UP: Final = ("seq", *TIMES)
"""Columns that grow steadily; their differences are stored."""

Integers = NDArray[np.int64]


class _Arrow(NamedTuple):
    """The two modules of PyArrow, and the schema without metadata."""

    arrow: pa
    parquet: pq
    schema: pa.Schema


@functools.cache
def _arrow() -> _Arrow:
    """Raises ConfigError where PyArrow is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(
            "the data catalog needs PyArrow, which is not part of the core. Fix: pip install 'gpt-trader[research]' "
            "(in a checkout: .venv/bin/pip install -e '.[research]')"
        ) from error
    moment = pa.timestamp("ns", tz="UTC")
    fields = [("seq", pa.int64()), *((name, moment) for name in TIMES)]
    fields += [(name, pa.from_numpy_dtype(ROW[name])) for name in NUMBERS]
    return _Arrow(pa, pq, pa.schema(fields))


def require_parquet() -> None:
    """Raises ConfigError naming the extra where Parquet cannot be read or written."""
    _arrow()


class RowsWriter:
    """Writes one file, row group by row group; it is whole and durable when the context ends without an error."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        arrow, parquet, schema = _arrow()
        self.path = path
        self.rows = 0
        self._waiting: list[tuple[Rows, Integers]] = []
        self._waiting_rows = 0
        self._schema = schema.with_metadata(dict(metadata))
        self._table = arrow.table
        self._writer = parquet.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in NUMBERS if name != "seq"],
            column_encoding=dict.fromkeys(COUNTED_UP, "DELTA_BINARY_PACKED"),
            write_statistics=["ts"],
            write_page_checksum=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def append(self, rows: Rows, sequence: Integers) -> None:
        """Keeps a copy until a row group is full."""
        self._waiting.append((rows, sequence))
        self._waiting_rows += len(rows)
        self.rows += len(rows)
        if self._waiting_rows >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate([part for part, _ in self._waiting])
        sequence = np.concatenate([part for _, part in self._waiting])
        self._waiting, self._waiting_rows = [], 0
        columns = [sequence, *(rows[name].astype("M8[ns]") for name in TIMES)]
        columns += [np.ascontiguousarray(rows[name]) for name in NUMBERS]
        table = self._table(columns, schema=self._schema)
        self._writer.write_table(table, row_group_size=GROUP_ROWS)

    def close(self) -> None:
        """Write what waits, and let the disk have it."""
        self._flush()
        self._writer.close()
        with self.path.open("rb") as written:
            os.fsync(written.fileno())


def read_rows(path: Path, digest: str, *, since_ns: int | None = None) -> Iterator[tuple[Rows, Integers]]:
    """Rows (product 0) and their `seq`, at most GROUP_ROWS at a time, the file mapped into memory.

    With `since_ns`, row groups that end before it are not read; rows before it may still come. Raises
    MarketDataError where the file is missing, damaged, or not the one with this SHA-256.
    """
    arrow, parquet, schema = _arrow()
    try:
        if file_digest(path) != digest:
            raise MarketDataError(f"{_place(path)}: changed since it was written. {AGAIN}")
        with parquet.ParquetFile(path, memory_map=True) as file:
            if not file.schema_arrow.equals(schema):
                raise MarketDataError(f"{_place(path)}: not the columns of a market. {AGAIN}")
            for group in range(file.num_row_groups):
                if since_ns is not None and _last_ns(file, group) < since_ns:
                    continue
                yield _rows(file.read_row_group(group, use_threads=False))
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_metadata(path: Path) -> dict[str, str]:
    """What the file says of itself. Raises MarketDataError where it is missing or damaged."""
    arrow, parquet, _ = _arrow()
    try:
        found = parquet.read_schema(path, memory_map=True).metadata or {}
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    return {key.decode(): value.decode() for key, value in found.items()}


def _last_ns(file: pq.ParquetFile, group: int) -> int:
    statistics = file.metadata.row_group(group).column(1).statistics
    return int(statistics.max_raw) if statistics is not None else 2**63 - 1


def _rows(table: pa.Table) -> tuple[Rows, Integers]:
    rows: Rows = np.zeros(len(table), ROW)
    for name in (*TIMES, *NUMBERS):
        rows[name] = table.column(name).to_numpy().view(ROW[name])
    sequence: Integers = table.column("seq").to_numpy()
    return rows, sequence


def _place(path: Path) -> str:
    return "/".join(path.parts[-4:])


def _damaged(path: Path, error: Exception) -> MarketDataError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return MarketDataError(f"{_place(path)}: the Parquet file is missing or damaged ({reason}). {AGAIN}")
