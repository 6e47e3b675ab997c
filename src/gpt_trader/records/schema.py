"""How is an event written, and how is an old one read? JSON with a tag, one row of bytes per event.

What is read back is checked strictly against the event's type. Text under a `Number` that reads as a plain number is
a Decimal again, so that writing what was read gives the same bytes.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, get_type_hints

import msgspec

from gpt_trader.core.errors import Number, StoreError
from gpt_trader.core.events import (
    SCHEMA_VERSION,
    Event,
    OrderApproved,
    TacticProgressed,
    TradingSignalGenerated,
)

__all__ = ["BRIEF", "EVENT_TYPES", "decode", "decode_brief", "encode", "encode_lines"]


def _event_types(root: type[Event]) -> dict[str, type[Event]]:
    found: dict[str, type[Event]] = {}
    for kind in root.__subclasses__():
        found[kind.__name__] = kind
        found.update(_event_types(kind))
    return found


EVENT_TYPES: Final[Mapping[str, type[Event]]] = _event_types(Event)
"""Every event type by name; the name is the tag it is stored under."""


def _unchanged(payload: bytes) -> bytes:
    return payload


UPCASTS: Final[Mapping[int, Callable[[bytes], bytes]]] = {1: _unchanged}
"""From a schema version to the bytes of the next one. Version 2 only added what may be absent."""

_NUMBERS: Final = Mapping[str, Number]
_STORED_NUMBERS: Final = Mapping[str, bool | int | str]
_BEGINS_NUMBER: Final = frozenset("-0123456789")


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it lies in the file, where a Number is text or an int: JSON cannot tell text from Decimal."""


def _stored_type(kind: type[Event]) -> type[Any]:
    """The type itself, or its twin with the same tag when it carries Numbers."""
    hints = get_type_hints(kind)
    if _NUMBERS not in hints.values():
        return kind
    fields = [
        (field.name, _STORED_NUMBERS if hints[field.name] == _NUMBERS else hints[field.name], _default(field))
        for field in msgspec.structs.fields(kind)
    ]
    return msgspec.defstruct(kind.__name__, fields, bases=(_Stored,), tag=kind.__name__, frozen=True, kw_only=True)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.field() if field.required else field.default


_NUMBER_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(field for field, hint in get_type_hints(kind).items() if hint == _NUMBERS)
    for name, kind in EVENT_TYPES.items()
}
_STORED_TYPES: Any = tuple(_stored_type(kind) for kind in EVENT_TYPES.values())
_DECODER: Final = msgspec.json.Decoder(type=functools.reduce(operator.or_, _STORED_TYPES))
_ENCODER: Final = msgspec.json.Encoder()
encode: Final[Callable[[Event], bytes]] = _ENCODER.encode
"""Canonical bytes of an event: fields in the order of their declaration, Decimal as text."""


def encode_lines(events: Sequence[Event]) -> bytes:
    """The bytes of many events, a line each, without a newline at the end."""
    return _ENCODER.encode_lines(events)[:-1]


def decode(payload: bytes, version: int = SCHEMA_VERSION) -> Event:
    """The event in these bytes. Raises StoreError for an unknown schema version or bytes that are no event."""
    if version != SCHEMA_VERSION:
        payload = _upcast(payload, version)
    try:
        stored = _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"not a readable event: {error}: {payload[:80]!r}") from error
    return _restored(stored) if isinstance(stored, _Stored) else stored


def _brief_type(kind: type[Event]) -> type[Any]:
    """A twin without the fields that carry Numbers; they are passed over."""
    hints = get_type_hints(kind)
    fields = [
        (field.name, hints[field.name], _default(field))
        for field in msgspec.structs.fields(kind)
        if hints[field.name] != _NUMBERS
    ]
    return msgspec.defstruct(kind.__name__, fields, bases=(_Stored,), tag=kind.__name__, frozen=True, kw_only=True)


BRIEF: Final[frozenset[type[Event]]] = frozenset({OrderApproved, TradingSignalGenerated, TacticProgressed})
"""Whose Numbers explain what was decided; nothing follows from them, so a replay need not read them."""
_BRIEF_TYPES: Any = tuple(_brief_type(kind) if kind in BRIEF else _stored_type(kind) for kind in EVENT_TYPES.values())
_BRIEF_DECODER: Final = msgspec.json.Decoder(type=functools.reduce(operator.or_, _BRIEF_TYPES))
_BRIEF_KINDS: Final = {kind.__name__: kind for kind in BRIEF}


def decode_brief(payload: bytes, version: int = SCHEMA_VERSION) -> Event:
    """The same, without the Numbers of the events in BRIEF: quicker by half, for who only wants the state."""
    if version != SCHEMA_VERSION:
        payload = _upcast(payload, version)
    try:
        stored = _BRIEF_DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"not a readable event: {error}: {payload[:80]!r}") from error
    if not isinstance(stored, _Stored):
        event: Event = stored
        return event
    kind = _BRIEF_KINDS.get(type(stored).__name__)
    return _restored(stored) if kind is None else kind(**msgspec.structs.asdict(stored))


def _upcast(payload: bytes, version: int) -> bytes:
    while version != SCHEMA_VERSION:
        step = UPCASTS.get(version)
        if step is None:
            raise StoreError(
                f"schema version {version} is unknown here (this program reads {SCHEMA_VERSION}"
                f"{''.join(f', {known}' for known in sorted(UPCASTS, reverse=True))}); "
                "open the run with the release that wrote it"
            )
        payload, version = step(payload), version + 1
    return payload


def _restored(stored: _Stored) -> Event:
    values = msgspec.structs.asdict(stored)
    name = type(stored).__name__
    for field in _NUMBER_FIELDS[name]:
        values[field] = {key: _number(value) for key, value in values[field].items()}
    return EVENT_TYPES[name](**values)


def _number(value: int | str) -> Number:
    """A Decimal where writing it gives the same text again; NaN and infinities stay text."""
    return _number_in(value) if type(value) is str and value[:1] in _BEGINS_NUMBER else value


@functools.lru_cache(maxsize=16_384)
def _number_in(text: str) -> Number:
    """Limits and thresholds stand in every decision: most texts have been seen before."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if str(number) == text and number.is_finite() else text
