"""The file of a log: whether it is one, and connections to it.

Nothing here but SQLite ever opens the database file: to close a second descriptor of it drops the POSIX locks that
SQLite holds in this process, and the next stranger to close the file would then take the write-ahead log away from
under the writer. SQLite's connections do not survive a fork, so a forked child is refused their use.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from odradek_events.errors import (
    DamagedCommit,
    LogFull,
    LogNotFound,
    LogNotReadable,
    LogNotWritable,
    LogTooNew,
    LogUnavailable,
    NotALog,
)
from odradek_events.record import StoredCommit
from odradek_events.sqlite.first_page import is_laid_out_like_a_log
from odradek_events.sqlite.rows import APPLICATION_ID, FORMAT, SCHEMA, made_schema, sound_end
from odradek_events.sqlite.writer_lock import WriterLock

__all__ = ["LogFile", "is_full"]

_CHUNK = 256  # rows per query: bounds how long a reader pins the write-ahead log
_POOLED = 8
_IMMUTABLE = "?mode=ro&immutable=1"
_BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter: sqlite3 quotes a damaged schema in its message
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_NOMEM}


class _Connection(sqlite3.Connection):
    """A connection. If it takes the file as immutable, `seen` is how the file was then."""

    seen: tuple[int, ...] | None = None


class LogFile:
    """The file at `path`, locked for one writer unless `read_only`. Raises an OpenError that says what is wrong."""

    def __init__(self, path: Path, name: str, read_only: bool) -> None:
        self.path = path
        self.name = name
        self.read_only = read_only
        self.is_closed = False
        self._process = os.getpid()
        self._place = str(path)  # which is looked at often
        self._identity: tuple[int, int] | None = None  # of the file that was opened
        self._lock: WriterLock | None = None
        self._pool: list[_Connection] = []
        self._pool_lock = threading.RLock()  # the collector may end a read while its thread holds the lock
        self._check_place()
        if read_only:
            self.check_same()
            self._give_back(self._open_reader())
        else:
            self._lock = WriterLock(path, name)

    def open_writer(
        self, synchronous: str, *, is_new: bool, has_failed: bool = False
    ) -> tuple[sqlite3.Connection, StoredCommit | None]:
        """Connect for writing, and return the connection with the log's last commit. An empty file becomes a log.

        The file is only created when `is_new`: one that has vanished is not an empty log. `has_failed` says that a
        commit came to an unknown end.
        """
        try:
            writer = self._connect(f"?mode={'rwc' if is_new else 'rw'}")
            try:
                if self._check_format(writer) == 0:
                    writer.execute("PRAGMA journal_mode = WAL")
                    writer.executescript("BEGIN IMMEDIATE;" + SCHEMA + "COMMIT;")
                self.check_same()
                writer.execute("PRAGMA journal_mode = WAL")
                writer.execute(f"PRAGMA synchronous = {synchronous}")
                writer.execute("PRAGMA wal_autocheckpoint = 4000")
                writer.execute("PRAGMA cache_size = -65536")
                if has_failed:
                    _empty_write_ahead_log(writer)
                return writer, sound_end(writer)
            except BaseException as error:
                is_without_room = isinstance(error, sqlite3.Error) and is_full(error, self.path)
                writer.close()  # which may shorten the files
                if is_without_room:
                    raise LogFull(self.name, str(error)) from error
                raise
        except sqlite3.OperationalError as error:
            raise LogNotWritable(self.name, str(error)) from error
        except _BROKEN as error:
            raise DamagedCommit(-1, str(error)) from error

    @property
    def is_inherited(self) -> bool:
        """Whether another process opened it, from which this one was forked."""
        return os.getpid() != self._process

    def check_usable(self) -> None:
        """Raise LogUnavailable where nothing can be done with the file any more."""
        if self.is_inherited:
            raise LogUnavailable(self.name, "it was opened before this process was forked; open it here")
        if self.is_closed:
            raise LogUnavailable(self.name, "it is closed")

    def check_same(self) -> None:
        """Raise LogUnavailable also if the file is another than at first.

        Connections opened before and after would mix two histories, and what is written to a file without a name is
        lost.
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
        """Close the readers, the writer after a checkpoint, and then the lock."""
        with self._pool_lock:
            self.is_closed = True
            for reader in self._pool:
                reader.close()
            self._pool.clear()
            if writer is not None:
                with suppress(sqlite3.Error):  # what cannot be copied now stays in the write-ahead log
                    writer.execute("PRAGMA wal_checkpoint(PASSIVE)")  # even while others read on
                writer.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    # -- reading ------------------------------------------------------------------------------------------------------

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
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

    def fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self.reader() as reader:
            try:
                return reader.execute(query, values).fetchall()
            except UnicodeEncodeError:
                return []  # no log holds a name that UTF-8 cannot

    def rows(self, query: str, values: tuple[str, ...], low: int, last: int, column: int) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of `query` chunk by chunk, each chunk continuing after the last one's value of `column`.

        The first column of a row is its position; `low` and `last` are the last two parameters of the query.
        """
        position = -1
        while True:
            count = 0
            with self.reader() as reader:
                try:
                    for row in reader.execute(f"{query} LIMIT {_CHUNK}", (*values, low, last)):
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

    def backup(self, target: Path) -> None:
        """Copy the log, as it is now, into the new file `target`."""
        with self.reader() as reader:
            try:
                with closing(sqlite3.connect(target)) as copy:
                    reader.backup(copy)  # in one step: SQLite begins anew when the log grows between two steps
                    copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one complete file
            except sqlite3.OperationalError as error:
                if is_full(error, target):
                    raise LogFull(str(target), str(error)) from error
                raise LogNotWritable(str(target), str(error)) from error

    def _borrow(self) -> _Connection:
        self.check_same()
        with self._pool_lock:
            while self._pool:
                reader = self._pool.pop()
                if reader.seen is None or reader.seen == self._state():
                    return reader
                reader.close()
        return self._open_reader()

    def _give_back(self, reader: _Connection) -> None:
        if self.is_inherited:
            return  # a thread that was not forked may have held the lock
        with self._pool_lock:
            if self.is_closed or len(self._pool) >= _POOLED:
                reader.close()
            else:
                self._pool.append(reader)

    def _open_reader(self) -> _Connection:
        try:
            return self._connect(f"?mode={'ro' if self.read_only else 'rw'}")
        except sqlite3.OperationalError as error:
            # Where nothing can be written SQLite cannot make the shared-memory file that a WAL database wants; a log
            # that was closed in order has no WAL left, and may be read as immutable until a writer comes.
            *_, wal_size = seen = self._state()
            if wal_size > 0:
                raise LogNotReadable(self.name, f"{error}; its writer has not closed it") from error
            if not self.read_only:
                raise LogNotReadable(self.name, str(error)) from error
        try:
            reader = self._connect(_IMMUTABLE)
        except sqlite3.OperationalError as error:
            raise LogNotReadable(self.name, str(error)) from error
        reader.seen = seen
        return reader

    def _state(self) -> tuple[int, ...]:
        """Return what changes when somebody writes: the file's identity, size and time, and the size of its WAL."""
        seen = [0, 0, 0, 0]
        with suppress(OSError):
            file = os.stat(self.path)
            seen[:3] = file.st_ino, file.st_size, file.st_mtime_ns
            seen[3] = os.stat(f"{self.path}-wal").st_size
        return tuple(seen)

    # -- what the file is ---------------------------------------------------------------------------------------------

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
            try:
                self._connect(_IMMUTABLE).close()
            except (DamagedCommit, NotALog) as error:
                *_, wal_size = self._state()
                code = getattr(error.__cause__, "sqlite_errorcode", 0)
                if wal_size == 0 or code & 0xFF != sqlite3.SQLITE_CORRUPT:
                    raise
                # A writer killed in the middle of a checkpoint leaves a file that is whole only with its write-ahead
                # log: the first page has the new size already, and the pages behind it are still to come.
                self._connect("?mode=ro").close()
        except sqlite3.OperationalError as error:
            raise LogNotWritable(self.name, str(error)) from error
        if not os.access(self.path, os.W_OK, effective_ids=True):  # SQLite would open it, and refuse the first append
            raise LogNotWritable(self.name, "the file is read-only")

    def _connect(self, query: str) -> _Connection:
        """Connect to the file, which must be a log, or empty when it may be made one."""
        uri = "file:" + quote(str(self.path)) + query
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0, factory=_Connection
        )
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
            if APPLICATION_ID in (application_id, _application_of_damaged(connection)):
                raise DamagedCommit(-1, str(error)) from error
            if is_laid_out_like_a_log(self.path):
                raise DamagedCommit(-1, f"its first page cannot be read ({error})") from error
            raise NotALog(self.name, str(error)) from error
        if application_id == version == tables == 0:
            if self.read_only:
                raise NotALog(self.name, "it is empty")
            return 0
        if application_id != APPLICATION_ID or version < 1:
            if _has_commits(connection):
                header = f"its header gives {application_id} as its application, and {version} as its format"
                raise DamagedCommit(-1, f"{header}; a log has {APPLICATION_ID} and {FORMAT} there")
            raise NotALog(self.name, "it is another program's database")
        if version > FORMAT:
            raise LogTooNew(self.name, version, FORMAT)
        return int(version)


