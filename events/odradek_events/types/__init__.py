"""The catalogue of events: what can happen, in primitives.

Facts carry what state needs to be rebuilt from the log alone. Names and fields here are stored: a change of meaning is
a new version with an up-caster, never an edit. `timestamp` is when the thing happened by its author's clock (for a
message: its create time); when the log recorded it is in the commit's metadata.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_events.schema.registry import OffsetTag, event
from odradek_events.schema.upcasters import Upcaster
from odradek_events.types.groups import (
    GenerationStarted,
    GroupAssigned,
    GroupDeleted,
    MemberAssignment,
    MemberJoined,
    MemberLeft,
    OffsetsExpired,
    RebalanceStarted,
    StaticMemberReplaced,
)

__all__ = [
    "ConsumerRegistered",
    "ConsumerResumed",
    "ConsumerSubscribed",
    "GenerationStarted",
    "GroupAssigned",
    "GroupDeleted",
    "MemberAssignment",
    "MemberJoined",
    "MemberLeft",
    "MessageConsumed",
    "MessageProduced",
    "OffsetCommitted",
    "OffsetReset",
    "OffsetsExpired",
    "PartitionsAdded",
    "PartitionsAssigned",
    "PartitionsRevoked",
    "ProducerEpochBumped",
    "ProducerProgressed",
    "ProducerRegistered",
    "RebalanceStarted",
    "RecordsDeleted",
    "ResumedPosition",
    "StaticMemberReplaced",
    "TopicCreated",
    "TopicDeleted",
    "TopicRetentionSet",
]

_TOPIC = "topic:{topic}"
_PARTITION = "partition:{topic}/{partition}"


@event("TopicCreated", version=1, tags=(_TOPIC,))
class TopicCreated(msgspec.Struct, frozen=True):
    """A topic came into being; created again after a deletion it has another `topic_id`."""

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
    """A topic is gone, with its messages; its stream stays."""

    topic: str
    topic_id: str
    timestamp: datetime


@event("TopicRetentionSet", version=1, tags=(_TOPIC,))
class TopicRetentionSet(msgspec.Struct, frozen=True):
    """A topic's limits are these from now on, by age and for the bytes of each partition; None is no limit."""

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
    """A message was stored at `offset`. A value of None is a tombstone; `sequence` is -1 where none was numbered."""

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
    headers: tuple[tuple[str, bytes], ...] = ()


@event("ProducerRegistered", version=1, tags=("producer:{producer_id}",))
class ProducerRegistered(msgspec.Struct, frozen=True):
    """A producer was seen for the first time."""

    producer_id: str
    client_id: str
    epoch: int
    timestamp: datetime
    transaction_id: str | None = None


@event("ProducerEpochBumped", version=1, tags=("producer:{producer_id}",))
class ProducerEpochBumped(msgspec.Struct, frozen=True):
    """A producer began a new life: its sequences restart at 0, its older epochs are fenced."""

    producer_id: str
    epoch: int
    timestamp: datetime


@event("ProducerProgressed", version=1, tags=("producer:{producer_id}",))
class ProducerProgressed(msgspec.Struct, frozen=True):
    """A producer has sent `message_count` messages in all, counted up to log position `counted_through`."""

    producer_id: str
    message_count: int
    counted_through: int
    timestamp: datetime


@event("ConsumerRegistered", version=1, tags=("consumer:{consumer_id}",))
class ConsumerRegistered(msgspec.Struct, frozen=True):
    """A consumer was seen for the first time, or came back under another group."""

    consumer_id: str
    timestamp: datetime
    group_id: str | None = None


@event(
    "ConsumerSubscribed",
    version=2,
    upcasters=(Upcaster(1).add("pattern", None),),
    tags=("consumer:{consumer_id}",),
    tags_since=1,
)
class ConsumerSubscribed(msgspec.Struct, frozen=True):
    """A consumer reads exactly these topics from now on (none: it unsubscribed).

    With a `pattern` the topics are those that matched it just now; in a group, where matching is the group's, none.
    """

    consumer_id: str
    topics: tuple[str, ...]
    timestamp: datetime
    pattern: str | None = None


class ResumedPosition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One position of `ConsumerResumed`: the offset of the next message to read."""

    topic: str
    topic_id: str
    partition: int
    offset: int


@event("ConsumerResumed", version=1, tags=("consumer:{consumer_id}",))
class ConsumerResumed(msgspec.Struct, frozen=True):
    """A consumer was opened again: its positions are these committed ones and no others."""

    consumer_id: str
    positions: tuple[ResumedPosition, ...]
    timestamp: datetime


@event("PartitionsAssigned", version=1, tags=("consumer:{consumer_id}",))
class PartitionsAssigned(msgspec.Struct, frozen=True):
    """A consumer reads these (topic, partition) pairs too, from `positions` on where there is one.

    As a member of its group in `generation`; with `is_manual` it chose them itself, instead of all it read before.
    """

    consumer_id: str
    partitions: tuple[tuple[str, int], ...]
    positions: tuple[ResumedPosition, ...]
    timestamp: datetime
    member_id: str = ""
    generation: int = -1
    is_manual: bool = False


@event("PartitionsRevoked", version=1, tags=("consumer:{consumer_id}",))
class PartitionsRevoked(msgspec.Struct, frozen=True):
    """A consumer reads these (topic, partition) pairs no longer.

    With `is_lost` they were somebody else's by then, perhaps: it was no member any more when it heard of it.
    """

    consumer_id: str
    partitions: tuple[tuple[str, int], ...]
    timestamp: datetime
    generation: int = -1
    is_lost: bool = False


@event("MessageConsumed", version=1, tags=(_TOPIC, _PARTITION, "consumer:{consumer_id}"))
class MessageConsumed(msgspec.Struct, frozen=True):
    """A message was delivered to a consumer, whose position is now `offset` + 1."""

    topic: str
    partition: int
    offset: int
    message_id: str
    consumer_id: str
    timestamp: datetime


@event("OffsetCommitted", version=1, tags=(_PARTITION, "owner:{owner}"))
class OffsetCommitted(msgspec.Struct, frozen=True):
    """`owner` (`group/<id>` or `consumer/<id>`) has dealt with everything below `offset`, the next one to read.

    `is_reset` says that it went back on purpose, after a seek.
    """

    owner: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    timestamp: datetime
    consumer_id: str | None = None
    metadata: str = ""
    is_reset: bool = False


@event("OffsetReset", version=1, tags=(_PARTITION, "owner:{owner}"))
class OffsetReset(msgspec.Struct, frozen=True):
    """`owner` continues at `offset`, in whatever direction: by seek, by reset policy, or by an operator's reset.

    In a consumer's stream it moves the position, in a group's stream the committed offset.
    """

    owner: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    reason: str
    timestamp: datetime
