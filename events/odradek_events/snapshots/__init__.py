"""Snapshots of aggregates, stored next to a log.

`store` has the port and a store in memory; `sqlite` stores snapshots in a file next to the log's. Imports the package's
`sqlite` and `log`, and what they may import. Start reading at `store`.
"""

from odradek_events.snapshots.sqlite import SqliteSnapshots, open_snapshots
from odradek_events.snapshots.store import MemorySnapshots, SnapshotMark, SnapshotStore, StoredSnapshot, why_unusable

__all__ = [
    "MemorySnapshots",
    "SnapshotMark",
    "SnapshotStore",
    "SqliteSnapshots",
    "StoredSnapshot",
    "open_snapshots",
    "why_unusable",
]
