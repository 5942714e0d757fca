"""The lock of a log's one writer: `flock` on `<log>.lock`, which holds the writer's process id.

lockf would admit a second writer in the same process. A forked child shares a flock and would keep it for as long as it
lives, so it gives up its part when it is born.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from odradek_events.errors import LogLocked, LogNotWritable

__all__ = ["WriterLock"]

_descriptors: set[int] = set()  # those of this process


def _give_up_in_child() -> None:
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()


os.register_at_fork(after_in_child=_give_up_in_child)


class WriterLock:
    """The lock of the log at `path`, held from the start. Raises LogLocked if somebody else holds it."""

    def __init__(self, path: Path, name: str) -> None:
        try:
            descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LogNotWritable(name, error.strerror or str(error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            holder = "this process" if pid == str(os.getpid()) else f"process {pid}" if pid else "another process"
            raise LogLocked(name, holder) from error
        except OSError as error:  # a file system without locks
            os.close(descriptor)
            raise LogNotWritable(name, error.strerror or str(error)) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        _descriptors.add(descriptor)

    def release(self) -> None:
        """Let the next writer in. The file stays: removing it would let two writers lock two different files."""
        _descriptors.discard(self._descriptor)
        os.close(self._descriptor)
