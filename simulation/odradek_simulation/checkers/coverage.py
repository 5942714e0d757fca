"""Sets of offsets, kept as ranges: the offsets of messages are nearly all consecutive."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from odradek_domain.values.positions import TopicPartition

__all__ = ["Coverage"]


class Coverage:
    """The offsets of each partition that were added so far. Memory grows with the gaps between them, not with them.

    `added` counts the offsets, each once; `repeated` counts those that were added when they were there already.
    """

    def __init__(self) -> None:
        self.added = 0
        self.repeated = 0
        self._bounds: dict[TopicPartition, list[int]] = {}  # begin, end, begin, end, ...; sorted, without neighbours

    def add(self, partition: TopicPartition, begin: int, end: int) -> list[range]:
        """Add the offsets from `begin` to before `end`; return those of them that were there already."""
        if begin >= end:
            return []
        repeats = self.common(partition, begin, end)
        repeated = sum(map(len, repeats))
        self.repeated += repeated
        self.added += end - begin - repeated
        bounds = self._bounds.setdefault(partition, [])
        low, high = bisect_left(bounds, begin), bisect_right(bounds, end)
        # An odd index lies within a range, or touches its end: that range and the new one become one.
        bounds[low:high] = ([] if low % 2 else [begin]) + ([] if high % 2 else [end])
        return repeats

    def common(self, partition: TopicPartition, begin: int, end: int) -> list[range]:
        """Return which of the offsets from `begin` to before `end` were added."""
        bounds = self._bounds.get(partition, [])
        first = (bisect_right(bounds, begin) - 1) // 2 * 2 if bounds and begin >= bounds[0] else 0
        found = []
        for index in range(first, len(bounds), 2):
            if bounds[index] >= end:
                break
            low, high = max(begin, bounds[index]), min(end, bounds[index + 1])
            if low < high:
                found.append(range(low, high))
        return found

    def missing(self, partition: TopicPartition, begin: int, end: int) -> list[range]:
        """Return which of the offsets from `begin` to before `end` were not added."""
        found, at = [], begin
        for covered in self.common(partition, begin, end):
            if at < covered.start:
                found.append(range(at, covered.start))
            at = covered.stop
        return [*found, range(at, end)] if at < end else found

    def end(self, partition: TopicPartition) -> int:
        """Return the offset after the highest one, or 0."""
        bounds = self._bounds.get(partition)
        return bounds[-1] if bounds else 0
