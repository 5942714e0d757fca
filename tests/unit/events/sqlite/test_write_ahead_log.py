"""Damage in the write-ahead log of a killed writer, as opposed to its normal end."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.disk import crashed
from support.log import append, created, produced

from odradek_events import SqliteLog
from odradek_events.errors import DamagedCommit
from odradek_events.maintenance.salvage import salvage
from odradek_events.maintenance.verify import verify
from odradek_events.sqlite.write_ahead_log import find_damage, why_damaged

HEADER, FRAME_HEADER, PAGE = 32, 24, 4096
FRAME = FRAME_HEADER + PAGE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of a killed writer: one commit is in the database, five are in the write-ahead log."""
    live = tmp_path / "live.db"
    with SqliteLog(live) as log:
        append(log, "topic/a", created())
    with SqliteLog(live) as log:
        for number in range(5):
            append(log, "topic/a", produced(number))
        return crashed(live, tmp_path / "log.db")


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def contents(path: Path) -> tuple[bytes, bytes]:
    return path.read_bytes(), wal_of(path).read_bytes()


def flip(path: Path, place: int, pattern: int = 1) -> None:
    data = bytearray(wal_of(path).read_bytes())
    data[place] ^= pattern
    wal_of(path).write_bytes(data)


def frames_of(path: Path) -> int:
    return (wal_of(path).stat().st_size - HEADER) // FRAME


def offsets_in_a_frame() -> Iterator[int]:
    """Yield a byte of each field, and some of the page."""
    yield from (2, 7, 8, 15, 16, 23)
    yield from range(FRAME_HEADER, FRAME, 401)


def test_the_write_ahead_log_of_a_killed_writer_is_sound(path: Path) -> None:
    assert why_damaged(str(path)) is None
    with SqliteLog(path) as log:
        assert [recorded.position for recorded in log.read()] == list(range(6))
        assert verify(log).is_sound


@pytest.mark.slow
def test_a_flipped_bit_anywhere_in_the_write_ahead_log_is_found(path: Path) -> None:
    count = frames_of(path)
    assert count >= 5
    good = wal_of(path).read_bytes()
    places = [*range(HEADER), *(HEADER + number * FRAME + at for number in range(count) for at in offsets_in_a_frame())]
    for place, pattern in zip(places, itertools.cycle([1, 128, 16]), strict=False):
        flip(path, place, pattern)
        assert why_damaged(str(path)) is not None, place
        wal_of(path).write_bytes(good)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("frame", [0, 3, -1])
def test_opening_reports_a_flipped_bit_and_changes_no_file(path: Path, read_only: bool, frame: int) -> None:
    count = frames_of(path)
    flip(path, HEADER + (frame % count) * FRAME + FRAME_HEADER + 100)
    before = contents(path)
    for _ in range(2):
        with pytest.raises(
            DamagedCommit,
            match=rf"in its write-ahead log frame {frame % count + 1} of {count} is damaged.*'odradek salvage'",
        ):
            SqliteLog(path, read_only=read_only)
    assert contents(path) == before


def test_a_page_overwritten_in_the_middle_is_found(path: Path) -> None:
    good = wal_of(path).read_bytes()
    for frame in range(frames_of(path) // 2):  # in the last commits it cannot be distinguished from a normal end
        start = HEADER + frame * FRAME
        wal_of(path).write_bytes(good[:start] + bytes(FRAME) + good[start + FRAME :])
        assert why_damaged(str(path)) is not None, frame


def test_commits_before_the_damage_can_be_salvaged(path: Path, tmp_path: Path) -> None:
    flip(path, HEADER + (frames_of(path) - 1) * FRAME + FRAME_HEADER + 100)
    before = contents(path)
    found = salvage(path, tmp_path / "new.db")
    assert not found.is_whole
    assert found.problem is not None
    assert "write-ahead log" in found.problem
    assert 0 <= found.head.position < 5
    assert contents(path) == before


def test_verify_of_an_open_log_finds_damage_that_would_matter_after_a_crash(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db") as log:
        for number in range(5):
            append(log, "topic/a", produced(number))
        assert verify(log).is_sound
        with open(f"{tmp_path}/log.db-wal", "rb+") as file:
            file.seek(HEADER + FRAME + FRAME_HEADER + 3000)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 4]))
        problems = [finding.problem for finding in verify(log).findings]
        assert any("in its write-ahead log frame 2 of" in problem for problem in problems)


# -- a sound write-ahead log ------------------------------------------------------------------------------------------


