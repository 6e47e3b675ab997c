"""Would it decide the same again on a live market? Each decision once more, on the inputs that its log kept of it.

What a live market said between decisions is not in the log, so strategies, tactics, stops and guards are not run again.
What validation, sizing and risk had before them is: the wish, its snapshot, the limits of the time, what earlier
trades earned, and what was let through in the last minute. The clock stands at the snapshot, so ages come out a little
smaller than they were; they may differ by `AGE_SECONDS_MAX`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from gpt_trader.bot.inputs import SavedInput, read_input
from gpt_trader.config.bot import SYNTHETIC, BotConfig
from gpt_trader.config.flags import ENGINE_FLAGS
from gpt_trader.config.stored import config_of
from gpt_trader.core.bus import EventBus
from gpt_trader.core.clock import HeldClock
from gpt_trader.core.errors import ConfigError, Number, Refused
from gpt_trader.core.events import (
    DecisionInputSaved,
    Event,
    LimitsChanged,
    OrderApproved,
    OrderRefused,
    PositionClosed,
    PositionOpened,
    RunStarted,
    SettingsApplied,
)
from gpt_trader.core.values import BookView, Mark
from gpt_trader.execution.deciding import Decider, DecidingParts
from gpt_trader.execution.factory import EngineChoice, EngineSelection, ExecutionEngineFactory
from gpt_trader.ops.replayed import Difference, Replayed
from gpt_trader.placement.paper import PaperDesk
from gpt_trader.placement.tactics import make_tactics
from gpt_trader.records.unkept import UnkeptJournal
from gpt_trader.risk.edge import EdgeTracker
from gpt_trader.risk.manager import LiveRiskManager

__all__ = ["is_live", "replay_decisions"]

SIMULATED: Final = "simulated"
AGE: Final = "_age_seconds"
AGE_SECONDS_MAX: Final = Decimal("0.5")
PREVIEW: Final = "preview"
"""How the numbers of a venue's preview begin; it is not asked again."""
NUMBERS_MAX: Final = 6
NOT_AGAIN: Final = (
    "a live market: validation, sizing and risk were run again on the kept inputs of each decision; strategies, "
    "tactics, stops and guards were not, because what the market said between decisions is not in the log"
)
NOTHING: Final = "nothing"


def is_live(events: Sequence[Event]) -> bool:
    """The run was on a market that is in no recording."""
    started = next((event for event in events if isinstance(event, RunStarted)), None)
    return started is not None and started.environment != SIMULATED


@dataclass(frozen=True)
class Decision:
    """One, recorded or taken again: in a few words, and every number behind it."""

    words: str
    numbers: Mapping[str, Number]


def replay_decisions(
    name: str, events: Sequence[Event], *, until_ns: int | None, changes: Mapping[str, str]
) -> Replayed:
    """Decide again and compare. Raises ConfigError where the log has no inputs, or no settings."""
    inputs = {event.intent_id: event for event in events if isinstance(event, DecisionInputSaved)}
    if not inputs:
        raise ConfigError(
            f"{name}: its log has no inputs of decisions. Nothing was decided, records.record_gb_max was 0, or an "
            "older release wrote it"
        )
    found, equal, left_out, previewed = [], 0, 0, 0
    house = House(name, changes)
    approved: set[str] = set()
    for event in events:
        if until_ns is not None and event.at_ns >= until_ns:
            break
        house.take(event)
        if not isinstance(event, OrderApproved | OrderRefused) or event.intent_id in approved:
            continue  # refused at the door after it was approved: no decision of an engine
        approved.add(event.intent_id)
        if event.intent_id not in inputs:
            left_out += 1
            continue
        recorded = _recorded(event)
        if PREVIEW in recorded.words:
            previewed += 1
            continue
        again = house.decide(_saved(name, inputs[event.intent_id]))
        told = _compared(recorded, again)
        equal += told is None
        if told is not None:
            found.append(Difference(event.at_ns, f"{type(event).__name__} {event.intent_id}", *told))
    compared = equal + len(found)
    return Replayed(
        recorded=compared,
        replayed=compared,
        equal=equal,
        differences=tuple(found),
        whole_log=None,
        notes=tuple(_notes(left_out, previewed)),
    )


def _notes(left_out: int, previewed: int) -> list[str]:
    notes = [NOT_AGAIN]
    if left_out:
        notes.append(f"{left_out} decisions have no inputs: refused before a snapshot was taken, or not kept")
    if previewed:
        notes.append(f"{previewed} decisions were refused by the venue's preview, which is not asked again")
    return notes


def _saved(name: str, event: DecisionInputSaved) -> SavedInput:
    try:
        return read_input(event)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{name}: the inputs of {event.intent_id} are not readable: {error}") from error


