"""Static members: who comes back within its session has what it had, and of two with one instance id one is fenced."""

from __future__ import annotations

from typing import Any

import pytest
from support.actors import World, event_types, produce, values
from support.groups import COOPERATIVE, balance, fill, member, nudge, poll_all, poll_on, reasons, until

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_domain.group.errors import FencedInstanceId, UnknownMember
from odradek_domain.group.member import GroupState

pytestmark = pytest.mark.usefixtures("replayed")

BOTH = pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])


def static(system: ActorSystem, name: str, instance: str, **how: Any) -> ConsumerHandle:
    return member(system, name, "orders", group_instance_id=instance, **how)


@BOTH
def test_a_reopened_static_member_keeps_its_partitions_without_a_rebalance(
    system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    system.create_topic("orders", 4)
    fill(system, "orders", 4, 2)
    first, second = (static(system, name, f"i-{name}", assignors=assignors) for name in ("a", "b"))
    before = balance(system, first, second, partitions=4)
    rebalances = event_types(system.log, "group/g").count("GenerationStarted")
    mine = second.assignment
    poll_all([first, second], 8)
    first.commit()
    second.commit()

    for _ in range(3):
        second.close()
        assert len(system.describe_group("g").members) == 2
        second = static(system, "b", "i-b", assignors=assignors)
        assert second.wait_for_assignment(10) == mine
    fill(system, "orders", 4, 1)
    records = poll_all([first, second], 4)

    assert balance(system, first, second, partitions=4) == before
    assert [len(found) for found in records.values()] == [2, 2]
    assert event_types(system.log, "group/g").count("GenerationStarted") == rebalances


def test_a_static_member_with_another_consumer_id_keeps_its_partitions(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    first, second = static(system, "a", "i-a"), static(system, "b", "i-b")
    before = balance(system, first, second, partitions=2)
    mine = second.assignment
    second.close()

    third = static(system, "c", "i-b")

    assert third.wait_for_assignment(10) == mine
    assert balance(system, first, third, partitions=2) == before


def test_a_reopened_static_member_with_another_subscription_triggers_a_rebalance(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    system.create_topic("bills", 2)
    first, second = static(system, "a", "i-a"), static(system, "b", "i-b")
    before = balance(system, first, second, partitions=2)
    second.close()

    second = member(system, "b", "bills", group_instance_id="i-b")

    assert balance(system, first, second, partitions=4) > before
    assert {place.topic for place in second.assignment} == {"bills"}


def test_a_closed_static_member_leaves_when_its_session_expires(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    first = static(system, "a", "i-a")
    second = static(system, "b", "i-b", session_timeout=0.1, heartbeat_interval=0.02)
    balance(system, first, second, partitions=2)

    second.close()
    balance(system, first, partitions=2)

    assert reasons(system.log) == ["its session timed out"]


def test_a_killed_static_member_keeps_its_place_until_it_comes_back(world: World, system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    first, second = static(system, "a", "i-a"), static(system, "b", "i-b")
    before = balance(system, first, second, partitions=2)
    mine = second.assignment

    world.runtime.kill("consumer/b")
    nudge(first)
    second = static(system, "b", "i-b")

    assert second.wait_for_assignment(10) == mine
    assert balance(system, first, second, partitions=2) == before


def test_a_returning_leader_still_leads(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    first, second = static(system, "a", "i-a"), static(system, "b", "i-b")
    balance(system, first, second, partitions=2)
    group = system.describe_group("g")
    names = {found.member_id: found.consumer_id for found in group.members}
    leads = names[str(group.leader)]
    back = {"a": first, "b": second}
    back[leads].close()

    back[leads] = static(system, leads, f"i-{leads}")
    back[leads].wait_for_assignment(10)
    system.add_partitions("orders", 4)
    balance(system, *back.values(), partitions=4)

    group = system.describe_group("g")
    assert {found.member_id: found.consumer_id for found in group.members}[str(group.leader)] == leads


def test_of_two_with_one_instance_id_the_older_is_fenced(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    older = static(system, "older", "i", heartbeat_interval=0.02)
    assert len(older.poll(1)) == 1
    newer = static(system, "newer", "i")

    assert values(poll_all([newer], 2)["newer"]) == ["a", "b"]
    with pytest.raises((FencedInstanceId, UnknownMember)):
        older.commit()
    for _ in range(2):
        with pytest.raises(FencedInstanceId, match="another consumer of group 'g' now uses instance id 'i'"):
            poll_on(older)
    older.close()
    newer.commit()

    assert [item.offset for item in system.committed_offsets("g")] == [2]
    assert [found.consumer_id for found in system.describe_group("g").members] == ["newer"]


def test_a_member_fenced_before_it_rejoins_stays_fenced(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    older = static(system, "older", "i")
    balance(system, older, partitions=2)
    other = member(system, "other", "orders")
    nudge(other)  # so that the older one is to join again
    newer = static(system, "newer", "i")
    nudge(newer)

    with pytest.raises(FencedInstanceId):
        poll_on(older)

    balance(system, other, newer, partitions=2)


def test_a_returning_static_member_gets_its_new_session_timeout(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    consumer = static(system, "a", "i", session_timeout=20.0)
    balance(system, consumer, partitions=2)
    consumer.close()

    consumer = static(system, "a", "i", session_timeout=60.0, max_poll_interval=90.0)
    balance(system, consumer, partitions=2)

    found = system.describe_group("g").members[0]
    assert (found.session_timeout_ms, found.rebalance_timeout_ms) == (60_000, 90_000)


def test_a_fenced_member_learns_of_it_from_its_heartbeat_and_loses_its_partitions(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    older = static(system, "older", "i", heartbeat_interval=0.01)
    balance(system, older, partitions=2)
    newer = static(system, "newer", "i")
    newer.wait_for_assignment(10)

    with pytest.raises(FencedInstanceId):
        poll_on(older)

    assert older.assignment == ()
    assert len(newer.assignment) == 2


def test_a_fenced_consumer_that_is_opened_again_fences_in_its_turn(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    older = static(system, "older", "i", heartbeat_interval=0.01)
    balance(system, older, partitions=2)
    newer = static(system, "newer", "i", heartbeat_interval=0.01)
    newer.wait_for_assignment(10)
    older.close()

    older = static(system, "older", "i")
    assert len(older.wait_for_assignment(10)) == 2

    with pytest.raises(FencedInstanceId):
        poll_on(newer)


def test_a_stalled_static_member_is_removed_when_its_session_expires(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    how: dict[str, Any] = {"max_poll_interval": 0.15, "heartbeat_interval": 0.01, "session_timeout": 0.2}
    consumer = static(system, "a", "i", **how)
    poll_all([consumer], 1)

    until(lambda: system.describe_group("g").state is GroupState.EMPTY, what="its session is over")
    with pytest.raises(UnknownMember):
        consumer.commit()

    assert values(poll_all([consumer], 1)["a"]) == ["a"]
    assert reasons(system.log) == ["its session timed out"]


def test_static_and_dynamic_members_share(system: ActorSystem) -> None:
    system.create_topic("orders", 4)
    one, other = static(system, "a", "i-a"), member(system, "b", "orders")
    balance(system, one, other, partitions=4)

    other.close()
    balance(system, one, partitions=4)
    one.unsubscribe()

    assert reasons(system.log) == ["it left"]
