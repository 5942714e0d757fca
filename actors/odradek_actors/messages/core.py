"""The messages that every actor understands: requests, replies, and the life of an actor.

A `Command` asks for a change, a `Query` for an answer from applied, hence durable, state. Both carry `reply_to`,
anything with `tell`, and are answered by exactly one `Reply` with the same `request_id`; a value that is an exception
is a failure. A message that cannot be delivered is bounced: `bounce()` returns who gets an answer, and which.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from odradek_actors.errors import ActorStopped

__all__ = [
    "Command",
    "Forward",
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
    """Anything that can be told something: an actor's ref, a promise."""

    def tell(self, message: Any) -> None:
        """Take a message."""
        ...


class Nobody:
    """A recipient for answers that nobody waits for."""

    def tell(self, message: Any) -> None:
        """Drop it."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The one answer to a Command or Query."""

    request_id: int
    value: Any


class Command(msgspec.Struct, frozen=True):
    """A request for a change. `correlation_id` names the whole conversation, `causation_id` what led to this."""

    body: Any
    reply_to: Recipient
    request_id: int = 0
    correlation_id: str = ""
    causation_id: str = ""

    def bounce(self) -> tuple[Recipient, object]:
        """Answer the sender with ActorStopped."""
        return self.reply_to, Reply(self.request_id, ActorStopped("the recipient"))


class Query(msgspec.Struct, frozen=True):
    """A request for an answer."""

    body: Any
    reply_to: Recipient
    request_id: int = 0

    def bounce(self) -> tuple[Recipient, object]:
        """Answer the sender with ActorStopped."""
        return self.reply_to, Reply(self.request_id, ActorStopped("the recipient"))


class Stop(msgspec.Struct, frozen=True):
    """Finish what was accepted, then stop."""


class Recover(msgspec.Struct, frozen=True):
    """Drop the state and rebuild it from the log, in place."""


class Tick(msgspec.Struct, frozen=True):
    """A timer's message: what for, and which one, so that an old timer can be told from the current one."""

    purpose: str
    number: int = 0


class GetStatus(msgspec.Struct, frozen=True):
    """Ask how many messages were handled, and whether something is under way."""


class Status(msgspec.Struct, frozen=True, gc=False):
    """How many messages an actor handled (status queries not counted), and whether something is under way."""

    handled: int
    is_busy: bool


class GetSnapshot(msgspec.Struct, frozen=True):
    """Ask for the aggregate's snapshot."""


class Snapshot(msgspec.Struct, frozen=True):
    """An aggregate's snapshot with its stream and version; `state` is None for people's own aggregates."""

    stream: str
    version: int
    state: Any


class LookUp(msgspec.Struct, frozen=True, gc=False):
    """Ask for the ref of a stream's actor, which is started if need be."""

    stream: str


class Forward(msgspec.Struct, frozen=True):
    """Tell the directory to pass a request on to a stream's actor, which is started if need be."""

    stream: str
    request: Command | Query

    def bounce(self) -> tuple[Recipient, object]:
        """Answer the sender of the request."""
        return self.request.bounce()


class Passivated(msgspec.Struct, frozen=True):
    """Tell the directory that a stream's actor has ended because nobody used it."""

    stream: str
    ref: Recipient


class Running(msgspec.Struct, frozen=True, gc=False):
    """Ask for (stream, ref) of every running actor of these stream types (none: all)."""

    kinds: tuple[str, ...] = ()
