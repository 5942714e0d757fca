"""Events of consumers: subscriptions, assigned partitions, positions, and committed offsets.

OffsetCommitted and OffsetReset also stand in a group's stream, where the group is the owner.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_events.schema.registry import event
from odradek_events.schema.upcasters import Upcaster

__all__ = [
    "ConsumerRegistered",
    "ConsumerResumed",
    "ConsumerSubscribed",
    "MessageConsumed",
    "OffsetCommitted",
    "OffsetReset",
    "PartitionsAssigned",
    "PartitionsRevoked",
    "ResumedPosition",
]

_TOPIC = "topic:{topic}"
_PARTITION = "partition:{topic}/{partition}"
_CONSUMER = "consumer:{consumer_id}"


@event("ConsumerRegistered", version=1, tags=(_CONSUMER,))
class ConsumerRegistered(msgspec.Struct, frozen=True):
    """A consumer was opened for the first time, or was opened again in another group."""

    consumer_id: str
    timestamp: datetime
    group_id: str | None = None


@event(
    "ConsumerSubscribed",
    version=2,
    upcasters=(Upcaster(1).add("pattern", None),),
    tags=(_CONSUMER,),
    tags_since=1,
)
class ConsumerSubscribed(msgspec.Struct, frozen=True):
    """A consumer reads exactly these topics from now on (none: it unsubscribed).

    With a `pattern` the topics are those that matched it just now; in a group, where the group does the matching, none.
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


@event("ConsumerResumed", version=1, tags=(_CONSUMER,))
class ConsumerResumed(msgspec.Struct, frozen=True):
    """A consumer was opened again: its positions are these committed ones and no others."""

    consumer_id: str
    positions: tuple[ResumedPosition, ...]
    timestamp: datetime


@event("PartitionsAssigned", version=1, tags=(_CONSUMER,))
class PartitionsAssigned(msgspec.Struct, frozen=True):
    """A consumer also reads these (topic, partition) pairs, each from its entry in `positions` if it has one.

    A group assigned them in `generation`; with `is_manual` the consumer chose them itself, in place of all others.
    """

    consumer_id: str
    partitions: tuple[tuple[str, int], ...]
    positions: tuple[ResumedPosition, ...]
    timestamp: datetime
    member_id: str = ""
    generation: int = -1
    is_manual: bool = False


@event("PartitionsRevoked", version=1, tags=(_CONSUMER,))
class PartitionsRevoked(msgspec.Struct, frozen=True):
    """A consumer no longer reads these (topic, partition) pairs.

    With `is_lost` the consumer had already left the group when it learned of this, so others may have been reading the
    partitions meanwhile.
    """

    consumer_id: str
    partitions: tuple[tuple[str, int], ...]
    timestamp: datetime
    generation: int = -1
    is_lost: bool = False


@event("MessageConsumed", version=1, tags=(_TOPIC, _PARTITION, _CONSUMER))
class MessageConsumed(msgspec.Struct, frozen=True):
    """A message was delivered to a consumer, whose position is now `offset` + 1."""

    topic: str
    partition: int
    offset: int
    message_id: str
    consumer_id: str
    timestamp: datetime


@event("OffsetCommitted", version=2, upcasters=(Upcaster(1),), tags=(_TOPIC, _PARTITION, "owner:{owner}"))
class OffsetCommitted(msgspec.Struct, frozen=True):
    """`owner` (`group/<id>` or `consumer/<id>`) has processed everything below `offset`, the next one to read.

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


@event("OffsetReset", version=2, upcasters=(Upcaster(1),), tags=(_TOPIC, _PARTITION, "owner:{owner}"))
class OffsetReset(msgspec.Struct, frozen=True):
    """`owner` continues at `offset`, forwards or backwards: by a seek, a reset policy, or an operator's reset.

    In a consumer's stream it moves the position, in a group's stream the committed offset.
    """

    owner: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    reason: str
    timestamp: datetime
