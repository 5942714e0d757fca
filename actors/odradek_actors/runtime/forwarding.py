"""Forwards requests that reach an actor after it has passivated to its successor.

The actor of an unused producer or consumer passivates (the term of Akka's sharding), which frees a thread. Meanwhile a
request may be on its way from a caller that found the actor alive. It must not fail: the directory starts the stream's
next actor and forwards the request.
"""

from __future__ import annotations

import msgspec

from odradek_actors.errors import ActorStopped
from odradek_actors.messages.core import Command, Forward, GetCopy, GetSnapshot, GetStatus, Query, Recipient

__all__ = ["Forwarding"]


class Forwarding(msgspec.Struct, frozen=True):
    """The route from a passivated actor to the next actor of its stream."""

    directory: Recipient
    stream: str

    def route(self, message: object) -> tuple[Recipient, object] | None:
        """Return a recipient and the message to send instead; None if only the former actor could handle the message.

        Requests for status and snapshot are bounced: they are not worth starting an actor.
        """
        if not isinstance(message, Command | Query):
            return None
        if isinstance(message.body, GetStatus | GetSnapshot | GetCopy):
            return message.bounce(ActorStopped("the recipient"))
        return self.directory, Forward(self.stream, message)
