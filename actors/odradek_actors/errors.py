"""Errors between actors, and between actors and their callers.

ActorError
├── ActorStopped        the actor stopped before it handled the message; retriable, a new actor will answer
├── AnswerLost          an actor failed while it handled the answer to its request; the outcome is unknown
├── ActorFailed         the actor stopped after repeated failures
├── DecisionContended   the facts that a decision was based on kept changing; retriable
├── RequestTimedOut     no answer in time; the outcome is unknown
├── DeliveryTimedOut    a batch was not acknowledged within delivery_timeout; the outcome is unknown
├── BufferFull          a producer's buffer stayed full for max_block_ms
├── SystemClosed        the system, or a handle of it, is closed
├── NotUnderstood       the actor has no handler for the message
├── HandlerAborted      an actor's code raised a BaseException that is not an Exception
├── ForkedProcess       the system was opened before this process was forked
└── WaitOnActorThread   a call that waits was made on an actor's thread, as in a promise's callback

SnapshotWarning         a warning, not an error: a user-defined actor fails to take or restore its snapshots
"""

from __future__ import annotations

from odradek_events.errors import reduce_error

__all__ = [
    "ActorError",
    "ActorFailed",
    "ActorStopped",
    "AnswerLost",
    "BufferFull",
    "DecisionContended",
    "DeliveryTimedOut",
    "ForkedProcess",
    "HandlerAborted",
    "NotUnderstood",
    "RequestTimedOut",
    "SnapshotWarning",
    "SystemClosed",
    "WaitOnActorThread",
    "as_error",
]


class ActorError(Exception):
    """Base class of this package's errors."""

    code = "actor_error"
    retriable = False
    __reduce__ = reduce_error


class ActorStopped(ActorError):
    """The actor stopped before it handled the message."""

    code = "actor_stopped"
    retriable = True

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} stopped before it handled the message; send it again")


class AnswerLost(ActorError):
    """An actor failed while it handled the answer to its request. `reason`, also its `__cause__`, is what it raised."""

    code = "answer_lost"
    retriable = True

    def __init__(self, actor: str, reason: Exception) -> None:
        super().__init__(
            f"{actor} failed while it handled the answer to its request ({reason!r}); "
            "the request may have taken effect, check before retrying"
        )
        self.actor, self.reason = actor, reason
        self.__cause__ = reason


class ActorFailed(ActorError):
    """An actor failed repeatedly, and recovery did not help."""

    code = "actor_failed"

    def __init__(self, stream: str, reason: str) -> None:
        super().__init__(
            f"the actor for {stream!r} stopped after repeated failures ({reason}); fix the cause and retry"
        )
        self.stream = stream


class DecisionContended(ActorError):
    """The facts that a decision was based on changed each time before its events were stored."""

    code = "decision_contended"
    retriable = True

    def __init__(self, stream: str, decisions: int) -> None:
        super().__init__(
            f"the facts that {stream!r} decides on changed {decisions} times in a row before its events were stored; "
            "send the command again, or narrow the query of its decision model"
        )
        self.stream, self.decisions = stream, decisions


class RequestTimedOut(ActorError, TimeoutError):
    """No answer came in time."""

    code = "request_timed_out"
    retriable = True

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s; the request may still take effect, check before retrying")


class DeliveryTimedOut(ActorError):
    """A batch was not acknowledged in time. `reason`, also its `__cause__`, is the topic's last error, if any."""

    code = "delivery_timed_out"

    def __init__(self, topic: str, seconds: float, reason: Exception | None = None) -> None:
        last = f" (last error: {reason})" if reason else ""
        super().__init__(
            f"messages for topic {topic!r} were not acknowledged within {seconds:g} s; they may or may not be stored"
            f"{last}"
        )
        self.topic, self.reason = topic, reason
        self.__cause__ = reason


class BufferFull(ActorError):
    """The producer's buffer stayed full."""

    code = "buffer_full"
    retriable = True

    def __init__(self, limit: int, max_block_ms: int) -> None:
        super().__init__(
            f"the producer's buffer of {limit} bytes stayed full for {max_block_ms} ms; "
            "wait for earlier sends, or raise buffer_bytes"
        )


class SystemClosed(ActorError):
    """The system, or a handle of it, is closed."""

    code = "system_closed"

    def __init__(self, what: str = "the system") -> None:
        super().__init__(f"{what} is closed; open it again")


class NotUnderstood(ActorError):
    """The actor has no handler for this type of message."""

    code = "not_understood"

    def __init__(self, actor: str, message: str) -> None:
        super().__init__(f"{actor} has no handler for {message}; send a message type that it handles")


class HandlerAborted(ActorError):
    """An actor's code raised SystemExit, KeyboardInterrupt or the like, which is this error's `__cause__`."""

    code = "handler_aborted"

    def __init__(self, reason: str) -> None:
        super().__init__(f"an actor's code raised {reason}, which is not an Exception; raise an Exception instead")


class ForkedProcess(ActorError):
    """The system was opened before this process was forked; its threads run only in the parent."""

    code = "forked_process"

    def __init__(self) -> None:
        super().__init__("the system was opened before this process was forked; open another system in this process")


class WaitOnActorThread(ActorError):
    """A call that waits was made on an actor's thread, which it could block for good."""

    code = "wait_on_actor_thread"

    def __init__(self) -> None:
        super().__init__(
            "a call that waits was made on an actor's thread, where handlers and promise callbacks run; "
            "make it on another thread"
        )


def as_error(raised: BaseException) -> Exception:
    """Return `raised` as an Exception that can be sent as a reply; wrap other BaseExceptions in HandlerAborted."""
    if isinstance(raised, Exception):
        return raised
    error = HandlerAborted(f"{type(raised).__name__} ({raised})")
    error.__cause__ = raised
    return error


class SnapshotWarning(UserWarning):
    """An actor's snapshots fail. No data is lost, but every recovery folds the whole stream."""
