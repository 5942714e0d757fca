"""Exports and imports keep bytes and digests, and refuse damaged logs and exports."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.log import append, at, created, produced

from odradek_domain.replay.system_state import SystemState
from odradek_events import Append, LogStore, MemoryLog, SqliteLog, event
from odradek_events.errors import DamagedCommit, LogNotWritable, PositionBeyondHead
from odradek_events.exchange.errors import DamagedExport, ExportTooNew, NotAnExport
from odradek_events.exchange.jsonl import Imported, export_log, import_log, write_lines
from odradek_events.maintenance.verify import verify
from odradek_events.record import Decision
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue

ELSEWHERE = Catalogue()


@event("ExchangeTestThing", catalogue=ELSEWHERE, tags=("thing:{name}",))
class Thing(msgspec.Struct, frozen=True):
    """An event of a type that neither export nor import knows."""

    name: str


def fill(log: LogStore) -> None:
    """Append events that are hard to export: binary, Unicode, escapes, headers, metadata, several types in a commit."""
    append(log, "topic/ä ☃ 𝄞", created("ä ☃ 𝄞"), produced(0, "ä ☃ 𝄞", value=bytes(range(256))), when=0)
    append(log, 'topic/"quoted\\"', created('"quoted\\"'), when=0.123456)
    append(log, "topic/a", created("a"), produced(0, "a", value=None), produced(1, "a", value=b""), when=1)
    metadata = {
        "commit_id": "c-1",
        "actor": "topic \u2028 a",
        "decisions": (Decision(1, "k", "w"), Decision(1, "l", "v")),
    }
    request = Append(stream="topic/a", events=[produced(2, "a"), produced(3, "a")], **metadata)  # type: ignore[arg-type]
    log.append([request], at(2))


def exported(log: LogStore, until: int | datetime | None = None) -> bytes:
    lines = io.BytesIO()
    write_lines(log, lines.write, until=until)
    return lines.getvalue()


def imported(lines: bytes, target: Path, **options: Any) -> Imported:
    return import_log(io.BytesIO(lines), target, name="x.jsonl", **options)


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log.db", durability="off") as log:
        yield log


@pytest.fixture
def lines() -> bytes:
    """The export of a small log: a header and four lines."""
    with MemoryLog() as log:
        fill(log)
        return exported(log)


def test_an_imported_log_equals_the_exported_log(log: LogStore, tmp_path: Path) -> None:
    fill(log)
    found = imported(exported(log), tmp_path / "new.db")
    assert found.head == log.head()
    assert (found.commits, found.events, found.unknown_types) == (4, 8, ())
    with SqliteLog(tmp_path / "new.db", read_only=True) as new:
        assert list(new.read()) == list(log.read())
        assert [row.digest for row in new.stored()] == [row.digest for row in log.stored()]
        assert list(new.read(tags=["topic:ä ☃ 𝄞"])) == list(log.read(tags=["topic:ä ☃ 𝄞"]))
        assert SystemState.replay(new).digest() == SystemState.replay(log).digest()
        assert verify(new, head=log.head()).is_sound
        assert exported(new) == exported(log)


def test_an_empty_log_is_imported_as_an_empty_log(log: LogStore, tmp_path: Path) -> None:
    lines = exported(log)
    assert lines.count(b"\n") == 1
    assert imported(lines, tmp_path / "new.db").head == log.head()
    with SqliteLog(tmp_path / "new.db") as new:
        append(new, "topic/a", created("a"))
        assert verify(new).is_sound


def test_an_imported_log_accepts_appends(lines: bytes, tmp_path: Path) -> None:
    imported(lines, tmp_path / "new.db")
    with SqliteLog(tmp_path / "new.db") as new:
        append(new, "topic/a", produced(4, "a"), expected=4, when=3)
        assert verify(new).is_sound


def test_events_of_unregistered_types_are_exported_and_imported_with_their_tags(tmp_path: Path) -> None:
    logs: list[LogStore] = [MemoryLog(Codec(ELSEWHERE)), SqliteLog(tmp_path / "a.db", codec=Codec(ELSEWHERE))]
    for number, log in enumerate(logs):
        append(log, "thing/1", Thing("one"))
        append(log, "thing/2", Thing("two"), Thing("three"))
        log.codec = Codec()
        append(log, "topic/a", created("a"), when=1)
        target = tmp_path / f"new-{number}.db"
        assert imported(exported(log), target).unknown_types == ("ExchangeTestThing",)
        assert b'"tags":{' in exported(log).splitlines()[1]
        assert b'"tags":{' not in exported(log).splitlines()[3]
        with SqliteLog(target, read_only=True, codec=Codec(ELSEWHERE)) as new:
            assert [recorded.event for recorded in new.read(tags=["thing:three"])] == [Thing("three")]
        log.close()


def test_the_header_has_the_head_and_each_other_line_one_commit(lines: bytes) -> None:
    header, first, *_ = map(json.loads, lines.splitlines())
    with MemoryLog() as log:
        fill(log)
        assert header == {"format": "odradek-log", "version": 1, "head": log.head().to_text()}
        stored = next(log.stored())
    assert list(first) == ["first_position", "last_position", "stream", "first_version", "metadata", "digest", "events"]
    assert first["metadata"] == json.loads(stored.metadata)
    assert first["events"] == json.loads(stored.events)
    assert stored.events in lines.splitlines()[1]


def test_the_export_format_does_not_change() -> None:
    with MemoryLog() as log:
        append(log, "topic/a", created("a"), commit_id="c")
        assert exported(log) == (
            b'{"format":"odradek-log","version":1,"head":"0:bec266027fa5175580f947e21c0ee1161588ef36cbaa56af7'
            b'7771ea3c6a93fe1"}\n'
            b'{"first_position":0,"last_position":0,"stream":"topic/a","first_version":0,"metadata":{"commit_'
            b'id":"c","actor":"","recorded_at":"2024-05-01T12:00:00Z","decisions":[[1,"",""]],"types":[["Topi'
            b'cCreated",1]]},"digest":"bec266027fa5175580f947e21c0ee1161588ef36cbaa56af77771ea3c6a93fe1","eve'
            b'nts":[{"type":"TopicCreated","topic":"a","topic_id":"t-1","partition_count":2,"timestamp":"2024'
            b'-05-01T12:00:00Z"}]}\n'
        )


@pytest.mark.parametrize(("until", "head"), [(-1, -1), (0, -1), (1, 1), (2, 2), (3, 2), (5, 5), (6, 5), (7, 7)])
def test_an_export_ends_with_the_last_whole_commit_up_to_a_position(
    log: LogStore, tmp_path: Path, until: int, head: int
) -> None:
    fill(log)
    assert imported(exported(log, until), tmp_path / "new.db").head.position == head
    with SqliteLog(tmp_path / "new.db", read_only=True) as new:
        assert verify(log, head=new.head()).is_sound
        assert list(new.read()) == list(log.read(until=head))


def test_an_export_ends_at_a_time(log: LogStore) -> None:
    fill(log)
    assert exported(log, at(1)) == exported(log, 5)
    assert exported(log, datetime(2000, 1, 1, tzinfo=UTC)) == exported(log, -1)
    assert exported(log, at(2) + timedelta(days=1)) == exported(log)


def test_an_export_up_to_a_position_beyond_the_head_is_refused(log: LogStore) -> None:
    fill(log)
    with pytest.raises(PositionBeyondHead):
        exported(log, 8)


def test_a_log_that_grows_during_an_export_is_exported_up_to_its_head_at_the_start(
    log: LogStore, tmp_path: Path
) -> None:
    fill(log)
    before = log.head()
    written: list[bytes] = []

    def write(line: bytes) -> None:
        append(log, "topic/a", produced(4 + len(written), "a"), when=3)
        written.append(line)

    assert write_lines(log, write) == before
    assert imported(b"".join(written), tmp_path / "new.db").head == before


def test_a_damaged_log_is_not_exported(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db") as log:
        fill(log)
    with closing(sqlite3.connect(tmp_path / "log.db")) as raw, raw:
        raw.execute("DROP TRIGGER commits_are_not_changed")
        raw.execute("UPDATE commits SET events = replace(events, 'm0', 'm9') WHERE first_position = 3")
    with SqliteLog(tmp_path / "log.db", read_only=True) as log:
        with pytest.raises(DamagedCommit, match="position 3 is damaged: its digest does not continue the chain"):
            export_log(log, tmp_path / "x.jsonl")
        assert export_log(log, tmp_path / "sound.jsonl", until=2).position == 2
    assert {file.name for file in tmp_path.iterdir() if "jsonl" in file.name} == {"sound.jsonl"}


def test_an_existing_file_is_refused_and_left_unchanged(lines: bytes, tmp_path: Path) -> None:
    for name in ("x.jsonl", "new.db"):
        (tmp_path / name).write_text("precious")
    with MemoryLog() as log, pytest.raises(LogNotWritable, match="already exists"):
        export_log(log, tmp_path / "x.jsonl")
    with pytest.raises(LogNotWritable, match="already exists"):
        imported(lines, tmp_path / "new.db")
    assert {file.read_text() for file in tmp_path.iterdir()} == {"precious"}


def test_export_and_import_report_progress(log: LogStore, tmp_path: Path) -> None:
    for number in range(130):
        append(log, "topic/a", produced(number), produced(number))
    reported: list[int] = []
    export_log(log, tmp_path / "x.jsonl", progress=reported.append)
    assert reported == [127, 255]
    with open(tmp_path / "x.jsonl", "rb") as file:
        import_log(file, tmp_path / "new.db", progress=reported.append)
    assert reported == [127, 255] * 2


# -- files that are not exports, and damaged exports ------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"not JSON\n",
        b"[]\n",
        b"{}\n",
        b"\xff\xfe\x00",
        b"PAR1" + bytes(100),
        b'{"format":"odradek-log"}\n',
        b'{"format":"other","version":1,"head":"-1:' + b"00" * 32 + b'"}\n',
        b'{"format":"odradek-log","version":1,"head":"5"}\n',
        b'{"format":"odradek-log","version":1,"head":"-1:' + b"00" * 32,
        b" " * 200_000_000,
        b"[" * 60_000 + b"\n",
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_file_that_is_not_an_export_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotAnExport, match=r"^x\.jsonl is not an export of a log \([^\n]*\); .*odradek export"):
        imported(content, tmp_path / "new.db")
    assert list(tmp_path.iterdir()) == []


def test_an_export_of_a_newer_odradek_is_refused(lines: bytes, tmp_path: Path) -> None:
    with pytest.raises(ExportTooNew, match="format 2, but this Odradek supports formats up to 1; upgrade"):
        imported(lines.replace(b'"version":1', b'"version":2', 1), tmp_path / "new.db")


def without(number: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: lines[: number - 1] + lines[number:]


def changed(number: int, old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        assert old in lines[number - 1]
        return [*lines[: number - 1], lines[number - 1].replace(old, new, 1), *lines[number:]]

    return change


def with_header(head: bytes) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [b'{"format":"odradek-log","version":1,"head":"%b"}\n' % head, *lines[1:]]


@pytest.mark.parametrize(
    ("damage", "number", "reason"),
    [
        (without(2), 2, "it begins at position 2, but position 0 was expected"),
        (without(3), 3, "it begins at position 3, but position 2 was expected"),
        (without(5), 4, "says that the log ends at position 7, but it ends at 5, so 2 events are missing"),
        (lambda lines: lines[:1], 1, "it ends at -1, so 8 events are missing"),
        (lambda lines: lines[:2] + lines[1:], 3, "it begins at position 0, but position 2 was expected"),
        (
            lambda lines: [*lines[:2], lines[3], lines[2], lines[4]],
            3,
            "it begins at position 3, but position 2 was expected",
        ),
        (lambda lines: [*lines[:3], lines[3][:-20]], 4, "it is cut short"),
        (lambda lines: [*lines[:3], b"\n", *lines[3:]], 4, "it is not a commit"),
        (lambda lines: [*lines[:2], b"[]\n", *lines[2:]], 3, "it is not a commit"),
        (lambda lines: [*lines[:2], b"\xff\n", *lines[2:]], 3, "it is not a commit"),
        (lambda lines: [*lines[:2], b"[" * 10**6 + b"\n", *lines[2:]], 3, "it is not a commit"),
        (changed(4, b'"offset":1', b'"offset":2'), 4, "its digest does not continue the chain"),
        (changed(4, b'"events":[', b'"events":[ '), 4, "its digest does not continue the chain"),
        (changed(5, b'"c-1"', b'"c-2"'), 5, "its digest does not continue the chain"),
        (changed(5, b'"stream":"topic/a"', b'"stream":"topic"'), 5, "is not a stream name"),
        (changed(5, b'"stream":"topic/a"', b'"stream":"topic/\\ud800"'), 5, "it is not a commit"),
        (
            changed(5, b'"first_version":3', b'"first_version":4'),
            5,
            "continues at version 4, but version 3 was expected",
        ),
        (
            changed(4, b'"first_version":0', b'"first_version":1'),
            4,
            "continues at version 1, but version 0 was expected",
        ),
        (changed(5, b'"last_position":7', b'"last_position":9223372036854775808'), 5, "its digest does not"),
        (changed(5, b'"digest":"', b'"digest":"x'), 5, "it is not a commit"),
        (changed(5, b'"digest":"', b'"digest":"00'), 5, "its digest does not continue the chain"),
        (changed(5, b'"events":[', b'"tags":{"a":-1},"events":['), 5, "it is not a commit"),
        (with_header(b"5:" + b"00" * 32), 5, "it goes beyond position 5"),
        (with_header(b"7:" + b"00" * 32), 5, "its digest is not the one in the header"),
        (with_header(b"9:" + b"00" * 32), 5, "says that the log ends at position 9, but it ends at 7"),
    ],
)
def test_a_damaged_export_is_refused_with_the_line_number_and_creates_no_log(
    lines: bytes, tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]], number: int, reason: str
) -> None:
    with pytest.raises(DamagedExport, match=rf"^line {number} of x\.jsonl is damaged: ") as caught:
        imported(b"".join(damage(lines.splitlines(keepends=True))), tmp_path / "new.db")
    assert reason in str(caught.value)
    assert caught.value.line == number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_change_of_any_byte_of_a_commits_line_is_refused(lines: bytes, tmp_path: Path) -> None:
    start = lines.index(b"\n") + 1
    for place in range(start, lines.index(b"\n", start)):
        damaged = bytearray(lines)
        damaged[place] ^= 1 << (place % 8)
        if damaged[place : place + 1].isspace() and lines[place : place + 1].isspace():
            continue  # white space between fields is not part of the log
        if bytes(damaged).lower() == lines.lower() and b'"digest"' in lines[:place]:
            continue  # hexadecimal digits may have either case
        with pytest.raises(DamagedExport, match=r"^line [23] of"):
            imported(bytes(damaged), tmp_path / "new.db")


def test_an_endless_line_is_refused_before_it_fills_memory(lines: bytes, tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        """A header, followed by one line of a gigabyte."""

        left = 1 << 30

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            head = lines[: lines.index(b"\n") + 1] if self.left == 1 << 30 else b"x" * len(buffer)
            buffer[: len(head)] = head
            self.left -= len(head)
            return len(head)

    tracemalloc.start()
    with pytest.raises(DamagedExport, match=r"line 2 of x\.jsonl is damaged: it is longer than 1,000,000 bytes"):
        import_log(io.BufferedReader(Endless()), tmp_path / "new.db", name="x.jsonl", max_line_bytes=10**6)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20


def test_a_failed_export_or_import_leaves_no_files_behind(log: LogStore, tmp_path: Path) -> None:
    fill(log)
    before = set(os.listdir(tmp_path))

    class Full(Exception):
        pass

    def stop(position: int) -> None:
        raise Full

    for number in range(64):
        append(log, "topic/a", produced(10 + number, "a"), when=3)
    with pytest.raises(Full):
        export_log(log, tmp_path / "x.jsonl", progress=stop)
    with pytest.raises(Full):
        imported(exported(log), tmp_path / "new.db", progress=stop)
    assert set(os.listdir(tmp_path)) - before <= {"log.db-shm", "log.db-wal"}
