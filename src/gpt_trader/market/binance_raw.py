"""What did Binance USD-M say, frame by frame? Captures of raw WebSocket lines, `local_ns {json}`, as a market.

The book comes from the depth diffs at 0 ms and the depth snapshot alone, by the exchange's own rule for a local book:
a diff with `u` below the snapshot's `lastUpdateId` is dropped, the first one kept must reach back to the snapshot
(`pu <= lastUpdateId`), and from then on each `pu` must be the `u` before it. Diffs that came before the snapshot's line
but are newer than it are applied right after it.

The book ticker is decoded and checked, but not used: it runs ahead of the diffs by up to their interval of 50 ms and
knows only the best level, so a mixture of both would need an invented rule for the levels between. Where both speak
of the same update id they agree (447 of 447 in the capture that this was built with).

Rows carry the recorder's clock, since the order in which things were received is the only one that is certain and the
exchange's clock may differ from it by seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
import numpy as np

from gpt_trader.core.clock import NS
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.products import RECORDED_GRIDS, recorded_product
from gpt_trader.market.recording import (
    FETCH_AGAIN,
    LOTS_MAX,
    PRICE_MAX,
    UNITS,
    Floats,
    Grid,
    Integers,
    RecordedMarket,
    SourceFile,
)
from gpt_trader.market.rows import CLEAR, LEVEL, ROW, TRADE
from gpt_trader.market.stream import Rows

__all__ = ["is_raw_line", "open_raw_capture"]

BATCH_VALUES: Final = 32_768
WAITING_DIFFS_MAX: Final = 20_000
"""Diffs kept while there is no snapshot yet: about a quarter of an hour."""
SHORT_MARKET_SECONDS: Final = 3600
SHORT_BAR_SECONDS: Final = 5
TIME_NS_MAX: Final = 2**62
CHECKED: Final = 0
"""Kind of a value that must be sound but becomes no row."""
QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "USD")

Level = tuple[float, float]


class _Envelope(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    last_update_id: int = msgspec.field(default=0, name="lastUpdateId")


class _Snapshot(msgspec.Struct):
    update_id: int = msgspec.field(name="lastUpdateId")
    bids: list[Level]
    asks: list[Level]


class _Diff(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    previous: int = msgspec.field(name="pu")
    bids: list[Level] = msgspec.field(name="b")
    asks: list[Level] = msgspec.field(name="a")


class _Trade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    price: float = msgspec.field(name="p")
    quantity: float = msgspec.field(name="q")
    buyer_is_maker: bool = msgspec.field(name="m")
    kind: str = msgspec.field(default="MARKET", name="X")


class _Ticker(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    bid: float = msgspec.field(name="b")
    bid_quantity: float = msgspec.field(name="B")
    ask: float = msgspec.field(name="a")
    ask_quantity: float = msgspec.field(name="A")


# prices and quantities are decimal text; a float holds up to 15 digits of it exactly, and Grid proves that it does
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_SNAPSHOT: Final = msgspec.json.Decoder(_Snapshot, strict=False)
_DIFF: Final = msgspec.json.Decoder(_Diff, strict=False)
_TRADE: Final = msgspec.json.Decoder(_Trade, strict=False)
_TICKER: Final = msgspec.json.Decoder(_Ticker, strict=False)


class _Mark(NamedTuple):
    """What the next `values` values are."""

    ts: int
    line: int
    message: int
    kind: int
    side: int
    values: int


class _Batch(NamedTuple):
    """Values in order, and for each of them the fields of _Mark."""

    prices: Floats
    quantities: Floats
    marks: Integers


@dataclass
class _Capture:
    """One pass over the file: sequence rules, counts, and checked values in batches."""

    source: SourceFile
    symbol: str = ""
    start_ns: int = 0
    """Time of the first snapshot: before it there is no book."""
    end_ns: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    """Lines of streams that this reads past, by name."""
    _last: int | None = None
    """`u` of the newest diff."""
    _snapshot: int | None = None
    _synced: bool = False
    _waiting: list[tuple[int, _Diff]] = field(default_factory=list)
    _values: list[Level] = field(default_factory=list)
    _marks: list[_Mark] = field(default_factory=list)
    _messages: int = 0

    def batches(self) -> Iterator[_Batch]:
        """Raises MarketDataError before handing out anything of a batch that holds a fault."""
        for number, line in self.source.lines():
            self._read(number, line)
            if len(self._values) >= BATCH_VALUES:
                yield self._flush()
        if self._snapshot is None:
            self.source.fault(
                0, "no depth snapshot (a line with lastUpdateId), so there is no book", "record with a snapshot"
            )
        yield self._flush()

    def _read(self, number: int, line: bytes) -> None:
        stamp, _, body = line.partition(b" ")
        if not stamp.isdigit() or not 0 < (ts := int(stamp)) < TIME_NS_MAX:
            self.source.fault(
                number,
                f"local time = {_shown(stamp)}, not nanoseconds since the epoch",
                f"remove the line or {FETCH_AGAIN}",
            )
        if ts < self.end_ns:
            self.source.fault(
                number,
                f"times going backwards: local time {ts} after {self.end_ns}",
                "sort the capture by receive time",
            )
        self.end_ns = ts
        self._messages += 1
        try:
            self._dispatch(number, ts, body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.source.fault(number, f"{error} in {_shown(body)}", f"remove the broken line or {FETCH_AGAIN}")

    def _dispatch(self, number: int, ts: int, body: bytes) -> None:
        envelope = _ENVELOPE.decode(body)
        if not envelope.stream:
            if envelope.last_update_id:
                self._take_snapshot(number, ts, _SNAPSHOT.decode(body))
            else:
                self.unused["no named stream"] += 1
            return
        channel = envelope.stream.partition("@")[2]
        if channel.startswith("depth"):
            self._take_diff(number, ts, _DIFF.decode(envelope.data))
        elif channel == "trade":
            self._take_trade(number, ts, _TRADE.decode(envelope.data))
        elif channel == "bookTicker":
            self._take_ticker(number, ts, _TICKER.decode(envelope.data))
        else:
            self.unused[channel] += 1

    def _take_snapshot(self, number: int, ts: int, snapshot: _Snapshot) -> None:
        if self._synced and self._last is not None and snapshot.update_id <= self._last:
            self.counts["snapshots older than the book"] += 1
            return
        if not snapshot.bids or not snapshot.asks or _best(snapshot.bids, 1) >= _best(snapshot.asks, -1):
            self.source.fault(number, "the depth snapshot is crossed or has an empty side", FETCH_AGAIN)
        self.start_ns = self.start_ns or ts
        self._snapshot, self._synced = snapshot.update_id, False
        self._add(number, ts, CLEAR, 0, [(1.0, 0.0)])
        self._add(number, ts, LEVEL, 1, snapshot.bids)
        self._add(number, ts, LEVEL, -1, snapshot.asks)
        waiting, self._waiting = self._waiting, []
        for line, diff in waiting:
            self._messages += 1
            self._apply(line, ts, diff)

    def _take_diff(self, number: int, ts: int, diff: _Diff) -> None:
        self._same_symbol(number, diff.symbol)
        self.counts["depth diffs"] += 1
        if self._last is not None and diff.previous != self._last:
            self._gap(number, diff, f"expected pu = {self._last}")
        if not diff.previous < diff.last or not diff.first <= diff.last:
            self._gap(number, diff, "expected pu < u and U <= u")
        self._last = diff.last
        if self._snapshot is not None:
            self._apply(number, ts, diff)
            return
        if len(self._waiting) >= WAITING_DIFFS_MAX:
            self.source.fault(
                number, f"{WAITING_DIFFS_MAX:,} depth diffs and no snapshot yet", "record with a snapshot"
            )
        self._waiting.append((number, diff))

    def _apply(self, number: int, ts: int, diff: _Diff) -> None:
        """Let a diff change the book, or drop it where the snapshot already holds it."""
        assert self._snapshot is not None
        kind = LEVEL
        if not self._synced and diff.last < self._snapshot:
            self.counts["dropped"] += 1
            kind = CHECKED
        elif not self._synced:
            if diff.previous > self._snapshot:
                self._gap(number, diff, f"expected pu <= lastUpdateId = {self._snapshot}")
            self._synced = True
        self._add(number, ts, kind, 1, diff.bids)
        self._add(number, ts, kind, -1, diff.asks)

    def _gap(self, number: int, diff: _Diff, expected: str) -> None:
        self.source.fault(
            number,
            f"gap in U/u/pu: {expected}, found pu = {diff.previous} (U = {diff.first}, u = {diff.last}); "
            "depth diffs are missing, so the book is wrong from here",
            "cut the file before this line, or record it again",
        )

    def _take_trade(self, number: int, ts: int, trade: _Trade) -> None:
        self._same_symbol(number, trade.symbol)
        if trade.kind != "MARKET":  # insurance fund and ADL: no trade of the book, the exchange writes zero prices
            self.counts["trades off the book"] += 1
            return
        self.counts["trades"] += 1
        kind = TRADE
        if self._snapshot is None:
            self.counts["trades before the snapshot"] += 1
            kind = CHECKED
        self._add(number, ts, kind, -1 if trade.buyer_is_maker else 1, [(trade.price, trade.quantity)])

    def _take_ticker(self, number: int, ts: int, ticker: _Ticker) -> None:
        self._same_symbol(number, ticker.symbol)
        self.counts["book tickers"] += 1
        if ticker.bid >= ticker.ask:
            self.source.fault(number, f"crossed: best bid {ticker.bid:g} >= best ask {ticker.ask:g}", FETCH_AGAIN)
        self._add(number, ts, CHECKED, 1, [(ticker.bid, ticker.bid_quantity)])
        self._add(number, ts, CHECKED, -1, [(ticker.ask, ticker.ask_quantity)])

    def _same_symbol(self, number: int, symbol: str) -> None:
        if symbol == self.symbol:
            return
        if self.symbol:
            self.source.fault(number, f"s = {symbol} after {self.symbol}", "give one product in a file")
        self.symbol = symbol

    def _add(self, number: int, ts: int, kind: int, side: int, levels: list[Level]) -> None:
        self._values.extend(levels)
        self._marks.append(_Mark(ts, number, self._messages, kind, side, len(levels)))

    def _flush(self) -> _Batch:
        values = np.array(self._values, np.float64).reshape(-1, 2)
        marks = np.array(self._marks, np.int64).reshape(-1, len(_Mark._fields))
        self._values, self._marks = [], []
        batch = _Batch(values[:, 0], values[:, 1], np.repeat(marks[:, :5], marks[:, 5], axis=0))
        self._check(batch)
        return batch

    def _check(self, batch: _Batch) -> None:
        """Prices are numbers above zero; quantities too, but a level may have none left."""
        kind = batch.marks[:, 3]
        bad_price = ~(np.isfinite(batch.prices) & (batch.prices > 0))
        none_allowed = kind != TRADE
        bad_quantity = ~(
            np.isfinite(batch.quantities) & ((batch.quantities > 0) | ((batch.quantities == 0) & none_allowed))
        )
        for bad, values, what in ((bad_price, batch.prices, "price"), (bad_quantity, batch.quantities, "quantity")):
            if bad.any():
                self.fault_at(
                    batch, int(np.argmax(bad)), what, float(values[np.argmax(bad)]), "not a number above zero"
                )

    def fault_at(self, batch: _Batch, at: int, what: str, value: float, why: str) -> None:
        """Raise MarketDataError for one value of a batch."""
        _, line, _, kind, side = (int(number) for number in batch.marks[at])
        whose = "trade" if kind == TRADE else "bid" if side > 0 else "ask"
        self.source.fault(line, f"{whose} {what} = {value!r}: {why}", f"remove the broken line or {FETCH_AGAIN}")


def _best(levels: list[Level], side: int) -> float:
    return side * max(side * price for price, _ in levels)


def _shown(text: bytes) -> str:
    return ascii(text[:60].decode("utf8", "replace"))


def is_raw_line(line: bytes) -> bool:
    """`local_ns {json}`?"""
    stamp, _, body = line.partition(b" ")
    return stamp.isdigit() and body.startswith(b"{")


def _scan(source: SourceFile) -> tuple[_Capture, Grid, Grid]:
    """Read and check the whole file once; find the grid, from the exchange's own words or from the data."""
    capture = _Capture(source)
    price_units = lot_units = 0
    grids: tuple[Grid, Grid] | None = None
    for batch in capture.batches():
        if grids is None and capture.symbol in RECORDED_GRIDS:
            tick, lot = RECORDED_GRIDS[capture.symbol]
            grids = Grid(tick), Grid(lot)
        prices, quantities = _counts(capture, batch, *(grids or (UNITS, UNITS)))
        seen = batch.marks[:, 3] != CLEAR
        price_units = math.gcd(price_units, int(np.gcd.reduce(prices[seen], initial=0)))
        lot_units = math.gcd(lot_units, int(np.gcd.reduce(quantities[seen], initial=0)))
    return capture, *(grids or (Grid.of_units(price_units), Grid.of_units(lot_units)))


