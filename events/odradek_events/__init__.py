"""Facts, and the log that keeps them. Imports nothing of ours.

`types` is the catalogue; `registry` how a type is declared, `evolution` and `upcasters` what it was before; `record`
what goes into the log and comes out; `log` the port and its contract; `subscription` how to read on as it grows;
`memory` and `sqlite` the stores, on `appending` (judging), `matching` (queries) and `codec`; `sqlite` leans on
`sqlite_file` (connections), that on `sqlite_lock` and `sqlite_rows` (schema, queries); `snapshots` and
`snapshots_sqlite` keep aggregates' states beside a log; `integrity` verifies, on `checking` and `sqlite_index`;
`transfer` copies, `salvage` what is sound, on `building` and `first_page`; `exchange` and `parquet` export; `trace`
finds conversations; `projection` keeps views up to date, on `projection_store`; `testing` is for those who test stores,
`scenario` (on `scenario_text`) for those who test aggregates. Start reading at `log`.
"""

from odradek_events import types
from odradek_events.errors import LogError
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import EventLog, LogStore
from odradek_events.opening import open_log
from odradek_events.record import (
    ANY,
    NO_STREAM,
    Append,
    Appended,
    Commit,
    Condition,
    Decision,
    Failed,
    Head,
    Query,
    QueryItem,
    Recorded,
    Rejected,
)
from odradek_events.schema.registry import OffsetTag, event
from odradek_events.schema.upcasters import Upcaster
from odradek_events.sqlite.log import SqliteLog

__all__ = [
    "ANY",
    "NO_STREAM",
    "Append",
    "Appended",
    "Commit",
    "Condition",
    "Decision",
    "EventLog",
    "Failed",
    "Head",
    "LogError",
    "LogStore",
    "MemoryLog",
    "OffsetTag",
    "Query",
    "QueryItem",
    "Recorded",
    "Rejected",
    "SqliteLog",
    "Upcaster",
    "event",
    "open_log",
    "types",
]
