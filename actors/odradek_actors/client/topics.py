"""What an ActorSystem does with topics: creates, describes, grows, limits, shortens and deletes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from odradek_actors.client.engine import RunningSystem
from odradek_actors.messages.groups import FindOffsets
from odradek_actors.messages.log import ListTopics
from odradek_actors.messages.retention import ApplyRetention, SetRetention
from odradek_actors.messages.topics import (
    AddPartitions,
    CreateTopic,
    DeleteRecords,
    DeleteTopic,
    DescribeTopic,
    TopicDescription,
)
from odradek_actors.runtime.promise import Promise
from odradek_actors.validation import moment, seconds, whole_number
from odradek_domain.errors import PartitionNotFound
from odradek_domain.replay.log_scans import OffsetsAtTime
from odradek_domain.topic.retention import Limit
from odradek_domain.values.names import TopicName

__all__ = ["TopicCalls"]


class TopicCalls(RunningSystem):
    """The part of ActorSystem that is about topics. Each call waits for the answer."""

    def create_topic(
        self, name: str, partitions: int = 1, *, retention_ms: int | None = None, retention_bytes: int | None = None
    ) -> TopicDescription:
        """Create a topic with 1 to 10 000 partitions; TopicAlreadyExists if there is one. Durable when it returns.

        See `set_retention` for the limits; None is none.
        """
        count = whole_number("partitions", partitions, None)
        return self._topic(name, CreateTopic(count, retention_ms, retention_bytes))

    def describe_topic(self, name: str) -> TopicDescription:
        """Return what a topic is made of; TopicNotFound if there is none."""
        description: TopicDescription = self.query(f"topic/{TopicName(name)}", DescribeTopic()).result()
        return description

    @staticmethod
    def require_partition(description: TopicDescription, partition: int) -> None:
        """Raise PartitionNotFound unless the topic has the partition."""
        if not 0 <= partition < len(description.partitions):
            raise PartitionNotFound(description.name, partition, len(description.partitions))

    def list_topics(self) -> list[str]:
        """Return the names of all topics, sorted."""
        return list(self._read_log(ListTopics()).result())

    def offsets_for_times(self, name: str, at: datetime, timeout: float | None = None) -> dict[int, int | None]:
        """Return by partition the first readable offset whose message's timestamp is `at` or later; None for none.

        Reads all messages before it, some 400 000 a second: RequestTimedOut after `timeout` seconds (30).
        """
        limit = None if timeout is None else seconds("timeout", timeout)
        found: OffsetsAtTime = self._read_log(FindOffsets(TopicName(name), moment("at", at))).result(limit)
        return {part.id: offset for part, offset in zip(found.partitions, found.offsets, strict=True)}

    def _read_log(self, query: object) -> Promise[Any]:
        self._require_open()
        return self._ask(self._log_reader, query)

    def add_partitions(self, name: str, total: int) -> TopicDescription:
        """Give a topic `total` partitions in all, more than now; keys may route elsewhere from then on, as in Kafka."""
        return self._topic(name, AddPartitions(whole_number("total", total, None)))

    def delete_topic(self, name: str) -> None:
        """Delete a topic. Its history stays in the log; created again it begins at offset 0."""
        self.command(f"topic/{TopicName(name)}", DeleteTopic()).result()

    def delete_records(self, name: str, partition: int, before_offset: int) -> TopicDescription:
        """Make messages below `before_offset` unreadable, all of the partition with -1.

        Their events stay in the log; offsets are not used again. OffsetNotFound beyond the high watermark.
        """
        whole_number("partition", partition, None)
        whole_number("before_offset", before_offset, None)
        return self._topic(name, DeleteRecords(partition, before_offset))

    def set_retention(
        self, name: str, *, retention_ms: Limit = msgspec.UNSET, retention_bytes: Limit = msgspec.UNSET
    ) -> TopicDescription:
        """Limit how old messages get, by their own timestamps, and the bytes each partition keeps; None is no limit.

        What is not given stays as it is. A message goes, as if by `delete_records`, once it and all before it are older
        than `retention_ms`, or once those after it have `retention_bytes` in keys, values and headers. That is looked
        at now, when the topic wakes, and every `retention_check_interval` seconds; `apply_retention` waits for it.
        InvalidRetention for anything but whole numbers from 1 on.
        """
        return self._topic(name, SetRetention(retention_ms, retention_bytes))

    def apply_retention(self, name: str, timeout: float | None = None) -> TopicDescription:
        """Let go what a topic's limits let go now, and return what is left.

        Reads all that goes: some 400 000 messages a second. What takes longer than `timeout` seconds (30) goes on.
        """
        return self._topic(name, ApplyRetention(), None if timeout is None else seconds("timeout", timeout))

    def _topic(self, name: str, body: object, timeout: float | None = None) -> TopicDescription:
        description: TopicDescription = self.command(f"topic/{TopicName(name)}", body).result(timeout)
        return description
