"""What was each decision taken on? Kept in the log where the market is in no recording, so that it can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gpt_trader.core.clock import Clock
from gpt_trader.core.events import DecisionInputSaved, Event
from gpt_trader.core.values import Candidate, Value
from gpt_trader.exchange.base import Capabilities
from gpt_trader.execution.deciding import Seen

__all__ = ["DecisionInputs", "SavedInput", "read_input"]

WHO: Final = "decision inputs"
GIGABYTE: Final = 1_000_000_000


class SavedInput(Value, frozen=True, kw_only=True):
    """All that rows 4 and 5 of the walk look at, but limits and what earlier decisions left: these stand in the log."""

    candidate: Candidate
    features: tuple[bool, bool, bool]
    """Of the engine that decided: advanced, dynamic sizing, impact cap."""
    exchange: str
    simulated: bool
    capabilities: Capabilities


def _as_list(value: object) -> object:
    """Levels of a book are made when they are looked at."""
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be kept")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_as_list, order="sorted")  # sets have no order of their own
_DECODER: Final = msgspec.json.Decoder(SavedInput)


def read_input(event: DecisionInputSaved) -> SavedInput:
    """As it was seen. Raises msgspec.MsgspecError for what another release wrote otherwise."""
    return _DECODER.decode(event.inputs)


class DecisionInputs:
    """A witness that writes down. At most `gb_max` in the life of a process; then it says so, once."""

    measured: Final = False

    def __init__(
        self,
        *,
        publish: Callable[[Event], None],
        report: Callable[[str, str, str], None],
        clock: Clock,
        exchange: str,
        simulated: bool,
        capabilities: Callable[[], Capabilities],
        gb_max: float,
    ) -> None:
        self._publish = publish
        self._report = report
        self._clock = clock
        self._exchange = exchange
        self._simulated = simulated
        self._capabilities = capabilities
        self._left = round(gb_max * GIGABYTE)

    def on_decision(self, seen: Seen) -> None:
        if self._left <= 0:
            return
        order = seen.candidate.order
        saved = SavedInput(
            candidate=seen.candidate,
            features=seen.features,
            exchange=self._exchange,
            simulated=self._simulated,
            capabilities=self._capabilities(),
        )
        try:
            inputs = _ENCODER.encode(saved).decode()
        except (TypeError, ValueError) as error:  # a record that cannot be kept must not stop what it records
            self._left = 0
            self._report(WHO, f"{order.intent_id}: {error}", "decisions from here on cannot be replayed")
            return
        self._left -= len(inputs)
        self._publish(
            DecisionInputSaved(
                at_ns=self._clock.now_ns(), intent_id=order.intent_id, symbol=order.symbol, inputs=inputs
            )
        )
        if self._left <= 0:
            self._report(WHO, "records.record_gb_max is reached", "decisions from here on cannot be replayed")
