"""How is a kernel compiled, and when may the stored machine code be used again? The one place that configures numba.

Numba's own cache looks only at the file of the function it stores, so an edit of a *callee* in another file is served
stale. Here the code lies in a folder named after everything that determines it: the sources of all kernel modules and
of what they import, the versions of numba, numpy and Python, and the processor. Another source is another folder.

A kernel module imports `jit` or `part` from here, holds compiled functions and their constants only (an edit of it
compiles everything again), and works in integers wherever money is involved.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numba
import numpy as np
import platformdirs
from llvmlite import binding
from numba import types
from numba.core import config

from gpt_trader.core.errors import ConfigError

__all__ = ["EntryPoint", "compile_entry_points", "digest", "entry_points_compiled", "jit", "kernel_files", "part"]

KERNEL_FOLDERS: Final = ("market", "venue")
USES_JIT: Final = re.compile(rb"^from gpt_trader\.market\.compiled import .*\b(?:jit|part)\b", re.MULTILINE)
IMPORTS: Final = re.compile(rb"^(?:from|import) gpt_trader\.((?:market|venue)(?:\.\w+)+)", re.MULTILINE)
OPTIONS: Final[dict[str, Any]] = {
    "nogil": True,
    "fastmath": False,  # the same market gives the same numbers
    "boundscheck": False,
    "error_model": "python",  # a division by zero is an error, not a zero
}

BLAS: Final = "scipy.linalg.cython_blas"


def _load_without_blas() -> None:
    """Numba imports scipy.linalg, where it is installed, for `numpy.dot` in compiled code: a seventh of a later start.
    Kernels reckon in integers; it is said to be missing while numba looks for it, and can be imported afterwards."""
    hidden = sys.modules.setdefault(BLAS, None) is None  # type: ignore[arg-type] # Python's mark of what cannot be had
    try:
        import_module("numba.np.arraymath")
    finally:
        if hidden:
            del sys.modules[BLAS]


_load_without_blas()

SETTINGS: Final[Any] = config
NUMBA: Final[Any] = numba
TYPES: Final[Any] = types

F = TypeVar("F", bound=Callable[..., Any])


class EntryPoint(NamedTuple):
    """A compiled function that Python calls, with the one signature it is called with."""

    name: str
    function: Any
    signature: Any


def kernel_files() -> list[Path]:
    """Sources that determine the machine code: modules that use `jit` or `part`, and what they import."""
    package = Path(__file__).parent.parent
    waiting = [
        path
        for folder in KERNEL_FOLDERS
        for path in sorted((package / folder).rglob("*.py"))
        if USES_JIT.search(path.read_bytes())
    ]
    found: set[Path] = {Path(__file__)}
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting.extend(_imported(package, path))
    return sorted(found)


def _imported(package: Path, path: Path) -> Iterator[Path]:
    for match in IMPORTS.finditer(path.read_bytes()):
        module = package.joinpath(*match.group(1).decode().split(".")).with_suffix(".py")
        if module.exists():
            yield module


@functools.cache
def digest() -> str:
    """Hex digest of everything that determines the machine code, as of the first call in this process."""
    package = Path(__file__).parent.parent
    seen = hashlib.sha256()
    for path in kernel_files():
        seen.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes() + b"\0")
    processor = (
        os.environ.get("NUMBA_CPU_NAME", ""),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
        platform.machine(),
        sys.platform,
    )
    versions = (numba.__version__, np.__version__, platform.python_version(), sorted(OPTIONS.items()))
    seen.update(repr((processor, versions)).encode())
    return seen.hexdigest()[:32]


def _home() -> Path:
    chosen = os.environ.get("GPT_TRADER_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("gpt-trader"))


@functools.cache
def _cache_folder() -> Path:
    folder = _home() / "jit" / digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"GPT_TRADER_HOME: cannot make {folder} for compiled code ({error.strerror}); "
            "set GPT_TRADER_HOME to a folder that can be written"
        ) from error
    return folder


def _widened(kind: Any) -> Any:
    """The type of an argument without the value of a literal, and integers as int64."""
    plain = TYPES.unliteral(kind)
    return TYPES.int64 if isinstance(plain, TYPES.Integer) and plain.signed else plain


def _compile_once(compiled: Any) -> Any:
    """Let compiled callers share one version; numba would make one for every constant that is passed."""
    template = compiled.get_call_template
    compiled.get_call_template = lambda kinds, named: template(tuple(_widened(kind) for kind in kinds), named)
    return compiled


def jit(function: F) -> F:
    """Compile on first use with the options of this house, and keep the machine code under GPT_TRADER_HOME/jit.

    Raises ConfigError when that folder cannot be made.
    """
    before = SETTINGS.CACHE_DIR
    SETTINGS.CACHE_DIR = str(_cache_folder())
    try:
        compiled: F = _compile_once(NUMBA.njit(cache=True, **OPTIONS)(function))
    finally:
        SETTINGS.CACHE_DIR = before
    return compiled


def part(function: F) -> F:
    """Part of a kernel: called from compiled code only, stored within its callers, and quicker to compile."""
    compiled: F = _compile_once(NUMBA.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function))
    return compiled


def _marker(point: EntryPoint) -> Path:
    return _cache_folder() / f"{point.name}.compiled"


def entry_points_compiled(points: Sequence[EntryPoint]) -> bool:
    """The machine code of all of them is stored, so that loading takes milliseconds."""
    return all(_marker(point).exists() for point in points)


def compile_entry_points(points: Sequence[EntryPoint], progress: Callable[[str, int, int], None]) -> None:
    """Compile or load each; calls `progress(name, done, total)` before each one and after the last."""
    for done, point in enumerate(points):
        progress(point.name, done, len(points))
        point.function.compile(point.signature)
        _marker(point).touch()
    progress("", len(points), len(points))
