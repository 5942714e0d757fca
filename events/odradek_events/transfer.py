"""Copy a log while it may be in use."""

from __future__ import annotations

import os
from pathlib import Path

from odradek_events.errors import LogNotWritable
from odradek_events.record import Head
from odradek_events.sqlite import SqliteLog

__all__ = ["backup"]


def backup(log: SqliteLog, target: str | os.PathLike[str]) -> Head:
    """Copy `log` as it stands into the new file `target`, and return the copy's head.

    Commits appended meanwhile may or may not be in the copy; what is in it is whole. Writes beside the target first, so
    that a copy cut short never carries the target's name. Raises LogNotWritable if the target exists.
    """
    path = Path(target)
    if os.path.lexists(path):
        raise LogNotWritable(str(path), "it exists already, and a backup never overwrites")
    if not os.path.isdir(path.absolute().parent):
        raise LogNotWritable(str(path), "its directory does not exist")
    partial = path.with_name(path.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        log.backup(partial)
        os.replace(partial, path)
    except OSError as error:
        raise LogNotWritable(str(path), error.strerror or str(error)) from error
    finally:
        partial.unlink(missing_ok=True)
    with SqliteLog(path, read_only=True) as copy:
        return copy.head()
