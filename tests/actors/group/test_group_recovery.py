"""Groups and their members when appends fail in the middle of a rebalance, and when their actors die in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from support.actors import World, event_types, produce, read_all, values
from support.groups import COOPERATIVE, balance, fill, member, nudge, places, poll_all, poll_on, reasons, until

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError, ActorFailed
from odradek_actors.messages.core import Recover
from odradek_actors.messages.groups import JoinGroup
from odradek_domain.errors import DomainError
from odradek_domain.group.errors import InconsistentAssignors
from odradek_domain.group.member import GroupState
from odradek_events.errors import LogError, LogFull
from odradek_events.testing import FaultyLog

BOTH = pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])

FAULTS: dict[str, Callable[[FaultyLog, str], None]] = {
    "rejected": lambda log, event: log.reject(event=event),
    "unreachable": lambda log, event: log.fail("append", event=event),
    "written": lambda log, event: log.lose_answer(event=event, written=True),
    "unwritten": lambda log, event: log.lose_answer(event=event, written=False),
    "unsynced": lambda log, event: log.fail("sync", event=event),
}

EVENTS = [
    "MemberJoined",
    "GenerationStarted",
    "GroupAssigned",
    "PartitionsAssigned",
    "PartitionsRevoked",
    "RebalanceStarted",
    "MessageConsumed",
    "OffsetCommitted",
    "MemberLeft",
]

TROUBLE = (LogError, ActorError)


@pytest.fixture
def system(faulty_world: World) -> ActorSystem:
    """Give a system on the log that fails when told to, with a topic that has messages."""
    system = faulty_world.open()
    system.create_topic("orders", 4)
    fill(system, "orders", 4, 3)
    return system


@pytest.fixture(autouse=True)
def _replayed(faulty_world: World, faulty: FaultyLog) -> object:
    yield
    faulty.heal()
    for system in faulty_world.systems:
        system.settle()
        check = system.check_replay()
        assert check.holds, check


def persistently(action: Callable[[], object]) -> None:
    """Do something again until no error comes."""

    def is_done() -> bool:
        with suppress(*TROUBLE):
            action()
            return True
        return False

    until(is_done, what="done without an error")


# -- appends that take their time -------------------------------------------------------------------------------------


def test_a_join_that_is_refused_behind_another_does_not_keep_that_one_waiting(
    system: ActorSystem, faulty: FaultyLog
) -> None:
    hold = faulty.hold("group/g")
    wanted = JoinGroup("a", "", ("orders",), None, ("range",), 60_000, 60_000)
    joining = system.command("group/g", wanted)
    assert hold.reached.wait(10)
    refused = system.command("group/g", msgspec.structs.replace(wanted, consumer_id="b", assignors=("roundrobin",)))
    assert system.committed_offsets("g") == ()  # it has come as far as this question
    hold.release()

    with pytest.raises(InconsistentAssignors):
        refused.result(10)
    assert joining.result(10).generation == 1


def test_a_topic_created_while_the_group_recovers_is_assigned(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open(retry_backoff=0.1)
    system.create_topic("invoices", 1)
    consumer = member(system, "a", "invoices", "receipts")
    balance(system, consumer, partitions=1)
    faulty.fail("read", stream="group/g", times=2)
    faulty_world.runtime.actors["group/g"].tell(Recover())
    until(lambda: faulty.fired == ["read", "read"], what="it waits before it reads again")

    system.create_topic("receipts", 2)

    balance(system, consumer, partitions=3)


@pytest.mark.parametrize("group", [None, "g"], ids=["alone", "grouped"])
def test_a_topic_created_while_its_reader_recovers_is_read(
    faulty_world: World, faulty: FaultyLog, group: str | None
) -> None:
    system = faulty_world.open(retry_backoff=0.1)
    consumer = system.consumer("a", group)
    consumer.subscribe(pattern="inv.*")
    assert consumer.poll(timeout=0.02) == []
    faulty.fail("read", stream="consumer/a", times=2)
    faulty_world.runtime.actors["consumer/a"].tell(Recover())
    until(lambda: faulty.fired == ["read", "read"], what="it waits before it reads again")

    produce(system, "invoices", "first")

    assert values(poll_all([consumer], 1)["a"]) == ["first"]


@pytest.mark.slow
def test_members_stay_members_although_heartbeats_are_lost_during_a_recovery(
    faulty_world: World, faulty: FaultyLog
) -> None:
    system = faulty_world.open(retry_backoff=0.05)
    system.create_topic("orders", 2)
    how: dict[str, Any] = {"session_timeout": 0.5, "heartbeat_interval": 0.02}
    first = member(system, "a", "orders", **how)
    generation = balance(system, first, partitions=2)
    faulty.fail("read", stream="group/g", times=4)  # it is back after 0.05 * (4 + 8 + 16) seconds
    faulty_world.runtime.actors["group/g"].tell(Recover())

    persistently(lambda: system.describe_group("g"))
    assert balance(system, first, partitions=2) == generation
    second = member(system, "b", "orders", **how)
    balance(system, first, second, partitions=2)

    assert faulty.fired == ["read"] * 4
    assert reasons(system.log) == []


# -- appends that fail ------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("event", EVENTS)
def test_a_group_assigns_partitions_whichever_append_of_a_rebalance_fails(
    system: ActorSystem, faulty: FaultyLog, event: str, fault: str, assignors: tuple[str, ...]
) -> None:
    how: dict[str, Any] = {"assignors": assignors, "session_timeout": 0.5, "heartbeat_interval": 0.05}
    first, second = (member(system, name, "orders", **how) for name in ("a", "b"))
    records: list[tuple[str, int, int]] = []

    def read(consumer: ConsumerHandle) -> None:
        with suppress(*TROUBLE):
            records.extend(places(consumer.poll(timeout=0.02)))

    FAULTS[fault](faulty, event)
    balance(system, first, partitions=4, expected=TROUBLE)
    balance(system, first, second, partitions=4, expected=TROUBLE)
    until(lambda: len(set(records)) == 12, lambda: read(first), lambda: read(second), what="all is read")
    persistently(first.commit)
    persistently(second.commit)
    persistently(
        lambda: system.add_partitions("orders", 5) if len(system.describe_topic("orders").partitions) < 5 else 0
    )
    balance(system, first, second, partitions=5, expected=TROUBLE)
    with suppress(*TROUBLE):
        second.close()
    balance(system, first, partitions=5, expected=TROUBLE)

    assert len(faulty.fired) == 1, faulty.fired
    assert {item.partition: item.offset for item in system.committed_offsets("g")} == dict.fromkeys(range(4), 3)
    produce(system, "orders", "next", partition=4)
    assert values(poll_all([first], 1)["a"]) == ["next"]


@BOTH
def test_a_group_assigns_partitions_while_random_appends_fail(
    system: ActorSystem, faulty: FaultyLog, assignors: tuple[str, ...]
) -> None:
    consumers = [member(system, name, "orders", assignors=assignors) for name in ("a", "b", "c")]
    trouble = (*TROUBLE, DomainError)

    for every in (3, 4, 5, 7):
        faulty.lose_every(every)
        for consumer in consumers * 3:
            nudge(consumer, *trouble)
    faulty.heal()

    balance(system, *consumers, partitions=4, expected=trouble)


def test_a_member_that_failed_without_the_log_can_be_reopened_and_the_others_continue(
    system: ActorSystem, faulty: FaultyLog
) -> None:
    first, second = member(system, "a", "orders"), member(system, "b", "orders")
    balance(system, first, partitions=4)
    nudge(second)
    faulty.is_away = True
    with pytest.raises(ActorFailed):
        poll_on(first)

    faulty.heal()
    balance(system, second, partitions=4, expected=TROUBLE)
    first = member(system, "a", "orders")

    balance(system, first, second, partitions=4, expected=TROUBLE)


# -- actors that recover or die ---------------------------------------------------------------------------------------


def tell_all_to_recover(world: World) -> None:
    for stream, ref in world.runtime.actors.items():
        if stream.startswith(("group/", "consumer/")):
            world.runtime.send(ref, Recover())


def kill_the_group(world: World) -> None:
    world.runtime.kill("group/g")


@BOTH
@pytest.mark.parametrize("strike", [tell_all_to_recover, kill_the_group])
@pytest.mark.parametrize("turns", range(7))
def test_a_group_assigns_partitions_although_its_actor_fails_in_any_stage(
    faulty_world: World,
    system: ActorSystem,
    assignors: tuple[str, ...],
    strike: Callable[[World], None],
    turns: int,
) -> None:
    first, second = (
        member(system, name, "orders", assignors=assignors, heartbeat_interval=0.05) for name in ("a", "b")
    )
    balance(system, first, partitions=4)
    for _ in range(turns):
        second.poll(timeout=0.002)
        first.poll(timeout=0.002)

    strike(faulty_world)

    balance(system, first, second, partitions=4, expected=(ActorError,))
    assert {found.consumer_id for found in system.describe_group("g").members} == {"a", "b"}


@BOTH
def test_a_group_assigns_partitions_although_its_actor_fails_during_an_append(
    faulty_world: World, system: ActorSystem, faulty: FaultyLog, assignors: tuple[str, ...]
) -> None:
    first, second = (member(system, name, "orders", assignors=assignors) for name in ("a", "b"))
    balance(system, first, partitions=4)
    rounds = 0
    for number in range(6):
        hold = faulty.hold("group/")
        third = member(system, f"guest-{number}", "orders", assignors=assignors)
        until(hold.reached.is_set, *(lambda one=one: nudge(one) for one in (third, first, second)), what="an append")
        tell_all_to_recover(faulty_world)
        hold.release()
        balance(system, first, second, third, partitions=4, expected=(ActorError,))
        third.close()
        rounds += 1

    balance(system, first, second, partitions=4)
    assert rounds == 6


def test_a_member_whose_actor_dies_in_a_rebalance_may_be_opened_again(faulty_world: World, system: ActorSystem) -> None:
    first, second = member(system, "a", "orders"), member(system, "b", "orders")
    balance(system, first, partitions=4)
    nudge(second)
    faulty_world.runtime.kill("consumer/b")

    again = member(system, "b", "orders")
    balance(system, first, again, partitions=4)

    assert len(places(poll_all([first, again], 12)["b"])) == 6


def test_a_consumer_that_recovers_before_its_first_fetch_reads_all_messages(
    faulty_world: World, system: ActorSystem
) -> None:
    consumer = member(system, "a", "orders")
    records = []

    for _ in range(12):
        tell_all_to_recover(faulty_world)
        records += read_all(consumer, 1, max_messages=1)

    assert len(set(places(records))) == 12
    assert event_types(system.log, "group/g").count("GenerationStarted") == 1


# -- runs -------------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("stage", ["empty", "preparing", "stable"])
def test_a_starting_group_removes_members_of_a_crashed_run_with_that_reason(
    faulty_world: World, system: ActorSystem, assignors: tuple[str, ...], stage: str
) -> None:
    first, second = (member(system, name, "orders", assignors=assignors) for name in ("a", "b"))
    if stage != "empty":
        balance(system, first, partitions=4)
        poll_all([first], 12)
        first.commit()
        nudge(second)
    if stage == "stable":
        balance(system, first, second, partitions=4)
    expected = {"empty": 0, "preparing": 2, "stable": 2}[stage]
    faulty_world.crash()

    system = faulty_world.open()
    fill(system, "orders", 4, 1)
    third = member(system, "c", "orders", assignors=assignors)
    balance(system, third, partitions=4)

    left = [recorded.event.reason for recorded in system.log.read(stream="group/g", types=("MemberLeft",))]
    assert left == ["it is of an earlier run"] * expected
    new = [offset for _, _, offset in places(poll_all([third], 4 if expected else 16)["c"])]
    assert new == ([3] * 4 if expected else [0, 1, 2, 3] * 4)


def test_a_group_removes_members_of_an_earlier_run_before_it_is_described(
    faulty_world: World, system: ActorSystem
) -> None:
    balance(system, member(system, "a", "orders"), partitions=4)
    faulty_world.crash()
    system = faulty_world.open()

    until(lambda: system.describe_group("g").state is GroupState.EMPTY, what="nobody is left")


def test_a_static_member_of_a_crashed_run_gets_its_partitions_back(faulty_world: World, system: ActorSystem) -> None:
    names = ("a", "b")
    before = [member(system, name, "orders", group_instance_id=f"i-{name}") for name in names]
    balance(system, *before, partitions=4)
    poll_all(before, 12)
    for consumer in before:
        consumer.commit()
    shares = [consumer.assignment for consumer in before]
    faulty_world.crash()

    system = faulty_world.open()
    after = [member(system, name, "orders", group_instance_id=f"i-{name}") for name in names]
    balance(system, *after, partitions=4)

    assert [consumer.assignment for consumer in after] == shares
    assert [consumer.poll(timeout=0.02) for consumer in after] == [[], []]


def test_generations_keep_increasing_in_the_next_run(faulty_world: World, system: ActorSystem) -> None:
    before = balance(system, member(system, "a", "orders"), partitions=4)
    faulty_world.crash()
    system = faulty_world.open()

    assert balance(system, member(system, "a", "orders"), partitions=4) > before


@pytest.mark.parametrize("event", ["GenerationStarted", "GroupAssigned"])
def test_a_member_fails_at_once_if_its_group_cannot_record_a_decision(
    system: ActorSystem, faulty: FaultyLog, event: str
) -> None:
    consumer = member(system, "a", "orders")
    faulty.reject(event=event, times=1_000_000)

    for _ in range(2):
        with pytest.raises(LogFull):
            consumer.wait_for_assignment(20)

    faulty.heal()
    balance(system, consumer, partitions=4, expected=(LogFull,))
