"""Services over the repositories: topics and committed offsets, without actors."""

from __future__ import annotations

from datetime import datetime

from odradek_domain.errors import TopicNotFound
from odradek_domain.standalone.repositories import OffsetRepository, TopicRepository
from odradek_domain.topic.topic import Topic
from odradek_domain.values.committed_offsets import CommittedOffset
from odradek_domain.values.positions import Offset, TopicPartition

__all__ = ["OffsetManagementService", "TopicManagementService"]


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
        """Reset the committed offset, forwards or backwards."""
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
        """Return whether the topic exists."""
        return self._topics.find_by_name(name) is not None

    def add_partitions(self, name: str, total: int, *, at: datetime) -> Topic:
        """Increase a topic's partitions to `total`."""
        topic = self.get_topic(name)
        return self._topics.save(topic, [topic.add_partitions(total, at)])

    def delete_topic(self, name: str, *, at: datetime) -> None:
        """Delete a topic; TopicNotFound if there is none."""
        self._topics.delete(name, at=at)
