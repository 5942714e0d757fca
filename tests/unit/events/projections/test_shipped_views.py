"""The shipped views in cases that random histories seldom reach: recreated topics, offsets below the log start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.log import START, append, at, created, produced

from odradek_events import MemoryLog
from odradek_events.projections.runner import ProjectionRunner
from odradek_events.projections.shipped import shipped_projections
from odradek_events.projections.view_file import open_views
from odradek_events.types import (
    GroupDeleted,
    OffsetCommitted,
    OffsetReset,
    OffsetsExpired,
    PartitionsAdded,
    RecordsDeleted,
    TopicDeleted,
)


class Views:
    """A log and its views."""

    def __init__(self, path: Path) -> None:
        self.log = MemoryLog()
        self._path = path
        self._runner = ProjectionRunner(self.log, path, shipped_projections())

    def topic(self, *events: Any, when: float = 0) -> None:
        append(self.log, "topic/orders", *events, when=when)

    def group(self, event: Any, when: float = 0) -> None:
        append(self.log, "group/g", event, when=when)

    def rows(self, query: str) -> list[Any]:
        self._runner.catch_up()
        with closing(open_views(self._path)) as db:
            return db.execute(query).fetchall()

    def close(self) -> None:
        self._runner.close()


@pytest.fixture
def views(tmp_path: Path) -> Iterator[Views]:
    """Yield views of a log with five messages in orders/0."""
    views = Views(tmp_path / "views.db")
    views.topic(created(), *(produced(offset) for offset in range(5)))
    yield views
    views.close()


def committed(offset: int, topic_id: str = "t-1", partition: int = 0) -> OffsetCommitted:
    return OffsetCommitted("group/g", "orders", topic_id, partition, offset, START, "c")


def test_the_lag_of_a_commit_below_the_log_start_counts_readable_messages_only(views: Views) -> None:
    views.topic(RecordsDeleted("orders", 0, 3, START))
    views.group(committed(1))
    assert views.rows("SELECT committed, end_offset, lag FROM consumer_lag") == [(1, 5, 2)]
    views.topic(RecordsDeleted("orders", 0, 4, START))
    assert views.rows("SELECT lag FROM consumer_lag_now") == [(1,)]
    assert views.rows("SELECT lag FROM consumer_lag") == [(2,)]


def test_the_lag_at_a_commit_is_fixed_and_the_current_lag_grows(views: Views) -> None:
    views.group(committed(2), when=1)
    views.topic(produced(5))
    views.group(committed(4), when=2)
    views.topic(produced(6), produced(7))
    assert views.rows("SELECT at, committed, end_offset, lag FROM consumer_lag ORDER BY position") == [
        (at(1).isoformat(), 2, 5, 3),
        (at(2).isoformat(), 4, 6, 2),
    ]
    assert views.rows("SELECT owner, committed, end_offset, lag FROM consumer_lag_now") == [("group/g", 4, 8, 4)]


def test_commits_for_a_deleted_topic_have_no_lag_even_after_it_is_recreated(views: Views) -> None:
    views.group(committed(2))
    views.topic(TopicDeleted("orders", "t-1", START))
    views.group(committed(3))
    assert views.rows("SELECT end_offset, lag FROM consumer_lag ORDER BY position") == [(5, 3), (None, None)]
    views.topic(created(topic_id="t-2"), produced(0))
    views.group(committed(4))
    assert views.rows("SELECT end_offset, lag FROM consumer_lag_now") == [(None, None)]
    views.group(committed(1, "t-2"))
    assert views.rows("SELECT committed, end_offset, lag FROM consumer_lag_now") == [(1, 1, 0)]


def test_a_commit_for_a_recreated_topic_replaces_the_offsets_of_the_old_one(views: Views) -> None:
    views.group(committed(2, partition=0))
    views.group(committed(0, "t-2", partition=1))
    assert views.rows("SELECT topic_id, partition FROM consumer_lag_now") == [("t-2", 1)]
    assert len(views.rows("SELECT * FROM consumer_lag")) == 2


def test_a_group_reset_is_recorded_and_a_consumer_seek_is_not(views: Views) -> None:
    views.group(committed(4))
    views.group(OffsetReset("group/g", "orders", "t-1", 0, 1, "operator", START))
    append(views.log, "consumer/c", OffsetReset("consumer/c", "orders", "t-1", 0, 0, "seek", START))
    assert views.rows("SELECT committed, lag, consumer_id FROM consumer_lag ORDER BY position") == [
        (4, 1, "c"),
        (1, 4, None),
    ]


def test_expired_and_deleted_offsets_leave_the_current_lag_but_stay_in_its_history(views: Views) -> None:
    views.group(committed(1))
    views.group(committed(0, partition=1))
    views.group(OffsetsExpired("group/g", (("orders", 0),), "deleted", START))
    assert views.rows("SELECT partition FROM consumer_lag_now") == [(1,)]
    views.group(GroupDeleted("g", START))
    assert views.rows("SELECT * FROM consumer_lag_now") == []
    assert len(views.rows("SELECT * FROM consumer_lag")) == 2


def test_the_catalogue_has_a_row_for_every_creation_of_a_topic(views: Views) -> None:
    views.topic(PartitionsAdded("orders", 3, START), produced(0, partition=2))
    views.topic(RecordsDeleted("orders", 0, 2, START))
    views.topic(TopicDeleted("orders", "t-1", START), when=1)
    views.topic(created(topic_id="t-2"), produced(0), when=2)
    assert views.rows("SELECT * FROM topic_catalogue ORDER BY created_at") == [
        ("orders", "t-1", at(0).isoformat(), at(1).isoformat(), 3, 4, 6),
        ("orders", "t-2", at(2).isoformat(), None, 2, 1, 1),
    ]
    bounds = "SELECT partition, log_start_offset, high_watermark FROM topic_catalogue_partitions WHERE topic_id = 't-1'"
    assert views.rows(bounds) == [(0, 2, 5), (1, 0, 0), (2, 0, 1)]


def test_the_latest_message_of_each_key_is_kept_and_messages_without_a_key_are_skipped(views: Views) -> None:
    def keyed(offset: int, key: bytes | None, value: bytes | None) -> Any:
        return msgspec.structs.replace(produced(offset, value=value), key=key)

    views.topic(keyed(5, b"a", b"1"), keyed(6, b"", b"2"), keyed(7, b"a", None), keyed(8, None, b"3"))
    latest = 'SELECT key, "offset", position, value, is_tombstone, messages FROM messages_by_key'
    assert views.rows(latest) == [(b"", 6, 7, b"2", 0, 1), (b"a", 7, 8, None, 1, 2)]
    views.topic(keyed(9, b"a", b"4"))
    assert views.rows(latest)[1] == (b"a", 9, 10, b"4", 0, 3)
    views.topic(TopicDeleted("orders", "t-1", START))
    assert views.rows(latest) == []
