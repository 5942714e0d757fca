"""The log on a disk that is full or fails to sync, with real errors of the operating system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.disk import led_to, write_ahead_descriptors
from support.log import START, append, created, produced

from odradek_events import Append, Appended, Failed, Rejected, SqliteLog
from odradek_events.errors import LogFull, LogUnavailable, OutcomeUnknown
from odradek_events.maintenance.verify import verify

MESSAGE = Append(stream="topic/a", events=[produced(0, value=b"x" * 5000)], expected_version=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def positions(log: SqliteLog) -> list[int]:
    return [recorded.position for recorded in log.read()]


def the_descriptor(path: Path) -> int:
    """Return the writer's descriptor, before any read."""
    (descriptor,) = write_ahead_descriptors(path)
    return descriptor


# -- no room ----------------------------------------------------------------------------------------------------------


def test_an_append_on_a_full_disk_is_rejected_and_succeeds_once_there_is_space(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    with SqliteLog(path) as log:  # its write-ahead log is empty: /dev/full cannot be read as one
        head = log.head()
        with led_to("/dev/full", the_descriptor(path)):
            (verdict,) = log.append([MESSAGE], START)
        assert isinstance(verdict, Rejected)
        assert isinstance(verdict.error, LogFull)
        assert "database or disk is full" in str(verdict.error)
        assert log.head() == head
        (verdict,) = log.append([MESSAGE], START)
        assert isinstance(verdict, Appended)
        assert positions(log) == [0, 1]
        assert verify(log).is_sound


LIMITED = """
import resource, sys
from odradek_events import Append, Appended, LogError, Rejected, SqliteLog, open_log
from odradek_events.maintenance.verify import verify
from odradek_events.testing.samples import START, append, produced

def fill(log):
    while True:
        events = [produced(0, value=b"x" * 3000)] * 2
        (verdict,) = log.append([Append(stream="topic/a", events=events)], START)
        if not isinstance(verdict, Appended):
            return verdict

path = sys.argv[1]
with SqliteLog(path) as log:
    for limit in (150_000, 300_000, 5_000_000):  # the write-ahead log, again, and the file when it is brought there
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        head = log.head()
        verdict = fill(log)
        assert isinstance(verdict, Rejected), verdict
        print(type(verdict.error).__name__, verdict.error.retriable)
        assert log.head().position > head.position
        assert len(list(log.read())) == log.head().position + 1
        assert verify(log).is_sound, verify(log)
        kept = log.head()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    append(log, "topic/a", produced(0))
    assert log.head().position == kept.position + 1
with open_log(path, read_only=True) as log:
    assert verify(log).is_sound
    print(log.head().position == kept.position + 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    open_log(path + ".new")
except LogError as error:
    print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with open_log(path + ".new") as log:
    append(log, "topic/a", produced(0))
"""


@pytest.mark.slow
def test_a_file_size_limit_is_a_full_disk_and_appends_succeed_once_it_is_raised(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout.splitlines(), done.stderr) == (["LogFull True"] * 3 + ["True", "LogFull"], "")


# -- no sync ----------------------------------------------------------------------------------------------------------


def test_after_a_failed_sync_appends_are_refused_until_the_log_is_reopened(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        with led_to("/dev/null", the_descriptor(path)):
            (verdict,) = log.append([MESSAGE], START)
            assert isinstance(verdict, Failed)
            assert isinstance(verdict.error, OutcomeUnknown)
            assert "disk I/O error" in str(verdict.error)
        with pytest.raises(LogUnavailable, match=r"an append failed \(disk I/O error\); reopen it first"):
            log.append([MESSAGE], START)
        log.reopen()
        assert positions(log) == [0]
        (verdict,) = log.append([MESSAGE], START)
        assert isinstance(verdict, Appended)
        assert verify(log).is_sound


def test_no_commit_follows_one_that_was_not_synced(path: Path) -> None:
    alone = path.with_name("alone.db")
    with SqliteLog(path) as log:
        append(log, "topic/a", created(), produced(0))
        with led_to("/dev/null", the_descriptor(path)):
            log.append([MESSAGE], START)
        log.reopen()
        assert os.stat(f"{path}-wal").st_size == 0
        shutil.copy(path, alone)
    with SqliteLog(alone, read_only=True) as copy:
        assert positions(copy) == [0, 1]


def test_an_active_reader_does_not_prevent_reopening_a_failed_log(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        append(log, "topic/b", created())
        with led_to("/dev/null", the_descriptor(path)):
            log.append([MESSAGE], START)
        reading = log.read()
        assert next(reading).position == 0
        log.reopen()
        append(log, "topic/a", produced(0), expected=0)
        assert [recorded.position for recorded in reading] == [1]
        assert positions(log) == [0, 1, 2]
        assert verify(log).is_sound
