"""Salvage copies the sound start of any damaged log, reports the rest, and does not change the source."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from support.log import append, created, ordinary_user, produced

from odradek_events import SqliteLog, Upcaster, event
from odradek_events.errors import DamagedCommit, LogError, LogNotFound, LogNotWritable, NotALog, NothingToSalvage
from odradek_events.maintenance.salvage import Salvage, salvage
from odradek_events.maintenance.verify import verify
from odradek_events.record import StoredCommit
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue

PAGE = 4096
COMMITS = 60
ELSEWHERE = Catalogue()
RENAME = Upcaster(1).rename("name", "title")


@event("SalvageTestThing", catalogue=ELSEWHERE, tags=("thing:{name}",))
class Thing(msgspec.Struct, frozen=True):
    """An event of a type that `salvage` does not know."""

    name: str


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a log of 60 commits in two streams, with events of an unknown type at 6 and 7."""
    path = tmp_path_factory.mktemp("good") / "log.db"
    with SqliteLog(path, durability="off") as log:
        append(log, "topic/a", created("a"), produced(0, "a"))
        append(log, "topic/b", created("b"), produced(0, "b"), produced(1, "b"), produced(2, "b"))
    with SqliteLog(path, durability="off", codec=Codec(ELSEWHERE)) as log:
        append(log, "thing/1", Thing("one"), Thing("two"))
    with SqliteLog(path, durability="off") as log:
        for number in range(COMMITS - 3):
            first = 1 + 2 * number
            append(log, "topic/a", *(produced(first + n, "a", value=b"x" * 500) for n in range(2)), when=number)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, good: bytes) -> Path:
    path = tmp_path / "log.db"
    path.write_bytes(good)
    return path


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for name in ("appended", "not_changed", "not_deleted"):
            raw.execute(f"DROP TRIGGER commits_are_{name}")
        yield raw


def rows(path: Path) -> list[StoredCommit]:
    with SqliteLog(path, read_only=True) as log:
        return list(log.stored())


def index(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("SELECT * FROM tags ORDER BY tag, first_position").fetchall()


def salvaged(path: Path, good: bytes) -> tuple[Salvage, Path]:
    """Salvage, and check the invariants: the source is unchanged, and the copy is a sound prefix."""
    before = path.read_bytes()
    target = path.with_name("new.db")
    whole = path.with_name("whole.db")
    whole.write_bytes(good)
    found = salvage(path, target)
    assert path.read_bytes() == before
    copied = rows(target)
    assert copied == rows(whole)[: len(copied)]
    with SqliteLog(target, read_only=True) as log:
        assert verify(log).is_sound
        assert log.head() == found.head
    assert (found.commits, found.events) == (len(copied), found.head.position + 1)
    assert not target.with_name("new.db.partial").exists()
    return found, target


def test_a_sound_log_is_copied_completely(path: Path, good: bytes) -> None:
    found, target = salvaged(path, good)
    assert found.is_whole
    assert (found.commits, found.left_out_until, found.left_out_commits, found.left_out_events) == (COMMITS, None, 0, 0)
    assert found.notes == ()
    assert found.is_end_known
    assert index(target) == index(path)


def test_an_empty_log_is_copied_as_an_empty_log(tmp_path: Path) -> None:
    SqliteLog(tmp_path / "empty.db").close()
    found = salvage(tmp_path / "empty.db", tmp_path / "new.db")
    assert found.is_whole
    assert found.head.position == -1
    assert rows(tmp_path / "new.db") == []


def test_a_salvaged_log_accepts_appends(path: Path, good: bytes, raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE commits SET events = '[]' WHERE first_position = 100")
    found, target = salvaged(path, good)
    with SqliteLog(target) as log:
        append(log, "topic/a", produced(93, "a"), expected=log.stream_version("topic/a"), when=1000)
        assert verify(log).is_sound
        assert log.head().position == found.head.position + 1 == 100


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE commits SET events = replace(events, 'topic', 'tropic') WHERE first_position = 50", "digest"),
        ("UPDATE commits SET digest = zeroblob(32) WHERE first_position = 50", "digest"),
        ("UPDATE commits SET metadata = '{' WHERE first_position = 50", "metadata"),
        ("UPDATE commits SET stream = x'ff' WHERE first_position = 50", "UTF-8"),
        ("UPDATE commits SET last_position = 'x' WHERE first_position = 50", "integer"),
        ("UPDATE commits SET first_version = 77 WHERE first_position = 50", "version 77"),
        ("DELETE FROM commits WHERE first_position = 50", "begins at position 52, but position 50 was expected"),
    ],
)
def test_the_copy_ends_before_the_first_damaged_commit_with_the_reason(
    path: Path, good: bytes, raw: sqlite3.Connection, damage: str, reason: str
) -> None:
    raw.execute(damage)
    found, _ = salvaged(path, good)
    assert not found.is_whole
    assert found.head.position == 49
    assert reason in (found.problem or "")
    assert found.left_out_until == 121
    assert found.left_out_events == 72
    assert found.left_out_commits in (35, 36)
    assert found.is_end_known


