"""What does one side of a book look like? Levels that become Decimal when somebody looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import overload

__all__ = ["Level", "Levels"]

Level = tuple[Decimal, Decimal]


class Levels(Sequence[Level]):
    """(price, quantity), best first. The numbers are copied when it is made; a decision mostly looks at the best few,
    so only those are worked out."""

    __slots__ = ("_lot", "_lots", "_made", "_tick", "_ticks")

    def __init__(self, ticks: Sequence[int], lots: Sequence[int], tick: Decimal, lot: Decimal) -> None:
        self._ticks = ticks
        self._lots = lots
        self._tick = tick
        self._lot = lot
        self._made: list[Level] = [(ticks[0] * tick, lots[0] * lot)] if ticks else []

    def __len__(self) -> int:
        return len(self._ticks)

    @overload
    def __getitem__(self, place: int) -> Level: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Level]: ...
    def __getitem__(self, place: int | slice) -> Level | Sequence[Level]:
        if place == 0 and self._made:
            return self._made[0]  # what is asked for most
        if isinstance(place, slice):
            return tuple(self._up_to(len(self._ticks))[place])
        count = len(self._ticks)
        if not -count <= place < count:
            raise IndexError(place)
        return self._up_to(place % count + 1)[place % count]

    def __iter__(self) -> Iterator[Level]:
        made = self._made
        for place in range(len(self._ticks)):
            yield made[place] if place < len(made) else self._up_to(place + 1)[place]

    def _up_to(self, count: int) -> list[Level]:
        made = self._made
        for place in range(len(made), count):
            made.append((self._ticks[place] * self._tick, self._lots[place] * self._lot))
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment] # compared with tuples, which a hash of ours could not match

    def __repr__(self) -> str:
        return f"Levels({tuple(self)!r})"
