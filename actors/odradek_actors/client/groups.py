"""What an ActorSystem does with groups: lists and describes them, resets, deletes and expires what they committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from odradek_actors.client.topics import TopicCalls
from odradek_actors.messages.groups import (
    DeleteGroup,
    DeleteGroupOffsets,
    DescribeGroup,
    FindOffsets,
    GetCommitted,
    ListGroups,
    ResetGroupOffsets,
)
from odradek_actors.messages.topics import DescribeTopic
from odradek_actors.validation import seconds
from odradek_domain.errors import TopicNotFound
from odradek_domain.group.errors import GroupNotEmpty, GroupNotFound
from odradek_domain.group.member import GroupSnapshot, GroupState
from odradek_domain.group.offset_reset import (
    PlannedReset,
    ResetTarget,
    checked_target,
    plan_reset,
    planned_offsets,
    reset_reason,
    wanted_partitions,
)
from odradek_domain.replay.lag import MemberLag, group_lags
from odradek_domain.replay.log_scans import OffsetsAtTime
from odradek_domain.topic.bounds import TopicBounds
from odradek_domain.values.committed_offsets import CommittedOffset
from odradek_domain.values.names import GroupId, TopicName
from odradek_domain.values.positions import TopicPartition

__all__ = ["GroupCalls"]


class GroupCalls(TopicCalls):
    """The part of ActorSystem that is about groups. Each call waits for the answer."""

    def list_groups(self) -> list[str]:
        """Return the ids of all groups that somebody joined or committed to, and nobody deleted since, sorted."""
        return list(self._read_log(ListGroups()).result())

    def describe_group(self, group: str) -> GroupSnapshot:
        """Return a group's state, generation, members with what they read and have, and committed offsets.

        GroupNotFound for one that nobody joined or committed to.
        """
        snapshot = self._group(group)
        if snapshot.version < 0 or snapshot.state is GroupState.DEAD:
            raise GroupNotFound(group)
        return snapshot

    def delete_group(self, group: str) -> None:
        """Delete a group with its committed offsets; its history stays in the log.

        GroupNotFound, or GroupNotEmpty while it has members.
        """
        self.command(f"group/{GroupId(group)}", DeleteGroup()).result()

    # -- offsets ------------------------------------------------------------------------------------------------------

    def committed_offsets(self, group: str) -> tuple[CommittedOffset, ...]:
        """Return all committed offsets (each that of the next message to read) of a group, by topic and partition.

        A group that has committed nothing has none.
        """
        offsets: tuple[CommittedOffset, ...] = self.query(f"group/{GroupId(group)}", GetCommitted()).result()
        return offsets

    def group_lag(self, group: str) -> list[MemberLag]:
        """Return how far a group is behind, and who reads, in each partition of topics that it reads or committed in.

        By topic and partition, without deleted topics; GroupNotFound as for `describe_group`.
        """
        snapshot = self.describe_group(group)
        names = {item.topic for item in snapshot.committed}
        names |= {topic for member in snapshot.members for topic, _ in member.partitions}
        return group_lags(snapshot, self._existing(sorted(names)))

    def reset_offsets(
        self,
        group: str,
        places: Iterable[str | tuple[str, int]],
        to: ResetTarget | timedelta,
        *,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> tuple[PlannedReset, ...]:
        """Move what a group without members has committed, all or none of it, and return what that changes.

        `places` are topics, meaning all their partitions, and (topic, partition) pairs. `to` is "earliest", "latest",
        an offset, an aware datetime (the first message as young as that, else the end), a timedelta back from now, or
        `ShiftBy(messages)`. What lies outside of the readable range is moved to its nearest end, as Kafka's tools do;
        `is_clamped` tells. With `dry_run` nothing is changed. A group need not exist before.

        GroupNotEmpty, TopicNotFound, PartitionNotFound, or NothingToShift. Times take reading; RequestTimedOut after
        `timeout` seconds (30).
        """
        target = checked_target(to, self.runtime.now())
        wanted = wanted_partitions(places)
        snapshot = self._group(group)
        topics, at_time = self._bounds(list(wanted), target, None if timeout is None else seconds("timeout", timeout))
        plan = plan_reset(group, snapshot.committed, topics, wanted, target, at_time)
        if dry_run:
            self._require_no_members(snapshot)
        else:
            command = ResetGroupOffsets(planned_offsets(plan), reset_reason(target))
            self.command(f"group/{snapshot.group_id}", command).result()
        return plan

    def delete_offsets(self, group: str, places: Iterable[str | tuple[str, int]]) -> None:
        """Forget what a group without members has committed in these topics, or (topic, partition) pairs.

        What is not committed is passed over; so it need not exist. GroupNotFound, or GroupNotEmpty.
        """
        wanted = wanted_partitions(places)
        committed = (TopicPartition(item.topic, item.partition) for item in self.describe_group(group).committed)
        gone = tuple(place for place in committed if _is_meant(place, wanted))
        self.command(f"group/{GroupId(group)}", DeleteGroupOffsets(gone)).result()

    # -- asking -------------------------------------------------------------------------------------------------------

    def _group(self, group: str) -> GroupSnapshot:
        snapshot: GroupSnapshot = self.query(f"group/{GroupId(group)}", DescribeGroup()).result()
        return snapshot

    def _require_no_members(self, group: GroupSnapshot) -> None:
        """Raise GroupNotEmpty if there are members; those of earlier runs are about to leave."""
        members = [member for member in group.members if member.run_id == self._context.run_id]
        if members:
            raise GroupNotEmpty(group.group_id, len(members))

    def _existing(self, names: Iterable[str]) -> dict[str, TopicBounds]:
        asked = [(name, self.query(f"topic/{name}", DescribeTopic())) for name in names]
        found: dict[str, TopicBounds] = {}
        for name, promise in asked:
            try:
                found[name] = promise.result()
            except TopicNotFound:
                continue
        return found

    def _bounds(
        self, names: list[str], to: ResetTarget, timeout: float | None
    ) -> tuple[Mapping[str, TopicBounds], Mapping[TopicPartition, int | None]]:
        """Return topics, and for a moment what was found for it; TopicNotFound if one is missing."""
        checked = [TopicName(name) for name in names]
        if not isinstance(to, datetime):
            return self._existing(checked), {}
        asked = [(name, self._read_log(FindOffsets(name, to))) for name in checked]
        found: dict[str, OffsetsAtTime] = {name: promise.result(timeout) for name, promise in asked}
        at_time = {
            TopicPartition(name, part.id): offset
            for name, topic in found.items()
            for part, offset in zip(topic.partitions, topic.offsets, strict=True)
        }
        return found, at_time


def _is_meant(place: TopicPartition, wanted: Mapping[str, tuple[int, ...] | None]) -> bool:
    if place.topic not in wanted:
        return False
    numbers = wanted[place.topic]
    return numbers is None or place.partition in numbers
