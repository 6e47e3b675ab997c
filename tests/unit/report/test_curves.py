"""Do the curves follow from log and prices, reckoned anew step by step?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.builders import START_NS, D, a_fill, a_product, a_run_started

from gpt_trader.core.clock import NS
from gpt_trader.core.events import Event, FundingApplied
from gpt_trader.core.journal import Recorded
from gpt_trader.core.values import MarginRates, Side
from gpt_trader.report.curves import Curves, draw_curves, drawdown_of
from gpt_trader.report.price_path import SymbolPrices
from gpt_trader.report.run_story import tell_story

PRICES = (100.0, 110.0, 90.0, 95.0, 80.0)
RATES = {
    name: MarginRates(
        initial_long=D(rate), initial_short=D(rate) * 2, maintenance_long=D(rate) / 2, maintenance_short=D(rate)
    )
    for name, rate in (("day", "0.1"), ("night", "0.4"))
}


def at(minute: float) -> int:
    return START_NS + round(minute * 60 * NS)


def curves_of(*events: Event, overnight: tuple[tuple[int, bool], ...] = ((0, True),)) -> Curves:
    """Five closes a minute apart, from a cash of 10,000."""
    log = (a_run_started(cash=D(10_000), at_ns=START_NS), *events)
    story = tell_story(Recorded(number, 1, event, "") for number, event in enumerate(log, 1))
    last = np.array(PRICES)
    times = np.array([at(minute) for minute in range(1, 6)])
    prices = SymbolPrices(symbol="BTC-PERP", times_ns=times, high=last, low=last, last=last)
    product = a_product(margin_intraday=RATES["day"], margin_overnight=RATES["night"])
    return draw_curves(story, [prices], [product], overnight, at(5))


def bought(minute: float = 1.5, quantity: str = "10", price: int = 105) -> Event:
    return a_fill(at_ns=at(minute), quantity=D(quantity), price=D(price), fee=D(2), trade_id=f"b{minute}")


def sold(minute: float = 3.5, quantity: str = "10", price: int = 94, cause: str = "OWN") -> Event:
    return a_fill(
        at_ns=at(minute), side=Side.SELL, quantity=D(quantity), price=D(price), fee=D(3), trade_id="s", cause=cause
    )


def test_equity_is_cash_and_what_is_open_at_the_last_price() -> None:
    """Bought 10 at 105 after the first close, sold at 94 after the third."""
    curves = curves_of(bought(), sold())

    assert curves.equity.tolist() == [10_000, 10_048, 9_848, 9_885, 9_885]
    assert curves.cash.tolist() == [10_000, 9_998, 9_998, 9_885, 9_885]


def test_the_parts_add_up_at_every_close() -> None:
    """Price, fees, funding and liquidation are the whole change of equity."""
    paid = FundingApplied(
        at_ns=at(2.5),
        symbol="BTC-PERP",
        funding_ns=at(2.5),
        amount=D(-7),
        rate=D("0.01"),
        position=D(10),
        price=D(100),
    )

    curves = curves_of(bought(), paid, sold(cause="LIQUIDATION"))

    whole = curves.price - curves.fees + curves.funding + curves.liquidation
    assert (whole + 10_000).tolist() == curves.equity.tolist()
    assert curves.liquidation.tolist() == [0, 0, 0, -113, -113]
    assert curves.fees.tolist() == [0, 2, 2, 2, 2]


def test_margin_follows_the_side_that_is_held() -> None:
    """A short has rates of its own."""
    long, short = curves_of(bought()), curves_of(sold(1.5))

    assert long.initial_margin[1] == pytest.approx(1_100 * 0.4)
    assert short.initial_margin[1] == pytest.approx(1_100 * 0.8)
    assert short.maintenance_margin[1] == pytest.approx(1_100 * 0.4)


def test_margin_follows_the_window_that_is_open() -> None:
    """Intraday up to the third minute, overnight from then on."""
    curves = curves_of(bought(), overnight=((0, False), (at(3), True)))

    assert curves.initial_margin[1:3].tolist() == pytest.approx([1_100 * 0.1, 900 * 0.4])


def test_headroom_is_what_may_be_lost_as_a_share_of_equity() -> None:
    """One without a position."""
    curves = curves_of(bought())

    assert curves.headroom[0] == 1
    assert curves.headroom[1] == pytest.approx((10_048 - 1_100 * 0.2) / 10_048)
    assert curves.exposure[1] == pytest.approx(1_100 / 10_048)


def test_an_account_that_is_gone_has_no_shares() -> None:
    """Nothing is divided by what is below zero."""
    curves = curves_of(bought(quantity="1000"))

    assert curves.equity[-1] < 0
    assert np.isnan(curves.exposure[-1])
    assert curves.drawdown[-1] < -1


def test_drawdown_is_measured_from_the_peak_before_it() -> None:
    """Never above zero."""
    assert drawdown_of(np.array([100.0, 120.0, 60.0, 130.0])).tolist() == [0, 0, -0.5, 0]
