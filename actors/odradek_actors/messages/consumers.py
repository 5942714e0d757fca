"""The messages between a consumer handle and its ConsumerActor."""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_domain.values.positions import TopicPartition
from odradek_events.types import MessageProduced

__all__ = [
    "ALONE",
    "Assign",
    "CloseConsumer",
    "CommitOffsets",
    "CommittedOf",
    "ConsumerRecord",
    "Delivery",
    "DescribeConsumer",
    "MemberSettings",
    "Notice",
    "OpenConsumer",
    "Pause",
    "Poll",
    "PositionOf",
    "SeekTo",
    "Subscribe",
]


class MemberSettings(msgspec.Struct, frozen=True, gc=False):
    """The settings of a group member. Times in seconds; see `ActorSystem.consumer`."""

    assignors: tuple[str, ...] = ("range", "cooperative-sticky")
    session_timeout: float = 45.0
    heartbeat_interval: float = 3.0
    max_poll_interval: float = 300.0
    instance_id: str | None = None
    is_cooperative: bool = False


ALONE = MemberSettings()


class OpenConsumer(msgspec.Struct, frozen=True, gc=False):
    """Open the consumer for a handle."""

    handle: int
    group_id: str | None
    auto_offset_reset: str
    member: MemberSettings = ALONE


class CloseConsumer(msgspec.Struct, frozen=True, gc=False):
    """Close the consumer, if it is open for this handle."""

    handle: int


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """Replace the subscription: these topics, or those that match a pattern."""

    handle: int
    topics: tuple[str, ...]
    pattern: str | None = None


class Assign(msgspec.Struct, frozen=True, gc=False):
    """Replace the assignment by these partitions, independently of the group."""

    handle: int
    partitions: tuple[TopicPartition, ...]


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Pause exactly these partitions; resume all others."""

    handle: int
    partitions: tuple[TopicPartition, ...]


class Poll(msgspec.Struct, frozen=True, gc=False):
    """Ask for the next Delivery or Notice. Both are numbered, and sent again until a poll acknowledges them.

    `received` is the number of the last received Delivery, `noticed` that of the last handled Notice. A poll with
    `max_messages` 0 is answered once the group has assigned partitions, or with RequestTimedOut.
    """

    handle: int
    received: int
    max_messages: int
    timeout: float
    noticed: int = 0


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Messages of one topic, with its id; empty after a timeout."""

    number: int
    messages: tuple[MessageProduced, ...]
    topic_id: str = ""


class Notice(msgspec.Struct, frozen=True, gc=False):
    """The group assigned partitions ("assigned"), revokes them ("revoked"), or may have reassigned them ("lost").

    Revoked partitions are released once a poll acknowledges this notice.
    """

    number: int
    kind: str
    partitions: tuple[TopicPartition, ...]


class SeekTo(msgspec.Struct, frozen=True, gc=False):
    """Set a partition's position to an offset."""

    handle: int
    partition: TopicPartition
    topic_id: str
    offset: int
    reason: str = "seek"


class CommitOffsets(msgspec.Struct, frozen=True, gc=False):
    """Commit the offsets of the next messages to read, each with the id of the topic that was read.

    Offsets of deleted topics are ignored. Without an id, an offset is for the current incarnation of the topic.
    """

    handle: int
    offsets: tuple[tuple[TopicPartition, int, str, str | None], ...]  # partition, offset, metadata, topic id


class PositionOf(msgspec.Struct, frozen=True, gc=False):
    """Ask for the offset of the next message to be delivered, or None."""

    partition: TopicPartition


class CommittedOf(msgspec.Struct, frozen=True, gc=False):
    """Ask for the committed offset, or None; `topic_id` limits it to that incarnation of the topic."""

    partition: TopicPartition
    topic_id: str | None = None


class DescribeConsumer(msgspec.Struct, frozen=True):
    """Ask for the ConsumerSnapshot."""


class ConsumerRecord(msgspec.Struct, frozen=True, gc=False):
    """A message that a consumer received.

    Key and value are bytes, or None; a value of None is a tombstone. Headers keep their order, and names may repeat.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: datetime
    message_id: str
