"""Which word on an order counts? The ranked state machine of every order, as a table.

An order's state and its cumulative fill never go back. What is told of an order is compared with what is known of it:
a word of higher rank is taken, any other is old news. Two rules stand beside the ranks: SUBMITTED becomes UNKNOWN when
its outcome does, and an order that counted as never placed is taken back in when the venue shows it after all.
Fills are not words but trades; they apply in any state, each once. The page `docs/orders.md` is made from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpt_trader.core.values import OrderState

__all__ = ["MEANING", "NEVER_PLACED", "NEWS", "RANK", "is_late_sighting", "is_news", "table"]

RANK: Final = {
    OrderState.PENDING: 0,
    OrderState.SUBMITTED: 1,
    OrderState.UNKNOWN: 1,
    OrderState.ACTIVE: 2,
    OrderState.PARTIALLY_FILLED: 3,
    OrderState.EXPIRED: 4,
    OrderState.CANCELLED: 4,
    OrderState.REJECTED: 4,
    OrderState.FAILED: 4,
    OrderState.FILLED: 5,
}
"""A state is left only for one of higher rank; SUBMITTED and UNKNOWN may change places until there is proof."""

NEVER_PLACED: Final = frozenset({OrderState.REJECTED, OrderState.FAILED})

MEANING: Final[Mapping[OrderState, str]] = {
    OrderState.PENDING: "Decided, not written down yet; nothing has left.",
    OrderState.SUBMITTED: "Durable, and on its way; counts as exposure in full.",
    OrderState.UNKNOWN: "Bytes left and there is no proof; counts in full and holds its slot until it is read.",
    OrderState.ACTIVE: "The venue has it.",
    OrderState.PARTIALLY_FILLED: "Some trades are known, the rest may still fill.",
    OrderState.FILLED: "Every unit is traded.",
    OrderState.CANCELLED: "The venue took it out; fills it spoke of may still arrive and are applied.",
    OrderState.EXPIRED: "Its time in force is over; fills it spoke of may still arrive and are applied.",
    OrderState.REJECTED: "The venue refused it; it never rested.",
    OrderState.FAILED: "Never placed: it surely did not leave, or it was looked for long enough and not seen.",
}


def is_late_sighting(known: OrderState, told: OrderState) -> bool:
    """The venue shows an order that counted as never placed."""
    return known in NEVER_PLACED and told not in NEVER_PLACED and RANK[told] >= RANK[OrderState.ACTIVE]


def is_news(known: OrderState, told: OrderState) -> bool:
    """Whether what is told changes the state of an order that is known."""
    if told is OrderState.UNKNOWN:
        return known is OrderState.SUBMITTED
    return RANK[told] > RANK[known] or is_late_sighting(known, told)


NEWS: Final = frozenset((known, told) for known in OrderState for told in OrderState if is_news(known, told))
"""The same for every pair: what is told of an order is looked up here, some three times for each of them."""


def table() -> Mapping[OrderState, tuple[OrderState, ...]]:
    """For every state those that may follow it."""
    return {known: tuple(told for told in OrderState if is_news(known, told)) for known in OrderState}
