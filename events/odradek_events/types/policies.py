"""Events of policies: how far each has reacted to the log, and where it stopped.

A policy sends commands because of events. What it does is recorded by the actors that take the commands; its own
stream has its checkpoint.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_events.schema.registry import event

__all__ = ["PolicyAdvanced", "PolicyStopped", "SentCommand"]

_POLICY = "policy:{policy}"


class SentCommand(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One command of `PolicyAdvanced`: it was sent to the actor of `stream` because of the event at `position`."""

    position: int
    stream: str


@event("PolicyAdvanced", version=1, tags=(_POLICY,))
class PolicyAdvanced(msgspec.Struct, frozen=True):
    """A policy has reacted to every event up to `position`.

    `commands` are those that it sent since the previous PolicyAdvanced; all of them have succeeded. Commands of events
    after `position` may have succeeded too. They are sent again if the policy restarts.
    """

    policy: str
    position: int
    commands: tuple[SentCommand, ...]
    timestamp: datetime


@event("PolicyStopped", version=1, tags=(_POLICY,))
class PolicyStopped(msgspec.Struct, frozen=True):
    """A policy gave up on the event at `position`, for `reason`; it tries again when the system is opened again."""

    policy: str
    position: int
    reason: str
    timestamp: datetime
