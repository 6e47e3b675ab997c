"""How strict is this venue, and what is odd about it today? Switches that the admin and fault plans may turn."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Quirks"]


@dataclass
class Quirks:
    """Strict mode rejects what the real venue rejects; live mode has the real one's oddities as well.

    Live: `position` and `order_configuration` may be null, frames carry no client_id, a cancel is done after its reply,
    and an order is refused after it was accepted.
    """

    live: bool = False
    duplicates_refused: bool = False
    """A known client_order_id is refused instead of answered with its order."""
    edits_refused: bool = False
    """Futures orders cannot be edited."""
    skew_ns: int = 0
    """How far the venue's own clock is off: in /time, in stamps of frames, and where tokens are checked."""
    sessions_closed: set[str] = field(default_factory=set)
    """Symbols in a session break."""
    increments: dict[str, int] = field(default_factory=dict)
    """Symbol -> how many times its usual increments of price and size are in force."""
    window: str = ""
    """Margin window that was put in by hand: intraday or overnight; empty is the venue's own schedule."""
    plain_amounts: bool = False
    """Futures positions carry plain strings, as documented, instead of amounts, as captured."""
    positions_on_wire: bool = False
    """The user channel carries positions, which support has to enable."""
