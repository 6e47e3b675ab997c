"""What is wrong with a value, in words a person can act on? Turns the models' errors into problem, place and fix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr
from pydantic_core import ErrorDetails

from gpt_trader.config.files import Problems
from gpt_trader.config.names import Known, known_settings, plain
from gpt_trader.config.sources import Layers

__all__ = ["explain"]


def explain(detail: ErrorDetails, layers: Layers, problems: Problems) -> None:
    """Add the problem of one value, with who set it."""
    path, rest = _locate(detail["loc"])
    known = known_settings().get(path)
    if known is None:
        _report_together(path, detail, layers, problems)
        return
    source = layers.winner(path)
    raw = "(not shown)" if known.secret else _shortened(detail["input"] if rest else source.raw if source else None)
    subject = f"{path}{''.join(f'[{part}]' for part in rest)} = {raw}"
    problem, fix = _explained(detail, known)
    problems.add(subject, str(source) if source else "", problem, fix)


def _report_together(path: str, detail: ErrorDetails, layers: Layers, problems: Problems) -> None:
    """Values that are fine one by one and not together: the text names them, we add who set them."""
    text = detail["msg"].removeprefix("Value error, ")
    prefix = f"{path}." if path else ""
    named = [word if word in known_settings() else prefix + word for word in re.findall(r"[a-z_.]+[a-z]", text)]
    places = [f"{name} from {source}" for name in dict.fromkeys(named) if (source := layers.winner(name))]
    problems.add(path or "configuration", "; ".join(places), text, "change one of them")


def _locate(loc: tuple[int | str, ...]) -> tuple[str, tuple[int | str, ...]]:
    """The setting that an error belongs to, and what of its inside."""
    for length in range(len(loc), 0, -1):
        path = ".".join(str(part) for part in loc[:length])
        if path in known_settings():
            return path, tuple(part for part in loc[length:] if part != "[key]")
    return ".".join(str(part) for part in loc), ()


def _shortened(raw: object) -> str:
    text = repr(raw.get_secret_value() and "set") if isinstance(raw, SecretStr) else repr(raw)
    return text if len(text) <= 80 else text[:77] + "..."


_NOT_WHOLE: Final = ("int_parsing", "int_type", "int_from_float", "int_parsing_size")
_NOT_NUMBER: Final = ("decimal_parsing", "decimal_type", "float_parsing", "float_type", "finite_number")
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "below the smallest allowed value {}"),
    "greater_than": ("gt", "not above {}"),
    "less_than_equal": ("le", "above the largest allowed value {}"),
    "less_than": ("lt", "not below {}"),
}


def _explained(detail: ErrorDetails, known: Known) -> tuple[str, str]:
    """Problem and fix in words."""
    kind, context = detail["type"], detail.get("ctx", {})
    allowed = f" {known.allowed}" if known.allowed else ""
    example = plain(known.default)
    such_as = f", such as {example}" if example not in (None, "", {}, []) else ""
    if kind in _NOT_WHOLE:
        return "not a whole number", f"set a whole number{allowed}{such_as} ({known.unit})"
    if kind in _NOT_NUMBER:
        problem = "not a finite number" if kind == "finite_number" else "not a number"
        return problem, f"set a number{allowed}{such_as} ({known.unit})"
    if kind in _BOUNDS:
        name, problem = _BOUNDS[kind]
        hint = ""
        if known.unit.startswith("share") and "=" not in known.unit and name in ("le", "lt"):
            hint = "; write a share: 0.05 is 5 %"
        return problem.format(context[name]), f"set a number{allowed}{such_as} ({known.unit}){hint}"
    if kind in ("bool_parsing", "bool_type"):
        return "neither yes nor no", "set true or false"
    if kind in ("enum", "literal_error"):
        return f"not one of {context['expected']}", "set one of them"
    if kind == "string_pattern_mismatch":
        return "not a symbol", "write it in capitals, such as BTC-PERP"
    if kind in ("string_too_short", "too_short"):
        return "empty", f"set {known.unit}{such_as}"
    fix = f"set {known.unit}{such_as}"
    if isinstance(known.default, Mapping):
        fix = f"write SYMBOL:VALUE,SYMBOL:VALUE with a value for each symbol ({known.unit})"
    return detail["msg"].removeprefix("Value error, "), fix
