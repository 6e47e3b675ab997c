"""Which figures are there? Name, kind, labels and meaning of each; code, page, dashboard and alert rules go by this.

Amounts are in the account's currency, quantities in base units, times in seconds. Counters begin at zero with each
process, as Prometheus expects; what a run has counted in all its boots is in its log.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["METRICS", "STAGES", "Kind", "Metric"]


class Kind(StrEnum):
    COUNTER = "counter"
    """Only rises, while the process lives."""
    GAUGE = "gauge"
    """As it is when it is asked for."""
    HISTOGRAM = "histogram"
    """How many were at most so much."""


class Metric(msgspec.Struct, frozen=True):
    """One family of figures."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BPS: Final = (-50.0, -20.0, -10.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

STAGES: Final = {
    "signal": "from the close of a bar to the wish of a strategy",
    "decision": "from the wish to the approval or refusal: validation, preview, sizing and rules",
    "placement": "from the approval to the first order that is written down",
    "acknowledgement": "from there to the venue's answer: the durable write, the request and its reply",
    "first_fill": "from the order to its first trade",
    "reconciliation": "from the approval to the report",
    "cancel": "from the request to cancel to its proof",
    "fill_news": "from the venue's time of a trade to ours: also what two clocks differ by",
}
"""Of an order's walk, by the events that begin and end them."""

METRICS: Final = (
    # the run
    Metric("gpt_trader_run_info", _G, "Always 1; what runs.", ("run", "profile", "venue", "engine", "version")),
    Metric("gpt_trader_mode", _G, "1 for the mode that holds.", ("mode",)),
    Metric("gpt_trader_caught_up", _G, "1 once recovery is over; before, nothing leaves."),
    Metric("gpt_trader_flag", _G, "1 where the flag is on.", ("flag",)),
    Metric("gpt_trader_commands_total", _C, "What people and signals told the bot.", ("command",)),
    Metric("gpt_trader_commands_failed_total", _C, "Of these, what could not be done.", ("command",)),
    Metric("gpt_trader_engine_swaps_total", _C, "Exchanges of the engine.", ("engine",)),
    # decisions
    Metric("gpt_trader_signals_total", _C, "What strategies wanted.", ("strategy", "symbol", "action")),
    Metric(
        "gpt_trader_refusals_total",
        _C,
        "Orders that a rule refused, by its stable code.",
        ("code", "stage", "engine", "purpose"),
    ),
    # orders
    Metric("gpt_trader_orders_submitted_total", _C, "Orders written down.", ("engine", "tactic", "purpose")),
    Metric("gpt_trader_orders_ended_total", _C, "Orders at their end.", ("state", "engine", "tactic")),
    Metric("gpt_trader_orders_unknown_total", _C, "How often an outcome was not known.", ("engine", "tactic")),
    Metric("gpt_trader_orders_sighted_late_total", _C, "Orders seen after they had counted as never placed."),
    Metric("gpt_trader_venue_rejects_total", _C, "Orders that the venue refused, by its code.", ("code",)),
    Metric("gpt_trader_orders_living", _G, "Orders that may still fill.", ("state", "purpose")),
    Metric("gpt_trader_order_age_seconds_max", _G, "Age of the oldest living order.", ("state",)),
    Metric("gpt_trader_tactics_working", _G, "Intents that are being worked."),
    Metric("gpt_trader_stops", _G, "Stops and targets that are kept.", ("symbol", "kind", "keeper")),
    Metric("gpt_trader_stops_triggered_total", _C, "Stops and targets that were reached.", ("symbol",)),
    Metric("gpt_trader_stops_escalated_total", _C, "Further attempts to get out by a stop.", ("symbol",)),
    # fills and what they cost
    Metric("gpt_trader_fills_total", _C, "Trades.", ("symbol", "side", "liquidity", "cause")),
    Metric("gpt_trader_traded_notional_total", _C, "Price times quantity of all trades.", ("symbol",)),
    Metric(
        "gpt_trader_slippage_bps",
        _H,
        "Price of a trade against the middle when it was decided; above zero cost us.",
        ("engine", "tactic"),
        BPS,
    ),
    Metric("gpt_trader_slippage_exceeded_total", _C, "Intents that cost more than allowed.", ("symbol",)),
    # how long it takes
    Metric(
        "gpt_trader_stage_seconds",
        _H,
        "From one event of an order's walk to the next; the stages stand below.",
        ("stage",),
        SECONDS,
    ),
    Metric("gpt_trader_store_commit_seconds", _H, "Until what was written down was durable.", (), SECONDS),
    Metric("gpt_trader_loop_lag_seconds", _H, "How late the loop wakes who sleeps; live only.", (), SECONDS),
    # money
    Metric("gpt_trader_equity", _G, "Cash and unrealised profit; absent while a held symbol has no mark."),
    Metric("gpt_trader_price_pnl", _G, "Realised and unrealised, before fees and funding."),
    Metric("gpt_trader_fees", _G, "Paid since the run began; rebates lower it."),
    Metric("gpt_trader_funding", _G, "Received since the run began; below zero was paid."),
    Metric("gpt_trader_drawdown_share", _G, "Loss from the highest equity, as a share of it."),
    Metric("gpt_trader_position", _G, "Signed quantity.", ("symbol", "owner")),
    Metric("gpt_trader_exposure", _G, "Signed quantity at the mark.", ("symbol", "owner")),
    Metric("gpt_trader_liquidation_distance_share", _G, "Of the mark, to the price of liquidation.", ("symbol",)),
    Metric("gpt_trader_margin", _G, "The venue's word: initial, maintenance, available.", ("kind",)),
    Metric("gpt_trader_margin_headroom_share", _G, "Of equity, what may be lost before liquidation."),
    # what watches
    Metric("gpt_trader_guard_tripped", _G, "1 while a guard is tripped.", ("guard", "symbol")),
    Metric("gpt_trader_guard_value", _G, "What a guard measured last.", ("guard", "symbol", "unit")),
    Metric("gpt_trader_guard_threshold", _G, "Where it trips.", ("guard", "symbol", "unit")),
    Metric("gpt_trader_guard_trips_total", _C, "How often.", ("guard",)),
    Metric("gpt_trader_paused", _G, "1 while entries of the symbol are paused.", ("symbol",)),
    Metric("gpt_trader_invariants_broken_total", _C, "Promises of the house that did not hold.", ("name",)),
    Metric("gpt_trader_system_errors_total", _C, "Something of ours failed.", ("source",)),
    # freshness
    Metric("gpt_trader_mark", _G, "Price that profit and exposure are measured with.", ("symbol",)),
    Metric("gpt_trader_mark_age_seconds", _G, "Since the mark was received.", ("symbol",)),
    Metric("gpt_trader_account_age_seconds", _G, "Since the venue last spoke of money."),
    Metric("gpt_trader_stream_up", _G, "1 while the connection stands.", ("stream",)),
    Metric("gpt_trader_stream_losses_total", _C, "Connections that ended and were made anew.", ("stream",)),
    # the log, and this page itself
    Metric("gpt_trader_events", _G, "Events in the log."),
    Metric("gpt_trader_disk_free_bytes", _G, "Where the log grows."),
    Metric("gpt_trader_events_missed_total", _C, "Events that came too fast to be counted here; the log has them."),
    Metric("gpt_trader_loop_answers", _G, "0 when the bot did not answer within two seconds; gauges are absent then."),
)
