"""Who said what a setting is? The layers, lowest first, and every value that one of them gave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from gpt_trader.config.files import Item

__all__ = ["Layer", "Layers", "Source"]


class Layer(StrEnum):
    """Who may say what a setting is; the later in the list wins."""

    DEFAULT = "default"
    PROFILE = "profile"
    RISK_FILE = "risk file"
    ENV_FILE = "env file"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"
    RUNTIME = "runtime control"


@dataclass(frozen=True)
class Source:
    """Where a value came from."""

    layer: Layer
    place: str
    """File and line, variable or option; empty for a default."""
    raw: object
    """As written; of a secret only that it is set."""
    since_ns: int | None = field(default=None, compare=False)
    """When the file that says so was last written; None for what is no file."""

    def __str__(self) -> str:
        return f"{self.layer} {self.place}".strip()


@dataclass
class Layers:
    """What each setting was given, lowest layer first."""

    given: dict[str, list[Source]] = field(default_factory=dict)

    def add(self, layer: Layer, items: Iterable[Item], file: Path | None = None) -> None:
        """Put them above all that was added before; `file` is where they were read."""
        since_ns = file.stat().st_mtime_ns if file is not None and file.exists() else None
        for item in items:
            self.given.setdefault(item.path, []).append(Source(layer, item.place, item.raw, since_ns))

    def winner(self, path: str) -> Source | None:
        return self.given[path][-1] if path in self.given else None
