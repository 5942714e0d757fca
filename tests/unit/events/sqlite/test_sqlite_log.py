"""Guarantees of the log on disk only: its file, its single writer, its failures."""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.disk import tampering
from support.log import START, append, at, created, ordinary_user, produced

from odradek_events import Append, Appended, Failed, MemoryLog, Rejected, SqliteLog, open_log
from odradek_events.errors import (
    DamagedCommit,
    LogError,
    LogFull,
    LogLocked,
    LogNotFound,
    LogNotReadable,
    LogNotWritable,
    LogTooNew,
    LogUnavailable,
    NotALog,
    OutcomeUnknown,
)
from odradek_events.log.judging import chain
from odradek_events.maintenance.verify import verify
from odradek_events.record import NO_STREAM, Query, QueryItem
from odradek_events.sqlite.log import APPLICATION_ID, FORMAT, Durability


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def positions(log: SqliteLog | MemoryLog) -> list[int]:
    return [recorded.position for recorded in log.read()]


def in_another_process(program: str, *arguments: object) -> str:
    """Run a program in its own process; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout.strip()


def contents(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in place.iterdir()}


# -- bad input --------------------------------------------------------------------------------------------------------


def foreign_database(path: Path, user_version: int = 0, application_id: int = 0) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE addresses (name TEXT)")
        other.execute(f"PRAGMA user_version = {user_version}")
        other.execute(f"PRAGMA application_id = {application_id}")


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a short text\n", "file is not a database"),
        (b"a longer text\n" * 1000, "file is not a database"),
        (bytes(range(256)) * 64, "file is not a database"),
        (b"SQLite format 3\0" + bytes(range(256)) * 64, "file is not a database"),
        (b"\0" * 10_000, "file is not a database"),
    ],
    ids=["short text", "long text", "binary", "binary that begins like SQLite", "zeros"],
)
def test_a_file_that_is_not_a_database_is_refused_and_left_unchanged(
    path: Path, content: bytes, reason: str, read_only: bool
) -> None:
    path.write_bytes(content)
    before = path.stat()
    with pytest.raises(NotALog) as caught:
        open_log(path, read_only=read_only)
    assert str(caught.value) == f"{path} is not an Odradek log ({reason}) and was left unchanged; use another file"
    assert contents(path.parent) == {path.name: content}
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("identity", [(0, 0), (3, 0), (FORMAT, 77), (0, APPLICATION_ID)])
def test_another_programs_database_is_refused_and_left_unchanged(
    path: Path, identity: tuple[int, int], read_only: bool
) -> None:
    foreign_database(path, *identity)
    content = path.read_bytes()
    with pytest.raises(NotALog, match=r"\(it is another program's database\)"):
        open_log(path, read_only=read_only)
    assert contents(path.parent) == {path.name: content}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_directory_is_refused(tmp_path: Path, read_only: bool) -> None:
    with pytest.raises(NotALog, match=r"\(it is a directory\)"):
        open_log(tmp_path, read_only=read_only)
    assert contents(tmp_path) == {}


def test_a_pipe_is_refused_without_waiting_for_its_other_end(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(NotALog, match="it is not a regular file"):
        open_log(path)


def test_an_empty_file_becomes_a_log_when_opened_for_writing(path: Path) -> None:
    path.touch()
    with pytest.raises(NotALog, match=r"\(it is empty\)"):
        open_log(path, read_only=True)
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        assert positions(log) == [0]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_format_is_refused_with_both_numbers(path: Path, read_only: bool) -> None:
    SqliteLog(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(LogTooNew) as caught:
        open_log(path, read_only=read_only)
    assert str(caught.value) == (
        f"{path} has format {FORMAT + 1}, but this Odradek supports formats up to {FORMAT}; upgrade Odradek to open it"
    )


def test_a_missing_file_cannot_be_read(path: Path) -> None:
    with pytest.raises(LogNotFound, match=r"there is no log at .*log\.db; check the name"):
        open_log(path, read_only=True)
    assert contents(path.parent) == {}


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogNotWritable, match=r"no/log\.db cannot be written \(its directory does not exist\)"):
        open_log(tmp_path / "no" / "log.db")
    with pytest.raises(LogNotFound):
        open_log(tmp_path / "no" / "log.db", read_only=True)


def test_a_file_name_too_long_for_the_file_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogNotWritable, match="File name too long"):
        open_log(tmp_path / ("x" * 300))
    with pytest.raises(LogNotFound):
        open_log(tmp_path / ("x" * 300), read_only=True)


def test_a_log_in_a_read_only_directory_is_not_writable(public_place: Path) -> None:
    os.chmod(public_place, 0o555)
    with (
        ordinary_user(),
        pytest.raises(LogNotWritable, match=r"\(its lock file .*log\.db\.lock cannot be opened: Permission denied\)"),
    ):
        open_log(public_place / "log.db")
    assert contents(public_place) == {}


def test_a_read_only_file_can_be_read_but_not_written(public_place: Path) -> None:
    path = public_place / "log.db"
    with ordinary_user():
        with SqliteLog(path) as log:
            append(log, "topic/a", created())
        os.chmod(path, 0o444)
        with pytest.raises(
            LogNotWritable, match=r"cannot be written \(the file is read-only\); use another path, or open it read-only"
        ):
            open_log(path)
        with SqliteLog(path, read_only=True) as log:
            assert positions(log) == [0]


@pytest.mark.parametrize(("read_only", "error"), [(True, LogNotReadable), (False, LogNotWritable)])
def test_a_file_without_read_permission_is_refused(public_place: Path, read_only: bool, error: type[LogError]) -> None:
    path = public_place / "log.db"
    SqliteLog(path).close()
    os.chmod(path, 0o000)
    with ordinary_user(), pytest.raises(error, match=r"log\.db cannot be .* \(unable to open database file\)"):
        open_log(path, read_only=read_only)


def test_a_closed_log_can_be_read_in_a_read_only_directory(public_place: Path) -> None:
    path = public_place / "log.db"
    with SqliteLog(path) as log:
        append(log, "topic/a", created(), produced(0))
    os.chmod(path, 0o444)
    os.chmod(public_place, 0o555)
    before = contents(public_place)
    with ordinary_user(), SqliteLog(path, read_only=True) as log:
        assert positions(log) == [0, 1]
        assert log.head().position == 1
        assert verify(log).is_sound
    assert contents(public_place) == before


def test_a_reader_without_write_permission_follows_a_writer_that_starts_later(public_place: Path) -> None:
    path = public_place / "log.db"
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    os.chmod(public_place, 0o555)
    with ordinary_user():
        reader = SqliteLog(path, read_only=True)
        assert positions(reader) == [0]
    os.chmod(public_place, 0o777)
    with reader:
        for number in range(1, 4):
            with SqliteLog(path) as log:
                append(log, "topic/a", produced(number))
                assert positions(reader) == list(range(number + 1))
            assert positions(reader) == list(range(number + 1))


def test_a_log_that_was_not_closed_is_not_read_without_its_write_ahead_log(public_place: Path) -> None:
    place = public_place / "copy"
    with SqliteLog(public_place / "log.db") as log:
        append(log, "topic/a", created())
        place.mkdir()
        for name in ("log.db", "log.db-wal"):
            shutil.copy(public_place / name, place / name)
    os.chmod(place, 0o555)
    with ordinary_user(), pytest.raises(LogNotReadable, match="its writer has not closed it"):
        open_log(place / "log.db", read_only=True)


def test_an_unknown_durability_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="durability must be 'full', 'normal' or 'off', not 'fast'"):
        SqliteLog(path, durability="fast")  # type: ignore[arg-type]  # the mistake under test


# -- opening ----------------------------------------------------------------------------------------------------------


def test_a_log_in_memory_is_opened_by_its_name() -> None:
    with open_log(":memory:") as log:
        assert isinstance(log, MemoryLog)


def test_a_reopened_log_continues_where_it_ended(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created(), when=50)
        head = log.head()
    with SqliteLog(path) as log:
        assert log.head() == head
        append(log, "topic/a", produced(0), expected=0, when=10)
        assert log.head().recorded_at == at(50)
        assert verify(log).is_sound


@pytest.mark.parametrize("name", ["log.db", "ünï ☃.db", "a?b#c%20.db", "no-suffix"])
def test_a_log_may_have_any_file_name(tmp_path: Path, name: str) -> None:
    with SqliteLog(tmp_path / name) as log:
        append(log, "topic/a", created())
    with SqliteLog(tmp_path / name, read_only=True) as log:
        assert positions(log) == [0]
    assert set(contents(tmp_path)) >= {name, f"{name}.lock"}


def test_the_file_has_its_application_id_and_format(path: Path) -> None:
    SqliteLog(path).close()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA application_id").fetchone() == (0x4F445244,)
        assert raw.execute("PRAGMA user_version").fetchone() == (1,)
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1), ("off", 0)])
def test_durability_is_the_writers_synchronous_level(path: Path, durability: Durability, level: int) -> None:
    with SqliteLog(path, durability=durability) as log:
        assert log._writer is not None
        assert log._writer.execute("PRAGMA synchronous").fetchone() == (level,)
        append(log, "topic/a", created())
        log.reopen()
        assert log._writer.execute("PRAGMA synchronous").fetchone() == (level,)


def test_the_events_view_unpacks_commits_for_the_sqlite_shell(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created("a"))
        append(log, "topic/a", produced(0, "a", value=b"\x00"), produced(1, "a"), when=1)
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT position, stream, version, type, recorded_at, event FROM events").fetchall()
    assert [row[:5] for row in rows] == [
        (0, "topic/a", 0, "TopicCreated", "2024-05-01T12:00:00Z"),
        (1, "topic/a", 1, "MessageProduced", "2024-05-01T12:00:01Z"),
        (2, "topic/a", 2, "MessageProduced", "2024-05-01T12:00:01Z"),
    ]
    assert json.loads(rows[1][5])["value"] == "AA=="


# -- one writer, many readers -----------------------------------------------------------------------------------------


def test_a_second_writer_in_this_process_is_refused(path: Path) -> None:
    with SqliteLog(path) as log:
        with pytest.raises(LogLocked) as caught:
            SqliteLog(path)
        assert str(caught.value) == (
            f"{path} is open for writing by this process; close that writer, or open the log read-only"
        )
        append(log, "topic/a", created())


def test_a_second_writer_by_another_name_for_the_file_is_refused(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with SqliteLog(path), pytest.raises(LogLocked):
        SqliteLog(link)
    with SqliteLog(link), pytest.raises(LogLocked):
        SqliteLog(os.path.relpath(path))


def test_a_second_writer_in_another_process_is_refused_with_the_process_that_holds_the_log(path: Path) -> None:
    program = """
        import sys
        from odradek_events import open_log
        from odradek_events.errors import LogLocked
        try:
            open_log(sys.argv[1])
        except LogLocked as error:
            print(error.holder)
    """
    with SqliteLog(path):
        assert in_another_process(program, path) == f"process {os.getpid()}"
    assert in_another_process(program, path) == ""


def test_the_lock_is_released_when_its_process_dies(path: Path) -> None:
    program = """
        import os, sys
        from odradek_events import open_log
        log = open_log(sys.argv[1])
        print("open", flush=True)
        os.kill(os.getpid(), 9)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (killed.returncode, killed.stdout) == (-9, "open\n")
    with SqliteLog(path) as log:
        append(log, "topic/a", created())


