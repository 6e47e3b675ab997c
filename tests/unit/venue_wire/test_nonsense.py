"""Does the venue survive clients that make no sense? Seeded random requests to every endpoint."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from tests.venue_server import PREFIX, PRODUCT, ServedVenue, served

from gpt_trader.venue.wire.terms import CONFIGURATIONS

D = Decimal
REQUESTS: Final = 400
NONSENSE: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1.5, "", "NaN", "1e400", "9" * 39, [], {}, [1], {"a": 1}, "9999-12-31T23:59:59Z", "0s", "é\0",
)  # fmt: skip
QUERY: Final = ("limit", "cursor", "product_id", "start", "end", "granularity", "start_date", "offset")
QUERIES: Final = ("", "-1", "0", "1", "9" * 20, "NaN", "1e5", "1.5", "é", PRODUCT, "ONE_MINUTE", "1767571200")
SENSE: Final = {
    "base_size": ("1", "2", "40"),
    "limit_price": ("59000", "60000", "61000"),
    "stop_price": ("59000", "61000"),
    "stop_trigger_price": ("59000", "61000"),
    "end_time": ("2026-01-05T01:30:00Z",),
    "number_buckets": ("3",),
    "bucket_duration": ("10s",),
    "num_orders": (3,),
    "min_price": ("59000",),
    "max_price": ("59900",),
}


class Monkey:
    """A client that presses every key."""

    def __init__(self, venue: ServedVenue, seed: int) -> None:
        self._venue = venue
        self._random = random.Random(seed)
        self._client = venue.rest()

    def press(self) -> int:
        """One request; returns its status."""
        endpoints = list(self._venue.server.rest.endpoints)
        orders = [each for each in endpoints if each.method == "POST" and each.path.startswith("/orders")]
        endpoint = self._random.choice(orders if self._random.random() < 0.7 else endpoints)
        path = PREFIX + endpoint.path.format(product_id=PRODUCT, order_id="x", uuid="u", symbol="s")
        try:
            if endpoint.method in {"POST", "PUT"}:
                self._client.post(path, data=self._body())
            else:
                self._client.get(path, params={name: self._random.choice(QUERIES) for name in QUERY})
        except requests.HTTPError as error:
            return error.response.status_code if error.response is not None else 0
        return 200

    def _body(self) -> dict[str, Any]:
        choice = self._random.choice
        fields = {name: choice(values) for name, values in SENSE.items()}
        if self._random.random() < 0.4:
            fields[choice(list(SENSE))] = choice(NONSENSE)
        known = [*list(self._venue.server.desk.orders)[-20:], "x"]
        body = {
            "client_order_id": str(self._random.random()),
            "product_id": PRODUCT,
            "side": choice(("BUY", "SELL")),
            "order_configuration": {choice(list(CONFIGURATIONS)): fields},
            "order_id": choice(known),
            "order_ids": [choice(known)],
            "price": choice(("59100", "59200")),
            "size": choice(("3", "7")),
        }
        if self._random.random() < 0.3:
            body[choice(list(body))] = choice(NONSENSE)
        return body


@pytest.mark.parametrize("seed", [1, 2])
def test_nonsense_is_answered_and_the_books_stay_right(tmp_path: Path, seed: int) -> None:
    """Never a server error; afterwards cash is what the trades say, and no order is left that nobody knows."""
    with served(tmp_path, cash=D(1_000_000)) as venue:
        monkey = Monkey(venue, seed)
        statuses = []
        for number in range(REQUESTS):
            statuses.append(monkey.press())
            if number % 50 == 0:
                venue.advance(5)
        assert not {status for status in statuses if status >= 500} - {501}
        server = venue.server
        fills = server.desk.fills[0]
        assert fills
        traded = sum(fill.order.listed.value(fill.size, fill.price) * fill.order.side.sign for fill in fills)
        held = server.running.venue.positions()
        cost = sum(position.quantity * position.entry_price for position in held)
        account = server.running.venue.account()
        realised = server.money.realised(0)
        fees = sum(fill.fee for fill in fills)
        assert traded == round(cost - realised, 8)
        assert account.cash == 1_000_000 + realised - fees + server.money.funding[0]
        living = {news.client_order_id.partition("/")[0] for news in server.running.venue.open_orders()}
        assert living == {order.order_id for order in server.desk.by_account[0] if order.status == "OPEN"} - waiting(
            venue
        )


def waiting(venue: ServedVenue) -> set[str]:
    """TWAPs between two slices have nothing at the kernel."""
    return {
        order.order_id
        for order in venue.server.desk.by_account[0]
        if order.terms.order_type == "TWAP" and all(part.state.is_terminal for part in order.parts)
    }
