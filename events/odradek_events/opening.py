"""Open a log by name."""

from __future__ import annotations

import os

from odradek_events.errors import LogNotFound
from odradek_events.log.memory import MemoryLog
from odradek_events.sqlite.log import Durability, SqliteLog, check_durability
from odradek_events.validation import check_instance, file_name

__all__ = ["open_log"]


def open_log(
    path: str | os.PathLike[str], *, read_only: bool = False, durability: Durability = "full"
) -> SqliteLog | MemoryLog:
    """Open the log at `path`, creating it if necessary; ":memory:" opens a new log in memory.

    Open it with `read_only` to read while another process writes. Raises a subclass of OpenError if it cannot be
    opened.
    """
    check_durability(durability)
    check_instance("read_only", read_only, bool, "True or False")
    name = file_name("path", path)
    if not name:
        raise LogNotFound("''")
    if name == ":memory:":
        return MemoryLog()
    return SqliteLog(name, read_only=read_only, durability=durability)
