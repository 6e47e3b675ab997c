"""What does a file say, and on which line? Profiles (YAML), risk files (JSON) and env files, read without belief.

Values leave here as text, yes/no, lists or tables of text: what a number is worth is decided once, by the models.
So `0.1` stays 0.1 and `08:00` stays a time of day, whatever the file format thinks.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from dotenv.parser import parse_stream
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from gpt_trader.config.bot import sections
from gpt_trader.config.names import known_settings, nearest
from gpt_trader.core.errors import ConfigError

__all__ = ["Item", "Problems", "label", "read_env_file", "read_profile", "read_risk_file"]

FILE_BYTES_MAX: Final = 1_000_000
_BOOL, _NULL = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"
_TAGS: Final = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")
}
"""What plain YAML is made of; nothing that builds an object."""


@dataclass(frozen=True)
class Item:
    """One setting as a source wrote it."""

    path: str
    raw: object
    place: str
    """File and line, variable or option."""


class Problems:
    """Everything that is wrong, said at once."""

    def __init__(self) -> None:
        self._blocks: list[str] = []

    def add(self, subject: str, place: str, problem: str, fix: str) -> None:
        block = f"{subject}{f' ({place})' if place else ''}: {problem}. Fix: {fix}."
        if block not in self._blocks:
            self._blocks.append(block)

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def raise_if_any(self) -> None:
        """Raises ConfigError with one line for each problem."""
        if self._blocks:
            raise ConfigError("\n".join(self._blocks))


def label(path: Path) -> str:
    """The file for people: relative where it lies below the working folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


def read_profile(path: Path, problems: Problems) -> list[Item]:
    """Settings of a profile. The block `monitoring: risk:` of older profiles means `risk:`."""
    text = _read_text(path, "profile", problems)
    if text is None:
        return []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        problems.add(label(path), _yaml_place(path, error), _yaml_problem(error), "mend the YAML there")
        return []
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        problems.add(label(path), "", "not a table of settings", "write `name: value` lines")
        return []
    items = list(_walk(root, "", path, problems))
    for name, count in Counter(item.path for item in items).items():
        if count > 1:
            places = ", ".join(item.place for item in items if item.path == name)
            problems.add(name, places, "set twice", "keep one of them")
    return items


def read_risk_file(path: Path, problems: Problems) -> list[Item]:
    """Settings of a risk file: one JSON object whose keys are fields of RiskConfig."""
    text = _read_text(path, "risk file", problems)
    if text is None:
        return []
    twice: list[str] = []

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return dict(pairs)

    try:
        content = json.loads(text, object_pairs_hook=table, parse_float=str, parse_int=str, parse_constant=str)
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        problem = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        problems.add(label(path), f"{label(path)}:{line}", f"not JSON: {problem}", "mend the file there")
        return []
    if not isinstance(content, dict):
        problems.add(label(path), "", "not a JSON object", 'write {"max_leverage": 3, ...}')
        return []
    for key in twice:
        lines = ", ".join(f"{label(path)}:{line}" for line in _lines_of(text, key))
        problems.add(f"risk.{key}", lines, "set twice", "keep one of them")
    items = []
    for key, raw in content.items():
        place = f"{label(path)}:{next(iter(_lines_of(text, key)), 1)}"
        if f"risk.{key}" in known_settings():
            items.append(Item(f"risk.{key}", raw, place))
        else:
            _unknown(f"risk.{key}", place, problems)
    return items


def read_env_file(path: Path, problems: Problems) -> Mapping[str, tuple[str, str]]:
    """Variables of an env file: name to (value, place). `export` and quotes are understood."""
    text = _read_text(path, "env file", problems)
    if text is None:
        return {}
    lines: dict[str, int] = {}
    broken = False
    for binding in parse_stream(io.StringIO(text)):
        place = f"{label(path)}:{binding.original.line}"
        if binding.error or (binding.key is not None and binding.value is None):
            problems.add(label(path), place, "not NAME=VALUE", "mend or remove the line")
            broken = True
        elif binding.key is not None:
            if binding.key in lines:
                problems.add(binding.key, place, f"set twice, first on line {lines[binding.key]}", "keep one")
            lines[binding.key] = binding.original.line
    if broken:
        return {}  # the library would skip the line and log; the problem is already on the list
    source = DotEnvSettingsSource(BaseSettings, env_file=path, env_file_encoding="utf-8-sig", case_sensitive=True)
    return {
        name: (value, f"{label(path)}:{lines[name]} {name}")
        for name, value in source.env_vars.items()
        if value is not None
    }


