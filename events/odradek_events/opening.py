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
    """Open the log at `path`, created if it is not there; ":memory:" is a log without a file.

    Open it `read_only` to look while another process writes. Raises an OpenError that says what is wrong.
    """
    if durability not in ("full", "normal", "off"):
        raise ValueError(f"durability is 'full', 'normal' or 'off', not {durability!r}")
    if not os.fspath(path):
        raise LogNotFound("''")
    if os.fspath(path) == ":memory:":
        return MemoryLog()
    return SqliteLog(path, read_only=read_only, durability=durability)
