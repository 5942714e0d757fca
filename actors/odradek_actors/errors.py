"""What can go wrong between actors, and between them and the outside.

ActorError
├── ActorStopped        the actor is gone or going; retriable, a new one will answer
├── ActorFailed         the actor gave up after failing again and again
├── RequestTimedOut     no answer in time; the outcome is unknown
├── DeliveryTimedOut    a producer gave a batch up; the outcome is unknown
├── BufferFull          a producer's buffer stayed full for max_block_ms
├── SystemClosed        the system was closed
├── NotUnderstood       the actor has no handler for the message
├── HandlerAborted      an actor's code raised a BaseException that is not an Exception
└── ForkedProcess       the system belongs to the process that this one was forked from

SnapshotWarning         no error: an actor of somebody's own fails to take or to restore its snapshots
"""

from __future__ import annotations

from odradek_events.errors import reduce_error

__all__ = [
    "ActorError",
    "ActorFailed",
    "ActorStopped",
    "BufferFull",
    "DeliveryTimedOut",
    "ForkedProcess",
    "HandlerAborted",
    "NotUnderstood",
    "RequestTimedOut",
    "SnapshotWarning",
    "SystemClosed",
    "as_error",
]


class ActorError(Exception):
    """Base of the errors of this floor."""

    code = "actor_error"
    retriable = False
    __reduce__ = reduce_error


class ActorStopped(ActorError):
    """The actor stopped before it handled the message."""

    code = "actor_stopped"
    retriable = True

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} stopped before it handled the message; send it again")


class ActorFailed(ActorError):
    """An actor could not be brought back."""

    code = "actor_failed"

    def __init__(self, stream: str, reason: str) -> None:
        super().__init__(
            f"the actor of {stream!r} gave up ({reason}); read what the log holds, mend the cause, and ask again"
        )
        self.stream = stream


class RequestTimedOut(ActorError, TimeoutError):
    """No answer came in time."""

    code = "request_timed_out"
    retriable = True

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s; what was asked may still happen")


class DeliveryTimedOut(ActorError):
    """A batch was given up; `reason`, its cause too, is the last error that its topic answered with, if it did."""

    code = "delivery_timed_out"

    def __init__(self, topic: str, seconds: float, reason: Exception | None = None) -> None:
        last = f" (the last answer: {reason})" if reason else ""
        super().__init__(
            f"messages for topic {topic!r} were not acknowledged within {seconds:g} s; they may or may not be stored"
            f"{last}"
        )
        self.topic, self.reason = topic, reason
        self.__cause__ = reason


class BufferFull(ActorError):
    """Too many bytes are in flight."""

    code = "buffer_full"
    retriable = True

    def __init__(self, limit: int, max_block_ms: int) -> None:
        super().__init__(
            f"{limit} bytes are in flight and none was freed within {max_block_ms} ms; "
            "wait for earlier sends, or raise buffer_bytes"
        )


class SystemClosed(ActorError):
    """The system was closed."""

    code = "system_closed"

    def __init__(self, what: str = "the system") -> None:
        super().__init__(f"{what} is closed; open it again")


class NotUnderstood(ActorError):
    """No handler for this message."""

    code = "not_understood"

    def __init__(self, actor: str, message: str) -> None:
        super().__init__(f"{actor} does not understand {message}")


class HandlerAborted(ActorError):
    """An actor's code raised SystemExit, KeyboardInterrupt or the like; that is the cause of this error."""

    code = "handler_aborted"

    def __init__(self, reason: str) -> None:
        super().__init__(f"an actor's code raised {reason}, which is not an Exception; raise an Exception to refuse")


class ForkedProcess(ActorError):
    """The system was opened before this process was forked: its threads are in the parent."""

    code = "forked_process"

    def __init__(self) -> None:
        super().__init__("the system was opened before this process was forked; open another system in this process")


def as_error(raised: BaseException) -> Exception:
    """Return what an actor's code raised as an Exception, which can be an answer: HandlerAborted if it is not one."""
    if isinstance(raised, Exception):
        return raised
    error = HandlerAborted(f"{type(raised).__name__} ({raised})")
    error.__cause__ = raised
    return error


class SnapshotWarning(UserWarning):
    """An actor's snapshots fail: nothing is lost, and every recovery folds the whole stream."""
