"""The topic methods of ActorSystem: create, describe, add partitions, delete, delete records, set retention."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from odradek_actors.client.engine import RunningSystem
from odradek_actors.errors import ActorStopped
from odradek_actors.messages.core import GetStatus, LookUp
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
    """The topic methods of ActorSystem. Each one waits for the answer."""

    def create_topic(
        self, name: str, partitions: int = 1, *, retention_ms: int | None = None, retention_bytes: int | None = None
    ) -> TopicDescription:
        """Create a topic with 1 to 10 000 partitions; TopicAlreadyExists if it exists. Durable when it returns.

        See `set_retention` for the limits; None means no limit.
        """
        count = whole_number("partitions", partitions, None)
        return self._topic(name, CreateTopic(count, retention_ms, retention_bytes))

    def describe_topic(self, name: str) -> TopicDescription:
        """Return a topic's id, partitions with their offsets, and retention limits; TopicNotFound if it is missing."""
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
        """Return for each partition the first readable offset with a timestamp of `at` or later; None if there is none.

        Reads all earlier messages, about 400 000 per second. Raises RequestTimedOut after `timeout` seconds
        (default: 30).
        """
        limit = None if timeout is None else seconds("timeout", timeout)
        found: OffsetsAtTime = self._read_log(FindOffsets(TopicName(name), moment("at", at))).result(limit)
        return {part.id: offset for part, offset in zip(found.partitions, found.offsets, strict=True)}

    def _read_log(self, query: object) -> Promise[Any]:
        self._require_open()
        return self._ask(self._log_reader, query)

    def add_partitions(self, name: str, total: int) -> TopicDescription:
        """Increase a topic's partitions to `total`. As in Kafka, keys may map to other partitions from then on."""
        return self._topic(name, AddPartitions(whole_number("total", total, None)))

    def delete_topic(self, name: str) -> None:
        """Delete a topic. Its history stays in the log. A new topic of the same name starts at offset 0.

        When it returns, groups no longer list committed offsets of the topic.
        """
        stream = f"topic/{TopicName(name)}"
        self.execute(stream, DeleteTopic())
        # The topic notifies the directory after its reply, and the directory notifies the groups, which then drop their
        # offsets. Once both have answered another request, a group that is asked has been notified.
        with suppress(ActorStopped):  # its successor notifies them
            self._ask(self._ref(stream), GetStatus()).result()
        self._ask(self._directory, LookUp(stream)).result()

    def delete_records(self, name: str, partition: int, before_offset: int) -> TopicDescription:
        """Make messages below `before_offset` unreadable; -1 stands for the high watermark.

        Their events stay in the log, and their offsets are not reused. Raises OffsetNotFound for an offset beyond the
        high watermark.
        """
        whole_number("partition", partition, None)
        whole_number("before_offset", before_offset, None)
        return self._topic(name, DeleteRecords(partition, before_offset))

    def set_retention(
        self, name: str, *, retention_ms: Limit = msgspec.UNSET, retention_bytes: Limit = msgspec.UNSET
    ) -> TopicDescription:
        """Set a topic's retention limits: the age of messages, and the bytes of each partition. None removes a limit.

        An argument that is not given leaves its limit unchanged. A message is deleted, as by `delete_records`, once it
        and all messages before it are older than `retention_ms` by their own timestamps, or once the messages after it
        hold `retention_bytes` of keys, values and headers, where each header counts 16 bytes more. The topic checks
        now, when its actor starts, and every `retention_check_interval` seconds; `apply_retention` checks and waits for
        the result.
        Raises InvalidRetention unless a limit is a whole number of 1 or more.
        """
        return self._topic(name, SetRetention(retention_ms, retention_bytes))

    def apply_retention(self, name: str, timeout: float | None = None) -> TopicDescription:
        """Delete the messages beyond a topic's retention limits now, and return the topic's new description.

        Reads the messages it deletes, about 400 000 per second. Raises RequestTimedOut after `timeout` seconds
        (default: 30); the deletion continues in the background.
        """
        return self._topic(name, ApplyRetention(), None if timeout is None else seconds("timeout", timeout))

    def _topic(self, name: str, body: object, timeout: float | None = None) -> TopicDescription:
        description: TopicDescription = self.execute(f"topic/{TopicName(name)}", body, timeout)
        return description
