"""The messages to and from groups.

A rebalance follows Kafka's classic protocol. JoinGroup is answered once all members have joined. SyncGroup is answered
once the partitions are assigned. The answer to a Heartbeat says whether the member must rejoin. In addition, a group
notifies its members at once when a rebalance begins (RebalanceBegun), so that they need not wait for the next
heartbeat.
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
    """Join or rejoin a group; answered by a JoinResult once all members have joined.

    `member_id` is empty the first time. `claim` names the partitions that the member owns or last owned.
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
    """The generation that a member has joined. `members` are all member ids in the order in which they joined."""

    member_id: str
    generation: int
    assignor: str
    leader: str
    members: tuple[str, ...]


class SyncGroup(msgspec.Struct, frozen=True, gc=False):
    """Ask for a member's assignment in a generation; answered by a SyncResult.

    The group itself assigns the partitions, once the leader has synced. If the leader sends `assignments`, pairs of
    member id and bytes, each member gets its bytes instead, and the group does not know the partitions.
    """

    member_id: str
    generation: int
    instance_id: str | None = None
    assignments: tuple[tuple[str, bytes], ...] = ()


class SyncResult(msgspec.Struct, frozen=True, gc=False):
    """A member's assignment with its committed offsets, without those of earlier incarnations of topics."""

    generation: int
    partitions: tuple[TopicPartition, ...]
    opaque: bytes
    committed: tuple[CommittedOffset, ...]


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """Restart the member's session. Sent as a Query; answered with None, or with the reason why it must rejoin."""

    member_id: str
    generation: int
    instance_id: str | None = None


class LeaveGroup(msgspec.Struct, frozen=True, gc=False):
    """Leave the group. A consumer that does not know its member id yet sends its consumer id."""

    member_id: str
    reason: str = "it left"
    consumer_id: str = ""


class RebalanceBegun(msgspec.Struct, frozen=True, gc=False):
    """Sent to members: the generation is over; rejoin."""

    group_id: str
    generation: int


class CommitGroupOffsets(msgspec.Struct, frozen=True, gc=False):
    """Commit offsets for a group, all or none. `member_id` is empty for a consumer with a manual assignment.

    `is_current` means that all offsets are for the topics' current incarnations, which the group has checked if needed.
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
    """Reset committed offsets, forwards or backwards, all or none; only for a group without members."""

    offsets: tuple[OffsetToCommit, ...]
    reason: str


class DeleteGroupOffsets(msgspec.Struct, frozen=True, gc=False):
    """Delete the committed offsets of these partitions; only for a group without members."""

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

    The directory also sends it to a topic's next actor, which sends it back once it has recovered.
    `ended_id` is the id of the deleted incarnation, "" if none was deleted, None if that is not known.
    """

    topic: str
    ended_id: str | None = None
