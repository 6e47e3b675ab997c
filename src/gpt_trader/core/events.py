"""What has happened? Frozen facts in the past tense; each type is published by exactly one module.

An event is stored as JSON with its type name as tag. Money is Decimal (a string in JSON), times are int nanoseconds.
Changing the fields of an event needs a new SCHEMA_VERSION and an upcast in `records`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.core.errors import Number
from gpt_trader.core.values import (
    ZERO,
    EngineDecision,
    Liquidity,
    Mode,
    OrderState,
    OrderType,
    PaperCost,
    Purpose,
    Side,
    TimeInForce,
)

__all__ = [
    "SCHEMA_VERSION",
    "AccountReconciled",
    "BarsSeen",
    "BootStarted",
    "DecisionInputSaved",
    "EngineSelected",
    "EngineSwapFailed",
    "EngineSwapped",
    "EquityBaselineSet",
    "EquityPeaked",
    "Event",
    "ExternalClaimed",
    "ExternalOrderSeen",
    "ExternalPositionSeen",
    "FillMarked",
    "FlagCleared",
    "FlagSet",
    "FlattenEnded",
    "FundingApplied",
    "GuardCleared",
    "GuardTripped",
    "IntentAssigned",
    "InvariantBroken",
    "LimitsChanged",
    "LogRepaired",
    "MissMarked",
    "ModeChanged",
    "OperatorCommandFailed",
    "OperatorCommanded",
    "OrderApproved",
    "OrderCancelRequested",
    "OrderCancelled",
    "OrderExpired",
    "OrderFailed",
    "OrderFilled",
    "OrderOutcomeUnknown",
    "OrderPlaced",
    "OrderReconciled",
    "OrderRefused",
    "OrderRejected",
    "OrderSightedLate",
    "OrderSubmitted",
    "PositionClosed",
    "PositionOpened",
    "ProductListed",
    "RolloutCounted",
    "RolloutEnded",
    "RolloutPaused",
    "RolloutResumed",
    "RolloutStarted",
    "RolloutStepped",
    "RunEnded",
    "RunStarted",
    "SettingsApplied",
    "ShadowDecided",
    "ShadowEnded",
    "ShadowPriced",
    "ShadowStarted",
    "StopKept",
    "StopReleased",
    "StopTriggered",
    "StrategyStateSaved",
    "SymbolPaused",
    "SystemError",
    "TacticEnded",
    "TacticProgressed",
    "TacticStarted",
    "TradingSignalGenerated",
    "TransferObserved",
]

SCHEMA_VERSION: Final = 2
"""Version 2 added optional fields and new types to version 1; what version 1 wrote is read as it is."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A fact. `at_ns` is the bot's clock when it became known."""

    at_ns: int
    intent_id: str = ""
    client_order_id: str = ""


# --- the run -----------------------------------------------------------------------------------------------------
class RunStarted(Event, frozen=True, kw_only=True):
    """First event of a run. Publisher: bot.builder."""

    run_id: str
    profile: str
    environment: str
    """`simulated`, or venue and account; a store never serves two."""
    config_digest: str
    code_version: str
    market: str
    """Name and digest of the recording, or of the seeded market."""
    seed: int
    cash: Decimal
    """Account balance when the run began."""
    funding: Decimal | None = None
    """All funding the venue had booked until then, where it tells a sum instead of payments."""


class BootStarted(Event, frozen=True, kw_only=True):
    """A process took the run over. Publisher: bot.builder."""

    boot: int
    replayed_events: int
    """How many are known, read one by one or from a snapshot."""
    from_snapshot: int = 0
    """Event that the snapshot follows from with which the replay began; zero began at the first."""


class SettingsApplied(Event, frozen=True, kw_only=True):
    """The settings that decide, as they stood when the process began: what `explain` finds thresholds in.
    Publisher: bot.builder."""

    values: Mapping[str, Number]
    """By path, such as `risk.max_leverage`; no secrets and no paths of this machine."""