def _counts(capture: _Capture, batch: _Batch, tick: Grid, lot: Grid) -> tuple[Integers, Integers]:
    """Whole ticks and lots of every value. Raises MarketDataError for one that lies between them or is absurd."""
    found = []
    for grid, values, what in ((tick, batch.prices, "price"), (lot, batch.quantities, "quantity")):
        counts, exact = grid.multiples(values)
        exact &= values < PRICE_MAX if what == "price" else counts < LOTS_MAX
        exact |= batch.marks[:, 3] == CLEAR
        if not exact.all():
            at = int(np.argmin(exact))
            why = f"not on the grid of {grid.step:f}, or too large"
            capture.fault_at(batch, at, what, float(values[at]), why)
        found.append(counts)
    return found[0], found[1]


def _rows(source: SourceFile, tick: Grid, lot: Grid) -> Iterator[Rows]:
    capture = _Capture(source)
    for batch in capture.batches():
        ticks, lots = _counts(capture, batch, tick, lot)
        ts, _, message, kind, side = batch.marks.T
        rows: Rows = np.zeros(len(ts), ROW)
        rows["ts"], rows["recv"], rows["kind"], rows["side"] = ts, ts, kind, side
        rows["a"], rows["b"] = ticks, lots
        rows["a"][kind == CLEAR] = 0
        # within a message what is removed goes first, so that the book is not crossed half way through it
        order = np.argsort(message * 2 + (lots > 0), kind="stable")
        yield rows[order[kind[order] != CHECKED]]


