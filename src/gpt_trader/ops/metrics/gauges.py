"""How is it right now? Gauges, read from one picture of the bot at the moment in which somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gpt_trader import __version__
from gpt_trader.core.clock import NS
from gpt_trader.core.values import Mode
from gpt_trader.ops.metrics.table import METRICS, Kind
from gpt_trader.ops.picture import Picture

__all__ = ["Gauges", "Now"]

GAUGES: Final = {metric.name: metric for metric in METRICS if metric.kind is Kind.GAUGE}
OURS: Final = "bot"
OTHERS: Final = "external"
Sample = tuple[str, tuple[str, ...], Decimal | float | None]
"""Name, values of the labels, and the figure; None where there is none now."""


class Now(msgspec.Struct, frozen=True):
    """What gauges are read from, all of one moment."""

    picture: Picture
    flags: Mapping[str, bool]
    streams: Mapping[str, bool]
    """By name: the connection stands."""


class Gauges(Collector):
    """`look` gives the moment, or None when the bot does not answer in time."""

    def __init__(self, look: Callable[[], Now | None]) -> None:
        self._look = look

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Known without looking, so that making the page does not wait for the bot."""
        return (GaugeMetricFamily(name, metric.meaning, labels=metric.labels) for name, metric in GAUGES.items())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = self._look()
        families = {family.name: family for family in self.describe()}
        samples: list[Sample] = [("gpt_trader_loop_answers", (), float(now is not None))]
        for name, labels, value in (*samples, *(samples_of(now) if now is not None else ())):
            if value is not None:
                families[name].add_metric(labels, float(value))
        yield from families.values()


def samples_of(now: Now) -> Iterator[Sample]:
    """Every figure of the moment."""
    yield from _run(now)
    yield from _money(now.picture)
    yield from _positions(now.picture)
    yield from _orders(now.picture)
    yield from _watch(now.picture)


def _run(now: Now) -> Iterator[Sample]:
    picture = now.picture
    yield "gpt_trader_run_info", (picture.run, picture.profile, picture.venue, picture.engine, __version__), 1
    for mode in Mode:
        yield "gpt_trader_mode", (mode.value,), float(mode is picture.mode)
    yield "gpt_trader_caught_up", (), float(picture.caught_up)
    yield "gpt_trader_events", (), picture.events
    yield "gpt_trader_disk_free_bytes", (), picture.disk_free_bytes
    for flag, value in now.flags.items():
        yield "gpt_trader_flag", (flag,), float(value)
    for stream, up in now.streams.items():
        yield "gpt_trader_stream_up", (stream,), float(up)


def _money(picture: Picture) -> Iterator[Sample]:
    yield "gpt_trader_equity", (), picture.equity
    yield "gpt_trader_price_pnl", (), picture.price_pnl
    yield "gpt_trader_fees", (), picture.fees
    yield "gpt_trader_funding", (), picture.funding
    yield "gpt_trader_drawdown_share", (), picture.drawdown
    yield "gpt_trader_margin", ("initial",), picture.initial_margin
    yield "gpt_trader_margin", ("maintenance",), picture.maintenance_margin
    yield "gpt_trader_margin", ("available",), picture.available_margin
    yield "gpt_trader_margin_headroom_share", (), picture.headroom
    yield "gpt_trader_account_age_seconds", (), picture.account_age_seconds


def _positions(picture: Picture) -> Iterator[Sample]:
    for held in picture.positions:
        owner = OTHERS if held.external else OURS
        yield "gpt_trader_position", (held.symbol, owner), held.quantity
        if held.mark is not None:
            yield "gpt_trader_exposure", (held.symbol, owner), held.quantity * held.mark
        if not held.external:
            yield "gpt_trader_liquidation_distance_share", (held.symbol,), held.liquidation_distance
    for symbol in picture.symbols:
        yield "gpt_trader_mark", (symbol.symbol,), symbol.mark
        yield "gpt_trader_mark_age_seconds", (symbol.symbol,), symbol.mark_age_seconds
        yield "gpt_trader_paused", (symbol.symbol,), float(bool(symbol.paused))


def _orders(picture: Picture) -> Iterator[Sample]:
    living: dict[tuple[str, str], int] = {}
    oldest: dict[str, float] = {}
    for order in picture.open_orders:
        key = (order.state, order.purpose)
        living[key] = living.get(key, 0) + 1
        age_seconds = (picture.time_ns - order.submitted_ns) / NS
        oldest[order.state] = max(age_seconds, oldest.get(order.state, 0.0))
    for key, count in living.items():
        yield "gpt_trader_orders_living", key, count
    for state, age_seconds in oldest.items():
        yield "gpt_trader_order_age_seconds_max", (state,), age_seconds
    yield "gpt_trader_tactics_working", (), len(picture.tactics)
    kept: dict[tuple[str, str, str], int] = {}
    for stop in picture.stops:
        place = (stop.symbol, stop.kind, stop.keeper)
        kept[place] = kept.get(place, 0) + 1
    for place, count in kept.items():
        yield "gpt_trader_stops", place, count


def _watch(picture: Picture) -> Iterator[Sample]:
    for guard in picture.guards:
        yield "gpt_trader_guard_tripped", (guard.guard, guard.symbol), float(bool(guard.tripped))
        if guard.unit:
            yield "gpt_trader_guard_value", (guard.guard, guard.symbol, guard.unit), guard.value
            yield "gpt_trader_guard_threshold", (guard.guard, guard.symbol, guard.unit), guard.threshold
