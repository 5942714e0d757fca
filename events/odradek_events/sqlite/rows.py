"""Commits as rows of SQLite: the schema, the statements, and the checks of rows that are read.

One row per commit makes batches fast: one row per event reached 105-170 thousand durable messages a second on two
cores, one row per commit 290 thousand with the tag index.

The file has its format in `application_id` and `user_version`. Triggers refuse UPDATE and DELETE, and any INSERT whose
first position or version is not the next: the other two triggers do not fire for INSERT OR REPLACE, which would delete
the commit at that position, or at that version of the stream.

Columns are in the order in which readers need them; `events`, which spills to overflow pages, is last. SQLite stores
values of any type in them, and text is returned as bytes, so every type and encoding is checked.

Every row that is read is checked: `sound_commit` computes its digest, which must continue that of the previous row. A
walk over all commits has that digest from its previous step; other queries look it up as an additional column.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from odradek_events.errors import DamagedCommit
from odradek_events.log.judging import EMPTY_DIGEST, chain_raw
from odradek_events.record import CommitEnd, StoredCommit
from odradek_events.sqlite.identity import FileKind

__all__ = [
    "APPLICATION_ID",
    "AT_POSITIONS",
    "COLUMNS",
    "COMMIT_AT",
    "COMMIT_END",
    "COMMIT_OF_VERSION",
    "COUNT_UP_TO",
    "DIGEST_BEFORE",
    "FORMAT",
    "KIND",
    "MISTYPED",
    "SCAN",
    "SCHEMA",
    "bare_end",
    "commit_of_row",
    "end_of_row",
    "entries_of",
    "integer",
    "is_storable",
    "is_walk_over_all",
    "places",
    "selection",
    "sound_commit",
    "sound_end",
    "stream_name",
    "stream_version",
    "write_commits",
]

_MAX = (1 << 63) - 1
APPLICATION_ID = 0x4F445244  # "ODRD"
FORMAT = 1

SCHEMA = f"""
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
COMMIT_END = (
    "SELECT first_position, last_position, stream, first_version, digest FROM commits WHERE first_position <= ? "
    "ORDER BY first_position DESC LIMIT 1"
)
_INSERT_COMMIT = (
    "INSERT INTO commits (first_position, last_position, stream, first_version, metadata, digest, events) "
    "VALUES (?, ?, ?, ?, CAST(? AS TEXT), ?, CAST(? AS TEXT))"
)
_INSERT_TAG = "INSERT INTO tags VALUES (?, ?, ?)"
COLUMNS = "c.first_position, c.last_position, c.stream, c.first_version, c.metadata, c.digest, c.events"
_DIGEST_BEFORE = (
    "(SELECT b.digest FROM commits AS b WHERE b.first_position < c.first_position "
    "ORDER BY b.first_position DESC LIMIT 1)"
)
_CHECKABLE = f"{COLUMNS}, {_DIGEST_BEFORE}"
SCAN = f"SELECT {COLUMNS} FROM commits AS c WHERE first_position BETWEEN ? AND ? ORDER BY 1"

AT_POSITIONS = (  # a JSON array of first positions
    f"SELECT {_CHECKABLE} FROM commits AS c WHERE c.first_position IN (SELECT value FROM json_each(?)) "
    "AND c.first_position >= ? AND c.first_position <= ? ORDER BY c.first_position"
)
COUNT_UP_TO = "SELECT count(*) FROM (SELECT 1 FROM tags WHERE tag = ? AND first_position >= ? LIMIT ?)"
MISTYPED = (
    "SELECT first_position FROM commits WHERE typeof(stream) <> 'text' OR typeof(metadata) <> 'text' "
    "OR typeof(digest) <> 'blob' OR typeof(events) <> 'text' ORDER BY 1"
)
DIGEST_BEFORE = "SELECT digest FROM commits WHERE first_position < ? ORDER BY first_position DESC LIMIT 1"
COMMIT_AT = f"SELECT {_CHECKABLE} FROM commits AS c WHERE first_position <= ? ORDER BY first_position DESC LIMIT 1"
COMMIT_OF_VERSION = (
    f"SELECT {_CHECKABLE} FROM commits AS c WHERE stream = ? AND first_version <= ? ORDER BY first_version DESC LIMIT 1"
)


KIND = FileKind(APPLICATION_ID, FORMAT, SCHEMA)
"""The kind of file that is a log."""


def write_commits(writer: sqlite3.Connection, rows: list[StoredCommit]) -> None:
    """Write rows and their index entries in one transaction."""
    writer.execute("BEGIN IMMEDIATE")
    writer.executemany(
        _INSERT_COMMIT,
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
        _INSERT_TAG,
        [(tag, row.first_position, offset) for row in rows for tag, offset in row.tags.items()],
    )
    writer.execute("COMMIT")


def commit_of_row(row: tuple[Any, ...]) -> StoredCommit:
    """Return a row as a commit. Checks types, since columns of a damaged file may have values of any type."""
    first, last, stream, version, metadata, digest, events = row
    if not (type(metadata) is type(digest) is type(events) is bytes):
        raise DamagedCommit(first, "its columns have wrong types")
    return StoredCommit(
        first, integer(last, first), stream_name(stream, first), integer(version, first), metadata, digest, events
    )


def sound_commit(row: tuple[Any, ...], digest_before: object) -> StoredCommit:
    """Return a row as a commit; raise DamagedCommit if its digest does not continue `digest_before` (None: the first).

    With one event per commit this takes a quarter of a replay, so the usual case takes few steps.
    """
    first, last, stream, version, metadata, digest, events, *_ = row
    before: Any = EMPTY_DIGEST if digest_before is None else digest_before
    try:
        if type(last) is type(version) is int and digest == chain_raw(
            before, first, last, stream, version, metadata, events
        ):
            return StoredCommit(first, last, stream.decode(), version, metadata, digest, events)
    except (TypeError, UnicodeDecodeError):
        pass
    commit_of_row(row[:7])  # raises if a column is wrong
    raise DamagedCommit(first, "its digest does not continue the chain")


