"""Care for log files: check them, copy them, rescue what is sound, and count what they hold.

`verify` checks a log and reports what is wrong; `backup` copies a log in use; `salvage` copies the sound part of a
damaged one; `statistics` counts; `builder` makes a new log file from existing commits. Imports `snapshots`, `sqlite`,
`log` and what they may import. Start reading at `verify`.
"""

from odradek_events.maintenance.backup import backup
from odradek_events.maintenance.builder import LogBuilder, building, new_file
from odradek_events.maintenance.salvage import Salvage, salvage
from odradek_events.maintenance.statistics import LogStatistics, StreamSize, log_statistics
from odradek_events.maintenance.verify import Finding, Verification, verify

__all__ = [
    "Finding",
    "LogBuilder",
    "LogStatistics",
    "Salvage",
    "StreamSize",
    "Verification",
    "backup",
    "building",
    "log_statistics",
    "new_file",
    "salvage",
    "verify",
]
