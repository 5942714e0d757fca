"""Events of topics: how a topic was set up, the messages in it, and which of them were deleted."""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_events.schema.registry import OffsetTag, event

__all__ = [
    "MessageProduced",
    "PartitionsAdded",
    "RecordsDeleted",
    "TopicCreated",
    "TopicDeleted",
    "TopicRetentionSet",
]

_TOPIC = "topic:{topic}"
_PARTITION = "partition:{topic}/{partition}"


@event("TopicCreated", version=1, tags=(_TOPIC,))
class TopicCreated(msgspec.Struct, frozen=True):
    """A topic was created; a topic created again after its deletion has another `topic_id`."""

    topic: str
    topic_id: str
    partition_count: int
    timestamp: datetime


@event("PartitionsAdded", version=1, tags=(_TOPIC,))
class PartitionsAdded(msgspec.Struct, frozen=True):
    """A topic now has `partition_count` partitions in all."""

    topic: str
    partition_count: int
    timestamp: datetime


@event("TopicDeleted", version=1, tags=(_TOPIC,))
class TopicDeleted(msgspec.Struct, frozen=True):
    """A topic was deleted, with its messages; its stream stays."""

    topic: str
    topic_id: str
    timestamp: datetime


@event("TopicRetentionSet", version=1, tags=(_TOPIC,))
class TopicRetentionSet(msgspec.Struct, frozen=True):
    """A topic's retention limits changed: by age, and by the bytes of each partition; None means no limit."""

    topic: str
    retention_ms: int | None
    retention_bytes: int | None
    timestamp: datetime


@event("RecordsDeleted", version=1, tags=(_TOPIC, _PARTITION))
class RecordsDeleted(msgspec.Struct, frozen=True):
    """Messages below `log_start_offset` can no longer be read; offsets are not reused."""

    topic: str
    partition: int
    log_start_offset: int
    timestamp: datetime


@event("MessageProduced", version=1, tags=(_TOPIC, OffsetTag(_PARTITION), "producer:{producer_id}"))
class MessageProduced(msgspec.Struct, frozen=True):
    """A message was stored at `offset`.

    A value of None is a tombstone; `sequence` is -1 if the producer did not number the message. Headers keep their
    order, names may repeat, and a header's value may be None.
    """

    topic: str
    partition: int
    offset: int
    message_id: str
    producer_id: str
    producer_epoch: int
    sequence: int
    timestamp: datetime
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
