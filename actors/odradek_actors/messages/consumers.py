"""The messages to and from consumers and groups; the others, and the rules for all, are in `protocol`."""

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
    """How a consumer is a member of its group. Times in seconds; see `ActorSystem.consumer`."""

    assignors: tuple[str, ...] = ("range", "cooperative-sticky")
    session_timeout: float = 45.0
    heartbeat_interval: float = 3.0
    max_poll_interval: float = 300.0
    instance_id: str | None = None
    is_cooperative: bool = False


ALONE = MemberSettings()


class OpenConsumer(msgspec.Struct, frozen=True, gc=False):
    """Begin a consumer's life under a handle."""

    handle: int
    group_id: str | None
    auto_offset_reset: str
    member: MemberSettings = ALONE


class CloseConsumer(msgspec.Struct, frozen=True, gc=False):
    """End it."""

    handle: int


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """Read exactly these topics from now on, or those that match a pattern."""

    handle: int
    topics: tuple[str, ...]
    pattern: str | None = None


class Assign(msgspec.Struct, frozen=True, gc=False):
    """Read exactly these partitions from now on, without the group's sharing out."""

    handle: int
    partitions: tuple[TopicPartition, ...]


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Deliver nothing of these partitions, and of no others, until told otherwise."""

    handle: int
    partitions: tuple[TopicPartition, ...]


class Poll(msgspec.Struct, frozen=True, gc=False):
    """Ask for the next messages, or for a Notice. Both are numbered, and given again until a poll names them.

    `received` is the last Delivery that arrived, `noticed` the last Notice that was acted upon. With `max_messages` 0
    it is answered as soon as the consumer has its share of its group, and else with RequestTimedOut.
    """

    handle: int
    received: int
    max_messages: int
    timeout: float
    noticed: int = 0


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Messages for the poller, all of one topic, whose id stands beside; empty when the time ran out."""

    number: int
    messages: tuple[MessageProduced, ...]
    topic_id: str = ""


class Notice(msgspec.Struct, frozen=True, gc=False):
    """The group gave partitions ("assigned"), wants them back ("revoked"), or has given them away ("lost").

    What is wanted back is let go of once a poll names this notice.
    """

    number: int
    kind: str
    partitions: tuple[TopicPartition, ...]


class SeekTo(msgspec.Struct, frozen=True, gc=False):
    """Continue a partition at an offset."""

    handle: int
    partition: TopicPartition
    topic_id: str
    offset: int
    reason: str = "seek"


class CommitOffsets(msgspec.Struct, frozen=True, gc=False):
    """Commit the offsets of the next messages to read, each with the id of the topic that was read.

    What was read of a topic that is gone counts no more, and is passed over. Without an id it is the topic of now.
    """

    handle: int
    offsets: tuple[tuple[TopicPartition, int, str, str | None], ...]  # partition, offset, metadata, topic id


class PositionOf(msgspec.Struct, frozen=True, gc=False):
    """Ask for the offset of the next message to be delivered, or None."""

    partition: TopicPartition


class CommittedOf(msgspec.Struct, frozen=True, gc=False):
    """Ask for the committed offset, or None; with `topic_id` only for one of that incarnation of the topic."""

    partition: TopicPartition
    topic_id: str | None = None


class DescribeConsumer(msgspec.Struct, frozen=True):
    """Ask for the ConsumerSnapshot."""


class ConsumerRecord(msgspec.Struct, frozen=True, gc=False):
    """A message as a consumer gets it.

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
