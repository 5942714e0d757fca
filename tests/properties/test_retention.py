"""Retention deletes exactly the messages that its limits say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.domain import NOON, after, given_topic, in_batches, record
from support.profiles import fewer
from support.retention import apply_retention, stored

from odradek_actors.client.system import ActorSystem
from odradek_domain.topic.partition import Partition
from odradek_domain.values.message import message_size
from odradek_events import MemoryLog
from odradek_events.types import MessageProduced, RecordsDeleted, TopicCreated, TopicDeleted

KIB = 1 << 10
sizes = st.sampled_from([0, 1, 7, 100 * KIB, 600 * KIB, 1024 * KIB, 1500 * KIB])
ages = st.integers(-2, 10)
drawn = st.lists(st.tuples(sizes, ages, st.integers(0, 1)), max_size=25)


def messages_of(drawn: list[tuple[int, int, int]]) -> list[MessageProduced]:
    """Return messages of two partitions with these ages in seconds."""
    ends = [0, 0]
    made = []
    for size, age, partition in drawn:
        made.append(stored(ends[partition], size=size, at=after(-age), partition=partition))
        ends[partition] += 1
    return made


def start_by_rule(messages: list[MessageProduced], start: int, oldest: datetime | None, size: int | None) -> int:
    """Return a partition's start after applying the limits, by checking every message."""
    while start < len(messages):
        is_old = oldest is not None and messages[start].timestamp < oldest
        is_surplus = size is not None and sum(map(message_size, messages[start + 1 :])) >= size
        if not (is_old or is_surplus):
            break
        start += 1
    return start


@given(
    drawn,
    st.none() | st.integers(1, 9000),
    st.none() | st.integers(1, 4000 * KIB) | st.sampled_from([1, 1024 * KIB, 2048 * KIB]),
    st.integers(0, 5),
)
def test_retention_keeps_exactly_the_messages_within_the_limits(
    drawn: list[tuple[int, int, int]], ms: int | None, size: int | None, deleted: int
) -> None:
    topic, messages = given_topic(partitions=2), messages_of(drawn)
    topic.apply_all(messages)
    mine = [[message for message in messages if message.partition == number] for number in range(2)]
    before = min(deleted, len(mine[0]))
    topic.apply_all(topic.delete_records(0, before, NOON))
    topic.apply_all(topic.set_retention(ms, size, NOON))

    apply_retention(topic, messages, NOON)

    oldest = None if ms is None else after(-ms / 1000)
    for partition, all_of_it in zip(topic.partitions, mine, strict=True):
        assert partition.log_start_offset == start_by_rule(all_of_it, 0 if partition.id else before, oldest, size)
    assert apply_retention(topic, messages, NOON) == []


commits = st.lists(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5), st.integers(0, 2)), min_size=1), max_size=9
)


def log_of(commits: list[list[tuple[int, int, int]]], now: datetime, topic_id: str, log: MemoryLog) -> list[list[Any]]:
    """Record a topic of three partitions with messages of given ages (hours and a half); return them by partition."""
    record(log, "topic/orders", TopicCreated("orders", topic_id, 3, NOON))
    made: list[list[Any]] = [[], [], []]
    for commit in commits:
        batch = []
        for size, hours, partition in commit:
            at = now - timedelta(hours=hours + 0.5)
            batch.append(stored(len(made[partition]), size=size, at=at, partition=partition))
            made[partition].append(batch[-1])
        record(log, "topic/orders", *batch)
    return made


@fewer(2)  # each example runs a system
@given(commits, commits, st.none() | st.integers(1, 6), st.none() | st.integers(1, 300), st.integers(0, 5))
def test_actors_apply_retention_whatever_the_size_of_commits(
    earlier: list[list[tuple[int, int, int]]],
    present: list[list[tuple[int, int, int]]],
    hours: int | None,
    size: int | None,
    deleted: int,
) -> None:
    log, now = MemoryLog(), datetime.now(UTC)
    log_of(earlier, now, "t-1", log)
    record(log, "topic/orders", TopicDeleted("orders", "t-1", NOON))
    made = log_of(present, now, "t-2", log)
    ms = None if hours is None else hours * 3_600_000

    with ActorSystem(log) as system:
        before = min(deleted, len(made[0]))
        system.delete_records("orders", 0, before)
        system.set_retention("orders", retention_ms=ms, retention_bytes=size)
        left = system.apply_retention("orders")

    oldest = None if ms is None else now - timedelta(milliseconds=ms)
    for part, messages in zip(left.partitions, made, strict=True):
        assert part.log_start_offset == start_by_rule(messages, 0 if part.id else before, oldest, size)


@given(drawn, st.lists(st.integers(0, 9), max_size=9), st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25))))
def test_size_marks_do_not_depend_on_how_events_are_batched(
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


@given(drawn, st.integers(0, 25))
def test_a_size_mark_has_the_bytes_below_its_offset(drawn: list[tuple[int, int, int]], start: int) -> None:
    messages = messages_of([(size, age, 0) for size, age, _ in drawn])
    partition = Partition(0, NOON)
    partition.append_messages(messages, None)
    partition.delete_before(start)

    assert all(sum(map(message_size, messages[:offset])) == end for offset, end in partition.sizes.marks)
    assert partition.sizes.marks[0][0] <= partition.log_start_offset
