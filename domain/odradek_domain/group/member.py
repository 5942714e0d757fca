"""The parts of a consumer group: its states, its members, and its snapshot."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

import msgspec

from odradek_domain.values.committed_offsets import CommittedOffset
from odradek_domain.values.positions import TopicPartition
from odradek_domain.values.topic_pattern import matches
from odradek_events.types import MemberJoined

__all__ = ["Claim", "GroupMember", "GroupSnapshot", "GroupState", "elected_assignor"]


class GroupState(enum.Enum):
    """The states of a group, with Kafka's names as values."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class GroupMember(msgspec.Struct, frozen=True, gc=False):
    """A member: its subscription and settings, and its partitions in the current generation."""

    member_id: str
    consumer_id: str
    topics: tuple[str, ...]
    assignors: tuple[str, ...]
    session_timeout_ms: int
    rebalance_timeout_ms: int
    run_id: str
    pattern: str | None = None
    instance_id: str | None = None
    partitions: tuple[tuple[str, int], ...] = ()
    opaque: bytes = b""

    def reads(self, topic: str) -> bool:
        """Return whether it subscribes to a topic, by name or by pattern."""
        return topic in self.topics if self.pattern is None else matches(self.pattern, topic)

    def has_subscription_of(self, event: MemberJoined) -> bool:
        """Return whether a join leaves the member's subscription and settings unchanged."""
        return (
            (self.topics, self.pattern, self.assignors) == (event.topics, event.pattern, event.assignors)
            and self.session_timeout_ms == event.session_timeout_ms
            and self.rebalance_timeout_ms == event.rebalance_timeout_ms
        )


class Claim(msgspec.Struct, frozen=True, gc=False):
    """The partitions that a member claims when it joins, and the generation that assigned them (-1: none).

    Without `is_held` it has already released them, so they can be assigned to any member.
    """

    partitions: tuple[TopicPartition, ...] = ()
    generation: int = -1
    is_held: bool = False


class GroupSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A group's state. `members` are in the order in which they joined."""

    group_id: str
    version: int
    committed: tuple[CommittedOffset, ...]
    state: GroupState = GroupState.EMPTY
    generation: int = 0
    assignor: str | None = None
    leader: str | None = None
    members: tuple[GroupMember, ...] = ()
    idle_since: datetime | None = None


def elected_assignor(members: Sequence[GroupMember]) -> str:
    """Return the assignor that the members elect: each votes for the first of its own that all members support.

    In a tie, the first member's preference decides.
    """
    candidates = [name for name in members[0].assignors if all(name in other.assignors for other in members)]
    votes = dict.fromkeys(candidates, 0)
    for member in members:
        votes[next(name for name in member.assignors if name in votes)] += 1
    return max(candidates, key=votes.__getitem__)
