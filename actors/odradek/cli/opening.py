"""Opens what a command reads and writes: a log to read, a system on a log, a file of bytes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.options import Durability, Place
from odradek.cli.output import bar

__all__ = ["open_input", "open_reader", "open_system", "replay", "resolve_place"]

_CLOSE_AFTER_FAILURE_SECONDS = 5.0


def resolve_place(log: odradek.SqliteLog, place: Place) -> int:
    """Return the position of a place; PositionBeyondHead if the log does not have it."""
    if place is None:
        return log.head().position
    if isinstance(place, int) and place < -1:
        raise odradek.errors.PositionBeyondHead(place, log.head().position)
    return log.resolve(place)


@contextmanager
def open_input(file: str) -> Iterator[BinaryIO]:
    """Open a file to read bytes; - is stdin."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = open(file, "rb")  # noqa: SIM115  # closed below; only errors of opening belong here
    except OSError as error:
        problem = f"{file} cannot be read ({error.strerror}); name another file"
        raise CommandError(problem, ExitCode.UNREADABLE) from error
    with opened:
        yield opened


def open_reader(path: str) -> odradek.SqliteLog:
    """Open a log to read it; another process may be writing it."""
    return odradek.SqliteLog(path, read_only=True)


@contextmanager
def open_system(
    path: str, *, durability: Durability = "full", must_exist: bool = False
) -> Iterator[odradek.ActorSystem]:
    """Open a system on a log file, as its only writer. If the body fails, closing neither hides that nor takes long."""
    if must_exist and not os.path.lexists(path):
        raise odradek.errors.LogNotFound(path)
    system = odradek.ActorSystem.open(Path(path), durability=durability)
    try:
        yield system
    except BaseException:
        with suppress(odradek.ActorError, odradek.LogError):
            system.close(_CLOSE_AFTER_FAILURE_SECONDS)
        raise
    system.close()


def replay(log: odradek.SqliteLog, until: int | None = None) -> odradek.SystemState:
    """Return the state of a log at a position, or at its head, showing progress."""
    end = log.head().position if until is None else until
    with bar("replayed", end + 1) as progress:
        return odradek.SystemState.replay(log, until=end, progress=progress)
