"""What can go wrong with an event log.

    LogError
    ├── AppendError                 the request was refused and nothing was written
    │   ├── WrongExpectedVersion    the stream is not at the expected version
    │   ├── ConditionNotMet         an event matches the condition's query
    │   ├── ConditionBeyondHead     the condition refers to a position that the log has not reached
    │   ├── CommitIdReused          a commit with different content already has the commit id
    │   ├── LogFull                 no space left; retriable once there is space
    │   ├── EventNotSerializable    a value that JSON cannot represent, or an unregistered type
    │   └── InvalidStream           the stream name is not `<type>/<id>`
    ├── OutcomeUnknown              the append may or may not have been written; reopen and read
    ├── LogUnavailable              the log cannot be used now (poisoned, closed, unreachable)
    ├── OpenError                   the log cannot be opened
    │   └── LogNotFound · NotALog · LogTooNew · LogLocked · LogNotReadable · LogNotWritable
    ├── PositionBeyondHead          the requested position is beyond the end of the log
    ├── PositionNotReached          the log did not reach a position before the timeout
    ├── CorrelationNotFound         no event has that correlation id or event id
    ├── CorrelationIsAmbiguous      several correlation ids start with the given text
    ├── ProjectionError             a view cannot be built or continued; see `projections.errors`
    ├── EventNotReadable            a stored event cannot be read with the registered types; the log is sound
    │   ├── UnknownEventType        its type or version is not registered
    │   ├── SchemaMismatch          it does not fit the class of its type and version
    │   └── UpcasterFailed          the upcasters of its type do not fit it
    ├── SnapshotsUnavailable        the snapshots of a log cannot be used; callers continue without them
    ├── DamagedCommit               a stored commit cannot be decoded or does not fit its neighbours
    ├── NothingToSalvage            a damaged log contains no sound commit
    ├── ExchangeError               an export cannot be written or imported; see `exchange.errors`
    └── RegistrationError           an event type, upcaster or aggregate was declared incorrectly

Every message says what happened, with which value, and what to do. `retriable` says whether the same request may
succeed later. `code` is stable and machine-readable.
"""

from __future__ import annotations

from odradek_events.validation import shown

__all__ = [
    "AppendError",
    "CommitIdReused",
    "ConditionBeyondHead",
    "ConditionNotMet",
    "CorrelationIsAmbiguous",
    "CorrelationNotFound",
    "DamagedCommit",
    "EventNotReadable",
    "EventNotSerializable",
    "InvalidStream",
    "LogError",
    "LogFull",
    "LogLocked",
    "LogNotFound",
    "LogNotReadable",
    "LogNotWritable",
    "LogTooNew",
    "LogUnavailable",
    "NotALog",
    "NothingToSalvage",
    "OpenError",
    "OutcomeUnknown",
    "PositionBeyondHead",
    "PositionNotReached",
    "RegistrationError",
    "SchemaMismatch",
    "SnapshotsUnavailable",
    "UnknownEventType",
    "UpcasterFailed",
    "WrongExpectedVersion",
    "reduce_error",
]


def reduce_error(error: Exception) -> tuple[object, ...]:
    """Return how to copy or unpickle an error: from its attributes, since `__init__` does not take the message."""
    return _rebuild, (type(error), error.args, vars(error))


def _rebuild(cls: type[Exception], args: tuple[object, ...], facts: dict[str, object]) -> Exception:
    error = cls.__new__(cls, *args)
    vars(error).update(facts)
    return error


class LogError(Exception):
    """Base of every error of the log."""

    code = "log_error"
    retriable = False
    __reduce__ = reduce_error


class AppendError(LogError):
    """The request was refused and nothing was written."""

    code = "append_rejected"


class WrongExpectedVersion(AppendError):
    """The stream's last version is not the expected one."""

    code = "wrong_expected_version"

    def __init__(self, stream: str, expected: int, current: int) -> None:
        super().__init__(
            f"stream {stream!r} is at version {current}, not at the expected version {expected}; re-read it and retry"
        )
        self.stream, self.expected, self.current = stream, expected, current


