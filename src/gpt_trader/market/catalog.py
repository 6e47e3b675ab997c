"""Which markets do we keep, and how are they read? Named datasets of Parquet files under `catalog/` of the state home.

    catalog/NAME/manifest.json                       what it is: products, times, notes, findings, digest, files
    catalog/NAME/rows-*/SYMBOL/YYYY-MM-DD.parquet    its rows, by product and UTC day (bars: YYYY-MM, by month)

A dataset is what its manifest says: rows are written beside it first, and count from the moment the manifest is
replaced. `market/catalog_writer.py` writes; nothing here does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.merging import Block, merge_blocks
from gpt_trader.market.parquet import read_rows, require_parquet
from gpt_trader.market.quality import QualityReport
from gpt_trader.market.slicing import slice_market
from gpt_trader.market.stream import MarketStream, Rows

__all__ = [
    "CatalogStream",
    "ContentDigest",
    "DataFile",
    "Manifest",
    "Source",
    "catalog_folder",
    "checked_name",
    "dataset_names",
    "hold",
    "is_dataset",
    "is_held",
    "open_dataset",
    "read_manifest",
    "unfinished",
]

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RESERVED: Final = frozenset({"synthetic"})


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where rows came from."""

    name: str
    digest: str
    """As the importer states it: SHA-256 of the file's text, and of how it was asked to be read."""


class DataFile(msgspec.Struct, frozen=True, kw_only=True):
    """One product on one UTC day, or in one month."""

    symbol: str
    path: str
    """Relative to the dataset's folder."""
    rows: int
    first_ns: int
    last_ns: int
    size_bytes: int
    digest: str
    """SHA-256 of the file."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is known of a dataset without reading its rows."""

    format: int
    name: str
    digest: str
    """SHA-256 of products, times and rows, whatever the files look like; see ContentDigest."""
    imported_ns: int
    sources: tuple[Source, ...]
    products: tuple[ProductSpec, ...]
    start_ns: int
    end_ns: int
    bar_seconds: int
    modelled_book: bool
    notes: tuple[str, ...]
    quality: QualityReport
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        return self.quality.rows

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


class ContentDigest:
    """SHA-256 of what a market is: its facts, then every row in order, 64 bytes each, as market.rows.ROW lays it out.

    Names, notes and the layout of files are left out, so the same content has the same digest wherever it lies.
    """

    def __init__(self, stream: MarketStream) -> None:
        facts = (stream.products, stream.start_ns, stream.end_ns, stream.modelled_book)
        self._hash = hashlib.sha256(msgspec.json.encode(facts))

    def add(self, rows: Rows) -> None:
        self._hash.update(np.ascontiguousarray(rows).view(np.uint8).data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@dataclass(frozen=True)
class CatalogStream:
    """A market.stream.MarketStream over the files of a dataset, read a row group at a time."""

    manifest: Manifest
    folder: Path = field(repr=False)

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def products(self) -> tuple[ProductSpec, ...]:
        return self.manifest.products

    @property
    def start_ns(self) -> int:
        return self.manifest.start_ns

    @property
    def end_ns(self) -> int:
        return self.manifest.end_ns

    @property
    def bar_seconds(self) -> int:
        return self.manifest.bar_seconds

    @property
    def modelled_book(self) -> bool:
        return self.manifest.modelled_book

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the import, what was marked then, and where the rows came from."""
        sources = ", ".join(f"{source.name} sha256:{source.digest[:12]}" for source in self.manifest.sources)
        marked = (f"Marked on import: {finding.sentence()}" for finding in self.manifest.quality.findings)
        return (*self.manifest.notes, *marked, f"Catalog dataset {self.name}, imported from {sources}.")

    def chunks(self) -> Iterator[Rows]:
        return self.rows_since(None)

    def rows_since(self, since_ns: int | None) -> Iterator[Rows]:
        """As `chunks`, but files and row groups that end before `since_ns` are not read."""
        lanes = [self._lane(number, product.symbol, since_ns) for number, product in enumerate(self.products)]
        if len(lanes) == 1:
            return (rows for rows, _ in lanes[0])
        return merge_blocks(lanes)

    def _lane(self, number: int, symbol: str, since_ns: int | None) -> Iterator[Block]:
        for file in self.manifest.files:
            if file.symbol != symbol or (since_ns is not None and file.last_ns < since_ns):
                continue
            for rows, sequence in read_rows(self.folder / file.path, file.digest, since_ns=since_ns):
                rows["product"] = number
                yield rows, sequence


def catalog_folder(home: Path) -> Path:
    return home / "catalog"


def checked_name(name: str) -> str:
    """Raises ConfigError for what cannot name a dataset."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise ConfigError(
            f"dataset name {name!r}: a name has up to 64 of a-z, 0-9, '.', '_' and '-', begins with a letter or digit, "
            f"and is not {', '.join(RESERVED)}. Fix: choose another with --name"
        )
    return name


