"""The messages that every actor handles: requests, replies, and messages about an actor's lifecycle.

A `Command` requests a change, a `Query` an answer from applied, hence durable, state. Both carry `reply_to`, an object
with a `tell` method, and get exactly one `Reply` with the same `request_id`; an exception as its value reports a
failure. A message that was not delivered, or whose handler failed, is bounced: `bounce(error)` returns a recipient and
the answer for it.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import msgspec

__all__ = [
    "Answerable",
    "Command",
    "Forward",
    "GetCopy",
    "GetSnapshot",
    "GetStatus",
    "LookUp",
    "Nobody",
    "Passivated",
    "Query",
    "Recipient",
    "Recover",
    "Reply",
    "Running",
    "Snapshot",
    "Status",
    "Stop",
    "Tick",
]


class Recipient(Protocol):
    """Anything that takes messages: an actor's ref or a promise."""

    def tell(self, message: Any) -> None:
        """Take a message."""
        ...


@runtime_checkable
class Answerable(Protocol):
    """A message whose sender waits for an answer."""

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        """Return the sender, and the answer that the message failed with this error."""
        ...


class Nobody:
    """A recipient that drops every message, for requests whose answer is not needed."""

    def tell(self, message: Any) -> None:
        """Drop the message."""


class Reply(msgspec.Struct, frozen=True):
    """The answer to a Command or Query."""

    request_id: int
    value: Any


class Command(msgspec.Struct, frozen=True):
    """A request for a change. `correlation_id` identifies the conversation, `causation_id` the request's cause."""

    body: Any
    reply_to: Recipient
    request_id: int = 0
    correlation_id: str = ""
    causation_id: str = ""

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        """Answer the sender with the error."""
        return self.reply_to, Reply(self.request_id, error)


class Query(msgspec.Struct, frozen=True):
    """A request for an answer."""

    body: Any
    reply_to: Recipient
    request_id: int = 0

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        """Answer the sender with the error."""
        return self.reply_to, Reply(self.request_id, error)


class Stop(msgspec.Struct, frozen=True):
    """Finish the accepted requests, then stop."""


class Recover(msgspec.Struct, frozen=True):
    """Drop the state and rebuild it from the log, in place."""


class Tick(msgspec.Struct, frozen=True):
    """A timer's message. `number` distinguishes the current timer from a replaced one."""

    purpose: str
    number: int = 0


class GetStatus(msgspec.Struct, frozen=True):
    """Ask for the actor's Status."""


class Status(msgspec.Struct, frozen=True, gc=False):
    """How many messages an actor has handled, without status queries, and whether work is in progress."""

    handled: int
    is_busy: bool


class GetSnapshot(msgspec.Struct, frozen=True):
    """Ask for the snapshot of a built-in aggregate."""


class GetCopy(msgspec.Struct, frozen=True):
    """Ask for a copy of a user-defined aggregate."""


class Snapshot(msgspec.Struct, frozen=True):
    """The state of an aggregate at a version of its stream: its snapshot, or a copy that the recipient owns."""

    stream: str
    version: int
    state: Any


class LookUp(msgspec.Struct, frozen=True, gc=False):
    """Ask for the ref of a stream's actor, which is started if it is not running."""

    stream: str


class Forward(msgspec.Struct, frozen=True):
    """Have the directory forward a request to a stream's actor, which is started if it is not running."""

    stream: str
    request: Command | Query

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        """Answer the sender of the request."""
        return self.request.bounce(error)


class Passivated(msgspec.Struct, frozen=True):
    """Tell the directory that a stream's actor has passivated."""

    stream: str
    ref: Recipient


class Running(msgspec.Struct, frozen=True, gc=False):
    """Ask for (stream, ref) of every running actor of these stream types (none: all)."""

    kinds: tuple[str, ...] = ()