class ConditionNotMet(AppendError):
    """An event matches the condition's query."""

    code = "condition_not_met"

    def __init__(self, stream: str, position: int, after: int) -> None:
        super().__init__(
            f"append to {stream!r} refused: the event at position {position} matches the condition, which allows no "
            f"match after position {after}; re-read and retry"
        )
        self.stream, self.position, self.after = stream, position, after


class ConditionBeyondHead(AppendError):
    """A condition refers to a position that the log has not reached, so no event could violate it."""

    code = "condition_beyond_head"

    def __init__(self, stream: str, after: int, head: int) -> None:
        super().__init__(
            f"append to {stream!r} refused: its condition starts after position {after}, but the log ends at {head}; "
            "set `after` to this log's head as it was before you read"
        )
        self.stream, self.after, self.head = stream, after, head


class CommitIdReused(AppendError):
    """A request reuses a commit id with different content."""

    code = "commit_id_reused"

    def __init__(self, stream: str, commit_id: str, position: int) -> None:
        super().__init__(
            f"commit id {commit_id[:80]!r} is already used by the commit at position {position} of {stream!r}, whose "
            "content differs; repeat a request unchanged, or use a new id for a new request"
        )
        self.stream, self.commit_id, self.position = stream, commit_id, position


class LogFull(AppendError):
    """There is no space for the commit; nothing was written."""

    code = "log_full"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"no space left for {name} ({reason}), nothing was written; free some space and retry")
        self.name = name


class EventNotSerializable(AppendError):
    """An event cannot be encoded as JSON, or its type is not registered."""

    code = "event_not_serializable"

    def __init__(self, stream: str, reason: str) -> None:
        super().__init__(f"an event for stream {stream!r} cannot be stored: {reason}")
        self.stream, self.reason = stream, reason


class InvalidStream(AppendError):
    """A stream name is not `<type>/<id>`."""

    code = "invalid_stream"

    def __init__(self, stream: str) -> None:
        super().__init__(
            f"{stream[:80]!r} is not a stream name; use '<type>/<id>', each of 1 to 249 printable characters"
        )
        self.stream = stream


class OutcomeUnknown(LogError):
    """A write failed, and whether its events were stored is unknown."""

    code = "outcome_unknown"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"an append to {name} failed ({reason}) and may or may not be stored; read the log before you retry"
        )
        self.name = name


class LogUnavailable(LogError):
    """The log cannot be used now."""

    code = "log_unavailable"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is unavailable: {reason}")
        self.name = name


class OpenError(LogError):
    """The log cannot be opened."""

    code = "open_failed"


class LogNotFound(OpenError):
    """The file does not exist."""

    code = "log_not_found"

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no log at {path}; check the name, or open it for writing to create it")
        self.path = path


class NotALog(OpenError):
    """The file is not a log."""

    code = "not_a_log"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} is not an Odradek log ({reason}) and was left unchanged; use another file")
        self.path = path


class LogTooNew(OpenError):
    """The log was written by a newer Odradek."""

    code = "log_too_new"

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            f"{path} has format {found}, but this Odradek supports formats up to {known}; upgrade Odradek to open it"
        )
        self.path, self.found, self.known = path, found, known


class LogLocked(OpenError):
    """Another writer holds the log."""

    code = "log_locked"
    retriable = True

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(f"{path} is open for writing by {holder}; close that writer, or open the log read-only")
        self.path, self.holder = path, holder


class LogNotReadable(OpenError):
    """The file cannot be read."""

    code = "log_not_readable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot be read ({reason}); check its path and permissions")
        self.path = path


class LogNotWritable(OpenError):
    """The file or its directory cannot be written."""

    code = "log_not_writable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot be written ({reason}); use another path, or open it read-only")
        self.path = path


