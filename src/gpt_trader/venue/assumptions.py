"""What was assumed of the exchange? Its settings in words, for whoever reads a result."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from gpt_trader.core.values import MarginRates, ProductSpec
from gpt_trader.market.stream import MarketStream
from gpt_trader.venue.settings import FundingSource, Latency, MarginWindow, QueueModel, VenueSettings
from gpt_trader.venue.timetable import is_overnight

__all__ = ["assumptions_of", "overnight_spans"]

QUEUES: Final = {
    QueueModel.BACK: (
        "A resting order joins the back of the queue at its price. The queue shortens by trades at that price, and is "
        "never longer than what the level shows: who cancels is assumed to stand behind us."
    ),
    QueueModel.PROPORTIONAL: (
        "A resting order joins the back of the queue at its price. The queue shortens by trades, and by our share of "
        "what leaves the level without a trade."
    ),
    QueueModel.TRADES: (
        "A resting order joins the back of the queue at its price. The queue shortens by trades alone, whatever the "
        "level shows."
    ),
}
FUNDING: Final = {
    FundingSource.MARKET: (
        "Funding is paid where the market carries funding rates (rate x position x mark at each funding time); where "
        "it carries none, none is paid."
    ),
    FundingSource.VENUE: "Funding is paid by the exchange's own rule, from samples of mark and index.",
    FundingSource.NONE: "Nobody pays funding.",
}
WINDOWS: Final = {
    MarginWindow.OVERNIGHT: "the overnight rates at any hour",
    MarginWindow.INTRADAY: "the intraday rates at any hour",
    MarginWindow.SCHEDULE: "the intraday rates within the hours of the day window, the overnight rates outside",
}


def assumptions_of(settings: VenueSettings, stream: MarketStream) -> tuple[str, ...]:
    """One or two sentences each; every number that a result depends on and the market does not say."""
    return tuple(_sentences(settings, stream))


def overnight_spans(settings: VenueSettings, stream: MarketStream) -> tuple[tuple[int, bool], ...]:
    """(from when, whether the overnight margin rates hold), in order; the first is the start of the market."""
    spans = {stream.start_ns: is_overnight(settings, stream.start_ns)}
    if settings.margin_window is MarginWindow.SCHEDULE and settings.day_hours is not None:
        for opens, closes in settings.day_hours.spans(stream.start_ns, stream.end_ns):
            spans.update({at_ns: night for at_ns, night in ((opens, False), (closes, True)) if at_ns > stream.start_ns})
    return tuple(sorted(spans.items()))


def _sentences(settings: VenueSettings, stream: MarketStream) -> Iterator[str]:
    yield (
        f"Decisions are taken on closed bars of {stream.bar_seconds} s. An order reaches the exchange "
        f"{_latency(settings.entry_latency)} after it was sent; what becomes of it is known "
        f"{_latency(settings.ack_latency)} after it happened."
    )
    yield _feed(settings)
    yield from _bars(settings) if stream.modelled_book else _book(settings)
    yield (
        "Our orders meet the market as it was recorded or made. They take from the levels that they hit and pay for "
        "walking the book, but nobody reacts to them: no price moves because of us."
    )
    yield from _costs(settings, stream)
    yield (
        "Margin is cross. An account below its maintenance margin is liquidated at once, at what the book gives; the "
        "loss ends where its money ends."
    )
    yield FUNDING[settings.funding]
    if settings.session_break is not None:
        yield "The exchange is shut at its weekly break: orders rest or are refused, and prices may jump over it."
    yield "Cash earns no interest. There are no taxes, outages, or other orders on the account."


def _latency(latency: Latency) -> str:
    if latency.recorded_milliseconds:
        return f"one of {len(latency.recorded_milliseconds):,} recorded latencies, taken in order,"
    if latency.p99_milliseconds:
        return (
            f"{_plain(latency.milliseconds)} ms in the median and {_plain(latency.p99_milliseconds)} ms in the slowest "
            "hundredth (lognormal)"
        )
    return f"{_plain(latency.milliseconds)} ms"


def _feed(settings: VenueSettings) -> str:
    if settings.feed_latency_recorded:
        return "The market is seen when the recording received it."
    if settings.feed_latency == Latency():
        return "The market is seen the moment it happens: the feed has no latency."
    return f"The market is seen {_latency(settings.feed_latency)} after it happened."


def _book(settings: VenueSettings) -> Iterator[str]:
    yield (
        "Immediate orders trade against the levels of the book, one after the other; what they take is gone until the "
        "market shows the level anew."
    )
    yield QUEUES[settings.queue_model]


def _bars(settings: VenueSettings) -> Iterator[str]:
    model = settings.bar_model
    yield (
        "Bars have no book: the exchange models one around the price. Its best prices lie "
        f"{_plain(model.half_spread_bps)} bps (at least one tick) from it; {model.levels} levels a side, "
        f"{_plain(model.level_step_bps)} bps apart, each show {_percent(model.level_share)} of the mean volume of a "
        "bar. The cost of trading is that of this model, not of a spread that anybody saw."
    )
    yield (
        "Inside a bar the price walks from the open to the nearer extreme, the farther extreme and the close. A "
        "resting limit order fills, at its own price, when the walk passes it by at least one tick; all such fills of "
        f"a bar share {_percent(model.passive_share)} of its volume. A stop that the open jumps over triggers at the "
        "open. Which extreme came first is not known."
    )


def _costs(settings: VenueSettings, stream: MarketStream) -> Iterator[str]:
    if settings.fee_tiers:
        steps = "; ".join(
            f"from {tier.volume_from:,f} {_percent(tier.maker_rate)} maker and {_percent(tier.taker_rate)} taker"
            for tier in settings.fee_tiers
        )
        yield f"Fees by what was traded in 30 days: {steps}. The account had traded {settings.volume_before:,f} before."
    for product in stream.products:
        fees = "" if settings.fee_tiers else f"{_fees(product)}; "
        yield (
            f"{product.symbol}: tick {product.tick:f}, lot {product.lot:f}; {fees}"
            f"{_margin(product, settings.margin_window)}; "
            f"a liquidation costs {_percent(product.liquidation_fee_rate)} of its notional."
        )


def _fees(product: ProductSpec) -> str:
    return f"fees {_percent(product.maker_fee_rate)} maker, {_percent(product.taker_fee_rate)} taker, without tiers"


def _margin(product: ProductSpec, window: MarginWindow) -> str:
    day, night = product.margin_intraday, product.margin_overnight
    if day == night:
        return f"initial margin {_rates(day)}"
    if window is MarginWindow.SCHEDULE:
        return f"initial margin {_rates(day)} intraday, {_rates(night)} overnight: {WINDOWS[window]}"
    return f"initial margin {_rates(night if window is MarginWindow.OVERNIGHT else day)}: {WINDOWS[window]}"


def _rates(rates: MarginRates) -> str:
    if rates.initial_long == rates.initial_short:
        return _percent(rates.initial_long)
    return f"{_percent(rates.initial_long)} long and {_percent(rates.initial_short)} short"


def _percent(value: Decimal) -> str:
    return f"{_plain(value * 100)} %"


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
