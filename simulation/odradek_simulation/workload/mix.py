"""What a workload sends: a pure function of its numbers and its seed, with one stream of messages per producer.

The only module of the simulation that uses `random`: each generator here starts from the workload's seed, so the same
workload always sends the same messages.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from itertools import accumulate
from zlib import crc32

import msgspec

from odradek_actors.validation import whole_number
from odradek_domain.errors import MAX_PARTITIONS

__all__ = ["LIMITS", "MAX_KEY_SKEW", "SMALL", "Entry", "Workload", "number_of"]

_MIN_MESSAGE_SIZE = 24  # each value begins with its producer and its number, so it is unique
LIMITS: dict[str, tuple[int, int | None]] = {
    "topics": (1, 1000),
    "partitions": (1, MAX_PARTITIONS),
    "producers": (1, 1000),
    "consumers": (0, 1000),
    "groups": (0, 1000),
    "members": (1, 1000),
    "churn": (0, 1000),
    "messages": (0, None),
    "message_size": (_MIN_MESSAGE_SIZE, 1 << 20),
    "batch": (1, 100_000),
    "keys": (1, 1_000_000),
}
"""The smallest and the largest value of each whole number of a Workload; None: there is no largest."""
MAX_KEY_SKEW = 10
_FILLER = 4096
_LETTERS = (string.ascii_letters + string.digits).encode()
_POLLS_BEFORE_END = (2, 6)
Entry = tuple[bytes, bytes]


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What a workload consists of. A number that is out of range raises ValueError, one of a wrong type TypeError.

    topics        how many topics, named topic-1, topic-2, ...
    partitions    partitions of each topic
    producers     how many producers, which share the messages evenly
    consumers     how many readers; each reads all messages of all topics
    groups        how many of these readers are consumer groups; the others are consumers without a group
    members       members of each group, which share its partitions
    churn         how many members of each group leave, stall or die while it reads; others replace them
    messages      messages that all producers send together
    message_size  bytes of each value
    batch         messages of one send; a poll returns up to ten times as many
    keys          how many different keys
    key_skew      exponent of the keys' Zipf distribution; 0 is uniform
    seed          any whole number; the same seed gives each producer the same messages
    """

    topics: int = 2
    partitions: int = 4
    producers: int = 4
    consumers: int = 3
    groups: int = 2
    members: int = 2
    churn: int = 0
    messages: int = 200_000
    message_size: int = 100
    batch: int = 100
    keys: int = 1000
    key_skew: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = whole_number(name, getattr(self, name), least)
            if most is not None and value > most:
                raise ValueError(f"{name} must be {most} or less, not {value}")
        whole_number("seed", self.seed, None)
        if type(self.key_skew) not in (int, float):
            raise TypeError(f"key_skew is a number, not {self.key_skew!r}")
        if not 0 <= self.key_skew <= MAX_KEY_SKEW:
            raise ValueError(f"key_skew must be 0 to {MAX_KEY_SKEW}, not {self.key_skew}")
        if self.groups > self.consumers:
            raise ValueError(
                f"groups={self.groups} is more than consumers={self.consumers}, of which they are a part; "
                "lower groups or raise consumers"
            )

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

    def polls_before_ends(self, group: str, member: int) -> Iterator[int]:
        """Yield after how many polls with messages a member of a group may come to an end, again and again."""
        dice = random.Random(f"{self.seed}/{group}/{member}")
        while True:
            yield dice.randint(*_POLLS_BEFORE_END)


SMALL = Workload(
    partitions=2, producers=2, consumers=2, groups=1, churn=1, messages=60, message_size=24, batch=3, keys=5
)
"""The usual workload of a world: small, because most bugs show in small worlds, and many of those can be run."""


def number_of(key: bytes | None, value: bytes | None) -> int:
    """Return a 64-bit number that identifies a message: a checksum of what its value begins with, and one of it all.

    The first differs between the messages of a workload, the second shows whether key and value are as they were sent.
    """
    content = value or b""
    return crc32(content[:_MIN_MESSAGE_SIZE]) << 32 | crc32(content, crc32(key or b""))
