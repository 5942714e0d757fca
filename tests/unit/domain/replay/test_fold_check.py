"""Histories that a log may hold and no aggregate can have, and states that snapshots claim."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.domain import NOON, after, produced, record

from odradek_domain.errors import MAX_PARTITIONS
from odradek_domain.replay.fold_check import FoldCheck, StateClaim
from odradek_domain.replay.system_state import SystemState
from odradek_events import MemoryLog, event
from odradek_events.maintenance.verify import verify
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.types import PartitionsAdded, RecordsDeleted, TopicCreated, TopicDeleted

foreign = Catalogue()
"""Types that only their own writers register."""


@event("NoteTaken", catalogue=foreign)
class NoteTaken(msgspec.Struct, frozen=True):
    """An event of a model of one's own."""

    owner: str


def created(partitions: int = 1) -> TopicCreated:
    return TopicCreated("orders", "t-1", partitions, NOON)


def folded(*commits: list[Any], claims: tuple[StateClaim, ...] = ()) -> FoldCheck:
    """Fold a log of these commits of one topic beside the walk of verify."""
    check = FoldCheck(claims)
    with MemoryLog() as log:
        for number, events in enumerate(commits):
            record(log, "topic/orders", *events, when=after(number))
        assert verify(log, on_commit=check.add).is_sound
    return check


HISTORIES: dict[str, tuple[list[list[Any]], int, str]] = {
    "a message without its topic": ([[produced(0)]], 0, "partition 0 of a topic that has 0 partitions"),
    "a message of a deleted topic": (
        [[created()], [TopicDeleted("orders", "t-1", NOON)], [produced(0)]],
        2,
        "partition 0 of a topic that has 0 partitions",
    ),
    "a message behind its topic's deletion in one commit": (
        [[created()], [TopicDeleted("orders", "t-1", NOON), produced(0)]],
        1,
        "partition 0 of a topic that has 0 partitions",
    ),
    "a message in a partition that is not there": ([[created()], [produced(0, partition=1)]], 1, "partition 1 of"),
    "a message in a negative partition": ([[created()], [produced(0, partition=-1)]], 1, "partition -1 of"),
    "an offset left out": ([[created()], [produced(0)], [produced(2)]], 2, "offset 2 in partition 0, expected 1"),
    "an offset twice": ([[created()], [produced(0), produced(0)]], 1, "offset 0 in partition 0, expected 1"),
    "partitions without number": ([[created(10**9)]], 0, f"1000000000 partitions, above the limit of {MAX_PARTITIONS}"),
    "no partition": ([[created(0)]], 0, "a topic of 0 partitions"),
    "partitions added without number": (
        [[created()], [PartitionsAdded("orders", 10**12, NOON)]],
        1,
        f"1000000000000 partitions, above the limit of {MAX_PARTITIONS}",
    ),
    "records deleted where there are none": (
        [[created()], [RecordsDeleted("orders", 3, 1, NOON)]],
        1,
        "partition 3 of a topic that has 1 partitions",
    ),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_a_sound_log_that_cannot_be_folded_is_found_at_its_commit(history: str) -> None:
    commits, position, problem = HISTORIES[history]
    (finding,) = folded(*commits).findings
    assert finding.position == position
    assert finding.problem.startswith("it cannot be folded (")
    assert problem in finding.problem


def test_only_the_first_fault_of_a_stream_is_found_and_others_are_folded_on() -> None:
    check = FoldCheck()
    with MemoryLog() as log:
        record(log, "topic/orders", produced(0))
        record(log, "topic/orders", produced(1))
        record(log, "topic/bills", TopicCreated("bills", "t-2", 1, NOON))
        record(log, "topic/bills", produced(7, topic="bills"))
        verify(log, on_commit=check.add)
    assert [finding.position for finding in check.findings] == [0, 3]


def test_a_history_as_topics_write_it_has_no_findings() -> None:
    check = folded(
        [created(2)],
        [produced(0), produced(0, partition=1), produced(1)],
        [PartitionsAdded("orders", 3, NOON), produced(0, partition=2)],
        [RecordsDeleted("orders", 0, 2, NOON)],
        [produced(2)],
        [TopicDeleted("orders", "t-1", NOON)],
        [TopicCreated("orders", "t-2", 1, NOON), produced(0)],
        [produced(1)],
    )
    assert check.findings == []
    assert check.unfolded_streams == set()


def test_types_that_are_not_registered_are_skipped_and_their_streams_counted() -> None:
    check = FoldCheck()
    with MemoryLog(codec=Codec(foreign)) as theirs:
        record(theirs, "note/1", NoteTaken("ada"))
        record(theirs, "topic/orders", NoteTaken("ada"))
        with MemoryLog() as log:
            log._rows, log._firsts, log._head = theirs._rows, theirs._firsts, theirs._head
            log._by_stream = theirs._by_stream
            found = verify(log, on_commit=check.add)
    assert found.is_sound
    assert found.unknown_types == ("NoteTaken",)
    assert check.findings == []
    assert check.unfolded_streams == {"note/1", "topic/orders"}


def test_nothing_is_folded_after_a_damaged_commit() -> None:
    check = FoldCheck()
    check.add(None)
    with MemoryLog() as log:
        record(log, "topic/orders", produced(0))
        verify(log, on_commit=check.add)
    assert check.findings == []


COMMITS: list[list[Any]] = [[created()], [produced(0)], [produced(1)]]


def claim(of: int, **changes: Any) -> StateClaim:
    """Return what a true snapshot of the topic claims, changed."""
    with MemoryLog() as log:
        for number, events in enumerate(COMMITS):
            record(log, "topic/orders", *events, when=after(number))
        snapshot = SystemState.replay(log, of).snapshots()["topic/orders"]
    return msgspec.structs.replace(StateClaim.of(snapshot, "topic/orders", of, 0), **changes)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_correct_snapshot_is_not_a_finding(version: int) -> None:
    assert folded(*COMMITS, claims=(claim(version),)).findings == []


@pytest.mark.parametrize(
    "false",
    [claim(1, digest=b"another"), claim(1, version=2), claim(2, version=0), claim(1, created_position=1)],
    ids=["another state", "an older state", "a newer state", "another creation"],
)
def test_an_incorrect_snapshot_is_a_finding(false: StateClaim) -> None:
    (finding,) = folded(*COMMITS, claims=(claim(0), false, claim(2))).findings
    assert "differs from the state folded from the log; delete the snapshots" in finding.problem
    assert f"'topic/orders' at version {false.version} " in finding.problem
