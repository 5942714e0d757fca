"""Readers next to a writer: the resources of paused readers, and the files that readers leave behind."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from support.disk import crashed
from support.log import append, created, ordinary_user, produced

from odradek_events import SqliteLog
from odradek_events.errors import DamagedCommit, LogNotWritable
from odradek_events.maintenance.backup import backup
from odradek_events.maintenance.verify import verify
from odradek_events.sqlite.connections import LogFile, _Connection
from odradek_events.sqlite.index_walk import walk_index

PAGE = 4096

PAUSING: list[Callable[[SqliteLog], Iterator[Any]]] = [
    lambda log: log.read(),
    lambda log: log.read(tags=["topic:orders"]),
    lambda log: log.read(stream="topic/a"),
    lambda log: log.commits(),
    lambda log: log.scan(),
    lambda log: iter(log.subscribe()),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.mark.slow
@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_paused_readers_do_not_block_checkpoints(path: Path, is_elsewhere: bool) -> None:
    with SqliteLog(path, durability="off") as log:
        for number in range(20):
            append(log, "topic/a", produced(number))
        with SqliteLog(path, read_only=True) as other:
            paused = [reading(other if is_elsewhere else log) for reading in PAUSING]
            for reader in paused:
                next(reader)
            for number in range(20, 420):
                append(log, "topic/a", produced(number, value=b"x" * 100_000))
            written = sum(len(stored.events) for stored in log.stored())
            assert written > 50_000_000
            assert os.stat(f"{path}-wal").st_size < written / 2
            assert all(next(reader) is not None for reader in paused)


def test_a_paused_reader_keeps_about_one_chunk_in_memory(path: Path) -> None:
    with SqliteLog(path, durability="off") as log:
        for number in range(20):
            append(log, "topic/a", produced(number, value=b"x" * 500_000))
        file = log._file
        rows = file.rows("SELECT *, NULL FROM commits WHERE first_position >= ? AND first_position <= ?", (), 0, 99, 0)
        assert next(rows)[0] == 0
        assert rows.gi_frame is not None  # type: ignore[attr-defined]  # a generator's
        assert len(rows.gi_frame.f_locals["chunk"].rows) == 2  # type: ignore[attr-defined]  # a generator's


def test_a_reader_of_a_closed_log_leaves_no_files_behind(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    before = {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    with SqliteLog(path, read_only=True) as log:
        assert [recorded.position for recorded in log.read()] == [0]
        assert verify(log).is_sound
        assert {file.name for file in path.parent.iterdir()} == set(before)
    assert {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()} == before


def test_a_reader_of_another_user_does_not_lock_the_owner_out(public_place: Path) -> None:
    path = public_place / "log.db"
    with ordinary_user(), SqliteLog(path) as log:
        append(log, "topic/a", created())
    with ordinary_user(65533), SqliteLog(path, read_only=True) as reader:
        assert reader.head().position == 0
    with ordinary_user(), SqliteLog(path) as log:
        append(log, "topic/a", produced(0))


@pytest.mark.parametrize("suffix", ["-shm", "-wal"])
def test_an_unwritable_file_next_to_the_log_is_named_in_the_error(public_place: Path, suffix: str) -> None:
    path = public_place / "log.db"
    with ordinary_user(), SqliteLog(path) as log:
        append(log, "topic/a", created())
    Path(f"{path}{suffix}").touch(0o444)
    with (
        ordinary_user(),
        pytest.raises(
            LogNotWritable,
            match=rf"log\.db{suffix} belongs to user \d+, and user \d+ may not write it; close the log in every",
        ),
    ):
        SqliteLog(path)


def test_a_reader_of_a_closed_log_follows_a_new_writer(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    with SqliteLog(path, read_only=True) as reader:
        assert reader.head().position == 0
        with SqliteLog(path) as log:
            for number in range(3):
                append(log, "topic/a", produced(number))
                assert [recorded.position for recorded in reader.read()] == list(range(number + 2))
        assert reader.head().position == 3


class _Interrupted(LogFile):
    """The file of a log that changes while it is opened; `during` has a context manager for each attempt to connect."""

    def __init__(self, path: Path, during: list[AbstractContextManager[None]], *, read_only: bool = True) -> None:
        self._during = during
        super().__init__(path, str(path), read_only)

    def _connect(self, query: str) -> _Connection:
        with self._during.pop(0):
            return super()._connect(query)


def growing(path: Path) -> tuple[bytes, bytes]:
    """Create a log, and return its content after one commit and after two."""
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    before = path.read_bytes()
    with SqliteLog(path) as log:
        append(log, "topic/a", produced(0, value=b"x" * 20_000))
    return before, path.read_bytes()


@contextmanager
def checkpoint(path: Path, before: bytes, after: bytes, pages: int) -> Iterator[None]:
    """Write the first pages of the second commit of a log, and the others afterwards."""
    path.write_bytes(after[: pages * PAGE] + before[pages * PAGE :])
    try:
        yield
    finally:
        path.write_bytes(after)


@pytest.mark.parametrize("pages", [1, 3, 8])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_checkpoint_that_starts_while_a_log_is_opened_is_not_damage(path: Path, pages: int, read_only: bool) -> None:
    before, after = growing(path)
    path.write_bytes(before)
    during: list[AbstractContextManager[None]] = [checkpoint(path, before, after, pages), nullcontext(), nullcontext()]
    with closing(_Interrupted(path, during, read_only=read_only)) as file:
        assert file.fetch("SELECT max(last_position) FROM commits") == [(1,)]
        assert len(during) <= 1


def test_a_log_that_is_damaged_and_does_not_change_is_opened_once(path: Path) -> None:
    before, after = growing(path)
    path.write_bytes(after[:PAGE] + before[PAGE:])
    during: list[AbstractContextManager[None]] = [nullcontext(), nullcontext()]
    with pytest.raises(DamagedCommit, match="malformed"):
        _Interrupted(path, during)
    assert len(during) == 1


def read_across_a_writer(path: Path, read: Callable[[sqlite3.Connection], int]) -> int:
    """Read a log of one commit; the first time, a writer appends 30 commits and closes right before `read`."""
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    writers = [path]

    def read_on(reader: sqlite3.Connection) -> int:
        reader.execute("SELECT max(last_position) FROM commits").fetchall()
        while writers:
            with SqliteLog(writers.pop(), durability="off") as log:
                for number in range(30):
                    append(log, "topic/a", produced(number, value=b"x" * 3_000))
        return read(reader)

    with closing(LogFile(path, str(path), read_only=True)) as file:
        return file.read(read_on)


def count_of(reader: sqlite3.Connection) -> int:
    ((count,),) = reader.execute("SELECT count(*) FROM commits").fetchall()
    assert isinstance(count, int)
    return count


def test_what_was_read_while_a_writer_opened_and_closed_is_read_again(path: Path) -> None:
    assert read_across_a_writer(path, count_of) == 31


def test_damage_found_while_a_writer_opened_and_closed_is_not_reported(path: Path) -> None:
    def count_or_fail(reader: sqlite3.Connection) -> int:
        if count_of(reader) == 1:  # as an immutable connection still sees it
            raise sqlite3.DatabaseError("database disk image is malformed")
        return count_of(reader)

    assert read_across_a_writer(path, count_or_fail) == 31


def test_an_index_that_changes_while_it_is_sorted_is_not_damage(path: Path) -> None:
    with SqliteLog(path, durability="off") as log:
        for number in range(300):
            append(log, "topic/a", produced(number))
    whole = path.read_bytes()

    def tear(statement: str) -> None:
        path.write_bytes(whole[:PAGE] if statement.startswith("\nCREATE TEMP TABLE walk") else whole)

    with closing(LogFile(path, str(path), read_only=True)) as file:
        with file.reader() as reader:
            reader.set_trace_callback(tear)
        with walk_index(file) as walk:
            assert walk.last == 299
            assert all(walk.entries_at(position) for position in range(300))


@pytest.mark.slow
def test_readers_of_a_log_that_writers_open_and_close_see_whole_commits_only(path: Path) -> None:
    SqliteLog(path).close()
    ended = threading.Event()
    failures: list[BaseException] = []

    def read_on() -> None:
        try:
            with SqliteLog(path, read_only=True) as reader:
                while not ended.is_set():
                    found = [recorded.position for recorded in reader.read()]
                    assert found == list(range(len(found)))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=read_on)
    thread.start()
    for number in range(60):
        with SqliteLog(path, durability="off") as log:
            append(log, "topic/a", produced(number, value=b"x" * 20_000))
    ended.set()
    thread.join(60)
    assert failures == []


def test_a_backup_never_overwrites_what_is_there(path: Path, tmp_path: Path) -> None:
    other, note = tmp_path / "other.db", tmp_path / "note.txt"
    note.write_text("a note")
    with SqliteLog(other) as log:
        append(log, "topic/b", created("b"))
    before = other.read_bytes()
    with SqliteLog(path) as log:
        for target in (other, note, tmp_path):
            with pytest.raises(LogNotWritable, match="it exists already, and is never overwritten"):
                log.backup(target)
    assert (other.read_bytes(), note.read_text()) == (before, "a note")


def test_a_backup_of_a_closed_log_leaves_no_other_files(path: Path, tmp_path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    with SqliteLog(path, read_only=True) as log:
        assert backup(log, tmp_path / "copy.db") == log.head()
    assert {file.name for file in tmp_path.iterdir()} == {"log.db", "log.db.lock", "copy.db"}


@pytest.mark.slow
def test_a_backup_in_steps_is_consistent_while_the_log_grows(path: Path, tmp_path: Path) -> None:
    with SqliteLog(path, durability="off") as log:
        for number in range(300):
            append(log, "topic/a", produced(number, value=b"x" * 50_000))
        ended = threading.Event()

        def grow() -> None:
            number = 300
            while not ended.is_set():
                append(log, "topic/a", produced(number))
                number += 1

        thread = threading.Thread(target=grow)
        thread.start()
        try:
            head = backup(log, tmp_path / "copy.db")
        finally:
            ended.set()
            thread.join(60)
        assert head.position >= 299
        with SqliteLog(tmp_path / "copy.db", read_only=True) as copy:
            assert verify(copy).is_sound


def test_a_log_of_a_killed_writer_is_read_to_its_end(path: Path, tmp_path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        append(log, "topic/a", created())
        place = tmp_path / "elsewhere"
        place.mkdir()
        copy = crashed(path, place / "log.db")
    with SqliteLog(copy, read_only=True) as reader:
        assert reader.head().position == 0
    shutil.rmtree(place)