class ProductListed(Event, frozen=True, kw_only=True):
    """What the venue said of a traded product when the bot had connected. Publisher: bot.bot."""

    symbol: str
    venue_symbol: str
    base: str = ""
    """Empty in logs that were written before it was kept; so is `quote`."""
    quote: str = ""
    tick: Decimal
    lot: Decimal
    contract_size: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    maker_fee_rate: Decimal
    taker_fee_rate: Decimal


class RunEnded(Event, frozen=True, kw_only=True):
    """The run stopped in an orderly way. Publisher: bot.bot."""

    reason: str
    open_orders: tuple[str, ...] = ()
    open_positions: Mapping[str, Decimal] = {}


class LogRepaired(Event, frozen=True, kw_only=True):
    """A damaged log was put into quarantine and begun anew with what could be proven of it. The next boot asks the
    venue for what is missing, and lets no entry out until an operator has looked. Publisher: records.upkeep."""

    kept: int
    """Events of before that are in the log."""
    reached: int
    """How many there had been, as far as mark and anchors remember."""
    reason: str
    quarantine: str
    """Folder beside the store that holds the damaged files."""


class EngineSelected(Event, frozen=True, kw_only=True):
    """Publisher: bot.builder."""

    engine: str
    reason: str
    dynamic_sizing: bool
    impact_guard: bool


# --- what was changed while it ran: all published by bot.steering ----------------------------------------------------
class FlagSet(Event, frozen=True, kw_only=True):
    """A flag has a value that stands above configuration, until FlagCleared. Restarts do not end it.
    Publisher: bot.steering."""

    flag: str
    value: str
    """true or false."""
    source: str
    """`runtime control`, `latch`, or the file that says so since the start."""
    beneath: str = ""
    """What the files said of the flag then; when they say something else the word counts no more."""
    who: str
    reason: str


class FlagCleared(Event, frozen=True, kw_only=True):
    """The configuration decides about a flag again. Publisher: bot.steering."""

    flag: str
    value: str
    """What it is now."""
    who: str
    reason: str


class EngineSwapped(Event, frozen=True, kw_only=True):
    """Another engine takes every new intent from here on; what is under way is brought to its end as it was begun.
    Publisher: bot.steering."""

    was: str
    engine: str
    dynamic_sizing: bool
    impact_guard: bool
    reason: str
    """By which flags, and who set them why."""
    who: str
    deciding: int = 0
    """Intents in the hallway; the engine that began them decides them."""
    working: tuple[str, ...] = ()
    """Intents whose tactic goes on."""
    in_flight: Mapping[str, str] = {}
    """State of every living order by client order id; CANCEL_PENDING where a cancel is on its way."""
    tactics: Mapping[str, str] = {}
    """By symbol: what new entries go by instead of their configured tactic, which this engine does not offer."""


class EngineSwapFailed(Event, frozen=True, kw_only=True):
    """Another engine was wanted and could not be had; the one that ran goes on. Publisher: bot.steering."""

    engine: str
    """The one that goes on."""
    who: str
    problem: str


class LimitsChanged(Event, frozen=True, kw_only=True):
    """Settings of rules, guards and engines hold anew from here on. Publisher: bot.steering."""

    values: Mapping[str, Number]
    was: Mapping[str, Number]
    held_back: Mapping[str, Number] = {}
    """Wanted too, and not surely tighter: they wait for a confirmation."""
    who: str
    reason: str


# --- a rollout: all published by bot.rollout.share -------------------------------------------------------------------
class RolloutStarted(Event, frozen=True, kw_only=True):
    """What was agreed of a rollout; durable before its first intent is assigned. Publisher: bot.rollout.share."""

    rollout: str
    """Its name in the run; hashed with every intent's id."""
    to: str
    """live, advanced, advanced:sizing or advanced:impact."""
    baseline: str
    candidate: str
    flags: str
    """What chose the baseline."""
    shares: tuple[Decimal, ...]
    min_orders: int
    """Of the candidate, at each step."""
    hold_seconds: int
    shortfall_delta_bps_max: Decimal
    venue_rejects_max: Decimal
    shortfall_sd_bps: Decimal
    sd_from: str
    detectable_bps: Decimal
    detectable_rejects: Decimal
    false_alarms: Decimal
    """Probability that an equal candidate is rolled back."""
    power: Decimal
    who: str
    reason: str


