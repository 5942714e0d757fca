"""The file of a log: checks that it is a log, and manages connections to it.

Only SQLite may open the database file: closing another descriptor of it drops the POSIX locks that SQLite holds in this
process, and the next program that closes the file would then delete the write-ahead log under the writer. SQLite's
connections must not be used after a fork, so a forked child is refused.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from odradek_events.errors import (
    DamagedCommit,
    LogError,
    LogFull,
    LogNotFound,
    LogNotReadable,
    LogNotWritable,
    LogTooNew,
    LogUnavailable,
    NotALog,
)
from odradek_events.record import StoredCommit
from odradek_events.sqlite.file_state import FileState, current_state, settled_state
from odradek_events.sqlite.first_page import is_laid_out_like_a_log
from odradek_events.sqlite.identity import read_header
from odradek_events.sqlite.interruption import Interruptible
from odradek_events.sqlite.open_files import OpenFiles, why_not_the_only_name
from odradek_events.sqlite.rows import APPLICATION_ID, FORMAT, KIND, SCHEMA, sound_end
from odradek_events.sqlite.write_ahead_log import why_damaged
from odradek_events.sqlite.writer_lock import WriterLock

__all__ = ["BROKEN", "LogFile", "is_full"]

T = TypeVar("T")

_LONGEST_PATH = 504  # bytes: SQLite's limit of 512, minus the suffixes that it appends
_SMALLEST = 512  # bytes: SQLite's smallest page
_CHUNK = 256  # rows that are read together
_FIRST_CHUNK = 4
_CHUNK_BYTES = 1 << 20  # of their events
_EVENTS = 6  # the index of their column
_COPIED_PAGES = 1024  # per step of a backup
_POOLED = 8
_IMMUTABLE = "?mode=ro&immutable=1"
BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter: sqlite3 quotes a damaged schema in its message
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_NOMEM}


class _Connection(Interruptible):
    """A connection; `is_new` if the file is empty. With immutable=1, `seen` is the file's state at opening."""

    seen: FileState | None = None
    is_new = False


class _Chunk(NamedTuple):
    """Rows that were read together, and the error that prevented reading the next one."""

    rows: list[tuple[Any, ...]]
    is_last: bool
    error: Exception | None = None


