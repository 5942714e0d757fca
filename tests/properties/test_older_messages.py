"""Messages read from the log equal the stored ones, whatever the cache contains, and are decoded once."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.domain import NOON, record
from support.log import CountingCodec
from support.retention import stored

from odradek_actors.infrastructure.commit_cache import CommitCache
from odradek_events import MemoryLog
from odradek_events.types import MessageProduced, TopicCreated, TopicDeleted

PARTITIONS = 3
batches = st.lists(st.lists(st.integers(0, PARTITIONS - 1), min_size=1, max_size=8), max_size=9)


def messages_of(batches: list[list[int]]) -> list[list[MessageProduced]]:
    """Return batches of messages, each in the partition with its number."""
    ends = [0] * PARTITIONS
    made = []
    for batch in batches:
        made.append(
            [
                stored(ends[partition] + batch[:at].count(partition), partition=partition)
                for at, partition in enumerate(batch)
            ]
        )
        for partition in batch:
            ends[partition] += 1
    return made


@given(batches, batches, st.booleans(), st.sampled_from([0, 1, 700, 1 << 20]), st.data())
def test_a_read_returns_the_next_messages_of_the_partition(
    earlier: list[list[int]], present: list[list[int]], in_one_commit: bool, limit: int, data: st.DataObject
) -> None:
    log = MemoryLog()
    record(log, "topic/orders", TopicCreated("orders", "t-1", PARTITIONS, NOON))
    for batch in messages_of(earlier):
        record(log, "topic/orders", *batch)
    made = messages_of(present)
    again: list[Any] = [TopicDeleted("orders", "t-1", NOON), TopicCreated("orders", "t-2", PARTITIONS, NOON)]
    old = [stored(0), stored(1), stored(0, partition=1)] if in_one_commit and not earlier else []
    record(log, "topic/orders", *old, *again, *(made[0] if in_one_commit and made else []))
    begins = next(found.position for found in log.read(types=["TopicCreated"]) if found.event.topic_id == "t-2")
    for batch in made[1 if in_one_commit else 0 :]:
        record(log, "topic/orders", *batch)
    older = CommitCache(log, limit)

    for partition, offset in data.draw(
        st.lists(st.tuples(st.integers(0, PARTITIONS - 1), st.integers(0, 12)), max_size=8)
    ):
        wanted = [message for batch in made for message in batch if message.partition == partition][offset:]
        found = list(older.read("orders", partition, offset, begins))
        assert found == wanted[: len(found)]
        assert found or not wanted
        assert len(found) == len(wanted) or limit in (1, 700)
        assert older.kept_bytes <= limit


def test_a_commit_is_decoded_once_for_all_its_partitions() -> None:
    codec = CountingCodec()
    log = MemoryLog(codec)
    record(log, "topic/orders", TopicCreated("orders", "t-1", PARTITIONS, NOON))
    for batch in messages_of([[0, 1, 2] * 10] * 5):
        record(log, "topic/orders", *batch)
    older = CommitCache(log, 1 << 20)
    codec.decoded = 0

    read = [len(list(older.read("orders", partition, offset, 0))) for offset in (0, 20) for partition in (0, 1, 2)]

    assert read == [50, 50, 50, 30, 30, 30]
    assert codec.decoded == 5


def test_a_read_ends_before_it_evicts_commits_that_the_next_one_needs() -> None:
    codec = CountingCodec()
    log = MemoryLog(codec)
    record(log, "topic/orders", TopicCreated("orders", "t-1", PARTITIONS, NOON))
    for batch in messages_of([[0, 1, 2] * 10] * 40):
        record(log, "topic/orders", *batch)
    commit = next(log.stored(after=5))
    older = CommitCache(log, 8 * len(commit.events))
    codec.decoded = 0
    positions = [0] * PARTITIONS

    while sum(positions) < 1200:
        for partition in range(PARTITIONS):
            positions[partition] += len(list(older.read("orders", partition, positions[partition], 0)))

    assert positions == [400, 400, 400]
    assert codec.decoded < 60


@given(st.integers(1, 2000))
def test_commits_larger_than_the_limit_are_not_decoded_again_for_each_poll(limit: int) -> None:
    codec = CountingCodec()
    log = MemoryLog(codec)
    record(log, "topic/orders", TopicCreated("orders", "t-1", PARTITIONS, NOON))
    for batch in messages_of([[0, 1, 2] * 100] * 2):
        record(log, "topic/orders", *batch)
    older = CommitCache(log, limit)
    codec.decoded = 0

    for offset in range(0, 200, 10):
        for partition in range(PARTITIONS):
            assert len(list(itertools.islice(older.read("orders", partition, offset, 0), 10))) == 10

    assert codec.decoded == 2
    assert older.kept_bytes <= limit
