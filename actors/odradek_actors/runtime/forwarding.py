"""Requests that reach an actor after it has passivated, and go to its successor.

A producer or consumer that nobody uses ends its actor, and with it a thread (Akka's sharding calls it passivation). A
request may be on its way meanwhile, from a caller that found the actor still alive. It must not fail: the directory
starts the next actor of the stream, and passes the request on.
"""

from __future__ import annotations

import msgspec

from odradek_actors.messages.core import Command, Forward, GetSnapshot, GetStatus, Query, Recipient

__all__ = ["Forwarding"]


class Forwarding(msgspec.Struct, frozen=True):
    """The way from a passivated actor to the next one of its stream."""

    directory: Recipient
    stream: str

    def route(self, message: object) -> tuple[Recipient, object] | None:
        """Return what to send instead of this message, and to whom; None for what only the former actor understood.

        Whether an actor is busy, and what state it is in, is not worth another actor: it is at rest.
        """
        if not isinstance(message, Command | Query):
            return None
        if isinstance(message.body, GetStatus | GetSnapshot):
            return message.bounce()
        return self.directory, Forward(self.stream, message)
