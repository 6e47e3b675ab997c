"""How is a part of the log written outside the database? A line of JSON an event, as `events export` prints it.

An archived segment is such a file, compressed. Each line carries hash and schema version, and the event's bytes as
they were hashed, so a segment is verified like the rows that it stands for.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from gpt_trader.core.errors import StoreError
from gpt_trader.records.walk import StoredRow

__all__ = ["Line", "line_of", "segment_rows", "write_segment"]


class Line(msgspec.Struct, frozen=True):
    """One event outside the database."""

    sequence: int
    boot: int
    schema: int
    hash: str
    event: msgspec.Raw


_DECODER = msgspec.json.Decoder(Line)


def line_of(row: StoredRow) -> bytes:
    """The event of a stored row as one line, without the newline."""
    sequence, boot, version, payload, _, digest, *_ = row
    return msgspec.json.encode(Line(sequence, boot, version, digest.hex(), msgspec.Raw(payload)))


def write_segment(file: Path, rows: Iterable[StoredRow]) -> int:
    """Make the compressed file, mode 0600, whole and durable or not at all; returns how many events it holds."""
    new = file.with_suffix(".new")
    count = 0
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            for row in rows:
                packed.write(line_of(row) + b"\n")
                count += 1
        raw.flush()
        os.fsync(raw.fileno())
    new.rename(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)
    return count


def segment_rows(folder: Path, segments: Sequence[tuple[Any, ...]], after: int) -> Iterator[StoredRow]:
    """Rows of archived segments (first, last, previous hash, hash, file) after a sequence number, in order.

    Raises StoreError that names a file which is missing, cannot be unpacked or does not hold what it should.
    """
    for first, last, previous, digest, name in segments:
        file = folder / bytes(name).decode(errors="replace")
        end = (first - 1, bytes(previous))
        try:
            with gzip.open(file, "rb") as packed:
                for row in _lines(packed, bytes(previous)):
                    end = (row[0], row[5])
                    if row[0] > after:
                        yield row
        except (OSError, EOFError, zlib.error, msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"{file}: archived segment {first} to {last} cannot be read: {error}") from error
        if end != (last, digest):
            raise StoreError(f"{file}: the archived segment does not end with event {last} as it should")


def _lines(packed: IO[bytes] | gzip.GzipFile, previous: bytes) -> Iterator[StoredRow]:
    for text in packed:
        line = _DECODER.decode(text)
        digest = bytes.fromhex(line.hash)
        yield line.sequence, line.boot, line.schema, bytes(line.event), previous, digest
        previous = digest