class IntentAssigned(Event, frozen=True, kw_only=True):
    """To which engine an intent goes while a rollout runs. Publisher: bot.rollout.share."""

    symbol: str
    engine: str
    candidate: bool
    why: str
    """hash, held (its engine holds the symbol), or why it was no question."""
    share: Decimal = ZERO
    """Of the step, where the hash decided."""


class RolloutCounted(Event, frozen=True, kw_only=True):
    """What a position that the hash had assigned has cost; its intent is the one that opened it. Told when the opening
    is done, and again when the position is closed. Publisher: bot.rollout.share."""

    symbol: str
    candidate: bool
    step: int
    share: Decimal
    closed: bool
    opening_bps: Decimal | None = None
    """All-in cost: shortfall and missed. None where nothing was filled and nothing is known to be missed."""
    others_bps: tuple[Decimal, ...] = ()
    orders: int = 0
    rejects: int = 0
    """Of these by the venue."""


class RolloutStepped(Event, frozen=True, kw_only=True):
    """A step was passed, by evidence and time; new positions are assigned at the next share.
    Publisher: bot.rollout.share."""

    step: int
    """The new one, from 0."""
    share: Decimal
    orders: int
    """Of the candidate, at the step that was passed."""


class RolloutPaused(Event, frozen=True, kw_only=True):
    """New positions go to the baseline until RolloutResumed; the candidate keeps what it holds.
    Publisher: bot.rollout.share."""

    who: str
    reason: str


class RolloutResumed(Event, frozen=True, kw_only=True):
    """Publisher: bot.rollout.share."""

    who: str
    reason: str


class RolloutEnded(Event, frozen=True, kw_only=True):
    """Every intent goes to one engine again: the candidate after COMPLETED, else the baseline. What is under way is
    finished as it was begun. Publisher: bot.rollout.share."""

    outcome: str
    """COMPLETED, ROLLED_BACK or ABORTED."""
    who: str
    reason: str
    """After ROLLED_BACK: which number broke."""
    numbers: Mapping[str, Number] = {}
    in_flight: Mapping[str, str] = {}
    """State of every living order of the candidate by client order id."""


# --- decisions ---------------------------------------------------------------------------------------------------
class TradingSignalGenerated(Event, frozen=True, kw_only=True):
    """A strategy wants something; its intent id is the event's. Publisher: bot.bot."""

    strategy: str
    symbol: str
    action: str
    """LONG, SHORT, FLAT or HOLD-free: what the strategy wants to be."""
    bar_close_ns: int
    reason: str = ""
    inputs: Mapping[str, Number] = {}
    """What the strategy looked at, by its own names."""
    fraction: Decimal = ZERO
    """Share of equity as notional; zero for FLAT."""
    reference_price: Decimal = ZERO
    strength: str = ""
    """Decimal text where the strategy has an opinion."""
    confluence: str = ""
    protective_stop: Decimal | None = None
    target_price: Decimal | None = None
    trailing_stop: Decimal | None = None


class OrderRefused(Event, frozen=True, kw_only=True):
    """A rule said no before anything was sent. Publisher: execution.pipeline."""

    strategy: str
    symbol: str
    side: Side
    quantity: Decimal
    stage: str
    code: str
    purpose: Purpose
    engine: str
    numbers: Mapping[str, Number] = {}
    """Those of the rule that refused."""
    before: Mapping[str, Number] = {}
    """What the stages before it had found, by the same names as in OrderApproved."""


class OrderApproved(Event, frozen=True, kw_only=True):
    """Validation and risk passed; every number that was used. Publisher: execution.pipeline."""

    strategy: str
    symbol: str
    side: Side
    asked: Decimal
    quantity: Decimal
    order_type: OrderType
    purpose: Purpose
    engine: str
    tactic: str
    arrival_mid: Decimal
    """Middle of the book, else the mark, when the decision was taken."""
    validation: Mapping[str, Number] = {}
    risk: Mapping[str, Number] = {}


