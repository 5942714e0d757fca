"""Copy what is sound of a damaged log into a new one.

The source is read by SQLite alone, without what a log demands of its file before it opens it: header, triggers and
index may be wrong, the end may be cut off. What makes a commit one is the chain of digests. Nothing of the source
is changed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from odradek_events.building import building
from odradek_events.codec import Codec
from odradek_events.errors import DamagedCommit, LogNotFound, NotALog, NothingToSalvage
from odradek_events.record import Head, StoredCommit
from odradek_events.sqlite_index import IndexWalk, sorted_index
from odradek_events.sqlite_rows import APPLICATION_ID, FORMAT, SCAN, commit_of_row, made_schema

__all__ = ["Salvage", "salvage"]

_MAX = (1 << 63) - 1
_BROKEN = (sqlite3.Error, UnicodeDecodeError)  # the latter: sqlite3 quotes a damaged schema in its message
_PROGRESS_EACH = 64  # commits


class Salvage(msgspec.Struct, frozen=True):
    """What was copied, and what was not.

    `problem` says why the copy ends at `head`, None if everything is in it. `left_out_until` is the last position that
    the source still tells of, None if it tells of none beyond the head; `left_out_commits` how many it still lists.
    `notes` is what else is wrong with the source, and right in the copy.
    """

    head: Head
    commits: int
    events: int
    problem: str | None
    left_out_until: int | None
    left_out_commits: int
    notes: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return self.problem is None

    @property
    def left_out_events(self) -> int:
        """How many events were left out, as far as the source tells."""
        return 0 if self.left_out_until is None else self.left_out_until - self.head.position


def salvage(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Callable[[int], None] | None = None,
    *,
    codec: Codec | None = None,
) -> Salvage:
    """Copy the longest sound beginning of the log `source` into the new log `target`; a sound log is copied whole.

    Commits keep their bytes and digests; the index is made anew. `progress` is told the last position copied, now and
    then. Raises NothingToSalvage if not one commit is sound, NotALog where SQLite finds no log, LogNotWritable if the
    target exists.
    """
    with closing(_open(Path(source), str(source))) as connection:
        damaged = _DamagedLog(connection)
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
            listed, until = damaged.beyond(head.position)
            if until is not None and problem is None:
                problem = "the index tells of commits that are no longer there"
            if problem is not None and not builder.commits:
                raise NothingToSalvage(str(source), problem)
            notes = damaged.notes
        return Salvage(head, builder.commits, head.position + 1, problem, until, listed, tuple(notes))


class _DamagedLog:
    """What SQLite can still read of a log. `notes` is what is wrong beside its commits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.notes: list[str] = []
        self._connection = connection
        connection.execute("BEGIN")  # one moment of a log that somebody still writes
        self._note_header()
        self._note_schema()

    def commits(self) -> Iterator[StoredCommit]:
        """Yield commits in order; DamagedCommit where the next cannot be read."""
        position = -1
        try:
            for row in self._connection.execute(SCAN, (-_MAX, _MAX)):
                position = row[0]
                yield commit_of_row(row)
        except _BROKEN as error:
            raise DamagedCommit(position, f"the file cannot be read further ({error})") from error

    @contextmanager
    def index(self) -> Iterator[IndexWalk | None]:
        """Lend the index in order of position; None where it cannot be read."""
        with ExitStack() as stack:
            walk = None
            try:
                walk = stack.enter_context(sorted_index(self._connection))
            except _BROKEN as error:
                self.notes.append(f"its index cannot be read ({error})")
            yield walk

    def beyond(self, position: int) -> tuple[int, int | None]:
        """Count the commits that are listed beyond `position`, and give the last position told of there, or None.

        Looks from both sides, as far as it gets: what cannot be read may lie in the middle.
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
        return len(firsts), last if last > position else None

    def _note_header(self) -> None:
        ((found,),) = self._connection.execute("PRAGMA application_id").fetchall()
        ((version,),) = self._connection.execute("PRAGMA user_version").fetchall()
        if found != APPLICATION_ID:
            self.notes.append(f"its header gives {found} as its application, {APPLICATION_ID} is a log's")
        if version != FORMAT:
            self.notes.append(f"its header says format {version}, it was read as format {FORMAT}")

    def _note_schema(self) -> None:
        with suppress(*_BROKEN):
            found = set(self._connection.execute("SELECT CAST(name AS BLOB), sql FROM sqlite_master"))
            gone = sorted(name.decode() for name, _ in made_schema() - found)
            self.notes.extend(f"{name} is gone or changed" for name in gone)


def _open(path: Path, name: str) -> sqlite3.Connection:
    """Connect to what may be left of a log, for reading."""
    if not os.path.exists(path):
        raise LogNotFound(name)
    if not os.path.isfile(path):
        raise NotALog(name, "it is not a regular file")
    reason = ""
    for mode in ("mode=ro", "mode=ro&immutable=1"):  # the latter where no file may be made beside it
        connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None)
        connection.text_factory = bytes
        try:
            connection.execute("PRAGMA writable_schema = ON")  # read on where the schema or the size is not as it says
            connection.execute("SELECT first_position FROM commits LIMIT 0").fetchall()
            return connection
        except _BROKEN as error:
            reason = str(error)
            connection.close()
    raise NotALog(name, reason)