def test_the_lock_is_released_by_close_and_by_a_failed_opening(path: Path) -> None:
    SqliteLog(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(LogTooNew):
            SqliteLog(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version = {FORMAT}")
    SqliteLog(path).close()


def test_a_forked_child_does_not_keep_the_lock_and_cannot_use_the_log(path: Path) -> None:
    program = """
        import os, sys
        from datetime import UTC, datetime
        from odradek_events import Append, open_log
        from odradek_events.errors import LogError

        def answer(use):
            try:
                use()
            except LogError as error:
                return type(error).__name__

        path = sys.argv[1]
        log = open_log(path)
        asking, answering = os.pipe()
        waiting, ending = os.pipe()
        if os.fork() == 0:
            os.close(ending)
            uses = [
                lambda: log.append([Append(stream="topic/a", events=[])], datetime.now(UTC)),
                lambda: log.stream_version("topic/a"),
                log.reopen,
                log.close,
                lambda: open_log(path),
            ]
            os.write(answering, " ".join(str(answer(use)) for use in uses).encode())
            os.read(waiting, 1)
            os._exit(0)
        print(os.read(asking, 1000).decode())
        log.close()
        print(answer(lambda: open_log(path).close()))
        os.close(ending)
        os.wait()
    """
    child, parent = in_another_process(program, path).splitlines()
    assert child == "LogUnavailable LogUnavailable LogUnavailable None LogLocked"
    assert parent == "None"


def test_readers_follow_the_writer(path: Path) -> None:
    with SqliteLog(path) as log, SqliteLog(path, read_only=True) as reader:
        for number in range(5):
            append(log, "topic/a", produced(number))
            assert positions(reader) == list(range(number + 1))
            assert reader.head() == log.head()
            assert reader.stream_version("topic/a") == number


@pytest.mark.parametrize("read_only", [True, False])
def test_a_log_whose_file_was_replaced_is_not_continued(path: Path, read_only: bool) -> None:
    other = path.with_name("other.db")
    with SqliteLog(path) as log:
        append(log, "topic/a", created(), produced(0))
    with SqliteLog(other) as log:
        append(log, "topic/b", created("b"), produced(0, "b"), produced(1, "b"))
    with SqliteLog(path, read_only=read_only) as log, log.subscribe() as subscription:
        assert next(subscription).position == 0
        other.replace(path)
        assert next(subscription).position == 1  # of the file that it began to read
        looks: list[Callable[[], object]] = [lambda: list(log.read()), lambda: log.stream_version("topic/b")]
        looks.append((lambda: subscription.take(0)) if read_only else lambda: append(log, "topic/a", produced(1)))
        if not read_only:
            looks.append(log.reopen)
        for look in looks:
            with pytest.raises(LogUnavailable, match="replaced by another; open it again"):
                look()
        assert subscription.position == 1
        path.unlink()
        with pytest.raises(LogUnavailable, match="its file is gone"):
            log.commit_at(0)


def test_a_reader_does_not_append(path: Path) -> None:
    with SqliteLog(path):
        pass
    with SqliteLog(path, read_only=True) as reader:
        with pytest.raises(LogUnavailable, match="open it for writing to append"):
            reader.append([Append(stream="topic/a", events=[created()])], START)
        with pytest.raises(LogUnavailable, match="it was opened read-only"):
            reader.reopen()


def test_a_reader_in_another_process_sees_acknowledged_commits(path: Path) -> None:
    program = """
        import sys
        from odradek_events import open_log
        with open_log(sys.argv[1], read_only=True) as log:
            print([recorded.position for recorded in log.read()])
    """
    with SqliteLog(path) as log:
        append(log, "topic/a", created(), produced(0))
        assert in_another_process(program, path) == "[0, 1]"
        append(log, "topic/a", produced(1))
        assert in_another_process(program, path) == "[0, 1, 2]"


def test_reader_threads_see_a_growing_prefix_during_writes(path: Path) -> None:
    failures: list[str] = []
    done = threading.Event()

    def follow() -> None:
        length = 0
        while not done.is_set():
            seen = positions(log)
            if seen != list(range(len(seen))) or len(seen) < length:
                failures.append(str(seen))
            length = len(seen)

    with SqliteLog(path, durability="off") as log:
        threads = [threading.Thread(target=follow) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(100):
            append(log, "topic/a", produced(2 * number), produced(2 * number + 1))
        done.set()
        for thread in threads:
            thread.join(30)
        assert failures == []
        assert positions(log) == list(range(200))


def test_opening_a_reader_in_the_writers_process_keeps_sqlites_locks(path: Path) -> None:
    # A second descriptor of the file, closed again, would drop SQLite's locks in this process; the stranger, the last
    # to hold one, would then remove the write-ahead log and with it whatever is appended afterwards.
    stranger = """
        import sqlite3, sys
        raw = sqlite3.connect(sys.argv[1])
        print(raw.execute("SELECT count(*) FROM commits").fetchone()[0])
        raw.close()
    """
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        SqliteLog(path, read_only=True).close()
        with pytest.raises(LogLocked):
            SqliteLog(path)
        assert in_another_process(stranger, path) == "1"
        append(log, "topic/a", produced(0))
        assert in_another_process(stranger, path) == "2"


# -- closing ----------------------------------------------------------------------------------------------------------


def test_after_close_the_database_file_alone_is_complete(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created(), produced(0))
    assert set(contents(path.parent)) == {"log.db", "log.db.lock"}
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    with SqliteLog(alone, read_only=True) as copy:
        assert positions(copy) == [0, 1]


def test_the_database_file_alone_is_complete_even_if_a_reader_stays_open(path: Path) -> None:
    alone = path.with_name("alone.db")
    with closing(SqliteLog(path)) as log, SqliteLog(path, read_only=True) as reader:
        append(log, "topic/a", created(), produced(0))
        assert positions(reader) == [0, 1]
        log.close()
        shutil.copy(path, alone)
        assert positions(reader) == [0, 1]
    with SqliteLog(alone, read_only=True) as copy:
        assert positions(copy) == [0, 1]


@pytest.mark.parametrize("is_stopped_within", [True, False])
def test_the_database_file_alone_is_complete_after_a_subscription_was_stopped(
    path: Path, is_stopped_within: bool
) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        for number in range(2):
            append(log, "topic/a", produced(number))
        with log.subscribe() as subscription:
            next(subscription)
            if is_stopped_within:
                subscription.stop()
        append(log, "topic/a", produced(2))
    assert subscription.position == 0
    assert set(contents(path.parent)) == {"log.db", "log.db.lock"}


def test_a_query_of_many_items_needs_few_file_descriptors(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    with SqliteLog(path, durability="off") as log:
        for number in range(300):
            append(log, "topic/a", created(str(number)))
        query = Query(tuple(QueryItem((), (f"topic:{number}",)) for number in range(300)))
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 40, hard))
        try:
            found = [recorded.position for recorded in log.read(query=query)]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert found == list(range(300))


def test_an_abandoned_read_does_not_keep_a_closed_log_open(path: Path) -> None:
    log = SqliteLog(path, durability="off")
    for number in range(600):  # more commits than one chunk of a read
        append(log, "topic/a", produced(number))
    reading = log.read()
    next(reading)
    log.close()
    with pytest.raises(LogUnavailable, match="it is closed"):
        list(reading)
    with pytest.raises(LogUnavailable, match="it is closed"):
        log.reopen()
    assert set(contents(path.parent)) == {"log.db", "log.db.lock"}


def test_a_read_that_ends_during_a_connection_hand_over_does_not_deadlock(path: Path) -> None:
    # The garbage collector may end an abandoned read at any moment, also while its thread takes a connection.
    log = SqliteLog(path)
    append(log, "topic/a", created(), produced(0))
    abandoned = [log.read()]
    next(abandoned[0])

    def collect() -> None:
        with log._file._pool_lock:
            abandoned.clear()

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    log.close()


def test_a_read_of_many_commits_continues_across_chunks(path: Path) -> None:
    with SqliteLog(path, durability="off") as log:
        for number in range(600):
            append(log, f"topic/{number % 2}", produced(number))
        assert positions(log) == list(range(600))
        assert [r.event.offset for r in log.read(stream="topic/1")] == list(range(1, 600, 2))
        assert [r.position for r in log.read(tags=["topic:orders"], after=10)] == list(range(11, 600))


@pytest.mark.parametrize("read_only", [True, False])
def test_a_log_whose_writer_was_killed_during_a_checkpoint_is_complete(path: Path, read_only: bool) -> None:
    killed = path.with_name("killed.db")
    with SqliteLog(path) as log:
        append(log, "topic/a", created(), *(produced(number, value=b"x" * 1000) for number in range(100)))
        shutil.copy(path, killed)
        shutil.copy(f"{path}-wal", f"{killed}-wal")
    with path.open("rb") as whole, killed.open("rb+") as half:
        half.write(whole.read(1024))  # the first page with the new size was written, the rest was not
    with open_log(killed, read_only=read_only) as log:
        assert [recorded.position for recorded in log.read()] == list(range(101))
        assert verify(log).is_sound
    with open_log(killed) as log:
        append(log, "topic/a", produced(100))


def test_a_foreign_file_with_a_foreign_write_ahead_log_is_refused(path: Path) -> None:
    path.write_bytes(b"a short text\n")
    path.with_name("log.db-wal").write_bytes(b"another\n")
    before = contents(path.parent)
    with pytest.raises(NotALog, match="file is not a database"):
        open_log(path)
    assert contents(path.parent) == before


# -- the log only grows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE commits SET events = '[]'",
        "UPDATE commits SET first_position = 9 WHERE first_position = 2",
        "UPDATE OR REPLACE commits SET first_position = 0 WHERE first_position = 2",
        "DELETE FROM commits",
        "DELETE FROM commits WHERE first_position = 2",
        "INSERT INTO commits VALUES (4, 4, 'topic/a', 3, '{}', x'00', '[]')",
        "INSERT INTO commits VALUES (2, 2, 'topic/b', 0, '{}', x'00', '[]')",
        "INSERT INTO commits VALUES (NULL, 4, 'topic/a', 3, '{}', x'00', '[]')",
        "INSERT INTO commits VALUES (3, 2, 'topic/a', 3, '{}', x'00', '[]')",
        "INSERT INTO commits VALUES (3, 3, 'topic/a', 4, '{}', x'00', '[]')",
        "INSERT OR REPLACE INTO commits VALUES (2, 2, 'topic/b', 0, '{}', x'00', '[]')",
        "INSERT OR REPLACE INTO commits VALUES (3, 3, 'topic/a', 2, '{}', x'00', '[]')",
        "INSERT INTO commits VALUES (2, 2, 'topic/b', 0, '{}', x'00', '[]') ON CONFLICT DO UPDATE SET events = ''",
        "REPLACE INTO commits SELECT * FROM commits",
    ],
)
def test_triggers_refuse_changes_of_stored_commits(path: Path, statement: str) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created(), produced(0))
        append(log, "topic/a", produced(1))
        with closing(sqlite3.connect(path)) as raw, pytest.raises(sqlite3.DatabaseError, match="the log only grows"):
            raw.execute(statement)
        assert verify(log).is_sound
        assert positions(log) == [0, 1, 2]


