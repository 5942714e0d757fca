"""What a consumer of a simulation saw."""

from __future__ import annotations

from zlib import crc32

from odradek_actors.messages.consumers import ConsumerRecord
from odradek_domain.values.positions import TopicPartition
from odradek_simulation.workload.mix import sender_of

__all__ = ["ConsumerTally", "checksum"]


class ConsumerTally:
    """What one consumer saw. `problems` are the first few deliveries that were out of order, missing or repeated."""

    may_repeat = False

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"consumer-{number}"
        self.received = 0
        self.content = 0
        self.latencies: list[float] = []
        self.seconds = 0.0
        self.gaps: list[str] = []
        self.disorders: list[str] = []
        self._next_offset: dict[TopicPartition, int] = {}
        self._last_number: dict[tuple[TopicPartition, int], int] = {}

    def receive(self, messages: list[ConsumerRecord]) -> None:
        """Take in a poll's messages."""
        for message in messages:
            place = TopicPartition(message.topic, message.partition)
            expected = self._next_offset.get(place, 0)
            if message.offset != expected:
                self.gaps.append(f"{place} gave offset {message.offset} where {expected} was due")
            self._next_offset[place] = message.offset + 1
            value = message.value or b""
            producer, number = sender_of(value)
            sender = place, producer
            if number <= self._last_number.get(sender, 0):
                self.disorders.append(f"{place} gave message {number} of producer {producer} out of order")
            self._last_number[sender] = number
            self.content += checksum(message.key or b"", value)
        self.received += len(messages)


def checksum(key: bytes, value: bytes) -> int:
    """Return a number that differs for other keys and values; sums of them compare what was sent and what arrived."""
    return crc32(value, crc32(key))