class OrderReconciled(Event, frozen=True, kw_only=True):
    """The answer to an approved intent, as far as it is known. One that is WORKING, RESTING or UNKNOWN is followed by
    another when the last of its orders has ended. Publisher: execution.handlers.reconciliation."""

    symbol: str
    outcome: str
    """FILLED, PARTIALLY_FILLED, RESTING, WORKING, UNKNOWN, REJECTED, CANCELLED, EXPIRED or FAILED."""
    filled: Decimal
    average_price: Decimal | None = None
    slippage_bps: Decimal | None = None


class DecisionInputSaved(Event, frozen=True, kw_only=True):
    """What an intent was decided on, where the market is in no recording: enough to decide it again. Saved when its
    first order had been handed over, or a rule had refused. Publisher: bot.inputs."""

    symbol: str
    inputs: str
    """JSON of the wish, its snapshot, and what the engine and the venue could do."""


class SlippageExceeded(Event, frozen=True, kw_only=True):
    """The trades of one intent cost more against their arrival mid than allowed; told once for each intent.
    Publisher: execution.handlers.reconciliation."""

    symbol: str
    side: Side
    filled: Decimal
    average_price: Decimal
    arrival_mid: Decimal
    slippage_bps: Decimal
    limit_bps: Decimal


class TacticStarted(Event, frozen=True, kw_only=True):
    """A working tactic wrote its plan: with the orders of the intent, all that is needed to go on after a restart.
    Told by the order tracker. Publisher: placement.working."""

    tactic: str
    symbol: str
    side: Side
    quantity: Decimal
    plan: Mapping[str, Number] = {}
    strategy: str = ""
    reduce_only: bool = False
    valid_until_ns: int = 0
    arrival_mid: Decimal = ZERO
    worst_price: Decimal | None = None
    """No order of the tactic is priced worse than this: the request's limit, the break-even price, or the nearer."""


class TacticProgressed(Event, frozen=True, kw_only=True):
    """A working tactic took its next step; `numbers` are what it looked at. Publisher: placement.tracker."""

    tactic: str
    symbol: str
    step: str
    filled: Decimal
    numbers: Mapping[str, Number] = {}


class TacticEnded(Event, frozen=True, kw_only=True):
    """Publisher: placement.tracker."""

    tactic: str
    symbol: str
    filled: Decimal
    reason: str


# --- orders: OrderSubmitted by placement.submitter, all others by placement.order_manager -------------------------
class OrderSubmitted(Event, frozen=True, kw_only=True):
    """Durable before the first byte leaves; `body_digest` freezes what may be sent under this id.
    Publisher: placement.submitter."""

    symbol: str
    side: Side
    quantity: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expire_ns: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    purpose: Purpose = Purpose.ENTRY
    strategy: str = ""
    tactic: str = ""
    leg: str = ""
    slice_number: int = 0
    valid_until_ns: int
    body_digest: str
    arrival_mid: Decimal = ZERO
    """Middle of the book when the intent was decided; of a stop its trigger."""
    bid: Decimal = ZERO
    """Best prices when this order was written down; zero when not known."""
    ask: Decimal = ZERO


class OrderCancelRequested(Event, frozen=True, kw_only=True):
    """Publisher: placement.submitter."""

    reason: str


class OrderPlaced(Event, frozen=True, kw_only=True):
    """The venue has it. Publisher: placement.order_manager."""

    venue_order_id: str


class OrderFilled(Event, frozen=True, kw_only=True):
    """One trade of one order; applied once per (venue order, trade id). Publisher: placement.order_manager."""

    venue_order_id: str
    trade_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    liquidity: Liquidity
    cumulative: Decimal
    """Filled quantity of the order after this trade."""
    state: OrderState
    cause: str = "OWN"
    """OWN, LIQUIDATION or FOREIGN."""
    trade_ns: int
    arrival_mid: Decimal = ZERO


class OrderCancelled(Event, frozen=True, kw_only=True):
    """The venue says it is cancelled; fills may still arrive late and are applied.
    Publisher: placement.order_manager."""

    venue_order_id: str
    filled: Decimal
    reason: str = ""


class OrderRejected(Event, frozen=True, kw_only=True):
    """The venue refused it; it never rested. Publisher: placement.order_manager."""

    code: str
    message: str = ""


