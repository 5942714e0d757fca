"""Messages that no topic has in memory any more, read from the log.

A commit holds messages of many partitions, and readers come for one partition at a time, a poll's worth of it: each
commit would be read and decoded again for each of them. So what was decoded last is kept. `benchmarks/catching_up.py`
shows consumers three to seven times as fast for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

from odradek_events.log.port import ReadableLog
from odradek_events.record import Commit, StoredCommit
from odradek_events.types import MessageProduced

__all__ = ["CommitCache"]

_ByPartition = Mapping[int, Sequence[MessageProduced]]


class CommitCache:
    """Reads messages of topics, and keeps the commits used last: up to `limit` bytes, as they are stored.

    In memory they take a few times as much. A commit counts for half of the limit at most, so the last two are kept,
    however large: a reader comes for a poll's worth at a time, and would have all of a large one decoded for each. A
    commit is always one stream's, so one topic's. With a limit of 0 nothing is kept.
    """

    __slots__ = ("_kept", "_limit", "_log", "kept_bytes")

    def __init__(self, log: ReadableLog, limit: int) -> None:
        self._log = log
        self._limit = limit
        self._kept: OrderedDict[int, tuple[int, _ByPartition]] = OrderedDict()  # by first position: bytes, messages
        self.kept_bytes = 0

    def read(self, topic: str, partition: int, offset: int, not_before: int) -> Iterator[MessageProduced]:
        """Yield a partition's messages from `offset` on; `not_before` is where the topic's incarnation begins.

        At least one if there is one. It ends when it has gone over half of what is kept: a reader that took more of one
        partition would find nothing here when it comes for the next.
        """
        tag = f"partition:{topic}/{partition}"
        wanted, passed = offset, 0
        first = self._log.locate(tag, offset, not_before)
        while first is not None and (kept := self._kept.get(first)) is not None:  # without going to the log for it
            self._kept.move_to_end(first)
            passed += kept[0]
            before = offset
            for message in _from(kept[1].get(partition, ()), offset):
                yield message
                offset += 1
            if offset == before or passed > self._limit // 2:
                return
            first = self._log.locate(tag, offset, not_before)
        start = not_before if first is None else first
        for stored in self._log.encoded_commits(after=start - 1, tags=(tag,), types=("MessageProduced",)):
            if offset > wanted and passed > self._limit // 2 > 0:
                return
            passed += len(stored.events)
            for message in _from(self._messages(stored, start).get(partition, ()), offset):
                yield message
                offset += 1

    def _messages(self, stored: StoredCommit, start: int) -> _ByPartition:
        position = stored.first_position
        if position < start:  # it holds an earlier incarnation's too, with the same offsets
            return _by_partition(self._log.codec.commit(stored).between(start - 1, stored.last_position))
        kept = self._kept.get(position)
        if kept is not None:
            self._kept.move_to_end(position)
            return kept[1]
        messages = _by_partition(self._log.codec.commit(stored))
        self._keep(position, len(stored.events), messages)
        return messages

    def _keep(self, position: int, size: int, messages: _ByPartition) -> None:
        if not self._limit:
            return
        size = min(size, (self._limit + 1) // 2)
        self._kept[position] = size, messages
        self.kept_bytes += size
        while self.kept_bytes > self._limit:
            self.kept_bytes -= self._kept.popitem(last=False)[1][0]


def _by_partition(commit: Commit) -> _ByPartition:
    messages: dict[int, list[MessageProduced]] = {}
    for event in commit.events:
        if type(event) is MessageProduced:
            messages.setdefault(event.partition, []).append(event)
    return messages


def _from(messages: Sequence[MessageProduced], offset: int) -> Iterator[MessageProduced]:
    for message in messages:
        if message.offset == offset:
            yield message
            offset += 1
