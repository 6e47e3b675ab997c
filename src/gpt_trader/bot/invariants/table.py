"""Which promises are there? Every invariant by its number, with where it is checked and what follows when it breaks."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from gpt_trader.core.values import Value

__all__ = ["INVARIANTS", "Broken", "Invariant", "Place", "Policy"]


class Policy(StrEnum):
    """What the running bot does when it finds one broken; all are written down and alarmed."""

    RECORD = "record"
    """Told, and nothing else: the number that is wrong decides nothing."""
    PAUSE = "pause"
    """Entries of the symbol are paused until a person has looked."""
    REDUCE_ONLY = "reduce_only"
    """No entries at all until a person has looked; exits and stops go on."""
    FREEZE = "freeze"
    """Nothing is sent any more: what the bot knows cannot be trusted."""


class Place(StrEnum):
    """When it is looked at."""

    EVENT = "event"
    """With every event of the log, live and from a stored run."""
    STEP = "step"
    """Between two steps, in the memory of the bot; sampled in production."""
    SEND = "send"
    """When an order leaves."""
    VENUE = "venue"
    """Against what the venue holds: by the account sweep in production, after every step in a simulation."""
    BOOT = "boot"
    """After a restart."""
    TEST = "test"
    """By its construction, which tests keep; nothing is left to look at in a running bot."""


class Invariant(Value, frozen=True, kw_only=True):
    number: int
    name: str
    promise: str
    policy: Policy
    places: tuple[Place, ...]
    kept_by: str = ""
    """For what only tests can show: which."""


class Broken(Value, frozen=True, kw_only=True):
    """A verdict that is not good: which one, of what symbol, and the numbers."""

    number: int
    detail: str
    symbol: str = ""


def _one(number: int, name: str, promise: str, policy: Policy, *places: Place, kept_by: str = "") -> Invariant:
    return Invariant(number=number, name=name, promise=promise, policy=policy, places=places, kept_by=kept_by)


_R, _P, _O, _F = Policy.RECORD, Policy.PAUSE, Policy.REDUCE_ONLY, Policy.FREEZE
_EVENT, _STEP, _SEND, _VENUE, _BOOT, _TEST = Place

INVARIANTS: Final = (
    _one(1, "fills_within_order", "The trades of an order never exceed its quantity.", _P, _EVENT),
    _one(
        2,
        "position_is_its_fills",
        "A position is the sum of its signed trades, per symbol: own, foreign and of liquidations.",
        _F,
        _STEP,
    ),
    _one(
        3,
        "ledger_is_venue",
        "When all is still, positions, open orders and cash of the ledger are those of the venue.",
        _O,
        _VENUE,
    ),
    _one(
        4,
        "one_order_per_intent",
        "Never two living orders of one intent, and at most one protective stop of a position.",
        _O,
        _STEP,
        _VENUE,
    ),
    _one(
        5,
        "durable_before_sent",
        "No order of ours is at the venue whose intent is not on the disk since before its first byte left.",
        _F,
        _SEND,
        _VENUE,
    ),
    _one(6, "one_id_one_body", "A client order id stands for one body for ever.", _F, _EVENT, _SEND),
    _one(
        7,
        "ended_is_ended",
        "What we hold for ended can fill no more at the venue, or it never arrived there.",
        _O,
        _VENUE,
    ),
    _one(8, "never_back", "State and filled quantity of an order never go back.", _F, _EVENT),
    _one(
        9,
        "each_trade_once",
        "Each trade of the venue is applied once: never twice, and in the end always.",
        _F,
        _EVENT,
        _VENUE,
    ),
    _one(
        10,
        "unknown_counts",
        "An order of unknown outcome counts in full in every limit, and is resolved in bounded time.",
        _O,
        _STEP,
        _VENUE,
    ),
    _one(
        11,
        "exposure_within_limit",
        "Before an entry leaves: if all that may fill does, exposure stays within its limits.",
        _O,
        _SEND,
        _VENUE,
    ),
    _one(12, "mode_is_obeyed", "In a closed mode nothing leaves that could add to a position.", _F, _SEND),
    _one(
        13,
        "reduce_only_reduces",
        "A reduce-only order never enlarges or turns a position, whatever the venue does with the flag.",
        _O,
        _SEND,
        _VENUE,
    ),
    _one(
        14,
        "well_formed",
        "What leaves has a quantity above zero on the lot, a price above zero on the tick and inside the band.",
        _O,
        _SEND,
    ),
    _one(15, "no_entry_on_stale_data", "No entry leaves on a mark or an account that is too old.", _O, _SEND),
    _one(
        16,
        "gapped_book_is_no_price",
        "A book with a gap gives no price until a fresh snapshot replaces it.",
        _O,
        _TEST,
        kept_by="tests/unit/exchange/coinbase/test_book.py, tests/unit/exchange/coinbase/test_live_market.py",
    ),
    _one(17, "status_is_respected", "A product gets only the orders that its trading status lets in.", _R, _SEND),
    _one(18, "flip_is_close_and_open", "A position turns by its close and an opening, each written down.", _P, _EVENT),
    _one(
        19,
        "one_equity",
        "Equity is cash and unrealised PnL, counted once; realised PnL does not depend on the order of news.",
        _O,
        _STEP,
        _VENUE,
    ),
    _one(20, "money_once", "Each fee, funding and transfer has a key of its own and counts once.", _F, _EVENT),
    _one(
        21,
        "breakers_survive",
        "What was tripped and not taken back is tripped after a restart, and baselines are kept.",
        _O,
        _BOOT,
    ),
    _one(22, "replay_is_state", "Replaying the log gives the state of the running bot, bit for bit.", _F, _BOOT, _STEP),
    _one(
        23,
        "snapshot_is_replay",
        "A snapshot and the log behind it give what the whole log gives.",
        _F,
        _BOOT,
    ),
    _one(24, "chain_is_whole", "The hash chain is unbroken and reaches its high-water mark.", _F, _BOOT),
    _one(
        25,
        "nothing_before_recovery",
        "No order leaves before replay and reconciliation have ended.",
        _F,
        _SEND,
    ),
    _one(
        26,
        "recovery_again_is_the_same",
        "A recovery that dies and begins anew ends where one that lives ends.",
        _F,
        _BOOT,
        _VENUE,
    ),
    _one(
        27,
        "absence_is_no_data",
        "A read that fails, lags or lacks something closes no order and changes no position.",
        _O,
        _VENUE,
    ),
    _one(28, "foreign_is_untouched", "What is not ours is never cancelled, and always counts.", _F, _SEND, _VENUE),
    _one(
        29,
        "one_writer",
        "One process holds account and store; one that lost its lease sends nothing more.",
        _F,
        _TEST,
        kept_by="tests/unit/records/test_event_store.py",
    ),
    _one(30, "rates_are_capped", "Entries a minute stay within their cap under every fault.", _O, _SEND),
    _one(
        31,
        "comes_to_rest",
        "Some time after the last fault every order is resolved and the mode is NORMAL or says who shut it.",
        _R,
        _VENUE,
    ),
    _one(
        32,
        "engines_alike",
        "Both engines keep all of this, and with neutral settings they want the same orders.",
        _R,
        _TEST,
        kept_by="tests/integration/test_neutral_engines.py, tests/simulation/test_bad_days.py",
    ),
    _one(
        33,
        "memory_is_bounded",
        "What is kept in memory is bounded by what lives and by named windows.",
        _R,
        _STEP,
        kept_by="tests/simulation/test_soak.py",
    ),
    _one(
        34,
        "no_secret_told",
        "No secret stands in a log, event, error or page.",
        _F,
        _TEST,
        kept_by="tests/simulation/test_canary.py",
    ),
    _one(
        35,
        "versions_are_known",
        "Every event has its schema version, every run its code version and digest of settings; an unknown version "
        "is refused.",
        _F,
        _EVENT,
        kept_by="tests/unit/records/test_schema.py",
    ),
    _one(
        36,
        "no_float_in_the_log",
        "Money is Decimal; no float and no NaN reaches an event.",
        _F,
        _EVENT,
        kept_by="tests/architecture/test_tidy.py",
    ),
    _one(
        37,
        "stops_are_tended",
        "A stop that was written down for an open position rests at the venue or is watched here, restarts included.",
        _O,
        _STEP,
    ),
)
"""All of them, in order."""
