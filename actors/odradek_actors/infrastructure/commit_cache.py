"""Reads messages that topics no longer hold in memory from the log, and caches decoded commits.

A commit holds messages of many partitions, while a fetch reads one partition. Without a cache, every fetch would read
and decode the same commits again. With it, consumers in `benchmarks/catching_up.py` are three to seven times as fast.
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
    """Reads topics' messages through an LRU cache of decoded commits, limited to `limit` stored bytes.

    Decoded commits take a few times their stored size in memory. A commit counts as at most half of the limit, so that
    at least two commits stay cached, however large: otherwise a large commit would be decoded again for every fetch.
    A commit always belongs to one stream, hence to one topic. A limit of 0 disables the cache.
    """

    __slots__ = ("_kept", "_limit", "_log", "kept_bytes")

    def __init__(self, log: ReadableLog, limit: int) -> None:
        self._log = log
        self._limit = limit
        self._kept: OrderedDict[int, tuple[int, _ByPartition]] = OrderedDict()  # by first position: bytes, messages
        self.kept_bytes = 0

    def read(self, topic: str, partition: int, offset: int, not_before: int) -> Iterator[MessageProduced]:
        """Yield a partition's messages from `offset` on; `not_before` is the position where the topic was created.

        Yields at least one message if there is one. It stops after half of the cache limit, so that the commits read
        for one partition are still cached when the next partition is read.
        """
        tag = f"partition:{topic}/{partition}"
        wanted, passed = offset, 0
        first = self._log.locate(tag, offset, not_before)
        while first is not None and (kept := self._kept.get(first)) is not None:  # cached: no need to read the log
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
        if position < start:  # it also holds messages of a deleted topic of the same name, with the same offsets
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
