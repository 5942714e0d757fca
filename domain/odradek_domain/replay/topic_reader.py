"""Reads a topic's messages from a log, like a consumer, but without recording deliveries or disturbing the writer.

It follows the topic's name: after a deletion it reads the next incarnation from offset 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from odradek_domain.errors import TopicNotFound
from odradek_domain.topic.bounds import PartitionBounds, begin_offsets
from odradek_domain.values.names import TopicName
from odradek_events.log.port import ReadableLog
from odradek_events.types import MessageProduced, PartitionsAdded, RecordsDeleted, TopicCreated, TopicDeleted

__all__ = ["TopicOutline", "TopicReader"]

_MAX_OFFSET = (1 << 63) - 1


class TopicOutline(msgspec.Struct, frozen=True, gc=False):
    """The current incarnation of a topic as of the log's position `read_at`."""

    topic_id: str
    created_at_position: int
    read_at: int
    partitions: tuple[PartitionBounds, ...]


class TopicReader:
    """Reads the messages of one topic in the order of the log, by default from the first readable one.

    Raises TopicNotFound if the topic does not exist. Finding the outline costs a few look-ups, not a replay.
    """

    def __init__(self, log: ReadableLog, topic: str) -> None:
        self.topic = str(TopicName(topic))
        self._log = log
        self._wanted: dict[int, int] = {}  # the lowest offset to yield, by partition
        self._position = -1  # everything up to here was read
        self.outline = self._find_outline()
        self.begin_at_start()

    def begin_at_start(self) -> None:
        """Start at the first readable message of each partition."""
        self._begin({part.id: part.log_start_offset for part in self.outline.partitions})

    def begin_at_end(self) -> None:
        """Start after the last message of each partition."""
        self._wanted.clear()
        self._position = self.outline.read_at

    def begin_at(self, offset: int) -> None:
        """Start at an offset; see `begin_offsets`."""
        self._begin(begin_offsets(self.topic, self.outline.partitions, offset))

    def read(self) -> Iterator[MessageProduced]:
        """Yield the next messages, up to the log's current head; call it again for messages appended since."""
        head = self._log.head().position
        for commit in self._log.commits(after=self._position, until=head, stream=f"topic/{self.topic}"):
            for event in commit.events:
                if type(event) is MessageProduced:
                    if event.offset >= self._wanted.get(event.partition, 0):
                        yield event
                elif type(event) is TopicCreated:
                    self._wanted.clear()
        self._position = head

    def _begin(self, wanted: Mapping[int, int]) -> None:
        """Start at the earliest commit that contains a wanted message."""
        self._wanted = dict(wanted)
        created = self.outline.created_at_position
        places = [
            self._log.locate(self._tag(part.id), self._wanted[part.id], created)
            for part in self.outline.partitions
            if self._wanted[part.id] < part.high_watermark
        ]
        self._position = min((place for place in places if place is not None), default=self.outline.read_at + 1) - 1

    def _find_outline(self) -> TopicOutline:
        head = self._log.head().position
        created: tuple[int, TopicCreated] | None = None
        for recorded in self._log.read(types=("TopicCreated",), until=head):
            if recorded.event.topic == self.topic:
                created = recorded.position, recorded.event
        if created is None:
            raise TopicNotFound(self.topic)
        position, event = created
        count, starts = event.partition_count, dict[int, int]()
        for kind in ("TopicDeleted", "PartitionsAdded", "RecordsDeleted"):
            for recorded in self._log.read(after=position, types=(kind,), until=head):
                match recorded.event:
                    case TopicDeleted(topic=self.topic):
                        raise TopicNotFound(self.topic)
                    case PartitionsAdded(topic=self.topic, partition_count=total):
                        count = total
                    case RecordsDeleted(topic=self.topic, partition=partition, log_start_offset=start):
                        starts[partition] = max(start, starts.get(partition, 0))
                    case _:
                        continue  # an event of another topic
        ends = self._high_watermarks(count, position)
        bounds = tuple(PartitionBounds(number, starts.get(number, 0), end) for number, end in enumerate(ends))
        return TopicOutline(event.topic_id, position, head, bounds)

    def _high_watermarks(self, count: int, created: int) -> list[int]:
        """Return the high watermark of each partition. A commit in which several partitions end is decoded once."""
        ends = [0] * count
        last_of: dict[int, set[int]] = {}
        for number in range(count):
            position = self._log.locate(self._tag(number), _MAX_OFFSET, created)
            if position is not None:
                last_of.setdefault(position, set()).add(number)
        for position, partitions in last_of.items():
            for event in self._log.codec.commit(self._log.commit_at(position)).events:
                if type(event) is MessageProduced and event.partition in partitions:
                    ends[event.partition] = max(ends[event.partition], event.offset + 1)
        return ends

    def _tag(self, partition: int) -> str:
        return f"partition:{self.topic}/{partition}"
