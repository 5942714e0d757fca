"""A durable log in one SQLite file (WAL): one row per commit, its events as one JSON array.

One row per commit is the choice that makes batches fast: a row per event stops at 105-170 thousand durable messages a
second on two cores, a row per commit reached 290 thousand with the tag index.

The file carries its format in `application_id` and `user_version` from the first day. Triggers refuse UPDATE and
DELETE, and any INSERT whose first position or version is not the next (INSERT OR REPLACE slips past the other two: it
would delete the commit at that position, or at that version of the stream).

The single writer is held by `flock` on `<log>.lock`: lockf would admit a second writer in the same process. Nothing
here but SQLite ever opens the database file: to close a second descriptor of it drops the POSIX locks that SQLite holds
in this process, and the next stranger to close the file would then take the write-ahead log away from under the writer.

Columns stand in the order in which readers need them: `events`, which spills to overflow pages, comes last.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from odradek_events.appending import EMPTY_DIGEST, Judged, judge
from odradek_events.codec import Codec
from odradek_events.errors import (
    DamagedCommit,
    LogError,
    LogFull,
    LogLocked,
    LogNotFound,
    LogNotReadable,
    LogNotWritable,
    LogTooNew,
    LogUnavailable,
    NotALog,
    OutcomeUnknown,
    PositionBeyondHead,
)
from odradek_events.log import ReadableLog
from odradek_events.record import Append, Failed, Head, Rejected, StoredCommit, Verdict

__all__ = ["APPLICATION_ID", "FORMAT", "Durability", "SqliteLog"]

APPLICATION_ID = 0x4F445244  # "ODRD"
FORMAT = 1
Durability = Literal["full", "normal", "off"]

_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL", "off": "OFF"}
_CHUNK = 256  # rows per query: bounds how long a reader pins the write-ahead log
_KNOWN_STREAMS = 100_000
_MAX = (1 << 63) - 1

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE commits (
    first_position INTEGER PRIMARY KEY,
    last_position INTEGER NOT NULL,
    stream TEXT NOT NULL,
    first_version INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    digest BLOB NOT NULL,
    events TEXT NOT NULL,
    UNIQUE (stream, first_version)
);
CREATE TABLE tags (
    tag TEXT NOT NULL,
    first_position INTEGER NOT NULL REFERENCES commits,
    first_offset INTEGER,
    PRIMARY KEY (tag, first_position)
) WITHOUT ROWID;
CREATE INDEX tag_offsets ON tags (tag, first_offset) WHERE first_offset IS NOT NULL;
CREATE TRIGGER commits_are_appended BEFORE INSERT ON commits
WHEN NEW.first_position <> coalesce((SELECT last_position FROM commits ORDER BY first_position DESC LIMIT 1), -1) + 1
    OR NEW.last_position < NEW.first_position
    OR NEW.first_version <> coalesce((SELECT first_version + last_position - first_position FROM commits
        WHERE stream = NEW.stream ORDER BY first_version DESC LIMIT 1), -1) + 1
BEGIN SELECT raise(ABORT, 'the log only grows: first_position must be head + 1, and first_version the next'); END;
CREATE TRIGGER commits_are_not_changed BEFORE UPDATE ON commits
BEGIN SELECT raise(ABORT, 'the log only grows: no commit is changed'); END;
CREATE TRIGGER commits_are_not_deleted BEFORE DELETE ON commits
BEGIN SELECT raise(ABORT, 'the log only grows: no commit is deleted'); END;
CREATE VIEW events AS
SELECT c.first_position + e.key AS position, c.stream, c.first_version + e.key AS version,
    e.value ->> 'type' AS type, c.metadata ->> 'recorded_at' AS recorded_at, e.value AS event
FROM commits AS c, json_each(c.events) AS e;
"""
_INSERT = (
    "INSERT INTO commits (first_position, last_position, stream, first_version, metadata, digest, events) "
    "VALUES (?, ?, ?, ?, CAST(? AS TEXT), ?, CAST(? AS TEXT))"
)
_COLUMNS = "c.first_position, c.last_position, c.stream, c.first_version, c.metadata, c.digest, c.events"
_BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter: sqlite3 quotes a damaged schema in its message
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_NOMEM}