class OrderExpired(Event, frozen=True, kw_only=True):
    """End of time in force: an IOC or FOK remainder, or a GTD end. Publisher: placement.order_manager."""

    venue_order_id: str
    filled: Decimal


class OrderFailed(Event, frozen=True, kw_only=True):
    """Not placed: the request never left, or it was proven not to have arrived. Publisher: placement.order_manager."""

    code: str
    message: str = ""


class OrderOutcomeUnknown(Event, frozen=True, kw_only=True):
    """Bytes may have left and there is no proof. Counts at full notional. Publisher: placement.order_manager."""

    message: str = ""


class OrderSightedLate(Event, frozen=True, kw_only=True):
    """An order that counted as never placed was seen at the venue after all; it is applied in full, and this is the
    alarm. Publisher: placement.order_manager."""

    symbol: str
    believed: OrderState
    """What it was held for: FAILED or REJECTED."""
    after_seconds: int
    """Since it was submitted."""


# --- positions and money: published by records.ledger -------------------------------------------------------------
class PositionOpened(Event, frozen=True, kw_only=True):
    """A symbol that was flat is held. Publisher: records.ledger."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal


class PositionClosed(Event, frozen=True, kw_only=True):
    """A symbol is flat again, or turned to the other side. Publisher: records.ledger."""

    symbol: str
    realised_pnl: Decimal
    """Price PnL of the closed position over its life, before fees and funding."""
    fees: Decimal
    funding: Decimal


class FundingApplied(Event, frozen=True, kw_only=True):
    """Cash moved for funding; keyed by (symbol, funding_ns). Publisher: bot.account."""

    symbol: str
    funding_ns: int
    amount: Decimal
    """Above zero is received."""
    rate: Decimal
    position: Decimal
    price: Decimal
    kind: str = "PAID"
    """PAID, ESTIMATE (reckoned by us, the venue has not booked it yet), or TRUE_UP (what it booked, less estimates)."""


class TransferObserved(Event, frozen=True, kw_only=True):
    """Cash moved that is no trade, fee or funding. Publisher: bot.account."""

    amount: Decimal
    key: str


class ExternalPositionSeen(Event, frozen=True, kw_only=True):
    """The venue holds more or less of a symbol than all that we know of explains, twice in a row: somebody else's. It
    counts in exposure and is not traded without a claim. Publisher: bot.recovery."""

    symbol: str
    quantity: Decimal
    """Signed, all of it; zero says that it is gone."""
    entry_price: Decimal
    own: Decimal
    """What the ledger holds beside it."""


class ExternalClaimed(Event, frozen=True, kw_only=True):
    """An operator gave the bot what was somebody else's: from now on it is a position like any other.
    Publisher: bot.claims."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    who: str
    reason: str


class ExternalOrderSeen(Event, frozen=True, kw_only=True):
    """An order on the account that this run did not send. It is left alone. Publisher: bot.foreign."""

    symbol: str
    venue_order_id: str
    writer: str
    """BY HAND, ANOTHER BOT (its client id begins as ours do) or LOST (of this run, and not in its log)."""
    side: Side | None = None
    """None where the venue did not say it; so is `quantity`."""
    quantity: Decimal | None = None
    """What may still fill, base units."""


class AccountReconciled(Event, frozen=True, kw_only=True):
    """Recovery has asked the venue for everything; from here on the bot may trade. Publisher: bot.recovery."""

    fills: int
    """Trades that the log did not have."""
    orders_alive: int
    orders_unknown: int
    """Of these without an outcome; they are read until they have one."""
    external_orders: int
    external_positions: Mapping[str, Decimal] = {}


# --- what it cost: published by records.mark_outs -------------------------------------------------------------------
class FillMarked(Event, frozen=True, kw_only=True):
    """Where the market stood some time after a fill. Publisher: records.mark_outs."""

    symbol: str
    trade_id: str
    mids: Mapping[str, Decimal]
    """Middle of the book by seconds after the fill became known; a time without a book is left out."""