def dataset_names(home: Path) -> list[str]:
    return sorted(path.parent.name for path in catalog_folder(home).glob(f"*/{MANIFEST}"))


def unfinished(home: Path) -> list[Path]:
    """Folders that an import left behind when it was ended from outside; they count for nothing.

    One in which an import is writing is not among them. Raises MarketDataError where a manifest cannot be read.
    """
    kept = {
        catalog_folder(home) / name / file.path.split("/")[0]
        for name in dataset_names(home)
        for file in read_manifest(home, name).files
    }
    return sorted(path for path in catalog_folder(home).glob("*/rows-*") if path not in kept and not is_held(path))


def hold(folder: Path) -> int:
    """Say that somebody is writing in a folder, until the descriptor is closed or the process ends.

    Raises BlockingIOError where somebody else does.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def is_held(folder: Path) -> bool:
    try:
        os.close(hold(folder))
    except BlockingIOError:
        return True
    return False


def is_dataset(home: Path, name: str) -> bool:
    return bool(NAME.fullmatch(name)) and (catalog_folder(home) / name / MANIFEST).is_file()


def read_manifest(home: Path, name: str) -> Manifest:
    """Raises ConfigError where there is no such dataset, MarketDataError where its manifest is damaged."""
    path = catalog_folder(home) / checked_name(name) / MANIFEST
    if not path.is_file():
        known = ", ".join(dataset_names(home)) or "none yet"
        raise ConfigError(
            f"no dataset {name!r} in the catalog ({known}). Fix: gpt-trader data import FILE --name {name}"
        )
    return _decoded(path)


def _decoded(path: Path) -> Manifest:
    place = f"{path.parent.name}/{path.name}"
    again = "Fix: import it again, with --replace"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MarketDataError(f"catalog, {place}: damaged ({error}). {again}") from error
    except OSError as error:
        raise MarketDataError(f"catalog, {place}: cannot be read ({error.strerror}). {again}") from error
    if manifest.format != FORMAT:
        raise MarketDataError(f"catalog, {place}: format {manifest.format}, this program reads {FORMAT}. {again}")
    return manifest


def open_dataset(
    home: Path,
    name: str,
    *,
    bar_seconds: int | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> MarketStream:
    """A dataset, or the part of it between two times, as a market.

    `bar_seconds` is the length of the bars that strategies get; a dataset of bars has its own. Raises ConfigError for
    a wrong name, length or time, MarketDataError for a damaged dataset.
    """
    require_parquet()
    manifest = read_manifest(home, name)
    if bar_seconds not in {None, manifest.bar_seconds}:
        if manifest.modelled_book:
            raise ConfigError(
                f"run.bar_seconds = {bar_seconds}: dataset {name} holds bars of {manifest.bar_seconds} s, and no "
                f"others can be made from them. Fix: leave bar_seconds out, or set it to {manifest.bar_seconds}"
            )
        manifest = msgspec.structs.replace(manifest, bar_seconds=bar_seconds)
    stream = CatalogStream(manifest, catalog_folder(home) / name)
    for file in manifest.files:
        if not (stream.folder / file.path).is_file():
            raise MarketDataError(f"dataset {name}: {file.path} is missing. Fix: import it again, with --replace")
    return slice_market(stream, from_ns, to_ns, read_since=stream.rows_since)
