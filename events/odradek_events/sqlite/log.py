"""A durable log in one SQLite file (WAL mode): one row per commit, with its events as a JSON array.

`rows` has the schema and statements, `connections` the file, its lock and its connections; this module implements the
log's operations on them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal

from odradek_events.errors import (
    DamagedCommit,
    LogError,
    LogFull,
    LogNotWritable,
    LogUnavailable,
    OutcomeUnknown,
    PositionBeyondHead,
)
from odradek_events.log.judging import EMPTY_DIGEST, Judged, judge
from odradek_events.log.port import LogStore
from odradek_events.log.queries import check_bounds, check_items, merged
from odradek_events.record import Append, Appended, CommitEnd, Failed, Head, QueryItem, Rejected, StoredCommit, Verdict
from odradek_events.schema.codec import Codec
from odradek_events.sqlite.connections import LogFile, is_full
from odradek_events.sqlite.identity import read_header
from odradek_events.sqlite.index_walk import IndexWalk, walk_index
from odradek_events.sqlite.interruption import fetch_aside
from odradek_events.sqlite.rows import (
    APPLICATION_ID,
    AT_POSITIONS,
    COMMIT_AT,
    COMMIT_END,
    COMMIT_OF_VERSION,
    COUNT_UP_TO,
    DIGEST_BEFORE,
    FORMAT,
    KIND,
    MISTYPED,
    SCAN,
    bare_end,
    commit_of_row,
    end_of_row,
    entries_of,
    integer,
    is_storable,
    is_walk_over_all,
    places,
    selection,
    sound_commit,
    stream_name,
    stream_version,
    write_commits,
)
from odradek_events.sqlite.write_ahead_log import why_damaged
from odradek_events.validation import check_instance, check_int, file_name, printable, shown

__all__ = ["APPLICATION_ID", "FORMAT", "Durability", "SqliteLog", "check_durability"]

Durability = Literal["full", "normal", "off"]

_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL", "off": "OFF"}
_KNOWN_STREAMS = 100_000
_MAX = (1 << 63) - 1
_MERGED = 100  # index walks in one query; SQLite allows at most 500
_PLACES = 255  # positions per query
_COUNT_LIMITS = (32, 1000)  # commits; most tags are rare, and counting 1000 takes about as long as reading one


def check_durability(durability: object) -> None:
    """Raise TypeError or ValueError unless this is a durability."""
    check_instance("durability", durability, str, "'full', 'normal' or 'off'")
    if durability not in _SYNCHRONOUS:
        raise ValueError(f"durability must be 'full', 'normal' or 'off', not {shown(durability)}")


class _FilesChanged(Exception):
    """A commit was written to files that are no longer the log's."""


