"""What a killed process left behind: how far the log reaches, how far the store has counted, what was half written.

It reads the files themselves, after the kill and before the resume: record batches (version 2, a public format; only
their headers) and the tables that the design names. Reading happens on a copy of the store, so that nothing is healed
by looking at it.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import sqlite3
import struct
import tempfile

BATCH_HEADER = struct.Struct(">qiibIhi")  # base offset, length, leader epoch, magic, CRC, attributes, last offset delta
BATCH_PREFIX_BYTES = 12  # base offset and length are not counted in length


@dataclasses.dataclass(frozen=True)
class LogState:
    """records: Σ of the partitions' ends. torn_bytes: bytes after the last whole batch that are not zero filling."""

    records: int
    torn_bytes: int
    segments: int


@dataclasses.dataclass(frozen=True)
class StoreState:
    """passed: Σ (next_offset − start_offset). epochs: Σ of epochs, raised at each take-over.
    uncommitted_frames: frames at the end of SQLite's write-ahead log that belong to no committed transaction."""

    passed: int
    epochs: int
    uncommitted_frames: int


def log_state(directory: pathlib.Path) -> LogState:
    records = torn = segments = 0
    for partition in directory.iterdir() if directory.exists() else ():
        files = sorted(partition.glob("*.log")) if partition.is_dir() else []
        segments += len(files)
        if files:
            end, half = _segment_end(files[-1])
            records += end
            torn += half
    return LogState(records, torn, segments)


def _segment_end(path: pathlib.Path) -> tuple[int, int]:
    """The offset after the last whole batch, and the bytes behind it."""
    data = path.read_bytes()
    at, end = 0, int(path.stem)
    while at + BATCH_HEADER.size <= len(data):
        base, length, _, magic, _, _, last_delta = BATCH_HEADER.unpack_from(data, at)
        if magic != 2 or base != end or length <= 0 or at + BATCH_PREFIX_BYTES + length > len(data):
            break
        end = base + last_delta + 1
        at += BATCH_PREFIX_BYTES + length
    return end, len(data[at:].rstrip(b"\0"))


def store_state(path: pathlib.Path) -> StoreState:
    """Of a store whose process is dead. An absent or still empty one has passed nothing."""
    if not path.exists():
        return StoreState(0, 0, 0)
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory) / path.name
        for suffix in ("", "-wal"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                shutil.copy(part, copy.with_name(copy.name + suffix))
        frames = _uncommitted_frames(copy.with_name(copy.name + "-wal"))
        connection = sqlite3.connect(copy)
        try:
            passed, epochs = connection.execute(
                "SELECT coalesce(sum(next_offset - start_offset), 0), coalesce(sum(epoch), 0) FROM progress"
            ).fetchone()
        except sqlite3.OperationalError:
            passed = epochs = 0  # killed before the tables stood
        finally:
            connection.close()
    return StoreState(passed, epochs, frames)


def _uncommitted_frames(wal: pathlib.Path) -> int:
    """SQLite's file format, section 4: a frame belongs to the log while its salts are the header's; a transaction ends
    with a frame that gives the size of the database."""
    if not wal.exists():
        return 0
    data = wal.read_bytes()
    if len(data) < 32:
        return 0
    page_bytes = struct.unpack_from(">I", data, 8)[0]
    salts = data[16:24]
    frames = 0
    for at in range(32, len(data) - 23, 24 + page_bytes):
        if data[at + 8 : at + 16] != salts:
            break
        frames = 0 if struct.unpack_from(">I", data, at + 4)[0] else frames + 1
    return frames
