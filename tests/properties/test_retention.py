"""What retention lets go is what its limits say, message for message, and never more."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support_domain import NOON, after, given_topic, in_batches
from support_retention import let_go, stored

from odradek_domain.partition import Partition
from odradek_domain.size_marks import message_size
from odradek_events.types import MessageProduced, RecordsDeleted

KIB = 1 << 10
sizes = st.sampled_from([0, 1, 7, 100 * KIB, 600 * KIB, 1024 * KIB, 1500 * KIB])
ages = st.integers(-2, 10)
drawn = st.lists(st.tuples(sizes, ages, st.integers(0, 1)), max_size=25)


def messages_of(drawn: list[tuple[int, int, int]]) -> list[MessageProduced]:
    """Return messages of two partitions, so many seconds old."""
    ends = [0, 0]
    made = []
    for size, age, partition in drawn:
        made.append(stored(ends[partition], size=size, at=after(-age), partition=partition))
        ends[partition] += 1
    return made


def start_by_rule(messages: list[MessageProduced], start: int, ms: int | None, size: int | None) -> int:
    """Return where a partition begins once the limits are applied, by looking at every message."""
    while start < len(messages):
        is_old = ms is not None and messages[start].timestamp < after(-ms / 1000)
        is_surplus = size is not None and sum(map(message_size, messages[start + 1 :])) >= size
        if not (is_old or is_surplus):
            break
        start += 1
    return start


@settings(max_examples=150, deadline=None)
@given(
    drawn,
    st.none() | st.integers(1, 9000),
    st.none() | st.integers(1, 4000 * KIB) | st.sampled_from([1, 1024 * KIB, 2048 * KIB]),
    st.integers(0, 5),
)
def test_retention_keeps_exactly_what_the_limits_say(
    drawn: list[tuple[int, int, int]], ms: int | None, size: int | None, deleted: int
) -> None:
    topic, messages = given_topic(partitions=2), messages_of(drawn)
    topic.apply_all(messages)
    mine = [[message for message in messages if message.partition == number] for number in range(2)]
    before = min(deleted, len(mine[0]))
    topic.apply_all(topic.delete_records(0, before, NOON))
    topic.apply_all(topic.set_retention(ms, size, NOON))

    let_go(topic, messages, NOON)

    for partition, all_of_it in zip(topic.partitions, mine, strict=True):
        start = partition.log_start_offset
        assert start == start_by_rule(all_of_it, 0 if partition.id else before, ms, size)
    assert let_go(topic, messages, NOON) == []


@settings(max_examples=100, deadline=None)
@given(drawn, st.lists(st.integers(0, 9), max_size=9), st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25))))
def test_marks_are_the_same_in_whatever_portions_events_are_applied(
    drawn: list[tuple[int, int, int]], portions: list[int], deletions: list[tuple[int, int]]
) -> None:
    events: list[Any] = list(messages_of([(size, age, 0) for size, age, _ in drawn]))
    for place, start in deletions:
        events.insert(place, RecordsDeleted("orders", 0, start, NOON))
    together, apart = given_topic(), given_topic()
    together.apply_all(events)
    for portion in in_batches(events, portions):
        apart.apply_all(portion)

    assert apart.snapshot() == together.snapshot()


@settings(max_examples=100, deadline=None)
@given(drawn, st.integers(0, 25))
def test_a_mark_tells_the_bytes_below_its_offset(drawn: list[tuple[int, int, int]], start: int) -> None:
    messages = messages_of([(size, age, 0) for size, age, _ in drawn])
    partition = Partition(0, NOON)
    partition.append_messages(messages, None)
    partition.delete_before(start)

    assert all(sum(map(message_size, messages[:offset])) == end for offset, end in partition.sizes.marks)
    assert partition.sizes.marks[0][0] <= partition.log_start_offset
