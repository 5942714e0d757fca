"""The log of a simulation: in memory, or a new file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import odradek
from odradek.cli.options import Durability, bad_value

__all__ = ["is_in_memory", "open_new_log"]


def is_in_memory(path: str) -> bool:
    """Return whether a log is in memory only."""
    return path in ("memory", ":memory:")


def open_new_log(path: str, overwrite: bool, durability: Durability) -> odradek.SqliteLog | odradek.MemoryLog:
    """Open a new log. A log that is open for writing is never replaced: opening it shows whether it is."""
    if is_in_memory(path):
        return odradek.MemoryLog()
    if os.path.lexists(path):
        if not overwrite:
            raise bad_value("--log", f"{path} exists already; use --overwrite to replace it, or another name")
        with odradek.SqliteLog(path) as old:
            name = old.path
        for suffix in ("", "-wal", "-shm", ".snapshots", ".snapshots-wal", ".snapshots-shm"):
            try:
                with suppress(FileNotFoundError):
                    Path(f"{name}{suffix}").unlink()
            except OSError as error:
                raise odradek.errors.LogNotWritable(path, error.strerror or str(error)) from error
    return odradek.SqliteLog(path, durability=durability)
