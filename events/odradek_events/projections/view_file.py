"""The views file: SQLite in WAL mode, where a view's tables and its checkpoint change in one transaction.

Readers see each view as of the last transaction, even during a rebuild, which is a single transaction however long.
A projection's code cannot commit or begin a transaction: that would separate the view from its checkpoint.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from odradek_events.log.judging import EMPTY_DIGEST
from odradek_events.projections.errors import NotViews, ViewsUnavailable
from odradek_events.validation import file_name, printable

__all__ = ["Checkpoint", "ViewFile", "open_views"]

_APPLICATION_ID = 0x4F445256  # "ODRV"
_FORMAT = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS projection_checkpoints (
    projection TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    recorded_at TEXT,
    objects TEXT NOT NULL
)
"""
_CLOSED_TO_PROJECTIONS = {sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT, sqlite3.SQLITE_ATTACH}


class Checkpoint(msgspec.Struct, frozen=True):
    """The progress of a projection: its view includes every event up to `position`.

    `digest` is the chained digest of the commit at that position, which no other history has; `recorded_at` is when
    that commit was recorded. `version` is the version of the projection that built the view.
    """

    version: int
    position: int = -1
    digest: bytes = EMPTY_DIGEST
    recorded_at: datetime | None = None


class ViewFile:
    """The views file at `path`, created if missing. Raises NotViews for any other file, and leaves it unchanged."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = file_name("path", path)
        self.name = printable(name)
        self.path = Path(os.path.realpath(name))
        try:
            _check(self.path, self.name, must_exist=False)
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10.0)
        except (sqlite3.Error, OSError) as error:
            raise ViewsUnavailable(self.name, str(error)) from error
        try:
            with self._as_ours():
                if self.path.stat().st_size == 0:  # before WAL mode, so that they are in the file itself
                    self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                    self._db.execute(f"PRAGMA user_version = {_FORMAT}")
                self._db.execute("PRAGMA journal_mode = WAL")
                # A power failure may lose unsynced transactions, but a view and its checkpoint together.
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.execute(_TABLE)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; may be called repeatedly."""
        self._db.close()

    def checkpoint(self, projection: str) -> Checkpoint | None:
        """Return a projection's checkpoint, or None if the file has no view of it."""
        with self._as_ours():
            row = self._db.execute(
                "SELECT version, position, digest, recorded_at FROM projection_checkpoints WHERE projection = ?",
                (projection,),
            ).fetchone()
        if row is None:
            return None
        version, position, digest, recorded_at = row
        return Checkpoint(
            version, position, digest, None if recorded_at is None else datetime.fromisoformat(recorded_at)
        )

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction, which commits at the end of the block or rolls back on an error."""
        with self._as_ours():
            self._db.execute("BEGIN IMMEDIATE")
        self._db.set_authorizer(_authorize)
        try:
            with self._as_ours():
                yield self._db
                self._db.set_authorizer(None)
                self._db.execute("COMMIT")
        except BaseException:
            self._db.set_authorizer(None)
            with suppress(sqlite3.Error):  # the first error is the one to raise
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            raise

    def record(self, projection: str, reached: Checkpoint) -> None:
        """Move a projection's checkpoint, inside `changing`."""
        at = None if reached.recorded_at is None else reached.recorded_at.isoformat()
        self._db.execute(
            "UPDATE projection_checkpoints SET position = ?, digest = ?, recorded_at = ? WHERE projection = ?",
            (reached.position, reached.digest, at, projection),
        )

    def objects(self) -> set[tuple[str, str]]:
        """Return (kind, name) of every table, index, view and trigger."""
        rows = self._db.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
        return set(rows.fetchall())

    def add(self, projection: str, version: int, objects: set[tuple[str, str]]) -> None:
        """Add a projection whose schema `objects` were just created, inside `changing`; its view is empty."""
        self._db.execute(
            "INSERT INTO projection_checkpoints VALUES (?, ?, -1, ?, NULL, ?)",
            (projection, version, EMPTY_DIGEST, json.dumps(sorted(objects))),
        )

    def drop(self, projection: str) -> None:
        """Drop a projection's schema objects and its checkpoint, if it has any, inside `changing`."""
        row = self._db.execute(
            "SELECT objects FROM projection_checkpoints WHERE projection = ?", (projection,)
        ).fetchone()
        for kind, name in [] if row is None else json.loads(row[0]):
            quoted = name.replace('"', '""')
            self._db.execute(f'DROP {kind} IF EXISTS "{quoted}"')
        self._db.execute("DELETE FROM projection_checkpoints WHERE projection = ?", (projection,))

    @contextmanager
    def _as_ours(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ViewsUnavailable(self.name, str(error)) from error


def open_views(path: str | os.PathLike[str]) -> sqlite3.Connection:
    """Open a views file for reading, even while a runner changes it; the caller closes the connection.

    Raises NotViews if the file does not exist or is not a views file.
    """
    given = file_name("path", path)
    real, name = Path(os.path.realpath(given)), printable(given)
    try:
        _check(real, name, must_exist=True)
        return sqlite3.connect(f"file:{quote(os.fsencode(real))}?mode=ro", uri=True, isolation_level=None)
    except (sqlite3.Error, OSError) as error:
        raise ViewsUnavailable(name, str(error)) from error


def _check(path: Path, name: str, *, must_exist: bool) -> None:
    """Raise NotViews if `path` is not a views file, without changing it or creating other files."""
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise NotViews(name, "it is not a regular file")
    if not path.exists():
        if must_exist:
            raise NotViews(name, "it does not exist")
        if not path.parent.is_dir():
            raise ViewsUnavailable(name, "its directory does not exist")
        return
    if path.stat().st_size == 0:
        if must_exist:
            raise NotViews(name, "it is empty")
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1", uri=True)) as looked:
            looked.execute("PRAGMA writable_schema = ON")  # during a checkpoint only the first page is sure to be whole
            ((application_id,),) = looked.execute("PRAGMA application_id").fetchall()
            ((version,),) = looked.execute("PRAGMA user_version").fetchall()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise NotViews(name, str(error)) from error
    if application_id != _APPLICATION_ID:
        raise NotViews(name, "it is a log or another program's database")
    if version > _FORMAT:
        raise NotViews(name, f"it has format {version}, but this Odradek supports formats up to {_FORMAT}")


def _authorize(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action in _CLOSED_TO_PROJECTIONS else sqlite3.SQLITE_OK
