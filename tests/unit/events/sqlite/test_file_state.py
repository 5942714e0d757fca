"""The state of a database file: a later change always changes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from odradek_events.sqlite.file_state import FileState, current_state, is_settled, settled_state


def test_a_change_right_after_the_state_was_taken_changes_it(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"1")
    for _ in range(20):
        os.utime(path)
        seen = settled_state(path)
        path.write_bytes(b"2")
        assert current_state(path) != seen


def test_a_file_that_keeps_its_size_and_time_but_not_its_content_has_another_state(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"1")
    seen, status = settled_state(path), path.stat()
    path.write_bytes(b"2")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert current_state(path) != seen


def test_the_state_of_a_missing_file_is_zero(tmp_path: Path) -> None:
    assert settled_state(tmp_path / "log.db") == FileState(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("changed_ns", "now_ns", "expected"),
    [
        (1_000_000_004_000_001, 1_000_000_004_000_001, False),
        (1_000_000_004_000_001, 1_000_000_008_000_003, True),
        (1_000_000_004_000_001, 1_000_000_000_000_000, False),
        (1_000_000_120_000_000, 1_000_000_129_000_000, False),  # in units of 10 ms, as exFAT
        (1_000_000_120_000_000, 1_000_000_141_000_000, True),
        (1_002_000_000_000, 1_003_999_999_999, False),  # in units of two seconds, as FAT
        (1_002_000_000_000, 1_004_000_000_000, True),
        (5_000_000_004_000_001, 1_000_000_000_000_000, True),  # the clock was set back
    ],
)
def test_a_state_is_settled_once_the_tick_of_its_last_change_is_over(
    changed_ns: int, now_ns: int, expected: bool
) -> None:
    assert is_settled(changed_ns, now_ns) == expected
