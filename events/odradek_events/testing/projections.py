"""Case I: a view and its checkpoint change together even after failures, and a rebuild gives the same view."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from odradek_events.log.port import LogStore
from odradek_events.projections.errors import ProjectionFailed
from odradek_events.projections.runner import ProjectionRunner
from odradek_events.projections.view_file import open_views
from odradek_events.record import Query, QueryItem, Recorded
from odradek_events.testing.samples import PATIENCE, append, created, produced
from odradek_events.testing.suite import LogSuite

__all__ = ["ProjectionCases"]


class _Seen:
    """A view of all messages: one row for each in one table, and their count in another."""

    name = "seen"
    version = 1
    query = Query((QueryItem(("MessageProduced",)),))

    def __init__(self, fails_at: int = -1) -> None:
        self.fails_at = fails_at

    def create(self, db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE seen (position INTEGER, topic TEXT, value BLOB)")
        db.execute("CREATE TABLE seen_count (n INTEGER)")
        db.execute("INSERT INTO seen_count VALUES (0)")

    def apply(self, db: sqlite3.Connection, recorded: Recorded) -> None:
        event = recorded.event
        db.execute("INSERT INTO seen VALUES (?, ?, ?)", (recorded.position, event.topic, event.value))
        if recorded.position == self.fails_at:
            raise ArithmeticError("a failure between the two tables")
        db.execute("UPDATE seen_count SET n = n + 1")


class ProjectionCases(LogSuite):
    """What every log guarantees to projections."""

    @pytest.fixture
    def views(self, tmp_path: Path) -> Path:
        """Return a path for a views file."""
        return tmp_path / "views.db"

    def rows(self, views: Path) -> list[tuple[object, ...]]:
        """Return the view; check that its two tables agree."""
        db = open_views(views)
        try:
            rows = db.execute("SELECT position, topic, value FROM seen ORDER BY rowid").fetchall()
            assert db.execute("SELECT n FROM seen_count").fetchall() == [(len(rows),)]
            return rows
        finally:
            db.close()

    def fill(self, log: LogStore, name: str = "a") -> None:
        """Append ten messages and one other event."""
        for number in range(0, 10, 2):
            append(log, f"topic/{name}", produced(number, name), produced(number + 1, name))
        append(log, f"topic/{name}", created(name))

    def wanted(self, log: LogStore) -> list[tuple[object, ...]]:
        """Return the rows that the view must have."""
        return [(r.position, r.event.topic, r.event.value) for r in log.read(types=["MessageProduced"])]

    def test_a_view_has_all_matching_events_in_order_and_a_second_catch_up_changes_nothing(
        self, log: LogStore, views: Path
    ) -> None:
        self.fill(log)
        with (
            ProjectionRunner(log, views, [_Seen()], batch=3) as runner,
            ProjectionRunner(log, views, [_Seen()]) as other,
        ):
            assert runner.catch_up() == 10
            assert (runner.catch_up(), other.catch_up()) == (0, 0)
            assert runner.lag()["seen"].events == 0
        assert self.rows(views) == self.wanted(log)

    def test_a_failed_batch_changes_neither_the_view_nor_its_checkpoint(self, log: LogStore, views: Path) -> None:
        self.fill(log)
        with ProjectionRunner(log, views, [_Seen(fails_at=6)], batch=4) as runner:
            with pytest.raises(ProjectionFailed):
                runner.catch_up()
            assert self.rows(views) == self.wanted(log)[:4]
            assert runner.lag()["seen"].position == 3
        with ProjectionRunner(log, views, [_Seen()]) as runner:
            assert runner.catch_up() == 6
        assert self.rows(views) == self.wanted(log)

    def test_a_rebuilt_view_equals_the_one_that_followed_the_log(self, log: LogStore, views: Path) -> None:
        with ProjectionRunner(log, views, [_Seen()], batch=2) as runner:
            for name in "abc":
                self.fill(log, name)
                runner.catch_up()
            grown = self.rows(views)
            assert runner.rebuild() == 30
        assert self.rows(views) == grown == self.wanted(log)

    def test_a_view_that_follows_a_growing_log_misses_nothing(self, log: LogStore, views: Path) -> None:
        reached: SimpleQueue[int] = SimpleQueue()
        with ThreadPoolExecutor(1) as pool, ProjectionRunner(log, views, [_Seen()]) as runner:
            following = pool.submit(runner.run, reached.put)
            for name in "abcd":
                self.fill(log, name)
                while reached.get(timeout=PATIENCE) < log.head().position:
                    pass
            runner.stop()
            following.result(PATIENCE)
        assert self.rows(views) == self.wanted(log)
