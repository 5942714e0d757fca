"""Back up a log, even while it is in use."""

from __future__ import annotations

import os

from odradek_events.maintenance.builder import new_file
from odradek_events.record import Head
from odradek_events.sqlite.log import SqliteLog
from odradek_events.validation import check_instance

__all__ = ["backup"]


def backup(log: SqliteLog, target: str | os.PathLike[str]) -> Head:
    """Copy `log` to the new file `target`, and return the copy's head.

    Commits appended during the copy may or may not be included; included ones are complete. Writes to a temporary file
    next to the target first, so that a partial copy never has the target's name. Raises LogNotWritable if the target
    exists.
    """
    check_instance("log", log, SqliteLog, "a SqliteLog, since a log in memory has no file to copy")
    with new_file(target) as partial:
        log.backup(partial)
    with SqliteLog(target, read_only=True) as copy:
        return copy.head()
