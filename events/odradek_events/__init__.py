"""Facts, and the log that keeps them. Imports nothing of ours.

In order of their layers, where each imports only those before it:

    errors  lazy_names     what can go wrong; names imported on first use
    record                 what goes into the log and comes out of it
    schema                 how event types are declared, encoded, and read in former versions
    types  log             the catalogue of events; the log's port, and the log in memory
    sqlite  trace          the log in a file; what a command led to
    snapshots  opening     states beside a log; opening a log by name
    maintenance  projections  scenario
                           care for log files; views; tests of aggregates
    exchange               exports and imports
    testing                suites for stores; needs pytest

Start reading at `log`. The event types of the catalogue are registered by importing this package; all other names are
imported when they are first used.
"""

from typing import TYPE_CHECKING

from odradek_events import types
from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
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
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "errors",
        "record",
        "schema.registry",
        "schema.upcasters",
        "log.port",
        "log.memory",
        "sqlite.log",
        "opening",
    )

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