class SqliteLog(ReadableLog):
    """An event log in the SQLite file at `path`, which is created when opened for writing.

    `durability`: `full` syncs every commit before it is answered; `normal` survives the death of the process, not of
    the machine; `off` may lose acknowledged messages. Raises an OpenError, or DamagedCommit where the file is broken.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        durability: Durability = "full",
        codec: Codec | None = None,
    ) -> None:
        if durability not in _SYNCHRONOUS:
            raise ValueError(f"durability is 'full', 'normal' or 'off', not {durability!r}")
        self.path = Path(os.path.realpath(path))  # one file, one lock, whatever name or link it was opened by
        self.name = str(path)
        self.read_only = read_only
        self.durability = durability
        self.codec = codec or Codec()
        self._lock_file: int | None = None
        self._writer: sqlite3.Connection | None = None
        self._poisoned: str | None = None
        self._closed = False
        self._writing = threading.Lock()
        self._pool_lock = threading.Lock()
        self._pool: list[sqlite3.Connection] = []
        self._versions: dict[str, int] = {}
        self._check_place()
        self._query = f"?mode={'ro' if read_only else 'rw'}"
        self._head = Head(-1, EMPTY_DIGEST, None)
        if read_only:
            self._give_back(self._open_reader())
        else:
            self._take_lock()
            try:
                self._open_writer("rwc")
            except BaseException:
                self._release_lock()
                raise

    # -- writing ------------------------------------------------------------------------------------------------------

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Append in order, in one transaction; see the contract in `log`."""
        with self._writing:
            writer = self._usable_writer()
            judged = Judged(self._head)
            try:
                judged = judge(requests, recorded_at, self._head, self._version_in_log, self.codec)
                if judged.rows:
                    _write(writer, judged.rows)
            except (sqlite3.Error, OverflowError) as error:
                outcome = self._not_committed(writer, error)
                verdicts = judged.verdicts or [outcome] * len(requests)
                return [verdict if isinstance(verdict, Rejected) else outcome for verdict in verdicts]
            self._head = judged.head
            if len(self._versions) > _KNOWN_STREAMS:
                self._versions.clear()
            self._versions.update(judged.versions)
            return judged.verdicts

    def reopen(self) -> None:
        """Open the file anew after a failed append and read where the log really ends."""
        with self._writing:
            if self._closed or self.read_only:
                raise LogUnavailable(self.name, "it is closed" if self._closed else "it is open read-only")
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self._versions.clear()
            self._open_writer()
            self._poisoned = None

    def _not_committed(self, writer: sqlite3.Connection, error: Exception) -> Rejected | Failed:
        """Roll back; say whether surely nothing was written, else refuse further appends."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        try:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            if code in _FULL:
                return Rejected(LogFull(self.name, str(error)))
        except sqlite3.Error:
            pass  # the first error tells more
        self._poisoned = str(error)
        return Failed(OutcomeUnknown(self.name, str(error)))

    def _usable_writer(self) -> sqlite3.Connection:
        if self.read_only:
            raise LogUnavailable(self.name, "it is open read-only; open it for writing to append")
        if self._closed:
            raise LogUnavailable(self.name, "it is closed")
        if self._poisoned is not None:
            raise LogUnavailable(self.name, f"an append failed ({self._poisoned}); reopen it first")
        if self._writer is None:
            raise LogUnavailable(self.name, "it could not be reopened; try again")
        return self._writer

    # -- reading ------------------------------------------------------------------------------------------------------

    def head(self) -> Head:
        """Return the end of the log: the writer's own, or for a reader the file's."""
        if not self.read_only:
            return self._head
        with self._reader() as reader:
            return self._read_head(reader)

    def stream_version(self, stream: str) -> int:
        """Return the version of a stream's last event, or -1."""
        with self._reader() as reader:
            return _stream_version(reader, stream)

    def streams(self) -> Iterator[str]:
        """Yield every stream's name, sorted; one index look-up each."""
        name = ""
        while True:
            rows = self._fetch("SELECT stream FROM commits WHERE stream > ? ORDER BY stream LIMIT 1", (name,))
            if not rows:
                return
            name = _decoded(rows[0][0], -1)
            yield name

    def stored(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        """Yield stored commits; see ReadableLog. Reads in chunks, so memory stays flat."""
        head = self._last_position()
        last = head if until is None else min(until, head)
        if after >= last:
            return
        source, column, conditions, values = _selection(stream, tags, types)
        query = (
            f"SELECT {_COLUMNS} FROM {source} WHERE {conditions} AND {column} >= ? AND c.first_position <= ? "
            f"ORDER BY {column} LIMIT {_CHUNK}"
        )
        low = self._first_position_of(max(after, -1) + 1)
        if stream is not None and low > 0:
            low = self._first_version_from(stream, low)
        for row in self._rows(query, values, low, last, 0 if stream is None else 3):
            yield _stored_commit(row)

    def scan(self) -> Iterator[StoredCommit | DamagedCommit]:
        """Yield every row in order as a commit, or as the error that says why it cannot be one."""
        query = f"SELECT {_COLUMNS} FROM commits AS c WHERE first_position BETWEEN ? AND ? ORDER BY 1 LIMIT {_CHUNK}"
        for row in self._rows(query, (), -_MAX, _MAX, 0):
            try:
                yield _stored_commit(row)
            except DamagedCommit as error:
                yield error

    def _rows(self, query: str, values: tuple[str, ...], low: int, last: int, column: int) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of `query` chunk by chunk, each chunk continuing after the last one's value of `column`."""
        position = -1
        while True:
            count = 0
            with self._reader() as reader:
                try:
                    for row in reader.execute(query, (*values, low, last)):
                        count += 1
                        position = row[0]
                        yield row
                        low = row[column] + 1
                except UnicodeEncodeError:
                    return  # no log holds a name that UTF-8 cannot
                except sqlite3.OperationalError:
                    raise
                except _BROKEN as error:
                    raise DamagedCommit(position + 1, str(error)) from error
            if count < _CHUNK:
                return

    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        """Return the first position of the commit that covers `offset` of `tag`; see ReadableLog."""
        rows = self._fetch(
            "SELECT first_position FROM tags WHERE tag = ? AND first_offset <= ? AND first_offset IS NOT NULL "
            "AND first_position >= ? ORDER BY first_offset DESC, first_position DESC LIMIT 1",
            (tag, min(offset, _MAX), not_before),
        )
        return rows[0][0] if rows else None

    def commit_at(self, position: int) -> StoredCommit:
        """Return the stored commit that holds `position`."""
        found = next(self.stored(after=position - 1, until=position), None) if position >= 0 else None
        if found is None:
            raise PositionBeyondHead(position, self.head().position)
        return found

    def index_entries(self, first_position: int) -> dict[str, int | None]:
        """Return the stored index entries of the commit at `first_position`, for verification."""
        rows = self._fetch("SELECT tag, first_offset FROM tags WHERE first_position = ?", (first_position,))
        return {str(tag, "utf-8"): offset for tag, offset in rows}

    def structural_damage(self) -> list[DamagedCommit]:
        """Return what is wrong with the file beside its commits: index entries without one, SQLite's own structure."""
        try:
            strays = self._fetch(
                "SELECT DISTINCT first_position FROM tags EXCEPT SELECT first_position FROM commits",
                (),
            )
            problems = self._fetch("PRAGMA integrity_check(10)", ())
        except DamagedCommit as error:
            return [error]
        except LogError as error:
            return [DamagedCommit(-1, str(error))]
        return [
            *(DamagedCommit(row[0], "the index has entries for a commit that is not there") for row in strays),
            *(DamagedCommit(-1, str(row[0], "utf-8", "replace")) for row in problems if row[0] != b"ok"),
        ]

    def backup(self, target: Path) -> None:
        """Copy the log, as it is now, into the new file `target` while writing may go on."""
        with self._reader() as reader:
            try:
                with closing(sqlite3.connect(target)) as copy:
                    reader.backup(copy)  # in one step: SQLite begins anew when the log grows between two steps
                    copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one complete file
            except sqlite3.OperationalError as error:
                if _is_full(error):
                    raise LogFull(str(target), str(error)) from error
                raise LogNotWritable(str(target), str(error)) from error

    # -- opening and closing ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Checkpoint, so that the .db file alone is complete, and release the file and its lock."""
        with self._writing, self._pool_lock:
            if self._closed:
                return
            self._closed = True
            for reader in self._pool:
                reader.close()
            self._pool.clear()
            if self._writer is not None:
                with suppress(sqlite3.Error):  # what cannot be copied now stays in the write-ahead log
                    self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)")  # even while others read on
                self._writer.close()
                self._writer = None
            self._release_lock()

    def _check_place(self) -> None:
        if os.path.isdir(self.path):
            raise NotALog(self.name, "it is a directory")
        if os.path.exists(self.path):
            if not os.path.isfile(self.path):
                raise NotALog(self.name, "it is not a regular file")
            if not self.read_only:
                self._check_before_lock()
        elif self.read_only:
            raise LogNotFound(self.name)
        elif not os.path.isdir(self.path.parent):
            raise LogNotWritable(self.name, "its directory does not exist")

    def _check_before_lock(self) -> None:
        """Look without a trace: no lock file and no write-ahead log beside what may be another program's file."""
        try:
            self._connect("?mode=ro&immutable=1").close()
        except sqlite3.OperationalError as error:
            raise LogNotWritable(self.name, str(error)) from error
        if not os.access(self.path, os.W_OK, effective_ids=True):  # SQLite would open it, and refuse the first append
            raise LogNotWritable(self.name, "the file is read-only")

    def _open_writer(self, mode: str = "rw") -> None:
        try:
            writer = self._connect(f"?mode={mode}")
            try:
                if self._check_format(writer) == 0:
                    writer.execute("PRAGMA page_size = 16384")
                    writer.execute("PRAGMA journal_mode = WAL")
                    writer.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
                writer.execute("PRAGMA journal_mode = WAL")
                writer.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[self.durability]}")
                writer.execute("PRAGMA wal_autocheckpoint = 4000")
                writer.execute("PRAGMA cache_size = -65536")
                self._head = self._read_head(writer)
            except BaseException:
                writer.close()
                raise
        except sqlite3.OperationalError as error:
            if _is_full(error):
                raise LogFull(self.name, str(error)) from error
            raise LogNotWritable(self.name, str(error)) from error
        except _BROKEN as error:
            raise DamagedCommit(-1, str(error)) from error
        self._writer = writer

    def _open_reader(self) -> sqlite3.Connection:
        try:
            return self._connect(self._query)
        except sqlite3.OperationalError as error:
            # On read-only media SQLite cannot make the shared-memory file that a WAL database wants; a log that was
            # closed in order has no WAL left, and may be read as the immutable file it is.
            wal = f"{self.path}-wal"
            if os.path.exists(wal) and os.path.getsize(wal) > 0:
                raise LogNotReadable(self.name, f"{error}; its writer has not closed it") from error
            if not self.read_only:
                raise LogNotReadable(self.name, str(error)) from error
        self._query = "?mode=ro&immutable=1"
        try:
            return self._connect(self._query)
        except sqlite3.OperationalError as error:
            raise LogNotReadable(self.name, str(error)) from error

    def _connect(self, query: str) -> sqlite3.Connection:
        """Connect to the file, which must be a log, or empty when it may be made one."""
        uri = "file:" + quote(str(self.path)) + query
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0)
        connection.text_factory = bytes
        try:
            self._check_format(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_format(self, connection: sqlite3.Connection) -> int:
        """Return the file's format, 0 for an empty file; refuse what is not ours or is newer."""
        application_id = 0
        try:
            ((application_id,),) = connection.execute("PRAGMA application_id").fetchall()
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
            ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except sqlite3.OperationalError:
            raise
        except _BROKEN as error:
            if application_id == APPLICATION_ID:
                raise DamagedCommit(-1, str(error)) from error
            raise NotALog(self.name, str(error)) from error
        if application_id == version == tables == 0:
            if self.read_only:
                raise NotALog(self.name, "it is empty")
            return 0
        if application_id != APPLICATION_ID or version < 1:
            raise NotALog(self.name, "it is another program's database")
        if version > FORMAT:
            raise LogTooNew(self.name, version, FORMAT)
        return int(version)

    def _take_lock(self) -> None:
        lock_path = f"{self.path}.lock"
        try:
            file = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LogNotWritable(self.name, error.strerror or str(error)) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.read(file, 32).decode("ascii", "replace").strip()
            os.close(file)
            holder = "this process" if pid == str(os.getpid()) else f"process {pid}" if pid else "another process"
            raise LogLocked(self.name, holder) from error
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._lock_file = file

    def _release_lock(self) -> None:
        if self._lock_file is not None:
            os.close(self._lock_file)  # the file stays: removing it would let two writers lock two different files
            self._lock_file = None

    def _read_head(self, connection: sqlite3.Connection) -> Head:
        row = connection.execute(f"SELECT {_COLUMNS} FROM commits AS c ORDER BY first_position DESC LIMIT 1").fetchone()
        if row is None:
            return Head(-1, EMPTY_DIGEST, None)
        stored = _stored_commit(row)
        return Head(stored.last_position, stored.digest, self.codec.metadata(stored).recorded_at)

    # -- connections --------------------------------------------------------------------------------------------------

    def _borrow(self) -> sqlite3.Connection:
        with self._pool_lock:
            if self._closed:
                raise LogUnavailable(self.name, "it is closed")
            if self._pool:
                return self._pool.pop()
        return self._open_reader()

    def _give_back(self, reader: sqlite3.Connection) -> None:
        with self._pool_lock:
            if self._closed or len(self._pool) >= 8:
                reader.close()
            else:
                self._pool.append(reader)

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading; errors of the file become errors of the log."""
        reader = self._borrow()
        try:
            yield reader
        except sqlite3.OperationalError as error:
            raise LogUnavailable(self.name, str(error)) from error
        except _BROKEN as error:
            raise DamagedCommit(-1, str(error)) from error
        finally:
            self._give_back(reader)

    def _fetch(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._reader() as reader:
            try:
                return reader.execute(query, values).fetchall()
            except UnicodeEncodeError:
                return []  # no log holds a name that UTF-8 cannot

    def _last_position(self) -> int:
        if not self.read_only:
            return self._head.position
        rows = self._fetch("SELECT last_position FROM commits ORDER BY first_position DESC LIMIT 1", ())
        return _integer(rows[0][0], -1) if rows else -1

    def _version_in_log(self, stream: str) -> int:
        version = self._versions.get(stream)
        if version is None:
            assert self._writer is not None
            version = self._versions[stream] = _stream_version(self._writer, stream)
        return version

    def _first_version_from(self, stream: str, position: int) -> int:
        """Return the version of a stream's first commit at or after `position`; beyond its end if there is none."""
        rows = self._fetch(
            "SELECT first_version FROM commits WHERE stream = ? AND first_position >= ? ORDER BY first_version LIMIT 1",
            (stream, position),
        )
        return _integer(rows[0][0], position) if rows else _MAX

    def _first_position_of(self, position: int) -> int:
        """Return the first position of the commit that holds `position`, or `position` if none does."""
        rows = self._fetch(
            "SELECT first_position, last_position FROM commits WHERE first_position <= ? "
            "ORDER BY first_position DESC LIMIT 1",
            (position,),
        )
        return rows[0][0] if rows and _integer(rows[0][1], rows[0][0]) >= position else position


def _write(writer: sqlite3.Connection, rows: list[StoredCommit]) -> None:
    """Write rows and their index entries in one transaction."""
    writer.execute("BEGIN IMMEDIATE")
    writer.executemany(
        _INSERT,
        [
            (
                row.first_position,
                row.last_position,
                row.stream,
                row.first_version,
                row.metadata,
                row.digest,
                row.events,
            )
            for row in rows
        ],
    )
    writer.executemany(
        "INSERT INTO tags VALUES (?, ?, ?)",
        [(tag, row.first_position, offset) for row in rows for tag, offset in row.tags.items()],
    )
    writer.execute("COMMIT")


def _stored_commit(row: tuple[Any, ...]) -> StoredCommit:
    """Return a row as a commit. SQLite's columns take values of any type; a damaged file makes use of it."""
    first, last, stream, version, metadata, digest, events = row
    if not (type(metadata) is type(digest) is type(events) is bytes):
        raise DamagedCommit(first, "its columns are not of their types")
    return StoredCommit(
        first, _integer(last, first), _decoded(stream, first), _integer(version, first), metadata, digest, events
    )


def _integer(value: object, position: int) -> int:
    if type(value) is not int:
        raise DamagedCommit(position, f"it has {value!r} where a number was due")
    return value


def _decoded(value: object, position: int) -> str:
    if type(value) is not bytes:
        raise DamagedCommit(position, f"it has {value!r} where a stream was due")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DamagedCommit(position, f"its stream is not UTF-8 ({error})") from error


def _is_full(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in _FULL


def _stream_version(connection: sqlite3.Connection, stream: str) -> int:
    row = connection.execute(
        "SELECT first_version + last_position - first_position FROM commits WHERE stream = ? "
        "ORDER BY first_version DESC LIMIT 1",
        (stream,),
    ).fetchone()
    return -1 if row is None else _integer(row[0], -1)


def _selection(
    stream: str | None, tags: Collection[str], types: Collection[str]
) -> tuple[str, str, str, tuple[str, ...]]:
    """Return FROM, the column that orders and continues, WHERE, and its values.

    Driven by a stream (versions rise with positions), else by one tag or type of the index, else by the table itself.
    CROSS JOIN keeps SQLite from turning the chosen order around.
    """
    entries = [*tags, *(f"type:{name}" for name in types if len(types) == 1)]
    conditions = []
    values: list[str] = []
    source, column = "commits AS c", "c.first_position"
    if stream is not None:
        conditions.append("c.stream = ?")
        values.append(stream)
        column = "c.first_version"
    elif entries:
        source, column = (
            "tags AS t CROSS JOIN commits AS c ON c.first_position = t.first_position",
            "t.first_position",
        )
        conditions.append("t.tag = ?")
        values.append(entries.pop(0))
    for entry in entries:
        conditions.append("EXISTS (SELECT 1 FROM tags WHERE tag = ? AND first_position = c.first_position)")
        values.append(entry)
    if len(types) > 1:
        marks = ", ".join("?" * len(types))
        conditions.append(f"EXISTS (SELECT 1 FROM tags WHERE tag IN ({marks}) AND first_position = c.first_position)")
        values.extend(f"type:{name}" for name in types)
    return source, column, " AND ".join(conditions) or "1", tuple(values)
