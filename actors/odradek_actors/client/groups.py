"""The group methods of ActorSystem: list, describe and delete groups; read, reset and delete committed offsets."""

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
    """The group methods of ActorSystem. Each one waits for the answer."""

    def list_groups(self) -> list[str]:
        """Return the sorted ids of all groups that have been joined or committed to and not deleted since."""
        return list(self._read_log(ListGroups()).result())

    def describe_group(self, group: str) -> GroupSnapshot:
        """Return a group's state, generation, members with subscriptions and assignments, and committed offsets.

        Raises GroupNotFound if no consumer has joined or committed to the group.
        """
        snapshot = self._group(group)
        if snapshot.version < 0 or snapshot.state is GroupState.DEAD:
            raise GroupNotFound(group)
        return snapshot

    def delete_group(self, group: str) -> None:
        """Delete a group and its committed offsets; its history stays in the log.

        Raises GroupNotFound, or GroupNotEmpty while it has members.
        """
        self.execute(f"group/{GroupId(group)}", DeleteGroup())

    # -- offsets ------------------------------------------------------------------------------------------------------

    def committed_offsets(self, group: str) -> tuple[CommittedOffset, ...]:
        """Return a group's committed offsets, sorted by topic and partition; empty if it has committed nothing.

        Each is the offset of the next message to read.
        """
        offsets: tuple[CommittedOffset, ...] = self.query(f"group/{GroupId(group)}", GetCommitted()).result()
        return offsets

    def group_lag(self, group: str) -> list[MemberLag]:
        """Return the group's lag and current member for each partition of the topics that it reads or has committed to.

        Sorted by topic and partition, without deleted topics. Raises GroupNotFound like `describe_group`.
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
        """Reset the committed offsets of a group without members, all or none, and return the changes.

        `places` are topics (all their partitions) and (topic, partition) pairs. `to` is "earliest", "latest", an
        offset, an aware datetime (the first message with that timestamp or a later one, else the end), a timedelta back
        from now, or `ShiftBy(messages)`. As in Kafka's tools, a target outside the readable range is clamped to its
        nearest end, and `is_clamped` says so. `dry_run` plans the reset without changing anything. The group need not
        exist.

        Raises GroupNotEmpty, TopicNotFound, PartitionNotFound or NothingToShift. A reset by time reads messages, and
        raises RequestTimedOut after `timeout` seconds (default: 30).
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
            self.execute(f"group/{snapshot.group_id}", command)
        return plan

    def delete_offsets(self, group: str, places: Iterable[str | tuple[str, int]]) -> None:
        """Delete the committed offsets of a group without members for these topics or (topic, partition) pairs.

        Partitions without a committed offset are ignored, even if they do not exist. Raises GroupNotFound or
        GroupNotEmpty.
        """
        wanted = wanted_partitions(places)
        committed = (TopicPartition(item.topic, item.partition) for item in self.describe_group(group).committed)
        gone = tuple(place for place in committed if _is_meant(place, wanted))
        self.execute(f"group/{GroupId(group)}", DeleteGroupOffsets(gone))

    # -- asking -------------------------------------------------------------------------------------------------------

    def _group(self, group: str) -> GroupSnapshot:
        snapshot: GroupSnapshot = self.query(f"group/{GroupId(group)}", DescribeGroup()).result()
        return snapshot

    def _require_no_members(self, group: GroupSnapshot) -> None:
        """Raise GroupNotEmpty if the group has members of this run; members of earlier runs are about to be removed."""
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
        """Return the bounds of the topics, and for a reset by time the offset found for each partition.

        A reset by time raises TopicNotFound if a topic is missing.
        """
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
