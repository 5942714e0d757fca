"""Committed offsets: how far a group, or a consumer without one, has processed each partition.

A committed offset is that of the *next* message to read. It can move backwards only by an explicit reset. It belongs to
one incarnation of a topic: once the topic is deleted, it no longer counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from odradek_domain.errors import CommitWouldGoBackwards, OffsetMetadataTooLarge
from odradek_domain.values.positions import Offset, TopicPartition
from odradek_events.types import OffsetCommitted, OffsetReset

__all__ = ["MAX_METADATA_BYTES", "CommittedOffset", "CommittedOffsets", "OffsetToCommit"]

MAX_METADATA_BYTES = 4096
"""The maximum size of a commit's metadata in UTF-8: Kafka's default offset.metadata.max.bytes."""


class CommittedOffset(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A committed offset for the topic's incarnation `topic_id`."""

    topic: str
    partition: int
    topic_id: str
    offset: int
    metadata: str = ""


class OffsetToCommit(msgspec.Struct, frozen=True, gc=False):
    """An offset to commit. `is_reset` allows a lower offset, because the owner has moved its position by a seek."""

    topic: str
    partition: int
    topic_id: str
    offset: int
    metadata: str = ""
    is_reset: bool = False


class CommittedOffsets:
    """The committed offsets of one owner (`group/<id>` or `consumer/<id>`)."""

    __slots__ = ("_by_partition", "_topic_ids", "owner")

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._by_partition: dict[TopicPartition, CommittedOffset] = {}
        self._topic_ids: dict[str, str] = {}  # the incarnation that all commits of a topic are for

    def get(self, partition: TopicPartition, topic_id: str | None = None) -> CommittedOffset | None:
        """Return the commit for a partition, or None; `topic_id` limits it to that incarnation."""
        found = self._by_partition.get(partition)
        return None if found is None or topic_id not in (None, found.topic_id) else found

    def has(self, wanted: OffsetToCommit) -> bool:
        """Return whether this offset is the committed one, regardless of its metadata."""
        known = self.get(TopicPartition(wanted.topic, wanted.partition), wanted.topic_id)
        return known is not None and known.offset == wanted.offset

    def in_doubt(self, offsets: Iterable[OffsetToCommit]) -> tuple[str, ...]:
        """Return the topics whose incarnation in these offsets differs from the committed one: one of them is deleted.

        The ids do not show which. A commit for the deleted incarnation would remove the commits for its successor.
        """
        known = self._topic_ids
        topics = (wanted.topic for wanted in offsets if known.get(wanted.topic, wanted.topic_id) != wanted.topic_id)
        return tuple(dict.fromkeys(topics))

    def all(self) -> tuple[CommittedOffset, ...]:
        """Return all commits, sorted by topic and partition."""
        return tuple(committed for _, committed in sorted(self._by_partition.items()))

    def commit(self, wanted: OffsetToCommit, at: datetime, consumer_id: str | None = None) -> list[OffsetCommitted]:
        """Decide to commit; no event if the offset is already committed.

        Raises CommitWouldGoBackwards or OffsetMetadataTooLarge.
        """
        offset = Offset(wanted.offset)
        size = len(wanted.metadata.encode("utf-8", "surrogatepass"))
        if size > MAX_METADATA_BYTES:
            raise OffsetMetadataTooLarge(wanted.topic, wanted.partition, size, MAX_METADATA_BYTES)
        known = self.get(TopicPartition(wanted.topic, wanted.partition), wanted.topic_id)
        if known is not None and offset < known.offset and not wanted.is_reset:
            raise CommitWouldGoBackwards(self.owner, wanted.topic, wanted.partition, known.offset, offset)
        if known is not None and (known.offset, known.metadata) == (offset, wanted.metadata):
            return []
        return [
            OffsetCommitted(
                self.owner,
                wanted.topic,
                wanted.topic_id,
                wanted.partition,
                wanted.offset,
                at,
                consumer_id,
                wanted.metadata,
                known is not None and offset < known.offset,
            )
        ]

    def reset(self, wanted: OffsetToCommit, at: datetime, reason: str) -> OffsetReset:
        """Decide to reset the committed offset, forwards or backwards."""
        return OffsetReset(
            self.owner,
            wanted.topic,
            wanted.topic_id,
            wanted.partition,
            Offset(wanted.offset).value,
            reason,
            at,
        )

    def apply(self, event: OffsetCommitted | OffsetReset) -> None:
        """Apply a commit or a reset."""
        metadata = event.metadata if isinstance(event, OffsetCommitted) else ""
        if self._topic_ids.get(event.topic) != event.topic_id:
            self._topic_ids[event.topic] = event.topic_id
            for place in [place for place in self._by_partition if place.topic == event.topic]:
                del self._by_partition[place]  # commits for the topic's earlier incarnations no longer count
        self._by_partition[TopicPartition(event.topic, event.partition)] = CommittedOffset(
            event.topic, event.partition, event.topic_id, event.offset, metadata
        )

    def forget(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Drop the commits for these (topic, partition) pairs."""
        for topic, partition in partitions:
            self._by_partition.pop(TopicPartition(topic, partition), None)

    def restore(self, committed: tuple[CommittedOffset, ...]) -> None:
        """Rebuild from a snapshot."""
        self._by_partition = {TopicPartition(item.topic, item.partition): item for item in committed}
        self._topic_ids = {item.topic: item.topic_id for item in committed}
