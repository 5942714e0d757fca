"""The messages to and from groups; the others, and the rules for all, are in `protocol`.

A member's way through a rebalance, by Kafka's classic protocol: JoinGroup, answered once all have joined; SyncGroup,
answered once the partitions are shared out; Heartbeat, which tells it to join again. Besides, a group tells its members
at once when a rebalance begins (RebalanceBegun), so that they need not wait for the next heartbeat.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_domain.group.member import Claim
from odradek_domain.values.committed_offsets import CommittedOffset, OffsetToCommit
from odradek_domain.values.positions import TopicPartition

__all__ = [
    "CommitGroupOffsets",
    "DeleteGroup",
    "DeleteGroupOffsets",
    "DescribeGroup",
    "FindOffsets",
    "GetCommitted",
    "Heartbeat",
    "JoinGroup",
    "JoinResult",
    "LeaveGroup",
    "ListGroups",
    "RebalanceBegun",
    "ResetGroupOffsets",
    "SyncGroup",
    "SyncResult",
    "TopicChanged",
]


class JoinGroup(msgspec.Struct, frozen=True, gc=False):
    """Become a member, or join again; answered by a JoinResult once all members have joined. From a member's actor.

    `member_id` is empty the first time. `claim` says which partitions the member has, or had.
    """

    consumer_id: str
    member_id: str
    topics: tuple[str, ...]
    pattern: str | None
    assignors: tuple[str, ...]
    session_timeout_ms: int
    rebalance_timeout_ms: int
    instance_id: str | None = None
    claim: Claim = Claim()
    reason: str = ""


class JoinResult(msgspec.Struct, frozen=True, gc=False):
    """The generation a member is in. `members` are all member ids in the order in which they joined."""

    member_id: str
    generation: int
    assignor: str
    leader: str
    members: tuple[str, ...]


class SyncGroup(msgspec.Struct, frozen=True, gc=False):
    """Ask for one's share of a generation; answered by a SyncResult.

    The group shares out itself, once the leader has asked. A leader that brings `assignments`, pairs of member id and
    bytes, has decided: each member gets its bytes, and the group knows no partitions.
    """

    member_id: str
    generation: int
    instance_id: str | None = None
    assignments: tuple[tuple[str, bytes], ...] = ()


class SyncResult(msgspec.Struct, frozen=True, gc=False):
    """A member's share, and what is committed in it; what was committed for earlier incarnations of topics is not."""

    generation: int
    partitions: tuple[TopicPartition, ...]
    opaque: bytes
    committed: tuple[CommittedOffset, ...]


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """A sign of life, sent as a Query; answered with None, or with why the member has to join again."""

    member_id: str
    generation: int
    instance_id: str | None = None


class LeaveGroup(msgspec.Struct, frozen=True, gc=False):
    """Stop being a member. A consumer that does not know its member id yet gives its consumer id."""

    member_id: str
    reason: str = "it left"
    consumer_id: str = ""


class RebalanceBegun(msgspec.Struct, frozen=True, gc=False):
    """Told to members: the generation is over, join again."""

    group_id: str
    generation: int


class CommitGroupOffsets(msgspec.Struct, frozen=True, gc=False):
    """Commit offsets for a group, all or none. `member_id` is empty for a consumer that chose its partitions itself.

    `is_current`: all are of topics as they are now; the group finds that out where there is a doubt.
    """

    consumer_id: str | None
    offsets: tuple[OffsetToCommit, ...]
    member_id: str = ""
    generation: int = -1
    instance_id: str | None = None
    is_current: bool = False


class GetCommitted(msgspec.Struct, frozen=True):
    """Ask for all committed offsets of a group."""


class DescribeGroup(msgspec.Struct, frozen=True):
    """Ask for a group's GroupSnapshot."""


class ResetGroupOffsets(msgspec.Struct, frozen=True, gc=False):
    """Move committed offsets in whatever direction, all or none; only for a group without members."""

    offsets: tuple[OffsetToCommit, ...]
    reason: str


class DeleteGroupOffsets(msgspec.Struct, frozen=True, gc=False):
    """Forget what is committed in these partitions; only for a group without members."""

    partitions: tuple[TopicPartition, ...]


class DeleteGroup(msgspec.Struct, frozen=True):
    """Delete a group without members, with its committed offsets."""


class FindOffsets(msgspec.Struct, frozen=True, gc=False):
    """Ask the LogReader for the OffsetsAtTime of a topic."""

    topic: str
    moment: datetime


class ListGroups(msgspec.Struct, frozen=True):
    """Ask the LogReader for the ids of all groups, sorted."""


class TopicChanged(msgspec.Struct, frozen=True, gc=False):
    """Sent to groups and consumers: a topic was created, deleted, or has more partitions.

    `ended_id` is the id of the incarnation that was deleted, "" if none was, and None if that is not known.
    """

    topic: str
    ended_id: str | None = None
