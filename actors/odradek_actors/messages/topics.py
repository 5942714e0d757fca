"""The messages of the TopicActor."""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_actors.messages.core import Command
from odradek_domain.topic.bounds import PartitionBounds
from odradek_domain.topic.topic import AppendMessages
from odradek_events.types import MessageProduced

__all__ = [
    "AddPartitions",
    "AppendBatch",
    "AppendDone",
    "CreateTopic",
    "DeleteRecords",
    "DeleteTopic",
    "DescribeTopic",
    "EnsureTopic",
    "Fetch",
    "FetchResult",
    "TopicDescription",
]


class CreateTopic(msgspec.Struct, frozen=True, gc=False):
    """Create the topic; answered by its TopicDescription."""

    partition_count: int
    retention_ms: int | None = None
    retention_bytes: int | None = None


class EnsureTopic(msgspec.Struct, frozen=True, gc=False):
    """Answer with the TopicDescription, creating the topic first if it is missing and `create` allows it."""

    create: bool
    partition_count: int


class AddPartitions(msgspec.Struct, frozen=True, gc=False):
    """Grow to `total` partitions."""

    total: int


class DeleteTopic(msgspec.Struct, frozen=True):
    """Delete the topic."""


class DeleteRecords(msgspec.Struct, frozen=True, gc=False):
    """Make messages below `before_offset` unreadable; -1 stands for the high watermark."""

    partition: int
    before_offset: int


class AppendBatch(msgspec.Struct, frozen=True):
    """Store the messages of these sends, all in one commit.

    Once they are stored, the topic answers each send with its receipts, which saves an acknowledged send one of six
    hops, and the producer with AppendDone. Any other outcome goes only to the producer. `is_alone` means that it must
    not be combined with other appends, because the log refused the content of one of them.
    """

    append: AppendMessages
    sends: tuple[Command, ...]
    is_alone: bool = False


class AppendDone(msgspec.Struct, frozen=True, gc=False):
    """The offsets of durable messages, in the order sent.

    For a duplicate, `first_position` is None, and the producer still has to answer the sends.
    """

    offsets: list[int]
    first_position: int | None
    partition_count: int


class DescribeTopic(msgspec.Struct, frozen=True):
    """Ask for the TopicDescription."""


class TopicDescription(msgspec.Struct, frozen=True, gc=False):
    """A topic's id, partitions and retention limits: the age of messages, and the bytes of each partition."""

    name: str
    topic_id: str
    created_at: datetime
    partitions: tuple[PartitionBounds, ...]
    retention_ms: int | None = None
    retention_bytes: int | None = None

    @property
    def message_count(self) -> int:
        """The number of readable messages."""
        return sum(partition.high_watermark - partition.log_start_offset for partition in self.partitions)


class Fetch(msgspec.Struct, frozen=True, gc=False):
    """Ask for messages from `positions` (partition, next offset) on, in that order of preference.

    With `wait`, the topic does not answer until there is a message; a newer Fetch of the same consumer replaces it. A
    consumer that reads whole topics sends the number of partitions it knows (`partition_count`); if that is outdated,
    or with `needs_bounds`, the answer has only bounds.
    """

    consumer_id: str
    topic_id: str | None
    positions: tuple[tuple[int, int], ...]
    max_messages: int
    max_bytes: int
    wait: bool
    partition_count: int | None = None
    needs_bounds: bool = False


class FetchResult(msgspec.Struct, frozen=True):
    """Messages; none if `bounds` (start and end per partition) show that positions are missing or out of range.

    `topic_id` is None if the topic does not exist.
    """

    topic: str
    topic_id: str | None
    bounds: tuple[tuple[int, int], ...]
    messages: tuple[MessageProduced, ...]
