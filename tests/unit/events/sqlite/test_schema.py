"""Logs with foreign schema objects, and endless queries."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import pytest
from support.disk import crashed
from support.log import append, created, produced

from odradek_events import SqliteLog
from odradek_events.errors import DamagedCommit
from odradek_events.maintenance.salvage import salvage
from odradek_events.maintenance.verify import verify
from odradek_events.sqlite.connections import LogFile
from odradek_events.sqlite.interruption import Interruptible, fetch_aside

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        append(log, "topic/a", produced(0))
    return path


ALTERATIONS = {
    "a trigger that swallows commits": (
        "CREATE TRIGGER swallow AFTER INSERT ON commits BEGIN SELECT raise(IGNORE); END",
        "trigger swallow",
    ),
    "a trigger on the index": (
        "CREATE TRIGGER forget BEFORE INSERT ON tags BEGIN SELECT raise(IGNORE); END",
        "trigger forget",
    ),
    "another table": ("CREATE TABLE addresses (name TEXT)", "table addresses"),
    "another view": (f"CREATE VIEW endless AS {ENDLESS}", "view endless"),
    "another index": ("CREATE INDEX more ON commits (last_position)", "index more"),
    "another column": ("ALTER TABLE commits ADD COLUMN more", "table commits"),
    "statistics": ("ANALYZE", "table sqlite_stat"),
    "another trigger of the same name": (
        "DROP TRIGGER commits_are_not_changed;"
        "CREATE TRIGGER commits_are_not_changed BEFORE UPDATE ON commits BEGIN SELECT 1; END",
        "trigger commits_are_not_changed",
    ),
    "a view in place of the index": (
        f"DROP TABLE tags; CREATE VIEW tags AS {ENDLESS}",
        "view tags",
    ),
    "a view in place of the commits": (
        f"ALTER TABLE commits RENAME TO hidden; CREATE VIEW commits AS {ENDLESS}",
        "sqlite_autoindex_hidden_1",
    ),
}


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_a_log_with_foreign_schema_objects_is_refused_and_left_unchanged(
    path: Path, alteration: str, read_only: bool
) -> None:
    statements, name = ALTERATIONS[alteration]
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(statements)
    before = path.read_bytes()
    with pytest.raises(DamagedCommit, match=rf"its schema was altered: the .*{name}.* was added or changed"):
        SqliteLog(path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("alteration", ALTERATIONS)
@pytest.mark.parametrize("is_in_write_ahead_log", [False, True])
def test_the_commits_of_an_altered_log_are_salvaged(
    path: Path, tmp_path: Path, alteration: str, is_in_write_ahead_log: bool
) -> None:
    source = path
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(ALTERATIONS[alteration][0])
        if is_in_write_ahead_log:
            source = crashed(path, tmp_path / "crashed.db")
    found = salvage(source, tmp_path / "new.db")
    assert found.is_whole
    assert any("was added or changed" in note for note in found.notes)
    with SqliteLog(tmp_path / "new.db") as log:
        assert log.head().position == 1
        assert verify(log).is_sound


@pytest.mark.parametrize(
    "change", ["DROP TRIGGER commits_are_appended", "DROP INDEX tag_offsets", "DROP VIEW events", "DROP TABLE tags"]
)
def test_a_log_that_lacks_schema_objects_can_be_read_but_not_written(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(change)
    with SqliteLog(path, read_only=True) as log:
        assert [recorded.position for recorded in log.read()] == [0, 1]
    with pytest.raises(DamagedCommit, match="is missing from its schema"):
        SqliteLog(path)


def test_verify_of_an_open_log_finds_schema_objects_added_by_another_program(path: Path) -> None:
    with SqliteLog(path) as log:
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.execute("CREATE TABLE addresses (name TEXT)")
        problems = [finding.problem for finding in verify(log).findings]
        assert any("the table addresses was added or changed" in problem for problem in problems)


# -- interruption -----------------------------------------------------------------------------------------------------


class _Interrupted(BaseException):
    pass


@contextmanager
def interrupted_soon() -> Iterator[None]:
    """Expect a signal handler's exception to end the block."""

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise _Interrupted

    before = signal.signal(signal.SIGUSR1, raise_it)
    timer = threading.Timer(0.2, signal.pthread_kill, [threading.get_ident(), signal.SIGUSR1])
    timer.start()
    try:
        with pytest.raises(_Interrupted):
            yield
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def test_an_endless_query_is_interrupted_by_a_signal_and_the_log_stays_readable(path: Path) -> None:
    with SqliteLog(path, read_only=True) as log:
        file: LogFile = log._file
        with interrupted_soon():
            file.fetch(ENDLESS)
        assert [recorded.position for recorded in log.read()] == [0, 1]


def test_a_query_in_another_thread_is_interrupted_by_a_signal(path: Path) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False, factory=Interruptible)) as connection:
        with interrupted_soon():
            fetch_aside(connection, ENDLESS)
        assert fetch_aside(connection, "SELECT 1") == [(1,)]


def test_a_query_in_another_thread_raises_the_errors_of_sqlite(path: Path) -> None:
    with (
        closing(sqlite3.connect(path, check_same_thread=False)) as connection,
        pytest.raises(sqlite3.OperationalError, match="no such table"),
    ):
        fetch_aside(connection, "SELECT * FROM addresses")