def _read_text(path: Path, kind: str, problems: Problems) -> str | None:
    try:
        data = path.read_bytes() if path.stat().st_size <= FILE_BYTES_MAX else None
    except OSError as error:
        problems.add(f"{kind} {path}", "", f"cannot be read: {error.strerror}", "check the name and the permissions")
        return None
    except ValueError:  # halves of characters, or a zero byte
        problems.add(f"{kind} {str(path)!a}", "", "no name that a file can have", "check the name")
        return None
    if data is None:
        problems.add(f"{kind} {path}", "", f"larger than {FILE_BYTES_MAX} bytes", "this is no such file")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.add(f"{kind} {path}", f"{label(path)}:{line}", "not UTF-8 text", "save it as UTF-8")
        return None


def _walk(node: yaml.MappingNode, prefix: str, path: Path, problems: Problems) -> Iterator[Item]:
    """Settings below `node`; what is no setting and no section is a problem."""
    known = known_settings()
    for key_node, value_node in node.value:
        name = prefix + str(key_node.value)
        place = f"{label(path)}:{key_node.start_mark.line + 1}"
        target = name.removeprefix("monitoring.") if name.startswith("monitoring.risk.") else name
        if target in known and target != "profile":
            try:
                yield Item(target, _plain_yaml(value_node), place)
            except ValueError as error:
                problems.add(target, place, str(error), "write a plain value")
        elif name in sections() or name in ("monitoring", "monitoring.risk"):
            if isinstance(value_node, yaml.MappingNode):
                yield from _walk(value_node, name + ".", path, problems)
            elif value_node.tag != _NULL:
                problems.add(name, place, "a section, not a value", "indent its settings below it")
        else:
            _unknown(target, place, problems)


def _plain_yaml(node: yaml.Node) -> object:
    """Text, yes/no, nothing, or a list or table of these; numbers stay as they were written."""
    if node.tag not in _TAGS:
        raise ValueError(f"the tag {node.tag} is not allowed")
    if isinstance(node, yaml.ScalarNode):
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return yaml.SafeLoader.bool_values.get(node.value.lower(), node.value)
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        if not all(isinstance(item, yaml.ScalarNode) for item in node.value):
            raise ValueError("a list of plain values is wanted")
        return [_plain_yaml(item) for item in node.value]
    table: dict[str, object] = {}
    for key, value in node.value:
        if not (isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode)):
            raise ValueError("a table of plain values is wanted")  # noqa: TRY004 - the file is wrong, not a type of ours
        if str(key.value) in table:
            raise ValueError(f"{key.value} is named twice")
        table[str(key.value)] = _plain_yaml(value)
    return table


def _unknown(name: str, place: str, problems: Problems) -> None:
    known = known_settings()
    section, _, leaf = name.rpartition(".")
    beside = {path.rpartition(".")[2]: path for path in known if path.rpartition(".")[0] == section}
    elsewhere = {path.rpartition(".")[2]: path for path in known}
    close = beside.get(nearest(leaf, beside)) or elsewhere.get(nearest(leaf, elsewhere))
    if not section and (section_name := nearest(leaf, sections())):
        close = section_name
    fix = f"did you mean {close}?" if close else "remove it; `gpt-trader config show` lists every setting"
    problems.add(name, place, "no such setting", fix.removesuffix("?"))


def _lines_of(text: str, key: str) -> Iterator[int]:
    for match in re.finditer(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text):
        yield text.count("\n", 0, match.start()) + 1


def _yaml_place(path: Path, error: yaml.YAMLError | RecursionError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f"{label(path)}:{mark.line + 1}" if mark else label(path)


def _yaml_problem(error: yaml.YAMLError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error).splitlines()[0]
    return f"not YAML: {problem}"
