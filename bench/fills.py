"""Do two exchanges fill the same orders alike? `fills.py [CAPTURE]`: the venue and hftbacktest on one recorded market.

Both replay the same rows, the same orders with 10 ms each way, and the same queue model. Passive orders of one lot join
the best price or stand behind it, one a side at a time; aggressive ones take up to 5 BTC at once. What differs is
counted, and printed with --examples.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from cases import PEERS
from process import Failed, measure

from gpt_trader.core.values import OrderType, Side, TimeInForce
from gpt_trader.market.memory import ArrayStream
from gpt_trader.market.recorded import open_market
from gpt_trader.market.rows import CLEAR, LEVEL, TRADE
from gpt_trader.venue.exchange import SimulatedVenue
from gpt_trader.venue.news import FillNews, NewOrder
from gpt_trader.venue.settings import Latency, QueueModel, VenueSettings

CAPTURE = Path(__file__).resolve().parents[2] / "shared" / "data" / "binance_usdm_btcusdt_20240808_raw.gz"
LATENCY_NS = 10_000_000
PERIOD_NS, LIFE_NS = 2_500_000_000, 2_400_000_000
REPLAYS = 4
SAME_TIME_NS = 1_000_000
"""Fills at most a millisecond apart are at the same time: both read one feed, on one clock."""
AGREE_SHARE_MIN = 0.97
"""Of all orders, so many must agree in quantity and in time."""
MEAN_DIFFERENCE_MAX = 0.03
"""The quantities filled over all passive, and over all aggressive orders, differ by no more than this share."""
COLUMNS = ("orders", "filled", "agree", "less", "more", "sooner", "later", "lots_ours", "lots_theirs")
ORDER = np.dtype(
    [(name, "<i8") for name in ("at", "number", "kind", "side", "price", "lots")] + [("tick", "f8"), ("lot", "f8")]
)
REST, TAKE, CANCEL = 0, 1, 2
PASSIVE, AGGRESSIVE = "passive", "aggressive"
Fills = dict[int, list[tuple[int, int, int]]]
"""Of an order: time in ns, lots so far, price in ticks."""


@dataclass
class Market:
    """The recorded rows and what is traded."""

    rows: Any
    spec: Any
    start_ns: int
    end_ns: int

    def venue(self, model: QueueModel) -> SimulatedVenue:
        latency = Latency(milliseconds=Decimal(LATENCY_NS) / 1_000_000)
        settings = VenueSettings(entry_latency=latency, ack_latency=latency, queue_model=model)
        stream = ArrayStream([self.spec], self.rows, start_ns=self.start_ns, end_ns=self.end_ns)
        venue = SimulatedVenue(stream, cash=[Decimal(1_000_000_000)], settings=settings)
        venue.wake_on_bars(False)
        return venue


def read(capture: Path) -> Market:
    stream = open_market(capture)
    rows = np.concatenate([chunk.copy() for chunk in stream.chunks()])
    rows = rows[np.isin(rows["kind"], (LEVEL, CLEAR, TRADE))]
    clears = np.flatnonzero(rows["kind"] == CLEAR)
    if len(clears) > 1 or (len(clears) and np.any(rows["kind"][: clears[0]] == LEVEL)):
        raise SystemExit(f"{capture.name}: has a gap in its book; choose a capture without one")
    spec = msgspec.structs.replace(stream.products[0], price_band=Decimal("0.5"))
    return Market(rows, spec, stream.start_ns, stream.end_ns)


def plan(market: Market, seed: int, kind: str) -> Any:
    """Orders of one replay: at each turn a bid and an ask that rest, or one that takes."""
    pick = random.Random(seed)
    watched = market.venue(QueueModel.BACK)
    symbol, tick, lot = market.spec.symbol, market.spec.tick, market.spec.lot
    events = []
    number = 0
    turn = market.start_ns + 5_000_000_000 + seed * PERIOD_NS // REPLAYS
    while turn + PERIOD_NS + 2_000_000_000 < market.end_ns:
        watched.advance(turn)
        touch = watched.touch(symbol)
        for side in (1, -1) if kind == PASSIVE else (pick.choice((1, -1)),):
            if touch is None:
                continue
            bid, ask = (int(price / tick) for price in touch)
            if kind == PASSIVE:
                price, lots = (bid if side > 0 else ask) - side * pick.choice((0, 0, 0, 1, 4)), 1
            else:
                price, lots = (ask if side > 0 else bid) + side * pick.choice((0, 2, 20)), pick.choice((2, 500, 5_000))
            number += 1
            does = REST if kind == PASSIVE else TAKE
            events.append((turn, number, does, side, price, lots, float(tick), float(lot)))
            if kind == PASSIVE:
                events.append((turn + LIFE_NS, number, CANCEL, side, 0, 0, float(tick), float(lot)))
        turn += PERIOD_NS
    return np.array(sorted(events), ORDER)


def ours(market: Market, orders: Any, model: QueueModel) -> Fills:
    venue = market.venue(model)
    spec = market.spec
    fills: Fills = {}
    done: Counter[int] = Counter()

    def move_to(until_ns: int) -> None:
        while venue.now_ns < until_ns and venue.advance(until_ns):
            for news in venue.take_news():
                if isinstance(news, FillNews):
                    number = int(news.client_order_id)
                    done[number] += int(news.quantity / spec.lot)
                    fills.setdefault(number, []).append((news.at_ns, done[number], int(news.price / spec.tick)))

    for order in orders:
        move_to(int(order["at"]))
        name = str(order["number"])
        if order["kind"] == CANCEL:
            number = venue.number_of(name)
            assert number is not None
            venue.cancel(number)
            continue
        venue.submit(
            NewOrder(
                client_order_id=name,
                symbol=spec.symbol,
                side=Side.BUY if order["side"] > 0 else Side.SELL,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC if order["kind"] == REST else TimeInForce.IOC,
                quantity=int(order["lots"]) * spec.lot,
                limit_price=int(order["price"]) * spec.tick,
                post_only=bool(order["kind"] == REST),
            )
        )
    move_to(market.end_ns)
    return fills


def theirs(market: Market, orders: Any, model: QueueModel, kind: str) -> tuple[str, Fills]:
    peer = PEERS["hftbacktest"]
    if not peer.python().exists():
        raise Failed(f"{peer.name} is not installed; `bench/peers {peer.name}` does it")
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "rows.npy", market.rows)
        np.save(Path(folder) / "orders.npy", orders)
        script = Path(__file__).parent / "theirs" / "fills_hftbacktest.py"
        told = measure([str(peer.python()), str(script), folder, model.value, kind])
    return told["version"], {int(number): [tuple(fill) for fill in fills] for number, fills in told["fills"].items()}


def first_difference(mine: Sequence[tuple[int, int, int]], other: Sequence[tuple[int, int, int]]) -> str:
    """What differs between the fills of one order; empty when they agree."""
    got = [fills[-1][1] if fills else 0 for fills in (mine, other)]
    if got[0] != got[1]:
        return "less" if got[0] < got[1] else "more"
    if mine and abs(mine[-1][0] - other[-1][0]) > SAME_TIME_NS:
        return "later" if mine[-1][0] > other[-1][0] else "sooner"
    return ""


def compare(market: Market, model: QueueModel) -> dict[str, Any]:
    """Every replay on both sides, counted by kind of order."""
    table: dict[str, Counter[str]] = {}
    examples = []
    version = ""
    for kind in (PASSIVE, AGGRESSIVE):
        counted = table.setdefault(kind, Counter())
        for seed in range(REPLAYS):
            orders = plan(market, seed, kind)
            mine = ours(market, orders, model)
            version, other = theirs(market, orders, model, kind)
            for order in orders[orders["kind"] != CANCEL]:
                pair = mine.get(int(order["number"]), []), other.get(int(order["number"]), [])
                differs = first_difference(*pair)
                counted["orders"] += 1
                counted["filled"] += bool(pair[0])
                counted["lots_ours"] += pair[0][-1][1] if pair[0] else 0
                counted["lots_theirs"] += pair[1][-1][1] if pair[1] else 0
                counted[differs or "agree"] += 1
                if differs:
                    examples.append((seed, kind, differs, order.tolist()[:6], *pair))
    return {"model": model.value, "version": version, "table": table, "examples": examples}


def judge(result: dict[str, Any]) -> list[str]:
    """What is outside the tolerance."""
    said = []
    for kind, counted in result["table"].items():
        share = counted["agree"] / counted["orders"]
        if share < AGREE_SHARE_MIN:
            said.append(f"{result['model']}, {kind}: {share:.1%} agree, less than {AGREE_SHARE_MIN:.0%}")
        apart = abs(counted["lots_ours"] / max(1, counted["lots_theirs"]) - 1)
        if apart > MEAN_DIFFERENCE_MAX:
            said.append(f"{result['model']}, {kind}: quantities are {apart:.1%} apart")
    return said


def main() -> int:
    capture = Path(sys.argv[1]) if len(sys.argv) > 1 else CAPTURE
    if not capture.exists():
        print(f"{capture}: no such capture", file=sys.stderr)
        return 2
    market = read(capture)
    print(f"{capture.name}: {len(market.rows):,} rows, {REPLAYS} replays, latency 10 ms each way")
    head = ("model", "orders", "count", "filled", "agree", "less", "more", "sooner", "later", "lots ours", "theirs")
    print("  ".join(f"{word:>10}" for word in head))
    faults = []
    for model in (QueueModel.BACK, QueueModel.PROPORTIONAL):
        try:
            result = compare(market, model)
        except Failed as error:
            print(error, file=sys.stderr)
            return 2
        for kind, counted in result["table"].items():
            words = [
                model.value,
                kind,
                *(f"{counted[name]:,}" for name in ("orders", "filled", "agree", "less", "more")),
            ]
            words += [f"{counted[name]:,}" for name in ("sooner", "later", "lots_ours", "lots_theirs")]
            print("  ".join(f"{word:>10}"[:12] for word in words))
        if "--examples" in sys.argv:
            for example in result["examples"]:
                print(json.dumps(example))
        faults += judge(result)
    for fault in faults:
        print("OUTSIDE THE TOLERANCE:", fault)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
