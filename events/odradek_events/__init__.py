"""Events, and the log that stores them. Imports no other package of Odradek.

In order of their layers, where each imports only those before it:

    validation  facts      checks of arguments; the state of any object as facts by name
    errors  lazy_names     the error classes; imports on first use
    record                 the values that the log accepts and returns
    schema                 declares event types, encodes events, reads events of former versions
    types  log             the catalogue of events; the log's port, and the log in memory
    sqlite  trace          the log in a file; the causal tree of a command
    snapshots  opening     snapshots of aggregates; opening a log by name
    maintenance  projections  scenario
                           verify, back up and repair log files; views; tests of aggregates
    exchange               exports and imports
    testing                conformance suites for stores; needs pytest

Start reading at `log`. Importing this package registers the event types of the catalogue; all other names are imported
on first use.
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
