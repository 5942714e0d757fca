"""What several commands share: their arguments, places in a log given by position or time, and opening a log.

Every command imports this module, also for its help, so the log and the actors are imported where they are opened.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, TypeVar

import typer

from odradek.cli.exit_codes import CommandError, ExitCode

if TYPE_CHECKING:
    from odradek import ActorSystem, SqliteLog

__all__ = [
    "Durability",
    "DurabilityOption",
    "ExistingLog",
    "JsonOption",
    "NewLog",
    "Place",
    "bad_value",
    "checked",
    "open_input",
    "open_reader",
    "open_system",
    "parse_place",
    "resolved",
]

Durability = Literal["full", "normal", "off"]  # those of SqliteLog, which is not imported for the help
Place = int | datetime | None
T = TypeVar("T")
_CLOSE_AFTER_FAILURE_SECONDS = 5.0


def bad_value(name: str, problem: str) -> typer.BadParameter:
    """Return the error for a value of the option or argument `name`."""
    return typer.BadParameter(problem, param_hint=name)


def checked(name: str, make: type[T], value: str) -> T:
    """Make a value object from text; what it refuses is a bad value of `name`."""
    try:
        return make(value)  # type: ignore[call-arg]  # every value object here takes one text
    except ValueError as error:
        raise bad_value(name, str(error)) from error


def _log_file(value: str) -> str:
    if value == ":memory:":
        raise typer.BadParameter("a log in memory ends with the command; name a file")
    return value


ExistingLog = Annotated[str, typer.Argument(metavar="LOG", callback=_log_file, help="The log's file.")]
NewLog = Annotated[str, typer.Argument(metavar="NEW", callback=_log_file, help="The new log, which must not exist.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DurabilityOption = Annotated[
    Durability,
    typer.Option(
        help="full: every commit is synced before it counts. normal: survives the death of the process, not of the "
        "machine. off: may lose acknowledged messages."
    ),
]


def parse_place(name: str, text: str) -> Place:
    """Turn a position, a time, or "head" into a place; None is the head. A time without a zone is in UTC."""
    if text == "head":
        return None
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_value(
            name,
            f"{text[:80]!r} is no place in a log; write a position like 41, a time like 2026-01-31T12:00:00Z, or head",
        ) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def resolved(log: SqliteLog, place: Place) -> int:
    """Return the position meant by a place; PositionBeyondHead for one that the log does not have."""
    from odradek_events.errors import PositionBeyondHead

    if place is None:
        return log.head().position
    if isinstance(place, int) and place < -1:
        raise PositionBeyondHead(place, log.head().position)
    return log.resolve(place)


@contextmanager
def open_input(file: str) -> Iterator[BinaryIO]:
    """Open a file to read bytes; - is stdin."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = open(file, "rb")  # noqa: SIM115  # closed below; what fails after this is not the opening
    except OSError as error:
        problem = f"{file} cannot be read ({error.strerror}); name another file"
        raise CommandError(problem, ExitCode.UNREADABLE) from error
    with opened:
        yield opened


def open_reader(path: str) -> SqliteLog:
    """Open a log to look at it; another process may be writing it."""
    from odradek import SqliteLog

    return SqliteLog(path, read_only=True)


@contextmanager
def open_system(path: str, *, durability: Durability = "full", must_exist: bool = False) -> Iterator[ActorSystem]:
    """Open a system on a log file as its one writer. When something failed, closing neither hides it nor takes long."""
    from odradek import ActorError, ActorSystem, LogError
    from odradek_events.errors import LogNotFound

    if must_exist and not os.path.lexists(path):
        raise LogNotFound(path)
    system = ActorSystem.open(Path(path), durability=durability)
    try:
        yield system
    except BaseException:
        with suppress(ActorError, LogError):
            system.close(_CLOSE_AFTER_FAILURE_SECONDS)
        raise
    system.close()
