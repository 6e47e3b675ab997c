"""Can a message from outside break the program? Decoders under messages that nobody sends on purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt_trader.core.errors import ExchangeError
from gpt_trader.exchange.coinbase import replies
from gpt_trader.exchange.coinbase.decoding import needed, number, read, stamp_ns
from gpt_trader.exchange.coinbase.frames import read_frame

SHAPES: Final = [
    shape
    for shape in vars(replies).values()
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct) and shape.__name__.endswith("Reply")
]
QUICK, LONG = 15, 4000
ODD: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["NaN", "Infinity", "-0", "1e999999999", "0x10", "১২", "\x00", "1,5", "2026-13-45T99:99:99Z"]),
)
CHANNELS: Final = ["level2", "l2_data", "user", "ticker", "heartbeats", "subscriptions", "futures_balance_summary", "x"]


def documents() -> st.SearchStrategy[Any]:
    keys = st.one_of(st.text(max_size=12), st.sampled_from(["channel", "events", "type", "orders", "success", "order"]))
    return st.recursive(
        ODD,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
        max_leaves=20,
    )


def as_text(document: Any) -> bytes:
    return json.dumps(document).encode()


def check_frame(message: bytes) -> None:
    """A frame, or an error of ours that names it: nothing else may come out."""
    try:
        read_frame(message)
    except ExchangeError:
        return


def check_reply(message: bytes, shape: Any) -> None:
    try:
        read(message, shape)
    except ExchangeError:
        return


def check_number(written: Any) -> None:
    for reader in (number, lambda value: needed(value, "field"), stamp_ns):
        try:
            found = reader(written)
        except ExchangeError:
            continue
        assert found is None or found == found, "NaN is no number"  # noqa: PLR0124


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


def fuzz(count: int) -> None:
    """Frames, replies and numbers, `count` of each."""

    @examples(count)
    @given(st.one_of(st.binary(max_size=200), documents().map(as_text)))
    def any_frame(message: bytes) -> None:
        check_frame(message)

    @examples(count)
    @given(st.sampled_from(CHANNELS), st.lists(documents(), max_size=3), ODD)
    def nearly_a_frame(channel: str, events: list[Any], sequence: Any) -> None:
        check_frame(as_text({"channel": channel, "events": events, "sequence_num": sequence, "timestamp": "now"}))

    @examples(count)
    @given(st.one_of(st.binary(max_size=200), documents().map(as_text)), st.sampled_from(SHAPES))
    def any_reply(message: bytes, shape: Any) -> None:
        check_reply(message, shape)

    @examples(count)
    @given(st.one_of(st.none(), st.text(max_size=30), st.sampled_from(["NaN", "Infinity", "1e999999999", "-0", ""])))
    def any_number(written: str | None) -> None:
        check_number(written)

    for run in (any_frame, nearly_a_frame, any_reply, any_number):
        run()


def test_no_message_breaks_a_decoder() -> None:
    """Whatever comes over the wire, the answer is a value or an error of ours."""
    fuzz(QUICK)


@pytest.mark.long
def test_many_messages_break_no_decoder() -> None:
    """The same, a hundred times as many: `pytest -m long tests/unit/exchange/coinbase/test_fuzz.py`, a minute or two."""
    fuzz(LONG)


def test_captured_messages_with_one_field_changed_break_nothing(shared_data: Path) -> None:
    """Real frames with a value of another kind in each of their places."""
    captured = sorted((shared_data / "coinbase_wire").rglob("*.json"))[:20]
    assert captured, "there are captured messages"
    for path in captured:
        document = json.loads(path.read_text())
        odds: tuple[Any, ...] = (None, [], {}, "NaN", -1, True)
        for odd in odds:
            for message in changed(document, odd):
                check_frame(as_text(message))


def changed(document: Any, odd: Any, depth: int = 3) -> list[Any]:
    """The document with one value replaced, for each of its values down to `depth`."""
    if depth == 0 or not isinstance(document, dict | list):
        return [odd]
    found = []
    items = list(document.items()) if isinstance(document, dict) else list(enumerate(document[:3]))
    for key, value in items[:12]:
        for other in changed(value, odd, depth - 1)[:12]:
            copy = dict(document) if isinstance(document, dict) else list(document)
            copy[key] = other
            found.append(copy)
    return found
