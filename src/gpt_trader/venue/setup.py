"""What does a kernel know before the first row? Its memory with products, windows and the settings of the venue."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.rows import RATE_SCALE
from gpt_trader.market.stream import MarketStream
from gpt_trader.venue import layout
from gpt_trader.venue.memory_map import VenueMemory
from gpt_trader.venue.settings import BarModel, FundingSource, QueueModel, VenueSettings
from gpt_trader.venue.specification import products_record, tiers_record
from gpt_trader.venue.timetable import is_overnight

__all__ = ["venue_memory"]

LEVELS_MAX: Final = 1000
BPS_MAX: Final = 10_000
BPS: Final = RATE_SCALE // 10_000
QUEUES: Final = {
    QueueModel.BACK: layout.QUEUE_BACK,
    QueueModel.PROPORTIONAL: layout.QUEUE_PROPORTIONAL,
    QueueModel.TRADES: layout.QUEUE_TRADES,
}
FUNDING: Final = {
    FundingSource.MARKET: layout.FUNDING_OF_MARKET,
    FundingSource.VENUE: layout.FUNDING_OF_VENUE,
    FundingSource.NONE: layout.FUNDING_NONE,
}


def venue_memory(stream: MarketStream, settings: VenueSettings, accounts: int) -> VenueMemory:
    """Memory of a kernel at the start of a market. Raises ConfigError for what integers cannot carry exactly."""
    overnight = is_overnight(settings, stream.start_ns)
    memory = VenueMemory(products_record(stream.products, overnight), accounts)
    header = memory.header
    bar_ns = stream.bar_seconds * NS
    header["now"] = stream.start_ns
    header["end_ns"] = stream.end_ns
    header["wake_on_bars"] = 1
    header["bar_ns"] = bar_ns
    if not stream.modelled_book:
        header["bar_next"] = (stream.start_ns // bar_ns + 1) * bar_ns
        memory.products["bar_whole"] = int(stream.start_ns % bar_ns == 0)
    header["queue_model"] = QUEUES[settings.queue_model]
    header["funding_by"] = FUNDING[settings.funding]
    header["bracket_slip"] = _rate(settings.bracket_collar_bps, "bracket_collar_bps") * BPS
    memory.give_latencies(settings.ack_latency.series_ns("ack_latency", settings.seed))
    memory.give_tiers(tiers_record(settings.fee_tiers))
    _set_bar_model(memory, settings.bar_model)
    return memory


def _set_bar_model(memory: VenueMemory, model: BarModel) -> None:
    header = memory.header
    if not 1 <= model.levels <= LEVELS_MAX:
        raise ConfigError(f"bar_model: levels must lie between 1 and {LEVELS_MAX}, not {model.levels}")
    header["model_half_spread"] = int(_rate(model.half_spread_bps, "half_spread_bps") * BPS)
    header["model_step"] = int(_rate(model.level_step_bps, "level_step_bps") * BPS)
    header["model_share"] = int(_rate(model.level_share, "level_share") * RATE_SCALE)
    header["model_levels"] = model.levels
    _rate(model.passive_share, "passive_share")


def _rate(value: Decimal, name: str) -> Decimal:
    if not 0 <= value < BPS_MAX:
        raise ConfigError(f"{name}: {value} must not be below zero, nor {BPS_MAX} or more")
    return value
