"""The ConsumerGroup aggregate: members, generations, assignments, and committed offsets.

The states are Kafka's:

    Empty --joined--> PreparingRebalance --all have joined--> CompletingRebalance --assigned--> Stable
      ^                  ^        |  ^                            |                               |
      +---last one left--+--------+  +----joined, left, or something to rebalance for-------------+

Prior art: Kafka's classic group protocol (GroupMetadata, GroupCoordinator). Kafka records only a finished assignment;
here every change of membership is an event, so that the log shows why a group rebalanced. The actor keeps the volatile
state: which members have joined this rebalance, heartbeats, timers. The partitions that a member claims (`claims`) come
with each join and are needed once, so they are an argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from odradek_domain.aggregate import Aggregate
from odradek_domain.group.assignors.kafka import Assignor, MemberSubscription, checked_assignment, withhold_owned
from odradek_domain.group.errors import (
    FencedInstanceId,
    GroupNotEmpty,
    GroupNotFound,
    IllegalGeneration,
    InconsistentAssignors,
    RebalanceInProgress,
    UnknownMember,
)
from odradek_domain.group.member import Claim, GroupMember, GroupSnapshot, GroupState, elected_assignor
from odradek_domain.values.committed_offsets import CommittedOffsets, OffsetToCommit
from odradek_domain.values.names import GroupId
from odradek_domain.values.positions import TopicPartition, plain
from odradek_domain.values.topic_pattern import pattern_problem
from odradek_events.types import (
    GenerationStarted,
    GroupAssigned,
    GroupDeleted,
    MemberAssignment,
    MemberJoined,
    MemberLeft,
    OffsetCommitted,
    OffsetReset,
    OffsetsExpired,
    RebalanceStarted,
    StaticMemberReplaced,
)

__all__ = ["ConsumerGroup"]

_Join = MemberLeft | MemberJoined | StaticMemberReplaced | RebalanceStarted


class ConsumerGroup(Aggregate):
    """A consumer group. `members` maps member ids to members, in the order in which they joined.

    `idle_since` is the time of the last leave or, if later, of the last commit; None while the group has members.
    """

    __slots__ = ("assignor", "committed", "generation", "id", "idle_since", "leader", "members", "state")

    def __init__(self, group_id: str) -> None:
        super().__init__()
        self.id = GroupId(group_id)
        self.committed = CommittedOffsets(f"group/{group_id}")
        self.state = GroupState.EMPTY
        self.generation = 0
        self.assignor: str | None = None
        self.leader: str | None = None
        self.members: dict[str, GroupMember] = {}
        self.idle_since: datetime | None = None

    def __repr__(self) -> str:
        counts = f"members={len(self.members)} generation={self.generation}"
        return f"<ConsumerGroup {str(self.id)!r} {self.state.value} {counts} version={self.version}>"

    # -- queries ------------------------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether a member has joined or an offset was committed, and the group was not deleted since."""
        return self.version >= 0 and self.state is not GroupState.DEAD

    def static_member(self, instance_id: str | None) -> GroupMember | None:
        """Return the static member with this instance id, or None."""
        if instance_id is None:
            return None
        return next((member for member in self.members.values() if member.instance_id == instance_id), None)

    def ghosts(self, run_id: str) -> list[str]:
        """Return the members that joined in another run of the system."""
        return [member.member_id for member in self.members.values() if member.run_id != run_id]

    def members_of(self, consumer_id: str) -> list[str]:
        """Return the ids of a consumer's dynamic members."""
        return [
            member.member_id
            for member in self.members.values()
            if member.consumer_id == consumer_id and member.instance_id is None
        ]

    def require_member(self, member_id: str, generation: int | None, instance_id: str | None = None) -> GroupMember:
        """Return the member with this id.

        Raises UnknownMember, also for an instance id that no member has (KIP-345); FencedInstanceId for the instance id
        of another member; IllegalGeneration unless the generation is the current one or None.
        """
        static = self.static_member(instance_id)
        if static is not None and static.member_id != member_id:
            raise FencedInstanceId(self.id, str(instance_id), member_id)
        member = self.members.get(member_id)
        if member is None or (instance_id is not None and static is None):
            raise UnknownMember(self.id, member_id)
        if generation not in (None, self.generation):
            raise IllegalGeneration(self.id, member_id, int(generation or 0), self.generation)
        return member

    def require_stable(self, member_id: str, generation: int, instance_id: str | None = None) -> None:
        """Check a heartbeat: raise like `require_member`, or RebalanceInProgress if the member must rejoin."""
        self.require_member(member_id, generation, instance_id)
        if self.state is GroupState.PREPARING_REBALANCE:
            raise RebalanceInProgress(self.id)

    def require_inactive(self) -> None:
        """Raise GroupNotEmpty if the group has members."""
        if self.members:
            raise GroupNotEmpty(self.id, len(self.members))

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that members subscribe to by name, sorted."""
        return tuple(sorted({topic for member in self.members.values() for topic in member.topics}))

    @property
    def has_patterns(self) -> bool:
        """Whether a member subscribes by pattern."""
        return any(member.pattern is not None for member in self.members.values())

    def pattern_problems(self) -> dict[str, str]:
        """Return why RE2 rejects members' patterns, by pattern. They come from an older log, and match no topic."""
        patterns = {member.pattern for member in self.members.values() if member.pattern is not None}
        found = ((pattern, pattern_problem(pattern)) for pattern in sorted(patterns))
        return {pattern: problem for pattern, problem in found if problem is not None}

    def reads(self, topic: str) -> bool:
        """Return whether a member subscribes to a topic."""
        return any(member.reads(topic) for member in self.members.values())

    def assigned_counts(self) -> dict[str, int]:
        """Return how many partitions of each topic are assigned."""
        return dict(Counter(topic for member in self.members.values() for topic, _ in member.partitions))

    @property
    def rebalance_timeout(self) -> float:
        """Seconds that a rebalance waits for members to rejoin: the longest of their rebalance timeouts."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0) / 1000

    # -- decisions: membership ----------------------------------------------------------------------------------------

    def join(self, wanted: MemberJoined, reason: str = "", *, has_new_claim: bool = False) -> list[_Join]:
        """Decide that a member joins or rejoins.

        A member that rejoins unchanged causes no event and gets the current generation, since it may have missed the
        answer to its last join. But if it is the leader, or `has_new_claim`, a stable group rebalances. A returning
        static member replaces its former member id, without a rebalance if its subscription is unchanged and the
        elected assignor stays (KIP-345). A dynamic member that returns without its member id is a new member, and its
        former member leaves. Raises InconsistentAssignors, or FencedInstanceId for a member id whose instance id
        belongs to another member.
        """
        static = self.static_member(wanted.instance_id)
        if static is not None and wanted.member_id in self.members and static.member_id != wanted.member_id:
            raise FencedInstanceId(self.id, str(wanted.instance_id), wanted.member_id)
        known = self.members.get(wanted.member_id) or static
        self._require_common_assignor(wanted, None if known is None else known.member_id)
        events: list[_Join] = []
        if known is None:
            former = self.members_of(wanted.consumer_id)
            events += self.leave(former, "its consumer joined again", wanted.timestamp)
            events.append(wanted)
        elif known.member_id != wanted.member_id:
            events += self._replace_static(known, wanted)
        elif not known.has_subscription_of(wanted):
            events.append(wanted)
        elif self.state is GroupState.STABLE and (has_new_claim or known.member_id == self.leader):
            why = reason or f"{wanted.consumer_id} joined again"
            events.append(RebalanceStarted(str(self.id), why, wanted.timestamp))
        return events

    def _replace_static(self, old: GroupMember, new: MemberJoined) -> list[_Join]:
        """Decide that a static member replaces its former member id."""
        is_settled = self.state in (GroupState.STABLE, GroupState.COMPLETING_REBALANCE)
        members = [
            msgspec.structs.replace(old, assignors=new.assignors) if member is old else member
            for member in self.members.values()
        ]
        has_same_assignors = old.assignors == new.assignors
        keeps_assignor = has_same_assignors or (is_settled and elected_assignor(members) == self.assignor)
        is_same = keeps_assignor and msgspec.structs.replace(old, assignors=new.assignors).has_subscription_of(new)
        replaced = StaticMemberReplaced(
            str(self.id),
            str(old.instance_id),
            old.member_id,
            new.member_id,
            new.consumer_id,
            new.timestamp,
            new.assignors if is_same and not has_same_assignors else (),
        )
        return [replaced] if is_same else [replaced, new]

    def _require_common_assignor(self, wanted: MemberJoined, instead_of: str | None) -> None:
        others = [member.assignors for member in self.members.values() if member.member_id != instead_of]
        if not wanted.assignors:
            raise InconsistentAssignors(self.id, (), ())
        if others and not set(wanted.assignors).intersection(*others):
            common = [name for name in others[0] if all(name in other for other in others)]
            raise InconsistentAssignors(self.id, wanted.assignors, common)

    def leave(self, member_ids: Iterable[str], reason: str, at: datetime) -> list[MemberLeft]:
        """Decide that these members leave; ids of non-members are ignored."""
        return [MemberLeft(str(self.id), member, reason, at) for member in member_ids if member in self.members]

    def rebalance(self, reason: str, at: datetime) -> list[RebalanceStarted]:
        """Decide that all members must rejoin; no event if a rebalance is in progress, or the group is empty."""
        if self.state not in (GroupState.STABLE, GroupState.COMPLETING_REBALANCE):
            return []
        return [RebalanceStarted(str(self.id), reason, at)]

    def begin_generation(self, at: datetime, joined: Collection[str] | None = None) -> GenerationStarted:
        """Decide to start the next generation with the current members, and elect its assignor.

        The leader is one of the members that have `joined` (default: all); static members may be missing.
        """
        present = [member for member in self.members if joined is None or member in joined]
        leader = self.leader if self.leader in present else present[0]
        return GenerationStarted(
            str(self.id),
            self.generation + 1,
            elected_assignor(tuple(self.members.values())),
            str(leader),
            tuple(self.members),
            at,
        )

    # -- decisions: assignment ----------------------------------------------------------------------------------------

    def assign(
        self, assignor: Assignor, claims: Mapping[str, Claim], partition_counts: Mapping[str, int], at: datetime
    ) -> GroupAssigned:
        """Decide the assignment of this generation, for topics with these partition counts.

        Raises InvalidAssignment if a custom assignor's answer is invalid.
        """
        members = [self._subscription(member, claims, partition_counts) for member in self.members.values()]
        target = assignor.assign(members, partition_counts)
        checked_assignment(assignor.name, target, members, partition_counts)
        if assignor.is_cooperative:
            held = {member for member, claim in claims.items() if claim.is_held}
            holders = (item if item.member_id in held else msgspec.structs.replace(item, owned=()) for item in members)
            target = withhold_owned(target, tuple(holders))
        given = (MemberAssignment(member, plain(target[member])) for member in self.members)
        return GroupAssigned(str(self.id), self.generation, tuple(given), at)

    def assign_opaque(self, assignments: Mapping[str, bytes], at: datetime) -> GroupAssigned:
        """Decide the assignment that the leader made, as bytes that only the members can read."""
        given = (MemberAssignment(member, (), assignments.get(member, b"")) for member in self.members)
        return GroupAssigned(str(self.id), self.generation, tuple(given), at)

    @staticmethod
    def _subscription(
        member: GroupMember, claims: Mapping[str, Claim], partition_counts: Mapping[str, int]
    ) -> MemberSubscription:
        claim = claims.get(member.member_id, Claim())
        topics = tuple(topic for topic in sorted(partition_counts) if member.reads(topic))
        return MemberSubscription(member.member_id, topics, member.instance_id, claim.partitions, claim.generation)

    # -- decisions: offsets -------------------------------------------------------------------------------------------

    def require_commit(self, member_id: str, generation: int, instance_id: str | None = None) -> None:
        """Check a commit: raise like `require_member`, or RebalanceInProgress between join and assignment.

        While a rebalance waits for members to join, members of the last generation may still commit. A consumer that is
        not a member (`member_id` empty) may commit while the group has no members.
        """
        if not member_id and not self.members:
            return
        self.require_member(member_id, generation, instance_id)
        if self.state is GroupState.COMPLETING_REBALANCE:
            raise RebalanceInProgress(self.id)

    def commit_offsets(
        self, offsets: Sequence[OffsetToCommit], at: datetime, consumer_id: str | None = None
    ) -> list[OffsetCommitted]:
        """Decide to commit these offsets, all or none."""
        return [event for wanted in offsets for event in self.committed.commit(wanted, at, consumer_id)]

    def reset_offsets(self, offsets: Sequence[OffsetToCommit], at: datetime, reason: str) -> list[OffsetReset]:
        """Decide to reset committed offsets, forwards or backwards; GroupNotEmpty while the group has members."""
        self.require_inactive()
        return [self.committed.reset(wanted, at, reason) for wanted in offsets if not self.committed.has(wanted)]

    def delete_offsets(self, partitions: Iterable[TopicPartition], at: datetime) -> list[OffsetsExpired]:
        """Decide to delete the committed offsets of these partitions; GroupNotEmpty while the group has members."""
        self.require_inactive()
        return self._expired([place for place in partitions if self.committed.get(place) is not None], "deleted", at)

    def expire_offsets(self, retention: timedelta, at: datetime) -> list[OffsetsExpired]:
        """Decide to delete all committed offsets if the group has been idle for at least `retention`."""
        if self.members or self.idle_since is None or at - self.idle_since < retention:
            return []
        places = [TopicPartition(item.topic, item.partition) for item in self.committed.all()]
        return self._expired(places, "the group was idle", at)

    def forget_topics(self, topic_ids: Collection[str], at: datetime) -> list[OffsetsExpired]:
        """Decide to delete the committed offsets of deleted topics, as in Kafka even while the group has members."""
        places = [
            TopicPartition(item.topic, item.partition) for item in self.committed.all() if item.topic_id in topic_ids
        ]
        return self._expired(places, "their topic was deleted", at)

    def _expired(self, places: Sequence[TopicPartition], reason: str, at: datetime) -> list[OffsetsExpired]:
        if not places:
            return []
        return [OffsetsExpired(self.committed.owner, plain(places), reason, at)]

    def delete(self, at: datetime) -> GroupDeleted:
        """Decide to delete the group and its offsets; GroupNotFound, or GroupNotEmpty while it has members."""
        if not self.exists:
            raise GroupNotFound(self.id)
        self.require_inactive()
        return GroupDeleted(str(self.id), at)

    # -- apply --------------------------------------------------------------------------------------------------------

    def _joined(self, event: MemberJoined) -> None:
        known = self.members.get(event.member_id)
        self.members[event.member_id] = GroupMember(
            event.member_id,
            event.consumer_id,
            event.topics,
            event.assignors,
            event.session_timeout_ms,
            event.rebalance_timeout_ms,
            event.run_id,
            event.pattern,
            event.instance_id,
            () if known is None else known.partitions,
        )
        self.state, self.idle_since = GroupState.PREPARING_REBALANCE, None

    def _replaced_static(self, event: StaticMemberReplaced) -> None:
        new: dict[str, Any] = {"member_id": event.member_id, "consumer_id": event.consumer_id}
        if event.assignors:
            new["assignors"] = event.assignors
        self.members = {
            event.member_id if key == event.old_member_id else key: (
                msgspec.structs.replace(member, **new) if key == event.old_member_id else member
            )
            for key, member in self.members.items()
        }
        if self.leader == event.old_member_id:
            self.leader = event.member_id

    def _left(self, event: MemberLeft) -> None:
        self.members.pop(event.member_id, None)
        if self.members:
            self.state = GroupState.PREPARING_REBALANCE
            return
        self.state, self.idle_since = GroupState.EMPTY, event.timestamp
        self.assignor = self.leader = None

    def _rebalancing(self, _: RebalanceStarted) -> None:
        self.state = GroupState.PREPARING_REBALANCE

    def _generation_started(self, event: GenerationStarted) -> None:
        self.generation, self.assignor, self.leader = event.generation, event.assignor, event.leader
        self.state = GroupState.COMPLETING_REBALANCE

    def _assigned(self, event: GroupAssigned) -> None:
        for given in event.assignments:
            member = self.members.get(given.member_id)
            if member is not None:
                self.members[given.member_id] = msgspec.structs.replace(
                    member, partitions=given.partitions, opaque=given.opaque
                )
        self.state = GroupState.STABLE

    def _committed(self, event: OffsetCommitted | OffsetReset) -> None:
        self.committed.apply(event)
        if not self.members:
            self.state, self.idle_since = GroupState.EMPTY, event.timestamp

    def _offsets_expired(self, event: OffsetsExpired) -> None:
        self.committed.forget(event.partitions)

    def _deleted(self, _: GroupDeleted) -> None:
        self.committed.restore(())
        self.members.clear()
        self.state, self.idle_since = GroupState.DEAD, None
        self.assignor = self.leader = None

    appliers = {
        MemberJoined: _joined,
        StaticMemberReplaced: _replaced_static,
        MemberLeft: _left,
        RebalanceStarted: _rebalancing,
        GenerationStarted: _generation_started,
        GroupAssigned: _assigned,
        OffsetCommitted: _committed,
        OffsetReset: _committed,
        OffsetsExpired: _offsets_expired,
        GroupDeleted: _deleted,
    }

    # -- snapshots ----------------------------------------------------------------------------------------------------

    def snapshot(self) -> GroupSnapshot:
        """Return the current state."""
        return GroupSnapshot(
            str(self.id),
            self.version,
            self.committed.all(),
            self.state,
            self.generation,
            self.assignor,
            self.leader,
            tuple(self.members.values()),
            self.idle_since,
        )

    @classmethod
    def restore(cls, snapshot: GroupSnapshot) -> ConsumerGroup:
        """Rebuild from a snapshot."""
        group = cls(snapshot.group_id)
        group.version = snapshot.version
        group.committed.restore(snapshot.committed)
        group.state, group.generation = snapshot.state, snapshot.generation
        group.assignor, group.leader = snapshot.assignor, snapshot.leader
        group.members = {member.member_id: member for member in snapshot.members}
        group.idle_since = snapshot.idle_since
        return group
