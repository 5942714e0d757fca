"""Domain services: rules that belong to no single aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from odradek_domain.errors import PartitionNotFound, TopicNotFound
from odradek_domain.producer.partitioner import StickyPartitioner, partition_for_key
from odradek_domain.topic.topic import Topic
from odradek_domain.values.committed_offsets import CommittedOffset
from odradek_domain.values.message import Message
from odradek_domain.values.positions import Offset, PartitionId, TopicPartition

if TYPE_CHECKING:
    from odradek_domain.standalone.repositories import OffsetRepository, TopicRepository

__all__ = ["MessageRoutingService", "OffsetManagementService", "TopicManagementService"]


class MessageRoutingService:
    """Chooses partitions: an explicit one wins, else the key decides, else the batch sticks to one.

    Each topic has its own turn: with one for all, batches that alternate between two topics of two partitions would
    fill one partition of each.
    """

    __slots__ = ("_sticky", "_used")

    def __init__(self) -> None:
        self._sticky: dict[str, StickyPartitioner] = {}
        self._used: set[str] = set()  # topics that the batch in hand has keyless messages for

    def route_message(self, message: Message, topic: Topic, partition: int | None = None) -> PartitionId:
        """Return the partition of `topic` for a message; PartitionNotFound for an explicit one it does not have."""
        if not topic.exists:
            raise TopicNotFound(topic.name)
        return PartitionId(self.route_batch((message,), topic.name, topic.partition_count, partition)[0])

    def route_batch(
        self, messages: Sequence[Message], topic: str, partition_count: int, partition: int | None = None
    ) -> list[int]:
        """Return a partition for each message of one batch; keyless ones share the batch's."""
        if partition is not None:
            if not 0 <= partition < partition_count:
                raise PartitionNotFound(topic, partition, partition_count)
            return [partition] * len(messages)
        if partition_count == 1:
            return [0] * len(messages)
        return [
            self._stick(topic, partition_count)
            if message.key is None
            else partition_for_key(message.key, partition_count)
            for message in messages
        ]

    def next_batch(self) -> None:
        """Let the next batch of keyless messages go to the next partition, in the topics that this one touched."""
        for topic in self._used:
            self._sticky[topic].next_batch()
        self._used.clear()

    def _stick(self, topic: str, partition_count: int) -> int:
        sticky = self._sticky.get(topic)
        if sticky is None:
            sticky = self._sticky[topic] = StickyPartitioner()
        self._used.add(topic)
        return sticky.partition(partition_count)


class OffsetManagementService:
    """Committed offsets per owner (`consumer/<id>` or `group/<id>`) and topic-partition, over a repository."""

    def __init__(self, offsets: OffsetRepository) -> None:
        self._offsets = offsets

    def get_offset(self, owner: str, partition: TopicPartition) -> Offset | None:
        """Return the committed offset, or None."""
        found = self._offsets.load_offset(owner, partition)
        return None if found is None else Offset(found.offset)

    def commit_offset(self, owner: str, partition: TopicPartition, offset: int, *, at: datetime) -> Offset:
        """Commit the offset of the next message to read; CommitWouldGoBackwards below the committed one."""
        self._offsets.save_offset(owner, CommittedOffset(*partition, "", offset), at=at)
        return Offset(offset)

    def reset_offset(self, owner: str, partition: TopicPartition, offset: int, *, at: datetime) -> Offset:
        """Continue at an offset in whatever direction."""
        self._offsets.save_offset(owner, CommittedOffset(*partition, "", offset), at=at, is_reset=True)
        return Offset(offset)


class TopicManagementService:
    """Creates, finds and removes topics, over a repository."""

    def __init__(self, topics: TopicRepository) -> None:
        self._topics = topics

    def create_topic(self, name: str, partition_count: int = 1, *, topic_id: str, at: datetime) -> Topic:
        """Create a topic; TopicAlreadyExists if there is one."""
        topic = self._topics.load(name)
        return self._topics.save(topic, [topic.create(partition_count, topic_id=topic_id, at=at)])

    def get_topic(self, name: str) -> Topic:
        """Return a topic; TopicNotFound if there is none."""
        topic = self._topics.find_by_name(name)
        if topic is None:
            raise TopicNotFound(name)
        return topic

    def list_topics(self) -> list[Topic]:
        """Return all topics, by name."""
        return self._topics.list_all()

    def topic_exists(self, name: str) -> bool:
        """Say whether there is such a topic."""
        return self._topics.find_by_name(name) is not None

    def add_partitions(self, name: str, total: int, *, at: datetime) -> Topic:
        """Give a topic `total` partitions."""
        topic = self.get_topic(name)
        return self._topics.save(topic, [topic.add_partitions(total, at)])

    def delete_topic(self, name: str, *, at: datetime) -> None:
        """Delete a topic; TopicNotFound if there is none."""
        self._topics.delete(name, at=at)