def end_of_row(row: tuple[Any, ...]) -> CommitEnd:
    """Return a row without metadata and events as the end of a commit."""
    first, last, stream, version, digest = row
    last, version = integer(last, first), integer(version, first)
    return CommitEnd(stream_name(stream, first), version + last - first, last, digest)


def integer(value: object, position: int) -> int:
    """Return a column's value, which must be an integer; otherwise the commit at `position` is damaged."""
    if type(value) is not int:
        raise DamagedCommit(position, f"it has {value!r} instead of an integer")
    return value


def stream_name(value: object, position: int) -> str:
    """Return a column's value, which must be a stream name; otherwise the commit at `position` is damaged."""
    if type(value) is not bytes:
        raise DamagedCommit(position, f"it has {value!r} instead of a stream name")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DamagedCommit(position, f"its stream name is not UTF-8 ({error})") from error


def bare_end(connection: sqlite3.Connection) -> StoredCommit | None:
    """Return the last commit of the log without its events and with its digest unchecked; None if the log is empty."""
    columns = COLUMNS.replace("c.events", "x''")
    row = connection.execute(f"SELECT {columns} FROM commits AS c ORDER BY first_position DESC LIMIT 1").fetchone()
    return None if row is None else commit_of_row(row)


def sound_end(connection: sqlite3.Connection) -> StoredCommit | None:
    """Return the last commit of the log after checking its digest; None if the log is empty."""
    row = connection.execute(COMMIT_AT, (_MAX,)).fetchone()
    return None if row is None else sound_commit(row[:7], row[7])


def stream_version(connection: sqlite3.Connection, stream: str) -> int:
    """Return the version of a stream's last event, or -1."""
    row = connection.execute(
        "SELECT first_version + last_position - first_position FROM commits WHERE stream = ? "
        "ORDER BY first_version DESC LIMIT 1",
        (stream,),
    ).fetchone()
    return -1 if row is None else integer(row[0], -1)


def is_walk_over_all(stream: str | None, entries: list[str], types: Collection[str]) -> bool:
    """Say whether a query selects every commit in its range, so that each row follows its predecessor."""
    return stream is None and not entries and not types


def is_storable(*names: str) -> bool:
    """Say whether a log can contain these names: UTF-8 cannot encode lone surrogates."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return False
    return True


def entries_of(tags: Collection[str], types: Collection[str]) -> list[str]:
    """Return the index entries that every matching commit has. It needs only one of several types; see `selection`."""
    return [*tags, *(f"type:{name}" for name in types if len(types) == 1)]


def selection(stream: str | None, entries: list[str], types: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Return the query for commits that have all `entries` and any of `types`, and its values.

    The caller adds two parameters: the lowest value of the column that orders the rows (first_version with a stream,
    otherwise first_position), and the highest first_position.

    The query walks the stream (versions rise with positions), otherwise the first index entry, otherwise the table.
    CROSS JOIN prevents SQLite from changing that order.
    """
    source, column, driver = "commits AS c", "c.first_position", []
    if stream is not None:
        driver, column = ["c.stream = ?"], "c.first_version"
    elif entries:
        source, column = (
            "tags AS t CROSS JOIN commits AS c ON c.first_position = t.first_position",
            "t.first_position",
        )
        driver = ["t.tag = ?"]
    values = (*entries, *_any_of(types)) if stream is None else (stream, *entries, *_any_of(types))
    looked_up = _looked_up("c", len(entries) if stream is not None else len(entries) - 1, types)
    conditions = [*driver, *looked_up, f"{column} >= ?", "c.first_position <= ?"]
    columns = COLUMNS if is_walk_over_all(stream, entries, types) else _CHECKABLE
    return f"SELECT {columns} FROM {source} WHERE {' AND '.join(conditions)} ORDER BY {column}", values


def places(
    selected: Sequence[tuple[list[str], Collection[str]]], low: int, last: int, limit: int
) -> tuple[str, list[object]]:
    """Return the query for the first positions from `low` to `last` that any (entries, types) selects, and its values.

    Returns each position once, in order, at most `limit`. SQLite merges the index walks incrementally; without a limit
    it would collect and sort all results first.
    """
    walks: list[str] = []
    values: list[object] = []
    for entries, types in selected:
        conditions = ["t.tag = ?", *_looked_up("t", len(entries) - 1, types), "t.first_position BETWEEN ? AND ?"]
        walks.append(f"SELECT t.first_position FROM tags AS t WHERE {' AND '.join(conditions)}")
        values += [*entries, *_any_of(types), low, last]
    return f"{' UNION '.join(walks)} ORDER BY 1 LIMIT {limit}", values


def _looked_up(source: str, entries: int, types: Collection[str]) -> list[str]:
    """Return the conditions for `entries` further index entries, and for one of several types."""
    place = f"first_position = {source}.first_position"
    found = [f"EXISTS (SELECT 1 FROM tags WHERE tag = ? AND {place})"] * max(0, entries)
    if len(types) > 1:
        found.append(f"EXISTS (SELECT 1 FROM tags WHERE tag IN ({', '.join('?' * len(types))}) AND {place})")
    return found


def _any_of(types: Collection[str]) -> tuple[str, ...]:
    return tuple(f"type:{name}" for name in types) if len(types) > 1 else ()
