"""The event log in an SQLite file.

`log` is the store; `connections` opens the file, `identity` checks that it is an Odradek log, `writer_lock` admits one
writer, and `open_files` detects changes of the files under the writer, `file_state` those under a reader;
`write_ahead_log` finds damage that SQLite ignores. `rows` has the tables and statements, `index_walk` reads the index
by position, `interruption` lets signals end a query, `first_page` restores a damaged first page. Imports the package's
`log` and what it may import. Start reading at `log`.
"""

from odradek_events.sqlite.connections import LogFile, is_full
from odradek_events.sqlite.first_page import has_layout_of_a_log, with_first_page
from odradek_events.sqlite.identity import FileKind, Header, read_header
from odradek_events.sqlite.index_walk import IndexWalk, sorted_index
from odradek_events.sqlite.interruption import Interruptible
from odradek_events.sqlite.log import Durability, SqliteLog, check_durability
from odradek_events.sqlite.rows import APPLICATION_ID, FORMAT, KIND, SCAN, SCHEMA, commit_of_row, write_commits
from odradek_events.sqlite.write_ahead_log import why_damaged
from odradek_events.sqlite.writer_lock import WriterLock

__all__ = [
    "APPLICATION_ID",
    "FORMAT",
    "KIND",
    "SCAN",
    "SCHEMA",
    "Durability",
    "FileKind",
    "Header",
    "IndexWalk",
    "Interruptible",
    "LogFile",
    "SqliteLog",
    "WriterLock",
    "check_durability",
    "commit_of_row",
    "has_layout_of_a_log",
    "is_full",
    "read_header",
    "sorted_index",
    "why_damaged",
    "with_first_page",
    "write_commits",
]
