"""What did the bars say? CSV files of OHLCV bars, with a stated reading of their stamps, as a market.

The header is `timestamp,open,high,low,close,volume`; market.csv_columns translates other ones. Stamps are ISO 8601, UTC
where they name no zone, or the time since the epoch in seconds, milliseconds, microseconds or nanoseconds (10, 13, 16
or 19 digits). Volume is in the quote currency, unless it is said to be in the base.

A stamp read as the close when it is the open shows every bar one bar too early, so that reading is taken only on
evidence: trading concentrates in the first minute after a quarter of an hour (clocks, candles, news releases), which an
open stamp calls :00, :15, :30, :45 and a close stamp one bar later. Without clear evidence a stamp is the open, which
can only show a bar too late.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

import numpy as np

from gpt_trader.core.clock import NS
from gpt_trader.core.errors import ConfigError
from gpt_trader.market.products import recorded_product
from gpt_trader.market.recording import FETCH_AGAIN, LOTS_MAX, UNITS, Floats, Grid, Integers, RecordedMarket, SourceFile
from gpt_trader.market.rows import BAR, ROW
from gpt_trader.market.stream import Rows

__all__ = [
    "GAP_BARS_MAX",
    "HEADER",
    "Stamp",
    "Volume",
    "carried",
    "is_bar_header",
    "is_time",
    "missing_note",
    "open_bar_file",
]

Stamp = Literal["open", "close"]
Volume = Literal["quote", "base"]

COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")
HEADER: Final = ",".join(COLUMNS)
BATCH_BARS: Final = 8192
GAP_BARS_MAX: Final = 10_080
"""Longest hole in one file: a week of minutes. A longer one is another file."""
CARRIED_BARS_MAX: Final = 5
"""So many minutes may pass without a trade. Beyond that the recording has a hole, in which nothing may be traded."""
STEPS_MAX: Final = 1000
LOOK_AHEAD: Final = "If the stamps are the open after all, every bar is seen one bar too early: that is look-ahead."
LOT_WORTH_MAX: Final = 10
VOLUME_MAX: Final = 1e12
"""A million million of the quote currency in one bar is a broken number."""
POWERS: Final = 13
"""Powers of ten that prices are tried on, from 1e-8 to 10,000."""
STRAY_SHARE_MAX: Final = 0.01
EVIDENCE_RATIO: Final = 1.10
EVIDENCE_BARS: Final = 3 * 1440
QUARTER_SECONDS: Final = 900
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_UNITS_NS: Final = {10: NS, 13: 1_000_000, 16: 1000, 19: 1}
"""Digits of a time since the epoch (from 2001 to 2286) -> its unit."""
MICROSECOND: Final = timedelta(microseconds=1)
WORD: Final = re.compile(r"[A-Z]+")
PAIR: Final = re.compile(r"([A-Z]{2,10}?)(?:USDT|USDC|USD|PERP)")
BASES: Final = frozenset({"BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LTC", "LINK", "BNB", "DOT", "BCH", "XBT"})


class _Batch(NamedTuple):
    lines: Integers
    stamps: Integers
    values: Floats
    """One row a bar: open, high, low, close, volume."""


@dataclass
class _BarReader:
    """One pass over the file: every bar is sound by itself and comes after the one before it."""

    source: SourceFile
    first_ns: int = 0
    last_ns: int = 0
    bars: int = 0
    steps: dict[int, int] = field(default_factory=dict)
    """Distance between neighbours in nanoseconds -> the first line that showed it."""

    def batches(self) -> Iterator[_Batch]:
        lines: list[int] = []
        stamps: list[int] = []
        values: list[tuple[float, ...]] = []
        for number, line in self.source.lines():
            if number <= self.source.header_lines:
                continue
            stamp, row = self._parse(number, line)
            self._follow(number, stamp)
            lines.append(number)
            stamps.append(stamp)
            values.append(row)
            if len(lines) >= BATCH_BARS:
                yield self._checked(lines, stamps, values)
                lines, stamps, values = [], [], []
        if lines:
            yield self._checked(lines, stamps, values)
        if not self.bars:
            self.source.fault(0, "there is a header but no bar", FETCH_AGAIN)

    def _parse(self, number: int, line: bytes) -> tuple[int, tuple[float, ...]]:
        texts = line.split(b",")
        if len(texts) != len(COLUMNS):
            self.source.fault(
                number, f"{len(texts)} fields where {HEADER} has {len(COLUMNS)}", f"complete the line or {FETCH_AGAIN}"
            )
        try:
            return _nanoseconds(texts[0].decode("utf8")), tuple(map(float, texts[1:]))
        except ValueError:
            return self._bad_text(number, texts)

    def _bad_text(self, number: int, texts: list[bytes]) -> tuple[int, tuple[float, ...]]:
        """Raise MarketDataError for the first field of a line that cannot be read."""
        for name, text in zip(COLUMNS, texts, strict=True):
            shown = text.decode("utf8", "replace")
            try:
                _nanoseconds(shown) if name == "timestamp" else float(text)
            except ValueError:
                form = "a time such as 2022-01-01 00:01:00" if name == "timestamp" else "a number"
                self.source.fault(number, f"{name} = {shown!r} is not {form}", f"mend the line or {FETCH_AGAIN}")
        return self.source.fault(number, "cannot be read", FETCH_AGAIN)

    def _follow(self, number: int, stamp: int) -> None:
        if not self.bars:
            self.first_ns = stamp
        else:
            step = stamp - self.last_ns
            if step == 0:
                self.source.fault(number, f"timestamp {_text(stamp)} stands twice", "remove one of the two bars")
            if step < 0:
                self.source.fault(
                    number,
                    f"times going backwards: {_text(stamp)} after {_text(self.last_ns)}",
                    "sort the bars by time",
                )
            if len(self.steps) < STEPS_MAX:
                self.steps.setdefault(step, number)
        self.last_ns = stamp
        self.bars += 1

    def _checked(self, lines: list[int], stamps: list[int], values: list[tuple[float, ...]]) -> _Batch:
        batch = _Batch(np.array(lines), np.array(stamps), np.array(values))
        for column, name in enumerate(COLUMNS[1:]):
            numbers = batch.values[:, column]
            good = np.isfinite(numbers) & ((numbers > 0) | ((numbers == 0) & (name == "volume")))
            self.require(batch, good, column, "not a number above zero")
        o, h, low, c, volume = batch.values.T
        self.require(batch, volume < VOLUME_MAX, 4, "too large")
        self.require(batch, h >= np.maximum(o, c), 1, "below open or close")
        self.require(batch, low <= np.minimum(o, c), 2, "above open or close")
        return batch

    def require(self, batch: _Batch, good: np.ndarray, column: int, why: str) -> None:
        """Raise MarketDataError for the first bar that is not good."""
        if good.all():
            return
        at = int(np.argmin(good))
        value = float(batch.values[at, column])
        self.source.fault(
            int(batch.lines[at]), f"{COLUMNS[column + 1]} = {value!r}: {why}", f"remove the broken bar or {FETCH_AGAIN}"
        )


def is_bar_header(line: bytes) -> bool:
    names = line.removeprefix(b"\xef\xbb\xbf").decode("utf8", "replace").lower().split(",")
    return tuple(name.strip() for name in names) == COLUMNS


def is_time(text: str) -> bool:
    """Can the text be a stamp?"""
    try:
        _nanoseconds(text)
    except ValueError:
        return False
    return True


def _nanoseconds(text: str) -> int:
    if len(text) in EPOCH_UNITS_NS and text.isdigit():
        return int(text) * EPOCH_UNITS_NS[len(text)]
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // MICROSECOND * 1000


def _text(stamp_ns: int) -> str:
    return f"{EPOCH + timedelta(microseconds=stamp_ns // 1000):%Y-%m-%d %H:%M:%S}"


@dataclass
class _Scan:
    """What the first pass found."""

    reader: _BarReader
    tick: Grid
    first_close: float
    volume_first: float
    """Volume of bars stamped on a quarter of an hour."""
    volume_second: float
    """Volume of bars stamped one bar later."""
    step_ns: int
    missing: int
    off_grid: Counter[Decimal]
    """Power of ten -> prices that do not lie on it."""


def _scan(source: SourceFile, asked: Grid | None) -> _Scan:
    reader = _BarReader(source)
    units = 0
    off_grid: Counter[Decimal] = Counter()
    quarters: dict[int, float] = {}
    first_close = 0.0
    for batch in reader.batches():
        first_close = first_close or float(batch.values[0, 3])
        counts = _price_units(reader, batch, asked)
        units = math.gcd(units, int(np.gcd.reduce(counts, axis=None)))
        for exponent in range(POWERS):
            off_grid[UNITS.step.scaleb(exponent)] += int(np.count_nonzero(counts % 10**exponent))
        seconds = batch.stamps // NS % QUARTER_SECONDS
        for second in np.unique(seconds).tolist():
            quarters[second] = quarters.get(second, 0.0) + float(batch.values[seconds == second, 4].sum())
    step_ns = _bar_length(reader)
    return _Scan(
        reader=reader,
        tick=asked or Grid.of_units(units),
        first_close=first_close,
        volume_first=quarters.get(0, 0.0),
        volume_second=quarters.get(step_ns // NS, 0.0),
        step_ns=step_ns,
        missing=(reader.last_ns - reader.first_ns) // step_ns + 1 - reader.bars,
        off_grid=off_grid,
    )


def _price_units(reader: _BarReader, batch: _Batch, asked: Grid | None) -> Integers:
    """The four prices of every bar in units of 1e-8, each on the grid that was asked for."""
    columns = []
    for column in range(4):
        counts, exact = UNITS.multiples(batch.values[:, column])
        reader.require(batch, exact, column, f"finer than {UNITS.step:f}, or too large")
        if asked:
            reader.require(batch, asked.multiples(batch.values[:, column])[1], column, f"no multiple of {asked.step:f}")
        columns.append(counts)
    return np.stack(columns)


def _bar_length(reader: _BarReader) -> int:
    """The smallest distance between neighbours, of which every other must be a multiple."""
    source = reader.source
    if not reader.steps:
        return source.fault(0, "one bar only, so its length is not known", "give at least two bars")
    step = min(reader.steps)
    for distance, line in reader.steps.items():
        if distance % step or step % NS:
            source.fault(
                line, f"{distance / NS:g} s after the bar before it, where bars are {step / NS:g} s long", FETCH_AGAIN
            )
        if distance // step > GAP_BARS_MAX:
            source.fault(
                line,
                f"{distance // step - 1:,} bars are missing before it",
                f"cut the file here: a hole is at most {GAP_BARS_MAX:,} bars",
            )
    if reader.first_ns % step:
        source.fault(2, f"timestamp {_text(reader.first_ns)} is not a multiple of {step // NS} s", FETCH_AGAIN)
    return step


def _evidence(scan: _Scan) -> tuple[Stamp, str]:
    """How the stamps are read when nobody says it, and why, in words."""
    first, second = scan.volume_first, scan.volume_second
    if scan.step_ns == 60 * NS and scan.reader.bars >= EVIDENCE_BARS and min(first, second) > 0:
        if second > EVIDENCE_RATIO * first:
            ratio = second / first
            return (
                "close",
                f"bars stamped a minute after a quarter hour hold {ratio:.2f} times the volume of those on it",
            )
        if first > EVIDENCE_RATIO * second:
            ratio = first / second
            return "open", f"bars stamped on a quarter hour hold {ratio:.2f} times the volume of those a minute later"
    return "open", "the data does not tell, and this reading can only show a bar too late, never too early"


def _between_ticks(scan: _Scan) -> Iterator[str]:
    """Nearly all prices on a coarse grid and a few between its steps: those were not traded."""
    prices = 4 * scan.reader.bars
    for step, off in sorted(scan.off_grid.items(), reverse=True):
        if step > scan.tick.step and 0 < off < prices * STRAY_SHARE_MAX:
            yield f"{off} of {prices:,} prices lie between steps of {step:f}: their bars look interpolated."
            return


def _lot(first_close: float) -> Grid:
    """The largest power of ten of the base that is worth at most LOT_WORTH_MAX at the first price."""
    exponent = 0
    while first_close * 10.0**exponent > LOT_WORTH_MAX:
        exponent -= 1
    while first_close * 10.0 ** (exponent + 1) <= LOT_WORTH_MAX:
        exponent += 1
    return Grid(Decimal(1).scaleb(exponent))


def _symbol_base(name: str) -> str | None:
    """BTC from `btc_perp_1m.csv.gz` or `BTCUSDT-1m.csv`."""
    for word in WORD.findall(name.upper()):
        pair = PAIR.fullmatch(word)
        if word in BASES or pair:
            return pair.group(1) if pair else word
    return None


@dataclass(frozen=True)
class _Reading:
    """How the values of a file become rows."""

    tick: Grid
    lot: Grid
    volume: Volume
    step_ns: int
    shift_ns: int
    """From a stamp to the close of its bar."""


def _rows(source: SourceFile, reading: _Reading) -> Iterator[Rows]:
    tick, lot = reading.tick, float(reading.lot.step)
    reader = _BarReader(source)
    before: Rows = np.zeros(0, ROW)
    for batch in reader.batches():
        rows: Rows = np.zeros(len(batch.stamps), ROW)
        rows["kind"] = BAR
        rows["ts"] = rows["recv"] = batch.stamps + reading.shift_ns
        for column, name in enumerate("abcd"):
            counts, exact = tick.multiples(batch.values[:, column])
            reader.require(batch, exact, column, f"not on the grid of {tick.step:f}")
            rows[name] = counts
        typical = batch.values[:, 1:4].mean(axis=1) if reading.volume == "quote" else 1.0
        lots = np.rint(batch.values[:, 4] / typical / lot)
        reader.require(batch, lots < LOTS_MAX, 4, f"more than {LOTS_MAX:,} lots of {lot:g}")
        rows["e"] = lots
        yield carried(before, rows, reading.step_ns)
        before = rows[-1:]


def missing_note(missing: int, whose: str) -> str:
    return (
        f"{missing} bars that {whose}: holes of up to {CARRIED_BARS_MAX} bars carry the close, without volume; longer "
        "ones stay holes, in which nothing is known and nothing is entered."
    )


def carried(before: Rows, rows: Rows, step_ns: int) -> Rows:
    """Fill short holes with bars that carry the close and have no volume. Longer ones stay: no price is invented."""
    known = np.concatenate([before, rows])
    repeats = np.diff(known["ts"]) // step_ns
    repeats[repeats > CARRIED_BARS_MAX + 1] = 1
    if (repeats == 1).all():
        return rows
    source = np.repeat(np.arange(len(repeats)), repeats)
    nth = np.arange(len(source)) - np.repeat(np.cumsum(repeats) - repeats, repeats) + 1
    filled = known[source].copy()
    for name in "abc":
        filled[name] = filled["d"]
    filled["e"] = 0
    filled["ts"] += nth * step_ns
    filled["recv"] = filled["ts"]
    filled[np.cumsum(repeats) - 1] = known[1:]
    merged: Rows = filled if len(before) else np.concatenate([rows[:1], filled])
    return merged


def open_bar_file(
    source: SourceFile,
    *,
    bar_seconds: int | None = None,
    stamp: Stamp | None = None,
    symbol: str | None = None,
    tick: Decimal | None = None,
    lot: Decimal | None = None,
    volume: Volume = "quote",
) -> RecordedMarket:
    """Read and check the whole file. Raises MarketDataError naming file, line and fix, or ConfigError.

    What is None is read from the file: tick from its prices, symbol from its name, stamp from evidence; the lot is
    assumed. `volume` says in which currency volumes are counted.
    """
    scan = _scan(source, Grid(tick) if tick else None)
    step_seconds = scan.step_ns // NS
    if bar_seconds not in {None, step_seconds}:
        raise ConfigError(
            f"run.bar_seconds = {bar_seconds}: {source.name} holds bars of {step_seconds} s, and no others can be made "
            f"from them. Fix: leave bar_seconds out, or set it to {step_seconds}"
        )
    found, why = _evidence(scan)
    stamped = stamp or found
    reading = _Reading(
        tick=scan.tick,
        lot=Grid(lot) if lot else _lot(scan.first_close),
        volume=volume,
        step_ns=scan.step_ns,
        shift_ns=scan.step_ns if stamped == "open" else 0,
    )
    named = symbol.removesuffix("-PERP") if symbol else _symbol_base(source.name)
    base = named or "MARKET"
    return RecordedMarket(
        name=source.name,
        digest=_digest(
            source, stamp=stamp, symbol=symbol, tick=tick, lot=lot, volume=volume if volume == "base" else None
        ),
        products=(recorded_product(base, f"{base}-PERP", reading.tick.step, reading.lot.step),),
        start_ns=scan.reader.first_ns + reading.shift_ns - scan.step_ns,
        end_ns=scan.reader.last_ns + reading.shift_ns,
        bar_seconds=step_seconds,
        modelled_book=True,
        notes=(
            f"The product is called {base}-PERP, " + ("as asked." if symbol else _naming(named)),
            f"A stamp is read as the {stamped} of its bar: {'as asked' if stamp else why}. Stamps are UTC.",
            *([LOOK_AHEAD] if stamped == "close" else []),
            *([f"Columns: {source.reading}."] if source.reading else []),
            _grid_note(reading, tick, lot),
            *_between_ticks(scan),
            "Fees of 0.02 % maker and 0.05 % taker and margin of 10 % are assumed.",
            _volume_note(volume),
            missing_note(scan.missing, "the file does not have"),
            "There is no book in bars: the venue models one and marks it MODELLED; mark = its mid.",
            "The file has no index and no funding: none is paid.",
            *(() if source.ends_with_newline else ("The last line has no line end: the file may be cut there.",)),
        ),
        read=lambda: _rows(source, reading),
    )


def _digest(source: SourceFile, **asked: object) -> str:
    """Of the text, and of everything that was asked for."""
    asked["columns"] = source.reading or None
    said = [f"{name}={value}" for name, value in sorted(asked.items()) if value is not None]
    return hashlib.sha256("|".join([source.digest, *said]).encode()).hexdigest() if said else source.digest


def _grid_note(reading: _Reading, tick: Decimal | None, lot: Decimal | None) -> str:
    found, assumed = "as asked" if tick else "found in the data", "as asked" if lot else "assumed"
    return f"Tick {reading.tick.step:f} is {found}; lot {reading.lot.step:f} is {assumed}."


def _volume_note(volume: Volume) -> str:
    if volume == "base":
        return "Volume is in base units, rounded to lots."
    return "Volume is in the quote currency; base units are reckoned at the mean of high, low and close."


def _naming(named: str | None) -> str:
    return "after the name of the file." if named else "since neither the file nor its name says which one it is."
