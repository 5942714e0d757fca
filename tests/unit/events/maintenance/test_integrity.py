"""`verify` finds every kind of damage with its position; it repairs nothing and does not raise."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.disk import tampering
from support.log import append, created, produced

from odradek_events import Decision, Head, MemoryLog, SqliteLog, event
from odradek_events.errors import LogError
from odradek_events.log.checker import digest_after
from odradek_events.log.judging import EMPTY_DIGEST
from odradek_events.maintenance.verify import Verification, verify
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.snapshots.sqlite import SqliteSnapshots
from odradek_events.snapshots.store import MemorySnapshots, SnapshotStore, StoredSnapshot
from odradek_events.sqlite.rows import SCHEMA, write_commits
from odradek_events.trace import trace

CATALOGUE_ELSEWHERE = Catalogue()


@event("Elsewhere", catalogue=CATALOGUE_ELSEWHERE)
class Elsewhere(msgspec.Struct, frozen=True):
    """An event of a type that the tests' own catalogue does not have."""

    name: str


FIRSTS = [0, 2, 3, 5]  # the first positions of the small log's commits


def fill(log: SqliteLog | MemoryLog) -> None:
    append(log, "topic/a", created("a"), produced(0, "a"), when=0)
    append(log, "topic/b", created("b"), when=1)
    append(log, "topic/a", produced(1, "a"), produced(2, "a"), when=2)
    append(log, "topic/b", produced(0, "b"), when=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small log, closed."""
    path = tmp_path / "log.db"
    with SqliteLog(path, durability="off") as log:
        fill(log)
    return path


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """The small log's file without triggers, open for damage; every statement is written at once."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        raw.execute("PRAGMA wal_autocheckpoint = 1")  # verifying reads the write-ahead log too: keep it short
        raw.execute("PRAGMA journal_size_limit = 0")
        for name in ("appended", "not_changed", "not_deleted"):
            raw.execute(f"DROP TRIGGER commits_are_{name}")
        yield raw


def checked(
    log: SqliteLog | MemoryLog,
    progress: Callable[[int], None] | None = None,
    head: Head | None = None,
    snapshots: SnapshotStore | None = None,
) -> Verification:
    """Verify, ignoring the missing triggers, which the fixture `raw` drops."""
    report = verify(log, progress, head=head, snapshots=snapshots)
    rest = tuple(finding for finding in report.findings if not finding.problem.endswith("is missing or was changed"))
    return msgspec.structs.replace(report, findings=rest)


def verified(path: Path) -> Verification:
    with SqliteLog(path, read_only=True) as log:
        return checked(log)


def found(path: Path) -> set[int]:
    """Return the positions of findings."""
    return {finding.position for finding in verified(path).findings}


def test_an_undamaged_log_is_sound_on_disk_and_in_memory(path: Path) -> None:
    with MemoryLog() as memory:
        fill(memory)
        reports = [verified(path), checked(memory)]
        for report in reports:
            assert report.is_sound
            assert (report.commits, report.events, report.streams, report.head) == (4, 6, 2, 5)
            assert report.digest == memory.head().digest.hex()
            assert report.unknown_types == ()


def test_an_empty_log_is_sound() -> None:
    with MemoryLog() as log:
        report = checked(log)
    assert report.is_sound
    assert (report.commits, report.events, report.head, report.digest) == (0, 0, -1, "00" * 32)


def test_a_log_that_grows_during_verify_is_verified_up_to_its_head_at_the_start(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db", durability="off") as log:
        for number in range(64):
            append(log, "topic/a", produced(number))

        def grow(position: int) -> None:
            append(log, "topic/a", produced(position + 1))

        report = checked(log, grow)
        assert report.is_sound
        assert report.head == 63
        assert log.head().position == 64


def test_progress_is_reported_from_time_to_time(tmp_path: Path) -> None:
    reported: list[int] = []
    with SqliteLog(tmp_path / "log.db", durability="off") as log:
        for number in range(200):
            append(log, "topic/a", produced(number), produced(number))
        assert checked(log, reported.append).is_sound
    assert reported == [127, 255, 383]


@pytest.mark.slow
@pytest.mark.parametrize("column", ["stream", "metadata", "digest", "events"])
@pytest.mark.parametrize("first", FIRSTS)
def test_a_change_of_any_byte_of_a_commit_is_found_at_its_position(
    path: Path, raw: sqlite3.Connection, column: str, first: int
) -> None:
    kind = "BLOB" if column == "digest" else "TEXT"
    change = f"UPDATE commits SET {column} = CAST(? AS {kind}) WHERE first_position = {first}"
    select = f"SELECT CAST({column} AS BLOB) FROM commits WHERE first_position = {first}"
    ((good,),) = raw.execute(select)
    with SqliteLog(path, read_only=True) as log:
        for place in range(len(good)):
            damaged = bytearray(good)
            damaged[place] ^= 1 << (place % 8)
            raw.execute(change, (bytes(damaged),))
            positions = {finding.position for finding in checked(log).findings}
            assert first in positions, (place, bytes(damaged))
            if column != "stream":
                assert positions == {first}, (place, bytes(damaged))
        raw.execute(change, (good,))
        assert checked(log).is_sound


@pytest.mark.slow
@pytest.mark.parametrize("column", ["first_position", "last_position", "first_version"])
@pytest.mark.parametrize("first", FIRSTS)
def test_a_change_of_any_number_of_a_commit_is_found(
    path: Path, raw: sqlite3.Connection, column: str, first: int
) -> None:
    ((good,),) = raw.execute(f"SELECT {column} FROM commits WHERE first_position = {first}")
    taken = [0, 2] if first in (0, 3) else [0, 1]
    with SqliteLog(path, read_only=True) as log:
        for bit in range(63):
            wrong = good ^ (1 << bit)
            if (column == "first_position" and wrong in FIRSTS) or (column == "first_version" and wrong in taken):
                continue  # the table's keys are unique
            raw.execute("BEGIN")
            raw.execute(f"UPDATE commits SET {column} = {wrong} WHERE first_position = {first}")
            raw.execute("COMMIT")
            place = wrong if column == "first_position" else first
            assert place in {finding.position for finding in checked(log).findings}, wrong
            raw.execute(f"UPDATE commits SET {column} = {good} WHERE first_position = {place}")
        assert checked(log).is_sound


@pytest.mark.slow
def test_a_change_of_any_byte_of_the_index_is_found_at_its_commit(path: Path, raw: sqlite3.Connection) -> None:
    entries = raw.execute("SELECT CAST(tag AS BLOB), first_position, first_offset FROM tags").fetchall()
    assert len(entries) == 15
    with SqliteLog(path, read_only=True) as log:
        for good in entries:
            raw.execute("DELETE FROM tags WHERE tag = CAST(? AS TEXT) AND first_position = ?", good[:2])
            for wrong in changed_entries(*good):
                if (wrong[0], wrong[1]) in {entry[:2] for entry in entries if entry != good}:
                    continue  # the table's key is unique
                raw.execute("INSERT INTO tags VALUES (CAST(? AS TEXT), ?, ?)", wrong)
                assert good[1] in {finding.position for finding in checked(log).findings}, (good, wrong)
                raw.execute("DELETE FROM tags WHERE tag = CAST(? AS TEXT) AND first_position = ?", wrong[:2])
            raw.execute("INSERT INTO tags VALUES (CAST(? AS TEXT), ?, ?)", good)
        assert checked(log).is_sound


def changed_entries(tag: bytes, position: int, offset: int | None) -> Iterator[tuple[bytes, int, int | None]]:
    """Yield an index entry with each of its bytes changed."""
    for place, byte in enumerate(tag):
        yield tag[:place] + bytes([byte ^ (1 << (place % 8))]) + tag[place + 1 :], position, offset
    for bit in range(0, 63, 3):
        yield tag, position ^ (1 << bit), offset
        yield tag, position, (1 << bit) if offset is None else offset ^ (1 << bit)


@pytest.mark.parametrize("column", ["stream", "metadata", "digest", "events"])
@pytest.mark.parametrize("first", FIRSTS)
def test_a_column_with_the_same_bytes_of_another_type_is_found(
    path: Path, raw: sqlite3.Connection, column: str, first: int
) -> None:
    other = "TEXT" if column == "digest" else "BLOB"
    raw.execute(f"UPDATE commits SET {column} = CAST({column} AS {other}) WHERE first_position = {first}")
    assert found(path) == {first}  # a look-up by stream would not find it


def test_an_index_entry_whose_tag_has_another_type_is_found(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE tags SET tag = CAST(tag AS BLOB) WHERE tag = 'topic:b' AND first_position = 5")
    assert found(path) == {5}


@pytest.mark.parametrize("place", ["1.5", "'text'", "x'00'", "-3"])
def test_an_index_entry_with_an_invalid_position_is_found(path: Path, raw: sqlite3.Connection, place: str) -> None:
    raw.execute(f"INSERT INTO tags VALUES ('topic:a', {place}, NULL)")
    assert found(path) == {-3 if place == "-3" else -1}


def test_a_missing_index_is_one_finding(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("DROP TABLE tags")
    (finding,) = verified(path).findings
    assert finding.position == -1
    assert "the index cannot be read" in finding.problem
    assert "no such table" in finding.problem


@pytest.mark.parametrize("column", ["last_position", "stream", "first_version", "metadata", "digest", "events"])
@pytest.mark.parametrize("value", ["x'00ff'", "'text'", "''", "1.5", "-1", "9223372036854775807"])
@pytest.mark.parametrize("first", [2, 5])
def test_a_value_of_a_wrong_type_is_found_at_its_position(
    path: Path, raw: sqlite3.Connection, column: str, value: str, first: int
) -> None:
    raw.execute(f"UPDATE commits SET {column} = {value} WHERE first_position = {first}")
    report = verified(path)
    assert first in {finding.position for finding in report.findings}
    assert report.commits in (3, 4)
    with SqliteLog(path, read_only=True) as log:
        for read in (lambda: list(log.read()), log.head, lambda: list(log.streams()), lambda: log.commit_at(first)):
            try:
                read()
            except LogError:
                continue  # a reader raises the log's own errors


def test_commits_after_an_unreadable_one_are_still_verified(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE commits SET stream = x'ff' WHERE first_position = 2")
    raw.execute("UPDATE commits SET events = '[]' WHERE first_position = 5")
    assert found(path) >= {2, 5}


@pytest.mark.parametrize(("missing", "named"), [(0, 2), (2, 3), (3, 5)])
def test_a_missing_commit_is_found_at_the_next_one(
    path: Path, raw: sqlite3.Connection, missing: int, named: int
) -> None:
    raw.execute(f"DELETE FROM commits WHERE first_position = {missing}")
    raw.execute(f"DELETE FROM tags WHERE first_position = {missing}")
    report = verified(path)
    problems = [finding.problem for finding in report.findings if finding.position == named]
    assert f"it begins at position {named}, but position {missing} was expected" in problems


def test_a_missing_end_is_found_only_with_a_known_head(path: Path, raw: sqlite3.Connection) -> None:
    with SqliteLog(path, read_only=True) as log:
        known = log.head()
        assert checked(log, head=known).is_sound
        raw.execute("DELETE FROM commits WHERE first_position IN (3, 5)")
        raw.execute("DELETE FROM tags WHERE first_position IN (3, 5)")
        assert checked(log).is_sound
        (finding,) = checked(log, head=known).findings
    assert finding.position == known.position == 5
    assert finding.problem == ("the log ends at position 2, before the known head 5: 3 events are missing")


def test_a_log_that_has_grown_since_a_known_head_is_sound() -> None:
    with MemoryLog() as log:
        assert checked(log, head=log.head()).is_sound
        fill(log)
        known = log.head()
        append(log, "topic/a", produced(3, "a"), produced(4, "a"), when=4)
        assert checked(log, head=known).is_sound
        assert checked(log, head=Head(-1, EMPTY_DIGEST, None)).is_sound


def test_a_different_history_at_a_known_head_is_distinguished_from_a_missing_end() -> None:
    with MemoryLog() as log, MemoryLog() as other:
        fill(log)
        append(other, "topic/a", *(produced(offset, "a") for offset in range(6)))
        (finding,) = checked(log, head=other.head()).findings
        assert (finding.position, "it is another log, or was rewritten" in finding.problem) == (5, True)
        (inside,) = checked(log, head=Head(3, log.head().digest, None)).findings
        assert (inside.position, "no readable commit that ends there" in inside.problem) == (3, True)
        (empty,) = checked(log, head=Head(-1, log.head().digest, None)).findings
        assert empty.position == -1


def taken(log: SqliteLog | MemoryLog, position: int) -> StoredSnapshot:
    """Return a snapshot taken at the end of the commit that contains a position."""
    end = log.commit_end(position)
    assert end is not None
    return StoredSnapshot.sealed(end, "state", 1, b"state")


def test_snapshots_of_existing_commits_are_sound() -> None:
    with MemoryLog() as log:
        fill(log)
        snapshots = MemorySnapshots()
        snapshots.save([taken(log, 1), taken(log, 2), taken(log, 4)])
        append(log, "topic/a", produced(3, "a"), when=4)
        report = verify(log, snapshots=snapshots)
        assert report.is_sound
        assert (report.snapshots, report.notes) == (3, ())


def test_a_snapshot_beyond_the_head_shows_that_the_log_has_lost_its_end() -> None:
    with MemoryLog() as log, MemoryLog() as shorter, MemoryLog() as other:
        fill(log)
        append(shorter, "topic/a", created("a"), produced(0, "a"), when=0)
        append(other, "topic/a", *(produced(offset, "a") for offset in range(5)))
        snapshots = MemorySnapshots()
        snapshots.save([taken(log, 1), taken(log, 4)])
        (finding,) = verify(shorter, snapshots=snapshots).findings
        assert (finding.position, "the log ends before it" in finding.problem) == (4, True)
        first, second = verify(other, snapshots=snapshots).findings
        assert (first.position, second.position) == (1, 4)
        assert "a different history" in first.problem
        assert "a different history" in second.problem


def test_a_damaged_snapshot_is_reported_but_is_not_damage_of_the_log(path: Path) -> None:
    with SqliteLog(path, read_only=True) as log, closing(SqliteSnapshots(f"{path}.snapshots")) as snapshots:
        snapshots.save([taken(log, 4), msgspec.structs.replace(taken(log, 2), payload=b"other")])
        report = checked(log, snapshots=snapshots)
        assert report.is_sound
        assert report.snapshots == 2
        assert report.notes == ("the snapshot of 'topic/b' at its version 0 has a wrong checksum",)
        Path(f"{path}.snapshots").write_bytes(b"nothing like it" * 1000)
        for leftover in ("-wal", "-shm"):
            Path(f"{path}.snapshots{leftover}").unlink(missing_ok=True)
        report = checked(log, snapshots=snapshots)
        assert report.is_sound
        assert len(report.notes) == 1
        assert "cannot be used" in report.notes[0]


def test_two_swapped_commits_are_both_found(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE commits SET first_position = 99, last_position = 99 WHERE first_position = 2")
    raw.execute("UPDATE commits SET first_position = 2, last_position = 2 WHERE first_position = 5")
    raw.execute("UPDATE commits SET first_position = 5, last_position = 5 WHERE first_position = 99")
    assert found(path) >= {2, 5}


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM tags WHERE tag = 'topic:a' AND first_position = 3", 3),
        ("DELETE FROM tags WHERE first_position = 2", 2),
        ("INSERT INTO tags VALUES ('topic:z', 2, NULL)", 2),
        ("INSERT INTO tags VALUES ('topic:a', 1, NULL)", 1),
        ("INSERT INTO tags VALUES ('topic:a', 77, 3)", 77),
        ("UPDATE tags SET first_offset = 7 WHERE tag = 'partition:a/0' AND first_position = 3", 3),
        ("UPDATE tags SET first_offset = NULL WHERE tag = 'partition:a/0' AND first_position = 0", 0),
        ("UPDATE tags SET first_offset = 0 WHERE tag = 'topic:b' AND first_position = 5", 5),
        ("UPDATE tags SET tag = 'topic:c' WHERE tag = 'topic:b' AND first_position = 5", 5),
        ("UPDATE tags SET tag = x'ff' WHERE tag = 'topic:b' AND first_position = 5", 5),
        ("UPDATE tags SET first_position = 3 WHERE tag = 'topic:b' AND first_position = 5", 5),
    ],
)
def test_a_changed_index_entry_is_found_at_its_commit(
    path: Path, raw: sqlite3.Connection, statement: str, named: int
) -> None:
    raw.execute(statement)
    assert named in found(path)


def test_a_commit_recorded_before_the_previous_one_is_found(tmp_path: Path) -> None:
    with MemoryLog() as log:
        fill(log)
        early = log._rows[1].metadata.replace(b"12:00:01", b"11:59:59")
        log._rows[1] = msgspec.structs.replace(log._rows[1], metadata=early)
        report = checked(log)
    assert (2, "it was recorded before the previous commit") in [(f.position, f.problem) for f in report.findings]


@pytest.mark.parametrize("counts", [[], [1], [3], [2, 1], [0, 2], [-1, 3]])
def test_decisions_that_do_not_add_up_to_the_events_are_found(tmp_path: Path, counts: list[int]) -> None:
    with MemoryLog() as log:
        append(log, "topic/a", created("a"), produced(0, "a"))
        (row,) = log.stored()
    decisions = tuple(Decision(count, "conversation") for count in counts)
    metadata = msgspec.json.encode(msgspec.structs.replace(log.codec.metadata(row), decisions=decisions))
    digest = digest_after(EMPTY_DIGEST, msgspec.structs.replace(row, metadata=metadata))
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as raw:
        raw.executescript(SCHEMA)
        write_commits(raw, [msgspec.structs.replace(row, metadata=metadata, digest=digest)])
    with SqliteLog(tmp_path / "log.db", read_only=True) as found:
        (finding,) = verify(found).findings
        assert finding.position == 0
        assert finding.problem == f"its decisions have {counts} events, but the commit has 2"
        if counts == [3]:
            assert trace(found, "conversation").event_count == 2


def test_an_unregistered_type_must_have_its_name_in_the_index(path: Path) -> None:
    with SqliteLog(path, codec=Codec(CATALOGUE_ELSEWHERE)) as log:
        append(log, "elsewhere/1", Elsewhere("x"))
    assert verified(path).is_sound
    with tampering(path) as raw:
        raw.execute("DELETE FROM tags WHERE tag = 'type:Elsewhere'")
    assert found(path) == {6}


def test_unregistered_types_are_listed_and_are_not_damage(path: Path) -> None:
    with SqliteLog(path, codec=Codec(CATALOGUE_ELSEWHERE)) as log:
        append(log, "elsewhere/1", Elsewhere("x"))
    report = verified(path)
    assert report.is_sound
    assert report.unknown_types == ("Elsewhere",)


# -- the file as a whole ----------------------------------------------------------------------------------------------


def outcome(path: Path) -> Any:
    """Verify a file; return a log error raised by opening it."""
    try:
        return verified(path).is_sound
    except LogError as error:
        return str(error)


@pytest.mark.parametrize("filling", [b"\x00", b"\xff", b"\x55"])
def test_a_damaged_page_is_found_anywhere_in_the_file(path: Path, tmp_path: Path, filling: bytes) -> None:
    good = path.read_bytes()
    size = 4096
    broken = tmp_path / "broken.db"
    for page in range(len(good) // size):
        broken.write_bytes(good[: page * size] + filling * size + good[(page + 1) * size :])
        assert outcome(broken) is not True, page


@pytest.mark.parametrize("length", [1, 99, 100, 4096, 3 * 4096, 4 * 4096 + 5])
def test_a_truncated_file_is_found(path: Path, tmp_path: Path, length: int) -> None:
    good = path.read_bytes()
    assert length < len(good)
    broken = tmp_path / "broken.db"
    broken.write_bytes(good[:length])
    assert outcome(broken) is not True


@pytest.mark.slow
def test_no_change_of_one_byte_of_the_file_makes_verify_raise(path: Path, tmp_path: Path) -> None:
    good = path.read_bytes()
    broken = tmp_path / "broken.db"
    for place in range(0, len(good), 149):
        damaged = bytearray(good)
        damaged[place] ^= 0xFF
        broken.write_bytes(damaged)
        outcome(broken)
        for leftover in (f"{broken}-wal", f"{broken}-shm"):
            Path(leftover).unlink(missing_ok=True)


def test_verify_repairs_nothing(path: Path, raw: sqlite3.Connection, tmp_path: Path) -> None:
    raw.execute("UPDATE commits SET events = '[]' WHERE first_position = 2")
    raw.close()
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    assert not verified(path).is_sound
    assert path.read_bytes() == copy.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER commits_are_appended",
        "DROP TRIGGER commits_are_not_changed",
        "DROP TRIGGER commits_are_not_deleted",
        "DROP INDEX tag_offsets",
        "DROP VIEW events",
    ],
)
def test_a_missing_part_of_the_schema_is_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "log.db"
    with SqliteLog(path) as log:
        fill(log)
        assert verify(log).is_sound
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(change)
    with SqliteLog(path, read_only=True) as log:
        (finding,) = verify(log).findings
    assert change.split()[-1] in finding.problem
    assert "is missing or was changed" in finding.problem
