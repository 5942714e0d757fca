"""A sparse index of a partition: the bytes of its messages below some of its offsets.

Retention by size needs the first message from which the rest of a partition has at most a given number of bytes. It
lies between two index entries (marks), and is found by reading the messages between them from the log. A new mark is
set after 1 MiB or a 64th of the partition's size, whichever is more. So there are few marks (about seven hundred for a
partition of a terabyte), and a walk reads a small part of the partition. The marks depend only on the messages and
their order, not on the portions in which they are applied.

The total size of a run is already known (see `partition.py`); single messages are measured only if a mark falls into
the run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import add, attrgetter

import msgspec

from odradek_domain.values.message import message_size
from odradek_events.types import MessageProduced

__all__ = ["Mark", "SizeMarks"]

_APART_BYTES = 1 << 20
_APART_PARTS = 64
_key_of, _value_of, _headers_of = attrgetter("key"), attrgetter("value"), attrgetter("headers")


class Mark(msgspec.Struct, frozen=True, gc=False):
    """An indexed offset, the bytes from it to the end, and the next indexed offset or the end of the partition."""

    offset: int
    bytes_after: int
    next_offset: int


class SizeMarks:
    """The total bytes of all messages a partition ever had, and the bytes below each indexed offset, ascending.

    The first mark is at or below the log start offset.
    """

    __slots__ = ("_due", "marks", "total")

    def __init__(self, total: int = 0, marks: Sequence[tuple[int, int]] = ((0, 0),)) -> None:
        self.total = total
        self.marks = list(marks)
        self._set_due()

    def add(self, messages: Sequence[MessageProduced], size: int) -> None:
        """Add the next messages of the partition, `size` bytes in total."""
        total = self.total + size
        if total >= self._due:
            self._mark(messages)
        self.total = total

    def delete_before(self, offset: int) -> None:
        """Drop the marks that are not needed for messages from `offset` on."""
        marks = self.marks
        first = bisect_left(marks, (offset + 1,)) - 1
        if first > 0:
            del marks[:first]
            self._set_due()

    def mark_for(self, size: int, end: int) -> Mark | None:
        """Return the last mark with at least `size` bytes from it to the partition's `end`; None if there is none."""
        index = bisect_left(self.marks, self.total - size + 1, key=_bytes_of) - 1
        if index < 0:
            return None
        offset, below = self.marks[index]
        following = self.marks[index + 1][0] if index + 1 < len(self.marks) else end
        return Mark(offset, self.total - below, following)

    def _mark(self, messages: Sequence[MessageProduced]) -> None:
        ends = list(accumulate(_sizes(messages), initial=self.total))
        place = bisect_left(ends, self._due, 1)  # a mark that a deletion made due is set after the next message
        while place < len(ends):
            self.marks.append((messages[place - 1].offset + 1, ends[place]))
            self._set_due()
            place = bisect_left(ends, self._due, place + 1)

    def _set_due(self) -> None:
        first, last = self.marks[0][1], self.marks[-1][1]
        self._due = last + max(_APART_BYTES, (last - first) // _APART_PARTS)


def _sizes(messages: Sequence[MessageProduced]) -> list[int]:
    if not any(map(_headers_of, messages)):
        try:  # takes a third of the time
            return list(map(add, map(len, map(_key_of, messages)), map(len, map(_value_of, messages))))
        except TypeError:  # a key or value of None
            pass
    return list(map(message_size, messages))


def _bytes_of(mark: tuple[int, int]) -> int:
    return mark[1]
