"""Projections: a view and its checkpoint change together, even after failures."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.disk import crashed
from support.log import append, created, produced

from odradek_events import LogStore, MemoryLog, Query, QueryItem, Recorded, SqliteLog
from odradek_events.errors import LogUnavailable
from odradek_events.projections.errors import (
    NotViews,
    ProjectionFailed,
    ProjectionOutdated,
    ViewsOfAnotherLog,
    ViewsUnavailable,
)
from odradek_events.projections.runner import ProjectionLag, ProjectionRunner
from odradek_events.projections.view_file import open_views

Hook = Callable[[sqlite3.Connection, Recorded], None]


class Values:
    """Keeps the value of every message, and counts them in a second table."""

    def __init__(self, name: str = "message_values", version: int = 1, hook: Hook | None = None) -> None:
        self.name, self.version = name, version
        self.query = Query((QueryItem(("MessageProduced",)),))
        self.hook = hook

    def create(self, db: sqlite3.Connection) -> None:
        db.execute(f"CREATE TABLE {self.name} (position INTEGER PRIMARY KEY, value BLOB)")
        db.execute(f'CREATE TABLE "{self.name} count" (n INTEGER)')
        db.execute(f'INSERT INTO "{self.name} count" VALUES (0)')

    def apply(self, db: sqlite3.Connection, recorded: Recorded) -> None:
        db.execute(f"INSERT INTO {self.name} VALUES (?, ?)", (recorded.position, recorded.event.value))
        if self.hook is not None:
            self.hook(db, recorded)
        db.execute(f'UPDATE "{self.name} count" SET n = n + 1')


def filled(log: LogStore, messages: int = 10) -> None:
    """Create a topic at position 0 and send messages, two in each commit, each commit a second later."""
    append(log, "topic/orders", created())
    for offset in range(0, messages, 2):
        append(log, "topic/orders", produced(offset), produced(offset + 1), when=offset / 2 + 1)


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    filled(log)
    return log


@pytest.fixture
def views(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


@pytest.fixture
def runner(log: MemoryLog, views: Path) -> Iterator[ProjectionRunner]:
    with ProjectionRunner(log, views, [Values()], batch=3) as runner:
        yield runner


def seen(views: Path, name: str = "message_values") -> list[int]:
    """Return the positions in a view; check that its two tables agree."""
    reader = open_views(views)
    try:
        positions = [row[0] for row in reader.execute(f"SELECT position FROM {name} ORDER BY position")]
        assert reader.execute(f'SELECT n FROM "{name} count"').fetchall() == [(len(positions),)]
        return positions
    finally:
        reader.close()


def standing(runner: ProjectionRunner) -> int:
    """Return the checkpoint's position of the only view."""
    (lag,) = runner.lag().values()
    return lag.position


def at_position(wanted: int, act: Callable[[sqlite3.Connection], Any]) -> Hook:
    """Return a hook that acts at one event."""
    return lambda db, recorded: act(db) if recorded.position == wanted else None


def breaks(_: sqlite3.Connection) -> None:
    raise ArithmeticError("no")


# -- catching up ------------------------------------------------------------------------------------------------------


def test_a_view_has_all_matching_events_and_a_checkpoint_at_the_head(runner: ProjectionRunner, views: Path) -> None:
    assert runner.catch_up() == 10
    assert seen(views) == list(range(1, 11))
    assert runner.lag() == {"message_values": ProjectionLag(10, 0, 0.0)}
    assert runner.catch_up() == 0


def test_a_view_continues_from_its_checkpoint(log: MemoryLog, runner: ProjectionRunner, views: Path) -> None:
    runner.catch_up()
    runner.close()
    append(log, "topic/orders", produced(10), when=9)
    with ProjectionRunner(log, views, [Values()]) as again:
        assert again.catch_up() == 1
    assert seen(views) == list(range(1, 12))


def test_events_that_do_not_match_still_move_the_checkpoint(log: MemoryLog, runner: ProjectionRunner) -> None:
    runner.catch_up()
    append(log, "topic/payments", created("payments"), when=9)
    assert runner.lag()["message_values"] == ProjectionLag(10, 1, 4.0)
    assert runner.catch_up() == 0
    assert runner.lag()["message_values"] == ProjectionLag(11, 0, 0.0)


