"""Restores the first page of a log's file, which is the same in every log.

SQLite stores its header and the schema there, and cannot open a file without it. A log's schema is created at once and
fits on that page, so the tables of every log have the same root pages (2 to 5, in the order of the schema), and the
first page of a new log makes the commits of any log readable. The digest chain then shows whether they are a log's.

This module reads the file without SQLite, but only after SQLite has failed to open it. Closing a second descriptor
drops the POSIX locks that SQLite holds in this process; that is harmless here, since no program can open such a file.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path

from odradek_events.errors import LogNotWritable
from odradek_events.sqlite.rows import SCHEMA

__all__ = ["has_layout_of_a_log", "is_laid_out_like_a_log", "with_first_page"]

_ROOTS = (b"\x05\x0d", b"\x02\x0a", b"\x02\x0a", b"\x02\x0a")  # pages 2 to 5: the possible b-tree types of each
_FORMATS = slice(18, 20)  # 2: WAL mode
_PAGE_COUNT = slice(28, 32)  # 0: SQLite takes the size of the file or the write-ahead log


def is_laid_out_like_a_log(path: Path) -> bool:
    """Say whether the pages after the first have the b-tree types of a log."""
    size = len(_first_page())
    with suppress(OSError), path.open("rb") as file:
        file.seek(size)
        kinds = [file.read(size)[:1] for _ in _ROOTS]
        return all(kind and kind in root for kind, root in zip(kinds, _ROOTS, strict=True))
    return False


def has_layout_of_a_log(connection: sqlite3.Connection) -> bool:
    """Say whether an open file has the same page size and root pages as a new log."""
    with suppress(sqlite3.Error), _new_log() as new:
        return _layout(connection) == _layout(new)
    return False


def _layout(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    roots = "SELECT CAST(name AS BLOB), rootpage FROM sqlite_master WHERE rootpage > 0 ORDER BY rootpage"
    return connection.execute("PRAGMA page_size").fetchall() + connection.execute(roots).fetchall()


@contextmanager
def with_first_page(path: Path, target: Path) -> Iterator[Path]:
    """Yield a temporary copy of `path`, next to `target`, with the first page of a log."""
    copy = target.with_name(target.name + ".partial-source")
    files = [copy.with_name(copy.name + suffix) for suffix in ("", "-wal", "-shm")]
    try:
        _unlink(files)
        try:
            shutil.copyfile(path, copy)
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}-wal", f"{copy}-wal")
            _write_first_page(copy)
            with suppress(sqlite3.Error), closing(sqlite3.connect(copy)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # which may overwrite the first page
            _write_first_page(copy)
        except OSError as error:
            raise LogNotWritable(str(target), f"a working copy cannot be created: {error.strerror}") from error
        yield copy
    finally:
        _unlink(files)


def _write_first_page(copy: Path) -> None:
    with copy.open("rb+") as file:
        file.write(_first_page())


def _unlink(files: list[Path]) -> None:
    for file in files:
        with suppress(FileNotFoundError):
            os.unlink(file)


@contextmanager
def _new_log() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        yield connection


@cache
def _first_page() -> bytes:
    with _new_log() as connection:
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
        page = bytearray(connection.serialize()[:size])
    page[_FORMATS] = b"\2\2"
    page[_PAGE_COUNT] = bytes(4)
    return bytes(page)
