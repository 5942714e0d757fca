"""Where a partition ends, for what clients were told of it."""

from __future__ import annotations

import sys

from odradek_domain.replay.system_state import SystemState
from odradek_domain.values.positions import TopicPartition

__all__ = ["end_of"]


def end_of(state: SystemState, place: TopicPartition) -> int:
    """Return the high watermark of a partition, 0 if there is none such.

    For a topic that is deleted it is the largest number: its messages may have had any offsets.
    """
    topic = state.topic_of(f"topic/{place.topic}")
    if topic is not None and not topic.exists:
        return sys.maxsize
    partition = None if topic is None else topic.get_partition(place.partition)
    return 0 if partition is None else partition.high_watermark