class MissMarked(Event, frozen=True, kw_only=True):
    """An order ended with something unfilled, and where the market stood then. Publisher: records.mark_outs."""

    symbol: str
    side: Side
    unfilled: Decimal
    mid: Decimal


# --- what another engine would have done: all published by bot.shadow ----------------------------------------------
class ShadowStarted(Event, frozen=True, kw_only=True):
    """From here on a candidate engine decides beside the one that trades, and sends nothing. Publisher: bot.shadow."""

    candidate: str
    features: str = ""
    """What is switched on in it."""
    source: str
    """Who asked for it: the place in the configuration, or the runtime."""
    who: str = ""
    reason: str = ""


class ShadowDecided(Event, frozen=True, kw_only=True):
    """What two engines made of the same intent and the same snapshot. Publisher: bot.shadow."""

    strategy: str
    symbol: str
    side: Side
    purpose: Purpose
    asked: Decimal
    taken_ns: int
    """When the snapshot was taken."""
    arrival_mid: Decimal = ZERO
    """Middle of its book, else its mark; zero where it had neither."""
    traded: EngineDecision
    """By the engine that trades."""
    candidate: EngineDecision
    """By the one that looks on."""
    numbers: Mapping[str, Number] = {}
    """Those that the candidate used; of the engine that trades they stand in OrderApproved or OrderRefused."""
    door: str = ""
    """Why the approved order of the engine that trades did not leave after all; the candidate has no door."""
    differs: tuple[str, ...] = ()
    """Of refusal, size, price, tactic and cost, those that are not the same."""


class ShadowPriced(Event, frozen=True, kw_only=True):
    """What both orders of an intent cost on paper, beside the same market. Publisher: bot.shadow."""

    symbol: str
    traded: PaperCost | None = None
    """None where nothing was approved, or the order waits for a trigger; so is `candidate`."""
    candidate: PaperCost | None = None


class ShadowEnded(Event, frozen=True, kw_only=True):
    """The candidate looks on no more; trading goes on. Publisher: bot.shadow."""

    candidate: str
    reason: str
    who: str = ""
    failed: bool = False
    """It ended by an error of its own."""
    decided: int
    """Intents that it decided."""
    priced: int
    left_out: int = 0
    """Intents that came while too many were followed."""


# --- what people say ---------------------------------------------------------------------------------------------
class OperatorCommanded(Event, frozen=True, kw_only=True):
    """Somebody told the running bot to do something; durable before it is done. What follows has events of its own.
    Publisher: ops.desk."""

    command: str
    arguments: Mapping[str, str] = {}
    who: str
    """User and process as the system knows them, or the signal."""
    reason: str


class OperatorCommandFailed(Event, frozen=True, kw_only=True):
    """A command was understood and could not be done; nothing was changed by it unless the text says so.
    Publisher: ops.desk."""

    command: str
    who: str
    problem: str


class FlattenEnded(Event, frozen=True, kw_only=True):
    """What somebody told the bot to close is closed and proven so at the venue; or it is not, and these are the
    reasons. Publisher: bot.way_out."""

    symbols: tuple[str, ...]
    tactic: str
    flat: bool
    positions: Mapping[str, Decimal] = {}
    """Ours that the venue still holds; signed, base units."""
    orders: tuple[str, ...] = ()
    """Ours that may still fill."""
    reasons: tuple[str, ...] = ()
    """Why it is not flat, a sentence each."""
    took_ms: int
    limit_ms: int
    """What the tactic may take, and five seconds."""


# --- what watches -------------------------------------------------------------------------------------------------
class GuardTripped(Event, frozen=True, kw_only=True):
    """Publisher: execution.guards."""

    guard: str
    action: str
    symbol: str = ""
    threshold: Decimal
    unit: str
    value: Decimal
    way_back: str
    numbers: Mapping[str, Number] = {}


class GuardCleared(Event, frozen=True, kw_only=True):
    """Publisher: execution.guards."""

    guard: str
    symbol: str = ""
    reason: str


class EquityBaselineSet(Event, frozen=True, kw_only=True):
    """Equity at the first guard run of a UTC hour: what daily losses are measured from, also after a restart.
    Publisher: execution.guards."""

    equity: Decimal
    cash_flows: Decimal
    """Sum of all transfers of the run until then; losses are net of them."""


