"""The lag of groups and consumers in the topics for which they have committed offsets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from odradek_domain.group.member import GroupMember, GroupSnapshot
from odradek_domain.replay.system_state import SystemState
from odradek_domain.topic.bounds import TopicBounds
from odradek_domain.values.committed_offsets import CommittedOffset

__all__ = ["MemberLag", "PartitionLag", "group_lags", "partition_lags"]


class PartitionLag(msgspec.Struct, frozen=True, gc=False):
    """`owner` (`group/<id>` or `consumer/<id>`) has processed all messages below `committed`; `lag` are left.

    Both are None for a partition without a committed offset, where auto_offset_reset decides where to start.
    """

    owner: str
    topic: str
    partition: int
    committed: int | None
    high_watermark: int
    lag: int | None


class MemberLag(msgspec.Struct, frozen=True, gc=False):
    """The lag of a group in a partition, and the member and consumer that it is assigned to, if any.

    `committed` and `lag` are as in PartitionLag.
    """

    topic: str
    partition: int
    committed: int | None
    high_watermark: int
    lag: int | None
    member_id: str | None
    consumer_id: str | None


def partition_lags(state: SystemState) -> list[PartitionLag]:
    """Return the lag of every owner in each topic for which it has committed, without commits for deleted topics."""
    lags: list[PartitionLag] = []
    topics = state.topics
    for group in state.groups.values():
        lags += _lags(topics, f"group/{group.id}", group.committed.all())
    for consumer in state.consumers.values():
        lags += _lags(topics, f"consumer/{consumer.id}", consumer.committed.all())
    return lags


def group_lags(group: GroupSnapshot, topics: Mapping[str, TopicBounds]) -> list[MemberLag]:
    """Return the lag of a group in its assigned partitions, and in all partitions of topics for which it has committed.

    Sorted by topic and partition, and only for these topics.
    """
    members = {place: member for member in group.members for place in member.partitions}
    lags = {(lag.topic, lag.partition): lag for lag in _lags(topics, f"group/{group.group_id}", group.committed)}
    for name, number in members:
        topic = topics.get(name)
        if (name, number) not in lags and topic is not None and number < len(topic.partitions):
            end = topic.partitions[number].high_watermark
            lags[name, number] = PartitionLag(f"group/{group.group_id}", name, number, None, end, None)
    return [_with_member(lag, members.get(place)) for place, lag in sorted(lags.items())]


def _with_member(lag: PartitionLag, member: GroupMember | None) -> MemberLag:
    who = (None, None) if member is None else (member.member_id, member.consumer_id)
    return MemberLag(lag.topic, lag.partition, lag.committed, lag.high_watermark, lag.lag, *who)


def _lags(
    topics: Mapping[str, TopicBounds], owner: str, committed: Iterable[CommittedOffset]
) -> Iterator[PartitionLag]:
    offsets: dict[str, dict[int, int]] = {}
    for item in committed:
        topic = topics.get(item.topic)
        if topic is not None and topic.topic_id == item.topic_id:
            offsets.setdefault(item.topic, {})[item.partition] = item.offset
    for name, known in offsets.items():
        for partition in topics[name].partitions:
            offset, end = known.get(partition.id), partition.high_watermark
            lag = None if offset is None else max(0, end - max(offset, partition.log_start_offset))
            yield PartitionLag(owner, name, int(partition.id), offset, end, lag)
