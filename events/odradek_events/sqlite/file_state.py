"""Detects whether a database changed while it was read with immutable=1.

With immutable=1 SQLite creates no files, takes no locks and never looks at the file again. If a writer checkpoints in
the meantime, SQLite mixes old and new pages, or reports damage. (https://www.sqlite.org/uri.html#uriimmutable)

So what was read, or failed to be read, counts only if the file's state was the same before and after. A checkpoint
updates the file's time before it copies pages, while the write-ahead log has frames. As long as that is empty, every
later change of the database therefore changes its time, unless both times fall in the same tick of the file system's
clock: 1 to 10 ms on Linux before 6.13. `settled_state` waits for the end of that tick, and git has the same problem
(https://git-scm.com/docs/racy-git). The time is that of the inode, which unlike that of the content cannot be set.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["FileState", "current_state", "is_settled", "settled_state"]

_FILE_SYSTEM_CLOCK = 5 if sys.platform == "linux" else time.CLOCK_REALTIME  # Linux uses CLOCK_REALTIME_COARSE
_SECOND = 10**9
_PAUSE = 0.001  # seconds


class FileState(NamedTuple):
    """What a change of a database changes: its inode, size and time, and the size of its write-ahead log."""

    inode: int
    size: int
    changed_ns: int
    wal_size: int

    @property
    def is_whole(self) -> bool:
        """Whether the database is complete without its write-ahead log."""
        return self.wal_size == 0


def current_state(path: Path) -> FileState:
    """Return the state of the database at `path`; zeros if it does not exist.

    Looks at the write-ahead log last: while that is empty, no checkpoint that began before is still under way.
    """
    inode = size = changed_ns = wal_size = 0
    with suppress(OSError):
        file = os.stat(path)
        inode, size, changed_ns = file.st_ino, file.st_size, file.st_ctime_ns
        wal_size = os.stat(f"{path}-wal").st_size
    return FileState(inode, size, changed_ns, wal_size)


def settled_state(path: Path) -> FileState:
    """Return the state of the database at `path`, once every later change is certain to change it.

    Does not wait if the write-ahead log has frames: then the file cannot be read with immutable=1 anyway.
    """
    while True:
        now_ns = time.clock_gettime_ns(_FILE_SYSTEM_CLOCK)
        state = current_state(path)
        if not state.is_whole or is_settled(state.changed_ns, now_ns):
            return state
        time.sleep(_PAUSE)


def is_settled(changed_ns: int, now_ns: int) -> bool:
    """Say whether a change after `now_ns` gets another time than one at `changed_ns`.

    The zeros at the end of a time show the coarsest unit that the file system may keep times in. FAT keeps them in
    units of two seconds. A time in the future is one from before the clock was set back.
    """
    unit = 1
    while unit < _SECOND and changed_ns % (10 * unit) == 0:
        unit *= 10
    return not now_ns - 2 * unit < changed_ns < now_ns + _SECOND
