"""The shipped views over random histories: updated in steps, built at once, and compared with the system's state."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from support.histories import World, worlds
from support.profiles import fewer

from odradek_domain.replay.lag import partition_lags
from odradek_domain.replay.system_state import SystemState
from odradek_events import Head, LogStore
from odradek_events.log import FaultyLog
from odradek_events.projections.runner import ProjectionRunner
from odradek_events.projections.shipped import shipped_projections
from odradek_events.projections.view_file import open_views
from odradek_events.types import MessageProduced, OffsetCommitted, OffsetReset, TopicDeleted

TABLES = ("topic_catalogue", "topic_catalogue_partitions", "consumer_lag", "consumer_lag_now", "messages_by_key")


class Prefix(FaultyLog):
    """A log as of a position, for readers that read up to the head."""

    def __init__(self, log: LogStore, position: int) -> None:
        super().__init__(log)
        self._position = position

    def head(self) -> Head:
        stored = self.store.commit_at(self._position)
        return Head(stored.last_position, stored.digest, None)


def tables(path: Path) -> dict[str, list[Any]]:
    """Return all rows of all tables."""
    with closing(open_views(path)) as views:
        return {name: sorted(views.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in TABLES}


def rows(path: Path, query: str) -> list[Any]:
    with closing(open_views(path)) as views:
        return views.execute(query).fetchall()


@fewer(4)  # each example writes two files
@given(worlds, st.lists(st.floats(0, 1), max_size=4), st.integers(1, 50))
def test_a_view_updated_in_steps_equals_one_built_at_once(world: World, shares: list[float], batch: int) -> None:
    head = world.log.head().position
    with tempfile.TemporaryDirectory() as directory:
        stepwise, at_once = Path(directory) / "stepwise.db", Path(directory) / "at-once.db"
        for position in (*sorted(round(share * head) for share in shares), head):
            log = Prefix(world.log, position)
            with ProjectionRunner(log, stepwise, shipped_projections(), batch=batch) as runner:
                runner.catch_up()
        with ProjectionRunner(world.log, at_once, shipped_projections()) as runner:
            runner.catch_up()
        built = tables(at_once)
        assert tables(stepwise) == built
        with ProjectionRunner(world.log, stepwise, shipped_projections(), batch=batch) as runner:
            runner.rebuild()
        assert tables(stepwise) == built


# A group commits for a life of a topic that is yet to come, then for another life of it.
FORGOTTEN = [("topic/payments", 6, 0, 0), ("group/g", 0, 1, 3), ("topic/payments", 0, 0, 0), ("group/g", 0, 0, 1)]


@fewer(4)  # each example writes a file
@given(worlds)
@example(World(FORGOTTEN))
def test_views_agree_with_the_state_of_the_system(world: World) -> None:
    state = SystemState.replay(world.log)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "views.db"
        with ProjectionRunner(world.log, path, shipped_projections()) as runner:
            runner.catch_up()
        assert rows(
            path,
            "SELECT topic, topic_id, partition, log_start_offset, high_watermark FROM topic_catalogue_partitions "
            "JOIN topic_catalogue_topics USING (topic, topic_id) WHERE deleted_at IS NULL ORDER BY 1, 3",
        ) == [
            (str(topic.name), topic.topic_id, int(part.id), part.log_start_offset, part.high_watermark)
            for topic in state.topics.values()
            for part in topic.partitions
        ]
        counts = "SELECT topic, partitions, readable_messages FROM topic_catalogue WHERE deleted_at IS NULL ORDER BY 1"
        assert rows(path, counts) == [
            (str(topic.name), len(topic.partitions), topic.message_count) for topic in state.topics.values()
        ]
        now = "SELECT owner, topic, partition, committed, end_offset, lag FROM consumer_lag_now WHERE lag IS NOT NULL"
        assert sorted(rows(path, now)) == sorted(
            (lag.owner, lag.topic, lag.partition, lag.committed, lag.high_watermark, lag.lag)
            for lag in partition_lags(state)
            if lag.committed is not None
        )
        assert rows(path, "SELECT position, owner, committed FROM consumer_lag ORDER BY 1") == list(commits(world))
        latest = 'SELECT topic, key, partition, "offset", position, value, is_tombstone, messages FROM messages_by_key'
        assert sorted(rows(path, latest)) == sorted(by_key(world))


def commits(world: World) -> Iterable[tuple[int, str, int]]:
    for recorded in world.log.read():
        event = recorded.event
        if isinstance(event, OffsetCommitted) or (isinstance(event, OffsetReset) and event.owner.startswith("group/")):
            yield recorded.position, event.owner, event.offset


def by_key(world: World) -> Iterable[tuple[Any, ...]]:
    latest: dict[tuple[str, bytes], tuple[Any, ...]] = {}
    for recorded in world.log.read():
        event = recorded.event
        if isinstance(event, TopicDeleted):
            latest = {place: row for place, row in latest.items() if place[0] != event.topic}
        elif isinstance(event, MessageProduced) and event.key is not None:
            count = latest.get((event.topic, event.key), (0,))[-1] + 1
            row = (event.partition, event.offset, recorded.position, event.value, int(event.value is None), count)
            latest[event.topic, event.key] = row
    return [(*place, *row) for place, row in latest.items()]


def test_the_lag_of_each_commit_is_the_lag_when_it_was_recorded() -> None:
    world = World([("topic/orders", 3, 3, 0), ("group/g", 0, 0, 1), ("topic/orders", 3, 5, 1), ("group/g", 0, 0, 2)])
    positions = [position for position, *_ in commits(world)]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "views.db"
        with ProjectionRunner(world.log, path, shipped_projections()) as runner:
            runner.catch_up()
        for position in positions:
            state = SystemState.replay(world.log, until=position)
            at = f"SELECT owner, topic, partition, end_offset, lag FROM consumer_lag WHERE position = {position}"
            (row,) = rows(path, at)
            known = [
                (lag.owner, lag.topic, lag.partition, lag.high_watermark, lag.lag)
                for lag in partition_lags(state)
                if lag.committed is not None
            ]
            assert row in known or row[3:] == (None, None)
    assert positions
