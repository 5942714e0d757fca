"""Snapshots in a separate SQLite file, `<log>.snapshots`, next to the log's.

With a separate file the log only grows, its file alone is complete, and saving snapshots never delays the journal's
syncs. The file may be deleted at any time. If it is damaged, of a newer format or not an Odradek file, the next save
renames it to `<log>.snapshots.aside` and creates a new one; until then there are no snapshots to load.

A save is synced only when SQLite checkpoints its write-ahead log (synchronous=NORMAL); snapshots lost in a power
failure are taken again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from odradek_events.errors import SnapshotsUnavailable
from odradek_events.log.port import ReadableLog
from odradek_events.record import CommitEnd
from odradek_events.snapshots.store import KEPT, MemorySnapshots, SnapshotMark, SnapshotStore, StoredSnapshot
from odradek_events.sqlite.identity import FileKind, read_header
from odradek_events.sqlite.log import SqliteLog

__all__ = ["SqliteSnapshots", "open_snapshots"]

T = TypeVar("T")

_APPLICATION_ID = 0x4F445253  # "ODRS"
_FORMAT = 1
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_FORMAT};
CREATE TABLE snapshots (
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    name TEXT NOT NULL,
    schema INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (stream, version)
);
"""
_KIND = FileKind(_APPLICATION_ID, _FORMAT, _SCHEMA)
_INSERT = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PRUNE = f"""
DELETE FROM snapshots WHERE stream = ? AND version < (
    SELECT min(version) FROM (SELECT version FROM snapshots WHERE stream = ? AND version <= ?
    ORDER BY version DESC LIMIT {KEPT}))
"""
_COLUMNS = "SELECT stream, version, position, digest, name, schema, checksum, payload FROM snapshots"
_LOAD = f"{_COLUMNS} WHERE stream = ? AND version <= ? ORDER BY version DESC LIMIT 1"
_SCAN = f"{_COLUMNS} ORDER BY stream, version"
_TYPES = [bytes, int, int, bytes, bytes, int, bytes, bytes]
_MAX = (1 << 63) - 1
_PATIENCE = 1.0  # seconds to wait if another program has locked the file; the next snapshot is soon enough
_DAMAGE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT}


class _Damaged(Exception):
    """The file is damaged, or not a snapshots file."""


class _Connection(sqlite3.Connection):
    is_empty = False


