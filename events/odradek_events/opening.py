"""Open a log by name."""

from __future__ import annotations

import os

from odradek_events.errors import LogNotFound
from odradek_events.log.memory import MemoryLog
from odradek_events.sqlite.log import Durability, SqliteLog

__all__ = ["open_log"]


def open_log(
    path: str | os.PathLike[str], *, read_only: bool = False, durability: Durability = "full"
) -> SqliteLog | MemoryLog:
    """Open the log at `path`, creating it if necessary; ":memory:" opens a new log in memory.

    Open it with `read_only` to read while another process writes. Raises a subclass of OpenError if it cannot be
    opened.
    """
    if durability not in ("full", "normal", "off"):
        raise ValueError(f"durability must be 'full', 'normal' or 'off', not {durability!r}")
    if not os.fspath(path):
        raise LogNotFound("''")
    if os.fspath(path) == ":memory:":
        return MemoryLog()
    return SqliteLog(path, read_only=read_only, durability=durability)
