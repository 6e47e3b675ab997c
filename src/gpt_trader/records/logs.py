"""Which log is meant, and what is in it? That of a run: a file in its folder, or on the server that it names."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gpt_trader.core.errors import ConfigError
from gpt_trader.core.journal import Head, Recorded
from gpt_trader.records.anchors import anchors_beside
from gpt_trader.records.reader import head_of, lines_of, read_run, run_id_of, verify
from gpt_trader.records.runs import SERVER_NAME, find_run
from gpt_trader.records.shelf import Verification

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["URL_VARIABLE", "StoredLog", "file_of", "find_log", "log_at"]

URL_VARIABLE: Final = "GPT_TRADER_STORE_URL"
SCHEMES: Final = ("postgresql://", "postgres://")
MISSING: Final = "the extra `postgres` is not installed. Fix: pip install 'gpt-trader[postgres]'"


@dataclass(frozen=True)
class StoredLog:
    """One log, read from wherever it is. Every call raises StoreError."""

    place: Path
    """The database, or what stands for it beside the other files of the run."""
    url: str = ""
    """Of its server; empty for a file."""
    run: str = ""
    """As the server calls it."""

    @property
    def run_id(self) -> str:
        return self.run if self.url else run_id_of(self.place)

    def read(self, after: int = 0) -> Generator[Recorded]:
        """Events after a sequence number, verified as they are read."""
        return _server().read_server(self.url, self.run, after) if self.url else read_run(self.place, after)

    def verify(self, tell: Callable[[Recorded], None] | None = None, anchors: Iterable[Head] = ()) -> Verification:
        """Walk the whole of it and name every break."""
        if self.url:
            beside = anchors_beside(self.place)
            found: Verification = _server().verify_server(self.url, self.run, tell, (*anchors, *beside))
            return found
        return verify(self.place, tell, anchors)

    def head(self) -> Head:
        """The newest event."""
        return _server().head_on_server(self.url, self.run) if self.url else head_of(self.place)

    def lines(self, after: int = 0) -> Iterator[bytes]:
        """Every event after a sequence number as a line of JSON, verified as it is read."""
        return _server().lines_on_server(self.url, self.run, after) if self.url else lines_of(self.place, after)


def find_log(home: Path, reference: str, environ: Mapping[str, str] = os.environ) -> StoredLog:
    """The log that a person means: as `find_run`, or `postgresql://host/database#RUN`. Raises ConfigError."""
    if not reference.startswith(SCHEMES):
        return log_at(find_run(home, reference), environ)
    url, _, run = reference.partition("#")
    if not run:
        raise ConfigError(f"a log on a server: name the run behind a #, as the file {SERVER_NAME} of the run does")
    _server()
    return StoredLog(home / "runs" / run / SERVER_NAME, url, run)


def log_at(place: Path, environ: Mapping[str, str] = os.environ) -> StoredLog:
    """The log of a run's folder, found before. Raises ConfigError where it is on a server that nobody named."""
    if place.name != SERVER_NAME:
        return StoredLog(place)
    told = place.read_text(encoding="utf8").strip()
    url, run = environ.get(URL_VARIABLE, ""), told.rpartition("#")[2]
    if not url:
        raise ConfigError(
            f"the log of this run is at {told}. Fix: set {URL_VARIABLE} to that server's URL, as the bot has"
        )
    known = _server().place_of(url, run)
    if known != told:
        raise ConfigError(f"the log of this run is at {told}, and {URL_VARIABLE} names {known}. Fix: name that server")
    return StoredLog(place, url, run)


def file_of(home: Path, reference: str, what: str, instead: str) -> Path:
    """The database of a run, for what can be done with files only. Raises ConfigError that says what to do with a log
    on a server instead."""
    if not reference.startswith(SCHEMES):
        place = find_run(home, reference)
        if place.name != SERVER_NAME:
            return place
        reference = place.read_text(encoding="utf8").strip()
    raise ConfigError(f"{_without_secrets(reference)}: {what} works on files only. Fix: {instead}")


def _without_secrets(reference: str) -> str:
    scheme, _, rest = reference.partition("://")
    host, _, run = rest.partition("#")
    return f"{scheme}://{host.rpartition('@')[2].partition('?')[0]}#{run}"


def _server() -> ModuleType:
    try:
        from gpt_trader.records.postgres import shelf  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(f"a log on a server is named, and {MISSING} ({error})") from error
    return shelf