class SqliteSnapshots:
    """Snapshots in the file at `path`. The first save creates it; the constructor touches no file."""

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self.path = Path(path)
        self.read_only = read_only
        self._process = os.getpid()
        self._is_closed = False
        self._must_put_aside = False
        self._writing = threading.Lock()
        self._reading = threading.Lock()  # acquired after `_writing` where both are needed
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"<SqliteSnapshots {str(self.path)!r}>"

    def save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        """Save snapshots; see SnapshotStore."""
        if self.read_only:
            raise SnapshotsUnavailable(str(self.path), "they were opened read-only")
        with self._writing, self._errors():
            self._check_usable()
            try:
                self._save(snapshots)
            except _Damaged:
                self._must_put_aside = True
                self._save(snapshots)

    def load(self, stream: str, at_most: int | None = None) -> StoredSnapshot | None:
        """Return a stream's newest snapshot; see SnapshotStore."""
        with self._reading, self._errors():
            self._check_usable()
            if self._must_put_aside or not os.path.exists(self.path):
                return None
            try:
                if self._reader is None:
                    self._reader = self._connect_reader()
                    if self._reader is None:
                        return None
                bound = _MAX if at_most is None else at_most
                row = _checked(_first_row, self._reader, stream, bound)
                return None if row is None else _of_row(row)
            except UnicodeEncodeError:
                return None  # a stream cannot have such a name
            except _Damaged:
                self._must_put_aside = True
                raise
            except sqlite3.Error:
                self._close_reader()
                raise
            finally:
                if self.read_only:
                    self._close_reader()  # a connection with immutable=1 must not outlive a change of the file

    def scan(self) -> Iterator[SnapshotMark]:
        """Yield every snapshot, by stream and version."""
        with self._errors():
            if not os.path.exists(self.path):
                return
            connected = self._connect_reader()
            if connected is None:
                return
            with closing(connected) as reader:
                rows = _checked(reader.execute, _SCAN)
                while (row := _checked(rows.fetchone)) is not None:
                    snapshot = _of_row(row)
                    yield SnapshotMark(snapshot.end, snapshot.is_intact)

    def close(self) -> None:
        """Close the connections; the file is then complete without a write-ahead log."""
        if os.getpid() != self._process:
            return  # the connections belong to the parent process
        with self._writing, self._reading:
            self._is_closed = True
            self._close_reader()
            self._close_writer()  # the last connection to close checkpoints the write-ahead log

    # -- writing ------------------------------------------------------------------------------------------------------

    def _save(self, snapshots: Sequence[StoredSnapshot]) -> None:
        if self._must_put_aside:
            self._put_aside()
        try:
            if self._writer is None:
                self._writer = self._connect_writer()
            _checked(self._write, self._writer, snapshots)
        except BaseException:
            self._close_writer()  # closing rolls back
            raise

    @staticmethod
    def _write(writer: sqlite3.Connection, snapshots: Sequence[StoredSnapshot]) -> None:
        writer.execute("BEGIN IMMEDIATE")
        for item in snapshots:
            end = item.end
            values = (end.stream, end.version, end.position, end.digest, item.name, item.schema, item.checksum)
            writer.execute(_INSERT, (*values, item.payload))
            writer.execute(_PRUNE, (end.stream, end.stream, end.version))
        writer.execute("COMMIT")

    def _connect_writer(self) -> sqlite3.Connection:
        if not os.path.exists(self.path):
            self._remove("-wal", "-shm")  # of a deleted file: SQLite would apply them to the new one
        writer = self._connect("?mode=rwc")
        try:
            if writer.is_empty:
                _checked(writer.execute, "PRAGMA journal_mode = WAL")
                _checked(writer.executescript, f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            _checked(writer.execute, "PRAGMA synchronous = NORMAL")
        except BaseException:
            writer.close()
            raise
        return writer

    def _put_aside(self) -> None:
        """Rename an unusable file, so that its content can still be examined."""
        with self._reading:
            self._close_reader()
            self._close_writer()
            for suffix in ("-wal", ""):
                with suppress(FileNotFoundError):
                    os.replace(f"{self.path}{suffix}", f"{self.path}.aside{suffix}")
            self._remove("-shm")
            self._must_put_aside = False

    def _remove(self, *suffixes: str) -> None:
        for suffix in suffixes:
            with suppress(FileNotFoundError):
                os.unlink(f"{self.path}{suffix}")

    # -- connections --------------------------------------------------------------------------------------------------

    def _connect_reader(self) -> _Connection | None:
        """Connect for reading; with immutable=1 if SQLite cannot create its shared-memory file.

        Returns None while the file is empty: the first save may be creating it.
        """
        try:
            reader = self._connect("?mode=ro" if self.read_only else "?mode=rw")
        except sqlite3.OperationalError:
            if not self.read_only or os.path.exists(f"{self.path}-wal"):
                raise
            reader = self._connect("?mode=ro&immutable=1")
        if reader.is_empty:
            reader.close()
            return None
        return reader

    def _connect(self, query: str) -> _Connection:
        """Connect to the file, which must be empty or a snapshots file of a known format."""
        uri = "file:" + quote(os.fsencode(self.path)) + query
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_PATIENCE, factory=_Connection
        )
        connection.text_factory = bytes
        try:
            header = _checked(read_header, connection)
            connection.is_empty = not header.objects
            if not connection.is_empty:
                if header.application_id != _APPLICATION_ID:
                    raise _Damaged("it is another program's file")
                if header.format != _FORMAT:
                    raise _Damaged(f"it has format {header.format}, but this Odradek supports format {_FORMAT}")
                if altered := _KIND.foreign(header) or _KIND.missing(header):
                    raise _Damaged(f"its schema was altered: the {altered[0]} differs from what Odradek creates")
        except BaseException:
            connection.close()
            raise
        return connection

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(sqlite3.Error):
                writer.close()

    def _check_usable(self) -> None:
        if os.getpid() != self._process:
            raise SnapshotsUnavailable(str(self.path), "they were opened before this process was forked")
        if self._is_closed:
            raise SnapshotsUnavailable(str(self.path), "they are closed")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError, _Damaged) as error:
            raise SnapshotsUnavailable(str(self.path), str(error)) from error


def open_snapshots(log: ReadableLog) -> SnapshotStore:
    """Return the snapshot store of a log: the file next to an SqliteLog, or a new MemorySnapshots for any other log."""
    if isinstance(log, SqliteLog):
        return SqliteSnapshots(f"{log.path}.snapshots", read_only=log.read_only)
    return MemorySnapshots()


def _first_row(reader: sqlite3.Connection, stream: str, bound: int) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = reader.execute(_LOAD, (stream, bound)).fetchone()
    return row


def _checked(call: Callable[..., T], *arguments: Any) -> T:
    """Call SQLite; raise _Damaged for errors that mean damage, and others unchanged."""
    try:
        return call(*arguments)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _DAMAGE:
            raise _Damaged(str(error)) from error
        raise
    except UnicodeDecodeError as error:  # sqlite3 quotes a damaged schema in its message
        raise _Damaged(str(error)) from error


def _of_row(row: tuple[Any, ...]) -> StoredSnapshot:
    if [type(value) for value in row] != _TYPES:
        raise _Damaged("its columns have wrong types")
    stream, version, position, digest, name, schema, checksum, payload = row
    try:
        end = CommitEnd(stream.decode(), version, position, digest)
        return StoredSnapshot(end, name.decode(), schema, payload, checksum)
    except UnicodeDecodeError as error:
        raise _Damaged("its names are not UTF-8") from error
