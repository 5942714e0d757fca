"""The messages of retention: set and apply limits, and walk over the messages to delete."""

from __future__ import annotations

import msgspec

from odradek_domain.topic.retention import Limit, RetentionPlan, RetentionWalk

__all__ = ["ApplyRetention", "FindRetained", "LetGo", "SetRetention"]


class SetRetention(msgspec.Struct, frozen=True, gc=False):
    """Set the topic's retention limits; UNSET leaves a limit unchanged, None removes it."""

    retention_ms: Limit
    retention_bytes: Limit


class ApplyRetention(msgspec.Struct, frozen=True):
    """Delete the messages beyond the topic's limits now; answered once they are deleted."""


class LetGo(msgspec.Struct, frozen=True):
    """The topic's message to itself: the walks of a plan have ended, so delete the messages they passed."""

    plan: RetentionPlan
    ends: tuple[int, ...]


class FindRetained(msgspec.Struct, frozen=True):
    """Walk over messages for a topic's retention; answered by the offset at which each walk ended.

    `not_before` is the position at which this topic was created.
    """

    topic: str
    walks: tuple[RetentionWalk, ...]
    not_before: int
