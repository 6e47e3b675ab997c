"""Is a file read as it is, and is decimal text turned into whole multiples without a crumb?"""

from __future__ import annotations

import gzip
import hashlib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from gpt_trader.core.errors import MarketDataError
from gpt_trader.market.recording import Grid, SourceFile

TEXT = b"first line\nsecond line\n"


def test_gzip_and_plain_text_are_the_same_market(tmp_path: Path) -> None:
    """The digest is of the text, so that packing a file changes nothing."""
    plain, packed = SourceFile(tmp_path / "a.txt"), SourceFile(tmp_path / "b")
    plain.path.write_bytes(TEXT)
    packed.path.write_bytes(gzip.compress(TEXT))

    assert list(plain.lines()) == list(packed.lines()) == [(1, b"first line"), (2, b"second line")]
    assert plain.digest == packed.digest == hashlib.sha256(TEXT).hexdigest()


def test_missing_file_is_named_with_its_path(tmp_path: Path) -> None:
    """A wrong path is answered with the path that was tried."""
    with pytest.raises(MarketDataError, match=r"nowhere\.gz: cannot be read: No such file"):
        SourceFile(tmp_path / "nowhere.gz").first_line()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder is refused as what cannot be read, not with a traceback."""
    with pytest.raises(MarketDataError, match="cannot be read: Is a directory"):
        SourceFile(tmp_path).first_line()


def test_empty_file_is_refused(tmp_path: Path) -> None:
    """Nothing in it is a fault, not a market without rows."""
    (tmp_path / "empty.csv").write_bytes(b"")

    with pytest.raises(MarketDataError, match="the file is empty"):
        SourceFile(tmp_path / "empty.csv").first_line()


def test_empty_gzip_is_refused(tmp_path: Path) -> None:
    """A packed nothing is nothing."""
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))

    with pytest.raises(MarketDataError, match="the file is empty"):
        SourceFile(tmp_path / "empty.gz").first_line()


def test_name_that_promises_gzip_must_keep_it(tmp_path: Path) -> None:
    """A .gz that is no gzip was damaged on the way or unpacked half way."""
    (tmp_path / "text.gz").write_bytes(TEXT)

    with pytest.raises(MarketDataError, match="this is not gzip"):
        SourceFile(tmp_path / "text.gz").first_line()


def test_truncated_gzip_is_refused_with_the_line(tmp_path: Path) -> None:
    """A download that stopped half way is seen at the end of what is there."""
    (tmp_path / "cut.gz").write_bytes(gzip.compress(np.random.default_rng(1).bytes(99_999).hex().encode())[:-500])

    with pytest.raises(MarketDataError, match=r"cut\.gz, line 1: the compressed file ends here.*truncated"):
        list(SourceFile(tmp_path / "cut.gz").lines())


def test_truncated_gzip_names_the_line_where_it_ends(tmp_path: Path) -> None:
    """Not the one where the last whole buffer began."""
    lines = [np.random.default_rng(n).bytes(40).hex() for n in range(2000)]
    (tmp_path / "cut.gz").write_bytes(gzip.compress("\n".join(lines).encode())[:60_000])

    with pytest.raises(MarketDataError, match="truncated") as caught:
        list(SourceFile(tmp_path / "cut.gz").lines())
    number = int(str(caught.value).partition("line ")[2].partition(":")[0])
    assert 1000 < number < 1500


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """A flipped byte breaks the checksum."""
    packed = bytearray(gzip.compress(TEXT * 50))
    packed[-6] ^= 0xFF
    (tmp_path / "bad.gz").write_bytes(packed)

    with pytest.raises(MarketDataError, match="the compressed file is damaged"):
        list(SourceFile(tmp_path / "bad.gz").lines())


def test_file_that_changes_between_passes_is_refused(tmp_path: Path) -> None:
    """What was checked must be what is traded on."""
    source = SourceFile(tmp_path / "a.txt")
    source.path.write_bytes(TEXT)
    list(source.lines())
    source.path.write_bytes(TEXT + b"more\n")

    with pytest.raises(MarketDataError, match="changed while it was being read"):
        list(source.lines())


@pytest.mark.parametrize("step", ["0.1", "0.001", "0.25", "5", "0.00000001", "1000", "0.125"])
def test_every_decimal_on_the_grid_is_counted_exactly(step: str) -> None:
    """Text to float to whole multiples and back gives the same text."""
    counts = np.random.default_rng(7).integers(1, 10**9, 2000)
    values = np.array([float(Decimal(step) * int(count)) for count in counts])

    found, exact = Grid(Decimal(step)).multiples(values)

    assert exact.all()
    assert (found == counts).all()


@pytest.mark.parametrize("value", [100.05, 100.00000001, float("nan"), float("inf"), 1e30, 2.0**53])
def test_what_lies_beside_the_grid_is_not_counted(value: float) -> None:
    """Between two steps, no number, or too large to count exactly."""
    _, exact = Grid(Decimal("0.1")).multiples(np.array([value]))

    assert not exact[0]


def test_grid_from_units_reads_as_a_person_writes_it() -> None:
    """A divisor of 10,000,000 units of 1e-8 is a tick of 0.1."""
    assert f"{Grid.of_units(10_000_000).step:f}" == "0.1"
    assert f"{Grid.of_units(500_000_000).step:f}" == "5"
    assert f"{Grid.of_units(100_000_000_000).step:f}" == "1000"
