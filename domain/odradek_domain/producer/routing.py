"""Chooses the partition of each message that a producer sends."""

from __future__ import annotations

from collections.abc import Sequence

from odradek_domain.errors import PartitionNotFound, TopicNotFound
from odradek_domain.producer.partitioner import StickyPartitioner, partition_for_key
from odradek_domain.topic.topic import Topic
from odradek_domain.values.message import Message
from odradek_domain.values.positions import PartitionId

__all__ = ["MessageRoutingService"]


class MessageRoutingService:
    """Chooses partitions: an explicit partition, else by key, else one partition for the whole batch.

    Each topic has its own turn. With a shared turn, batches that alternate between two topics of two partitions would
    fill only one partition of each.
    """

    __slots__ = ("_sticky", "_used")

    def __init__(self) -> None:
        self._sticky: dict[str, StickyPartitioner] = {}
        self._used: set[str] = set()  # topics for which the current batch has keyless messages

    def route_message(self, message: Message, topic: Topic, partition: int | None = None) -> PartitionId:
        """Return the partition of `topic` for a message; PartitionNotFound if an explicit one does not exist."""
        if not topic.exists:
            raise TopicNotFound(topic.name)
        return PartitionId(self.route_batch((message,), topic.name, topic.partition_count, partition)[0])

    def route_batch(
        self, messages: Sequence[Message], topic: str, partition_count: int, partition: int | None = None
    ) -> list[int]:
        """Return a partition for each message of one batch; keyless messages all get the batch's partition."""
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
        """Advance to the next partition for keyless messages, in the topics of the current batch."""
        for topic in self._used:
            self._sticky[topic].next_batch()
        self._used.clear()

    def _stick(self, topic: str, partition_count: int) -> int:
        sticky = self._sticky.get(topic)
        if sticky is None:
            sticky = self._sticky[topic] = StickyPartitioner()
        self._used.add(topic)
        return sticky.partition(partition_count)
