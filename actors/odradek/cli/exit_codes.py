"""The one table of exit codes, and which error has which."""

from __future__ import annotations

from enum import IntEnum

from odradek_actors.errors import ActorError
from odradek_domain.errors import (
    DomainError,
    NoCommittedOffset,
    OffsetNotFound,
    PartitionNotFound,
    TopicNotFound,
    ValidationError,
)
from odradek_domain.group.errors import GroupNotFound
from odradek_events.errors import (
    CorrelationIsAmbiguous,
    CorrelationNotFound,
    DamagedCommit,
    InvalidStream,
    LogError,
    LogFull,
    LogLocked,
    LogNotWritable,
    LogUnavailable,
    NothingToSalvage,
    OutcomeUnknown,
    PositionBeyondHead,
)
from odradek_events.exchange.errors import DamagedExport, LibraryMissing
from odradek_events.projections.errors import NotViews, ProjectionError, ViewsUnavailable

__all__ = ["TABLE", "CommandError", "ExitCode", "exit_code_of", "sentence_of"]


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    BROKEN = 1
    USAGE = 2
    UNREADABLE = 3
    LOCKED = 4
    UNWRITABLE = 5
    NO_SUCH_PLACE = 6
    REFUSED = 7
    BUG = 70
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141


TABLE: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.BROKEN: "an invariant is broken, or the log or an export is damaged",
    ExitCode.USAGE: "wrong usage, or a value that can never be right",
    ExitCode.UNREADABLE: "a file is not there, not a log, from a newer Odradek, or cannot be read",
    ExitCode.LOCKED: "another process is writing the log",
    ExitCode.UNWRITABLE: "no room, or no permission to write",
    ExitCode.NO_SUCH_PLACE: "no such topic, partition, group, offset, position or id",
    ExitCode.REFUSED: "the system refused, did not answer in time, or lacks a library",
    ExitCode.BUG: "a bug in Odradek",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.OUTPUT_CLOSED: "whoever read the output went away",
}

# The first class that fits decides.
_BY_ERROR: tuple[tuple[type[Exception], ExitCode], ...] = (
    (ValidationError, ExitCode.USAGE),
    (InvalidStream, ExitCode.USAGE),
    (TopicNotFound, ExitCode.NO_SUCH_PLACE),
    (PartitionNotFound, ExitCode.NO_SUCH_PLACE),
    (GroupNotFound, ExitCode.NO_SUCH_PLACE),
    (OffsetNotFound, ExitCode.NO_SUCH_PLACE),
    (NoCommittedOffset, ExitCode.NO_SUCH_PLACE),
    (PositionBeyondHead, ExitCode.NO_SUCH_PLACE),
    (CorrelationNotFound, ExitCode.NO_SUCH_PLACE),
    (CorrelationIsAmbiguous, ExitCode.NO_SUCH_PLACE),
    (DamagedCommit, ExitCode.BROKEN),
    (NothingToSalvage, ExitCode.BROKEN),
    (DamagedExport, ExitCode.BROKEN),
    (LibraryMissing, ExitCode.REFUSED),
    (LogLocked, ExitCode.LOCKED),
    (LogFull, ExitCode.UNWRITABLE),
    (LogNotWritable, ExitCode.UNWRITABLE),
    (OutcomeUnknown, ExitCode.UNWRITABLE),
    (LogUnavailable, ExitCode.UNWRITABLE),
    (NotViews, ExitCode.UNREADABLE),
    (ViewsUnavailable, ExitCode.UNWRITABLE),
    (ProjectionError, ExitCode.REFUSED),
    (LogError, ExitCode.UNREADABLE),
    (DomainError, ExitCode.REFUSED),
    (ActorError, ExitCode.REFUSED),
    (FileNotFoundError, ExitCode.UNREADABLE),
    (OSError, ExitCode.UNWRITABLE),
)


class CommandError(Exception):
    """A command ended otherwise than well: one sentence, and the exit code."""

    def __init__(self, sentence: str, code: ExitCode) -> None:
        super().__init__(sentence)
        self.code = code


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code for an error; what is in no table is a bug."""
    if isinstance(error, CommandError):
        return error.code
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.BUG)


def sentence_of(error: BaseException) -> str:
    """Return what to say about an error, on one line."""
    if isinstance(error, OSError) and not isinstance(error, ActorError):
        text = f"{error.filename or 'the output'}: {error.strerror or error}"
    elif isinstance(error, TopicNotFound):
        text = f"there is no topic {error.topic!r}; 'odradek topics list LOG' lists them"
    elif exit_code_of(error) is ExitCode.BUG:
        text = f"a bug in Odradek: {error!r}; run it again with --log-level debug to see where"
    else:
        text = str(error)
    return " ".join(text.split())
