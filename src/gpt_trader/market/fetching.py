"""What did an exchange hand out? Bars and trades that come one by one over a wire, checked and kept as a market.

Nothing is repaired: what cannot be put on the product's grid, or does not follow what came before, raises
MarketDataError. Bars that an exchange leaves out because nothing was traded in them are carried, and counted.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, NoReturn

import numpy as np

from gpt_trader.core.clock import NS, iso
from gpt_trader.core.errors import MarketDataError
from gpt_trader.core.values import ProductSpec
from gpt_trader.market.bar_file import GAP_BARS_MAX, carried, missing_note
from gpt_trader.market.recording import LOTS_MAX, PRICE_MAX, RecordedMarket
from gpt_trader.market.rows import BAR, ROW, TRADE
from gpt_trader.market.stream import Rows

__all__ = ["FetchedBar", "FetchedTrade", "RowSpool", "fetch_bars", "fetch_trades"]

BATCH_ROWS: Final = 8192
TRADES_BAR_SECONDS: Final = 60
"""Length of the bars that strategies get from a market of trades."""
Tell = Callable[[int], None]
"""Called now and then with the time that was reached."""


class FetchedBar(NamedTuple):
    """Prices in the quote currency, volume in base units."""

    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class FetchedTrade(NamedTuple):
    """`side` is the aggressor's: above zero a buy, below zero a sell, 0 unknown."""

    at_ns: int
    price: Decimal
    quantity: Decimal
    side: int


