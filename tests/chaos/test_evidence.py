"""The evidence reader's own tests, on files made here."""

from __future__ import annotations

import pathlib
import shutil
import sqlite3

from tests.chaos.evidence import BATCH_HEADER, LogState, StoreState, log_state, store_state


def batch(base: int, records: int, payload: bytes = b"p" * 50) -> bytes:
    length = BATCH_HEADER.size - 12 + len(payload)
    return BATCH_HEADER.pack(base, length, 1, 2, 0, 0, records - 1) + payload


def test_log_state(tmp_path: pathlib.Path) -> None:
    assert log_state(tmp_path / "none") == LogState(0, 0, 0)
    for partition in "01":
        (tmp_path / partition).mkdir()
    (tmp_path / "log.json").write_text("{}")
    (tmp_path / "0" / f"{0:020}.log").write_bytes(batch(0, 10))
    (tmp_path / "0" / f"{10:020}.log").write_bytes(batch(10, 5) + batch(15, 1) + bytes(4096))
    (tmp_path / "1" / f"{0:020}.log").write_bytes(batch(0, 3) + batch(3, 3)[:-1])
    assert log_state(tmp_path) == LogState(records=19, torn_bytes=len(batch(3, 3)) - 1, segments=3)


def test_store_state(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "results.db"
    assert store_state(path) == StoreState(0, 0, 0)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA cache_size = 5")
    connection.execute("CREATE TABLE progress (epoch, start_offset, next_offset, filling)")
    connection.execute("INSERT INTO progress VALUES (1, 0, 40, ''), (2, 5, 15, '')")
    assert store_state(path) == StoreState(passed=50, epochs=3, uncommitted_frames=0)
    connection.execute("BEGIN")
    connection.execute("UPDATE progress SET next_offset = 99")
    for _ in range(50):
        connection.execute("INSERT INTO progress VALUES (0, 0, 0, zeroblob(9000))")
    (tmp_path / "copy").mkdir()
    for part in tmp_path.glob("results.db*"):
        shutil.copy(part, tmp_path / "copy" / part.name)
    torn = store_state(tmp_path / "copy" / "results.db")
    assert torn.passed == 50 and torn.uncommitted_frames > 0
    connection.execute("COMMIT")
    assert store_state(path).uncommitted_frames == 0
