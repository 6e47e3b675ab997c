"""What is other on a day of the Coinbase adapter? Faults of its protocol, fewer of each call, a clock that strays."""

from __future__ import annotations

import random
from typing import Final

import msgspec

from gpt_trader.research.bad_days.scenario import (
    Call,
    FrameFault,
    FrameFaultKind,
    MarketFault,
    MarketFaultKind,
    Quirk,
    Scenario,
    WireFault,
    WireFaultKind,
)

__all__ = ["COINBASE", "as_coinbase"]

COINBASE: Final = "coinbase"
MARKET_SECONDS: Final = 4
"""Its frames are written and read one by one, as text."""
PEACE_SECONDS: Final = 480
"""An outcome that nobody knows is settled after 180."""
KEPT: Final = 0.3
"""So many of the faults of calls stay: the adapter asks about five times as often as paper is asked."""
PROTOCOL: Final = (
    WireFaultKind.HTML,
    WireFaultKind.TRUNCATED,
    WireFaultKind.UNKNOWN_ENUM,
    WireFaultKind.NULL_FIELD,
    WireFaultKind.UNAUTHORIZED,
)
CALLS_MAX: Final = {Call.SEND: 400, Call.CANCEL: 200, Call.ORDER: 600, Call.MARKET: 900}
READS_MAX: Final = 900
FRAMES_MAX: Final = {False: 4000, True: 1500}
"""Of the market's channels, and of the account's."""
SUBSCRIPTIONS_MAX: Final = 30
CODES: Final = (1000, 1001, 1006, 1011)
CLOCKS_MS: Final = (-90_000, -40_000, -2_000, 2_000, 4_000)
"""Further behind or ahead no request would be let in: tokens carry the time."""


def as_coinbase(draw: random.Random, day: Scenario) -> Scenario:
    """The same wishes and accidents through the Coinbase adapter."""
    calls = tuple(fault for fault in day.wire if fault.call is not Call.START and draw.random() < KEPT)
    return msgspec.structs.replace(
        day,
        adapter=COINBASE,
        market_seconds=MARKET_SECONDS,
        peace_seconds=PEACE_SECONDS,
        quirks=tuple(quirk for quirk in day.quirks if quirk not in Quirk),
        market=(*day.market, *_increments(draw, day)),
        wire=(*calls, *_protocol(draw, {(fault.call, fault.number) for fault in calls})),
        frames=_frames(draw),
        clock_ms=tuple(draw.choice((0, *CLOCKS_MS)) for _ in range(4)) if _present(draw) else (),
    )


def _present(draw: random.Random) -> bool:
    return draw.random() < 2 / 3


def _increments(draw: random.Random, day: Scenario) -> tuple[MarketFault, ...]:
    if draw.random() < 0.6:
        return ()
    return (
        MarketFault(
            at_second=draw.randint(300, max(301, day.minutes * 60 - 900)),
            kind=MarketFaultKind.INCREMENT,
            value=draw.choice((2, 5, 10)),
            seconds=draw.choice((60, 300)),
            product=draw.randrange(day.products),
        ),
    )


def _protocol(draw: random.Random, taken: set[tuple[Call, int]]) -> tuple[WireFault, ...]:
    """Answers in the wrong form, alone and in bursts."""
    kinds = [kind for kind in PROTOCOL if _present(draw)]
    if not kinds:
        return ()
    rate = draw.choice((0.003, 0.01, 0.03))
    found: dict[tuple[Call, int], WireFaultKind] = {}
    for call in (each for each in Call if each is not Call.START and _present(draw)):
        for number in range(CALLS_MAX.get(call, READS_MAX)):
            if draw.random() < rate:
                kind = draw.choice(kinds)
                found |= {(call, number + place): kind for place in range(draw.choice((1, 1, 1, 5)))}
    if _present(draw):  # orders are open at a few reads only
        found |= {
            (Call.OPEN_ORDERS, number): WireFaultKind.UNKNOWN_ENUM for number in draw.sample(range(READS_MAX), 40)
        }
    if _present(draw):
        found |= {(Call.SEND, number): WireFaultKind.FAILED_LATER for number in draw.sample(range(150), 3)}
    return tuple(
        WireFault(call=call, number=number, kind=kind)
        for (call, number), kind in found.items()
        if (call, number) not in taken
    )


def _frames(draw: random.Random) -> tuple[FrameFault, ...]:
    faults: list[FrameFault] = []
    for account, most in FRAMES_MAX.items():
        kinds = [kind for kind in FrameFaultKind if kind is not FrameFaultKind.REFUSED and _present(draw)]
        if not kinds or not _present(draw):
            continue
        numbers = draw.sample(range(most), draw.choice((2, 10, 30)))
        faults += [_frame(draw, number, draw.choice(kinds), account=account) for number in sorted(numbers)]
    if _present(draw):
        refused = draw.sample(range(2, SUBSCRIPTIONS_MAX), 2)
        faults += [
            FrameFault(number=number, kind=FrameFaultKind.REFUSED, account=account)
            for account in (False, True)
            for number in refused
        ]
    return tuple(faults)


def _frame(draw: random.Random, number: int, kind: FrameFaultKind, *, account: bool) -> FrameFault:
    ms = draw.choice((200, 3_000, 20_000))
    if kind is FrameFaultKind.SILENCE:
        ms = draw.choice((7_000, 60_000, 600_000))
    return FrameFault(number=number, kind=kind, account=account, ms=ms, code=draw.choice(CODES))
