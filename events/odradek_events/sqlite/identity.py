"""Is this SQLite file ours? The one answer for logs, snapshots, views and salvage.

A file of ours carries its kind in `application_id`, its format in `user_version`, and exactly the tables, indexes,
triggers and views that its kind is made with. A foreign trigger can swallow a commit that SQLite reports as written,
and a view in place of a table can keep a query running forever, so the schema is compared before anything is read
through it. Objects that are missing mislead no reader; a writer needs them all.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import NamedTuple

__all__ = ["FileKind", "Header", "read_header"]


class _Object(NamedTuple):
    """A row of `sqlite_master`; `sql` is None for the index that a constraint makes."""

    kind: bytes
    name: bytes
    table: bytes
    sql: bytes | None

    def __str__(self) -> str:
        name = self.name.decode(errors="backslashreplace")
        return f"{self.kind.decode(errors='backslashreplace')} {name if name.isidentifier() else repr(name)}"


class Header(NamedTuple):
    """What a file says about itself."""

    application_id: int
    format: int
    objects: frozenset[_Object]

    @property
    def is_blank(self) -> bool:
        """Whether nothing has been stored in it yet."""
        return self.application_id == self.format == 0 and not self.objects


class FileKind(NamedTuple):
    """A kind of file of ours: what its header says, and the SQL that makes its schema."""

    application_id: int
    format: int
    schema: str

    def foreign(self, header: Header) -> list[str]:
        """Name the objects of a file that its kind does not have, sorted; a changed one counts."""
        return sorted(map(str, header.objects - _made(self.schema)))

    def missing(self, header: Header) -> list[str]:
        """Name the objects of its kind that a file does not have as they were made, sorted."""
        return sorted(map(str, _made(self.schema) - header.objects))

    def has_tables(self, header: Header) -> bool:
        """Say whether a file has every table of its kind, as it was made."""
        tables = {item for item in _made(self.schema) if item.kind == b"table"}
        return tables <= header.objects


def read_header(connection: sqlite3.Connection) -> Header:
    """Read what a file says about itself, and distrust its schema from then on."""
    connection.execute("PRAGMA trusted_schema = OFF")
    ((application_id,),) = connection.execute("PRAGMA application_id").fetchall()
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    return Header(application_id, version, _objects(connection))


def _objects(connection: sqlite3.Connection) -> frozenset[_Object]:
    columns = ", ".join(f"CAST({column} AS BLOB)" for column in ("type", "name", "tbl_name", "sql"))
    rows = connection.execute(f"SELECT {columns} FROM sqlite_master")
    return frozenset(_Object(kind, name, table, sql and b" ".join(sql.split())) for kind, name, table, sql in rows)


@cache
def _made(schema: str) -> frozenset[_Object]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        return _objects(connection)
