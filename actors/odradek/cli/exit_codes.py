"""The exit codes of the command line, and which error has which."""

from __future__ import annotations

from enum import IntEnum

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
    ExitCode.USAGE: "wrong usage, or a value that is never valid",
    ExitCode.UNREADABLE: "a file is missing, unreadable, not a log, or from a newer Odradek",
    ExitCode.LOCKED: "another process is writing the log",
    ExitCode.UNWRITABLE: "no space left, or no permission to write",
    ExitCode.NO_SUCH_PLACE: "no such topic, partition, group, offset, position or id",
    ExitCode.REFUSED: "the request was refused or timed out, or a library is not installed",
    ExitCode.BUG: "a bug in Odradek",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.OUTPUT_CLOSED: "the reader closed the output pipe",
}

# By package and class, the most specific class first. Names, because a command that fails early should not import the
# domain and the actors only to learn that the error is none of theirs.
_BY_ERROR = {
    "odradek_domain.ValidationError": ExitCode.USAGE,
    "odradek_events.InvalidStream": ExitCode.USAGE,
    "odradek_domain.TopicNotFound": ExitCode.NO_SUCH_PLACE,
    "odradek_domain.PartitionNotFound": ExitCode.NO_SUCH_PLACE,
    "odradek_domain.GroupNotFound": ExitCode.NO_SUCH_PLACE,
    "odradek_domain.OffsetNotFound": ExitCode.NO_SUCH_PLACE,
    "odradek_domain.NoCommittedOffset": ExitCode.NO_SUCH_PLACE,
    "odradek_events.PositionBeyondHead": ExitCode.NO_SUCH_PLACE,
    "odradek_events.CorrelationNotFound": ExitCode.NO_SUCH_PLACE,
    "odradek_events.CorrelationIsAmbiguous": ExitCode.NO_SUCH_PLACE,
    "odradek_events.DamagedCommit": ExitCode.BROKEN,
    "odradek_events.NothingToSalvage": ExitCode.BROKEN,
    "odradek_events.DamagedExport": ExitCode.BROKEN,
    "odradek_events.LibraryMissing": ExitCode.REFUSED,
    "odradek_events.LogLocked": ExitCode.LOCKED,
    "odradek_events.LogFull": ExitCode.UNWRITABLE,
    "odradek_events.LogNotWritable": ExitCode.UNWRITABLE,
    "odradek_events.OutcomeUnknown": ExitCode.UNWRITABLE,
    "odradek_events.LogUnavailable": ExitCode.UNWRITABLE,
    "odradek_events.NotViews": ExitCode.UNREADABLE,
    "odradek_events.ViewsUnavailable": ExitCode.UNWRITABLE,
    "odradek_events.ProjectionError": ExitCode.REFUSED,
    "odradek_events.LogError": ExitCode.UNREADABLE,
    "odradek_boundaries.NotAReport": ExitCode.UNREADABLE,
    "odradek_boundaries.MatplotlibMissing": ExitCode.REFUSED,
    "odradek_boundaries.LabError": ExitCode.USAGE,
    "odradek_domain.DomainError": ExitCode.REFUSED,
    "odradek_actors.ActorError": ExitCode.REFUSED,
    "odradek_simulation.InvalidToken": ExitCode.USAGE,
    "odradek_simulation.TargetNotFound": ExitCode.USAGE,
    "odradek_simulation.CheckpointUnusable": ExitCode.UNWRITABLE,
    "odradek_simulation.SimulationError": ExitCode.REFUSED,
    "builtins.FileNotFoundError": ExitCode.UNREADABLE,
    "builtins.OSError": ExitCode.UNWRITABLE,
}


class CommandError(Exception):
    """A command failed: one sentence for the user, and the exit code."""

    def __init__(self, sentence: str, code: ExitCode) -> None:
        super().__init__(sentence)
        self.code = code


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code for an error; one that the table does not have is a bug."""
    if isinstance(error, CommandError):
        return error.code
    if "odradek_actors.ActorFailed" in _class_names(error) and isinstance(error.__cause__, Exception):
        cause = exit_code_of(error.__cause__)  # an actor that read a damaged log ends a command as `verify` does
        if cause is ExitCode.BROKEN:
            return cause
    return next((_BY_ERROR[name] for name in _class_names(error) if name in _BY_ERROR), ExitCode.BUG)


def sentence_of(error: BaseException) -> str:
    """Return what to say about an error, on one line."""
    names = _class_names(error)
    if names[0] == "odradek_domain.TopicNotFound":
        text = f"there is no topic {getattr(error, 'topic', '')!r}; 'odradek topics list LOG' lists them"
    elif exit_code_of(error) is ExitCode.BUG:
        text = f"a bug in Odradek: {error!r}; run it again with --log-level debug to see where"
    elif isinstance(error, OSError) and not any(name.startswith("odradek_") for name in names):
        text = f"{error.filename or 'the output'}: {error.strerror or error}"
    else:
        text = str(error)
    return " ".join(text.split())


def _class_names(error: BaseException) -> list[str]:
    """Return the package and name of an error's class and of all it inherits from, the most specific first."""
    return [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__]
