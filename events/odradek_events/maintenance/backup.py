"""Copy a log while it may be in use."""

from __future__ import annotations

import os

from odradek_events.maintenance.builder import new_file
from odradek_events.record import Head
from odradek_events.sqlite.log import SqliteLog
from odradek_events.validation import check_instance

__all__ = ["backup"]


def backup(log: SqliteLog, target: str | os.PathLike[str]) -> Head:
    """Copy `log` as it stands into the new file `target`, and return the copy's head.

    Commits appended meanwhile may or may not be in the copy; what is in it is whole. Writes beside the target first, so
    that a copy cut short never carries the target's name. Raises LogNotWritable if the target exists.
    """
    check_instance("log", log, SqliteLog, "a SqliteLog, since a log in memory has no file to copy")
    with new_file(target) as partial:
        log.backup(partial)
    with SqliteLog(target, read_only=True) as copy:
        return copy.head()
