"""Salvage a damaged log: copy its sound commits to a new log.

Reads the source with SQLite alone, without the checks that opening a log performs: its header, triggers and index may
be damaged, its end may be truncated. The digest chain decides which commits are sound. The source is not changed. If
SQLite cannot even open the file, salvage treats its first page as lost, and restores it in a copy.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from odradek_events.errors import DamagedCommit, LogNotFound, LogNotReadable, NotALog, NothingToSalvage
from odradek_events.maintenance.builder import building, check_is_new
from odradek_events.record import Head, StoredCommit
from odradek_events.schema.codec import Codec
from odradek_events.sqlite.connections import LogFile
from odradek_events.sqlite.first_page import has_layout_of_a_log, with_first_page
from odradek_events.sqlite.identity import read_header
from odradek_events.sqlite.index_walk import IndexWalk, sorted_index
from odradek_events.sqlite.interruption import Interruptible
from odradek_events.sqlite.rows import APPLICATION_ID, FORMAT, KIND, SCAN, commit_of_row
from odradek_events.sqlite.write_ahead_log import why_damaged
from odradek_events.validation import check_function, check_instance, file_name

__all__ = ["Salvage", "salvage"]

_MAX = (1 << 63) - 1
_BROKEN = (sqlite3.Error, UnicodeDecodeError)  # the latter: sqlite3 quotes a damaged schema in its message
_BARRED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_PROGRESS_EACH = 64  # commits


class Salvage(msgspec.Struct, frozen=True):
    """The result of a salvage: the commits copied and left out.

    `problem` says why the copy ends at `head`; it is None if the copy is complete. `left_out_until` is the last
    position beyond the head that the source refers to, or None, and `left_out_commits` the number of commits that it
    lists there. `is_end_known` is False if the source may have had more commits: its end is truncated or damaged.
    `notes` lists other damage to the source, which the copy does not have.
    """

    head: Head
    commits: int
    events: int
    problem: str | None
    left_out_until: int | None
    left_out_commits: int
    is_end_known: bool
    notes: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return self.problem is None

    @property
    def left_out_events(self) -> int:
        """The number of events left out, as far as the source shows; a lower bound unless `is_end_known`."""
        return 0 if self.left_out_until is None else self.left_out_until - self.head.position


def salvage(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Callable[[int], None] | None = None,
    *,
    codec: Codec | None = None,
) -> Salvage:
    """Copy all commits of the log `source` up to the first damaged one to the new log `target`.

    Commits keep their bytes and digests; the index is rebuilt. Calls `progress` from time to time with the last
    position copied. If the first page of the source is damaged, temporarily needs space for a copy of the source next
    to the target. Raises NothingToSalvage if the first commit is damaged, NotALog for another kind of file, and
    LogNotWritable if the target exists.
    """
    check_function("progress", progress)
    if codec is not None:
        check_instance("codec", codec, Codec, "a Codec or None")
    name = file_name("source", source)
    path = Path(name)
    check_is_new(Path(file_name("target", target)))
    lost = why_damaged(os.path.realpath(path))
    try:
        with closing(_connected(path, name)) as connection:
            try:
                return _copied(_DamagedLog(connection), name, target, progress, codec, lost)
            except NothingToSalvage as error:
                if has_layout_of_a_log(connection):
                    raise
                raise _FirstPageIsDamaged(f"its first page cannot be read ({error.reason})") from error
    except _FirstPageIsDamaged as error:
        note = str(error)
    with (
        with_first_page(path, Path(target)) as copy,
        closing(sqlite3.connect(copy, isolation_level=None, factory=Interruptible)) as connection,
    ):
        return _copied(_DamagedLog(connection, [note]), name, target, progress, codec, lost)


def _copied(
    damaged: _DamagedLog,
    name: str,
    target: str | os.PathLike[str],
    progress: Callable[[int], None] | None,
    codec: Codec | None,
    lost: str | None,
) -> Salvage:
    with building(target, codec or Codec()) as builder, damaged.index() as index:
        problem = None
        try:
            for stored in damaged.commits():
                builder.add(stored, index.entries_at(stored.first_position) if index else None)
                if progress is not None and builder.commits % _PROGRESS_EACH == 0:
                    progress(builder.head.position)
        except DamagedCommit as error:
            problem = error.reason
        head = builder.head
        listed, until, is_end_known = damaged.beyond(head.position)
        if until is not None and problem is None:
            problem = "the index refers to commits that are missing"
        if lost is not None:
            problem = problem or f"in its write-ahead log {lost}, and SQLite cannot read the commits after it"
            is_end_known = False
        if problem is not None and not builder.commits:
            raise NothingToSalvage(name, problem)
        notes = tuple(damaged.notes)
    return Salvage(head, builder.commits, head.position + 1, problem, until, listed, is_end_known, notes)


class _FirstPageIsDamaged(Exception):
    """The first page does not lead SQLite to a log's commits, or has foreign schema objects; the message says why."""


