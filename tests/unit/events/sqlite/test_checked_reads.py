"""Every commit read from a log on disk is checked against its digest before it is returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from support.disk import tampering
from support.log import START, append, at, created, produced

from odradek_events import NO_STREAM, Append, Query, QueryItem, SqliteLog
from odradek_events.errors import DamagedCommit
from odradek_events.exchange.jsonl import export_log
from odradek_events.maintenance.statistics import log_statistics

FIRST, SECOND = 0, 1  # first positions; the second commit is damaged

CHANGES = {
    "an event": "events = replace(events, '\"offset\":1', '\"offset\":7')",
    "a byte of the metadata": "metadata = replace(metadata, '12:00:01', '12:00:02')",
    "the digest": "digest = zeroblob(32)",
    "the digest's type": "digest = 7",
    "the stream": "stream = 'topic/c'",
    "a version": "first_version = 5",
    "a version that is not an integer": "first_version = first_version + 0.5",
    "a position that is not an integer": "last_position = last_position + 0.5",
    "a column's type": "events = 7",
}


def message(offset: int, topic: str) -> Any:
    return produced(offset, topic, value=b"of-" + topic.encode())


@pytest.fixture(params=CHANGES)
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A log of four commits of two streams, of which the second is damaged."""
    path = tmp_path / "log.db"
    with SqliteLog(path, durability="off") as log:
        append(log, "topic/a", created("a"))
        append(log, "topic/b", message(0, "two"), message(1, "two"), when=1)
        append(log, "topic/a", message(0, "a"), when=2)
        append(log, "topic/a", message(1, "a"), when=3)
    with tampering(path) as raw:
        raw.execute(f"UPDATE commits SET {CHANGES[request.param]} WHERE first_position = {SECOND}")
    return path


def positions_before_damage(read: Iterable[Any]) -> list[int]:
    """Return the first positions that a read yields before it raises DamagedCommit at the damage."""
    found: list[int] = []
    with pytest.raises(DamagedCommit) as caught:
        found.extend(getattr(item, "first_position", getattr(item, "position", -1)) for item in read)
    assert caught.value.position == SECOND
    return found


READS: dict[str, Callable[[SqliteLog], Iterable[Any]]] = {
    "stored": lambda log: log.stored(),
    "commits": lambda log: log.commits(),
    "events": lambda log: log.read(),
    "events from the middle": lambda log: log.read(after=0),
    "events by one tag": lambda log: log.read(tags=["topic:two"]),
    "events by several tags": lambda log: log.read(tags=["topic:two", "partition:two/0"]),
    "events by type": lambda log: log.read(types=["MessageProduced"]),
    "events by several types": lambda log: log.read(types=["MessageProduced", "TopicDeleted"]),
    "events by several items": lambda log: log.read(
        query=Query((QueryItem((), ("topic:two",)), QueryItem((), ("topic:none",))))
    ),
}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_damaged_commit_in_the_middle_is_not_returned(path: Path, read_only: bool) -> None:
    with SqliteLog(path, read_only=read_only) as log:
        returned = {name: positions_before_damage(read(log)) for name, read in READS.items()}
        assert {name for name, found in returned.items() if any(position >= SECOND for position in found)} == set()


def test_a_damaged_commit_is_not_returned_by_its_position(path: Path) -> None:
    with SqliteLog(path, read_only=True) as log:
        for position in (SECOND, SECOND + 1):
            assert positions_before_damage(log.commit_at(position) for _ in range(1)) == []


def test_sound_commits_before_and_after_the_damage_are_still_returned(path: Path) -> None:
    with SqliteLog(path, read_only=True) as log:
        assert log.commit_at(FIRST).first_position == FIRST
        assert [recorded.position for recorded in log.read(until=FIRST)] == [FIRST]


def test_statistics_and_exports_stop_at_the_damage(path: Path, tmp_path: Path) -> None:
    with SqliteLog(path, read_only=True) as log:
        with pytest.raises(DamagedCommit):
            log_statistics(log)
        with pytest.raises(DamagedCommit):
            export_log(log, tmp_path / "export.jsonl")


def test_a_damaged_commit_of_a_stream_is_not_returned_by_stream_or_version(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteLog(path) as log:
        append(log, "topic/a", created("a"))
        append(log, "topic/a", message(0, "a"), when=1)
        append(log, "topic/a", message(1, "a"), when=2)
    with tampering(path) as raw:
        raw.execute(
            "UPDATE commits SET events = replace(events, '\"offset\":0', '\"offset\":7') WHERE first_position = 1"
        )
    with SqliteLog(path) as log:
        with pytest.raises(DamagedCommit):
            list(log.commits(stream="topic/a"))
        with pytest.raises(DamagedCommit):
            list(log.read(stream="topic/a", types=["MessageProduced"]))
        with pytest.raises(DamagedCommit):
            log.commit_of_version("topic/a", 1)
        repeated = Append(stream="topic/a", events=[message(0, "a")], expected_version=0, commit_id="topic/a@1")
        with pytest.raises(DamagedCommit):
            log.append([repeated], START)
        append(log, "topic/b", created("b"), expected=NO_STREAM, when=3)


def test_a_missing_commit_is_detected_at_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with SqliteLog(path) as log:
        for number in range(4):
            append(log, f"topic/{number}", created(str(number)))
    with tampering(path) as raw:
        raw.execute("DELETE FROM commits WHERE first_position = 1")
    with SqliteLog(path, read_only=True) as log:
        for read in (log.read(), log.read(after=1), log.read(stream="topic/2"), log.read(tags=["topic:2"])):
            with pytest.raises(
                DamagedCommit, match="the commit at position 2 is damaged: its digest does not continue"
            ):
                list(read)


def test_a_time_is_not_resolved_with_a_damaged_commit(path: Path) -> None:
    with SqliteLog(path, read_only=True) as log, pytest.raises(DamagedCommit):
        log.resolve(at(1))
