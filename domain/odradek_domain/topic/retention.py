"""Retention: the limits of a topic by age and by bytes, and which messages they delete.

Kafka deletes whole segment files, so what it keeps beyond the limits depends on the segments. Here there are no
segments. A message is deleted as soon as it and all messages before it in its partition are older than `retention_ms`
by their own timestamps, or the messages after it hold at least `retention_bytes`. The first message that stays is found
by a walk over the messages to delete. For age this needs no state; for bytes the walk starts at a mark
(`byte_index.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from odradek_domain.errors import ValidationError
from odradek_domain.topic.partition import Partition
from odradek_domain.values.message import message_size
from odradek_events.types import MessageProduced, TopicRetentionSet
from odradek_events.validation import shown

__all__ = [
    "KEEP_ALL",
    "InvalidRetention",
    "Limit",
    "RetentionPlan",
    "RetentionPolicy",
    "RetentionWalk",
    "Walker",
    "walks",
]

Limit = int | None | msgspec.UnsetType
"""A limit to set: None removes it, UNSET leaves it unchanged."""

_LARGEST = (1 << 63) - 1  # Kafka's


class InvalidRetention(ValidationError):
    """A retention limit that is not a whole number in range."""

    code = "invalid_retention"

    def __init__(self, topic: str, limit: str, value: object) -> None:
        super().__init__(
            f"{limit} of topic {topic!r} cannot be {shown(value)}; use a whole number from 1 to {_LARGEST}, or None "
            "for no limit"
        )
        self.topic, self.limit, self.value = topic, limit, value


class RetentionPolicy(msgspec.Struct, frozen=True, gc=False):
    """The limits of each partition of a topic: milliseconds by the messages' own timestamps, and bytes. None: no limit.

    Bytes are those of keys, values and headers; each header counts 16 bytes more.
    """

    retention_ms: int | None = None
    retention_bytes: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.retention_ms is not None or self.retention_bytes is not None

    def changed(self, topic: str, retention_ms: Limit, retention_bytes: Limit) -> RetentionPolicy:
        """Return the policy with these limits; UNSET keeps the current one. Raises InvalidRetention for a bad limit."""
        return RetentionPolicy(
            _checked(topic, "retention_ms", self.retention_ms if retention_ms is msgspec.UNSET else retention_ms),
            _checked(
                topic, "retention_bytes", self.retention_bytes if retention_bytes is msgspec.UNSET else retention_bytes
            ),
        )

    def set_for(self, topic: str, at: datetime) -> TopicRetentionSet:
        """Return the event that a topic has this policy."""
        return TopicRetentionSet(topic, self.retention_ms, self.retention_bytes, at)

    def oldest(self, now: datetime) -> datetime | None:
        """Return the oldest timestamp that messages may have; None if there is no limit."""
        if self.retention_ms is None:
            return None
        try:
            return now - timedelta(milliseconds=self.retention_ms)
        except OverflowError:  # before the year 1
            return None


KEEP_ALL = RetentionPolicy()


class RetentionWalk(msgspec.Struct, frozen=True, gc=False):
    """A walk over a partition from `from_offset` to the first message that stays, or to `until_offset` if none does.

    The walk passes a message that is below `start_offset` (already deleted), that is older than `oldest`, or whose
    bytes, together with those passed before, fit into `surplus_bytes`.
    """

    partition: int
    from_offset: int
    start_offset: int
    until_offset: int
    oldest: datetime | None
    surplus_bytes: int


class RetentionPlan(msgspec.Struct, frozen=True):
    """The walks that a policy needs; invalid once the topic is recreated or its policy changes."""

    topic_id: str
    policy: RetentionPolicy
    walks: tuple[RetentionWalk, ...]


class Walker:
    """A walk in progress. `offset` is that of the next message, where the walk ends if that message stays."""

    __slots__ = ("_surplus", "_walk", "offset", "partition")

    def __init__(self, walk: RetentionWalk) -> None:
        self._walk = walk
        self._surplus = walk.surplus_bytes
        self.partition = walk.partition
        self.offset = walk.from_offset

    def passes(self, message: MessageProduced) -> bool:
        """Check the partition's message at `offset`; return whether the walk passes it and continues."""
        walk = self._walk
        self._surplus -= message_size(message)
        if (
            self._surplus >= 0
            or self.offset < walk.start_offset
            or (walk.oldest is not None and message.timestamp < walk.oldest)
        ):
            self.offset += 1
            return self.offset < walk.until_offset
        return False


def walks(partitions: Iterable[Partition], policy: RetentionPolicy, now: datetime) -> Iterator[RetentionWalk]:
    """Yield a walk for each partition of which messages may be deleted."""
    oldest = policy.oldest(now)
    for partition in partitions:
        start, end = partition.log_start_offset, partition.high_watermark
        begin, surplus = start, -1
        if policy.retention_bytes is not None:
            mark = partition.sizes.mark_for(policy.retention_bytes, end)
            if mark is not None and mark.next_offset - 1 > start:  # the next mark has less than the limit after it
                begin, surplus = mark.offset, mark.bytes_after - policy.retention_bytes
        if surplus >= 0 or (oldest is not None and start < end):
            yield RetentionWalk(int(partition.id), begin, start, end, oldest, surplus)


def _checked(topic: str, name: str, value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= _LARGEST:
        raise InvalidRetention(topic, name, value)
    return value