class ModeChanged(Event, frozen=True, kw_only=True):
    """Publisher: execution.guards."""

    mode: Mode
    was: Mode
    reason: str
    who: str


class SymbolPaused(Event, frozen=True, kw_only=True):
    """Entries of one symbol are paused, or resumed with an empty reason. Publisher: execution.guards."""

    symbol: str
    reason: str


class StopPlanned(Event, frozen=True, kw_only=True):
    """An approved entry will be protected so as soon as it fills; durable before the entry leaves.
    Publisher: execution.stop_record."""

    symbol: str
    side: Side
    """Of the exit."""
    stop_price: Decimal | None = None
    limit_price: Decimal | None = None
    """Of a stop-limit; none lets the exit collar decide."""
    distance: Decimal = ZERO
    """Of a trailing stop, as a share of the best price since the fill; zero where it does not trail."""
    target_price: Decimal | None = None


class StopKept(Event, frozen=True, kw_only=True):
    """A stop or target exists, moved, or changed its keeper. Publisher: execution.stop_record."""

    symbol: str
    stop_id: str
    side: Side
    trigger_price: Decimal
    quantity: Decimal = ZERO
    kind: str = "TRAILING"
    """STOP, STOP_LIMIT, TRAILING or TAKE_PROFIT."""
    anchor: Decimal = ZERO
    """Best price seen since the stop began to trail."""
    keeper: str = "STRATEGY"
    """VENUE, LOCAL (the bot itself) or STRATEGY; exactly one at a time."""
    limit_price: Decimal | None = None
    distance: Decimal = ZERO
    revision: int = 0
    """Counts the changes of one stop; the order of a venue-kept stop is named after it."""
    reason: str = ""


class StopTriggered(Event, frozen=True, kw_only=True):
    """The price reached a stop or target; once for each stop. Publisher: execution.stop_record."""

    symbol: str
    stop_id: str
    trigger_price: Decimal
    price: Decimal


class StopEscalated(Event, frozen=True, kw_only=True):
    """A stop fired and the position is still open: the next attempt begins. Publisher: execution.stop_record."""

    symbol: str
    stop_id: str
    attempt: int
    open_quantity: Decimal
    reason: str


class StopReleased(Event, frozen=True, kw_only=True):
    """A stop or target is no longer needed. Publisher: execution.stop_record."""

    symbol: str
    stop_id: str
    reason: str


class BarsSeen(Event, frozen=True, kw_only=True):
    """Bars that closed since the last such event, told once an hour: that nothing was wanted is a fact too.
    Publisher: bot.bars_seen."""

    symbol: str
    strategy: str
    bars: int
    history: int = 0
    """Of these the strategy's warm-up, during which it may want nothing."""
    first_close_ns: int
    last_close_ns: int
    last_close: Decimal


class StrategyStateSaved(Event, frozen=True, kw_only=True):
    """What a strategy knew that bars do not tell, when it wanted something or the bot stopped: with the bars since,
    enough to go on as if never stopped. Publisher: bot.strategy_memory."""

    strategy: str
    symbol: str
    state: str
    """JSON of the strategy's own making."""


class EquityPeaked(Event, frozen=True, kw_only=True):
    """The highest equity so far: what drawdowns are measured from, also after a restart. Told when it has risen and
    something is decided or the bot stops, and whenever it has risen by a thousandth. Publisher: bot.bot."""

    high_water: Decimal
    """Net of transfers."""


class InvariantBroken(Event, frozen=True, kw_only=True):
    """A promise of the house did not hold; told once for each symbol until a restart.
    Publisher: bot.invariants.watch."""

    number: int
    name: str
    symbol: str = ""
    detail: str
    policy: str
    """What followed: record, pause, reduce_only or freeze."""


class SystemError(Event, frozen=True, kw_only=True):  # noqa: A001 - the mission's name; it is never used as the builtin here
    """Something of ours failed and what was done about it. Publisher: core.bus, for whoever reports it."""

    source: str
    message: str
    action: str
