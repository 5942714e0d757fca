"""Logs have one-line reprs without a memory address, for debuggers and notebooks."""

from __future__ import annotations

from pathlib import Path

from support.log import START, append, created

from odradek_events import Append, MemoryLog, SqliteLog
from odradek_events.log import FaultyLog


def test_a_log_in_memory_shows_its_head() -> None:
    log = MemoryLog()
    assert repr(log) == "<MemoryLog head=-1>"
    append(log, "topic/a", created())
    assert repr(log) == "<MemoryLog head=0>"
    log.close()
    assert repr(log) == "<MemoryLog closed head=0>"


def test_a_log_in_a_file_shows_its_name_and_head(tmp_path: Path) -> None:
    name = str(tmp_path / "log.db")
    with SqliteLog(name, durability="off") as log:
        append(log, "topic/a", created())
        assert repr(log) == f"<SqliteLog {name!r} durability=off head=0>"
    assert repr(log) == f"<SqliteLog {name!r} closed durability=off head=0>"


def test_a_reader_of_a_file_shows_no_head_since_that_would_need_a_read(tmp_path: Path) -> None:
    name = str(tmp_path / "log.db")
    SqliteLog(name, durability="off").close()
    with SqliteLog(name, read_only=True) as log:
        assert repr(log) == f"<SqliteLog {name!r} read_only=True>"
    assert repr(log) == f"<SqliteLog {name!r} closed read_only=True>"


def test_a_faulty_log_shows_its_store_and_its_faults() -> None:
    log = FaultyLog()
    assert repr(log) == "<FaultyLog <MemoryLog head=-1> ordered=0 fired=0>"
    log.lose_answer(written=True)
    log.reject(stream="topic/b")
    log.append([Append(stream="topic/a", events=[created()])], START)
    log.is_unreadable = True
    assert repr(log) == "<FaultyLog <MemoryLog head=0> is_unreadable is_poisoned ordered=1 fired=1>"
