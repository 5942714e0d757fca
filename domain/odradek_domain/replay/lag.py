"""How far those who commit offsets are behind, in every topic where they have committed any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from odradek_domain.group.member import GroupMember, GroupSnapshot
from odradek_domain.replay.system_state import SystemState
from odradek_domain.topic.bounds import TopicBounds
from odradek_domain.values.committed_offsets import CommittedOffset

__all__ = ["MemberLag", "PartitionLag", "group_lags", "partition_lags"]


class PartitionLag(msgspec.Struct, frozen=True, gc=False):
    """`owner` (`group/<id>` or `consumer/<id>`) has dealt with all below `committed`; `lag` messages are left.

    Both are None for a partition in which it has committed nothing: where it would begin is for its consumers to say.
    """

    owner: str
    topic: str
    partition: int
    committed: int | None
    high_watermark: int
    lag: int | None


class MemberLag(msgspec.Struct, frozen=True, gc=False):
    """How far a group is behind in a partition, and which member and consumer have it, if any.

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
    """Return the lag of every owner in every topic where it has committed; commits for a deleted topic do not count."""
    lags: list[PartitionLag] = []
    topics = state.topics
    for group in state.groups.values():
        lags += _lags(topics, f"group/{group.id}", group.committed.all())
    for consumer in state.consumers.values():
        lags += _lags(topics, f"consumer/{consumer.id}", consumer.committed.all())
    return lags


def group_lags(group: GroupSnapshot, topics: Mapping[str, TopicBounds]) -> list[MemberLag]:
    """Return the lag of a group in the partitions that its members have, and in all of topics where it has committed.

    In order of topic and partition, and only of these topics.
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
