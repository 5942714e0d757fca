"""When a snapshot may be used, and unusable snapshots files."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from support.log import append, created, ordinary_user, produced
from support.snapshots import at_version, versions

from odradek_events import MemoryLog, SqliteLog, open_log
from odradek_events.errors import SnapshotsUnavailable
from odradek_events.log.port import LogStore
from odradek_events.record import CommitEnd
from odradek_events.snapshots.sqlite import SqliteSnapshots, open_snapshots
from odradek_events.snapshots.store import MemorySnapshots, StoredSnapshot, why_unusable

# -- what a snapshot is worth ------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    log = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log.db", durability="off")
    append(log, "topic/a", created("a"), produced(0, "a"))  # 0, 1
    append(log, "topic/b", created("b"))  # 2
    append(log, "topic/a", produced(1, "a"), produced(2, "a"))  # 3, 4
    yield log
    log.close()


def taken(log: LogStore, position: int = 4) -> StoredSnapshot:
    """Return a snapshot taken at the end of the commit that contains a position."""
    end = log.commit_end(position)
    assert end is not None
    return StoredSnapshot.sealed(end, "topic", 1, b"{}")


def test_commit_end_accepts_any_position_of_a_commit(log: LogStore) -> None:
    stored = list(log.stored())
    digests = [commit.digest for commit in stored]

    assert [log.commit_end(position) for position in range(-2, 7)] == [
        None,
        None,
        *[CommitEnd("topic/a", 1, 1, digests[0])] * 2,
        CommitEnd("topic/b", 0, 2, digests[1]),
        *[CommitEnd("topic/a", 3, 4, digests[2])] * 2,
        None,
        None,
    ]
    assert [commit.end for commit in stored] == [log.commit_end(position) for position in (1, 2, 4)]


def test_a_snapshot_of_this_log_may_be_used(log: LogStore) -> None:
    assert why_unusable(log, taken(log, 4), "topic", 1) is None
    assert why_unusable(log, taken(log, 0), "topic", 1) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"payload": b"[]"}, "checksum"),
        ({"checksum": b""}, "checksum"),
        ({"name": "topics"}, "checksum"),
        ({"schema": 2}, "checksum"),
        ({"end": CommitEnd("topic/b", 3, 4, b"")}, "checksum"),
    ],
)
def test_a_changed_snapshot_is_not_used(log: LogStore, change: dict[str, object], reason: str) -> None:
    changed = msgspec.structs.replace(taken(log), **change)
    assert reason in str(why_unusable(log, changed, "topic", 1))


def test_a_snapshot_of_another_format_is_not_used(log: LogStore) -> None:
    assert "'topic' version 1" in str(why_unusable(log, taken(log), "topic", 2))
    assert "'topic' version 1" in str(why_unusable(log, taken(log), "account", 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2},
        {"position": 3},
        {"stream": "topic/b"},
        {"digest": b"\0" * 32},
    ],
)
def test_a_snapshot_of_another_history_is_not_used(log: LogStore, wrong: dict[str, object]) -> None:
    end = msgspec.structs.replace(taken(log).end, **wrong)
    other = StoredSnapshot.sealed(end, "topic", 1, b"{}")
    assert "a different history" in str(why_unusable(log, other, "topic", 1))


def test_a_snapshot_beyond_the_end_of_the_log_is_not_used(log: LogStore) -> None:
    beyond = StoredSnapshot.sealed(CommitEnd("topic/a", 5, 6, b"\0" * 32), "topic", 1, b"{}")
    assert why_unusable(log, beyond, "topic", 1) == "the log ends before its position 6"


def test_an_equal_commit_after_a_different_history_is_another_commit(log: LogStore) -> None:
    other = MemoryLog()
    append(other, "topic/a", created("a"), produced(0, "a", value=b"other"))
    append(other, "topic/b", created("b"))
    append(other, "topic/a", produced(1, "a"), produced(2, "a"))

    assert "a different history" in str(why_unusable(other, taken(log), "topic", 1))


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db.snapshots"


@contextmanager
def opened(path: Path, *, read_only: bool = False) -> Iterator[SqliteSnapshots]:
    with closing(SqliteSnapshots(path, read_only=read_only)) as store:
        yield store


def saved(path: Path, *snapshots: StoredSnapshot) -> None:
    with opened(path) as store:
        store.save(snapshots or [at_version(10), at_version(20)])


def test_snapshots_are_next_to_the_log_even_if_opened_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "log.db")
    with open_log(tmp_path / "link.db") as log, closing(open_snapshots(log)) as store:
        store.save([at_version(1)])
        assert (tmp_path / "log.db.snapshots").exists()
    with open_log(tmp_path / "log.db", read_only=True) as log, closing(open_snapshots(log)) as store:
        assert store.load("topic/a") == at_version(1)
        with pytest.raises(SnapshotsUnavailable, match="read-only"):
            store.save([at_version(2)])


def test_a_log_without_a_file_has_snapshots_in_memory() -> None:
    assert isinstance(open_snapshots(MemoryLog()), MemorySnapshots)


def test_opening_and_loading_create_no_file(path: Path) -> None:
    with opened(path) as store:
        assert store.load("topic/a") is None
        assert list(store.scan()) == []
    assert os.listdir(path.parent) == []


def test_a_closed_snapshots_file_is_complete_without_a_write_ahead_log(path: Path) -> None:
    with opened(path) as store:
        store.save([at_version(10)])
        assert store.load("topic/a") == at_version(10)
    assert os.listdir(path.parent) == [path.name]


def test_a_load_sees_the_latest_save(path: Path) -> None:
    with opened(path) as store:
        for version in range(50):
            store.save([at_version(version)])
            assert store.load("topic/a") == at_version(version)


def test_loads_work_during_saves(path: Path) -> None:
    with opened(path) as store:
        store.save([at_version(0)])
        seen: list[int] = []

        def load() -> None:
            while not seen or seen[-1] < 200:
                found = store.load("topic/a")
                assert found is not None
                assert found.is_intact
                seen.append(found.end.version)

        reader = threading.Thread(target=load)
        reader.start()
        for version in range(1, 201):
            store.save([at_version(version, payload=b"x" * 10_000)])
        reader.join(30)
        assert not reader.is_alive()
        assert seen == sorted(seen)


def flip(path: Path, what: bytes) -> None:
    """Change the first byte of some content."""
    content = bytearray(path.read_bytes())
    content[content.index(what)] ^= 1
    path.write_bytes(content)


def test_a_flipped_byte_of_a_payload_is_detected_by_the_checksum(path: Path) -> None:
    saved(path, at_version(10, payload=b"the payload"), at_version(20, payload=b"the other payload"))
    flip(path, b"the other payload")

    with opened(path) as store:
        newest = store.load("topic/a")
        assert newest is not None
        assert (newest.end.version, newest.is_intact) == (20, False)
        assert store.load("topic/a", 19) == at_version(10, payload=b"the payload")


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def _bad_pages(path: Path) -> None:
    saved(path, *[at_version(n, f"topic/{n}", payload=b"x" * 5000) for n in range(50)])
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def _newer(path: Path) -> None:
    saved(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")


def _another_programs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE snapshots (stream, version)")


def _without_its_table(path: Path) -> None:
    saved(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE snapshots RENAME TO gone")


def _with_a_column_of_another_type(path: Path) -> None:
    saved(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE snapshots SET position = 'here'")


def _with_a_name_that_is_no_text(path: Path) -> None:
    saved(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE snapshots SET name = CAST(x'ff' AS TEXT)")


SPOILERS: list[Callable[[Path], None]] = [
    _garbage,
    _bad_pages,
    _newer,
    _another_programs,
    _without_its_table,
    _with_a_column_of_another_type,
    _with_a_name_that_is_no_text,
]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_an_unusable_file_has_no_snapshots_and_the_next_save_renames_it(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    before = path.read_bytes()
    with opened(path) as store:
        with pytest.raises(SnapshotsUnavailable):
            store.load("topic/a")
        assert store.load("topic/a") is None
        store.save([at_version(30)])
        assert versions(store) == [30]
        assert store.load("topic/a") == at_version(30)

    assert path.with_name("log.db.snapshots.aside").read_bytes() == before
    assert sorted(os.listdir(path.parent)) == [path.name, f"{path.name}.aside"]


@pytest.mark.parametrize("spoil", SPOILERS[:5])
def test_a_save_without_a_previous_load_renames_an_unusable_file(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)
    with opened(path) as store:
        store.save([at_version(30)])
        assert versions(store) == [30]


def test_a_scan_of_an_unusable_file_raises_an_error(path: Path) -> None:
    _garbage(path)
    with opened(path, read_only=True) as store, pytest.raises(SnapshotsUnavailable, match="not a database"):
        list(store.scan())


def test_a_deleted_file_is_recreated_without_its_old_write_ahead_log(path: Path) -> None:
    with opened(path) as store:
        store.save([at_version(10)])
        left = Path(f"{path}-wal").read_bytes()
    path.unlink()
    Path(f"{path}-wal").write_bytes(left)

    with opened(path) as store:
        assert store.load("topic/a") is None
        store.save([at_version(5, "topic/b")])
        assert [mark.end.stream for mark in store.scan()] == ["topic/b"]


def test_read_only_media_can_be_read(public_place: Path) -> None:
    path = public_place / "log.db.snapshots"
    saved(path)
    path.chmod(0o444)
    public_place.chmod(0o555)
    with ordinary_user(), opened(path, read_only=True) as store:
        assert store.load("topic/a") == at_version(20)
        assert versions(store) == [10, 20]


def test_a_directory_that_cannot_be_written_is_reported(public_place: Path) -> None:
    public_place.chmod(0o555)
    with ordinary_user(), opened(public_place / "log.db.snapshots") as store:
        assert store.load("topic/a") is None
        with pytest.raises(SnapshotsUnavailable, match="unable to open"):
            store.save([at_version(1)])


def test_a_directory_with_the_files_name_is_left_unchanged(path: Path) -> None:
    path.mkdir()
    with opened(path) as store:
        for _ in range(2):
            with pytest.raises(SnapshotsUnavailable):
                store.save([at_version(1)])
    assert path.is_dir()


def test_a_full_disk_is_reported_and_saving_works_again_once_there_is_space(path: Path) -> None:
    with opened(path) as store:
        store.save([at_version(10)])
        with limited_files(200_000), pytest.raises(SnapshotsUnavailable):
            store.save([at_version(20, payload=b"x" * 1_000_000)])
        assert store.load("topic/a") == at_version(10)
        store.save([at_version(30)])
        assert versions(store) == [10, 30]


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Limit the size of this process's files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.slow
def test_a_file_locked_by_another_program_is_reported_within_seconds(path: Path) -> None:
    saved(path)
    with closing(sqlite3.connect(path)) as stranger, opened(path) as store:
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(SnapshotsUnavailable, match="locked"):
            store.save([at_version(30)])
        assert store.load("topic/a") == at_version(20)
        stranger.execute("ROLLBACK")
        store.save([at_version(30)])


def test_a_save_is_atomic(path: Path) -> None:
    with opened(path) as store:
        store.save([at_version(10)])
        with pytest.raises(SnapshotsUnavailable):
            store.save([at_version(20), at_version(1 << 70)])
        assert versions(store) == [10]


def test_closed_snapshots_refuse_every_call(path: Path) -> None:
    store = SqliteSnapshots(path)
    store.close()
    with pytest.raises(SnapshotsUnavailable, match="closed"):
        store.save([at_version(1)])
    with pytest.raises(SnapshotsUnavailable, match="closed"):
        store.load("topic/a")


def test_a_forked_child_is_refused_and_does_not_disturb_the_parent(path: Path) -> None:
    with opened(path) as store:
        store.save([at_version(10)])
        child = os.fork()
        if child == 0:
            try:
                store.load("topic/a")
            except SnapshotsUnavailable:
                store.close()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        store.save([at_version(20)])
        assert store.load("topic/a") == at_version(20)


@pytest.mark.slow
def test_snapshots_saved_before_the_process_was_killed_are_kept(path: Path) -> None:
    program = (
        "import os, sys\n"
        "from support.snapshots import at_version\n"
        "from odradek_events.snapshots.sqlite import SqliteSnapshots\n"
        "SqliteSnapshots(sys.argv[1]).save([at_version(10)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program, str(path)], env=environment, timeout=60).returncode == -9
    with opened(path) as store:
        assert store.load("topic/a") == at_version(10)


def test_an_empty_file_has_no_snapshots_and_is_not_renamed(tmp_path: Path) -> None:
    path = tmp_path / "log.db.snapshots"
    path.touch()  # as the first save leaves it for a moment
    with closing(SqliteSnapshots(path)) as store:
        assert store.load("topic/a") is None
        assert list(store.scan()) == []
        store.save([at_version(0)])
        assert store.load(at_version(0).end.stream) == at_version(0)
    assert {file.name for file in tmp_path.iterdir()} == {path.name}
