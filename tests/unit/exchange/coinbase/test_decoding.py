"""Is a message of Coinbase read as it was meant, and is nonsense told?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from gpt_trader.exchange.coinbase import frames, replies
from gpt_trader.exchange.coinbase.decoding import Amount, WireError, Written, needed, number, read, stamp_ns
from gpt_trader.exchange.coinbase.frames import read_frame

D = Decimal
REPLIES: dict[str, type[msgspec.Struct]] = {
    "http_accounts": replies.AccountsReply,
    "http_candles": replies.CandlesReply,
    "http_cfm_balance_summary": replies.BalanceReply,
    "http_cfm_position": replies.PositionReply,
    "http_cfm_positions": replies.PositionsReply,
    "http_fills": replies.FillsReply,
    "http_order": replies.OrderReply,
    "http_orders_list": replies.OrdersReply,
    "http_product": replies.Product,
    "http_product_book": replies.BookReply,
    "http_products": replies.ProductsReply,
    "http_products_future": replies.ProductsReply,
    "http_ticker": replies.TradesReply,
}
CHANNELS = (
    "candles",
    "heartbeats",
    "l2_data_snapshot",
    "l2_data_update",
    "market_trades",
    "subscriptions",
    "ticker",
    "user",
)


def captured(shared_data: Path, name: str) -> bytes:
    return (shared_data / "coinbase_wire" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", REPLIES)
def test_captured_replies_are_read(shared_data: Path, name: str) -> None:
    """Every captured REST reply has what the adapter needs."""
    assert isinstance(read(captured(shared_data, name), REPLIES[name]), REPLIES[name])


@pytest.mark.parametrize("name", CHANNELS)
def test_captured_frames_are_read(shared_data: Path, name: str) -> None:
    """Every captured frame has events of its own kind."""
    frame = read_frame(captured(shared_data, f"ws_{name}"))
    assert name.startswith(frame.channel)
    assert frame.sequence >= 0
    assert len(frame.events) == 1


def test_no_captured_message_is_left_out(shared_data: Path) -> None:
    """A new capture must be read too."""
    found = {path.stem for path in (shared_data / "coinbase_wire").glob("*.json")}
    assert found == set(REPLIES) | {f"ws_{name}" for name in CHANNELS}


def test_values_of_a_captured_position(shared_data: Path) -> None:
    """Numbers inside amounts are found."""
    position = read(captured(shared_data, "http_cfm_positions"), replies.PositionsReply).positions[0]
    assert (position.side, number(position.number_of_contracts), number(position.avg_entry_price)) == (
        "LONG",
        D(2),
        D(49000),
    )


def test_values_of_captured_wallets(shared_data: Path) -> None:
    """Spot wallets carry amounts of their own currency."""
    wallets = read(captured(shared_data, "http_accounts"), replies.AccountsReply).accounts
    assert [(each.currency, number(each.available_balance), number(each.hold)) for each in wallets] == [
        ("BTC", D("1.23456789"), D("0.005")),
        ("USD", D("10000.50"), D(450)),
    ]


def test_values_of_a_captured_book(shared_data: Path) -> None:
    """A level keeps its side, price and whole quantity."""
    event = read_frame(captured(shared_data, "ws_l2_data_update")).events[0]
    assert isinstance(event, frames.BookEvent)
    assert [(level.side, level.price_level, level.new_quantity) for level in event.updates] == [
        ("bid", "68900.00", "2.00000000"),
        ("offer", "68901.00", "0.00000000"),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.50", D("1.50")),
        (3, D(3)),
        (0.1, D("0.1")),
        (Amount(value="-2", currency="USD"), D(-2)),
        ("", None),
        (None, None),
        (Amount(), None),
    ],
)
def test_a_number_in_every_form(written: Written, meant: Decimal | None) -> None:
    """Text, number and amount mean the same; empty means none."""
    assert number(written) == meant


def test_an_average_with_any_number_of_digits_is_rounded() -> None:
    """A division that does not end is a price all the same; refused, its order could never be read again."""
    assert number("3051.123376623376623376623377") == Decimal("3051.123376623376623377")


@pytest.mark.parametrize("written", ["NaN", "Infinity", "12a", "1e99", "1e-30", "9" * 50])
def test_what_is_no_number_is_told(written: str) -> None:
    """Nonsense is never zero."""
    with pytest.raises(WireError, match="no number"):
        number(written)


def test_a_number_that_must_be_there() -> None:
    """The field is named."""
    with pytest.raises(WireError, match="price_increment of Coinbase is empty"):
        needed("", "price_increment")


@pytest.mark.parametrize(
    ("written", "at_ns"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T01:00:00.5+01:00", 500_000_000),
        ("0001-01-01T00:00:00Z", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_times(written: str | None, at_ns: int) -> None:
    """Nanoseconds are kept, and a time that is not set is zero."""
    assert stamp_ns(written) == at_ns


@pytest.mark.parametrize("written", ["yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"])
def test_what_is_no_time_is_told(written: str) -> None:
    """A time without a zone is none either."""
    with pytest.raises(WireError, match="no time"):
        stamp_ns(written)


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b'{"orders": null, "has_next": false}', replies.OrdersReply),
        (b"{}", replies.PositionsReply),
        (b'{"success": null}', replies.CreateReply),
        (b"<html>", replies.CreateReply),
        (b'{"success": tr', replies.CreateReply),
        (b"[]", replies.ProductsReply),
        (b"\xff\xfe", replies.ProductsReply),
    ],
)
def test_no_answer_is_never_an_empty_answer(body: bytes, shape: type[msgspec.Struct]) -> None:
    """Null, missing, HTML and half a body all raise."""
    with pytest.raises(WireError):
        read(body, shape)


def test_a_flat_position_is_null() -> None:
    """The one null that is an answer; a missing one is not."""
    assert read(b'{"position": null}', replies.PositionReply).position is None
    with pytest.raises(WireError):
        read(b"{}", replies.PositionReply)


def test_unknown_fields_and_enums_are_passed_over() -> None:
    """What the venue adds tomorrow stops nobody today."""
    reply = read(
        {"order": {"order_id": "1", "product_id": "P", "side": "BUY", "status": "SOMETHING_NEW", "fresh": [1]}},
        replies.OrderReply,
    )
    assert reply.order.status == "SOMETHING_NEW"


def test_a_frame_without_client_id() -> None:
    """Live frames have none."""
    assert read_frame(b'{"channel":"heartbeats","sequence_num":4,"events":[{"heartbeat_counter":7}]}').sequence == 4


def test_an_error_frame_is_no_crash() -> None:
    """It has neither channel nor number."""
    assert read_frame('{"type":"error","message":"authentication failure"}').error == "authentication failure"


def test_an_unknown_channel_keeps_its_number() -> None:
    """The number counts for gaps, whatever the channel."""
    frame = read_frame('{"channel":"news","sequence_num":9,"events":[{"x":1}]}')
    assert (frame.channel, frame.sequence, frame.events) == ("news", 9, ())


@pytest.mark.parametrize(
    "text", ["{}", '{"channel":"user","events":[]}', '{"channel":"user","sequence_num":1,"events":[{"type":"x"}]}', "["]
)
def test_a_frame_that_cannot_be_read_is_told(text: str) -> None:
    """A frame without number, channel or contents raises instead of being lost."""
    with pytest.raises(WireError):
        read_frame(text)
