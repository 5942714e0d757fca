"""Prepares stdin, stdout and stderr as a command finds them: closed, non-blocking, or in another encoding.

O_NONBLOCK belongs to the open file, which a command may share with the shell and with other programs; one of them may
have set it, and Python then reads half a line, or drops what it cannot write at once. A command waits until the file is
ready, and leaves the flag as it is: to clear it would change the file for the others too.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["prepare_standard_streams"]


def prepare_standard_streams() -> None:
    """Replace closed streams by /dev/null and non-blocking ones by files that wait; write UTF-8."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # the caller has closed it
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # open until the process ends
        elif _is_non_blocking(stream):
            setattr(sys, name, _waiting(stream, mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the locale is: logs and names are UTF-8
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def _is_non_blocking(stream: object) -> bool:
    if not isinstance(stream, io.TextIOWrapper):
        return False
    try:
        return not os.get_blocking(stream.fileno())
    except OSError:  # in memory, without a descriptor
        return False


def _waiting(stream: io.TextIOWrapper, mode: str) -> io.TextIOWrapper:
    file = _WaitingFile(stream.fileno(), mode)
    buffer = io.BufferedReader(file) if mode == "r" else io.BufferedWriter(file)
    return io.TextIOWrapper(
        buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _WaitingFile(io.RawIOBase):
    """A file descriptor that is read and written as if it blocked. Closing it leaves the descriptor open."""

    def __init__(self, descriptor: int, mode: str) -> None:
        self._descriptor = descriptor
        self._mode = mode

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def readable(self) -> bool:
        return self._mode == "r"

    def writable(self) -> bool:
        return self._mode == "w"

    def readinto(self, buffer: WriteableBuffer) -> int:
        while True:
            try:
                return os.readv(self._descriptor, [buffer])
            except BlockingIOError:
                select.select([self._descriptor], [], [])

    def write(self, data: ReadableBuffer) -> int:
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