def test_commits_that_only_the_index_has_are_reported_as_left_out(
    path: Path, good: bytes, raw: sqlite3.Connection
) -> None:
    raw.execute("DELETE FROM commits WHERE first_position >= 100")
    found, _ = salvaged(path, good)
    assert found.problem == "the index refers to commits that are missing"
    assert (found.head.position, found.left_out_until, found.left_out_commits) == (99, 120, 0)
    assert not found.is_end_known


@pytest.mark.parametrize(
    ("damage", "note"),
    [
        ("DELETE FROM tags WHERE tag LIKE 'topic:%'", None),
        ("DROP TABLE tags", "index cannot be read"),
        ("DROP INDEX tag_offsets", "tag_offsets is missing"),
        ("DROP VIEW events", "events is missing"),
        ("ALTER TABLE commits ADD COLUMN more", "its schema was altered: the table commits"),
        ("PRAGMA user_version = 3", "format 3"),
        ("PRAGMA application_id = 1", "application"),
    ],
)
def test_damage_outside_the_commits_is_repaired_in_the_copy(
    path: Path, good: bytes, raw: sqlite3.Connection, damage: str, note: str | None
) -> None:
    raw.execute(damage)
    found, _ = salvaged(path, good)
    assert found.is_whole
    assert found.commits == COMMITS
    assert note is None or any(note in each for each in found.notes)


def test_tags_of_unknown_types_are_kept(path: Path, good: bytes) -> None:
    _, target = salvaged(path, good)
    with SqliteLog(target, read_only=True, codec=Codec(ELSEWHERE)) as log:
        assert [recorded.event for recorded in log.read(tags=["thing:two"])] == [Thing("two")]
        assert [recorded.position for recorded in log.read(types=["SalvageTestThing"])] == [6, 7]


def test_without_the_index_unknown_types_can_still_be_read_by_name(
    path: Path, good: bytes, raw: sqlite3.Connection
) -> None:
    raw.execute("DROP TABLE tags")
    _, target = salvaged(path, good)
    with SqliteLog(target, read_only=True, codec=Codec(ELSEWHERE)) as log:
        assert [recorded.position for recorded in log.read(types=["SalvageTestThing"])] == [6, 7]


def test_events_of_an_older_version_keep_their_bytes_and_their_tags(tmp_path: Path) -> None:
    older, newer = Catalogue(), Catalogue()

    @event("Renamed", version=1, tags=("old:{name}",), catalogue=older)
    class Older(msgspec.Struct, frozen=True):
        name: str

    @event("Named", version=2, formerly=["Renamed"], tags=("new:{title}",), upcasters=[RENAME], catalogue=newer)
    class Newer(msgspec.Struct, frozen=True):
        title: str

    with SqliteLog(tmp_path / "old.db", codec=Codec(older)) as log:
        append(log, "thing/1", Older("x"))
    salvage(tmp_path / "old.db", tmp_path / "new.db", codec=Codec(newer))
    assert rows(tmp_path / "new.db") == rows(tmp_path / "old.db")
    assert index(tmp_path / "new.db") == index(tmp_path / "old.db")
    with SqliteLog(tmp_path / "new.db", read_only=True, codec=Codec(newer)) as log:
        assert [recorded.event for recorded in log.read(tags=["new:x"])] == [Newer("x")]
    with closing(sqlite3.connect(tmp_path / "old.db")) as raw, raw:
        raw.execute("DROP TABLE tags")
    salvage(tmp_path / "old.db", tmp_path / "anew.db", codec=Codec(newer))
    with SqliteLog(tmp_path / "anew.db", read_only=True, codec=Codec(newer)) as log:
        assert [recorded.event for recorded in log.read(types=["Named"], tags=["new:x"])] == [Newer("x")]


