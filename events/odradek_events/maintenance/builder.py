"""A new log file made of commits that exist already: byte for byte theirs, with an index made anew.

Each commit goes through the same judge as in `verify`, so that what is built is sound. Nothing carries its final name
before it is complete.
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
    """Raise LogNotWritable if there is something at `path`, or no directory for it."""
    if os.path.lexists(path):
        raise LogNotWritable(printable(str(path)), "it exists already, and is never overwritten")
    if not os.path.isdir(path.absolute().parent):
        raise LogNotWritable(printable(str(path)), "its directory does not exist")


@contextmanager
def new_file(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Lend the name of a file to write beside `target`; synced, it becomes `target` at the end, or vanishes.

    Raises LogNotWritable if the target exists, or cannot be made.
    """
    path = Path(file_name("target", target))
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
        for leftover in (partial, partial.with_name(partial.name + "-journal")):  # SQLite's, where it ran out of room
            leftover.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Make a file or a directory durable. No connection of SQLite's may be open on it: closing would drop its locks."""
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
    """Takes a log's commits in order from the first; see `building`. `head` is where what it took ends."""

    def __init__(self, connection: sqlite3.Connection, codec: Codec) -> None:
        self.checker = Checker(codec)
        self.head = self.checker.head
        self.commits = 0
        self._connection = connection
        self._rows: list[StoredCommit] = []
        self._bytes = 0

    def add(self, stored: StoredCommit, kept: Mapping[str, int | None] | None = None) -> None:
        """Add the next commit; `kept` are index entries it had before. DamagedCommit if it does not belong there."""
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
        """Write what was added."""
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
    """Return a commit's index entries, made from its events.

    Of older and unknown types only those that were `kept` are known to be right: these stay. DamagedCommit if none can
    be made.
    """
    entries = dict(kept)
    is_current = codec.catalogue.is_current(commit.metadata.types)
    if is_current or not entries:
        try:
            entries = codec.index([item for item in commit.events if not isinstance(item, OpaqueEvent)])
        except (TypeError, ValueError) as error:
            raise DamagedCommit(commit.first_position, f"its index entries cannot be made ({error})") from error
    if not is_current:
        entries |= {f"type:{name}": None for name, _ in commit.metadata.types}
    return entries