class RowSpool:
    """Rows on disk, in the order in which they came; the file has no name and goes with its owner."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed on exit
        self._hash = hashlib.sha256()
        self.rows = 0

    def __enter__(self) -> RowSpool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def digest(self) -> str:
        """SHA-256 of the rows so far."""
        return self._hash.hexdigest()

    def add(self, rows: Rows) -> None:
        data = rows.tobytes()
        self._hash.update(data)
        self._file.write(data)
        self.rows += len(rows)

    def chunks(self) -> Iterator[Rows]:
        """From the first row; call only when all are there."""
        self._file.seek(0)
        while data := self._file.read(BATCH_ROWS * ROW.itemsize):
            yield np.frombuffer(data, ROW)


async def fetch_bars(
    bars: AsyncIterator[FetchedBar],
    product: ProductSpec,
    spool: RowSpool,
    *,
    source: str,
    bar_seconds: int,
    notes: Sequence[str] = (),
    tell: Tell | None = None,
) -> RecordedMarket:
    """Take in bars, oldest first, stamped by their open. Raises MarketDataError, and what `bars` raises."""
    grid = _Grid(source, product)
    step_ns = bar_seconds * NS
    first_ns = last_ns = missing = 0
    before: Rows = np.zeros(0, ROW)
    batch: list[tuple[int, ...]] = []

    def flush() -> None:
        nonlocal before
        rows = _bar_rows(batch)
        spool.add(carried(before, rows, step_ns))
        before = rows[-1:]
        batch.clear()
        if tell:
            tell(last_ns)

    async for bar in bars:
        if last_ns:
            missing += _follows(grid, bar.open_ns, last_ns, step_ns)
        first_ns, last_ns = first_ns or bar.open_ns, bar.open_ns
        batch.append((bar.open_ns + step_ns, *grid.bar(bar)))
        if len(batch) >= BATCH_ROWS:
            flush()
    if batch:
        flush()
    if not first_ns:
        raise MarketDataError(f"{source}: no bars. Fix: ask for a time in which {product.symbol} was traded")
    return RecordedMarket(
        name=source,
        digest=spool.digest,
        products=(product,),
        start_ns=first_ns,
        end_ns=last_ns + step_ns,
        bar_seconds=bar_seconds,
        modelled_book=True,
        notes=(
            *notes,
            "A stamp is the open of its bar, as the exchange says.",
            missing_note(missing, "the exchange left out"),
            "There is no book in bars: the venue models one and marks it MODELLED; mark = its mid.",
        ),
        read=spool.chunks,
    )


async def fetch_trades(
    trades: AsyncIterator[FetchedTrade],
    product: ProductSpec,
    spool: RowSpool,
    *,
    source: str,
    notes: Sequence[str] = (),
    tell: Tell | None = None,
) -> RecordedMarket:
    """Take in single trades, oldest first. Raises MarketDataError, and what `trades` raises."""
    grid = _Grid(source, product)
    first_ns = last_ns = 0
    batch: list[tuple[int, ...]] = []

    def flush() -> None:
        spool.add(_trade_rows(batch))
        batch.clear()
        if tell:
            tell(last_ns)

    async for trade in trades:
        if trade.at_ns < last_ns:
            grid.fault(trade.at_ns, f"times going backwards, after {iso(last_ns)}")
        first_ns, last_ns = first_ns or trade.at_ns, trade.at_ns
        batch.append(
            (
                trade.at_ns,
                trade.side,
                grid.ticks(trade.at_ns, "price", trade.price),
                grid.lots(trade.at_ns, "size", trade.quantity),
            )
        )
        if len(batch) >= BATCH_ROWS:
            flush()
    if batch:
        flush()
    if last_ns <= first_ns:
        raise MarketDataError(f"{source}: fewer than two trades. Fix: ask for a longer time")
    return RecordedMarket(
        name=source,
        digest=spool.digest,
        products=(product,),
        start_ns=first_ns,
        end_ns=last_ns,
        bar_seconds=TRADES_BAR_SECONDS,
        modelled_book=False,
        notes=(*notes, "Single trades without a book: nothing can be traded on them; there is no mark and no quote."),
        read=spool.chunks,
    )


class _Grid:
    """Decimals of one product as whole ticks and lots."""

    def __init__(self, source: str, product: ProductSpec) -> None:
        self._source = source
        self._tick = product.tick
        self._lot = product.lot

    def fault(self, at_ns: int, what: str) -> NoReturn:
        raise MarketDataError(f"{self._source}, {iso(at_ns)}: {what}. Fix: leave this time out with --from and --to")

    def bar(self, bar: FetchedBar) -> tuple[int, ...]:
        at_ns = bar.open_ns
        prices = [self.ticks(at_ns, name, value) for name, value in zip(bar._fields[1:5], bar[1:5], strict=True)]
        return (*prices, self.lots(at_ns, "volume", bar.volume))

    def ticks(self, at_ns: int, name: str, price: Decimal) -> int:
        if not 0 < price < PRICE_MAX:
            self.fault(at_ns, f"{name} = {price} is no price")
        return self._whole(at_ns, name, price, self._tick)

    def lots(self, at_ns: int, name: str, quantity: Decimal) -> int:
        if not 0 <= quantity < LOTS_MAX * self._lot:
            self.fault(at_ns, f"{name} = {quantity} is no quantity")
        return self._whole(at_ns, name, quantity, self._lot)

    def _whole(self, at_ns: int, name: str, value: Decimal, step: Decimal) -> int:
        count, rest = divmod(value, step)
        if rest:
            self.fault(at_ns, f"{name} = {value} is no multiple of {step:f}")
        return int(count)


def _follows(grid: _Grid, open_ns: int, last_ns: int, step_ns: int) -> int:
    """How many bars are missing before this one."""
    steps, rest = divmod(open_ns - last_ns, step_ns)
    if rest or steps < 1:
        grid.fault(open_ns, f"the bar does not follow that of {iso(last_ns)}")
    if steps - 1 > GAP_BARS_MAX:
        grid.fault(open_ns, f"{steps - 1:,} bars are missing since {iso(last_ns)}")
    return steps - 1


def _bar_rows(batch: list[tuple[int, ...]]) -> Rows:
    values = np.array(batch, np.int64).reshape(-1, 6)
    rows: Rows = np.zeros(len(values), ROW)
    rows["kind"] = BAR
    rows["ts"] = rows["recv"] = values[:, 0]
    for column, name in enumerate("abcde", 1):
        rows[name] = values[:, column]
    return rows


def _trade_rows(batch: list[tuple[int, ...]]) -> Rows:
    values = np.array(batch, np.int64).reshape(-1, 4)
    rows: Rows = np.zeros(len(values), ROW)
    rows["kind"] = TRADE
    rows["ts"] = rows["recv"] = values[:, 0]
    rows["side"], rows["a"], rows["b"] = values[:, 1], values[:, 2], values[:, 3]
    return rows
