"""What the clients of a workload saw.

Clients run side by side and share no lock, so each tally has one writer. A ConsumerTally belongs to one consumer, which
checks the order of what it receives. What it received goes through a queue to the ReaderTally of its reader (a group,
or a consumer without one), which counts each message once; the run collects from that queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from zlib import crc32

import msgspec

from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.messages.consumers import ConsumerRecord
from odradek_actors.messages.producers import Receipt
from odradek_domain.values.positions import TopicPartition
from odradek_simulation.workload.mix import sender_of

__all__ = ["ConsumerTally", "ProducerTally", "ReaderTally", "checksum"]


class ProducerTally:
    """What one producer saw: the offsets that it was given, in the order sent, and the checksum of what it sent.

    `latencies` are in seconds; `ended_at` is a time of the runtime's monotonic clock, as everywhere here.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.acknowledged = 0
        self.offsets: dict[TopicPartition, list[int]] = {}
        self.content = 0
        self.latencies: list[float] = []
        self.ended_at: float | None = None

    def acknowledge(self, receipts: Sequence[Receipt], content: int) -> None:
        """Take in the receipts of a batch and the checksum of its messages."""
        for receipt in receipts:
            place = TopicPartition(receipt.topic, receipt.partition)
            offsets = self.offsets.get(place)
            if offsets is None:
                offsets = self.offsets[place] = []
            offsets.append(receipt.offset)
        self.content += content
        self.acknowledged += len(receipts)


class _Stretch(msgspec.Struct, frozen=True):
    """Messages with consecutive offsets of one partition: the first offset, and the checksum of each message."""

    place: TopicPartition
    first_offset: int
    checksums: list[int]


class _SeenOffsets:
    """The offsets of a partition that a reader has seen: all below `due`, and those in `beyond`."""

    def __init__(self) -> None:
        self.due = 0
        self.beyond: set[int] = set()

    def add(self, stretch: _Stretch) -> list[int]:
        """Add the offsets of a stretch; return the checksums of the messages that are new."""
        if stretch.first_offset == self.due and not self.beyond:  # as nearly always
            self.due += len(stretch.checksums)
            return stretch.checksums
        return [
            checksum for offset, checksum in enumerate(stretch.checksums, stretch.first_offset) if self._add(offset)
        ]

    def _add(self, offset: int) -> bool:
        if offset < self.due or offset in self.beyond:
            return False
        self.beyond.add(offset)
        while self.due in self.beyond:
            self.beyond.remove(self.due)
            self.due += 1
        return True


class ReaderTally:
    """What one reader saw, each message counted once; `repeats` are messages that came again.

    With `may_repeat` repeats are no problem: a message comes again when the member that had it ended before its commit.
    """

    def __init__(self, name: str, *, may_repeat: bool = False) -> None:
        self.name = name
        self.may_repeat = may_repeat
        self.received = 0
        self.repeats = 0
        self.content = 0
        self.consumers: list[ConsumerTally] = []
        self._first_repeat = ""
        self._delivered: deque[_Stretch] = deque()
        self._seen: dict[TopicPartition, _SeenOffsets] = {}

    def new_consumer(self) -> ConsumerTally:
        """Return the tally for a consumer of this reader; may be called by any client."""
        tally = ConsumerTally(self._delivered)
        self.consumers.append(tally)
        return tally

    def collect(self) -> None:
        """Count what its consumers received since the last call. Only one client may call this."""
        while self._delivered:
            stretch = self._delivered.popleft()
            seen = self._seen.setdefault(stretch.place, _SeenOffsets())
            new = seen.add(stretch)
            self.received += len(new)
            self.content += sum(new)
            repeats = len(stretch.checksums) - len(new)
            self.repeats += repeats
            if repeats and not self.may_repeat and not self._first_repeat:
                self._first_repeat = f"{stretch.place} gave {repeats} offsets from {stretch.first_offset} on again"

    @property
    def gap(self) -> str:
        """The first offset that came again or was skipped, as a sentence; empty if none was."""
        return _first([self._first_repeat, *(tally.gap for tally in self.consumers)])

    @property
    def disorder(self) -> str:
        """The first message that came out of its producer's order, as a sentence; empty if none did."""
        return _first(tally.disorder for tally in self.consumers)

    @property
    def latencies(self) -> list[float]:
        """The seconds that each poll with messages took."""
        return [seconds for tally in self.consumers for seconds in tally.latencies]

    @property
    def refused_commits(self) -> int:
        """How many commits of its consumers were refused."""
        return sum(tally.refused_commits for tally in self.consumers)

    @property
    def last_received_at(self) -> float | None:
        """When the last message came."""
        return max((at for tally in self.consumers if (at := tally.last_received_at) is not None), default=None)


class ConsumerTally(RebalanceListener):
    """What one consumer saw. In a partition it must see offsets and messages in order while the partition is its own.

    `gap` and `disorder` are the first offset that was not due and the first message out of its producer's order.
    """

    def __init__(self, delivered: deque[_Stretch]) -> None:
        self.gap = ""
        self.disorder = ""
        self.latencies: list[float] = []
        self.refused_commits = 0
        self.last_received_at: float | None = None
        self._delivered = delivered
        self._next_offset: dict[TopicPartition, int] = {}
        self._last_number: dict[tuple[TopicPartition, int], int] = {}

    def on_partitions_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Expect nothing in particular of these: they are read from the committed offset on."""
        for place in partitions:
            self._next_offset.pop(place, None)
        self._last_number = {sender: last for sender, last in self._last_number.items() if sender[0] not in partitions}

    def receive(self, messages: Sequence[ConsumerRecord]) -> None:
        """Take in the messages of a poll."""
        stretches: list[_Stretch] = []
        growing: dict[TopicPartition, _Stretch] = {}
        for message in messages:
            place = TopicPartition(message.topic, message.partition)
            value = message.value or b""
            self._check_producer_order(place, value)
            is_next = message.offset == self._next_offset.get(place)
            if not is_next and place in self._next_offset and not self.gap:
                self.gap = f"{place} gave offset {message.offset} where {self._next_offset[place]} was due"
            self._next_offset[place] = message.offset + 1
            if not is_next or place not in growing:
                growing[place] = _Stretch(place, message.offset, [])
                stretches.append(growing[place])
            growing[place].checksums.append(checksum(message.key or b"", value))
        self._delivered.extend(stretches)  # only now: what the reader collects must not grow any more

    def _check_producer_order(self, place: TopicPartition, value: bytes) -> None:
        producer, number = sender_of(value)
        if number <= self._last_number.get((place, producer), 0) and not self.disorder:
            self.disorder = f"{place} gave message {number} of producer {producer} out of order"
        self._last_number[place, producer] = number


def checksum(key: bytes, value: bytes) -> int:
    """Return a number that differs for other keys and values; sums of them compare what was sent and what arrived."""
    return crc32(value, crc32(key))


def _first(sentences: Iterable[str]) -> str:
    return next(filter(None, sentences), "")