# -- failures ---------------------------------------------------------------------------------------------------------


def test_a_full_disk_rejects_the_append_and_later_appends_succeed(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        head = log.head()
        assert log._writer is not None
        (pages,) = log._writer.execute("PRAGMA page_count").fetchone()
        log._writer.execute(f"PRAGMA max_page_count = {pages}")
        requests = [
            Append(stream="topic/b", events=[produced(0)], expected_version=5),
            Append(stream="topic/a", events=[produced(0, value=b"x" * 100_000)], expected_version=0),
            Append(stream="topic/b", events=[created("b")]),
        ]
        wrong, full, too = log.append(requests, at(1))
        assert isinstance(wrong, Rejected)
        assert wrong.error.code == "wrong_expected_version"
        for verdict in (full, too):
            assert isinstance(verdict, Rejected)
            assert isinstance(verdict.error, LogFull)
            assert verdict.error.retriable
            assert str(verdict.error) == (
                f"no space left for {path} (database or disk is full), nothing was written; free some space and retry"
            )
        assert log.head() == head
        assert (log.stream_version("topic/a"), log.stream_version("topic/b")) == (0, -1)
        assert positions(log) == [0]
        log._writer.execute("PRAGMA max_page_count = 100000")
        assert [type(verdict) for verdict in log.append(requests, at(1))] == [Rejected, Appended, Appended]
        assert verify(log).is_sound


def test_a_repeat_is_recognised_even_if_the_disk_is_full(path: Path) -> None:
    stored = Append(stream="topic/a", events=[created()], expected_version=NO_STREAM, commit_id="c1")
    large = [produced(0, value=b"x" * 100_000)]
    new = Append(stream="topic/b", events=large, expected_version=NO_STREAM, commit_id="c2")
    with SqliteLog(path) as log:
        log.append([stored], START)
        assert log._writer is not None
        (pages,) = log._writer.execute("PRAGMA page_count").fetchone()
        log._writer.execute(f"PRAGMA max_page_count = {pages}")
        again, *full = log.append([stored, new, new], at(1))
        assert isinstance(again, Appended)
        assert (again.first_position, again.is_repeat) == (0, True)
        assert [isinstance(verdict, Rejected) and type(verdict.error) for verdict in full] == [LogFull, LogFull]


def refuse_commits(log: SqliteLog) -> None:
    """Make SQLite refuse every COMMIT of the writer."""

    def authorize(action: int, operation: str | None, *_: object) -> int:
        refused = action == sqlite3.SQLITE_TRANSACTION and operation == "COMMIT"
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    assert log._writer is not None
    log._writer.set_authorizer(authorize)


def lose_the_connection(log: SqliteLog) -> None:
    assert positions(log) == [0]  # this reader stays connected, or SQLite would remove the write-ahead log
    assert log._writer is not None
    log._writer.close()


@pytest.mark.parametrize("fail", [refuse_commits, lose_the_connection])
def test_a_failed_commit_has_an_unknown_outcome_and_blocks_appends_until_reopened(
    path: Path, fail: Callable[[SqliteLog], None]
) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        fail(log)
        requests = [
            Append(stream="topic", events=[produced(0)]),
            Append(stream="topic/a", events=[produced(0)], expected_version=0),
            Append(stream="topic/b", events=[]),
        ]
        *_, verdict, other = log.append(requests, START)
        for one in (verdict, other):
            assert isinstance(one, Failed)
            assert isinstance(one.error, OutcomeUnknown)
            assert "may or may not be stored; read the log before you retry" in str(one.error)
        with pytest.raises(LogUnavailable, match=r"an append failed \(.+\); reopen it first"):
            log.append(requests[1:], START)
        assert positions(log) == [0]
        log.reopen()
        assert log.head().position == 0
        append(log, "topic/a", produced(0), expected=0)
        assert verify(log).is_sound


def test_a_log_that_another_program_extended_is_reopened_at_its_real_end(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        with closing(sqlite3.connect(path)) as raw, raw:
            ((stream, metadata, digest, events),) = raw.execute("SELECT stream, metadata, digest, events FROM commits")
            following = chain(digest, 1, 1, stream, 1, metadata.encode(), events.encode())
            raw.execute("INSERT INTO commits VALUES (1, 1, ?, 1, ?, ?, ?)", (stream, metadata, following, events))
        (verdict,) = log.append([Append(stream="topic/a", events=[produced(0)])], START)
        assert isinstance(verdict, Failed)
        log.reopen()
        assert log.head().position == 1
        assert [finding.position for finding in verify(log).findings] == [1]  # its index entries are missing
        append(log, "topic/a", produced(0), expected=1)


def test_a_log_whose_file_was_deleted_is_not_reopened_as_an_empty_one(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        for file in path.parent.iterdir():
            file.unlink()
        with pytest.raises(LogNotWritable):
            log.reopen()
        assert not path.exists()
        with pytest.raises(LogUnavailable, match="its file is gone"):
            log.append([Append(stream="topic/a", events=[created()])], START)


def test_a_stream_name_of_a_wrong_type_does_not_make_streams_loop(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    with tampering(path) as raw:
        raw.execute("UPDATE commits SET stream = CAST(stream AS BLOB)")
    with SqliteLog(path, read_only=True) as log, pytest.raises(DamagedCommit, match="stream names are not sorted"):
        list(itertools.islice(log.streams(), 10))


@pytest.mark.parametrize("commits", [1, 3])
@pytest.mark.parametrize(
    "change", ["metadata = '{'", "events = replace(events, 'orders', 'Orders')", "digest = zeroblob(32)", "digest = 7"]
)
def test_a_log_with_a_damaged_end_is_not_opened_for_writing(path: Path, commits: int, change: str) -> None:
    with SqliteLog(path) as log:
        for _ in range(commits):
            append(log, "topic/a", created())
    with tampering(path) as raw:
        raw.execute(f"UPDATE commits SET {change} WHERE first_position = ?", (commits - 1,))
    with pytest.raises(DamagedCommit, match=f"the commit at position {commits - 1} is damaged: "):
        SqliteLog(path)
    with SqliteLog(path, read_only=True) as log:
        assert not verify(log).is_sound
