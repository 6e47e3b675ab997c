"""Do the guards see the account as it is: the venue's equity, our positions, and everything that may still fill?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders import D, a_fill, a_submitted
from tests.house_under_test import House, a_house

from gpt_trader.bot.figures import AccountFigures
from gpt_trader.config.risk import RiskConfig
from gpt_trader.core.clock import NS
from gpt_trader.core.schedule import parse_weekly_hours
from gpt_trader.core.values import Bar, Side
from gpt_trader.market.statistics import BarStatistics
from gpt_trader.risk.breaker_counts import BreakerCounts
from gpt_trader.risk.margin_windows import MarginWindows


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as made:
        yield made


def the_figures(
    house: House,
    statistics: BarStatistics | None = None,
    windows: MarginWindows | None = None,
    config: RiskConfig | None = None,
) -> AccountFigures:
    return AccountFigures(
        adapter=house.adapter,
        ledger=house.bot.ledger,
        orders=house.bot.orders,
        clock=house.clock,
        symbols=("BTC-PERP",),
        statistics={"BTC-PERP": statistics or BarStatistics(60)},
        config=config or RiskConfig(),
        counts=BreakerCounts(house.bot.bus),
        windows=windows or MarginWindows(),
        disk_free_bytes=lambda: 3_000_000_000,
        disk_free_gb_min=D("0.5"),
    )


async def nothing() -> None:
    """Let the market begin, and nothing more."""


def test_account_is_the_venues_word(house: House) -> None:
    """Equity and margin, at the moment of looking."""
    house.run(nothing)

    figures = the_figures(house).read()

    assert (figures.now_ns, figures.equity) == (house.clock.now_ns(), D(100_000))
    assert (figures.initial_margin, figures.maintenance_margin) == (D(0), D(0))


def test_the_mark_has_its_time_of_receipt(house: House) -> None:
    """By which its age is reckoned."""
    house.run(nothing)

    (symbol,) = the_figures(house).read().symbols

    assert symbol.mark == D(60_000)
    assert 0 < symbol.mark_received_ns <= house.clock.now_ns()


def test_without_a_mark_there_is_none(house: House) -> None:
    """Before the first price: neither zero nor a guess."""
    (symbol,) = the_figures(house).read().symbols

    assert (symbol.mark, symbol.mark_received_ns) == (None, 0)


def test_exposure_counts_orders_that_may_still_fill(house: House) -> None:
    """0.1 held and 0.2 of a buy still working are 0.3 at 60,000."""
    house.run(nothing)
    house.bot.bus.publish(a_submitted(), first=house.bot.orders.on_event)
    house.bot.bus.publish(a_fill(), first=house.bot.orders.on_event)

    (symbol,) = the_figures(house).read().symbols

    assert symbol.position == D("0.1")
    assert symbol.worst_notional == D("0.3") * 60_000


def test_the_worse_side_counts(house: House) -> None:
    """Short 0.1 with a sell of 0.3 working may become short 0.4."""
    house.run(nothing)
    house.bot.bus.publish(a_fill(side=Side.SELL, client_order_id="gt-other"))
    house.bot.bus.publish(a_submitted(side=Side.SELL), first=house.bot.orders.on_event)

    (symbol,) = the_figures(house).read().symbols

    assert symbol.worst_notional == D("0.4") * 60_000


def test_volatility_comes_from_the_bars(house: House) -> None:
    """With their length, without which a deviation says nothing."""
    statistics = BarStatistics(60, volatility_bars=3)
    for minute, close in enumerate((100.0, 101.0, 100.0, 101.0)):
        statistics.add(Bar("BTC-PERP", minute * 60 * 10**9, close, close, close, close, 1.0))

    watched = RiskConfig(enable_volatility_circuit_breaker=True)
    (symbol,) = the_figures(house, statistics, config=watched).read().symbols
    (unwatched,) = the_figures(house, statistics).read().symbols

    assert (unwatched.bar_sigma, unwatched.day_volatility) == (None, None)
    assert symbol.bar_seconds == 60
    assert symbol.bar_sigma is not None
    assert D("0.01") < symbol.bar_sigma < D("0.012")


def test_drift_is_measured_from_when_the_venue_was_first_seen_to_differ(house: House) -> None:
    """A fill of ours that the venue does not have: 0.1 too much, for as long as sweeps say so."""
    figures = the_figures(house)

    async def scenario() -> list[tuple[object, object]]:
        house.bot.bus.publish(a_fill(), first=house.bot.orders.on_event)
        seen: list[tuple[object, object]] = [_drift(figures)]  # nobody has asked the venue yet
        for _ in range(2):
            await figures.sweep()
            seen.append(_drift(figures))
            await house.clock.sleep(15)
        return [*seen, _drift(figures)]

    assert house.run(scenario) == [(0, 0), (D("0.1"), 0), (D("0.1"), 15), (D("0.1"), 15)]


def _drift(figures: AccountFigures) -> tuple[object, object]:
    (symbol,) = figures.read().symbols
    return symbol.drift, symbol.drift_seconds


def test_margin_of_the_window_to_come_is_known_in_its_lead_only(house: House) -> None:
    """0.1 at 60 000 and 6.7 % is 402 of maintenance margin; outside the lead there is no figure."""
    house.run(nothing)
    house.bot.bus.publish(a_fill(), first=house.bot.orders.on_event)
    hours = parse_weekly_hours("Mon-Sun 00:00-16:00 UTC", "test")  # the market begins at 15:06 UTC
    found = []
    for lead_minutes in (30, 90):
        windows = MarginWindows(day_hours=hours, lead_ns=lead_minutes * 60 * NS)
        (symbol,) = the_figures(house, windows=windows).read().symbols
        found.append(symbol.next_maintenance)

    assert found == [None, D("0.1") * 60_000 * D("0.067")]


def test_a_simulation_does_not_depend_on_the_disk(house: House) -> None:
    """The same seed gives the same log on any machine."""
    house.run(nothing)
    assert the_figures(house).read().disk_free_gb is None