def test_the_lag_of_a_view_that_was_never_built_is_the_whole_log(runner: ProjectionRunner) -> None:
    assert runner.lag() == {"message_values": ProjectionLag(-1, 11, 5.0)}


def test_an_empty_log_has_empty_views(views: Path) -> None:
    with ProjectionRunner(MemoryLog(), views, [Values()]) as runner:
        assert (runner.catch_up(), runner.rebuild(), seen(views)) == (0, 0, [])
        assert runner.lag() == {"message_values": ProjectionLag(-1, 0, 0.0)}


def test_progress_is_reported_after_each_transaction_and_at_the_end(runner: ProjectionRunner) -> None:
    reported: list[tuple[str, int]] = []
    runner.catch_up(lambda name, position: reported.append((name, position)))
    assert reported == [("message_values", position) for position in (3, 6, 9, 10, 10)]


def test_projections_in_one_file_have_separate_checkpoints(log: MemoryLog, views: Path) -> None:
    with ProjectionRunner(log, views, [Values("one")]) as runner:
        runner.catch_up()
    append(log, "topic/orders", produced(10))
    with ProjectionRunner(log, views, [Values("one"), Values("two")]) as runner:
        assert {name: lag.position for name, lag in runner.lag().items()} == {"one": 10, "two": -1}
        assert runner.catch_up() == 12
    assert seen(views, "one") == seen(views, "two") == list(range(1, 12))


# -- at most once, at least once --------------------------------------------------------------------------------------


def test_a_second_runner_on_the_file_does_not_apply_events_again(log: MemoryLog, views: Path) -> None:
    with ProjectionRunner(log, views, [Values()], batch=2) as other:

        def on_progress(_: str, position: int) -> None:
            if position == 4:
                assert other.catch_up() == 6

        with ProjectionRunner(log, views, [Values()], batch=4) as slow:
            assert slow.catch_up(on_progress) == 4
    assert seen(views) == list(range(1, 11))


