"""Which settings are there, and by which names can each be set? One row per setting, made from the models."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any

import annotated_types
import msgspec
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gpt_trader.config.bot import BotConfig, sections
from gpt_trader.config.risk import Setting, StrictModel

__all__ = ["Known", "allowed_range", "known_settings", "nearest", "plain"]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One setting: its path in the configuration, its other names, and what it is for."""

    path: str
    env: str
    option: str
    unit: str
    acts: str
    meaning: str
    built: bool
    secret: bool
    in_digest: bool
    default: Any
    allowed: str
    """Range in words, such as `from 1 to 100`; empty where there is none."""


@cache
def known_settings() -> Mapping[str, Known]:
    """Every setting by path, in the order in which the models name them."""
    rows = [*_rows("", BotConfig), *(row for name, model in sections().items() for row in _rows(f"{name}.", model))]
    return MappingProxyType({row.path: row for row in rows})


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """The name that was probably meant, or an empty text; `cutoff` is difflib's similarity, 0 to 1."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return close[0] if close else ""


def plain(value: object) -> Any:
    """A setting's value for printing and hashing: numbers as text, secrets as `set`."""
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in sorted(value.items())}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | int | float) or value is None:
        return value
    return str(value)


def _rows(prefix: str, model: type[StrictModel]) -> Iterable[Known]:
    for name, field in model.model_fields.items():
        setting = next((item for item in field.metadata if isinstance(item, Setting)), None)
        if setting is None:
            continue  # a section: its settings have rows of their own
        section = prefix.removesuffix(".")
        by_rule = (
            f"RISK_{name}"
            if section == "risk"
            else f"GPT_TRADER_{section}__{name}"
            if section
            else f"GPT_TRADER_{name}"
        )
        yield Known(
            path=prefix + name,
            env=setting.env or by_rule.upper(),
            option=setting.option,
            unit=setting.unit,
            acts=setting.acts if setting.built else f"{setting.acts} (not built yet; cannot be set)",
            meaning=" ".join((field.description or "").split()),
            built=setting.built,
            secret=setting.secret,
            in_digest=setting.in_digest,
            default=field.get_default(call_default_factory=True),
            allowed=allowed_range(field),
        )


def allowed_range(field: FieldInfo) -> str:
    """Range of a setting in words, such as `from 1 to 100`; empty where there is none."""
    ends = {type(item): item for item in field.metadata}
    low, high = ends.get(annotated_types.Ge), ends.get(annotated_types.Le)
    if low is not None and high is not None:
        return f"from {low.ge} to {high.le}"
    words: list[str] = []
    for item in field.metadata:
        if isinstance(item, annotated_types.Ge):
            words.append(f"at least {item.ge}")
        elif isinstance(item, annotated_types.Gt):
            words.append(f"above {item.gt}")
        elif isinstance(item, annotated_types.Le):
            words.append(f"at most {item.le}")
        elif isinstance(item, annotated_types.Lt):
            words.append(f"below {item.lt}")
    return ", ".join(words)
