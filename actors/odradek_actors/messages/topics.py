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
    """Make messages below `before_offset` unreadable, all of the partition with -1."""

    partition: int
    before_offset: int


class AppendBatch(msgspec.Struct, frozen=True):
    """Store the messages of these sends, all in one commit.

    Stored, each send is answered with its receipts by the topic itself, which saves an acknowledged send one hop of
    six, and the producer with AppendDone. Whatever else comes of it, only the producer is told. `is_alone` says that it
    is not to be joined with others, since the log refused the content of one of them.
    """

    append: AppendMessages
    sends: tuple[Command, ...]
    is_alone: bool = False


class AppendDone(msgspec.Struct, frozen=True, gc=False):
    """Messages are durable: their offsets in the order sent.

    For a repeat `first_position` is None, and its sends are still to be answered.
    """

    offsets: list[int]
    first_position: int | None
    partition_count: int


class DescribeTopic(msgspec.Struct, frozen=True):
    """Ask for the TopicDescription."""


class TopicDescription(msgspec.Struct, frozen=True, gc=False):
    """What a topic is made of, and the limits of what it keeps: by age, and of the bytes of each partition."""

    name: str
    topic_id: str
    created_at: datetime
    partitions: tuple[PartitionBounds, ...]
    retention_ms: int | None = None
    retention_bytes: int | None = None

    @property
    def message_count(self) -> int:
        """How many messages can be read."""
        return sum(partition.high_watermark - partition.log_start_offset for partition in self.partitions)


class Fetch(msgspec.Struct, frozen=True, gc=False):
    """Ask for messages from `positions` (partition, next offset) on, in that order of preference.

    With `wait` an empty answer is held back until there is something; a newer Fetch of the same consumer replaces it.
    Who reads whole topics says how many partitions it knows (`partition_count`), and hears of others by their bounds;
    so does who `needs_bounds`.
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
    """Messages, or none when `bounds` (start, end per partition) show that positions are missing or out of range.

    `topic_id` is None if there is no such topic.
    """

    topic: str
    topic_id: str | None
    bounds: tuple[tuple[int, int], ...]
    messages: tuple[MessageProduced, ...]
