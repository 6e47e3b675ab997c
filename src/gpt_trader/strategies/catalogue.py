"""Which strategies may be run? The built-in ones, those of installed packages, and those of one named folder.

Code that trades comes from nowhere else: a package says what it offers in its entry points (group
`gpt_trader.strategies`), and a file counts only in the folder that `strategy.folder` names, when file and folder belong
to the user who runs the bot and nobody else may write them.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from gpt_trader.config.bot import StrategyConfig
from gpt_trader.config.names import nearest
from gpt_trader.core.errors import ConfigError, GptTraderError
from gpt_trader.strategies.base import Strategy
from gpt_trader.strategies.kind import StrategyKind

__all__ = ["BUILT_IN", "ENTRY_POINTS", "Found", "find_strategy", "load_file", "make_strategy", "strategies"]

BUILT_IN: Final[Mapping[str, str]] = {
    "ma_crossover": "gpt_trader.strategies.ma_crossover",
    "breakout": "gpt_trader.strategies.breakout",
    "mean_reversion": "gpt_trader.strategies.mean_reversion",
    "funding_carry": "gpt_trader.strategies.funding_carry",
}
ENTRY_POINTS: Final = "gpt_trader.strategies"
BROKEN: Final = (
    ImportError,
    SyntaxError,
    NameError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    OSError,
    GptTraderError,
)
"""What loading the code of others may raise."""
OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class Found:
    """One strategy that can be chosen."""

    kind: StrategyKind[Any]
    source: str
    """`built in`, `package NAME`, or the file."""


def make_strategy(config: StrategyConfig) -> Strategy:
    """One instance for one symbol. Raises ConfigError for a name that is not there, or parameters that do not fit."""
    return find_strategy(config).kind.build(config)


def find_strategy(config: StrategyConfig) -> Found:
    """The strategy that the configuration names; nothing else is imported. Raises ConfigError."""
    name = config.name
    if name in BUILT_IN:
        return Found(_kind(importlib.import_module(BUILT_IN[name]), name), "built in")
    names = set(BUILT_IN)
    for point in entry_points(group=ENTRY_POINTS):
        names.add(point.name)
        if point.name == name:
            return _from_package(point)
    for path in _files(config.folder):
        names.add(path.stem)
        if path.stem == name:
            return load_file(path)
    close = nearest(name, names)
    hint = f"did you mean {close}? " if close else ""
    raise ConfigError(
        f"strategy.name = {name!r}: no such strategy. Fix: {hint}choose one of {', '.join(sorted(names))}"
        + ("" if config.folder else ", or name the folder of your own in strategy.folder")
    )


def strategies(folder: str) -> Iterator[Found]:
    """Everything that can be chosen. Raises ConfigError for what is there and cannot be loaded."""
    for name in BUILT_IN:
        yield find_strategy(StrategyConfig(name=name))
    for point in entry_points(group=ENTRY_POINTS):
        yield _from_package(point)
    for path in _files(folder):
        yield load_file(path)


def load_file(path: Path) -> Found:
    """The strategy of a file of one's own. Raises ConfigError: it runs with the keys of the bot, so it must be its
    owner's alone."""
    for place in (path.parent, path):
        state = place.stat()
        if state.st_uid != os.getuid() or state.st_mode & OTHERS_WRITE:
            raise ConfigError(
                f"strategy.folder: {place} may be written by others (owner {state.st_uid}, mode "
                f"{stat.S_IMODE(state.st_mode):04o}), and what it says would trade. Fix: own it, and chmod go-w {place}"
            )
    spec = importlib.util.spec_from_file_location(f"gpt_trader_strategy_{path.stem}", path)
    assert spec is not None, "a .py file"
    assert spec.loader is not None, "a .py file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # annotations that are text are looked up there
    try:
        spec.loader.exec_module(module)
    except BROKEN as error:
        raise ConfigError(f"{path}: cannot be loaded: {type(error).__name__}: {error}. Fix: mend the file") from error
    return Found(_kind(module, path.stem), str(path))


def _from_package(point: Any) -> Found:
    package = point.dist.name if point.dist is not None else point.value
    try:
        kind = point.load()
    except BROKEN as error:
        raise ConfigError(
            f"strategy {point.name} of package {package}: cannot be loaded: {type(error).__name__}: {error}. "
            "Fix: mend or uninstall the package"
        ) from error
    return Found(_checked(kind, point.name, f"entry point {point.value}"), f"package {package}")


def _kind(module: Any, name: str) -> StrategyKind[Any]:
    return _checked(vars(module).get("STRATEGY"), name, f"{module.__file__}: STRATEGY")


def _checked(kind: object, name: str, place: str) -> StrategyKind[Any]:
    if not isinstance(kind, StrategyKind):
        raise ConfigError(f"{place} is {kind!r}, no StrategyKind. Fix: STRATEGY = StrategyKind(name={name!r}, ...)")
    if kind.name != name:
        raise ConfigError(f"{place} calls itself {kind.name!r} and was found as {name!r}. Fix: give both one name")
    return kind


def _files(folder: str) -> list[Path]:
    if not folder:
        return []
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise ConfigError(f"strategy.folder = {folder!r}: no such folder. Fix: make it, or leave the setting out")
    return sorted(path for path in place.glob("*.py") if not path.name.startswith("_"))
