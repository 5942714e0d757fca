"""Scans over messages in the log: for a topic's retention, and to find offsets by time.

They are generators that yield regularly, so that the LogReader can serve other requests in between, and return their
result. They hold one commit in memory.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from datetime import datetime
from typing import TypeVar

import msgspec

from odradek_domain.replay.topic_reader import TopicReader
from odradek_domain.topic.bounds import PartitionBounds
from odradek_domain.topic.retention import RetentionWalk, Walker
from odradek_events.log.port import ReadableLog
from odradek_events.types import MessageProduced

__all__ = ["OffsetsAtTime", "finished", "offsets_at_time", "walk_messages"]

_CHUNK_EVENTS = 20_000

T = TypeVar("T")


class OffsetsAtTime(msgspec.Struct, frozen=True, gc=False):
    """For each partition of a topic the first readable offset with a timestamp at or after a time; None if none has."""

    topic_id: str
    partitions: tuple[PartitionBounds, ...]
    offsets: tuple[int | None, ...]


def walk_messages(
    log: ReadableLog, topic: str, walks: Iterable[RetentionWalk], not_before: int
) -> Generator[None, None, tuple[int, ...]]:
    """Return the offsets at which the walks ended; `not_before` is the position at which the topic was created.

    The walks share the commits that are read: reading commits with messages of every partition once per partition took
    that many times longer.
    """
    walkers = [Walker(walk) for walk in walks]
    under_way = {walker.partition: walker for walker in walkers}
    seen = 0
    for walker in walkers:
        tag = f"partition:{topic}/{walker.partition}"
        if walker.partition not in under_way:
            continue
        first = log.locate(tag, walker.offset, not_before)
        after = (not_before if first is None else first) - 1
        for commit in log.commits(after=after, tags=(tag,), types=("MessageProduced",)):
            for event in commit.events:
                met = under_way.get(event.partition) if type(event) is MessageProduced else None
                if met is not None and event.offset == met.offset and not met.passes(event):
                    del under_way[event.partition]
            seen += len(commit.events)
            if seen >= _CHUNK_EVENTS:
                seen = 0
                yield
            if walker.partition not in under_way:
                break
    return tuple(walker.offset for walker in walkers)


def offsets_at_time(log: ReadableLog, topic: str, moment: datetime) -> Generator[None, None, OffsetsAtTime]:
    """Find offsets by the messages' own timestamps, like Kafka's offsetsForTimes; TopicNotFound for a missing topic.

    Timestamps need not increase with offsets, and there is no index of them. So all readable older messages are read,
    about 400 000 per second.
    """
    outline = TopicReader(log, topic).outline
    walks = (
        RetentionWalk(part.id, part.log_start_offset, part.log_start_offset, part.high_watermark, moment, -1)
        for part in outline.partitions
        if part.log_start_offset < part.high_watermark
    )
    begun = list(walks)
    ends = yield from walk_messages(log, topic, begun, outline.created_at_position)
    found = {walk.partition: end for walk, end in zip(begun, ends, strict=True) if end < walk.until_offset}
    return OffsetsAtTime(outline.topic_id, outline.partitions, tuple(found.get(part.id) for part in outline.partitions))


def finished(walking: Generator[None, None, T]) -> T:
    """Run a scan to its end and return its result."""
    while True:
        try:
            next(walking)
        except StopIteration as done:
            value: T = done.value
            return value