class House:
    """What decisions need beside their own inputs, as the log has it at each time."""

    def __init__(self, name: str, changes: Mapping[str, str]) -> None:
        self._name = name
        self._changes = changes
        self._clock = HeldClock()
        self._edge = EdgeTracker(EventBus(UnkeptJournal(), self._clock))
        self._settings: dict[str, Number] = {}
        self._config: BotConfig | None = None
        self._risk: LiveRiskManager | None = None

    def take(self, event: Event) -> None:
        """Settings, limits, and what trades earned."""
        match event:
            case SettingsApplied():
                self._settings = dict(event.values)
                self._reload()
            case LimitsChanged():
                self._settings.update(event.values)
                self._reload()
            case PositionOpened():
                self._edge.on_opened(event)
            case PositionClosed():
                self._edge.on_closed(event)
            case _:
                pass

    def _reload(self) -> None:
        self._config = config_of(self._settings, SYNTHETIC, self._changes)
        if self._risk is None:
            self._risk = LiveRiskManager(self._config.risk)
        else:
            self._risk.reload(self._config.risk)

    def decide(self, saved: SavedInput) -> Decision:
        """Rows 4 to 6 of the walk, without a door."""
        return asyncio.run(self._decide(saved))

    async def _decide(self, saved: SavedInput) -> Decision:
        decider, candidate = self._decider(saved), saved.candidate
        self._clock.at_ns = candidate.snapshot.taken_ns
        found: Mapping[str, Number] = {}
        try:
            request = await decider.validation.handle(candidate)
            found = request.trace
            approved = decider.risk.handle(request)
            tactic = decider.executor.choose(approved).name
        except Refused as refused:
            numbers = {**found, **refused.before, **refused.numbers}
            return Decision(f"refused {candidate.order.side}: {refused.code.value}, {decider.engine}", numbers)
        order = approved.order
        words = f"approved {order.side} {order.quantity:f} {order.symbol} by {tactic}, {decider.engine}"
        return Decision(words, {**request.trace, **approved.trace})

    def _decider(self, saved: SavedInput) -> Decider:
        config, risk = self._config, self._risk
        if config is None or risk is None:
            raise ConfigError(f"{self._name}: the log does not say with which settings it began")
        desk = PaperDesk("", NoMarket(), self._clock, None, 0.0)
        tactics = make_tactics(
            config.execution, config.risk, works=desk, takes=desk, rests=desk, clock=self._clock, run_tag=""
        )
        parts = DecidingParts(
            config=config.risk,
            exchange=saved.exchange,
            capabilities=saved.capabilities,
            simulated=saved.simulated,
            clock=self._clock,
            risk=risk,
            edge=self._edge.edge,
            tactics=tactics.by_name,
            resting=tactics.resting,
            slippage_multipliers=config.execution.slippage_multipliers,
        )
        return ExecutionEngineFactory.create_decider(self._selection(saved, config), parts)

    def _selection(self, saved: SavedInput, config: BotConfig) -> EngineSelection:
        """The engine that decided then, unless another is asked for by --engine, or by --set of a flag."""
        if "run.engine" in self._changes:
            return ExecutionEngineFactory.select(config.risk, EngineChoice(config.run.engine))
        if any(flag.path in self._changes for flag in ENGINE_FLAGS):
            return ExecutionEngineFactory.select(config.risk)
        advanced, sizing, impact = saved.features
        return EngineSelection(advanced=advanced, dynamic_sizing=sizing, impact_guard=impact, reason="as it was")


class NoMarket:
    """Nothing is placed in a replay of decisions, so nobody looks at a market."""

    def mark(self, symbol: str) -> Mark | None:  # noqa: ARG002 - the port's, and so below
        return None

    def book(self, symbol: str, depth: int) -> BookView | None:  # noqa: ARG002
        return None

    def touch(self, symbol: str) -> tuple[Decimal, Decimal] | None:  # noqa: ARG002
        return None

    def last_price(self, symbol: str) -> Decimal | None:  # noqa: ARG002
        return None

    def index_price(self, symbol: str) -> Decimal | None:  # noqa: ARG002
        return None

    def funding_rate(self, symbol: str) -> Decimal:  # noqa: ARG002
        return Decimal(0)


# --- compared ---------------------------------------------------------------------------------------------------------
def _recorded(event: OrderApproved | OrderRefused) -> Decision:
    if isinstance(event, OrderRefused):
        return Decision(f"refused {event.side}: {event.code}, {event.engine}", {**event.before, **event.numbers})
    words = f"approved {event.side} {event.quantity:f} {event.symbol} by {event.tactic}, {event.engine}"
    return Decision(words, {**event.validation, **event.risk})


def _compared(recorded: Decision, again: Decision) -> tuple[str, str] | None:
    """Both told, with the numbers that are not the same; None where all are."""
    old = {name: value for name, value in recorded.numbers.items() if not name.startswith(PREVIEW)}
    new = again.numbers
    if recorded.words != again.words:
        return recorded.words, again.words
    apart = [name for name in dict.fromkeys((*old, *new)) if not _same(name, old.get(name), new.get(name))]
    if not apart:
        return None
    shown = apart[:NUMBERS_MAX]
    before = ", ".join(f"{name} {old.get(name, NOTHING)}" for name in shown)
    after = ", ".join(f"{name} {new.get(name, NOTHING)}" for name in shown)
    return f"{recorded.words}: {before}", f"{again.words}: {after}"


def _same(name: str, old: Number | None, new: Number | None) -> bool:
    if name.endswith(AGE) and isinstance(old, Decimal) and isinstance(new, Decimal):
        return abs(old - new) <= AGE_SECONDS_MAX
    return old == new
