"""How many bytes a partition's messages come to, from some of its offsets on.

A retention by size asks from which message on the rest of a partition comes to so many bytes. The answer lies between
two marks, and reading the messages between them from the log finds it. A mark is due after 1 MiB or a 64th of what
the partition holds, whichever is more: so that there are few (a partition of a terabyte has some seven hundred), and
a walk reads little in proportion. Where a mark lies depends on the messages and their order alone, not on the portions
in which they are applied.

The sum of a run's bytes comes for nothing (see `partition.py`); a run is weighed message by message only where a mark
falls into it.
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
    """A marked offset, the bytes from it on, and the next marked offset, or the end of the partition."""

    offset: int
    bytes_after: int
    next_offset: int


class SizeMarks:
    """The bytes of all messages a partition ever had, and those below each marked offset, in rising order.

    The first mark is at or below the log start offset.
    """

    __slots__ = ("_due", "marks", "total")

    def __init__(self, total: int = 0, marks: Sequence[tuple[int, int]] = ((0, 0),)) -> None:
        self.total = total
        self.marks = list(marks)
        self._set_due()

    def add(self, messages: Sequence[MessageProduced], size: int) -> None:
        """Take in messages of a partition that come to `size` bytes."""
        total = self.total + size
        if total >= self._due:
            self._mark(messages)
        self.total = total

    def delete_before(self, offset: int) -> None:
        """Let marks go that are of no use for messages from `offset` on."""
        marks = self.marks
        first = bisect_left(marks, (offset + 1,)) - 1
        if first > 0:
            del marks[:first]
            self._set_due()

    def mark_for(self, size: int, end: int) -> Mark | None:
        """Return the last mark from which on there are `size` bytes or more; None if there are less in all.

        `end` is the partition's.
        """
        index = bisect_left(self.marks, self.total - size + 1, key=_bytes_of) - 1
        if index < 0:
            return None
        offset, below = self.marks[index]
        following = self.marks[index + 1][0] if index + 1 < len(self.marks) else end
        return Mark(offset, self.total - below, following)

    def _mark(self, messages: Sequence[MessageProduced]) -> None:
        ends = list(accumulate(_sizes(messages), initial=self.total))
        place = bisect_left(ends, self._due, 1)  # what came due by a deletion lies after the next message
        while place < len(ends):
            self.marks.append((messages[place - 1].offset + 1, ends[place]))
            self._set_due()
            place = bisect_left(ends, self._due, place + 1)

    def _set_due(self) -> None:
        first, last = self.marks[0][1], self.marks[-1][1]
        self._due = last + max(_APART_BYTES, (last - first) // _APART_PARTS)


def _sizes(messages: Sequence[MessageProduced]) -> list[int]:
    if not any(map(_headers_of, messages)):
        try:  # in a third of the time
            return list(map(add, map(len, map(_key_of, messages)), map(len, map(_value_of, messages))))
        except TypeError:  # a key or value of None
            pass
    return list(map(message_size, messages))


def _bytes_of(mark: tuple[int, int]) -> int:
    return mark[1]
