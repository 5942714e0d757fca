"""What a consumer handle has received, returned and not yet committed; and the offsets that callers pass to `commit`.

A caller can be interrupted at any bytecode, by Ctrl-C or by a signal handler that raises. Therefore a `Reading` is
built without side effects and published by one attribute store. A second store, of `taken`, directly before `poll`
returns, marks the messages as returned. An interruption before that store leaves the messages to the next poll.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from odradek_actors.messages.consumers import Delivery
from odradek_actors.validation import text, whole_number
from odradek_domain.values.names import TopicName
from odradek_domain.values.positions import TopicPartition
from odradek_domain.values.topic_pattern import check_pattern
from odradek_events.types import MessageProduced
from odradek_events.validation import items, shown

__all__ = [
    "OffsetsToCommit",
    "Reading",
    "Uncommitted",
    "Wanted",
    "checked_pattern",
    "checked_place",
    "checked_places",
    "wanted_offsets",
]

OffsetsToCommit = Mapping[TopicPartition, int | tuple[int, str]]
Wanted = tuple[tuple[TopicPartition, int, str, str | None], ...]  # partition, offset, metadata, topic id


class Reading(msgspec.Struct):
    """A consumer handle's position. Immutable except for `taken`: changes replace the whole object."""

    buffered: tuple[MessageProduced, ...] = ()
    """The messages of the last delivery, all of one topic."""
    taken: int = 0
    """How many of them `poll` has returned."""
    topic_id: str = ""
    correlation_id: str = ""
    """The correlation id of the poll that delivered them; a commit continues it."""
    received: int = 0
    """The number of the last delivery."""
    noticed: int = 0
    """The number of the last rebalance notice that was handled."""
    assignment: frozenset[TopicPartition] = frozenset()
    paused: frozenset[TopicPartition] = frozenset()

    @property
    def waiting(self) -> tuple[MessageProduced, ...]:
        """The buffered messages that `poll` has not returned yet."""
        return self.buffered[self.taken :]

    def replaced(self, **changes: Any) -> Reading:
        """Return a copy with other values for these fields."""
        return msgspec.structs.replace(self, **changes)

    def with_delivery(self, delivery: Delivery, correlation_id: str) -> Reading:
        """Return a copy with this delivery buffered; every earlier message must have been returned."""
        return self.replaced(
            buffered=delivery.messages,
            taken=0,
            topic_id=delivery.topic_id,
            correlation_id=correlation_id,
            received=max(self.received, delivery.number),
        )

    def keeping(self, buffered: Iterable[MessageProduced], **changes: Any) -> Reading:
        """Return a copy in which only these of the waiting messages are still buffered."""
        return self.replaced(buffered=tuple(buffered), taken=0, **changes)


class Uncommitted:
    """The next offset and the topic id of each partition of which `poll` returned messages.

    A commit's answer arrives on an actor's thread while the caller may poll further messages. It is therefore recorded
    in a separate dict, by single atomic operations.
    """

    __slots__ = ("_committed", "_counted", "_next")

    def __init__(self) -> None:
        self._next: dict[TopicPartition, tuple[int, str]] = {}
        self._committed: dict[TopicPartition, tuple[int, str]] = {}
        self._counted: tuple[object, int] = (None, 0)  # the last counted buffer, and how many of its messages

    def count(self, reading: Reading) -> None:
        """Count the messages that `poll` returned. Idempotent, so an interrupted call can be repeated."""
        buffered, taken = reading.buffered, reading.taken
        counted = self._counted[1] if self._counted[0] is buffered else 0
        if taken > counted:
            topic = buffered[0].topic
            for partition, offset in {event.partition: event.offset for event in buffered[counted:taken]}.items():
                self._next[TopicPartition(topic, partition)] = offset + 1, reading.topic_id
            self._counted = buffered, taken

    def to_commit(self) -> Wanted:
        """Return the offsets to commit, sorted by topic and partition."""
        return tuple(
            (place, offset, "", topic_id)
            for place, (offset, topic_id) in sorted(self._next.items())
            if self._committed.get(place) != (offset, topic_id)
        )

    def committed(self, wanted: Wanted) -> None:
        """Record offsets as committed, except in partitions of which `poll` has returned further messages since."""
        for place, offset, _, _ in wanted:
            known = self._next.get(place)
            if known is not None and known[0] == offset:
                self._committed[place] = known

    def drop(self, places: Iterable[TopicPartition]) -> None:
        """Forget partitions that are no longer read, or are read from another offset."""
        for place in places:
            self._next.pop(place, None)
            self._committed.pop(place, None)

    def clear(self) -> None:
        """Forget all partitions."""
        self._next.clear()
        self._committed.clear()


def wanted_offsets(offsets: OffsetsToCommit) -> Wanted:
    """Check the offsets that a caller passed to `commit`, each perhaps with metadata, and return them sorted."""
    if not isinstance(offsets, Mapping):
        raise TypeError(f"offsets must be a dict of (topic, partition) to offset, not {shown(offsets)}")
    checked = sorted((checked_place(key), _with_metadata(offset)) for key, offset in offsets.items())
    return tuple((place, *wanted, None) for place, wanted in checked)


def checked_place(partition: Any) -> TopicPartition:
    """Check a (topic, partition) pair and return it."""
    if not isinstance(partition, tuple) or len(partition) != 2:
        raise TypeError(f"a partition must be a (topic, number) tuple, not {shown(partition)}")
    return TopicPartition(str(TopicName(partition[0])), whole_number("partition", partition[1]))


def checked_places(partitions: Any) -> set[TopicPartition]:
    """Check (topic, partition) pairs and return them."""
    return {checked_place(pair) for pair in items("partitions", partitions)}


def checked_pattern(pattern: str | re.Pattern[str]) -> str:
    """Check a regular expression and return its text."""
    if isinstance(pattern, re.Pattern):
        if isinstance(pattern.pattern, str) and pattern.flags & ~re.UNICODE:
            raise ValueError(
                f"the flags of {pattern!r} would be lost, as a pattern is stored as text; "
                "write them inline, as in (?i)orders.*"
            )
        pattern = pattern.pattern
    return check_pattern(pattern)


def _with_metadata(offset: Any) -> tuple[int, str]:
    if isinstance(offset, tuple) and len(offset) == 2:
        return whole_number("offset", offset[0]), text("metadata", offset[1])
    return whole_number("offset", offset), ""
