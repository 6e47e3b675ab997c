"""How is an event written, and how is an old one read?"""

from __future__ import annotations

import ast
import json
import typing
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import a_fill

from gpt_trader.core import events
from gpt_trader.core.errors import Number, StoreError
from gpt_trader.core.events import SCHEMA_VERSION, Event
from gpt_trader.core.values import EngineDecision, PaperCost, Side
from gpt_trader.records import schema
from gpt_trader.records.schema import BRIEF, EVENT_TYPES, decode, decode_brief, encode

WORDS = st.text(max_size=20)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12)
INTS = st.integers(min_value=-(2**62), max_value=2**62)
NUMBERS = st.one_of(DECIMALS, INTS, st.from_regex(r"\A[a-z_ ]{0,12}\Z"))
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: INTS,
    bool: st.booleans(),
    Decimal: DECIMALS,
    Decimal | None: st.none() | DECIMALS,
    int | None: st.none() | INTS,
    Side | None: st.none() | st.sampled_from(list(Side)),
    tuple[str, ...]: st.lists(WORDS, max_size=3).map(tuple),
    tuple[Decimal, ...]: st.lists(DECIMALS, max_size=3).map(tuple),
    Mapping[str, str]: st.dictionaries(WORDS, WORDS, max_size=4),
    Mapping[str, Number]: st.dictionaries(WORDS, NUMBERS, max_size=4),
    Mapping[str, Decimal]: st.dictionaries(WORDS, DECIMALS, max_size=4),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return VALUES[hint]


def values_within(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: values_of(hint) for name, hint in typing.get_type_hints(kind).items()})


VALUES[EngineDecision] = values_within(EngineDecision)
VALUES[PaperCost | None] = st.none() | values_within(PaperCost)


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(kind, **{name: values_of(hint) for name, hint in typing.get_type_hints(kind).items()})


EVENTS = st.one_of([events_of(kind) for kind in EVENT_TYPES.values()])


def types_within(hint: Any) -> set[Any]:
    """All types that a hint is made of."""
    found = {hint}
    for part in typing.get_args(hint):
        found |= types_within(part)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        for field in typing.get_type_hints(hint).values():
            found |= types_within(field)
    return found


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_no_event_can_carry_a_float(kind: type[Event]) -> None:
    """Money in a float is money lost; no field of any event may hold one, however deep."""
    assert not types_within(kind) & {float, complex, Any, object}


def test_every_event_type_is_known() -> None:
    """The table of types is the whole family, not a list that somebody must keep."""
    assert {kind.__name__ for kind in Event.__subclasses__()} <= set(EVENT_TYPES)


@given(event=EVENTS)
def test_what_was_written_is_read_back(event: Event) -> None:
    """Any event of any type comes back equal, and writing it again gives the same bytes."""
    payload = encode(event)
    again = decode(payload)
    assert again == event
    assert type(again) is type(event)
    assert encode(again) == payload


@given(EVENTS)
def test_in_brief_only_the_figures_that_explain_are_missing(event: Event) -> None:
    """Everything else is the same; of most events nothing is."""
    empty: dict[str, Any] = {
        name: {} for name, hint in typing.get_type_hints(type(event)).items() if hint == Mapping[str, Number]
    }

    brief = decode_brief(encode(event))

    assert brief == (msgspec.structs.replace(event, **empty) if type(event) in BRIEF else event)
    assert type(brief) is type(event)


def test_decimals_are_text() -> None:
    """A price keeps every digit it was given with."""
    payload = encode(a_fill(price=Decimal("60000.10")))
    assert b'"price":"60000.10"' in payload
    assert str(msgspec.structs.asdict(decode(payload))["price"]) == "60000.10"


def test_an_unknown_schema_version_is_refused() -> None:
    """What a later release wrote is not guessed at."""
    with pytest.raises(StoreError, match=f"schema version {SCHEMA_VERSION + 1} is unknown"):
        decode(encode(a_fill()), SCHEMA_VERSION + 1)


def test_an_older_version_is_cast_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upcast changes the bytes of the version before, and then they are read as today's."""
    casts = {SCHEMA_VERSION - 1: lambda payload: payload.replace(b'"was"', b'"trade_id"')}
    monkeypatch.setattr(schema, "UPCASTS", casts)
    old = encode(a_fill()).replace(b'"trade_id"', b'"was"')
    assert decode(old, SCHEMA_VERSION - 1) == a_fill()


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"\xff\xfe", b'{"type":"NeverHeardOf","at_ns":1}', b'{"type":"OrderPlaced","at_ns":"1"}', b"[1,2]"],
)
def test_what_is_no_event_is_refused(payload: bytes) -> None:
    """Damaged bytes, unknown types and wrong types of fields are errors, never a default."""
    with pytest.raises(StoreError, match="not a readable event"):
        decode(payload)


# --- what version 1 wrote -----------------------------------------------------------------------------------------
FOLDER = Path(__file__).parent
ROWS_V1 = (FOLDER / "events_v1.jsonl").read_bytes().splitlines()
FIELDS_V1: dict[str, dict[str, str]] = json.loads((FOLDER / "events_v1_fields.json").read_text(encoding="utf8"))


@pytest.mark.parametrize("row", ROWS_V1, ids=lambda row: json.loads(row)["type"])
def test_a_row_of_version_1_is_read_as_it_was(row: bytes) -> None:
    """A store of the first release opens; writing what was read gives its bytes, so its hashes still hold."""
    assert encode(decode(row, 1)) == row


@pytest.mark.parametrize("kind", FIELDS_V1)
def test_version_2_only_adds_what_may_be_absent(kind: str) -> None:
    """No field of version 1 is gone or of another type, and each new one has a default: so the upcast is nothing.

    Whoever changes more than that needs a version 3 and a real upcast.
    """
    source = ast.parse(Path(events.__file__).read_text(encoding="utf8"))
    (node,) = [each for each in source.body if isinstance(each, ast.ClassDef) and each.name == kind]
    fields = {ast.unparse(field.target): field for field in node.body if isinstance(field, ast.AnnAssign)}
    kept = {name: ast.unparse(field.annotation) for name, field in fields.items() if name in FIELDS_V1[kind]}
    assert kept == FIELDS_V1[kind]
    assert [name for name, field in fields.items() if name not in FIELDS_V1[kind] and field.value is None] == []


def test_every_type_of_version_1_is_still_known() -> None:
    """An event of an old log that nobody knows any more would make the log unreadable."""
    assert FIELDS_V1.keys() - {"Event"} <= EVENT_TYPES.keys()
