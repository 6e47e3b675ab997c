"""Do our frames look like Coinbase's? Every captured message against ours, field by field and type by type."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from coinbase import jwt_generator
from tests.venue_server import PRODUCT, ServedVenue, served
from websockets.asyncio.client import connect

D = Decimal
FREE: Final = {"region_enabled", "order_configuration", "subscriptions"}
"""Objects whose keys are data."""
OURS_ALONE: Final = {
    # of the documentation, not in the captures
    "accounts[].platform",
    "order.edit_history",
    "order.last_update_time",
    "orders[].edit_history",
    "orders[].last_update_time",
    "balance_summary.total_pending_transfers_amount",
    "balance_summary.funding_pnl",
    "balance_summary.intraday_margin_window_measure.liquidation_buffer",
    "balance_summary.overnight_margin_window_measure.liquidation_buffer",
    *(
        f"events[].orders[].{name}"
        for name in (
            "completion_percentage",
            "end_time",
            "filled_value",
            "limit_price",
            "number_of_fills",
            "outstanding_hold_amount",
            "post_only",
            "retail_portfolio_id",
            "start_time",
            "stop_price",
        )
    ),
    "events[].positions",
    "events[].positions.perpetual_futures_positions",
    "events[].positions.expiring_futures_positions",
}
"""Fields that Coinbase documents and the captured messages lack."""
MAY_BE_NULL: Final = {"new_at", "deleted_at", "last_fill_time", "funding_time", "pagination"}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    """A venue on which account 0 has traded, holds a position and rests an order."""
    with served(tmp_path_factory.mktemp("venue"), cash=D(100_000)) as running:
        client = running.rest()
        client.market_order_sell("sold", PRODUCT, base_size="3")
        price = str(int(client.get_product_book(PRODUCT, limit=1)["pricebook"]["bids"][0]["price"]) - 500)
        client.limit_order_gtc_buy("resting", PRODUCT, base_size="1", limit_price=price)
        yield running


def captured(shared_data: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "coinbase_wire" / f"{name}.json").read_text())
    return found


def kind(value: object) -> str:
    return {bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "object"}.get(
        type(value), "null"
    )


def shape(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, type) of everything inside; members of a list are counted together."""
    yield path, kind(value)
    if isinstance(value, dict) and path.rpartition(".")[2] not in FREE:
        for name, part in value.items():
            yield from shape(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            yield from shape(part, f"{path}[]")


def shapes(body: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, name in shape(body):
        found.setdefault(path, set()).add(name)
    return found


def compare(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """What differs: a field that one has and the other lacks, or another type."""
    expected, found = shapes(theirs), shapes(ours)
    wrong = [f"missing: {path}" for path in expected if path not in found]
    wrong += [f"not known: {path}" for path in found if path not in expected and not _documented(path)]
    for path in expected.keys() & found.keys():
        allowed = expected[path] | ({"null"} if path.rpartition(".")[2] in MAY_BE_NULL else set())
        if allowed == {"null"}:
            allowed |= {"text", "object"}
        if not found[path] <= allowed:
            wrong.append(f"{path}: {sorted(found[path])} where they have {sorted(expected[path])}")
    return sorted(wrong)


def _documented(path: str) -> bool:
    return any(path == known or path.startswith((f"{known}.", f"{known}[")) for known in OURS_ALONE)


def first(body: dict[str, Any], name: str, place: int = 0) -> dict[str, Any]:
    return {**body, name: body[name][place : place + 1]}


LAST_HOUR: Final = {"start": "1767571200", "end": "1767574800", "granularity": "FIVE_MINUTE"}
"""Of the made-up market, whose time stands still."""
REST: Final[dict[str, Callable[[Any], Any]]] = {
    "http_accounts": lambda client: client.get("/api/v3/brokerage/accounts"),
    "http_candles": lambda client: client.get(f"/api/v3/brokerage/products/{PRODUCT}/candles", params=LAST_HOUR),
    "http_cfm_balance_summary": lambda client: client.get("/api/v3/brokerage/cfm/balance_summary"),
    "http_cfm_position": lambda client: client.get(f"/api/v3/brokerage/cfm/positions/{PRODUCT}"),
    "http_cfm_positions": lambda client: client.get("/api/v3/brokerage/cfm/positions"),
    "http_fills": lambda client: client.get("/api/v3/brokerage/orders/historical/fills"),
    "http_orders_list": lambda client: client.get("/api/v3/brokerage/orders/historical/batch"),
    "http_products_future": lambda client: client.get("/api/v3/brokerage/products"),
    "http_product_book": lambda client: client.get(
        "/api/v3/brokerage/product_book", params={"product_id": PRODUCT, "limit": 3}
    ),
    "http_ticker": lambda client: client.get(f"/api/v3/brokerage/products/{PRODUCT}/ticker", params={"limit": 3}),
}


@pytest.mark.parametrize("name", sorted(REST))
def test_rest_answers_have_the_captured_fields(venue: ServedVenue, shared_data: Path, name: str) -> None:
    """Neither side has a field that the other lacks, and types are the same."""
    client = venue.rest()
    ours = REST[name](client)
    theirs = captured(shared_data, name)
    if name == "http_products_future":
        theirs = first(theirs, "products")
    assert compare(theirs, ours) == []


def test_one_order_has_the_captured_fields(venue: ServedVenue, shared_data: Path) -> None:
    """The same order that is listed, asked for alone."""
    client = venue.rest()
    order_id = client.get_fills()["fills"][0]["order_id"]
    ours = client.get(f"/api/v3/brokerage/orders/historical/{order_id}")
    assert compare(captured(shared_data, "http_order"), ours) == []


def frames_of(venue: ServedVenue, channel: str) -> list[dict[str, Any]]:
    """The first frames of one channel, told to a plain client."""
    key = json.loads(Path(venue.ready["keys"][0]).read_text())
    token = jwt_generator.build_ws_jwt(key["name"], key["privateKey"])
    return asyncio.run(_listen(venue, channel, token))


async def _listen(venue: ServedVenue, channel: str, token: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with connect(venue.ready["ws"], ssl=_trusting(venue), max_size=None) as socket:
        message = {"type": "subscribe", "channel": channel, "product_ids": [PRODUCT], "jwt": token}
        await socket.send(json.dumps(message))
        label = {"level2": "l2_data"}.get(channel, channel)
        kinds: set[str] = set()
        while len(kinds) < 2 or not any(frame["channel"] == label for frame in found):
            found.append(json.loads(await socket.recv()))
            kinds.add(found[-1]["channel"])
    return found


def _trusting(venue: ServedVenue) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=venue.ready["ca"])


FRAMES: Final = {
    "ws_candles": "candles",
    "ws_heartbeats": "heartbeats",
    "ws_l2_data_snapshot": "level2",
    "ws_market_trades": "market_trades",
    "ws_ticker": "ticker",
    "ws_user": "user",
}


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_frames_have_the_captured_fields(venue: ServedVenue, shared_data: Path, name: str) -> None:
    """Neither side has a field that the other lacks, and types are the same."""
    frames = frames_of(venue, FRAMES[name])
    theirs = captured(shared_data, name)
    ours = next(frame for frame in frames if frame["channel"] == theirs["channel"])
    assert compare(theirs, ours) == []


def test_the_acknowledgement_of_a_subscription_has_the_captured_fields(venue: ServedVenue, shared_data: Path) -> None:
    """All subscriptions of the connection, by channel."""
    ours = frames_of(venue, "ticker")[0]
    assert compare(captured(shared_data, "ws_subscriptions"), ours) == []
    assert ours["events"] == [{"subscriptions": {"ticker": [PRODUCT]}}]
