"""Is a market recognised by what is in the file, whatever it is called?"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gpt_trader.core.errors import MarketDataError
from gpt_trader.market.recorded import open_market

BARS = b"timestamp,open,high,low,close,volume\n2022-01-01 00:00:00,1,1,1,1,1\n2022-01-01 00:01:00,1,1,1,1,1\n"


@pytest.mark.parametrize("name", ["bars.csv", "bars.txt", "bars.raw", "bars"])
def test_content_decides_not_the_name(tmp_path: Path, name: str) -> None:
    """Bars are bars under any name."""
    (tmp_path / name).write_bytes(BARS)

    assert open_market(tmp_path / name).modelled_book


def test_packed_bars_are_read_under_any_name(tmp_path: Path) -> None:
    """Gzip is recognised by its first bytes."""
    (tmp_path / "bars.dat").write_bytes(gzip.compress(BARS))

    assert open_market(tmp_path / "bars.dat").bar_seconds == 60


def test_market_tells_the_name_and_no_path(tmp_path: Path) -> None:
    """What is logged does not say where somebody keeps files."""
    (tmp_path / "bars.csv").write_bytes(BARS)
    market = open_market(tmp_path / "bars.csv")

    assert market.name == "bars.csv"
    assert str(tmp_path) not in " ".join(market.notes)


@pytest.mark.parametrize("head", [b"open,high\n1,2\n", b"\x00\x01\x02", b'{"a": 1}\n', b"time,o,h,l,c,v\n"])
def test_unknown_format_names_what_is_understood(tmp_path: Path, head: bytes) -> None:
    """The answer to a wrong file says which ones are right."""
    (tmp_path / "what").write_bytes(head)

    with pytest.raises(
        MarketDataError, match=r"unknown format.*local_ns \{json\}.*timestamp,open,high,low,close,volume"
    ):
        open_market(tmp_path / "what")
