"""A disk that fails for one file of this process: the open write-ahead log of a log is led somewhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["led_to", "write_ahead_descriptors"]


def write_ahead_descriptors(path: Path) -> list[int]:
    """Return the descriptors by which this process has the write-ahead log of the log at `path` open."""
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
    """Lead a descriptor to a device: /dev/full has no room, /dev/null takes every write and cannot be synced.

    It leads back afterwards, unless whoever had it open has closed it meanwhile.
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