class PositionBeyondHead(LogError):
    """The requested position is beyond the end of the log."""

    code = "position_beyond_head"

    def __init__(self, position: int, head: int) -> None:
        super().__init__(
            f"position {shown(position)} is outside the log, whose last position is {head}; "
            f"use a position from -1 to {head}"
        )
        self.position, self.head = position, head


class PositionNotReached(LogError, TimeoutError):
    """The log did not reach a position before the timeout."""

    code = "position_not_reached"
    retriable = True

    def __init__(self, position: int, head: int, timeout: float) -> None:
        super().__init__(
            f"position {shown(position)} was not reached within {timeout:g} s, the log ends at {head}; "
            "use a longer timeout"
        )
        self.position, self.head, self.timeout = position, head, timeout


class CorrelationNotFound(LogError):
    """No event in the log has the correlation id or event id."""

    code = "correlation_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no event has the event id or correlation id prefix {name[:80]!r}; list the ids with "
            "'odradek log LOG --json'"
        )
        self.name = name


class CorrelationIsAmbiguous(LogError):
    """Several correlation ids start with the given text."""

    code = "correlation_is_ambiguous"

    def __init__(self, name: str, candidates: list[str]) -> None:
        known = ", ".join(repr(candidate[:80]) for candidate in candidates)
        super().__init__(
            f"several correlation ids start with {name[:80]!r}, including {known}; give more characters of the id"
        )
        self.name, self.candidates = name, candidates


class EventNotReadable(LogError):
    """A stored event cannot be read with the registered types: a mistake in the model, not damage of the log."""

    code = "event_not_readable"

    def __init__(self, message: str, type_name: str, version: int, position: int) -> None:
        super().__init__(message)
        self.type_name, self.version, self.position = type_name, version, position


class UnknownEventType(EventNotReadable):
    """A stored event's type or version is not registered."""

    code = "unknown_event_type"

    def __init__(self, type_name: str, version: int, position: int) -> None:
        message = (
            f"the event at position {position} is a {type_name!r} version {version}, which is not registered; "
            "import the module that declares it"
        )
        super().__init__(message, type_name, version, position)


class SchemaMismatch(EventNotReadable):
    """A stored event does not fit the class that is registered for its type and version."""

    code = "schema_mismatch"

    def __init__(self, type_name: str, version: int, position: int, reason: str) -> None:
        message = (
            f"event type {type_name!r} version {version} at position {position} {reason}; "
            f"declare version {version + 1} with an Upcaster"
        )
        super().__init__(message, type_name, version, position)
        self.reason = reason


class UpcasterFailed(EventNotReadable):
    """A stored event of an older version cannot be upcast to the current version."""

    code = "upcaster_failed"

    def __init__(self, type_name: str, version: int, position: int, reason: str) -> None:
        message = (
            f"the event at position {position} is a {type_name!r} version {version}, which cannot be upcast to the "
            f"current version: {reason}; fix its upcasters"
        )
        super().__init__(message, type_name, version, position)
        self.reason = reason


class DamagedCommit(LogError):
    """A stored commit cannot be decoded or does not fit its neighbours; position -1 means the whole file."""

    code = "damaged_commit"

    def __init__(self, position: int, reason: str) -> None:
        what = "the log" if position < 0 else f"the commit at position {position}"
        super().__init__(
            f"{what} is damaged: {reason}; run 'odradek verify' on the log, then restore a backup or copy the sound "
            "commits with 'odradek salvage'"
        )
        self.position, self.reason = position, reason


class SnapshotsUnavailable(LogError):
    """Snapshots cannot be loaded or saved now."""

    code = "snapshots_unavailable"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"the snapshots in {name} cannot be used ({reason}); they are not needed, and the file may be deleted"
        )
        self.name, self.reason = name, reason


class NothingToSalvage(LogError):
    """A damaged log contains no sound commit."""

    code = "nothing_to_salvage"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"no commit of {path} can be salvaged ({reason}); restore a backup or import an export")
        self.path, self.reason = path, reason


class RegistrationError(LogError):
    """An event type, an upcaster or an aggregate was declared incorrectly."""

    code = "registration_error"
