"""The lock of a log's writer: `flock` on `<log>.lock`, which contains the writer's process id.

`lockf` would admit a second writer in the same process. A forked child shares a flock and would hold it for its
lifetime, so it closes the descriptor right after the fork. A fork waits until a lock that is being acquired is
registered. `release` unlocks explicitly, which also frees the lock if a child that was forked without Python's hooks
still has the descriptor.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path

from odradek_events.errors import LogLocked, LogNotWritable

__all__ = ["WriterLock"]

_descriptors: set[int] = set()  # of the locks that this process holds
_registering = threading.RLock()  # reentrant: a signal handler may fork while its thread acquires a lock


def _close_in_child() -> None:
    for descriptor in _descriptors:
        with suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()
    _registering.release()


os.register_at_fork(before=_registering.acquire, after_in_parent=_registering.release, after_in_child=_close_in_child)


class WriterLock:
    """The lock of the log at `path`, acquired by the constructor. Raises LogLocked if another writer holds it."""

    def __init__(self, path: Path, name: str) -> None:
        file = f"{path}.lock"
        with _registering:
            try:
                self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            except OSError as error:
                raise LogNotWritable(name, f"its lock file {file} cannot be opened: {_reason(error)}") from error
            _descriptors.add(self._descriptor)
            try:
                self._take(name, file)
            except BaseException:
                self._close()
                raise

    def release(self) -> None:
        """Release the lock. The file is kept: removing it would let two writers lock two different files."""
        with _registering:
            if self._descriptor in _descriptors:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                self._close()

    def _take(self, name: str, file: str) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            holder = "this process" if pid == str(os.getpid()) else f"process {pid}" if pid else "another process"
            raise LogLocked(name, holder) from error
        except OSError as error:  # a file system without locks
            raise LogNotWritable(name, f"its lock file {file} cannot be locked: {_reason(error)}") from error
        with suppress(OSError):  # on a full disk the lock works, but does not name its holder
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def _close(self) -> None:
        _descriptors.discard(self._descriptor)
        os.close(self._descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
