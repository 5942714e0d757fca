"""What can go wrong with an event log.

    LogError
    ├── AppendError                 a request was refused; nothing of it was written
    │   ├── WrongExpectedVersion    the stream is not where the writer thought
    │   ├── ConditionNotMet         an event is there that the condition rules out
    │   ├── ConditionBeyondHead     the condition begins after a position that is not there yet
    │   ├── CommitIdReused          the commit id is taken by a commit of other content
    │   ├── LogFull                 no room; retriable once there is
    │   ├── EventNotSerializable    a value that JSON cannot hold, or an unregistered type
    │   └── InvalidStream           not `<type>/<id>`
    ├── OutcomeUnknown              the append may or may not have been written; reopen and read
    ├── LogUnavailable              the log cannot be used now (poisoned, closed, unreachable)
    ├── OpenError                   the log cannot be opened
    │   └── LogNotFound · NotALog · LogTooNew · LogLocked · LogNotReadable · LogNotWritable
    ├── PositionBeyondHead          asked for a position the log does not have
    ├── PositionNotReached          waited for a position, and it did not come in time
    ├── CorrelationNotFound         no event has that correlation id, nor that event id
    ├── CorrelationIsAmbiguous      several correlation ids begin like that
    ├── ProjectionError             a view cannot be built or continued: drawn in projection_errors
    ├── UnknownEventType            a stored type (or version) nobody registered here
    ├── SnapshotsUnavailable        the snapshots beside a log cannot be used; whoever wants them goes on without
    ├── UpcasterFailed              what a type declares of an older version is not so of a stored event
    ├── DamagedCommit               a stored commit cannot be decoded or does not fit its neighbours
    ├── NothingToSalvage            not one commit of a damaged log is sound
    ├── ExchangeError               an export cannot be written, or no log be made of it (in `exchange_errors`)
    └── RegistrationError           an event type was declared wrongly

Every message says what happened, with which value, and what to do. `retriable` says whether the same request may
succeed later; `code` is stable and machine-readable.
"""

from __future__ import annotations

__all__ = [
    "AppendError",
    "CommitIdReused",
    "ConditionBeyondHead",
    "ConditionNotMet",
    "CorrelationIsAmbiguous",
    "CorrelationNotFound",
    "DamagedCommit",
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
    "SnapshotsUnavailable",
    "UnknownEventType",
    "UpcasterFailed",
    "WrongExpectedVersion",
    "reduce_error",
]


def reduce_error(error: Exception) -> tuple[object, ...]:
    """Take an error apart for copying and for other processes: by its facts, since its class takes other arguments."""
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
    """A request was refused: nothing of it was written."""

    code = "append_rejected"


class WrongExpectedVersion(AppendError):
    """The stream's last version is not the expected one."""

    code = "wrong_expected_version"

    def __init__(self, stream: str, expected: int, current: int) -> None:
        super().__init__(
            f"stream {stream!r} is at version {current}, not at the expected {expected}; read it again and decide anew"
        )
        self.stream, self.expected, self.current = stream, expected, current


class ConditionNotMet(AppendError):
    """An event matches the query that must match none."""

    code = "condition_not_met"

    def __init__(self, stream: str, position: int, after: int) -> None:
        super().__init__(
            f"the append to {stream!r} demands that no matching event follow position {after}, but the one at position "
            f"{position} does; read again and decide anew"
        )
        self.stream, self.position, self.after = stream, position, after


class ConditionBeyondHead(AppendError):
    """A condition begins after a position that the log has not reached: nothing could break it."""

    code = "condition_beyond_head"

    def __init__(self, stream: str, after: int, head: int) -> None:
        super().__init__(
            f"the append to {stream!r} sets a condition on what follows position {after}, but the log ends at {head}; "
            "set `after` to the head of this log as it was before you read"
        )
        self.stream, self.after, self.head = stream, after, head


class CommitIdReused(AppendError):
    """A repeated commit id comes with other content than the commit that has it."""

    code = "commit_id_reused"

    def __init__(self, stream: str, commit_id: str, position: int) -> None:
        super().__init__(
            f"commit id {commit_id[:80]!r} is that of the commit at position {position} of {stream!r}, whose content "
            "differs; repeat a request unchanged, or give a new one a new id"
        )
        self.stream, self.commit_id, self.position = stream, commit_id, position


class LogFull(AppendError):
    """There is no room for the commit; nothing was written."""

    code = "log_full"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"no room left for {name} ({reason}); nothing was written: make room and try again")
        self.name = name


class EventNotSerializable(AppendError):
    """An event cannot be written as JSON, or its type is not registered."""

    code = "event_not_serializable"

    def __init__(self, stream: str, reason: str) -> None:
        super().__init__(f"an event for stream {stream!r} cannot be stored: {reason}")
        self.stream, self.reason = stream, reason


