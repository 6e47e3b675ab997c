"""What lies in this file? Opens a recorded market by its content, gzip or plain, and checks it from end to end."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from gpt_trader.market.bar_file import Stamp, is_bar_header, open_bar_file
from gpt_trader.market.binance_raw import is_raw_line, open_raw_capture
from gpt_trader.market.recording import RecordedMarket, SourceFile

__all__ = ["open_market", "open_source"]


def open_market(
    path: Path, *, bar_seconds: int | None = None, stamp: Stamp | None = None, symbol: str | None = None
) -> RecordedMarket:
    """Read the whole file once, refuse it if any of it must not be traded on, and return it as a market.

    `bar_seconds` is the length of the bars that strategies get; None leaves it to the market. `stamp` says whether
    the time of a recorded bar is its open or its close, `symbol` what a file of bars holds; None lets the file
    decide. Neither means anything to a raw capture. Raises MarketDataError with file, line, value and fix, and
    ConfigError where a setting does not fit the file.
    """
    return open_source(SourceFile(path), bar_seconds=bar_seconds, stamp=stamp, symbol=symbol)


def open_source(
    source: SourceFile,
    *,
    bar_seconds: int | None = None,
    stamp: Stamp | None = None,
    symbol: str | None = None,
    tick: Decimal | None = None,
    lot: Decimal | None = None,
) -> RecordedMarket:
    """As `open_market`, of a file that tells how far it is read; `tick` and `lot` are the grid of a file of bars."""
    head = source.first_line()
    if is_raw_line(head):
        return open_raw_capture(source, bar_seconds=bar_seconds)
    if is_bar_header(head):
        return open_bar_file(source, bar_seconds=bar_seconds, stamp=stamp, symbol=symbol, tick=tick, lot=lot)
    return source.fault(
        1,
        f"unknown format, it begins with {head[:40].decode('utf8', 'replace')!a}",
        "give raw Binance USD-M lines `local_ns {json}`, or bars as CSV with the header "
        "timestamp,open,high,low,close,volume; either may be gzip",
    )
