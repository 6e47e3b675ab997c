"""Does the venue keep its calendar on the wire: the weekly break, the margin windows of a day?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
import requests
from tests.venue_server import PRODUCT, ServedVenue, served

from gpt_trader.core.clock import NS
from gpt_trader.market.synthetic import SyntheticMarket
from gpt_trader.venue.settings import MarginWindow, VenueSettings
from gpt_trader.venue.wire.formats import stamp_ns
from gpt_trader.venue.wire.windows import DAY_HOURS, SESSION_BREAK, is_intraday, window_end_ns

D = Decimal
FRIDAY_NS: Final = round(datetime(2026, 1, 9, 20, 50, tzinfo=UTC).timestamp()) * NS
"""15:50 in New York: ten minutes to the overnight window, seventy to the weekly break."""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    market = SyntheticMarket(["BTC-PERP"], seed=7, duration_seconds=4 * 3600, start_ns=FRIDAY_NS)
    settings = VenueSettings(margin_window=MarginWindow.SCHEDULE, day_hours=DAY_HOURS, session_break=SESSION_BREAK)
    with served(tmp_path_factory.mktemp("venue"), market, cash=D(100_000), history_seconds=60, venue=settings) as it:
        yield it


def test_a_friday_afternoon(venue: ServedVenue) -> None:
    """The window changes at four, what a position needs with it; at five the session breaks, at six it goes on."""
    client = venue.rest()
    assert client.market_order_buy("in", PRODUCT, base_size="10")["success"]

    def margin() -> Decimal:
        return D(client.get_futures_balance_summary()["balance_summary"]["initial_margin"]["value"])

    def window() -> dict[str, str]:
        found: dict[str, str] = client.get_current_margin_window("MARGIN_PROFILE_TYPE_RETAIL_REGULAR")["margin_window"]
        return found

    day = margin()
    assert window()["margin_window_type"] == "MARGIN_WINDOW_TYPE_INTRADAY"
    assert stamp_ns(window()["end_time"]) == FRIDAY_NS + 600 * NS
    venue.advance(600)
    assert window()["margin_window_type"] == "MARGIN_WINDOW_TYPE_OVERNIGHT"
    assert margin() > 2 * day
    venue.advance(3600)
    refused = client.market_order_sell("out", PRODUCT, base_size="10")
    assert refused["error_response"]["new_order_failure_reason"] == "INVALID_FCM_TRADING_SESSION"
    details = client.get_product(PRODUCT)["fcm_trading_session_details"]
    assert details["is_session_open"] is False
    assert client.get_best_bid_ask([PRODUCT])["pricebooks"][0]["asks"] == []
    venue.advance(3600)
    assert client.get_product(PRODUCT)["fcm_trading_session_details"]["is_session_open"] is True
    assert client.market_order_sell("out", PRODUCT, base_size="10")["success"]


def test_the_day_window_is_of_weekdays_in_new_york() -> None:
    """Friday's overnight window lasts until Monday at eight."""
    evening_ns = FRIDAY_NS + 3600 * NS
    monday_ns = round(datetime(2026, 1, 12, 13, tzinfo=UTC).timestamp()) * NS
    assert is_intraday(FRIDAY_NS)
    assert not is_intraday(evening_ns)
    assert window_end_ns(evening_ns) == monday_ns
    assert is_intraday(monday_ns)


def test_the_keys_of_a_venue_are_not_those_of_another(tmp_path: Path) -> None:
    """A token of one venue is nothing to the next, though the account has the same number."""
    market = SyntheticMarket(["BTC-PERP"], seed=7, duration_seconds=3600)
    with (
        served(tmp_path / "one", market, history_seconds=60) as one,
        served(tmp_path / "two", market, history_seconds=60) as two,
    ):
        client = one.rest()
        client.base_url = two.ready["rest"]
        client.session.verify = two.ready["ca"]
        with pytest.raises(requests.HTTPError, match="401"):
            client.get_accounts()