class LogFile:
    """The file at `path`, locked for one writer unless `read_only`. Raises a subclass of OpenError."""

    def __init__(self, path: Path, name: str, read_only: bool) -> None:
        self.path = path
        self.name = name
        self.read_only = read_only
        self.is_closed = False
        self._process = os.getpid()
        self._place = str(path)  # checked often
        self._identity: tuple[int, int] | None = None  # of the file that was opened
        self._lock: WriterLock | None = None
        self._open_files: OpenFiles | None = None  # the writer's
        self._pool: list[_Connection] = []
        self._pool_lock = (
            threading.RLock()
        )  # reentrant: garbage collection may end a read while its thread holds the lock
        self._check_place()
        if read_only:
            self.check_same()
            self._give_back(self._open_reader())
        else:
            self._lock = WriterLock(path, name)

    def open_writer(
        self, synchronous: str, *, is_new: bool, has_failed: bool = False
    ) -> tuple[sqlite3.Connection, StoredCommit | None]:
        """Connect for writing, and return the connection and the log's last commit. Makes an empty file a log.

        Creates the file only if `is_new`: a file that has disappeared is not an empty log. `has_failed` says that a
        commit failed with an unknown outcome.
        """
        try:
            writer = self._connect(f"?mode={'rwc' if is_new else 'rw'}")
            try:
                writer.execute(f"PRAGMA synchronous = {synchronous}")
                if writer.is_new:
                    writer.execute("PRAGMA journal_mode = WAL")
                    writer.executescript("BEGIN IMMEDIATE;" + SCHEMA + "COMMIT;")
                self.check_same()
                writer.execute("PRAGMA journal_mode = WAL")
                writer.execute("PRAGMA wal_autocheckpoint = 4000")
                writer.execute("PRAGMA cache_size = -65536")
                writer.execute(
                    "PRAGMA journal_size_limit = -1"
                )  # SQLite must not truncate the write-ahead log by itself
                if has_failed:
                    _empty_write_ahead_log(writer)
                last = sound_end(writer)
                self._open_files = OpenFiles(self._place)
                writer.set_progress_handler(None, 0)  # nothing may interrupt a commit
                return writer, last
            except BaseException as error:
                writer.raise_interruption()
                has_no_space = isinstance(error, sqlite3.Error) and is_full(error, self.path)
                writer.close()  # which may truncate the files
                if has_no_space:
                    raise LogFull(self.name, str(error)) from error
                raise
        except sqlite3.OperationalError as error:
            reason = self._why_barred()
            raise LogNotWritable(self.name, f"{error}; {reason}" if reason else str(error)) from error
        except OSError as error:
            raise LogUnavailable(self.name, f"its files changed while they were opened ({error})") from error
        except BROKEN as error:
            raise DamagedCommit(-1, str(error)) from error

    def why_changed(self) -> str | None:
        """Return which file is no longer the one that the writer has open and why, or None."""
        return None if self._open_files is None else self._open_files.why_changed()

    def save_detached(self, writer: sqlite3.Connection) -> None:
        """Checkpoint the commits of a write-ahead log that lost its name, before they are lost with it."""
        files = self._open_files
        if files is not None and files.is_wal_detached and files.is_database_in_place:
            with suppress(sqlite3.Error):  # if an active reader prevents it, the end of the log will show
                _empty_write_ahead_log(writer)

    def drop_readers(self) -> None:
        """Close the idle connections, which may have replaced files open."""
        with self._pool_lock:
            while self._pool:
                self._pool.pop().close()

    @property
    def is_inherited(self) -> bool:
        """Whether the file was opened before this process was forked."""
        return os.getpid() != self._process

    def check_usable(self) -> None:
        """Raise LogUnavailable if the file is closed, or was opened before a fork."""
        if self.is_inherited:
            raise LogUnavailable(self.name, "it was opened before this process was forked; open it here")
        if self.is_closed:
            raise LogUnavailable(self.name, "it is closed")

    def check_same(self) -> None:
        """Raise LogUnavailable also if the file at the path is not the one that was opened first.

        Connections opened before and after a replacement would mix two histories, and writes to a file without a name
        are lost.
        """
        self.check_usable()
        try:
            file = os.stat(self._place)
        except OSError as error:
            raise LogUnavailable(self.name, f"its file is gone ({error.strerror})") from error
        identity = file.st_dev, file.st_ino
        if identity != (self._identity or identity):
            raise LogUnavailable(self.name, "its file was replaced by another; open it again")
        self._identity = identity

    def close(self, writer: sqlite3.Connection | None = None) -> None:
        """Close the readers, close the writer after a checkpoint, and then release the lock."""
        with self._pool_lock:
            self.is_closed = True
            self.drop_readers()
            if writer is not None:
                if self._open_files is not None and self._open_files.is_database_in_place:
                    with suppress(sqlite3.Error):  # commits that cannot be checkpointed now stay in the write-ahead log
                        writer.execute("PRAGMA wal_checkpoint(PASSIVE)")  # works while others still read
                writer.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `function`; convert errors of SQLite to errors of the log.

        Calls it again if the file was read with immutable=1 and has changed in the meantime.
        """
        while True:
            with self.reader() as reader:
                try:
                    found = function(reader)
                except BROKEN:
                    if self.is_current(reader):
                        raise
                else:
                    if self.is_current(reader):
                        return found

    def fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        try:
            return self.read(lambda reader: reader.execute(query, values).fetchall())
        except UnicodeEncodeError:
            return []  # a log contains no name that UTF-8 cannot encode

    def rows(self, query: str, values: tuple[str, ...], low: int, last: int, column: int) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of `query` in chunks; each chunk continues after the previous one's last value of `column`.

        The first column of a row is its position; `low` and `last` are the last two parameters of the query. A chunk is
        read completely and the connection returned before its first row is yielded: a reader that pauses between two
        rows must not block checkpoints. The first chunk is small, for callers that need a single row.
        """
        count, position = _FIRST_CHUNK, -1
        while True:
            ask = partial(_read_chunk, f"{query} LIMIT {count}", (*values, low, last), count)
            try:
                chunk = self.read(ask)
            except UnicodeEncodeError:
                return  # a log contains no name that UTF-8 cannot encode
            yield from chunk.rows
            if chunk.rows:
                position, low = chunk.rows[-1][0], chunk.rows[-1][column] + 1
            if chunk.error is not None:
                raise DamagedCommit(position + 1, str(chunk.error)) from chunk.error
            if chunk.is_last:
                return
            count = min(4 * count, _CHUNK)

    def backup(self, target: Path) -> None:
        """Copy the log in its current state to the new file `target`."""
        try:
            with closing(sqlite3.connect(target)) as copy:
                self.read(lambda reader: _copy(reader, copy))
                copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one complete file
        except sqlite3.OperationalError as error:
            if is_full(error, target):
                raise LogFull(str(target), str(error)) from error
            raise LogNotWritable(str(target), str(error)) from error

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for reading; convert errors of SQLite to errors of the log."""
        reader = self._borrow()
        try:
            yield reader
        except sqlite3.OperationalError as error:
            reader.raise_interruption()
            raise LogUnavailable(self.name, str(error)) from error
        except BROKEN as error:
            raise DamagedCommit(-1, str(error)) from error
        finally:
            self._give_back(reader)

    def is_current(self, reader: sqlite3.Connection) -> bool:
        """Say whether what was read with a connection is valid, errors included.

        A file that was opened with immutable=1 must not have changed.
        """
        assert isinstance(reader, _Connection)
        return reader.seen is None or reader.seen == current_state(self.path)

    def _borrow(self) -> _Connection:
        self.check_same()
        with self._pool_lock:
            while self._pool:
                reader = self._pool.pop()
                if self.is_current(reader):
                    return reader
                reader.close()
        return self._open_reader()

    def _give_back(self, reader: _Connection) -> None:
        if self.is_inherited:
            return  # another thread may have held the lock during the fork
        with self._pool_lock:
            if self.is_closed or len(self._pool) >= _POOLED or reader.interruption is not None:
                reader.close()
            else:
                self._pool.append(reader)

    def _open_reader(self) -> _Connection:
        """Connect for reading.

        SQLite creates a shared-memory file and a write-ahead log next to a database even for reading, and leaves them
        there. Files of another user would prevent the owner from opening the log, and in a read-only directory they
        cannot be created. A closed log has no write-ahead log, so it is read with immutable=1 until a writer opens it.
        """
        while True:
            seen = settled_state(self.path)
            is_alone = self.read_only and seen.is_whole
            try:
                reader = self._connect(_IMMUTABLE if is_alone else f"?mode={'ro' if self.read_only else 'rw'}")
                if reader.is_new:
                    reader.close()
                    raise NotALog(self.name, "it is empty")
            except (sqlite3.OperationalError, LogError) as error:
                now = current_state(self.path)
                if self.read_only and now != seen and (now.is_whole or seen.is_whole):
                    continue  # a writer opened or closed the log in the meantime
                if isinstance(error, LogError):
                    raise
                reason = self._why_barred() or ("" if seen.is_whole else "its writer has not closed it")
                raise LogNotReadable(self.name, f"{error}; {reason}" if reason else str(error)) from error
            reader.seen = seen if is_alone else None
            return reader

    def _why_barred(self) -> str | None:
        """Return a message about a file next to the log that this user may not access, or None."""
        right, verb = (os.R_OK, "read") if self.read_only else (os.R_OK | os.W_OK, "write")
        for file in (f"{self.path}-wal", f"{self.path}-shm"):
            with suppress(FileNotFoundError):
                owner = os.stat(file).st_uid
                if not os.access(file, right, effective_ids=True):
                    return (
                        f"{file} belongs to user {owner}, and user {os.geteuid()} may not {verb} it; close the log in "
                        "every process, then change the owner of that file"
                    )
        return None

    # -- checking the file --------------------------------------------------------------------------------------------

    def _check_place(self) -> None:
        length = len(os.fsencode(self.path))
        if length > _LONGEST_PATH:
            refused = LogNotReadable if self.read_only else LogNotWritable
            raise refused(self.name, f"its path has {length} bytes, and SQLite supports at most {_LONGEST_PATH}")
        if os.path.isdir(self.path):
            raise NotALog(self.name, "it is a directory")
        if os.path.exists(self.path):
            if not os.path.isfile(self.path):
                raise NotALog(self.name, "it is not a regular file")
            self._check_file()
        elif self.read_only:
            raise LogNotFound(self.name)
        elif not os.path.isdir(self.path.parent):
            raise LogNotWritable(self.name, "its directory does not exist")

    def _check_file(self) -> None:
        """Check the file without creating a lock file or a write-ahead log next to another program's file."""
        status = os.stat(self.path)
        if 0 < status.st_size < _SMALLEST and not os.path.exists(f"{self.path}-journal"):
            raise NotALog(self.name, "file is not a database")  # SQLite would treat a file of one byte as empty
        if not self.read_only or not current_state(self.path).is_whole:
            self._check_before_opening()
        if self.read_only:
            return
        if (reason := why_not_the_only_name(status)) is not None:
            raise LogNotWritable(self.name, reason)
        # SQLite would open the log anyway, and refuse the first append.
        if not os.access(self.path, os.W_OK, effective_ids=True):
            raise LogNotWritable(self.name, "the file is read-only")
        if (reason := self._why_barred()) is not None:
            raise LogNotWritable(self.name, reason)

    def _check_before_opening(self) -> None:
        """Check the database and its write-ahead log before SQLite opens them and may truncate the latter."""
        seen, incomplete = self._check_alone()
        if not seen.is_whole and (damage := why_damaged(str(self.path))) is not None:
            raise DamagedCommit(-1, f"in its write-ahead log {damage}, with commits after it that must not be lost")
        if incomplete is not None:
            try:
                self._connect("?mode=ro").close()
            except sqlite3.OperationalError as error:
                raise LogNotReadable(self.name, str(error)) from error

    def _check_alone(self) -> tuple[FileState, Exception | None]:
        """Check the database without its write-ahead log; return its state, and the error if it is incomplete.

        During a checkpoint, and after one that a crash interrupted, the file is complete only with its write-ahead log:
        the first page already has the new size, but later pages are not written yet.
        """
        while True:
            seen = settled_state(self.path)
            try:
                self._connect(_IMMUTABLE).close()
                return seen, None
            except sqlite3.OperationalError as error:
                refused = LogNotReadable if self.read_only else LogNotWritable
                raise refused(self.name, str(error)) from error
            except (DamagedCommit, NotALog) as error:
                code = getattr(error.__cause__, "sqlite_errorcode", 0)
                if not seen.is_whole and code & 0xFF == sqlite3.SQLITE_CORRUPT:
                    return seen, error
                if not seen.is_whole or seen == current_state(self.path):
                    raise

    def _connect(self, query: str) -> _Connection:
        """Connect to the file, which must be a log, or empty."""
        uri = "file:" + quote(os.fsencode(self.path)) + query
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0, factory=_Connection
        )
        connection.text_factory = bytes
        try:
            connection.is_new = self._is_new(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Say whether the file is empty; refuse one that is not a log, is newer, or has an altered schema."""
        try:
            header = read_header(connection)
        except sqlite3.OperationalError:
            raise
        except BROKEN as error:
            if _application_of_damaged(connection) == APPLICATION_ID:
                raise DamagedCommit(-1, str(error)) from error
            if is_laid_out_like_a_log(self.path):
                raise DamagedCommit(-1, f"its first page cannot be read ({error})") from error
            raise NotALog(self.name, str(error)) from error
        if header.is_blank:
            return True
        if header.application_id != APPLICATION_ID or header.format < 1:
            if KIND.has_tables(header):
                raise DamagedCommit(
                    -1,
                    f"its header has application id {header.application_id} and format {header.format}, instead of "
                    f"{APPLICATION_ID} and {FORMAT}",
                )
            raise NotALog(self.name, "it is another program's database")
        if header.format > FORMAT:
            raise LogTooNew(self.name, header.format, FORMAT)
        foreign, missing = KIND.foreign(header), KIND.missing(header)
        if foreign:
            raise DamagedCommit(-1, f"its schema was altered: the {foreign[0]} was added or changed")
        if missing and not self.read_only:
            raise DamagedCommit(-1, f"the {missing[0]} is missing from its schema")
        return False


def _read_chunk(query: str, values: tuple[object, ...], count: int, reader: sqlite3.Connection) -> _Chunk:
    """Read up to `count` rows, and not many bytes more than _CHUNK_BYTES."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    with closing(reader.execute(query, values)) as cursor:
        try:
            for row in cursor:
                rows.append(row)
                size += len(row[_EVENTS]) if type(row[_EVENTS]) is bytes else 0
                if size >= _CHUNK_BYTES:
                    return _Chunk(rows, is_last=False)
        except sqlite3.OperationalError:
            raise
        except BROKEN as error:
            return _Chunk(rows, is_last=False, error=error)
    return _Chunk(rows, is_last=len(rows) < count)


def _copy(reader: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Copy in steps, so that a signal can interrupt.

    Uses a transaction, since otherwise SQLite restarts the copy when the log grows between two steps.
    """
    reader.execute("BEGIN")
    try:
        reader.execute("SELECT count(*) FROM sqlite_master").fetchall()
        reader.backup(copy, pages=_COPIED_PAGES, sleep=0, progress=lambda *_: None)
    finally:
        reader.execute("ROLLBACK")


def _application_of_damaged(connection: sqlite3.Connection) -> object:
    """Return the application id of a file, even if it is truncated; None if it has no header."""
    with suppress(*BROKEN):
        connection.execute("PRAGMA writable_schema = ON")
        return connection.execute("PRAGMA application_id").fetchone()[0]
    return None


def is_full(error: Exception, path: Path) -> bool:
    """Say whether an error of SQLite for the file at `path` means that there was no space."""
    code = getattr(error, "sqlite_errorcode", 0)
    is_refused_write = code == sqlite3.SQLITE_IOERR_WRITE and _is_at_limit(path)
    return is_refused_write or code == sqlite3.SQLITE_IOERR_SHMSIZE or code & 0xFF in _FULL


def _is_at_limit(path: Path) -> bool:
    """Say whether the file or its write-ahead log has reached the size limit of this process (`ulimit -f`)."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [file for file in (str(path), f"{path}-wal") if os.path.exists(file)]
    return limit != resource.RLIM_INFINITY and any(os.stat(file).st_size >= limit for file in files)


def _empty_write_ahead_log(writer: sqlite3.Connection) -> None:
    """Checkpoint the committed frames and truncate the write-ahead log.

    Frames that could not be synced may never reach the disk, although they can be read and the next sync succeeds:
    after a crash of the machine they would be missing below later commits. A failed commit may be complete in the
    write-ahead log: after a crash of the process it would reappear. An active reader may prevent the truncation;
    everything else still works.
    """
    writer.execute("PRAGMA busy_timeout = 1000")
    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.execute("PRAGMA busy_timeout = 10000")
