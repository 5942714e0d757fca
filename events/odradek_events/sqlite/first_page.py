"""The first page of a log's file, which can be made again: every log begins alike.

SQLite keeps its header and the schema there, and cannot open a file without it. The schema of a log is made in one go
and fits that page, so the tables of every log have the same root pages (2 to 5, by the schema's order), and the first
page of a new log leads to the commits of any. Whether they are a log's, the chain of digests tells.

This looks at the file without SQLite, and only once SQLite has failed to open it: to close a second descriptor drops
the POSIX locks that SQLite holds in this process, and no stranger can open such a file to profit from it.
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

_ROOTS = (b"\x05\x0d", b"\x02\x0a", b"\x02\x0a", b"\x02\x0a")  # pages 2 to 5: the kinds of b-tree page each may be
_FORMATS = slice(18, 20)  # 2: with a write-ahead log
_PAGE_COUNT = slice(28, 32)  # 0: as the file, or its write-ahead log, has them


def is_laid_out_like_a_log(path: Path) -> bool:
    """Say whether the pages behind the first are of the kinds that stand there in a log."""
    size = len(_first_page())
    with suppress(OSError), path.open("rb") as file:
        file.seek(size)
        kinds = [file.read(size)[:1] for _ in _ROOTS]
        return all(kind and kind in root for kind, root in zip(kinds, _ROOTS, strict=True))
    return False


def has_layout_of_a_log(connection: sqlite3.Connection) -> bool:
    """Say whether the first page of an open file leads where that of a new log does."""
    with suppress(sqlite3.Error), _new_log() as new:
        return _layout(connection) == _layout(new)
    return False


def _layout(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    roots = "SELECT CAST(name AS BLOB), rootpage FROM sqlite_master WHERE rootpage > 0 ORDER BY rootpage"
    return connection.execute("PRAGMA page_size").fetchall() + connection.execute(roots).fetchall()


@contextmanager
def with_first_page(path: Path, target: Path) -> Iterator[Path]:
    """Lend a copy of `path`, beside `target`, with the first page of a log; it is gone afterwards."""
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
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # which may bring another first page
            _write_first_page(copy)
        except OSError as error:
            raise LogNotWritable(str(target), f"no copy to work on can be made: {error.strerror}") from error
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
