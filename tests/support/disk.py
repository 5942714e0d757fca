"""Simulates a failing disk for one file, and log files as a crash or another program leaves them."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["crashed", "led_to", "tampering", "write_ahead_descriptors"]


def crashed(path: Path, target: Path) -> Path:
    """Copy an open log as a killed writer leaves it: the database and its write-ahead log."""
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{target}{suffix}")
    return target


@contextmanager
def tampering(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that can change a log's commits; the triggers are restored afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        yield raw
        for _, sql in triggers:
            raw.execute(sql)


def write_ahead_descriptors(path: Path) -> list[int]:
    """Return this process's open descriptors of the write-ahead log of the log at `path`."""
    wanted = os.stat(f"{path}-wal")
    found = []
    for descriptor in range(1024):
        try:
            status = os.fstat(descriptor)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
            found.append(descriptor)
    return found


@contextmanager
def led_to(device: str, descriptor: int) -> Iterator[None]:
    """Redirect a descriptor to a device: /dev/full has no space, /dev/null accepts every write but cannot be synced.

    It is restored afterwards, unless it was closed in the meantime.
    """
    kept, other = os.dup(descriptor), os.open(device, os.O_RDWR)
    device_status = os.fstat(other)
    os.dup2(other, descriptor)
    os.close(other)
    try:
        yield
    finally:
        try:
            is_still_led = os.fstat(descriptor).st_rdev == device_status.st_rdev
        except OSError:
            is_still_led = False
        if is_still_led:
            os.dup2(kept, descriptor)
        os.close(kept)
