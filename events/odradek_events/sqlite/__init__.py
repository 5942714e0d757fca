"""The event log in an SQLite file.

`log` is the store; `connections` opens the file and tells whether it is a log, `writer_lock` admits one writer;
`rows` has the tables and the statements, `index_walk` reads the index by position, `first_page` restores a damaged
first page. Imports `log` and what `log` may import. Start reading at `log`.
"""

from odradek_events.sqlite.connections import LogFile, is_full
from odradek_events.sqlite.first_page import has_layout_of_a_log, with_first_page
from odradek_events.sqlite.index_walk import IndexWalk, sorted_index
from odradek_events.sqlite.log import Durability, SqliteLog
from odradek_events.sqlite.rows import APPLICATION_ID, FORMAT, SCAN, SCHEMA, commit_of_row, made_schema, write_commits
from odradek_events.sqlite.writer_lock import WriterLock

__all__ = [
    "APPLICATION_ID",
    "FORMAT",
    "SCAN",
    "SCHEMA",
    "Durability",
    "IndexWalk",
    "LogFile",
    "SqliteLog",
    "WriterLock",
    "commit_of_row",
    "has_layout_of_a_log",
    "is_full",
    "made_schema",
    "sorted_index",
    "with_first_page",
    "write_commits",
]