class SqliteLog(LogStore):
    """An event log in the SQLite file at `path`. Opening it for writing creates the file.

    `durability`: `full` syncs every commit before it is acknowledged; `normal` survives a crash of the process, but not
    of the machine; `off` may lose acknowledged messages. Raises a subclass of OpenError, or DamagedCommit.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        durability: Durability = "full",
        codec: Codec | None = None,
    ) -> None:
        check_durability(durability)
        check_instance("read_only", read_only, bool, "True or False")
        if codec is not None:
            check_instance("codec", codec, Codec, "a Codec or None")
        path = file_name("path", path)
        super().__init__(printable(path), codec)
        self.path = Path(os.path.realpath(path))  # one lock per file, whatever link it was opened through
        self.read_only = read_only
        self.durability = durability
        self._writer: sqlite3.Connection | None = None
        self._poisoned: str | None = None
        self._writing = threading.Lock()
        self._versions: dict[str, int] = {}
        self._head = Head(-1, EMPTY_DIGEST, None)
        self._file = LogFile(self.path, self.name, read_only)
        if not read_only:
            try:
                self._open_writer(is_new=True)
            except BaseException:
                self._file.close()
                raise

    def __repr__(self) -> str:
        state = " closed" if self.is_closed else ""
        if self.read_only:  # the head would have to be read from the file
            return f"<SqliteLog {self.name!r}{state} read_only=True>"
        return f"<SqliteLog {self.name!r}{state} durability={self.durability} head={self._head.position}>"

    def close(self) -> None:
        """Checkpoint, so that the database file alone is complete, and release the file and its lock."""
        if self._file.is_inherited:
            return  # the connections and the lock belong to the parent process
        with self._writing:
            self._file.close(self._writer)
            self._writer = None
        self.growth.notify()

    @property
    def is_closed(self) -> bool:
        """Whether the log is closed."""
        return self._file.is_closed

    # -- writing ------------------------------------------------------------------------------------------------------

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Append in order, in one transaction; see the contract in `port`."""
        if self.read_only:
            raise LogUnavailable(self.name, "it was opened read-only; open it for writing to append")
        self._file.check_usable()
        with self._writing:
            writer = self._usable_writer()
            judged = Judged(self._head)
            try:
                judged = judge(requests, recorded_at, self._head, self._version_in_log, self)
                if judged.rows:
                    write_commits(writer, judged.rows)
                    self._check_files_after_commit()
            except (sqlite3.Error, OverflowError, _FilesChanged) as error:
                outcome = self._not_committed(writer, error)
                verdicts = judged.verdicts or [outcome] * len(requests)
                return [verdict if self._stands(verdict) else outcome for verdict in verdicts]
            self._head = judged.head
            if len(self._versions) > _KNOWN_STREAMS:
                self._versions.clear()
            self._versions.update(judged.versions)
        self.growth.notify()
        return judged.verdicts

    def reopen(self) -> None:
        """Reopen the file after a failed append, and read where the log really ends."""
        if self.read_only:
            raise LogUnavailable(self.name, "it was opened read-only; open it for writing to append")
        self._file.check_usable()
        with self._writing:
            self._file.check_usable()  # it may have been closed in the meantime
            if self._writer is not None:
                self._file.save_detached(self._writer)
                self._writer.close()
                self._writer = None
            self._file.drop_readers()
            self._versions.clear()
            self._open_writer(is_new=False)
            self._poisoned = None

    def _open_writer(self, *, is_new: bool) -> None:
        has_failed = self._poisoned is not None
        writer, last = self._file.open_writer(_SYNCHRONOUS[self.durability], is_new=is_new, has_failed=has_failed)
        try:
            head = self._head_after(last)
            self._check_acknowledged(writer, head)
        except BaseException:
            writer.close()
            raise
        self._head, self._writer = head, writer

    def _check_acknowledged(self, writer: sqlite3.Connection, head: Head) -> None:
        """Raise LogUnavailable if the log has lost commits that were acknowledged before it was reopened."""
        known = self._head
        if known.position < 0:
            return
        row = writer.execute(COMMIT_END, (known.position,)).fetchone()
        if row is None or (row[1], row[4]) != (known.position, known.digest):
            raise LogUnavailable(
                self.name,
                f"acknowledged commits are missing, since it ends at position {head.position} but ended at "
                f"{known.position}; restore a backup, or close it and open it again to continue without them",
            )

    def _check_files_after_commit(self) -> None:
        changed = self._file.why_changed()
        if changed is not None:
            raise _FilesChanged(changed)

    def _not_committed(self, writer: sqlite3.Connection, error: Exception) -> Rejected | Failed:
        """Roll back; return Rejected if nothing was written for certain, otherwise refuse further appends."""
        try:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            if is_full(error, self.path):
                return Rejected(LogFull(self.name, str(error)))
        except sqlite3.Error:
            pass  # the first error is the one to report
        self._poisoned = str(error)
        return Failed(OutcomeUnknown(self.name, str(error)))

    def _stands(self, verdict: Verdict) -> bool:
        """Say whether a verdict holds although nothing of this call was written."""
        if isinstance(verdict, Appended):
            return verdict.is_repeat and verdict.last_position <= self._head.position
        return isinstance(verdict, Rejected)

    def _usable_writer(self) -> sqlite3.Connection:
        self._file.check_same()
        if self._poisoned is not None:
            raise LogUnavailable(self.name, f"an append failed ({self._poisoned}); reopen it first")
        if self._writer is None:
            raise LogUnavailable(self.name, "it could not be reopened; try again")
        changed = self._file.why_changed()
        if changed is not None:
            self._file.save_detached(self._writer)
            raise LogUnavailable(self.name, f"{changed}; close it and open it again")
        return self._writer

    def _version_in_log(self, stream: str) -> int:
        version = self._versions.get(stream)
        if version is None:
            assert self._writer is not None
            version = self._versions[stream] = stream_version(self._writer, stream)
        return version

    # -- reading ------------------------------------------------------------------------------------------------------

    def head(self) -> Head:
        """Return the end of the log: the writer's own, or for a reader the file's."""
        if not self.read_only:
            return self._head
        return self._head_after(self._file.read(bare_end))  # called many times a second by subscriptions

    def stream_version(self, stream: str) -> int:
        """Return the version of a stream's last event, or -1."""
        check_instance("stream", stream, str, "a str")
        return self._file.read(lambda reader: stream_version(reader, stream)) if is_storable(stream) else -1

    def streams(self) -> Iterator[str]:
        """Yield every stream's name, sorted; each takes one index look-up."""
        name = ""
        while True:
            rows = self._file.fetch("SELECT stream FROM commits WHERE stream > ? ORDER BY stream LIMIT 1", name)
            if not rows:
                return
            before, name = name, stream_name(rows[0][0], -1)
            if name <= before:
                raise DamagedCommit(-1, f"its stream names are not sorted: {name!r} follows {before!r}")
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
        check_bounds(after, until, stream, tags, types)
        head = self._last_position()
        last = head if until is None else min(until, head)
        if after >= last or not is_storable(stream or "", *tags, *types):
            return
        low = self._first_position_of(max(after, -1) + 1)
        if stream is not None and low > 0:
            low = self._first_version_from(stream, low, last)
        entries = entries_of(tags, types)
        if stream is None and len(entries) > 1:
            entries = self._rarest_first(entries, low, last)
        query, values = selection(stream, entries, types)
        rows = self._file.rows(query, values, low, last, 0 if stream is None else 3)
        if not is_walk_over_all(stream, entries, types):
            for row in rows:
                yield sound_commit(row, row[7])
            return
        found = self._file.fetch(DIGEST_BEFORE, low)
        before = found[0][0] if found else None
        for row in rows:
            yield sound_commit(row, before)
            before = row[5]

    def stored_for_any(
        self, items: Sequence[QueryItem], *, after: int = -1, until: int | None = None, stream: str | None = None
    ) -> Iterator[StoredCommit]:
        """Yield stored commits that may contain a match of any of several items; see ReadableLog.

        Uses one walk per hundred items, since one walk per item would need as many open connections as items.
        """
        check_items(items)
        check_bounds(after, until, stream)
        if stream is not None:
            return super().stored_for_any(items, after=after, until=until, stream=stream)
        storable = [item for item in items if is_storable(*item.tags, *item.types)]
        groups = (storable[first : first + _MERGED] for first in range(0, len(storable), _MERGED))
        return merged(self._walk_for_any(group, after, until) for group in groups)

    def _walk_for_any(self, items: Sequence[QueryItem], after: int, until: int | None) -> Iterator[StoredCommit]:
        head = self._last_position()
        last = head if until is None else min(until, head)
        if after >= last:
            return
        low = self._first_position_of(max(after, -1) + 1)
        selected = []
        for item in items:
            entries = entries_of(item.tags, item.types)
            selected.append((self._rarest_first(entries, low, last) if len(entries) > 1 else entries, item.types))
        count = _PLACES
        while count == _PLACES:
            query, values = places(selected, low, last, _PLACES)
            found = [position for (position,) in self._file.fetch(query, *values)]
            count = len(found)
            if found:
                low = found[-1] + 1
                for row in self._file.rows(AT_POSITIONS, (str(found),), found[0], found[-1], 0):
                    yield sound_commit(row, row[7])

    def scan(self) -> Iterator[StoredCommit | DamagedCommit]:
        """Yield every row in order as a commit, or as a DamagedCommit if it is not a valid commit."""
        for row in self._file.rows(SCAN, (), -_MAX, _MAX, 0):
            try:
                yield commit_of_row(row)
            except DamagedCommit as error:
                yield error

    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        """Return the first position of the commit that covers `offset` of `tag`; see ReadableLog."""
        check_instance("tag", tag, str, "a str")
        check_int("offset", offset)
        check_int("not_before", not_before)
        if not is_storable(tag):
            return None
        rows = self._file.fetch(
            "SELECT first_position FROM tags WHERE tag = ? AND first_offset <= ? AND first_offset IS NOT NULL "
            "AND first_position BETWEEN ? AND ? ORDER BY first_offset DESC, first_position DESC LIMIT 1",
            tag,
            max(-1, min(offset, _MAX)),
            max(0, min(not_before, _MAX)),
            _MAX
            if self.read_only
            else self._head.position,  # excludes rows that are committed but not acknowledged yet
        )
        return rows[0][0] if rows else None

    def commit_at(self, position: int) -> StoredCommit:
        """Return the stored commit that holds `position`."""
        check_int("position", position)
        last = self._last_position()
        rows = self._file.fetch(COMMIT_AT, position) if 0 <= position <= last else []
        if not rows or position > integer(rows[0][1], rows[0][0]):
            raise PositionBeyondHead(position, last)
        return sound_commit(rows[0], rows[0][7])

    def commit_end(self, position: int) -> CommitEnd | None:
        """Return where the commit that holds `position` ends, or None."""
        check_int("position", position)
        rows = self._file.fetch(COMMIT_END, max(-1, min(position, _MAX)))
        return None if not rows or position > integer(rows[0][1], position) else end_of_row(rows[0])

    def commit_of_version(self, stream: str, version: int) -> StoredCommit | None:
        """Return the stored commit that holds this version of a stream, or None."""
        check_instance("stream", stream, str, "a str")
        check_int("version", version)
        if not is_storable(stream):
            return None
        rows = self._file.fetch(COMMIT_OF_VERSION, stream, max(-1, min(version, _MAX)))
        if not rows:
            return None
        stored = sound_commit(rows[0], rows[0][7])
        return stored if version <= stored.first_version + stored.last_position - stored.first_position else None

    def walk_index(self, first: int = -_MAX) -> AbstractContextManager[IndexWalk]:
        """Yield the index in order of position, for a walk over the commits from `first` on; see `index_walk`."""
        return walk_index(self._file, first)

    def structural_damage(self) -> list[DamagedCommit]:
        """Return the damage to the file outside its commits.

        Columns with values of a wrong type, which no look-up finds; SQLite's own structures; the write-ahead log; and
        tables, triggers and views that are missing, changed or added.
        """
        in_wal = why_damaged(str(self.path))
        try:
            mistyped = self._file.fetch(MISTYPED)
            problems = self._file.read(lambda reader: fetch_aside(reader, "PRAGMA integrity_check(10)"))
            header = self._file.read(read_header)
        except DamagedCommit as error:
            return [error]
        except LogError as error:
            return [DamagedCommit(-1, str(error))]
        return [
            *(DamagedCommit(row[0], "its columns have wrong types") for row in mistyped),
            *(DamagedCommit(-1, str(row[0], "utf-8", "replace")) for row in problems if row[0] != b"ok"),
            *(DamagedCommit(-1, f"the {item} is missing or was changed") for item in KIND.missing(header)),
            *(DamagedCommit(-1, f"the {item} was added or changed") for item in KIND.foreign(header)),
            *([] if in_wal is None else [DamagedCommit(-1, f"in its write-ahead log {in_wal}")]),
        ]

    def backup(self, target: str | os.PathLike[str]) -> None:
        """Copy the log in its current state to the new file `target`; appends may continue."""
        name = file_name("target", target)
        if os.path.lexists(name):
            raise LogNotWritable(printable(name), "it exists already, and is never overwritten")
        self._file.backup(Path(name))

    def _head_after(self, last: StoredCommit | None) -> Head:
        if last is None:
            return Head(-1, EMPTY_DIGEST, None)
        return Head(last.last_position, last.digest, self.codec.metadata(last).recorded_at)

    def _last_position(self) -> int:
        if not self.read_only:
            return self._head.position
        rows = self._file.fetch("SELECT last_position FROM commits ORDER BY first_position DESC LIMIT 1")
        return integer(rows[0][0], -1) if rows else -1

    def _rarest_first(self, entries: list[str], low: int, last: int) -> list[str]:
        """Sort index entries by the number of commits from `low` on that have them, counted up to a limit.

        The first entry drives the walk, and the others are looked up for each of its commits: a tag of one commit in a
        million must not be found by walking a million commits with the type. A few positions are walked in any order:
        the decisions of actors read the end of the log before they store, and the journal reads it again.
        """
        if last - low < _COUNT_LIMITS[0]:
            return entries
        for limit in _COUNT_LIMITS:
            counts = [self._file.fetch(COUNT_UP_TO, entry, low, limit) for entry in entries]
            if min(counts) < [(limit,)]:
                break
        return [entry for _, entry in sorted(zip(counts, entries, strict=True))]

    def _first_version_from(self, stream: str, position: int, last: int) -> int:
        """Return the version of a stream's first commit at or after `position`, or one that no commit up to `last` has.

        Uses binary search, since versions rise with positions; walking the stream's index from its start took time in
        proportion to its length.
        """
        low, high = 0, last + 1  # commits with versions below `low` are before `position`, those from `high` on are not
        while low < high:
            middle = (low + high) // 2
            rows = self._file.fetch(
                "SELECT first_version, first_position FROM commits WHERE stream = ? AND first_version <= ? "
                "ORDER BY first_version DESC LIMIT 1",
                stream,
                middle,
            )
            if rows and rows[0][1] >= position:
                high = integer(rows[0][0], position)
            else:
                low = middle + 1
        return low

    def _first_position_of(self, position: int) -> int:
        """Return the first position of the commit that contains `position`, or `position` if none does."""
        rows = self._file.fetch(
            "SELECT first_position, last_position FROM commits WHERE first_position <= ? "
            "ORDER BY first_position DESC LIMIT 1",
            position,
        )
        return rows[0][0] if rows and integer(rows[0][1], rows[0][0]) >= position else position
