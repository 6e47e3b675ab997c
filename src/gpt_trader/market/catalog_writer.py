"""How does a market get into the catalog? Streamed, inspected, written aside, and named when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.catalog import (
    FORMAT,
    MANIFEST,
    ContentDigest,
    DataFile,
    Manifest,
    Source,
    catalog_folder,
    checked_name,
    hold,
    is_held,
)
from gpt_trader.market.parquet import RowsWriter, file_digest, require_parquet
from gpt_trader.market.quality import Inspection, QualityReport
from gpt_trader.market.quality_flaws import Limits
from gpt_trader.market.stream import MarketStream, Rows

__all__ = ["import_market", "require_free"]

Period = Literal["D", "M"]
"""What a file holds: a UTC day, or a month where rows are bars; a day has too few of them to be worth a file."""
METADATA_KEY: Final = "gpt_trader"

Integers = NDArray[np.int64]
Tell = Callable[[int], None]
"""Called with the venue time that was reached."""


def import_market(
    home: Path,
    name: str,
    stream: MarketStream,
    *,
    now_ns: int,
    sources: Sequence[Source] = (),
    replace: bool = False,
    limits: Limits | None = None,
    tell: Tell | None = None,
) -> Manifest:
    """Read `stream` once and keep it under `name`.

    Raises ConfigError where the name is taken and `replace` is not set, MarketDataError where a finding refuses the
    market; then, as after any error, the catalog is as it was before.
    """
    require_parquet()
    require_free(home, name, replace=replace)
    folder = catalog_folder(home) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix="rows-", dir=folder))
        holding = hold(aside)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        written = _write(aside, name, stream, Inspection(stream.products, stream.bar_seconds, limits), tell)
        manifest = Manifest(
            format=FORMAT,
            name=name,
            digest=written.digest,
            imported_ns=now_ns,
            sources=tuple(sources) or (Source(name=stream.name, digest=stream.digest),),
            products=stream.products,
            start_ns=stream.start_ns,
            end_ns=stream.end_ns,
            bar_seconds=stream.bar_seconds,
            modelled_book=stream.modelled_book,
            notes=stream.notes,
            quality=written.quality,
            files=written.files,
        )
        _name(folder, manifest)
    except OSError as error:
        _forget(aside)
        raise _unwritable(folder, error) from error
    except BaseException:
        _forget(aside)
        raise
    finally:
        os.close(holding)
    for old in folder.glob("rows-*"):
        if old != aside and not is_held(old):
            shutil.rmtree(old)
    return manifest


def require_free(home: Path, name: str, *, replace: bool) -> None:
    """Raises ConfigError for what cannot name a new dataset."""
    if (catalog_folder(home) / checked_name(name) / MANIFEST).exists() and not replace:
        raise ConfigError(f"there is a dataset {name!r} already. Fix: choose another with --name, or use --replace")


def _forget(aside: Path) -> None:
    """As if there had been no import."""
    shutil.rmtree(aside)
    if not any(aside.parent.iterdir()):
        aside.parent.rmdir()


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    reason = error.strerror or str(error)
    return ConfigError(f"{folder} cannot be written: {reason}. Fix: make room, or set GPT_TRADER_HOME to another place")


class _Written(NamedTuple):
    digest: str
    quality: QualityReport
    files: tuple[DataFile, ...]


def _write(aside: Path, name: str, stream: MarketStream, inspection: Inspection, tell: Tell | None) -> _Written:
    digest = ContentDigest(stream)
    period: Period = "M" if stream.modelled_book else "D"
    shelves = [_Shelf(aside, product, period, _metadata(name, stream, product)) for product in stream.products]
    sequence = 0
    for rows in stream.chunks():
        if not len(rows):
            continue
        inspection.add(rows)
        digest.add(rows)
        numbers = np.arange(sequence, sequence + len(rows), dtype=np.int64)
        for product, shelf in enumerate(shelves):
            mine = rows["product"] == product
            shelf.add(rows[mine], numbers[mine])
        sequence += len(rows)
        if tell:
            tell(int(rows["ts"][-1]))
    files = tuple(file for shelf in shelves for file in shelf.close())
    return _Written(digest.hexdigest(), _accepted(stream, inspection.report()), files)


def _accepted(stream: MarketStream, report: QualityReport) -> QualityReport:
    if report.refused:
        found = "\n  ".join(f"{finding.sentence()} {finding.meaning}" for finding in report.refused)
        raise MarketDataError(f"{stream.name} is refused, nothing was imported:\n  {found}\nFix: fetch the data again")
    if not report.rows:
        raise MarketDataError(f"{stream.name} has no rows. Fix: give a market with data")
    return report


def _metadata(name: str, stream: MarketStream, product: ProductSpec) -> dict[str, str]:
    """What a file says of itself to whoever reads it with other tools."""
    facts = {
        "dataset": name,
        "product": product,
        "bar_seconds": stream.bar_seconds,
        "modelled_book": stream.modelled_book,
        "notes": stream.notes,
        "columns": "prices in ticks, quantities in lots; see gpt_trader.market.rows",
    }
    return {METADATA_KEY: msgspec.json.encode(facts).decode()}


@dataclass
class _Shelf:
    """The files of one product; one is open at a time."""

    aside: Path
    product: ProductSpec
    period: Period
    metadata: dict[str, str]
    files: list[DataFile] = field(default_factory=list)
    _number: int = -1
    """Of the day or month since 1970 that is open."""
    _writer: RowsWriter | None = None
    _first_ns: int = 0
    _last_ns: int = 0

    def add(self, rows: Rows, sequence: Integers) -> None:
        if not len(rows):
            return
        numbers = rows["ts"].astype("M8[ns]").astype(f"M8[{self.period}]").astype(np.int64)
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
        for start, end in pairwise(edges):
            self._add_to(int(numbers[start]), rows[start:end], sequence[start:end])

    def _add_to(self, number: int, rows: Rows, sequence: Integers) -> None:
        if number < self._number:
            return  # the inspection has seen that time went back, and will refuse the market by name
        if self._writer is None or number != self._number:
            self._end_file()
            self._number, self._first_ns = number, int(rows["ts"][0])
            self._writer = RowsWriter(self._path(number), self.metadata)
        self._last_ns = int(rows["ts"][-1])
        self._writer.append(rows, sequence)

    def _path(self, number: int) -> Path:
        folder = self.aside / self.product.symbol
        folder.mkdir(exist_ok=True)
        return folder / f"{np.datetime64(number, self.period)}.parquet"

    def _end_file(self) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        writer.close()
        self.files.append(
            DataFile(
                symbol=self.product.symbol,
                path=writer.path.relative_to(self.aside.parent).as_posix(),
                rows=writer.rows,
                first_ns=self._first_ns,
                last_ns=self._last_ns,
                size_bytes=writer.path.stat().st_size,
                digest=file_digest(writer.path),
            )
        )

    def close(self) -> list[DataFile]:
        self._end_file()
        return self.files


def _name(folder: Path, manifest: Manifest) -> None:
    """From here on the name means these rows."""
    aside = folder / f".{MANIFEST}"
    with aside.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        file.flush()
        os.fsync(file.fileno())
    for path in [folder / manifest.files[0].path.split("/")[0], folder]:
        _sync(path)
    aside.replace(folder / MANIFEST)
    _sync(folder)


def _sync(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
