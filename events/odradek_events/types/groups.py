"""Events of consumer groups: membership, generations and assignments.

What a member does with an assignment, and where it begins to read, is in its consumer's stream.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_events.schema.registry import event
from odradek_events.schema.upcasters import Upcaster

__all__ = [
    "GenerationStarted",
    "GroupAssigned",
    "GroupDeleted",
    "MemberAssignment",
    "MemberJoined",
    "MemberLeft",
    "OffsetsExpired",
    "RebalanceStarted",
    "StaticMemberReplaced",
]

_GROUP = "group:{group_id}"
_OWNER = "owner:group/{group_id}"  # since version 2 of each: the tag that the commits of the group have


@event("MemberJoined", version=2, upcasters=(Upcaster(1),), tags=(_GROUP, _OWNER, "consumer:{consumer_id}"))
class MemberJoined(msgspec.Struct, frozen=True):
    """A consumer became a member, or a member changed its subscription: the group has to rebalance.

    It reads `topics`, or the topics whose whole name matches `pattern`. `assignors` are those it supports, the
    preferred one first. `run_id` is the run of the system that it joined in: members of an earlier run are gone.
    """

    group_id: str
    member_id: str
    consumer_id: str
    topics: tuple[str, ...]
    assignors: tuple[str, ...]
    session_timeout_ms: int
    rebalance_timeout_ms: int
    run_id: str
    timestamp: datetime
    pattern: str | None = None
    instance_id: str | None = None


@event(
    "StaticMemberReplaced",
    version=3,
    upcasters=(Upcaster(1).add("assignors", ()), Upcaster(2)),
    tags=(_GROUP, _OWNER, "consumer:{consumer_id}"),
)
class StaticMemberReplaced(msgspec.Struct, frozen=True):
    """The static member `instance_id` rejoined under a new member id and keeps its partitions; the old id is fenced.

    `assignors` are those it supports now; empty where they are the same as before.
    """

    group_id: str
    instance_id: str
    old_member_id: str
    member_id: str
    consumer_id: str
    timestamp: datetime
    assignors: tuple[str, ...] = ()


@event("MemberLeft", version=2, upcasters=(Upcaster(1),), tags=(_GROUP, _OWNER))
class MemberLeft(msgspec.Struct, frozen=True):
    """A member left the group, for `reason`; if others remain, the group has to rebalance."""

    group_id: str
    member_id: str
    reason: str
    timestamp: datetime


@event("RebalanceStarted", version=2, upcasters=(Upcaster(1),), tags=(_GROUP, _OWNER))
class RebalanceStarted(msgspec.Struct, frozen=True):
    """All members have to rejoin, for `reason`."""

    group_id: str
    reason: str
    timestamp: datetime


@event("GenerationStarted", version=2, upcasters=(Upcaster(1),), tags=(_GROUP, _OWNER))
class GenerationStarted(msgspec.Struct, frozen=True):
    """All members have joined: a new generation begins, in which `assignor` assigns the partitions."""

    group_id: str
    generation: int
    assignor: str
    leader: str
    members: tuple[str, ...]
    timestamp: datetime


class MemberAssignment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The assignment of one member: (topic, partition) pairs, or the leader's bytes, which only members understand."""

    member_id: str
    partitions: tuple[tuple[str, int], ...]
    opaque: bytes = b""


@event("GroupAssigned", version=2, upcasters=(Upcaster(1),), tags=(_GROUP, _OWNER))
class GroupAssigned(msgspec.Struct, frozen=True):
    """The assignment of every member in this generation."""

    group_id: str
    generation: int
    assignments: tuple[MemberAssignment, ...]
    timestamp: datetime


@event("OffsetsExpired", version=1, tags=("owner:{owner}",))
class OffsetsExpired(msgspec.Struct, frozen=True):
    """The committed offsets of `owner` for these (topic, partition) pairs are forgotten.

    Either the group had no members for a long time, or an operator deleted the offsets; `reason` says which.
    """

    owner: str
    partitions: tuple[tuple[str, int], ...]
    reason: str
    timestamp: datetime


@event("GroupDeleted", version=2, upcasters=(Upcaster(1),), tags=(_GROUP, _OWNER))
class GroupDeleted(msgspec.Struct, frozen=True):
    """A group without members was deleted, with its committed offsets; its stream stays."""

    group_id: str
    timestamp: datetime