class InvalidStream(AppendError):
    """A stream name is not `<type>/<id>`."""

    code = "invalid_stream"

    def __init__(self, stream: str) -> None:
        super().__init__(
            f"{stream[:80]!r} is not a stream name; use '<type>/<id>', both non-empty, the id at most 249 characters"
        )
        self.stream = stream


class OutcomeUnknown(LogError):
    """The write failed in a way that leaves open whether it is durable."""

    code = "outcome_unknown"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"an append to {name} failed ({reason}) and may or may not be stored; read the log before you repeat it"
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
    """There is no file of that name."""

    code = "log_not_found"

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no log at {path}; check the name (the first to open it for writing creates it)")
        self.path = path


class NotALog(OpenError):
    """The file is something else."""

    code = "not_a_log"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} is not an Odradek log ({reason}); it was left untouched: name another file")
        self.path = path


class LogTooNew(OpenError):
    """The log was written by a newer Odradek."""

    code = "log_too_new"

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(f"{path} has format {found}, this Odradek knows up to {known}; upgrade Odradek to open it")
        self.path, self.found, self.known = path, found, known


class LogLocked(OpenError):
    """Another writer holds the log."""

    code = "log_locked"
    retriable = True

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(f"{path} is open for writing by {holder}; close that writer, or open the log read-only")
        self.path, self.holder = path, holder


class LogNotReadable(OpenError):
    """The file does not let itself be read."""

    code = "log_not_readable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot be read ({reason}); check its permissions and its place")
        self.path = path


class LogNotWritable(OpenError):
    """The place or the file does not take writes."""

    code = "log_not_writable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} cannot be written ({reason}); choose another place, or only read it")
        self.path = path


class PositionBeyondHead(LogError):
    """A position was asked for that the log has not reached."""

    code = "position_beyond_head"

    def __init__(self, position: int, head: int) -> None:
        super().__init__(f"position {position} is outside the log, whose last position is {head}; use -1 to {head}")
        self.position, self.head = position, head


class PositionNotReached(LogError, TimeoutError):
    """The log did not grow to a position in the time given."""

    code = "position_not_reached"
    retriable = True

    def __init__(self, position: int, head: int, timeout: float) -> None:
        super().__init__(f"position {position} was not reached in {timeout:g} s, the log ends at {head}; wait longer")
        self.position, self.head, self.timeout = position, head, timeout


class CorrelationNotFound(LogError):
    """No event of the log has the correlation id."""

    code = "correlation_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no event has the correlation id {name[:80]!r}, or one that begins like it, or that event id; "
            "'odradek log LOG --json' shows the ids of every event"
        )
        self.name = name


class CorrelationIsAmbiguous(LogError):
    """Several correlation ids begin with what was given."""

    code = "correlation_is_ambiguous"

    def __init__(self, name: str, candidates: list[str]) -> None:
        known = ", ".join(repr(candidate[:80]) for candidate in candidates)
        super().__init__(f"several correlation ids begin with {name[:80]!r}, among them {known}; write more of it")
        self.name, self.candidates = name, candidates


class UnknownEventType(LogError):
    """A stored event has a type or version that is not registered."""

    code = "unknown_event_type"

    def __init__(self, type_name: str, version: int, position: int) -> None:
        super().__init__(
            f"the event at position {position} is a {type_name!r} version {version}, which nothing here registers; "
            "import the module that defines it"
        )
        self.type_name, self.version, self.position = type_name, version, position


class UpcasterFailed(LogError):
    """A stored event of an older version does not become one of the current version."""

    code = "upcaster_failed"

    def __init__(self, type_name: str, version: int, position: int, reason: str) -> None:
        super().__init__(
            f"the event at position {position} is a {type_name!r} version {version}, which its up-casters do not lead "
            f"to the current version: {reason}; mend them"
        )
        self.type_name, self.version, self.position, self.reason = type_name, version, position, reason


class DamagedCommit(LogError):
    """A stored commit cannot be decoded or does not fit its neighbours; position -1: the file as a whole."""

    code = "damaged_commit"

    def __init__(self, position: int, reason: str) -> None:
        what = "the log" if position < 0 else f"the commit at position {position}"
        super().__init__(
            f"{what} is damaged: {reason}; run 'odradek verify' on the log, and restore a backup or copy what is sound "
            "with 'odradek salvage'"
        )
        self.position, self.reason = position, reason


class SnapshotsUnavailable(LogError):
    """Snapshots cannot be loaded or saved now."""

    code = "snapshots_unavailable"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"the snapshots in {name} cannot be used ({reason}); all goes on without them, and the file may be deleted"
        )
        self.name, self.reason = name, reason


class NothingToSalvage(LogError):
    """Not one commit of a damaged log is sound."""

    code = "nothing_to_salvage"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"not one commit of {path} can be salvaged ({reason}); restore a backup, or import an export")
        self.path, self.reason = path, reason


class RegistrationError(LogError):
    """An event type or up-caster was declared wrongly."""

    code = "registration_error"
