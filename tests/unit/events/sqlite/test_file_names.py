"""File names that are not UTF-8 or too long, and very small files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.log import append, created, ordinary_user

from odradek_events import SqliteLog
from odradek_events.errors import LogNotReadable, LogNotWritable, NotALog
from odradek_events.maintenance.backup import backup
from odradek_events.maintenance.salvage import salvage
from odradek_events.projections.view_file import ViewFile, open_views
from odradek_events.snapshots.sqlite import open_snapshots

COMMANDS = """
import sys
from odradek.cli import app
path = sys.argv[1]
print("codes:", [int(app([command, path])) for command in ("log", "verify", "stats", "no-such")])
"""
NOT_UTF_8 = os.fsdecode(b"caf\xe9 100% ?#.db")


def test_a_log_whose_file_name_is_not_utf_8_works(tmp_path: Path) -> None:
    path = tmp_path / NOT_UTF_8
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
        snapshots = open_snapshots(log)
        assert snapshots.load("topic/a") is None
        snapshots.close()
    with SqliteLog(path, read_only=True) as log:
        assert log.head().position == 0
        assert backup(log, tmp_path / f"copy of {NOT_UTF_8}") == log.head()
    assert salvage(path, tmp_path / f"salvaged {NOT_UTF_8}").is_whole
    views = tmp_path / f"views of {NOT_UTF_8}"
    ViewFile(views).close()
    open_views(views).close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "is_utf_8_mode"), [("C", "0"), ("C.UTF-8", "0"), ("de_DE.ISO-8859-1", "0"), ("C", "1")]
)
def test_commands_accept_a_file_name_that_is_not_utf_8_in_any_locale(
    tmp_path: Path, locale: str, is_utf_8_mode: str
) -> None:
    path = tmp_path / NOT_UTF_8
    with SqliteLog(path) as log:
        append(log, "topic/a", created())
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, os.fsencode(path)],
        capture_output=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "LC_ALL": locale,
            "PYTHONUTF8": is_utf_8_mode,
            "PYTHONCOERCECLOCALE": "0",
        },
    )
    assert b"Traceback" not in done.stderr, done.stderr
    assert done.stdout.endswith(b"\ncodes: [0, 0, 0, 2]\n"), (done.stdout, done.stderr)


def place_of(tmp_path: Path, length: int) -> Path:
    """Return a path of `length` bytes in an existing folder."""
    folder = tmp_path
    while length - len(os.fsencode(folder)) > 220:
        folder = folder / ("f" * 100)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / ("x" * (length - len(os.fsencode(folder)) - 1))


def test_the_longest_path_works_and_a_longer_one_is_refused(tmp_path: Path) -> None:
    with SqliteLog(place_of(tmp_path, 504)) as log:
        append(log, "topic/a", created())
    for length in (505, 512, 600, 900):
        path = place_of(tmp_path, length)
        with pytest.raises(LogNotWritable, match=f"its path has {length} bytes, and SQLite supports at most 504"):
            SqliteLog(path)
        with pytest.raises(LogNotReadable, match=f"its path has {length} bytes"):
            SqliteLog(path, read_only=True)
        assert not path.exists()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("content", [b"x", b"\0", b"S", b"xy", b"\0" * 511])
def test_a_file_of_a_few_bytes_is_refused_and_left_unchanged(tmp_path: Path, content: bytes, read_only: bool) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(content)
    with pytest.raises(NotALog, match="file is not a database"):
        SqliteLog(path, read_only=read_only)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["log.db"]


def test_a_lock_file_that_cannot_be_written_is_named_in_the_error(public_place: Path) -> None:
    path = public_place / "log.db"
    with ordinary_user():
        SqliteLog(path).close()
    os.chown(f"{path}.lock", 0, 0)
    os.chmod(f"{path}.lock", 0o444)
    with (
        ordinary_user(),
        pytest.raises(LogNotWritable, match=r"lock file .*log\.db\.lock cannot be opened: Permission"),
    ):
        SqliteLog(path)


@pytest.mark.parametrize("kind", ["a link", "a folder"])
def test_a_lock_file_that_is_not_a_regular_file_is_named_and_left_unchanged(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log.db"
    SqliteLog(path).close()
    lock, other = Path(f"{path}.lock"), tmp_path / "other"
    lock.unlink()
    other.write_text("precious")
    if kind == "a link":
        lock.symlink_to(other)
    else:
        lock.mkdir()
    with pytest.raises(LogNotWritable, match=r"lock file .*log\.db\.lock cannot be opened"):
        SqliteLog(path)
    assert other.read_text() == "precious"
