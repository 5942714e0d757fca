"""Checkers: pure functions over producers' receipts and consumers' messages. Names as in jepsen.tests.kafka.

A history has the sends, as `Sent` in each producer's order, and the polled messages, as a list of `Polled` for each
consumer in its order. Values are unique. A checker returns the anomalies as text; an empty list means none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

__all__ = ["Polled", "Sent", "anomalies"]

Place = tuple[str, int, int]  # topic, partition, offset


class Sent(msgspec.Struct, frozen=True):
    """A send and its outcome: `place` if it was acknowledged; `failed` if it was certainly not stored."""

    producer: str
    value: str
    place: Place | None
    failed: bool = False


class Polled(msgspec.Struct, frozen=True):
    """A message as a consumer received it."""

    value: str
    place: Place


def inconsistent_offsets(sent: Iterable[Sent], polled: Iterable[Polled]) -> list[str]:
    """One offset, two values."""
    found: dict[Place, str] = {}
    wrong = []
    for place, value in [(s.place, s.value) for s in sent if s.place] + [(p.place, p.value) for p in polled]:
        if found.setdefault(place, value) != value:
            wrong.append(f"inconsistent-offsets: {place} holds {found[place]!r} and {value!r}")
    return wrong


def duplicate(sent: Iterable[Sent], polled: Iterable[Polled]) -> list[str]:
    """One value, two offsets."""
    found: dict[str, Place] = {}
    wrong = []
    for value, place in [(s.value, s.place) for s in sent if s.place] + [(p.value, p.place) for p in polled]:
        if found.setdefault(value, place) != place:
            wrong.append(f"duplicate: {value!r} is at {found[value]} and {place}")
    return wrong


def lost_write(sent: Iterable[Sent], polled: Sequence[Polled]) -> list[str]:
    """Acknowledged, below the highest offset received of that partition, and never received."""
    highest: dict[tuple[str, int], int] = defaultdict(lambda: -1)
    for message in polled:
        topic, partition, offset = message.place
        highest[topic, partition] = max(highest[topic, partition], offset)
    given = {message.value for message in polled}
    return [
        f"lost-write: {s.value!r} at {s.place}"
        for s in sent
        if s.place and s.value not in given and s.place[2] <= highest[s.place[0], s.place[1]]
    ]


def unseen(sent: Iterable[Sent], polled: Iterable[Polled]) -> list[str]:
    """Acknowledged and never received, although every consumer read to the end."""
    given = {message.value for message in polled}
    return [f"unseen: {s.value!r} at {s.place}" for s in sent if s.place and s.value not in given]


def aborted_read(sent: Iterable[Sent], polled: Iterable[Polled]) -> list[str]:
    """A failed send was received."""
    failed = {s.value for s in sent if s.failed}
    return [f"aborted-read: {message.value!r} at {message.place}" for message in polled if message.value in failed]


def never_sent(sent: Iterable[Sent], polled: Iterable[Polled]) -> list[str]:
    """Received, but never sent."""
    known = {s.value for s in sent}
    return [f"never-sent: {message.value!r}" for message in polled if message.value not in known]


def nonmonotonic_poll(consumer: str, polled: Iterable[Polled]) -> list[str]:
    """An offset that is not above the previous one in its partition."""
    last: dict[tuple[str, int], int] = {}
    wrong = []
    for message in polled:
        topic, partition, offset = message.place
        if offset <= last.get((topic, partition), -1):
            wrong.append(f"nonmonotonic-poll: {consumer} got {message.place} after {last[topic, partition]}")
        last[topic, partition] = offset
    return wrong


def poll_skip(consumer: str, polled: Iterable[Polled]) -> list[str]:
    """A skipped offset."""
    following: dict[tuple[str, int], int] = {}
    wrong = []
    for message in polled:
        topic, partition, offset = message.place
        expected = following.get((topic, partition), offset)
        if offset > expected:
            wrong.append(f"poll-skip: {consumer} got {message.place} where {expected} was due")
        following[topic, partition] = offset + 1
    return wrong


def nonmonotonic_send(sent: Iterable[Sent]) -> list[str]:
    """A producer's later send has a lower offset than an earlier one in the same partition."""
    last: dict[tuple[str, str, int], int] = {}
    wrong = []
    for send in sent:
        if send.place is None:
            continue
        topic, partition, offset = send.place
        key = (send.producer, topic, partition)
        if offset <= last.get(key, -1):
            wrong.append(f"nonmonotonic-send: {send.producer} got {send.place} after offset {last[key]}")
        last[key] = offset
    return wrong


def gaps(sent: Iterable[Sent], ends: Mapping[tuple[str, int], int]) -> list[str]:
    """Offsets below a partition's end without an acknowledged send, for histories in which all were acknowledged."""
    places = {send.place for send in sent}
    return [
        f"gap: {topic}/{partition} has nothing at {offset}"
        for (topic, partition), end in ends.items()
        for offset in range(end)
        if (topic, partition, offset) not in places
    ]


def anomalies(sent: Sequence[Sent], polled: Mapping[str, Sequence[Polled]]) -> list[str]:
    """Return all anomalies of a history in which every consumer read to the end without a seek."""
    everything = [message for messages in polled.values() for message in messages]
    found = [check(sent, everything) for check in (inconsistent_offsets, duplicate, lost_write, unseen)]
    found += [check(sent, everything) for check in (aborted_read, never_sent)]
    found += [check(name, messages) for name, messages in polled.items() for check in (nonmonotonic_poll, poll_skip)]
    found.append(nonmonotonic_send(sent))
    return [problem for problems in found for problem in problems]
