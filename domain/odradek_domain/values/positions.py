"""Offsets, partition numbers, and the (topic, partition) pair."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

from odradek_domain.errors import InvalidOffset

__all__ = ["Offset", "PartitionId", "TopicPartition", "plain"]


class Offset(int):
    """A message's offset in its partition, 0 or more.

    >>> Offset(41).next()
    42
    """

    __slots__ = ()

    def __new__(cls, value: int) -> Self:
        if not isinstance(value, int) or value < 0:
            raise InvalidOffset("an offset", value)
        return super().__new__(cls, value)

    @property
    def value(self) -> int:
        """The plain number."""
        return int(self)

    def next(self) -> Offset:
        """Return the offset after this one."""
        return Offset(self + 1)


class PartitionId(int):
    """A partition's number within its topic, 0 or more."""

    __slots__ = ()

    def __new__(cls, value: int) -> Self:
        if not isinstance(value, int) or value < 0:
            raise InvalidOffset("a partition", value)
        return super().__new__(cls, value)


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


def plain(places: Iterable[TopicPartition]) -> tuple[tuple[str, int], ...]:
    """Return partitions as they are stored in events: plain (topic, number) pairs."""
    return tuple((place.topic, place.partition) for place in places)
