"""A log in memory: the same judging, encoding and chaining as on disk, with the rows in a list.

Events are kept encoded: the log shares no object with its callers, and refuses the same events as SqliteLog.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from odradek_events.errors import LogUnavailable, PositionBeyondHead
from odradek_events.log.judging import EMPTY_DIGEST, judge
from odradek_events.log.port import LogStore
from odradek_events.log.queries import check_bounds, check_items
from odradek_events.record import Append, Head, QueryItem, StoredCommit, Verdict
from odradek_events.schema.codec import Codec
from odradek_events.validation import check_instance, check_int

__all__ = ["MemoryLog"]

_FEW = 32  # commits


class MemoryLog(LogStore):
    """An event log in memory, lost with the object."""

    def __init__(self, codec: Codec | None = None) -> None:
        super().__init__(":memory:", codec)
        self._rows: list[StoredCommit] = []
        self._firsts: list[int] = []  # first position of each row, for bisection
        self._by_stream: dict[str, list[int]] = {}  # stream -> row numbers
        self._by_tag: dict[str, list[int]] = {}  # tag -> row numbers
        self._by_offset: dict[str, list[tuple[int, int]]] = {}  # tag -> (first offset, first position), sorted
        self._head = Head(-1, EMPTY_DIGEST, None)
        self._writing = threading.Lock()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<MemoryLog{' closed' if self.is_closed else ''} head={self._head.position}>"

    @property
    def is_closed(self) -> bool:
        """Whether the log is closed."""
        return self._is_closed

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Append in order; see the contract in `port`."""
        with self._writing:
            if self._is_closed:
                raise LogUnavailable(self.name, "it is closed")
            judged = judge(requests, recorded_at, self._head, self.stream_version, self)
            for row in judged.rows:
                self._add(row)
            self._head = judged.head
        self.growth.notify()
        return judged.verdicts

    def _add(self, row: StoredCommit) -> None:
        number = len(self._rows)
        self._rows.append(row)
        self._firsts.append(row.first_position)
        self._by_stream.setdefault(row.stream, []).append(number)
        for tag, offset in row.tags.items():
            self._by_tag.setdefault(tag, []).append(number)
            if offset is not None:
                bisect.insort(self._by_offset.setdefault(tag, []), (offset, row.first_position))

    def head(self) -> Head:
        """Return the end of the log."""
        return self._head

    def stream_version(self, stream: str) -> int:
        """Return the version of a stream's last event, or -1."""
        check_instance("stream", stream, str, "a str")
        numbers = self._by_stream.get(stream)
        if not numbers:
            return -1
        row = self._rows[numbers[-1]]
        return row.first_version + row.last_position - row.first_position

    def streams(self) -> Iterator[str]:
        """Yield every stream's name, sorted."""
        yield from sorted(self._by_stream)

    def stored(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        """Yield stored commits; see ReadableLog."""
        check_bounds(after, until, stream, tags, types)
        last = self._head.position if until is None else min(until, self._head.position)
        rows, firsts = self._rows, self._firsts
        low = max(0, bisect.bisect_right(firsts, after + 1) - 1)
        high = bisect.bisect_right(firsts, last)
        chosen: Sequence[int] = range(low, high)
        if stream is not None:
            numbers = self._by_stream.get(stream, [])
            chosen = numbers[bisect.bisect_left(numbers, low) : bisect.bisect_left(numbers, high)]
        elif tags:
            numbers = min((self._by_tag.get(tag, []) for tag in tags), key=len)
            chosen = numbers[bisect.bisect_left(numbers, low) : bisect.bisect_left(numbers, high)]
        kinds = {f"type:{name}" for name in types}
        for number in chosen:
            row = rows[number]
            if row.last_position <= after or (kinds and kinds.isdisjoint(row.tags)):
                continue
            if all(tag in row.tags for tag in tags):
                yield row

    def stored_for_any(
        self, items: Sequence[QueryItem], *, after: int = -1, until: int | None = None, stream: str | None = None
    ) -> Iterator[StoredCommit]:
        """Yield stored commits; see ReadableLog.

        Examines the commits one by one if there are few, as between the read and the append of a decision: that takes a
        tenth of the time of looking up each item.
        """
        check_items(items)
        check_bounds(after, until, stream)
        last = self._head.position if until is None else min(until, self._head.position)
        low = max(0, bisect.bisect_right(self._firsts, after + 1) - 1)
        high = bisect.bisect_right(self._firsts, last)
        if stream is not None or high - low > _FEW:
            yield from super().stored_for_any(items, after=after, until=until, stream=stream)
            return
        wanted = [(item.tags, [f"type:{name}" for name in item.types]) for item in items]
        for row in self._rows[low:high]:
            found = row.tags
            if row.last_position > after and any(
                all(tag in found for tag in tags) and (not types or any(name in found for name in types))
                for tags, types in wanted
            ):
                yield row

    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        """Return the first position of the commit that covers `offset` of `tag`; see ReadableLog."""
        check_instance("tag", tag, str, "a str")
        check_int("offset", offset)
        check_int("not_before", not_before)
        entries = self._by_offset.get(tag, [])
        for number in range(bisect.bisect_left(entries, (offset + 1, -1)) - 1, -1, -1):
            if not_before <= entries[number][1] <= self._head.position:  # exclude an append in progress
                return entries[number][1]
        return None

    def commit_of_version(self, stream: str, version: int) -> StoredCommit | None:
        """Return the stored commit that holds this version of a stream, or None."""
        check_instance("stream", stream, str, "a str")
        check_int("version", version)
        numbers = self._by_stream.get(stream, [])
        found = bisect.bisect_right(numbers, version, key=lambda number: self._rows[number].first_version)
        return self._rows[numbers[found - 1]] if found and version <= self.stream_version(stream) else None

    def commit_at(self, position: int) -> StoredCommit:
        """Return the stored commit that holds `position`."""
        check_int("position", position)
        if not 0 <= position <= self._head.position:
            raise PositionBeyondHead(position, self._head.position)
        return self._rows[bisect.bisect_right(self._firsts, position) - 1]

    def lose_tail(self, commits: int) -> None:
        """Lose the newest commits, as a disk may that a power failure interrupts before a sync. For simulations."""
        check_int("commits", commits)
        with self._writing:
            rows = self._rows[: max(0, len(self._rows) - commits)]
            self._rows, self._firsts, self._by_stream, self._by_tag, self._by_offset = [], [], {}, {}, {}
            self._head = Head(-1, EMPTY_DIGEST, None)
            for row in rows:
                self._add(row)
            if rows:
                last = rows[-1]
                self._head = Head(last.last_position, last.digest, self.codec.metadata(last).recorded_at)

    def reopen(self) -> None:
        """Do nothing, since a write to memory never has an unknown outcome."""

    def close(self) -> None:
        """Refuse further appends; the events stay readable."""
        self._is_closed = True
        self.growth.notify()
