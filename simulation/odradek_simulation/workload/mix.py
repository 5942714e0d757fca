"""What a simulation sends: a pure function of its numbers and its seed, one stream of messages per producer."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from itertools import accumulate

import msgspec

__all__ = ["MIN_MESSAGE_SIZE", "Workload", "sender_of"]

MIN_MESSAGE_SIZE = 24
"""Each value begins with its producer and its number, for the checks."""
_FILLER = 4096
_LETTERS = (string.ascii_letters + string.digits).encode()
Entry = tuple[bytes, bytes]


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """How much of everything. `key_skew` is the exponent of a Zipf distribution over `keys` keys; 0 is uniform.

    Of the `consumers` readers the first `groups` are groups of `members` each, `churn` of which end early.
    """

    topics: int
    partitions: int
    producers: int
    consumers: int
    groups: int
    members: int
    churn: int
    messages: int
    message_size: int
    batch: int
    keys: int
    key_skew: float
    seed: int

    @property
    def topic_names(self) -> list[str]:
        """The topics."""
        return [f"topic-{number}" for number in range(1, self.topics + 1)]

    def share(self, producer: int) -> int:
        """Return how many messages a producer (numbered from 1) sends."""
        return self.messages // self.producers + (producer <= self.messages % self.producers)

    def batches(self, producer: int) -> Iterator[tuple[str, list[Entry]]]:
        """Yield a producer's batches: a topic, and (key, value) pairs."""
        dice = random.Random(f"{self.seed}/{producer}")
        weights = list(accumulate(rank**-self.key_skew for rank in range(1, self.keys + 1)))
        keys = [b"key-%d" % number for number in range(1, self.keys + 1)]
        filler = bytes(dice.choices(_LETTERS, k=_FILLER + self.message_size))
        topics, share, number = self.topic_names, self.share(producer), 0
        while number < share:
            count = min(self.batch, share - number)
            topic = dice.choice(topics)
            entries = []
            for key in dice.choices(keys, cum_weights=weights, k=count):
                number += 1
                header = b"%d %d " % (producer, number)
                start = int(dice.random() * _FILLER)
                entries.append((key, header + filler[start : start + self.message_size - len(header)]))
            yield topic, entries


def sender_of(value: bytes) -> tuple[int, int]:
    """Return the producer and the number that a value begins with."""
    producer, number, _ = value.split(b" ", 2)
    return int(producer), int(number)
