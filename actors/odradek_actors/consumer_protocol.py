"""The messages to and from consumers and groups; the others, and the rules for all, are in `protocol`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_domain.offsets import OffsetToCommit
from odradek_domain.positions import TopicPartition
from odradek_events.types import MessageProduced

__all__ = [
    "CloseConsumer",
    "CommitGroupOffsets",
    "CommitOffsets",
    "CommittedOf",
    "ConsumerRecord",
    "Delivery",
    "DescribeConsumer",
    "GetCommitted",
    "JoinGroup",
    "LeaveGroup",
    "OpenConsumer",
    "Poll",
    "PositionOf",
    "SeekTo",
    "Subscribe",
]


class OpenConsumer(msgspec.Struct, frozen=True, gc=False):
    """Begin a consumer's life under a handle."""

    handle: int
    group_id: str | None
    auto_offset_reset: str


class CloseConsumer(msgspec.Struct, frozen=True, gc=False):
    """End it."""

    handle: int


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """Read exactly these topics from now on."""

    handle: int
    topics: tuple[str, ...]


class Poll(msgspec.Struct, frozen=True, gc=False):
    """Ask for the next messages. `received` numbers the last Delivery that arrived: a later one is given again."""

    handle: int
    received: int
    max_messages: int
    timeout: float


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Messages for the poller, all of one topic, whose id stands beside; empty when the time ran out."""

    number: int
    messages: tuple[MessageProduced, ...]
    topic_id: str = ""


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
    offsets: tuple[tuple[TopicPartition, int, str | None], ...]


class PositionOf(msgspec.Struct, frozen=True, gc=False):
    """Ask for the offset of the next message to be delivered, or None."""

    partition: TopicPartition


class CommittedOf(msgspec.Struct, frozen=True, gc=False):
    """Ask for the committed offset, or None; with `topic_id` only for one of that incarnation of the topic."""

    partition: TopicPartition
    topic_id: str | None = None


class DescribeConsumer(msgspec.Struct, frozen=True):
    """Ask for the ConsumerSnapshot."""


class JoinGroup(msgspec.Struct, frozen=True, gc=False):
    """Become the group's live member; answered by its committed offsets."""

    consumer_id: str


class LeaveGroup(msgspec.Struct, frozen=True, gc=False):
    """Stop being a member."""

    consumer_id: str


class CommitGroupOffsets(msgspec.Struct, frozen=True, gc=False):
    """Commit offsets for a group, all or none."""

    consumer_id: str | None
    offsets: tuple[OffsetToCommit, ...]


class GetCommitted(msgspec.Struct, frozen=True):
    """Ask for all committed offsets of a group."""


class ConsumerRecord(msgspec.Struct, frozen=True, gc=False):
    """A message as a consumer gets it.

    Key and value are bytes, or None; a value of None is a tombstone. Headers keep their order, and names may repeat.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: datetime
    message_id: str
