"""What shall be read, and how? Files as a person describes them, made ready for the catalog, a check or a look."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gpt_trader.core.errors import ConfigError, MarketDataError
from gpt_trader.market.bar_file import Stamp, open_bar_file
from gpt_trader.market.catalog import CatalogStream, ContentDigest, Source, is_dataset, open_dataset, read_manifest
from gpt_trader.market.csv_columns import MappedSource
from gpt_trader.market.merging import merge_markets
from gpt_trader.market.quality import Inspection, QualityReport
from gpt_trader.market.quality_flaws import Limits
from gpt_trader.market.recorded import open_source
from gpt_trader.market.recording import RecordedMarket, SourceFile
from gpt_trader.market.slicing import slice_market
from gpt_trader.market.stream import MarketStream

__all__ = ["FileReading", "Opened", "check_market", "dataset_name", "open_file", "open_files", "open_named"]

ENDINGS: Final = re.compile(r"(\.(csv|txt|raw|json|jsonl|gz))+$")

Tell = Callable[[float], None]
"""Called with the share of a file that is read."""


class FileReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a file is to be read, where it does not say it itself; None leaves it to the file."""

    columns: Mapping[str, str] | None = None
    """As csv_columns.parse_columns gives them."""
    stamp: Stamp | None = None
    symbol: str | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    bar_seconds: int | None = None


def dataset_name(path: Path) -> str:
    """A name for the catalog after that of a file."""
    name = re.sub(r"[^a-z0-9._-]+", "-", ENDINGS.sub("", path.name.lower())).strip("-._")[:64]
    return name or "market"


def open_file(path: Path, reading: FileReading, tell: Tell | None = None) -> RecordedMarket:
    """Read and check a whole file. Raises MarketDataError with file, line, value and fix, or ConfigError."""
    options = msgspec.structs.asdict(reading)
    columns = options.pop("columns")
    if columns is not None:
        mapped = MappedSource(path, columns, tell)
        mapped.first_line()
        market = open_bar_file(mapped, volume=mapped.volume, **options)
        mapped.tell = None
        return market
    source = SourceFile(path, tell)
    market = open_source(source, **options)
    source.tell = None  # the next pass is told by those who make it
    meant_for_bars = [f"--{name}" for name in ("stamp", "symbol", "tick", "lot") if options[name] is not None]
    if meant_for_bars and not market.modelled_book:
        raise ConfigError(
            f"{', '.join(meant_for_bars)}: {path.name} is a raw capture, which says these things itself. Fix: leave "
            "them out"
        )
    return market


class Opened(NamedTuple):
    """A market and the files that it is made of."""

    stream: MarketStream
    sources: tuple[Source, ...]


def open_files(paths: Sequence[Path], reading: FileReading, name: str, tells: Sequence[Tell] | None = None) -> Opened:
    """One market of one or more files, merged by time."""
    if len(paths) > 1 and reading.symbol is not None:
        raise ConfigError("--symbol names the product of one file. Fix: import the files one by one, or without it")
    markets = [open_file(path, reading, tells[nth] if tells else None) for nth, path in enumerate(paths)]
    sources = tuple(Source(name=market.name, digest=market.digest) for market in markets)
    return Opened(merge_markets(name, markets), sources)


def open_named(
    home: Path,
    market: str,
    reading: FileReading | None = None,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    tell: Tell | None = None,
) -> MarketStream:
    """What a person means by `market`: the dataset of that name, else the file at that path.

    Of a dataset, `reading` may say the length of bars only. Raises ConfigError where there is neither, and where
    there are both: what is read must not depend on the folder one stands in.
    """
    how = reading or FileReading()
    path = Path(market)
    if is_dataset(home, market):
        if path.is_file():
            raise ConfigError(f"{market!r} is a dataset and a file. Fix: write ./{market} for the file")
        if how != FileReading(bar_seconds=how.bar_seconds):
            raise ConfigError(f"{market} is a dataset: how its file was to be read was said when it was imported")
        return open_dataset(home, market, bar_seconds=how.bar_seconds, from_ns=from_ns, to_ns=to_ns)
    if path.name == market and not path.suffix and not path.exists():
        read_manifest(home, market)  # a bare word: names the datasets that there are
    return slice_market(open_file(path, how, tell), from_ns, to_ns)


def check_market(
    stream: MarketStream, limits: Limits | None = None, tell: Callable[[int], None] | None = None
) -> QualityReport:
    """Inspect every row; of a dataset also whether it is still what was imported.

    Raises MarketDataError where it cannot be read, or where its content is not what the manifest says.
    """
    inspection = Inspection(stream.products, stream.bar_seconds, limits)
    digest = ContentDigest(stream)
    for chunk in stream.chunks():
        inspection.add(chunk)
        digest.add(chunk)
        if tell and len(chunk):
            tell(int(chunk["ts"][-1]))
    if isinstance(stream, CatalogStream) and digest.hexdigest() != stream.digest:
        raise MarketDataError(
            f"dataset {stream.name}: its content has SHA-256 {digest.hexdigest()[:12]}, the manifest says "
            f"{stream.digest[:12]}: it was changed after the import. Fix: import it again, with --replace"
        )
    return inspection.report()
