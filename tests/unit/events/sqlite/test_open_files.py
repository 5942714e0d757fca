"""A log whose files another program links, renames, deletes or truncates while a writer has them open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.log import START, append, created, produced

from odradek_events import Append, Failed, SqliteLog
from odradek_events.errors import LogError, LogNotWritable, LogUnavailable
from odradek_events.maintenance.verify import verify

MESSAGE = Append(stream="topic/a", events=[produced(0)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def positions(path: Path) -> list[int]:
    with SqliteLog(path, read_only=True) as log:
        return [recorded.position for recorded in log.read()]


# -- names of the database --------------------------------------------------------------------------------------------


def test_a_log_with_two_hard_links_can_be_read_but_not_written(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    link = path.with_name("link.db")
    os.link(path, link)
    for name in (path, link):
        with pytest.raises(LogNotWritable, match=r"has 2 names \(hard links\), .*; remove the other names, or copy"):
            SqliteLog(name)
        assert positions(name) == [0]
    assert not Path(f"{link}.lock").exists()
    link.unlink()
    with SqliteLog(path) as log:
        append(log, "topic/a", produced(0))


def test_a_hard_link_created_while_the_log_is_open_admits_no_second_writer(path: Path) -> None:
    link = path.with_name("link.db")
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        os.link(path, link)
        with pytest.raises(LogNotWritable, match="has 2 names"):
            SqliteLog(link)
        with pytest.raises(LogUnavailable, match="has 2 names"):
            log.append([MESSAGE], START)
        link.unlink()
        append(log, "topic/a", produced(0))
    assert positions(path) == [0, 1]


def test_a_log_that_was_renamed_while_open_refuses_appends(path: Path) -> None:
    renamed = path.with_name("renamed.db")
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        path.rename(renamed)
        with pytest.raises(LogUnavailable, match="its file is gone"):
            log.append([MESSAGE], START)
        before = renamed.read_bytes()
    assert renamed.read_bytes() == before, "closing wrote into a file that has another name by now"


def test_a_log_whose_file_was_replaced_refuses_appends(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    SqliteLog(other).close()
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        other.replace(path)
        with pytest.raises(LogUnavailable, match="was replaced by another"):
            log.append([MESSAGE], START)


# -- the write-ahead log ----------------------------------------------------------------------------------------------


def delete(file: Path) -> None:
    file.unlink()


def replace(file: Path) -> None:
    file.unlink()
    file.touch()


def truncate(file: Path) -> None:
    os.truncate(file, 0)


def truncate_a_little(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


@pytest.mark.parametrize("lose", [delete, replace, truncate, truncate_a_little])
def test_a_lost_write_ahead_log_is_detected_before_the_next_receipt(path: Path, lose: Callable[[Path], None]) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        append(log, "topic/a", produced(0))
        lose(Path(f"{path}-wal"))
        for _ in range(2):
            with pytest.raises(LogUnavailable, match=r"log\.db-wal (is gone|was replaced|was truncated)"):
                log.append([MESSAGE], START)


@pytest.mark.parametrize("lose", [delete, replace])
@pytest.mark.parametrize("end", ["reopened", "closed"])
def test_commits_acknowledged_before_the_write_ahead_log_was_deleted_are_kept(
    path: Path, lose: Callable[[Path], None], end: str
) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        append(log, "topic/a", produced(0))
        assert [recorded.position for recorded in log.read()] == [0, 1]
        lose(Path(f"{path}-wal"))
        with pytest.raises(LogUnavailable):
            log.append([MESSAGE], START)
        if end == "reopened":
            log.reopen()
            append(log, "topic/a", produced(1), expected=1)
            assert verify(log).is_sound
    assert positions(path) == [0, 1, 2][: 3 if end == "reopened" else 2]


KILLED = """
import os, sys
from odradek_events import LogError, SqliteLog
from odradek_events.testing.samples import append, created
log = SqliteLog(sys.argv[1])
for number in range(10):
    append(log, f"topic/{number}", created(str(number)))
    print(number, flush=True)
os.unlink(sys.argv[1] + "-wal")
for number in range(10, 100):
    try:
        append(log, f"topic/{number}", created(str(number)))
    except LogError:
        continue
    print(number, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_every_receipt_survives_a_kill_after_the_write_ahead_log_was_deleted(path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (killed.returncode, killed.stderr) == (-9, "")
    assert killed.stdout.split() == [str(number) for number in range(10)]
    assert positions(path) == list(range(10))


def test_a_log_that_lost_acknowledged_commits_is_not_reopened(path: Path) -> None:
    log = SqliteLog(path)
    append(log, "topic/a", created())
    log.close()
    with SqliteLog(path) as log:
        append(log, "topic/a", produced(0))
        truncate(Path(f"{path}-wal"))
        with pytest.raises(LogUnavailable, match="was truncated"):
            log.append([MESSAGE], START)
        with pytest.raises(
            LogUnavailable, match="acknowledged commits are missing, since it ends at position 0 but ended at 1"
        ):
            log.reopen()
        with pytest.raises(LogUnavailable):
            log.append([MESSAGE], START)


def test_losing_the_write_ahead_log_during_a_commit_makes_its_outcome_unknown(path: Path) -> None:
    class Lost(SqliteLog):
        """Loses its write-ahead log while judging a request."""

        def _version_in_log(self, stream: str) -> int:
            with suppress(FileNotFoundError):
                os.unlink(f"{path}-wal")
            return super()._version_in_log(stream)

    with Lost(path) as log:
        (verdict,) = log.append([MESSAGE], START)
        assert isinstance(verdict, Failed)
        assert "log.db-wal is gone" in str(verdict.error)


def test_deleted_shared_memory_is_detected_and_the_log_can_be_reopened(path: Path) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        os.unlink(f"{path}-shm")
        with pytest.raises(LogUnavailable, match=r"log\.db-shm is gone"):
            log.append([MESSAGE], START)
        log.reopen()
        append(log, "topic/a", produced(0), expected=0)
    assert positions(path) == [0, 1]


def test_a_checkpoint_by_another_program_causes_one_refused_append(path: Path) -> None:
    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')"
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)
        with pytest.raises(LogError, match="was truncated"):
            log.append([MESSAGE], START)
        log.reopen()
        append(log, "topic/a", produced(0), expected=0)
        assert verify(log).is_sound
