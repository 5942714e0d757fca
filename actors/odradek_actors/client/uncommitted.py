"""What a consumer's handle has received, returned and not committed yet, and how callers say what to commit.

A caller can be interrupted at any bytecode: by Ctrl-C, by a signal handler that raises. So a `Reading` is built without
side effects and published by one attribute store, and a message counts as returned only by a second one, of `taken`,
directly before `poll` returns it. An interruption before that store leaves the message to the next poll.
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
from odradek_events.types import MessageProduced

__all__ = [
    "OffsetsToCommit",
    "Reading",
    "Uncommitted",
    "Wanted",
    "checked_pattern",
    "checked_place",
    "wanted_offsets",
]

OffsetsToCommit = Mapping[TopicPartition, int | tuple[int, str]]
Wanted = tuple[tuple[TopicPartition, int, str, str | None], ...]  # partition, offset, metadata, topic id


class Reading(msgspec.Struct):
    """What a consumer reads now. All but `taken` is replaced as a whole, never changed."""

    buffered: tuple[MessageProduced, ...] = ()
    """The messages of the last delivery, all of one topic."""
    taken: int = 0
    """How many of them the caller got."""
    topic_id: str = ""
    correlation_id: str = ""
    """That of the poll which delivered them: a commit continues the conversation."""
    received: int = 0
    """The number of the last delivery."""
    noticed: int = 0
    """The number of the last notice of a rebalance that was acted upon."""
    assignment: frozenset[TopicPartition] = frozenset()
    paused: frozenset[TopicPartition] = frozenset()

    @property
    def waiting(self) -> tuple[MessageProduced, ...]:
        """The buffered messages that the caller did not get yet."""
        return self.buffered[self.taken :]

    def replaced(self, **changes: Any) -> Reading:
        """Return a copy with other values for these fields."""
        return msgspec.structs.replace(self, **changes)

    def with_delivery(self, delivery: Delivery, correlation_id: str) -> Reading:
        """Return what is read once a delivery has come and all before it is taken."""
        return self.replaced(
            buffered=delivery.messages,
            taken=0,
            topic_id=delivery.topic_id,
            correlation_id=correlation_id,
            received=max(self.received, delivery.number),
        )

    def keeping(self, buffered: Iterable[MessageProduced], **changes: Any) -> Reading:
        """Return what is read when only these of the waiting messages are still wanted."""
        return self.replaced(buffered=tuple(buffered), taken=0, **changes)


class Uncommitted:
    """The next offset of each partition that the caller got messages of, with the id of the topic that was read.

    A commit's answer comes on an actor's thread, while the caller may take further messages: it only notes apart, by
    single operations of a dict, what is committed.
    """

    __slots__ = ("_committed", "_counted", "_next")

    def __init__(self) -> None:
        self._next: dict[TopicPartition, tuple[int, str]] = {}
        self._committed: dict[TopicPartition, tuple[int, str]] = {}
        self._counted: tuple[object, int] = (None, 0)  # the buffered messages counted last, and how many of them

    def count(self, reading: Reading) -> None:
        """Take in what the caller got. Repeating it changes nothing, so an interruption may cut it short."""
        buffered, taken = reading.buffered, reading.taken
        counted = self._counted[1] if self._counted[0] is buffered else 0
        if taken > counted:
            topic = buffered[0].topic
            for partition, offset in {event.partition: event.offset for event in buffered[counted:taken]}.items():
                self._next[TopicPartition(topic, partition)] = offset + 1, reading.topic_id
            self._counted = buffered, taken

    def to_commit(self) -> Wanted:
        """Return what to commit, by topic and partition."""
        return tuple(
            (place, offset, "", topic_id)
            for place, (offset, topic_id) in sorted(self._next.items())
            if self._committed.get(place) != (offset, topic_id)
        )

    def committed(self, wanted: Wanted) -> None:
        """Note what is committed now, where no further message was taken since."""
        for place, offset, _, _ in wanted:
            known = self._next.get(place)
            if known is not None and known[0] == offset:
                self._committed[place] = known

    def drop(self, places: Iterable[TopicPartition]) -> None:
        """Forget partitions that are no longer read, or from another offset on."""
        for place in places:
            self._next.pop(place, None)
            self._committed.pop(place, None)

    def clear(self) -> None:
        """Forget everything."""
        self._next.clear()
        self._committed.clear()


def wanted_offsets(offsets: OffsetsToCommit) -> Wanted:
    """Return what people want to commit: an offset for each (topic, partition), perhaps with metadata."""
    return tuple((checked_place(key), *_with_metadata(offsets[key]), None) for key in sorted(offsets))


def checked_place(partition: Any) -> TopicPartition:
    """Return a partition given as (topic, number)."""
    if not isinstance(partition, tuple) or len(partition) != 2:
        raise TypeError(f"a partition is given as (topic, number), not as {partition!r}")
    return TopicPartition(str(TopicName(partition[0])), whole_number("partition", partition[1]))


def checked_pattern(pattern: str | re.Pattern[str]) -> str:
    """Return a regular expression as text."""
    if isinstance(pattern, re.Pattern):
        if pattern.flags & ~re.UNICODE:
            raise ValueError("a pattern is stored as text, without flags; write them into it, as in (?i)orders.*")
        pattern = pattern.pattern
    try:
        re.compile(text("pattern", pattern))
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


def _with_metadata(offset: Any) -> tuple[int, str]:
    if isinstance(offset, tuple) and len(offset) == 2:
        return whole_number("offset", offset[0]), text("metadata", offset[1])
    return whole_number("offset", offset), ""
