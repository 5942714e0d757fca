"""Checks a log after a crash: reads it from where the last check ended, and compares it with the acknowledgements.

The value of every message starts with its number and the size of its batch, so that a partial batch is found even if it
was not acknowledged.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from pathlib import Path

from odradek import LogStore
from odradek_events.log.judging import EMPTY_DIGEST, chain
from odradek_events.types import MessageProduced, OffsetCommitted

__all__ = ["LARGEST_BATCH", "PARTITIONS", "Promised", "Seen", "ends_in_half_a_transaction"]

PARTITIONS = 3
LARGEST_BATCH = 1000  # numbers of one batch: batch * LARGEST_BATCH + index


class Promised:
    """The acknowledgements: messages with their partitions and offsets, and the group's committed offsets."""

    def __init__(self) -> None:
        self.partitions, self.offsets, self.messages = array("b"), array("q"), array("q")
        self.committed = [0] * PARTITIONS

    def __len__(self) -> int:
        return len(self.messages)

    def note(self, line: str) -> None:
        """Note one line of the child's output: a receipt, or a commit."""
        kind, partition, offset, *message = line.split()
        if kind == "committed":
            self.committed[int(partition)] = max(self.committed[int(partition)], int(offset))
            return
        self.partitions.append(int(partition))
        self.offsets.append(int(offset))
        self.messages.append(int(message[0]))


class Seen:
    """The contents of the log as checked so far, and where the check ended."""

    def __init__(self) -> None:
        self.position, self.digest = -1, EMPTY_DIGEST
        self.places = [array("q") for _ in range(PARTITIONS)]  # by partition and offset, the message's number
        self.committed = [0] * PARTITIONS
        self._versions: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many messages."""
        return sum(map(len, self.places))

    def read_on(self, log: LogStore) -> None:
        """Read and check new commits: chain, positions, complete batches, dense offsets, and no commit backwards."""
        found: Counter[tuple[int, int]] = Counter()
        for stored in log.stored(after=self.position):
            place = stored.first_position, stored.last_position, stored.stream, stored.first_version
            assert stored.first_position == self.position + 1, f"position {self.position + 1} is missing: {place}"
            assert stored.first_version == self._versions.get(stored.stream, -1) + 1, f"a gap in a stream: {place}"
            self.digest = chain(self.digest, *place, stored.metadata, stored.events)
            assert stored.digest == self.digest, f"the chain is broken at {place}"
            commit = log.codec.commit(stored)
            self.position, self._versions[stored.stream] = commit.last_position, commit.last_version
            for event in commit.events:
                if isinstance(event, MessageProduced):
                    found[self._message(event)] += 1
                elif isinstance(event, OffsetCommitted):
                    assert event.offset >= self.committed[event.partition], f"a commit went back: {event}"
                    self.committed[event.partition] = event.offset
        for (batch, size), count in found.items():
            assert count == size, f"batch {batch} has {count} messages instead of {size}"

    def compare(self, promised: Promised, since: int = 0) -> None:
        """Check that every acknowledged message from number `since` on, and every commit, is stored."""
        for number in range(since, len(promised)):
            offset, message = promised.offsets[number], promised.messages[number]
            places = self.places[promised.partitions[number]]
            assert offset < len(places), f"acknowledged message {message} is lost: the log ends before {offset}"
            assert places[offset] == message, f"acknowledged message {message} is lost: its offset has {places[offset]}"
        for partition, offset in enumerate(promised.committed):
            assert self.committed[partition] >= offset, f"the commit of {offset} of partition {partition} is lost"

    def find_nothing_twice(self) -> None:
        """Check that no message is stored twice."""
        assert len({message for places in self.places for message in places}) == self.count, "a message is there twice"

    def _message(self, event: MessageProduced) -> tuple[int, int]:
        number, size, _ = (event.value or b"").split(b" ", 2)
        places = self.places[event.partition]
        assert event.offset == len(places), f"offset {len(places)} of partition {event.partition} is missing: {event}"
        places.append(int(number))
        return int(number) // LARGEST_BATCH, int(size)


def ends_in_half_a_transaction(path: Path) -> bool:
    """Say whether the write-ahead log of a closed or killed writer ends with frames of an incomplete transaction."""
    wal = Path(f"{path}-wal")
    content = wal.read_bytes() if wal.exists() else b""
    if len(content) < 32:
        return False
    page_size, salts = struct.unpack_from(">8xI4x8s", content)
    is_half = False
    for start in range(32, len(content) - 24, 24 + page_size):
        size_after_commit, own_salts = struct.unpack_from(">4xI8s", content, start)
        if own_salts != salts:
            break  # of an earlier use of the file
        is_half = size_after_commit == 0
    return is_half
