"""The lock of a log's one writer: `flock` on `<log>.lock`, which holds the writer's process id.

lockf would admit a second writer in the same process. A forked child shares a flock and would keep it for as long as it
lives, so it closes its descriptors when it is born. A fork waits until a lock that is being taken is registered, and
`release` unlocks explicitly, which also frees what a process that was forked without Python's hooks still holds.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path

from odradek_events.errors import LogLocked, LogNotWritable

__all__ = ["WriterLock"]

_descriptors: set[int] = set()  # those of this process
_registering = threading.RLock()  # reentrant: a signal handler may fork while its thread takes a lock


def _close_in_child() -> None:
    for descriptor in _descriptors:
        with suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()
    _registering.release()


os.register_at_fork(before=_registering.acquire, after_in_parent=_registering.release, after_in_child=_close_in_child)


class WriterLock:
    """The lock of the log at `path`, held from the start. Raises LogLocked if another writer holds it."""

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
        """Let the next writer in. The file stays: removing it would let two writers lock two different files."""
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
        with suppress(OSError):  # on a full disk the lock holds, without saying whose it is
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def _close(self) -> None:
        _descriptors.discard(self._descriptor)
        os.close(self._descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
