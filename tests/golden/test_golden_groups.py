"""Consumers in groups of logs written before there were generations go on where they committed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.groups import balance, member, places, poll_all

from odradek import ActorSystem
from odradek_domain.group.member import GroupState
from odradek_domain.replay.system_state import SystemState

FORMAT_1 = Path(__file__).parent / "format-1.db"
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