def test_a_write_ahead_log_truncated_anywhere_is_a_normal_end(path: Path) -> None:
    good = wal_of(path).read_bytes()
    for length in (*range(0, len(good), 509), HEADER, HEADER + FRAME_HEADER, HEADER + FRAME, HEADER + 2 * FRAME):
        wal_of(path).write_bytes(good[:length])
        assert why_damaged(str(path)) is None, length


def test_a_partially_written_frame_is_a_normal_end(path: Path) -> None:
    good = wal_of(path).read_bytes()
    last = len(good) - FRAME
    for written in (0, 8, FRAME_HEADER, FRAME_HEADER + 512, FRAME - 512):
        wal_of(path).write_bytes(good[: last + written] + bytes(FRAME - written))
        assert why_damaged(str(path)) is None, written


def test_frames_of_an_older_generation_are_a_normal_end(tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    with SqliteLog(live, durability="off") as log:
        for number in range(40):
            append(log, "topic/a", produced(number, value=b"x" * 3000))
        for generation in range(3):
            with closing(sqlite3.connect(live)) as raw:
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
            for number in range(1 + generation):
                append(log, "topic/b", produced(number))
                copy = crashed(live, tmp_path / f"{generation}-{number}.db")
                assert frames_of(copy) > 80
                assert why_damaged(str(copy)) is None
                with SqliteLog(copy) as opened:
                    assert opened.head() == log.head()


def two_generations(path: Path) -> tuple[bytes, bytes]:
    """Return a write-ahead log, and its content after commits of the next generation, which is shorter.

    The values are alike, so that a page may differ in one word from the page that was in its place before.
    """
    with SqliteLog(path, durability="off") as log:
        for number in range(4):
            append(log, "topic/a", produced(number, value=b"x" * 20_000))
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
        old = wal_of(path).read_bytes()
        for number in range(4, 6):
            append(log, "topic/a", produced(number, value=b"x" * 20_000))
        return old, wal_of(path).read_bytes()


def written_ends(new: bytes) -> Iterator[int]:
    """Yield the place after each write of a new generation: its header, and each frame's header and page."""
    yield HEADER
    for start in range(HEADER, len(new), FRAME):
        if new[start + 8 : start + 16] == new[16:24]:  # the frame has the salts of the header
            yield start + FRAME_HEADER
            yield start + FRAME


def test_a_new_generation_interrupted_between_any_two_writes_is_a_normal_end(tmp_path: Path) -> None:
    old, new = two_generations(tmp_path / "log.db")
    assert len(old) == len(new)
    ends = list(written_ends(new))
    assert len(ends) > 20
    interrupted = wal_of(tmp_path / "interrupted.db")
    for end in ends:
        interrupted.write_bytes(new[:end] + old[end:])
        assert why_damaged(str(tmp_path / "interrupted.db")) is None, end


class _Overwritten(io.BytesIO):
    """A write-ahead log whose next generation is written while it is read, right before read number `at`."""

    def __init__(self, old: bytes, new: bytes, at: int) -> None:
        super().__init__(old)
        self._new, self._reads_left = new, at

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads_left -= 1
        if self._reads_left == 0:
            place = self.tell()
            self.seek(0)
            self.write(self._new)
            self.seek(place)
        return super().read(size)


def test_a_new_generation_written_during_the_check_is_not_damage(tmp_path: Path) -> None:
    old, new = two_generations(tmp_path / "log.db")
    for at in range(1, len(old) // FRAME):
        assert find_damage(_Overwritten(old, new, at), len(old)) is None, at


def test_a_rolled_back_transaction_that_spilled_into_the_write_ahead_log_is_a_normal_end(tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    with SqliteLog(live) as log:
        append(log, "topic/a", created())
        with closing(sqlite3.connect(live, isolation_level=None)) as raw:
            raw.execute("PRAGMA cache_size = 2")
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany("INSERT INTO tags VALUES (?, 0, NULL)", [(f"{number:0500}",) for number in range(200)])
            raw.execute("ROLLBACK")
        append(log, "topic/a", produced(0))
        copy = crashed(live, tmp_path / "log.db")
    assert frames_of(copy) > 20
    assert why_damaged(str(copy)) is None


@pytest.mark.slow
def test_a_reader_that_opens_while_a_writer_commits_sees_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteLog(path, durability="off") as log:
        for number in range(50):
            append(log, "topic/a", produced(number))
            with SqliteLog(path, read_only=True) as reader:
                assert reader.head() == log.head()


def test_the_write_ahead_log_of_another_programs_database_is_not_checked(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE addresses (name TEXT)")
        copy = tmp_path / "copy.db"
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
    assert why_damaged(str(copy)) is None
