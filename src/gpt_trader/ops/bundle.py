"""How does a run travel? Log, facts and market in one file, which replays on another machine.

A zip: `manifest.json` (versions, run, head of the log), `run/` with the run's files, and `catalog/` or `market/` with
what it traded, unless that is made from the seed. Secrets are in none of them.
"""

from __future__ import annotations

import contextlib
import platform
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from gpt_trader import __version__
from gpt_trader.config.bot import SYNTHETIC
from gpt_trader.core.errors import ConfigError
from gpt_trader.core.events import SCHEMA_VERSION
from gpt_trader.core.values import Value
from gpt_trader.market.catalog import is_dataset
from gpt_trader.records.chain import mark_path
from gpt_trader.records.reader import read_run
from gpt_trader.records.runs import SERVER_NAME, STORE_NAME
from gpt_trader.report.facts import FACTS_NAME, read_facts

__all__ = ["Manifest", "is_bundle", "pack", "unpacked"]

MANIFEST: Final = "manifest.json"
RUN: Final = "run"
FORMAT: Final = 1
BUNDLE_BYTES_MAX: Final = 20_000_000_000
"""Unpacked; what says that it is larger is not unpacked."""


class Manifest(Value, frozen=True, kw_only=True):
    """What is in the file, and who made it."""

    format: int = FORMAT
    run: str
    events: int
    digest: str
    code_version: str
    schema_version: int
    python: str
    numba: str
    market: str


def pack(store: Path, home: Path, target: Path, market: str | None = None) -> Path:
    """Write the bundle of a run that has ended. Raises ConfigError where the market is not at hand, StoreError for a
    log that is not whole."""
    if store.name == SERVER_NAME:
        raise ConfigError(
            f"{store.parent.name}: its log is on a server, and a bundle is made of files. Fix: leave out --bundle"
        )
    recorded = list(read_run(store))
    place = market or (read_facts(store).market_place if store.with_name(FACTS_NAME).exists() else SYNTHETIC)
    manifest = Manifest(
        run=store.parent.name,
        events=len(recorded),
        digest=recorded[-1].digest,
        code_version=__version__,
        schema_version=SCHEMA_VERSION,
        python=platform.python_version(),
        numba=version("numba"),
        market=place,
    )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        for path in (store, mark_path(store)):
            if path.exists():
                bundle.write(path, f"{RUN}/{path.name}")
        if store.with_name(FACTS_NAME).exists():
            bundle.writestr(f"{RUN}/{FACTS_NAME}", _facts_without_place(store))
        for path, name in _market_files(home, place):
            bundle.write(path, name)
    return target


def _facts_without_place(store: Path) -> bytes:
    """Where the run lay on this machine is nobody's business elsewhere."""
    facts = read_facts(store)
    summary = msgspec.structs.replace(facts.summary, store=STORE_NAME)
    return msgspec.json.encode(msgspec.structs.replace(facts, summary=summary))


def _market_files(home: Path, place: str) -> Iterator[tuple[Path, str]]:
    if place == SYNTHETIC:
        return
    if is_dataset(home, place):
        folder = home / "catalog" / place
        yield from ((path, str(path.relative_to(home))) for path in sorted(folder.rglob("*")) if path.is_file())
        return
    path = Path(place)
    if not path.exists():
        raise ConfigError(f"market {place!r}: not there any more. Fix: --market NAME|FILE")
    files = [path] if path.is_file() else [each for each in sorted(path.rglob("*")) if each.is_file()]
    for each in files:
        yield each, f"market/{each.relative_to(path.parent)}"


def is_bundle(path: Path) -> bool:
    """A file made by `pack`."""
    return path.is_file() and zipfile.is_zipfile(path)


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[tuple[Path, Path]]:
    """The store of a bundle and a home with its market, until the block ends. Raises ConfigError."""
    with tempfile.TemporaryDirectory(prefix="gpt-trader-bundle-") as folder, zipfile.ZipFile(path) as bundle:
        names = bundle.namelist()
        size = sum(entry.file_size for entry in bundle.infolist())
        if MANIFEST not in names or f"{RUN}/{STORE_NAME}" not in names or size > BUNDLE_BYTES_MAX:
            raise ConfigError(f"{path}: no bundle of a run. Fix: make one with `gpt-trader replay RUN --bundle FILE`")
        manifest = msgspec.json.decode(bundle.read(MANIFEST), type=Manifest)
        if manifest.format != FORMAT:
            raise ConfigError(f"{path}: format {manifest.format}, this program reads {FORMAT}")
        bundle.extractall(folder)  # names that lead out of the folder are cut by the library
        home = Path(folder)
        store = home / RUN / STORE_NAME
        facts = store.with_name(FACTS_NAME)
        if (home / "market").exists() and facts.exists():
            _point_to(facts, home / "market" / Path(manifest.market).name)
        yield store, home


def _point_to(facts: Path, market: Path) -> None:
    """The market lies here now."""
    written = msgspec.json.decode(facts.read_bytes())
    facts.write_bytes(msgspec.json.encode({**written, "market_place": str(market)}))