def test_runners_in_several_threads_apply_each_event_once(views: Path, tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db", durability="off") as log:
        filled(log, 300)
        runners = [ProjectionRunner(log, views, [Values()], batch=7) for _ in range(3)]
        counts: list[int] = []
        threads = [threading.Thread(target=lambda one=one: counts.append(one.catch_up())) for one in runners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in runners:
            one.close()
    assert sum(counts) == 300
    assert seen(views) == list(range(1, 301))


# -- failure ----------------------------------------------------------------------------------------------------------


def test_a_projection_that_raises_rolls_back_its_view_and_checkpoint(log: MemoryLog, views: Path) -> None:
    broken = Values(hook=at_position(5, breaks))
    with ProjectionRunner(log, views, [broken], batch=3) as runner:
        with pytest.raises(ProjectionFailed, match=r"'message_values' failed at position 5") as caught:
            runner.catch_up()
        assert caught.value.position == 5
        assert isinstance(caught.value.__cause__, ArithmeticError)
        assert (standing(runner), seen(views)) == (3, [1, 2, 3])
        broken.hook = None
        assert runner.catch_up() == 7
    assert seen(views) == list(range(1, 11))


def test_a_projection_that_fails_to_create_its_tables_leaves_none(log: MemoryLog, views: Path) -> None:
    with (
        ProjectionRunner(log, views, [Values('no"such')]) as runner,
        pytest.raises(ProjectionFailed, match="while creating its tables"),
    ):
        runner.catch_up()
    reader = open_views(views)
    assert [row[0] for row in reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'")] == [
        "projection_checkpoints"
    ]
    reader.close()


@pytest.mark.parametrize(
    "act",
    [
        lambda db: db.commit(),
        lambda db: db.rollback(),
        lambda db: db.execute("COMMIT"),
        lambda db: db.execute("SAVEPOINT mine"),
        lambda db: db.execute("ATTACH ':memory:' AS other"),
        lambda db: db.executescript("SELECT 1"),
    ],
)
def test_a_projection_cannot_end_the_transaction(log: MemoryLog, views: Path, act: Any) -> None:
    with ProjectionRunner(log, views, [Values(hook=at_position(5, act))], batch=3) as runner:
        with pytest.raises(ProjectionFailed, match="not authorized"):
            runner.catch_up()
        assert (standing(runner), seen(views)) == (3, [1, 2, 3])


CHILD = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
from test_projections import Values, at_position
from odradek_events import SqliteLog
from odradek_events.projections.runner import ProjectionRunner
die = lambda db: os.kill(os.getpid(), signal.SIGKILL)
with SqliteLog(sys.argv[1], read_only=True) as log:
    runner = ProjectionRunner(log, sys.argv[2], [Values(hook=at_position(8, die))], batch=3)
    runner.rebuild() if os.environ.get("REBUILD") else runner.catch_up()
"""


def killed_at_8(log: Path, views: Path, **environment: str) -> None:
    """Run a projection in a process that is killed during the batch with position 8."""
    places = [str(Path(__file__).parent), *sys.path]
    done = subprocess.run([sys.executable, "-c", CHILD, str(log), str(views), *places], env=environment, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_killed_process_leaves_view_and_checkpoint_consistent(tmp_path: Path, views: Path) -> None:
    with SqliteLog(tmp_path / "log.db", durability="off") as log:
        filled(log)
        killed_at_8(tmp_path / "log.db", views)
        with ProjectionRunner(log, views, [Values()]) as runner:
            assert (standing(runner), seen(views)) == (6, list(range(1, 7)))
            assert runner.catch_up() == 4
    assert seen(views) == list(range(1, 11))


@pytest.mark.slow
def test_a_killed_rebuild_keeps_the_old_view(tmp_path: Path, views: Path) -> None:
    with SqliteLog(tmp_path / "log.db", durability="off") as log:
        filled(log)
        with ProjectionRunner(log, views, [Values()]) as runner:
            runner.catch_up()
        killed_at_8(tmp_path / "log.db", views, REBUILD="1")
        with ProjectionRunner(log, views, [Values()]) as runner:
            assert (standing(runner), seen(views)) == (10, list(range(1, 11)))


# -- rebuilding -------------------------------------------------------------------------------------------------------


def test_readers_see_the_old_view_until_the_new_one_is_complete(runner: ProjectionRunner, views: Path) -> None:
    runner.catch_up()
    during: list[list[int]] = []
    assert runner.rebuild(lambda _, position: during.append(seen(views)) if position < 10 else None) == 10
    assert during == [list(range(1, 11))] * 3
    assert seen(views) == list(range(1, 11))


def test_a_failed_rebuild_keeps_the_old_view(log: MemoryLog, views: Path) -> None:
    with ProjectionRunner(log, views, [Values()]) as runner:
        runner.catch_up()
    with ProjectionRunner(log, views, [Values(hook=at_position(5, breaks))]) as runner:
        with pytest.raises(ProjectionFailed):
            runner.rebuild()
        assert (standing(runner), seen(views)) == (10, list(range(1, 11)))


def test_a_changed_projection_version_needs_a_rebuild(log: MemoryLog, views: Path) -> None:
    class Positions(Values):
        def create(self, db: sqlite3.Connection) -> None:
            db.execute("CREATE TABLE message_values (position INTEGER)")
            db.execute('CREATE VIEW "message_values count" AS SELECT count(*) AS n FROM message_values')
            db.execute('CREATE INDEX "an index" ON message_values (position)')

        def apply(self, db: sqlite3.Connection, recorded: Recorded) -> None:
            db.execute("INSERT INTO message_values VALUES (?)", (recorded.position,))

    for projection in (Values(), Positions(version=2), Values(version=3)):
        with ProjectionRunner(log, views, [projection]) as runner:
            if projection.version > 1:
                with pytest.raises(ProjectionOutdated, match=f"not {projection.version}; rebuild the view"):
                    runner.catch_up()
                runner.rebuild()
            runner.catch_up()
        assert seen(views) == list(range(1, 11))


def test_a_view_is_not_continued_on_another_log(log: MemoryLog, runner: ProjectionRunner, views: Path) -> None:
    runner.catch_up()
    other, shorter = MemoryLog(), MemoryLog()
    append(other, "topic/others", created("others"))
    filled(other)
    filled(shorter, 6)
    for wrong in (other, shorter):
        with ProjectionRunner(wrong, views, [Values()]) as lost:
            with pytest.raises(ViewsOfAnotherLog, match=r"they differ at position 10; use the log .*, or rebuild"):
                lost.catch_up()
            assert standing(lost) == 10
    with ProjectionRunner(other, views, [Values()]) as moved:
        moved.rebuild()
    assert seen(views) == list(range(2, 12))


def test_a_view_continues_on_a_copy_of_its_log(log: MemoryLog, runner: ProjectionRunner, views: Path) -> None:
    runner.catch_up()
    copy = MemoryLog()
    filled(copy, 12)
    with ProjectionRunner(copy, views, [Values()]) as moved:
        assert moved.catch_up() == 2


# -- live -------------------------------------------------------------------------------------------------------------


def test_a_running_projection_follows_the_log_until_it_is_stopped(log: MemoryLog, views: Path) -> None:
    with ProjectionRunner(log, views, [Values()]) as runner:
        reached = threading.Semaphore(0)
        thread = threading.Thread(target=runner.run, args=(lambda _: reached.release(),))
        thread.start()
        assert reached.acquire(timeout=30)
        assert seen(views) == list(range(1, 11))
        append(log, "topic/orders", produced(10), when=9)
        assert reached.acquire(timeout=30)
        assert seen(views) == list(range(1, 12))
        runner.stop()
        thread.join(30)
        assert not thread.is_alive()
        runner.run()  # stopped for good


def test_a_running_projection_ends_with_its_log(log: MemoryLog, runner: ProjectionRunner) -> None:
    with pytest.raises(LogUnavailable, match="closed"):
        runner.run(lambda _: log.close())


# -- files and arguments ----------------------------------------------------------------------------------------------


def changed(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)


def test_a_file_that_is_not_a_views_file_is_left_unchanged(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db") as log:
        filled(log)
    (tmp_path / "text").write_text("not a database at all" * 100)
    changed(tmp_path / "other.db", "CREATE TABLE t (x); PRAGMA user_version = 3;")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    for name in ("log.db", "text", "other.db", "."):
        with pytest.raises(NotViews, match="left unchanged"):
            ProjectionRunner(MemoryLog(), tmp_path / name, [Values()])
        with pytest.raises(NotViews):
            open_views(tmp_path / name)
    with pytest.raises(NotViews, match="it does not exist"):
        open_views(tmp_path / "none.db")
    with pytest.raises(ViewsUnavailable, match="its directory does not exist"):
        ProjectionRunner(MemoryLog(), tmp_path / "no" / "views.db", [])
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_views_can_be_opened_after_an_interrupted_checkpoint(
    runner: ProjectionRunner, views: Path, tmp_path: Path
) -> None:
    runner.catch_up()
    copy = crashed(views, tmp_path / "copy.db")
    before = views.read_bytes()
    runner.close()
    after = views.read_bytes()
    assert len(after) > len(before)
    copy.write_bytes(after[:4096] + before[4096:])
    assert seen(copy) == list(range(1, 11))


def test_a_file_of_a_newer_format_is_refused(runner: ProjectionRunner, views: Path) -> None:
    runner.close()
    changed(views, "PRAGMA user_version = 9")
    with pytest.raises(NotViews, match="format 9"):
        ProjectionRunner(MemoryLog(), views, [])


def test_readers_cannot_write(runner: ProjectionRunner, views: Path) -> None:
    reader = open_views(views)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM projection_checkpoints")
    reader.close()


def test_wrong_arguments_are_refused_at_once(log: MemoryLog, views: Path) -> None:
    with pytest.raises(ValueError, match="several projections have the same name"):
        ProjectionRunner(log, views, [Values(), Values()])
    with pytest.raises(ValueError, match="batch must be 1 or more"):
        ProjectionRunner(log, views, [Values()], batch=0)


def test_closing_twice_is_fine(runner: ProjectionRunner) -> None:
    runner.close()
    runner.close()


@pytest.mark.parametrize("wrong", [object(), Values, "topics", None])
def test_an_object_that_is_not_a_projection_is_refused_and_no_file_is_created(
    log: MemoryLog, views: Path, wrong: Any
) -> None:
    with pytest.raises(TypeError, match="is not a projection; pass an object with name, version, query, create, apply"):
        ProjectionRunner(log, views, [wrong])
    assert not views.exists()
