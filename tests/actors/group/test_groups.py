"""Consumers share a group's partitions: who joins, leaves, dies, falls silent or stalls, and what becomes of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.actors import World, in_threads, produce, values
from support.groups import COOPERATIVE, Heard, balance, fill, member, nudge, places, poll_all, reasons, until

from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import RequestTimedOut
from odradek_actors.messages.core import GetStatus, Status
from odradek_actors.messages.groups import JoinGroup, JoinResult, LeaveGroup
from odradek_domain.group.errors import IllegalGeneration, UnknownMember
from odradek_domain.group.member import Claim, GroupState
from odradek_domain.values.positions import TopicPartition
from odradek_events.types import GroupAssigned

pytestmark = pytest.mark.usefixtures("replayed")

ASSIGNORS = ["range", "roundrobin", "sticky", "cooperative-sticky"]


def everything(partitions: int, each: int, topic: str = "orders") -> list[tuple[str, int, int]]:
    return [(topic, partition, offset) for partition in range(partitions) for offset in range(each)]


# -- sharing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assignor", ASSIGNORS)
def test_three_consumers_share_the_partitions_and_each_message_goes_to_one(system: ActorSystem, assignor: str) -> None:
    system.create_topic("orders", 6)
    fill(system, "orders", 6, 5)
    consumers = [member(system, name, "orders", assignors=[assignor]) for name in ("a", "b", "c")]

    balance(system, *consumers, partitions=6)
    records = poll_all(consumers, 30)

    assert [len(consumer.assignment) for consumer in consumers] == [2, 2, 2]
    assert places([record for found in records.values() for record in found]) == everything(6, 5)
    for consumer in consumers:
        assert {(record.topic, record.partition) for record in records[consumer.consumer_id]} == {*consumer.assignment}


def test_consumers_that_join_from_threads_of_their_own_share_the_partitions(system: ActorSystem) -> None:
    system.create_topic("orders", 4)
    fill(system, "orders", 4, 10)
    consumers = [member(system, f"c{number}", "orders") for number in range(4)]
    seen: list[tuple[str, int, int]] = []

    def work(number: int) -> None:
        consumer = consumers[number]
        while len(set(seen)) < 40:
            found = consumer.poll(timeout=0.02)
            seen.extend(places(found))
            if found:
                consumer.commit_async()

    in_threads(*(lambda number=number: work(number) for number in range(4)))

    assert sorted(set(seen)) == everything(4, 10)


def test_more_consumers_than_partitions_leave_some_without_any(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    consumers = [member(system, name, "orders") for name in ("a", "b", "c")]

    balance(system, *consumers, partitions=2)

    assert sorted(len(consumer.assignment) for consumer in consumers) == [0, 1, 1]
    idle = next(consumer for consumer in consumers if not consumer.assignment)
    assert idle.poll(timeout=0.02) == []


def test_wait_for_assignment_returns_at_once_if_partitions_are_assigned(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    first, second = (member(system, name, "orders") for name in ("a", "b"))
    balance(system, first, partitions=2)

    assert len(first.wait_for_assignment(0)) == 2
    for timeout in (0, 0.01):
        with pytest.raises(RequestTimedOut, match=f"within {timeout} s"):
            second.wait_for_assignment(timeout)
    assert second.assignment == ()


def test_two_groups_each_read_everything(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    consumers = [member(system, f"of-{group}", "orders", group=group) for group in ("g", "h")]

    records = poll_all(consumers, 12)

    assert [places(records[f"of-{group}"]) for group in ("g", "h")] == [everything(2, 3)] * 2


def test_a_group_describes_its_members_and_what_each_reads_and_has(system: ActorSystem) -> None:
    system.create_topic("orders", 3)
    consumers = [member(system, name, "orders") for name in ("a", "b")]

    balance(system, *consumers, partitions=3)
    group = system.describe_group("g")

    assert (group.state, group.assignor) == (GroupState.STABLE, "range")
    members = {found.consumer_id: (found.topics, found.partitions) for found in group.members}
    assert members == {consumer.consumer_id: (("orders",), consumer.assignment) for consumer in consumers}
    assert group.leader in [found.member_id for found in group.members]


# -- leaving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])
def test_partitions_of_a_closed_member_go_to_the_others_at_its_commits(
    system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    system.create_topic("orders", 4)
    fill(system, "orders", 4, 3)
    stays, goes = (member(system, name, "orders", assignors=assignors) for name in ("stays", "goes"))
    balance(system, stays, goes, partitions=4)
    records = poll_all([stays, goes], 12)
    stays.commit()
    goes.commit({TopicPartition("orders", record.partition): 2 for record in records["goes"]})

    goes.close()
    balance(system, stays, partitions=4)
    again = poll_all([stays], 2)["stays"]

    assert places(again) == sorted({("orders", record.partition, 2) for record in records["goes"]})
    assert stays.poll(timeout=0.02) == []
    assert reasons(system.log) == ["it left"]


@pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])
def test_partitions_of_a_killed_member_go_to_the_others(
    world: World, system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    system.create_topic("orders", 4)
    stays, dies = (member(system, name, "orders", assignors=assignors) for name in ("stays", "dies"))
    balance(system, stays, dies, partitions=4)

    world.runtime.kill("consumer/dies")
    balance(system, stays, partitions=4)

    assert [partition for _, partition in stays.assignment] == [0, 1, 2, 3]


def test_the_group_is_empty_and_keeps_its_commits_after_its_last_member_left(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    with member(system, "a", "orders") as consumer:
        poll_all([consumer], 2)
        consumer.commit()

    group = system.describe_group("g")

    assert (group.state, group.members) == (GroupState.EMPTY, ())
    assert [item.offset for item in group.committed] == [2]


def test_a_reopened_consumer_is_a_new_member_and_resumes_at_its_commits(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b", "c")
    with member(system, "a", "orders") as consumer:
        consumer.poll(2)
        consumer.commit()
        before = system.describe_group("g").members[0].member_id

    back = system.consumer("a", "g")
    back.subscribe(["orders"])

    assert values(poll_all([back], 1)["a"]) == ["c"]
    assert system.describe_group("g").members[0].member_id != before


# -- silence ----------------------------------------------------------------------------------------------------------


def fake_member(system: ActorSystem, consumer_id: str = "fake", session_timeout_ms: int = 60) -> JoinGroup:
    return JoinGroup(consumer_id, "", ("orders",), None, ("range", "cooperative-sticky"), session_timeout_ms, 60_000)


def test_a_silent_member_is_removed_after_its_session_and_the_others_get_its_partitions(
    system: ActorSystem,
) -> None:
    system.create_topic("orders", 2)
    joined = system.command("group/g", fake_member(system))
    assert isinstance(joined.result(10), JoinResult)

    consumer = member(system, "a", "orders")
    balance(system, consumer, partitions=2)

    assert reasons(system.log) == ["its session timed out"]


def test_a_silent_member_delays_a_rebalance_only_until_its_session_expires(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    consumer = member(system, "a", "orders")
    balance(system, consumer, partitions=2)
    joined = system.command("group/g", fake_member(system))
    until(joined.done, lambda: nudge(consumer), what="the fake has joined")  # and never asks for its share

    balance(system, consumer, partitions=2)

    assert reasons(system.log) == ["its session timed out"]


def test_the_session_of_a_member_that_waits_for_others_to_join_does_not_expire(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    slow = member(system, "slow", "orders")
    balance(system, slow, partitions=2)
    joined = system.command("group/g", fake_member(system, session_timeout_ms=1))
    waited = system.command("group/g", fake_member(system, "other", session_timeout_ms=50))
    assert not waited.done()

    until(lambda: joined.done() and waited.done(), lambda: nudge(slow), what="both have joined")

    assert isinstance(joined.result(), JoinResult)
    assert isinstance(waited.result(), JoinResult)


def test_a_member_that_waits_for_longer_than_its_session_does_not_keep_the_group_busy(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    slow = member(system, "slow", "orders")
    balance(system, slow, partitions=2)
    system.command("group/g", fake_member(system, session_timeout_ms=1))
    clock = system.consumer("clock")
    clock.subscribe(["nothing"])

    def handled() -> int:
        status: Status = system.query("group/g", GetStatus()).result()
        return status.handled

    before = handled()
    clock.poll(timeout=0.3)

    assert handled() - before < 200  # one for each retry_backoff would be 60, and one after the other many thousands


def test_a_claim_of_an_earlier_generation_does_not_move_partitions(system: ActorSystem) -> None:
    system.create_topic("orders", 4)
    consumer = member(system, "a", "orders", assignors=COOPERATIVE)
    generation = balance(system, consumer, partitions=4)
    stale = Claim(consumer.assignment, generation - 1, True)
    zombie = msgspec.structs.replace(fake_member(system, "b", 60_000), assignors=COOPERATIVE, claim=stale)

    joined = system.command("group/g", zombie)
    until(joined.done, lambda: nudge(consumer), what="it has joined")
    leaving = LeaveGroup(joined.result().member_id)

    def assigned() -> list[GroupAssigned]:
        given = [recorded.event for recorded in system.log.read(stream="group/g", types=("GroupAssigned",))]
        return [event for event in given if event.generation == generation + 1]

    until(lambda: bool(assigned()), lambda: nudge(consumer), what="it is shared out")
    system.command("group/g", leaving).result()
    balance(system, consumer, partitions=4)

    shares = {share.member_id: len(share.partitions) for share in assigned()[0].assignments}
    assert shares[leaving.member_id] == 0  # until its reader has let go of some


# -- stalling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])
def test_a_member_that_does_not_poll_loses_its_partitions_and_rejoins_on_its_next_poll(
    system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 2)
    heard = Heard()
    how: dict[str, Any] = {"assignors": assignors, "heartbeat_interval": 0.01}
    stalled = member(system, "stalled", "orders", listener=heard, max_poll_interval=0.3, **how)
    lively = member(system, "lively", "orders", **how)
    balance(system, stalled, lively, partitions=2)
    mine = stalled.assignment
    until(lambda: bool(places(stalled.poll(timeout=0.02))), lambda: nudge(lively), what="it has read something")
    heard.calls.clear()

    balance(system, lively, partitions=2)
    with pytest.raises((UnknownMember, IllegalGeneration)):
        stalled.commit()
    assert system.committed_offsets("g") == ()
    assert stalled.assignment == mine  # it has not heard of it yet
    balance(system, stalled, lively, partitions=2)

    assert heard.calls[0] == ("lost", [place.partition for place in mine])
    assert "it did not poll for 0.3 s" in reasons(system.log)


def test_a_member_that_polls_often_enough_is_never_removed(system: ActorSystem) -> None:
    produce(system, "orders", *map(str, range(20)))
    how: dict[str, Any] = {"heartbeat_interval": 0.01, "session_timeout": 0.5, "max_poll_interval": 0.2}
    consumer = member(system, "a", "orders", **how)

    polls = [consumer.poll(1, timeout=0.03) for _ in range(30)]

    assert sum(map(len, polls)) == 20
    assert reasons(system.log) == []
    assert system.describe_group("g").generation == 1