def outcome(path: Path, good: bytes) -> str:
    """Salvage a damaged file: a prefix is copied, or a log error is raised."""
    for leftover in ("new.db", "new.db-shm", "new.db-wal", "log.db-shm", "log.db-wal"):
        path.with_name(leftover).unlink(missing_ok=True)
    try:
        found, _ = salvaged(path, good)
    except LogError as error:
        assert not path.with_name("new.db").exists()
        return type(error).__name__
    return "whole" if found.is_whole else "part"


@pytest.mark.slow
@pytest.mark.parametrize("filling", [b"\x00", b"\xff", b"\x55"])
def test_a_damaged_page_loses_at_most_the_commits_after_it(path: Path, good: bytes, filling: bytes) -> None:
    outcomes = []
    for page in range(len(good) // PAGE):
        path.write_bytes(good[: page * PAGE] + filling * PAGE + good[(page + 1) * PAGE :])
        outcomes.append(outcome(path, good))
    assert outcomes[0] == "whole"
    assert outcomes[1] == "NothingToSalvage"  # the root of all commits
    assert outcomes.count("part") > 10
    assert outcomes.count("whole") >= 2  # the index alone was hit


@pytest.mark.slow
def test_the_start_of_a_truncated_file_is_copied(path: Path, good: bytes) -> None:
    outcomes = []
    for length in range(0, len(good), 2048 + 7):
        path.write_bytes(good[:length])
        outcomes.append(outcome(path, good))
    assert outcomes[0] == "NotALog"
    assert outcomes[-1] == "part"
    assert outcomes.count("part") > 10


def test_the_loss_of_a_truncated_file_is_reported_as_unknown(path: Path, good: bytes) -> None:
    path.write_bytes(good[: len(good) // 2])
    found, _ = salvaged(path, good)
    assert not found.is_whole
    assert not found.is_end_known
    assert found.left_out_events < 121 - found.head.position


def overwritten(good: bytes, start: int, filling: bytes) -> bytes:
    return good[:start] + filling + good[start + len(filling) :]


@pytest.mark.parametrize(
    ("start", "filling"),
    [
        (0, random.Random(7).randbytes(64)),
        (0, random.Random(7).randbytes(PAGE)),
        (0, b"\0" * PAGE),
        (100, b"\0" * (PAGE - 100)),
        (16, b"\x20"),
        (16, b"\0\0"),
    ],
    ids=["random beginning", "random page", "empty page", "no schema", "another page size", "no page size"],
)
def test_damage_to_the_first_page_alone_loses_nothing(path: Path, good: bytes, start: int, filling: bytes) -> None:
    path.write_bytes(overwritten(good, start, filling))
    with pytest.raises(DamagedCommit):
        SqliteLog(path, read_only=True)
    with pytest.raises(DamagedCommit):
        SqliteLog(path)
    found, target = salvaged(path, good)
    assert found.is_whole
    assert found.notes[0].startswith("its first page cannot be read (")
    assert sorted(file.name for file in path.parent.iterdir() if file.name.startswith("new.db.")) == []
    assert rows(target) == rows(path.with_name("whole.db"))


def test_restoring_the_first_page_keeps_commits_in_the_write_ahead_log(path: Path, tmp_path: Path) -> None:
    with SqliteLog(path) as log:
        for number in range(3):
            append(log, "topic/c", produced(number, "c"), when=1000)
        died = tmp_path / "died.db"
        for suffix in ("", "-wal"):
            died.with_name(f"died.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    died.write_bytes(b"\0" * PAGE + died.read_bytes()[PAGE:])
    found = salvage(died, tmp_path / "new.db")
    assert (found.is_whole, found.head.position) == (True, 124)


def test_a_foreign_header_before_a_logs_commits_is_damage(path: Path, good: bytes, raw: sqlite3.Connection) -> None:
    raw.execute("PRAGMA application_id = 7")
    with pytest.raises(DamagedCommit, match="its header has application id 7"):
        SqliteLog(path, read_only=True)
    assert salvaged(path, good)[0].is_whole


def test_an_empty_file_is_not_a_log_for_any_command(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for ask in (lambda path: SqliteLog(path, read_only=True), lambda path: salvage(path, tmp_path / "new.db")):
        with pytest.raises(NotALog, match=r"is not an Odradek log \(it is empty\)"):
            ask(tmp_path / "empty.db")


def test_a_full_disk_for_the_working_copy_is_reported(public_place: Path, good: bytes) -> None:
    source = public_place / "log.db"
    source.write_bytes(b"\0" * PAGE + good[PAGE:])
    place = public_place / "place"
    place.mkdir(mode=0o555)
    with ordinary_user(), pytest.raises(LogNotWritable, match="a working copy cannot be created"):
        salvage(source, place / "new.db")
    assert list(place.iterdir()) == []


def test_a_log_whose_writer_died_is_copied_with_its_write_ahead_log(path: Path, tmp_path: Path, good: bytes) -> None:
    with SqliteLog(path) as log:
        append(log, "topic/c", created("c"), when=1000)
        died = tmp_path / "died.db"
        for suffix in ("", "-wal"):
            died.with_name(f"died.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    assert salvage(died, tmp_path / "new.db").head.position == 122


def test_a_log_without_a_sound_commit_is_not_copied(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE commits SET events = '[]' WHERE first_position = 0")
    with pytest.raises(NothingToSalvage, match=r"no commit of .*log\.db can be salvaged \(.*restore a backup"):
        salvage(path, path.with_name("new.db"))
    assert not path.with_name("new.db").exists()


def a_text(path: Path) -> None:
    path.write_text("not a log\n" * 1000)


def another_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TABLE mine (x)")


def a_database_with_such_a_table(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TABLE commits (x)")


@pytest.mark.parametrize("make", [a_text, another_database, a_database_with_such_a_table, lambda path: path.unlink()])
def test_a_file_that_is_not_a_log_is_refused(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises((NotALog, LogNotFound)):
        salvage(path, path.with_name("new.db"))
    assert not path.with_name("new.db").exists()


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotALog, match="not a regular file"):
        salvage(tmp_path, tmp_path / "new.db")


def test_an_existing_target_is_refused_and_left_unchanged(path: Path) -> None:
    target = path.with_name("new.db")
    target.write_text("precious")
    with pytest.raises(LogNotWritable, match="already exists"):
        salvage(path, target)
    assert target.read_text() == "precious"
    with pytest.raises(LogNotWritable, match="already exists"):
        salvage(path, path)


def test_a_target_that_cannot_be_written_is_refused(public_place: Path, good: bytes) -> None:
    (public_place / "log.db").write_bytes(good)
    place = public_place / "place"
    place.mkdir(mode=0o555)
    with ordinary_user(), pytest.raises(LogNotWritable, match="cannot be written"):
        salvage(public_place / "log.db", place / "new.db")
    assert list(place.iterdir()) == []


def test_progress_is_reported_from_time_to_time(path: Path, tmp_path: Path) -> None:
    reported: list[int] = []
    with SqliteLog(path) as log:
        for number in range(70):
            append(log, "topic/c", produced(number, "c"), when=1000)
    salvage(path, tmp_path / "new.db", reported.append)
    assert reported == [125, 189]


def test_a_log_that_grows_during_salvage_is_copied_as_of_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    codec = Codec(ELSEWHERE)
    with SqliteLog(path, durability="off", codec=codec) as log:
        for number in range(200):
            append(log, "thing/1", Thing(str(number)))

        def grow(_: int) -> None:
            append(log, "thing/2", Thing("late"))

        found = salvage(path, tmp_path / "new.db", grow)
        assert log.head().position > 199
    assert (found.problem, found.left_out_until, found.commits) == (None, None, 200)
