"""How far those who commit offsets are behind, in every topic where they have committed any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from odradek_domain.offsets import CommittedOffset
from odradek_domain.system_state import SystemState
from odradek_domain.topic import Topic

__all__ = ["PartitionLag", "partition_lags"]


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


def partition_lags(state: SystemState) -> list[PartitionLag]:
    """Return the lag of every owner in every topic where it has committed; commits for a deleted topic do not count."""
    lags: list[PartitionLag] = []
    topics = state.topics
    for group in state.groups.values():
        lags += _lags(topics, f"group/{group.id}", group.committed.all())
    for consumer in state.consumers.values():
        lags += _lags(topics, f"consumer/{consumer.id}", consumer.committed.all())
    return lags


def _lags(topics: Mapping[str, Topic], owner: str, committed: Iterable[CommittedOffset]) -> Iterable[PartitionLag]:
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
