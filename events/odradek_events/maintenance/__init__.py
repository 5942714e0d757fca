"""Maintenance of log files: verify, back up, salvage and count.

`verify` checks a log and reports damage; `backup` copies a log in use; `salvage` copies the sound part of a damaged
log; `statistics` counts events and bytes; `builder` creates a log file from existing commits. Imports `snapshots`,
`sqlite`, `log` and what they may import. Start reading at `verify`.
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
