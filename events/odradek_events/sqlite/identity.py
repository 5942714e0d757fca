"""Identifies SQLite files of Odradek, for logs, snapshots, views and salvage.

An Odradek file has its kind in `application_id`, its format in `user_version`, and exactly the tables, indexes,
triggers and views of its kind. A foreign trigger can discard a commit that SQLite reports as written, and a view in
place of a table can keep a query running forever, so the schema is compared before anything is read through it. A
reader is safe if objects are missing; a writer needs all of them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import NamedTuple

__all__ = ["FileKind", "Header", "read_header"]


class _Object(NamedTuple):
    """A row of `sqlite_master`; `sql` is None for an index that a constraint creates."""

    kind: bytes
    name: bytes
    table: bytes
    sql: bytes | None

    def __str__(self) -> str:
        name = self.name.decode(errors="backslashreplace")
        return f"{self.kind.decode(errors='backslashreplace')} {name if name.isidentifier() else repr(name)}"


class Header(NamedTuple):
    """The application id, format and schema of a file."""

    application_id: int
    format: int
    objects: frozenset[_Object]

    @property
    def is_blank(self) -> bool:
        """Whether the file is an empty database."""
        return self.application_id == self.format == 0 and not self.objects


class FileKind(NamedTuple):
    """A kind of Odradek file: its application id and format, and the SQL that creates its schema."""

    application_id: int
    format: int
    schema: str

    def foreign(self, header: Header) -> list[str]:
        """Return the names of a file's objects that its kind does not have, or has with different SQL; sorted."""
        return sorted(map(str, header.objects - _made(self.schema)))

    def missing(self, header: Header) -> list[str]:
        """Return the names of its kind's objects that a file lacks, or has with different SQL; sorted."""
        return sorted(map(str, _made(self.schema) - header.objects))

    def has_tables(self, header: Header) -> bool:
        """Say whether a file has every table of its kind, with the same SQL."""
        tables = {item for item in _made(self.schema) if item.kind == b"table"}
        return tables <= header.objects


def read_header(connection: sqlite3.Connection) -> Header:
    """Read a file's header, and turn `trusted_schema` off for the connection."""
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