class _DamagedLog:
    """The readable part of a damaged log. `notes` lists the damage outside its commits."""

    def __init__(self, connection: Interruptible, notes: Iterable[str] = ()) -> None:
        self.notes = list(notes)
        self._connection = connection
        connection.text_factory = bytes
        connection.execute("PRAGMA writable_schema = ON")  # read on despite a damaged schema or a wrong size
        connection.execute("BEGIN")  # a consistent view, even if a writer is active
        self._note_header()

    def commits(self) -> Iterator[StoredCommit]:
        """Yield commits in order; raise DamagedCommit at one that cannot be read."""
        position = -1
        try:
            for row in self._connection.execute(SCAN, (-_MAX, _MAX)):
                position = row[0]
                yield commit_of_row(row)
        except _BROKEN as error:
            self._connection.raise_interruption()
            raise DamagedCommit(position, f"the file cannot be read further ({error})") from error

    @contextmanager
    def index(self) -> Iterator[IndexWalk | None]:
        """Yield the index in order of position, or None if it cannot be read."""
        with ExitStack() as stack:
            walk = None
            try:
                walk = stack.enter_context(sorted_index(self._connection))
            except _BROKEN as error:
                self.notes.append(f"its index cannot be read ({error})")
            yield walk

    def beyond(self, position: int) -> tuple[int, int | None, bool]:
        """Return the number of commits listed beyond `position`, and the last position found there or None.

        Also returns whether that is known to be the end. Reads from both ends as far as possible, since an unreadable
        page may lie between them.
        """
        firsts: set[int] = set()
        last = position
        for order in ("ASC", "DESC"):
            query = f"SELECT first_position, last_position FROM commits WHERE first_position > ? ORDER BY 1 {order}"
            with suppress(*_BROKEN):
                for first, its_last in self._connection.execute(query, (position,)):
                    if first in firsts:
                        break
                    firsts.add(first)
                    is_place = type(its_last) is int and its_last >= first
                    last = max(last, its_last if is_place else first)
        with suppress(*_BROKEN):
            ((indexed,),) = self._connection.execute("SELECT max(first_position) FROM tags").fetchall()
            if type(indexed) is int:
                last = max(last, indexed)
        return len(firsts), last if last > position else None, self._is_end(last)

    def _is_end(self, position: int) -> bool:
        """Say whether the last commit can be read, and ends at `position`."""
        with suppress(*_BROKEN):
            rows = self._connection.execute("SELECT last_position FROM commits ORDER BY first_position DESC LIMIT 1")
            return [(position,)] == rows.fetchall() or position < 0
        return False

    def _note_header(self) -> None:
        with suppress(*_BROKEN):
            header = read_header(self._connection)
            if header.application_id != APPLICATION_ID:
                self.notes.append(f"its header has application id {header.application_id}, not {APPLICATION_ID}")
            if header.format != FORMAT:
                self.notes.append(f"its header has format {header.format}; it was read as format {FORMAT}")
            self.notes.extend(f"the {item} is missing or was changed" for item in KIND.missing(header))


def _connected(path: Path, name: str) -> Interruptible:
    """Connect to a file in which SQLite finds commits; raise _FirstPageIsDamaged if it does not."""
    if not os.path.exists(path):
        raise LogNotFound(name)
    if not os.path.isfile(path):
        raise NotALog(name, "it is not a regular file")
    for mode in ("mode=ro", "mode=ro&immutable=1"):  # the latter in a read-only directory
        uri = f"file:{quote(os.fsencode(path))}?{mode}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, factory=Interruptible)
        try:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("SELECT first_position FROM commits LIMIT 0").fetchall()
            foreign = KIND.foreign(read_header(connection))
            if foreign:
                raise _FirstPageIsDamaged(f"its schema was altered: the {foreign[0]} was added or changed")
            return connection
        except _BROKEN as error:
            connection.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _BARRED:
                break
            if os.path.exists(f"{path}-wal") and os.stat(f"{path}-wal").st_size > 0:
                reason = f"{error}; its writer did not close it: copy it with its -wal to a writable directory"
                raise LogNotReadable(name, reason) from error
        except BaseException:
            connection.close()
            raise
    try:
        LogFile(path, name, read_only=True).close()  # raises NotALog if it is not a log
    except DamagedCommit as error:
        raise _FirstPageIsDamaged(f"its first page cannot be read ({error.__cause__ or error.reason})") from error
    raise _FirstPageIsDamaged("its first page cannot be read (it has no table of commits)")
