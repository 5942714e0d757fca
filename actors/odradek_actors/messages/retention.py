"""The messages of retention: limits to be set and applied, and the walks over messages that this takes."""

from __future__ import annotations

import msgspec

from odradek_domain.topic.retention import Limit, RetentionPlan, RetentionWalk

__all__ = ["ApplyRetention", "FindRetained", "LetGo", "SetRetention"]


class SetRetention(msgspec.Struct, frozen=True, gc=False):
    """Limit what the topic keeps; UNSET leaves a limit as it is, None takes it away."""

    retention_ms: Limit
    retention_bytes: Limit


class ApplyRetention(msgspec.Struct, frozen=True):
    """Let go what the topic's limits let go now; answered once it is gone."""


class LetGo(msgspec.Struct, frozen=True):
    """The topic's message to itself: the walks of a plan have ended, so let go what they passed."""

    plan: RetentionPlan
    ends: tuple[int, ...]


class FindRetained(msgspec.Struct, frozen=True):
    """Walk over messages for a topic's retention; answered by where each walk ended.

    `not_before` is the position at which this topic began.
    """

    topic: str
    walks: tuple[RetentionWalk, ...]
    not_before: int
