"""Detects changes of a log's files under its writer: the database, its write-ahead log and its shared memory.

SQLite keeps descriptors open and never checks the names again. It does not notice if another program deletes or
truncates the write-ahead log: commits succeed, and are lost when the process ends. A database that is renamed, replaced
or hard-linked admits a second writer, because the write-ahead log, the shared memory and the writer's lock belong to a
name. So the names are checked before and after every commit; the three `stat` calls take about five microseconds.
"""

from __future__ import annotations

import os

__all__ = ["OpenFiles", "why_not_the_only_name"]


class OpenFiles:
    """The identities of the files of the log at `path`, recorded once the writer has opened them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._wal, self._shared = f"{path}-wal", f"{path}-shm"
        self._identities = [_identity(os.stat(name)) for name in (path, self._wal, self._shared)]
        self._wal_size = 0

    def why_changed(self) -> str | None:
        """Return which file is no longer the one that the writer has open and why, or None."""
        try:
            name = self._path
            status = os.stat(name)
            if status.st_nlink > 1:
                return why_not_the_only_name(status)
            if _identity(status) != self._identities[0]:
                return "its file was replaced by another"
            name = self._shared
            if _identity(os.stat(name)) != self._identities[2]:
                return f"{name} was replaced by another file"
        except OSError as error:
            return f"{'its file' if name == self._path else name} is gone ({error.strerror})"
        return self.why_wal_changed()

    def why_wal_changed(self) -> str | None:
        """Return why commits since the last checkpoint may be missing from the write-ahead log, or None."""
        try:
            status = os.stat(self._wal)
        except OSError as error:
            return f"{self._wal} is gone ({error.strerror})"
        if _identity(status) != self._identities[1]:
            return f"{self._wal} was replaced by another file"
        if status.st_size < self._wal_size:
            return f"{self._wal} was truncated from {self._wal_size} bytes to {status.st_size}"
        self._wal_size = status.st_size
        return None

    @property
    def is_wal_detached(self) -> bool:
        """Whether the write-ahead log that the writer has open no longer has its name."""
        try:
            return _identity(os.stat(self._wal)) != self._identities[1]
        except OSError:
            return True

    @property
    def is_database_in_place(self) -> bool:
        """Whether the database still has its name."""
        try:
            return _identity(os.stat(self._path)) == self._identities[0]
        except OSError:
            return False


def why_not_the_only_name(status: os.stat_result) -> str | None:
    """Return why a file with several names must not be written, or None if it has one name."""
    if status.st_nlink <= 1:
        return None
    return (
        f"its file has {status.st_nlink} names (hard links), and writers that use different names would not see each "
        "other's commits; remove the other names, or copy the file"
    )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
