"""Offsets found by time equal those found by checking every message."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.domain import NOON, after, record
from support.retention import stored

from odradek_domain.replay.log_scans import finished, offsets_at_time
from odradek_events import MemoryLog
from odradek_events.types import MessageProduced, PartitionsAdded, RecordsDeleted, TopicCreated, TopicDeleted

commits = st.lists(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), min_size=1, max_size=8), max_size=9)


def recorded(log: MemoryLog, topic_id: str, commits: list[list[tuple[int, int]]]) -> list[list[MessageProduced]]:
    """Record a topic of two partitions and then three; return its messages by partition."""
    record(log, "topic/orders", TopicCreated("orders", topic_id, 2, NOON))
    record(log, "topic/orders", PartitionsAdded("orders", 3, NOON))
    made: list[list[Any]] = [[], [], []]
    for commit in commits:
        batch = []
        for seconds, partition in commit:
            batch.append(stored(len(made[partition]), at=after(seconds), partition=partition))
            made[partition].append(batch[-1])
        record(log, "topic/orders", *batch)
    return made


@given(commits, commits, st.integers(-1, 21), st.integers(0, 12))
def test_an_offset_for_a_time_is_the_first_readable_message_at_or_after_it(
    earlier: list[list[tuple[int, int]]], present: list[list[tuple[int, int]]], seconds: int, deleted: int
) -> None:
    log = MemoryLog()
    recorded(log, "t-1", earlier)
    record(log, "topic/orders", TopicDeleted("orders", "t-1", NOON))
    made = recorded(log, "t-2", present)
    start = min(deleted, len(made[0]))
    record(log, "topic/orders", RecordsDeleted("orders", 0, start, NOON))

    found = finished(offsets_at_time(log, "orders", after(seconds)))

    readable = [made[0][start:], *made[1:]]
    assert found.topic_id == "t-2"
    assert found.offsets == tuple(
        next((message.offset for message in part if message.timestamp >= after(seconds)), None) for part in readable
    )