def _has_commits(connection: sqlite3.Connection) -> bool:
    tables = set(connection.execute("SELECT CAST(name AS BLOB), sql FROM sqlite_master WHERE type = 'table'"))
    return tables >= {(name, sql) for name, sql in made_schema() if sql.startswith(b"CREATE TABLE")}


def _application_of_damaged(connection: sqlite3.Connection) -> object:
    """Return what the header says, also of a file that is shorter than it should be; None where there is none."""
    with suppress(*_BROKEN):
        connection.execute("PRAGMA writable_schema = ON")
        return connection.execute("PRAGMA application_id").fetchone()[0]
    return None


def is_full(error: Exception, path: Path) -> bool:
    """Say whether an error of SQLite, at the file at `path`, means that there was no room."""
    code = getattr(error, "sqlite_errorcode", 0)
    is_refused_write = code == sqlite3.SQLITE_IOERR_WRITE and _is_at_limit(path)
    return is_refused_write or code == sqlite3.SQLITE_IOERR_SHMSIZE or code & 0xFF in _FULL


def _is_at_limit(path: Path) -> bool:
    """Say whether the file or its write-ahead log is as large as this process may make one (`ulimit -f`)."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [file for file in (str(path), f"{path}-wal") if os.path.exists(file)]
    return limit != resource.RLIM_INFINITY and any(os.stat(file).st_size >= limit for file in files)


def _empty_write_ahead_log(writer: sqlite3.Connection) -> None:
    """Bring what is committed into the file, and nothing else, so that the write-ahead log begins anew.

    What could not be synced may never reach the disk, though it can be read and the next sync succeeds: after a crash
    of the machine it would be missing under later commits. A commit that failed may stand there whole: after a crash of
    the process it would be there again. A reader in the middle of the old one may prevent it; all the rest goes on.
    """
    writer.execute("PRAGMA busy_timeout = 1000")
    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.execute("PRAGMA busy_timeout = 10000")
