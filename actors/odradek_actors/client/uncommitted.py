"""What a consumer's handle has handed out and not committed yet, and how people say what to commit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from odradek_actors.validation import text, whole_number
from odradek_domain.values.names import TopicName
from odradek_domain.values.positions import TopicPartition

__all__ = ["HandedOut", "OffsetsToCommit", "Wanted", "checked_pattern", "checked_place", "wanted_offsets"]

OffsetsToCommit = Mapping[TopicPartition, int | tuple[int, str]]
Wanted = tuple[tuple[TopicPartition, int, str, str | None], ...]  # partition, offset, metadata, topic id


class HandedOut:
    """Next offsets by partition, each with the id of the topic that was read.

    A commit's answer comes on an actor's thread, and may meet a message that is just being handed out: it takes nothing
    away, and notes apart, by a single operation of a dict, what is committed.
    """

    __slots__ = ("_committed", "_next")

    def __init__(self) -> None:
        self._next: dict[TopicPartition, tuple[int, str]] = {}
        self._committed: dict[TopicPartition, tuple[int, str]] = {}

    def note(self, topic: str, partition: int, offset: int, topic_id: str) -> None:
        """Note that the message at `offset` was handed out."""
        self._next[TopicPartition(topic, partition)] = offset + 1, topic_id

    def to_commit(self) -> Wanted:
        """Return what to commit, by topic and partition."""
        return tuple(
            (place, offset, "", topic_id)
            for place, (offset, topic_id) in sorted(self._next.items())
            if self._committed.get(place) != (offset, topic_id)
        )

    def committed(self, wanted: Wanted) -> None:
        """Note what is committed now, where nothing was handed out since."""
        for place, offset, _, _ in wanted:
            known = self._next.get(place)
            if known is not None and known[0] == offset:
                self._committed[place] = known

    def drop(self, places: Iterable[TopicPartition]) -> None:
        """Forget partitions that are read no longer, or from elsewhere."""
        for place in places:
            self._next.pop(place, None)
            self._committed.pop(place, None)

    def clear(self) -> None:
        """Forget all."""
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
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


def _with_metadata(offset: Any) -> tuple[int, str]:
    if isinstance(offset, tuple) and len(offset) == 2:
        return whole_number("offset", offset[0]), text("metadata", offset[1])
    return whole_number("offset", offset), ""
