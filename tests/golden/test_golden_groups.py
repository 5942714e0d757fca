"""Groups of earlier logs: their consumers go on where they committed, and their events have the tags of today."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.groups import balance, member, places, poll_all

from odradek import ActorSystem, Query, QueryItem, SqliteLog, verify
from odradek_domain.group.member import GroupState
from odradek_domain.replay.system_state import SystemState

FORMAT_1 = Path(__file__).parent / "format-1.db"
GROUPS_1 = Path(__file__).parent / "groups-1.db"
COMMITTED = {("orders", 0): 2, ("orders", 1): 1}  # see format-1.json


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(FORMAT_1, tmp_path / "log.db"))


def committed(system: ActorSystem) -> dict[tuple[str, int], int]:
    return {(item.topic, item.partition): item.offset for item in system.committed_offsets("billing")}


def test_a_group_that_only_committed_is_empty_and_has_its_offsets(path: Path) -> None:
    with ActorSystem.open(path) as system:
        group = system.describe_group("billing")

        assert (group.state, group.generation, group.members) == (GroupState.EMPTY, 0, ())
        assert committed(system) == COMMITTED


def test_consumers_join_such_a_group_share_and_read_on_from_there(path: Path) -> None:
    with ActorSystem.open(path) as system:
        ends = {part.id: part.high_watermark for part in system.describe_topic("orders").partitions}
        consumers = [member(system, name, "orders", group="billing") for name in ("c1", "new")]

        balance(system, *consumers, partitions=len(ends), group="billing")
        due = sum(end - COMMITTED.get(("orders", partition), 0) for partition, end in ends.items())
        records = [record for found in poll_all(consumers, due).values() for record in found]
        for consumer in consumers:
            consumer.commit()

        assert places(records)[0] == ("orders", 0, 2)  # what is before it was deleted
        assert ("orders", 2, 0) in places(records)
        assert not any(record.partition == 1 for record in records)  # all of it was committed
        assert {at: committed(system)["orders", at] for at in ends} == ends
        system.settle()
        assert system.check_replay().holds
        assert SystemState.replay(system.log).digest() == system.state().digest()
    with ActorSystem.open(path) as system:
        assert system.describe_group("billing").state is GroupState.EMPTY
        assert {at: committed(system)["orders", at] for at in ends} == ends


@pytest.fixture
def groups_1(tmp_path: Path) -> Iterator[SqliteLog]:
    with SqliteLog(shutil.copy(GROUPS_1, tmp_path / "log.db"), read_only=True) as log:
        yield log


def positions(log: SqliteLog, *types: str, tag: str) -> list[int]:
    return [recorded.position for recorded in log.read(query=Query((QueryItem(types, (tag,)),)))]


def test_one_tag_finds_everything_of_a_group_that_an_earlier_log_has(groups_1: SqliteLog) -> None:
    of_group = [recorded.position for recorded in groups_1.read(stream="group/billing")]

    assert positions(groups_1, tag="owner:group/billing") == of_group
    assert positions(groups_1, "GroupDeleted", tag="owner:group/billing") == of_group[-1:]
    assert positions(groups_1, tag="owner:group/other") == [of_group[-1] - 1]


def test_the_tag_of_a_topic_finds_the_commits_that_an_earlier_log_has(groups_1: SqliteLog) -> None:
    found = {recorded.type for recorded in groups_1.read(tags=["topic:orders"])}

    assert found == {"TopicCreated", "OffsetCommitted", "OffsetReset"}
    assert positions(groups_1, tag="topic:other") == []


def test_the_groups_of_an_earlier_log_fold_to_what_they_were(groups_1: SqliteLog) -> None:
    deleted = groups_1.head().position
    group = SystemState.replay(groups_1, until=deleted - 1).groups["billing"]

    assert verify(groups_1).is_sound
    assert (group.generation, group.state, group.members) == (1, GroupState.EMPTY, {})
    assert [(item.partition, item.offset) for item in group.committed.all()] == [(1, 2)]
    assert not SystemState.replay(groups_1).groups["billing"].exists
