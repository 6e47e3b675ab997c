"""Which day belongs to a seed? First it is drawn which kinds of fault exist at all, then everything that happens.

Were every fault always there, some would hide others (swarm testing): a third of the kinds is missing on a day.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import msgspec

from gpt_trader.research.bad_days.drawing_coinbase import COINBASE, as_coinbase
from gpt_trader.research.bad_days.scenario import (
    Accident,
    AccidentKind,
    Call,
    Crash,
    DiskFault,
    DiskFaultKind,
    MarketFault,
    MarketFaultKind,
    Quirk,
    Scenario,
    Step,
    StepKind,
    StreamFault,
    StreamFaultKind,
    WireFault,
    WireFaultKind,
)

__all__ = ["FAULT_KINDS_MIN", "draw_day"]

FAULT_KINDS_MIN: Final = 3
PAPER: Final = "paper"
COINBASE_EVERY: Final = 16
COINBASE_SEEDS: Final = (7, 14)
"""Two of sixteen days, one of each engine; one costs about three times as much as one of paper."""
CALLS: Final = tuple(call for call in Call if call is not Call.MARKET)
WIRE_FAULTS: Final = (
    WireFaultKind.REQUEST_LOST,
    WireFaultKind.RESPONSE_LOST,
    WireFaultKind.REQUEST_LATE,
    WireFaultKind.RATE_LIMITED,
    WireFaultKind.UNAVAILABLE,
)
ACCIDENTS: Final = (
    AccidentKind.MANUAL_TRADE,
    AccidentKind.MANUAL_ORDER,
    AccidentKind.MANUAL_CANCEL,
    AccidentKind.SUSPEND,
    AccidentKind.SILENT_STREAM,
)
"""What both adapters have. Kinds that came later are drawn apart, so that the days of older seeds stay as they were."""
CALLS_MAX: Final = {Call.START: 6, Call.SEND: 700, Call.CANCEL: 400, Call.ORDER: 900}
READS_MAX: Final = 600
MESSAGES_MAX: Final = 3000
RATES: Final = (0.02, 0.05, 0.3)
STEP_MS: Final = {"live": (1_000, 12_000), "advanced": (2_000, 18_000)}
LONGEST: Final = 2
"""Steps are drawn for so many times the length of the day: it goes on until enough was ordered."""
TACTICS: Final = ("", "", "simple_limit", "aggressive_limit", "post_only_chase", "twap", "iceberg")
STRATEGIES: Final = ("first", "second", "third", "fourth", "fifth", "sixth")


def draw_day(seed: int, minutes: int = 60, adapter: str = "") -> Scenario:
    """The scenario of a seed; the same for ever, as long as the scenario version stands. `adapter`, paper or coinbase,
    takes the place of the one that the seed draws."""
    draw = random.Random(f"bad day {seed}")
    engine = ("live", "advanced")[seed % 2]
    products = draw.choice((1, 1, 2))
    end_ms = minutes * 60_000
    quirks = tuple(quirk for quirk in (Quirk.NO_IDEMPOTENT_CREATE, Quirk.NO_LOOKUP) if draw.random() < 0.12)
    scenario = Scenario(
        seed=seed,
        engine=engine,
        minutes=minutes,
        products=products,
        volatility_bps=draw.choice((1, 3, 10)),
        depth_lots=draw.choice((5, 40, 200)),
        order_rate_per_minute_max=draw.choice((0, 0, 6)),
        reject_breaker=draw.random() < 0.3,
        protective_stops=draw.random() < 0.5,
        quirks=quirks,
        steps=_steps(draw, engine, products, end_ms),
        market=_market(draw, products, minutes * 60),
        wire=_wire(draw),
        stream=_stream(draw),
        accidents=_accidents(draw, products, end_ms),
        disk=_disk(draw),
        crashes=_crashes(draw, end_ms),
    )
    scenario = scenario if len(scenario.fault_kinds) > FAULT_KINDS_MIN else _with_more(draw, scenario)
    return _with_newer_kinds(random.Random(f"bad day {seed}, newer kinds"), scenario, adapter)


def _with_newer_kinds(draw: random.Random, scenario: Scenario, adapter: str) -> Scenario:
    """What was thought of later, from draws of its own."""
    chosen = COINBASE if scenario.seed % COINBASE_EVERY in COINBASE_SEEDS else PAPER
    draw.random()  # once drew the adapter
    accidents = scenario.accidents
    if draw.random() < 0.15:
        at_ms = draw.randint(300_000, scenario.minutes * 60_000 - 300_000)
        accidents = (*accidents, Accident(at_ms=at_ms, kind=AccidentKind.LEASE_LOST))
    scenario = msgspec.structs.replace(
        scenario,
        accidents=accidents,
        minutes_before_midnight=draw.choice((0, 0, 17, 43)),
        snapshot_events=draw.choice((0, 0, 0, 250)),
        disk=tuple(_renamed(draw, fault) for fault in scenario.disk),
        crashes=tuple(_turned(draw, crash) for crash in scenario.crashes),
    )
    return as_coinbase(draw, scenario) if (adapter or chosen) == COINBASE else scenario


def _turned(draw: random.Random, crash: Crash) -> Crash:
    return msgspec.structs.replace(crash, flip_permille=draw.randrange(1000)) if draw.random() < 0.1 else crash


def _renamed(draw: random.Random, fault: DiskFault) -> DiskFault:
    """A disk that is not full may be broken or busy."""
    if fault.kind is not DiskFaultKind.FULL:
        return fault
    kinds = (DiskFaultKind.FULL, DiskFaultKind.BROKEN, DiskFaultKind.BUSY)
    return msgspec.structs.replace(fault, kind=draw.choice(kinds))


def _with_more(draw: random.Random, scenario: Scenario) -> Scenario:
    """Lost requests, lost replies and dropped messages, where little else was drawn."""
    kinds = (WireFaultKind.REQUEST_LOST, WireFaultKind.RESPONSE_LOST)
    wire = {(fault.call, fault.number): fault for fault in scenario.wire}
    for number in sorted(draw.sample(range(200), 20)):
        wire.setdefault((Call.SEND, number), WireFault(call=Call.SEND, number=number, kind=draw.choice(kinds), ms=2000))
    stream = {fault.number: fault for fault in scenario.stream}
    for number in draw.sample(range(600), 20):
        stream.setdefault(number, StreamFault(number=number, kind=StreamFaultKind.DROP))
    return msgspec.structs.replace(scenario, wire=tuple(wire.values()), stream=tuple(stream.values()))


def _steps(draw: random.Random, engine: str, products: int, end_ms: int) -> tuple[Step, ...]:
    steps: list[Step] = []
    cancels = draw.choice((0.0, 0.0, 0.05))
    modes = draw.choice((0.0, 0.01))
    stops = draw.choice((0.0, 0.003))
    at_ms = 70_000
    shut_until = 0
    look_every = draw.choice((45_000, 120_000))
    looked = 0
    while at_ms < end_ms * LONGEST:
        if shut_until and at_ms > shut_until:
            steps.append(Step(at_ms=at_ms, kind=StepKind.MODE, mode="NORMAL"))
            shut_until = 0
        elif at_ms - looked > look_every:
            steps.append(Step(at_ms=at_ms, kind=StepKind.LOOK))
            looked = at_ms
        elif draw.random() < modes:
            steps.append(
                Step(at_ms=at_ms, kind=StepKind.MODE, mode=draw.choice(("REDUCE_ONLY", "CANCEL_ONLY", "FROZEN")))
            )
            shut_until = at_ms + draw.choice((20_000, 120_000))
        elif draw.random() < stops:
            steps.append(Step(at_ms=at_ms, kind=StepKind.STOP))
        else:
            step = _wish(draw, engine, products, at_ms)
            steps.append(step if draw.random() >= cancels else _cancelled(draw, step))
        at_ms += draw.randint(*STEP_MS[engine])
    return tuple(steps)


def _cancelled(draw: random.Random, step: Step) -> Step:
    return msgspec.structs.replace(step, cancel_after_ms=draw.choice((0, 5, 15, 40, 100, 1500)))


def _wish(draw: random.Random, engine: str, products: int, at_ms: int) -> Step:
    symbol = draw.choice(("BTC-PERP", "ETH-PERP")[:products])
    strategy = draw.choice(STRATEGIES)
    kind = draw.choices(
        (StepKind.ENTRY, StepKind.EXIT, StepKind.SIGNAL, StepKind.CLOSE, StepKind.CANCEL_ENTRIES),
        (50, 24, 20, 5, 1),
    )[0]
    buy = draw.random() < 0.5
    if kind is StepKind.EXIT:
        share = draw.choice((100, 100, 50, 30))
        tactic = draw.choice(TACTICS) if engine == "advanced" else draw.choice(("", "", "simple_limit"))
        return Step(at_ms=at_ms, kind=kind, symbol=symbol, strategy=strategy, share_percent=share, tactic=tactic)
    if kind is not StepKind.ENTRY:
        stop_bps = draw.choice((0, 15, 40))
        return Step(at_ms=at_ms, kind=kind, symbol=symbol, strategy=strategy, buy=buy, stop_bps=stop_bps)
    return _entry(draw, engine, symbol, strategy, at_ms, buy=buy)


def _entry(draw: random.Random, engine: str, symbol: str, strategy: str, at_ms: int, *, buy: bool) -> Step:
    advanced = engine == "advanced"
    order_type, time_in_force, offset, post_only, tactic, expire = "MARKET", "IOC", 0, False, "", 0
    if draw.random() < 0.45:
        order_type, time_in_force = "LIMIT", draw.choice(("GTC", "IOC", *(("FOK", "GTD") if advanced else ())))
        offset = draw.choice((-5, 1, 3, 10))
        expire = draw.choice((20, 90)) if time_in_force == "GTD" else 0
        post_only = advanced and offset > 0 and time_in_force in ("GTC", "GTD") and draw.random() < 0.4
    else:
        tactic = draw.choice(TACTICS) if advanced else draw.choice(("", "", "simple_limit"))
    stop_bps = draw.choice((0, 0, 8, 20, 60))
    return Step(
        at_ms=at_ms,
        kind=StepKind.ENTRY,
        symbol=symbol,
        strategy=strategy,
        buy=buy,
        lots=draw.choice((1, 5, 20, 60)),
        order_type=order_type,
        time_in_force=time_in_force,
        offset_bps=offset,
        post_only=post_only,
        tactic=tactic,
        stop_bps=stop_bps,
        target_bps=stop_bps * 2 if draw.random() < 0.3 else 0,
        trail_bps=draw.choice((0, 0, 30)) if advanced and not stop_bps else 0,
        expire_seconds=expire,
    )


def _present(draw: random.Random) -> bool:
    """Each kind is missing on a third of all days."""
    return draw.random() < 2 / 3


def _market(draw: random.Random, products: int, seconds: int) -> tuple[MarketFault, ...]:
    faults: list[MarketFault] = []
    counts: Sequence[tuple[MarketFaultKind, int]] = (
        (MarketFaultKind.JUMP, 4),
        (MarketFaultKind.SILENCE, 2),
        (MarketFaultKind.NO_BIDS, 1),
        (MarketFaultKind.NO_ASKS, 1),
        (MarketFaultKind.THIN, 2),
        (MarketFaultKind.STATUS, 2),
        (MarketFaultKind.FUNDING, 2),
    )
    for kind, most in counts:
        if not _present(draw):
            continue
        for _ in range(draw.randint(1, most)):
            value = {
                MarketFaultKind.JUMP: draw.choice((-1, 1)) * draw.choice((30, 100, 300, 900)),
                MarketFaultKind.STATUS: draw.randint(1, 4),
                MarketFaultKind.FUNDING: draw.randint(-500, 500),
            }.get(kind, 0)
            faults.append(
                MarketFault(
                    at_second=draw.randint(90, seconds - 60),
                    kind=kind,
                    value=value,
                    seconds=draw.choice((3, 20, 90)),
                    product=draw.randrange(products),
                )
            )
    return tuple(faults)


def _wire(draw: random.Random) -> tuple[WireFault, ...]:
    kinds = [kind for kind in WIRE_FAULTS if _present(draw)]
    rate = draw.choice(RATES)
    stale = _present(draw)
    faults: list[WireFault] = []
    if not kinds:
        return ()
    for call in CALLS:
        if call is Call.START:
            faults += [WireFault(call=call, number=n, kind=kinds[0], ms=500) for n in range(6) if draw.random() < 0.2]
            continue
        if not _present(draw):
            continue
        number = 0
        while number < CALLS_MAX.get(call, READS_MAX):
            if draw.random() < rate:
                for _ in range(draw.choice((1, 1, 1, 4))):  # bursts
                    faults.append(_wire_fault(draw, call, number, kinds, stale=stale))
                    number += 1
            number += 1
    return tuple(faults)


def _wire_fault(
    draw: random.Random, call: Call, number: int, kinds: Sequence[WireFaultKind], *, stale: bool
) -> WireFault:
    kind = draw.choice(kinds)
    ms = draw.choice((200, 2_000, 10_000))
    if call not in (Call.SEND, Call.CANCEL):
        if stale and draw.random() < 0.5:
            return WireFault(call=call, number=number, kind=WireFaultKind.STALE, ms=draw.choice((500, 5_000, 60_000)))
        kind = WireFaultKind.UNAVAILABLE if kind is WireFaultKind.REQUEST_LATE else kind
    if kind is WireFaultKind.REQUEST_LATE:
        ms = draw.randint(1_000, 60_000) if draw.random() < 0.98 else 1_800_000
        if call is Call.CANCEL:
            kind = WireFaultKind.REQUEST_LOST
    if kind is WireFaultKind.RATE_LIMITED:
        ms = draw.choice((0, 1_000, 130_000))
    return WireFault(call=call, number=number, kind=kind, ms=ms)


def _stream(draw: random.Random) -> tuple[StreamFault, ...]:
    kinds = [kind for kind in StreamFaultKind if _present(draw)]
    if not kinds:
        return ()
    rate = draw.choice((0.03, 0.1, 0.4))
    return tuple(
        StreamFault(number=number, kind=draw.choice(kinds), ms=min(120_000, round(draw.lognormvariate(6, 2))))
        for number in range(MESSAGES_MAX)
        if draw.random() < rate
    )


def _accidents(draw: random.Random, products: int, end_ms: int) -> tuple[Accident, ...]:
    found: list[Accident] = []
    for kind in ACCIDENTS:
        if draw.random() < 2 / 3:
            continue
        found += [
            Accident(
                at_ms=draw.randint(120_000, end_ms - 60_000),
                kind=kind,
                ms=draw.choice((2_000, 30_000, 300_000)),
                lots=draw.choice((-30, -5, 5, 30)),
                product=draw.randrange(products),
            )
            for _ in range(draw.randint(1, 3))
        ]
    return tuple(found)


def _disk(draw: random.Random) -> tuple[DiskFault, ...]:
    if draw.random() < 0.6:
        return ()
    return tuple(
        DiskFault(
            number=number,
            kind=DiskFaultKind.FULL if draw.random() < 0.1 else DiskFaultKind.SLOW,
            ms=draw.choice((50, 800, 5_000)),
        )
        for number in sorted(draw.sample(range(1, 900), draw.randint(1, 8)))
    )


def _crashes(draw: random.Random, end_ms: int) -> tuple[Crash, ...]:
    """At least one; now and then another inside the recovery from it."""
    crashes: list[Crash] = []
    for at_ms in sorted(draw.randint(100_000, end_ms - 30_000) for _ in range(draw.choice((1, 1, 2, 3)))):
        crashes.append(_crash(draw, at_ms, draw.randint(0, 120)))
        while draw.random() < 0.35:
            crashes.append(_crash(draw, at_ms, draw.randint(0, 25)))
    return tuple(crashes)


def _crash(draw: random.Random, at_ms: int, effects: int) -> Crash:
    torn = draw.choice((-1, 0, 30, 70, 100))
    return Crash(at_ms=at_ms, effects=effects, down_ms=draw.choice((500, 5_000, 60_000, 400_000)), torn_percent=torn)
