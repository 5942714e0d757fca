"""Builds a new log file from existing commits: keeps their bytes, and rebuilds the index.

Each commit passes the same checks as in `verify`, so the new log is sound. The file gets its final name only once it is
complete.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from odradek_events.errors import DamagedCommit, LogFull, LogNotWritable
from odradek_events.log.checker import Checker
from odradek_events.record import Commit, StoredCommit
from odradek_events.schema.codec import Codec, OpaqueEvent
from odradek_events.sqlite.connections import is_full
from odradek_events.sqlite.rows import SCHEMA, write_commits
from odradek_events.validation import file_name, printable

__all__ = ["LogBuilder", "building", "check_is_new", "entries_for", "new_file"]

_BATCH_COMMITS = 1000
_BATCH_BYTES = 8 << 20
_SETTINGS = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
"""


def check_is_new(path: Path) -> None:
    """Raise LogNotWritable if `path` exists, or its directory does not."""
    if os.path.lexists(path):
        raise LogNotWritable(printable(str(path)), "it already exists")
    if not os.path.isdir(path.absolute().parent):
        raise LogNotWritable(printable(str(path)), "its directory does not exist")


@contextmanager
def new_file(target: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yield the name of a temporary file next to `target`; at the end, sync it and rename it to `target`.

    Deletes the file after an error. Raises LogNotWritable if the target cannot be written, or exists and `overwrite`
    does not allow to replace it.
    """
    path = Path(file_name("target", target))
    if not overwrite:
        check_is_new(path)
    partial = path.with_name(path.name + ".partial")
    with _said_of(path):
        partial.unlink(missing_ok=True)
    try:
        yield partial
        with _said_of(path):
            _sync(partial)
            os.replace(partial, path)
            _sync(path.absolute().parent)
    finally:
        for leftover in (
            partial,
            partial.with_name(partial.name + "-journal"),
        ):  # SQLite leaves a journal on a full disk
            leftover.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Sync a file or a directory. SQLite must not have it open in this process: closing it would drop those locks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LogNotWritable(printable(str(path)), error.strerror or str(error)) from error


class LogBuilder:
    """Adds a log's commits in order from the first; see `building`. `head` is the end of the last commit added."""

    def __init__(self, connection: sqlite3.Connection, codec: Codec) -> None:
        self.checker = Checker(codec)
        self.head = self.checker.head
        self.commits = 0
        self._connection = connection
        self._rows: list[StoredCommit] = []
        self._bytes = 0

    def add(self, stored: StoredCommit, kept: Mapping[str, int | None] | None = None) -> None:
        """Add the next commit; `kept` are its previous index entries. Raise DamagedCommit if it does not fit."""
        problems, commit = self.checker.check(stored)
        if problems or commit is None:
            raise DamagedCommit(stored.first_position, "; ".join(problems))
        entries = entries_for(commit, self.checker.codec, kept or {})
        self._rows.append(
            StoredCommit(
                stored.first_position,
                stored.last_position,
                stored.stream,
                stored.first_version,
                stored.metadata,
                stored.digest,
                stored.events,
                entries,
            )
        )
        self.head = self.checker.head
        self.commits += 1
        self._bytes += len(stored.events)
        if len(self._rows) >= _BATCH_COMMITS or self._bytes >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the added commits."""
        if self._rows:
            write_commits(self._connection, self._rows)
        self._rows = []
        self._bytes = 0


@contextmanager
def building(target: str | os.PathLike[str], codec: Codec) -> Iterator[LogBuilder]:
    """Build the new log `target`; see `new_file`. Raises LogNotWritable or LogFull."""
    with new_file(target) as partial:
        try:
            with closing(sqlite3.connect(partial, isolation_level=None)) as connection:
                connection.executescript(_SETTINGS + SCHEMA)
                builder = LogBuilder(connection, codec)
                yield builder
                builder.flush()
        except sqlite3.Error as error:
            if is_full(error, partial):
                raise LogFull(printable(str(target)), str(error)) from error
            raise LogNotWritable(printable(str(target)), str(error)) from error


def entries_for(commit: Commit, codec: Codec, kept: Mapping[str, int | None]) -> dict[str, int | None]:
    """Compute a commit's index entries from its events.

    For older types and events that are not decoded, uses the `kept` entries, which cannot be computed. Raises
    DamagedCommit if computing them fails.
    """
    entries = dict(kept)
    is_current = codec.is_indexable(commit)
    if is_current or not entries:
        try:
            entries = codec.index([item for item in commit.events if not isinstance(item, OpaqueEvent)])
        except (TypeError, ValueError) as error:
            raise DamagedCommit(commit.first_position, f"its index entries cannot be computed ({error})") from error
    if not is_current:
        entries |= {f"type:{name}": None for name, _ in commit.metadata.types}
    return entries
