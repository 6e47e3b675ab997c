"""How is the house read by its own tests? Source files as syntax trees, without importing them."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["ROOT", "SRC", "Place", "calls", "classes", "committed_files", "dotted", "find_symbol", "modules", "where"]

ROOT: Final = Path(__file__).resolve().parents[2]
SRC: Final = ROOT / "src" / "gpt_trader"
PARAMETER: Final = re.compile(r"(?P<path>[\w.]+)\((?P<parameter>\w+)\)")


class Place(NamedTuple):
    """A node of the syntax tree and where it stands."""

    module: str
    """Path below `src/gpt_trader`, such as `core/bus.py`."""
    node: ast.AST


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf8"), filename=str(path))


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Every module of the product, by its path below `src/gpt_trader`."""
    return {path.relative_to(SRC).as_posix(): tree(path) for path in sorted(SRC.rglob("*.py"))}


def nodes(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[Place]:
    for module, syntax in modules().items():
        for node in ast.walk(syntax):
            if isinstance(node, kind):
                yield Place(module, node)


def dotted(node: ast.AST) -> str:
    """`a.b.c` for names and attributes of names, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


@functools.cache
def imported_names(module: str) -> dict[str, str]:
    """Local name -> full dotted name of what the module imports."""
    names: dict[str, str] = {}
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Import):
            names.update(
                {
                    item.asname or item.name.split(".")[0]: (item.asname and item.name) or item.name.split(".")[0]
                    for item in node.names
                }
            )
        elif isinstance(node, ast.ImportFrom):
            names.update({item.asname or item.name: f"{node.module}.{item.name}" for item in node.names})
    return names


def full_name(module: str, node: ast.AST) -> str:
    """Dotted name of a reference with its import resolved: `sleep` after `from asyncio import sleep` is
    `asyncio.sleep`."""
    name = dotted(node)
    head, _, rest = name.partition(".")
    resolved = imported_names(module).get(head, head)
    return f"{resolved}.{rest}" if rest else resolved


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call: module, full dotted name of what is called, node."""
    for module, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        yield module, full_name(module, node.func), node


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for module, node in nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        yield module, node


def where(module: str, node: ast.AST) -> str:
    return f"src/gpt_trader/{module}:{getattr(node, 'lineno', 0)}"


def committed_files() -> list[Path]:
    """Files under version control or about to be; everything outside the usual build folders without git."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
        return sorted(path for path in paths if path.is_file())
    hidden = {"build", "dist", "__pycache__"}
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(part in hidden or (part.startswith(".") and part != ".ci") for part in path.relative_to(ROOT).parts)
    )


def find_symbol(reference: str) -> bool:
    """Does `module.path:Class.attribute`, `module.path:function(parameter)` or `module.path` exist in the source?"""
    module_name, _, symbol = reference.partition(":")
    path = ROOT / "src" / module_name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        return False
    if not symbol:
        return True
    match = PARAMETER.fullmatch(symbol)
    parts = (match["path"] if match else symbol).split(".")
    node: ast.AST | None = tree(file)
    for part in parts:
        node = _member(node, part) if node is not None else None
    if node is None:
        return False
    return match is None or _has_parameter(node, match["parameter"])


def _member(parent: ast.AST, name: str) -> ast.AST | None:
    body = parent.body if isinstance(parent, ast.Module | ast.ClassDef) else []
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return node
        if isinstance(node, ast.AnnAssign) and dotted(node.target) == name:
            return node
        if isinstance(node, ast.Assign) and any(dotted(target) == name for target in node.targets):
            return node
    if isinstance(parent, ast.ClassDef):
        return _instance_attribute(parent, name)
    return None


def _instance_attribute(parent: ast.ClassDef, name: str) -> ast.AST | None:
    for node in ast.walk(parent):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(dotted(target) == f"self.{name}" for target in targets):
            return node
    return None


def _has_parameter(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.ClassDef):
        start = _member(node, "__init__")
        return start is not None and _has_parameter(start, name)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    arguments = node.args
    return any(argument.arg == name for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])