def _base(source: SourceFile, symbol: str) -> str:
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol.removesuffix(quote)
    return source.fault(0, f"s = {symbol!r} is quoted in none of {', '.join(QUOTES)}", "give a USD-quoted perpetual")


def open_raw_capture(source: SourceFile, *, bar_seconds: int | None = None) -> RecordedMarket:
    """Read and check the whole capture. Raises MarketDataError naming file, line and fix."""
    capture, tick, lot = _scan(source)
    if capture.end_ns <= capture.start_ns:
        source.fault(0, "nothing follows the depth snapshot", "record for longer")
    base = _base(source, capture.symbol)
    seconds = (capture.end_ns - capture.start_ns) // NS
    bars = bar_seconds or (SHORT_BAR_SECONDS if seconds < SHORT_MARKET_SECONDS else 60)
    product = recorded_product(base, capture.symbol, tick.step, lot.step)
    length = f"Bars of {bars} s on a market of {seconds:,} s" + (", as asked." if bar_seconds else ".")
    return RecordedMarket(
        name=source.name,
        digest=source.digest,
        products=(product,),
        start_ns=capture.start_ns,
        end_ns=capture.end_ns,
        bar_seconds=bars,
        modelled_book=False,
        notes=(length, *_assumptions(product), *_counted(capture)),
        read=lambda: _rows(source, tick, lot),
    )


def _assumptions(product: ProductSpec) -> Iterator[str]:
    known = "published by the exchange" if product.venue_symbol in RECORDED_GRIDS else "found in the data"
    yield f"{product.venue_symbol} is called {product.symbol}; its quote currency counts one for one as USD."
    yield f"Tick {product.tick:f} and lot {product.lot:f} are {known}."
    yield "Fees of 0.02 % maker and 0.05 % taker and margin of 10 % are assumed."
    yield "The capture has no mark price and no index: mark = mid of the book."
    yield "The capture has no funding: none is paid."
    yield "Times are those of the recorder's clock, in the order received."


def _counted(capture: _Capture) -> Iterator[str]:
    counts = capture.counts
    yield f"{counts['dropped']} depth diffs older than the snapshot were dropped by rule."
    yield f"{counts['book tickers']} book tickers were checked and not used: the depth diffs alone keep the book."
    for what in ("trades before the snapshot", "trades off the book", "snapshots older than the book"):
        if counts[what]:
            yield f"{counts[what]} {what} are not used."
    for channel, number in sorted(capture.unused.items()):
        yield f"{number} lines of {channel} are not used."
