"""Backups of a log that is in use."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.log import append, created, ordinary_user, produced

from odradek_events import SqliteLog
from odradek_events.errors import LogNotWritable, LogUnavailable
from odradek_events.maintenance.backup import backup
from odradek_events.maintenance.verify import verify


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with SqliteLog(tmp_path / "log.db", durability="off") as log:
        append(log, "topic/a", created(), produced(0))
        yield log


def test_a_backup_equals_the_log(log: SqliteLog, tmp_path: Path) -> None:
    assert backup(log, tmp_path / "copy.db") == log.head()
    with SqliteLog(tmp_path / "copy.db", read_only=True) as copy:
        assert list(copy.read()) == list(log.read())
        assert verify(copy).is_sound
    assert {file.name for file in tmp_path.iterdir()} == {
        "copy.db",
        "log.db",
        "log.db-shm",
        "log.db-wal",
        "log.db.lock",
    }


def test_a_backup_can_be_written_to(log: SqliteLog, tmp_path: Path) -> None:
    backup(log, tmp_path / "copy.db")
    with SqliteLog(tmp_path / "copy.db") as copy:
        append(copy, "topic/a", produced(1), expected=1)
        assert verify(copy).is_sound
    assert log.head().position == 1


@pytest.mark.slow
def test_a_backup_during_writes_has_whole_commits_and_finishes(log: SqliteLog, tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            append(log, "topic/b", *(produced(number + n, "b", value=b"x" * 2000) for n in range(10)))
            number += 10

    writer = threading.Thread(target=write)
    writer.start()
    try:
        heads = [backup(log, tmp_path / f"copy-{number}.db") for number in range(5)]
    finally:
        done.set()
        writer.join(30)
    for number, head in enumerate(heads):
        with SqliteLog(tmp_path / f"copy-{number}.db", read_only=True) as copy:
            report = verify(copy)
            assert report.is_sound
            assert report.head == head.position
            assert (head.position - 1) % 10 == 0
            assert list(copy.read()) == list(log.read(until=head.position))


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link"])
def test_an_existing_target_is_refused_and_left_unchanged(log: SqliteLog, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "copy.db"
    if kind == "file":
        target.write_text("precious")
    elif kind == "directory":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(LogNotWritable, match=r"copy\.db cannot be written \(it already exists"):
        backup(log, target)
    assert kind != "file" or target.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_target_without_a_directory_is_refused(log: SqliteLog, tmp_path: Path) -> None:
    with pytest.raises(LogNotWritable, match="its directory does not exist"):
        backup(log, tmp_path / "no" / "copy.db")


def test_a_target_that_cannot_be_written_is_refused_and_leaves_no_files(public_place: Path) -> None:
    place = public_place / "place"
    place.mkdir(mode=0o555)
    with ordinary_user(), SqliteLog(public_place / "log.db") as log:
        append(log, "topic/a", created())
        with pytest.raises(LogNotWritable, match=r"copy\.db\.partial cannot be written \(unable to open"):
            backup(log, place / "copy.db")
    assert list(place.iterdir()) == []


def test_a_closed_log_is_not_copied(log: SqliteLog, tmp_path: Path) -> None:
    log.close()
    with pytest.raises(LogUnavailable, match="it is closed"):
        backup(log, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
