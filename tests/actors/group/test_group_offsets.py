"""What a group has committed, seen and changed from outside: by offset, by time, by how far it lags."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from support.actors import World, event_types, in_threads, produce, read_all
from support.groups import balance, member, places, poll_all, until

from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import SystemClosed
from odradek_actors.messages.core import Query, Recover, Running
from odradek_actors.messages.groups import CommitGroupOffsets, GetCommitted
from odradek_domain.errors import InvalidIdentifier, InvalidTopicName, PartitionNotFound, TopicNotFound
from odradek_domain.group.errors import GroupNotEmpty, GroupNotFound, NothingToShift
from odradek_domain.group.offset_reset import PlannedReset, ShiftBy
from odradek_domain.replay.lag import MemberLag
from odradek_domain.values.committed_offsets import OffsetToCommit
from odradek_events import LogStore
from odradek_events.errors import LogFull, LogUnavailable
from odradek_events.record import Recorded
from odradek_events.testing import FaultyLog

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def stamped(system: ActorSystem, topic: str, partition: int, *seconds: float) -> None:
    """Send messages with timestamps so many seconds after noon."""
    producer = system.producer("stamps")
    for promise in [producer.send(topic, "x", partition=partition, timestamp=at(second)) for second in seconds]:
        promise.result()


def commit(system: ActorSystem, group: str = "g", **offsets: int) -> None:
    """Commit offsets of orders for a group without members: p0=3 is partition 0 at 3."""
    topic_id = system.describe_topic("orders").topic_id
    wanted = tuple(OffsetToCommit("orders", int(name[1:]), topic_id, offset) for name, offset in offsets.items())
    system.command(f"group/{group}", CommitGroupOffsets("committer", wanted)).result()


def offsets(system: ActorSystem, group: str = "g") -> dict[tuple[str, int], int]:
    return {(item.topic, item.partition): item.offset for item in system.committed_offsets(group)}


@pytest.fixture
def orders(system: ActorSystem, replayed: None) -> ActorSystem:
    """Ten messages a partition, a second apart from noon on, in two partitions."""
    system.create_topic("orders", 2)
    for partition in range(2):
        stamped(system, "orders", partition, *range(10))
    return system


# -- by time ----------------------------------------------------------------------------------------------------------


def test_a_time_gives_the_first_message_at_or_after_it_in_each_partition(system: ActorSystem) -> None:
    system.create_topic("orders", 4)
    stamped(system, "orders", 0, 0, 1, 2, 3)
    stamped(system, "orders", 1, 5)
    stamped(system, "orders", 2, 0, 9, 1, 8)  # out of order: the first that is young enough counts

    assert system.offsets_for_times("orders", at(2)) == {0: 2, 1: 0, 2: 1, 3: None}
    assert system.offsets_for_times("orders", at(2.5)) == {0: 3, 1: 0, 2: 1, 3: None}
    assert system.offsets_for_times("orders", at(-1)) == {0: 0, 1: 0, 2: 0, 3: None}
    assert system.offsets_for_times("orders", at(10)) == {0: None, 1: None, 2: None, 3: None}
    there = at(2).astimezone(timezone(timedelta(hours=-7)))
    assert system.offsets_for_times("orders", there)[0] == 2


def test_a_search_by_time_skips_deleted_records_and_earlier_incarnations(orders: ActorSystem) -> None:
    orders.delete_records("orders", 0, 6)
    assert orders.offsets_for_times("orders", at(2)) == {0: 6, 1: 2}
    orders.delete_records("orders", 1, -1)
    assert orders.offsets_for_times("orders", at(2)) == {0: 6, 1: None}

    orders.delete_topic("orders")
    orders.create_topic("orders", 1)
    assert orders.offsets_for_times("orders", at(2)) == {0: None}
    stamped(orders, "orders", 0, 1, 7)
    assert orders.offsets_for_times("orders", at(2)) == {0: 1}


def test_offsets_for_a_time_of_a_missing_topic_are_an_error(orders: ActorSystem) -> None:
    with pytest.raises(TopicNotFound):
        orders.offsets_for_times("payments", NOON)
    orders.delete_topic("orders")
    with pytest.raises(TopicNotFound):
        orders.offsets_for_times("orders", NOON)
    with pytest.raises(InvalidTopicName):
        orders.offsets_for_times("no topic", NOON)
    with pytest.raises(ValueError, match="time zone"):
        orders.offsets_for_times("orders", NOON.replace(tzinfo=None))


def test_concurrent_long_walks_all_finish(system: ActorSystem) -> None:
    batches = [system.producer("p").send_batch("orders", ["x"] * 2000, timestamp=at(n)) for n in range(10)]
    for batch in batches:
        batch.result()
    found: dict[int, dict[int, int | None]] = {}

    in_threads(*(lambda n=n: found.update({n: system.offsets_for_times("orders", at(n))}) for n in (0, 4, 9, 10)))

    assert found == {0: {0: 0}, 4: {0: 8_000}, 9: {0: 18_000}, 10: {0: None}}


def test_a_log_that_cannot_be_read_is_the_answer_and_later_it_can(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open()
    stamped(system, "orders", 0, 1, 2, 3)
    system.settle()

    faulty.is_unreadable = True
    with pytest.raises(LogUnavailable):
        system.offsets_for_times("orders", at(2))
    with pytest.raises(LogUnavailable):
        system.reset_offsets("g", ["orders"], at(2))
    faulty.is_unreadable = False

    assert system.offsets_for_times("orders", at(2)) == {0: 1}
    system.reset_offsets("g", ["orders"], at(2))
    assert offsets(system) == {("orders", 0): 1}


# -- resetting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("earliest", 2),
        ("latest", 10),
        (7, 7),
        (0, 2),
        (99, 10),
        (at(6), 6),
        (at(0), 2),
        (at(60), 10),
        (timedelta(days=36_500), 2),
        (timedelta(0), 10),
        (ShiftBy(-3), 2),
        (ShiftBy(-1), 3),
        (ShiftBy(3), 7),
        (ShiftBy(30), 10),
    ],
)
def test_offsets_of_a_group_without_members_are_reset_to_the_target(
    orders: ActorSystem, to: str | int | datetime | timedelta | ShiftBy, expected: int
) -> None:
    orders.delete_records("orders", 0, 2)
    commit(orders, p0=4, p1=4)

    (item,) = orders.reset_offsets("g", [("orders", 0)], to)  # type: ignore[arg-type]  # of a mixed list

    assert (item.before, item.after) == (4, expected)
    assert offsets(orders) == {("orders", 0): expected, ("orders", 1): 4}


def test_a_reset_is_one_commit_that_says_why(orders: ActorSystem) -> None:
    commit(orders, p0=4)
    before = orders.log.head().position

    plan = orders.reset_offsets("g", ["orders"], "latest")

    (made,) = orders.log.commits(after=before, stream="group/g")
    assert [(event.partition, event.offset, event.reason) for event in made.events] == [
        (0, 10, "reset to latest"),
        (1, 10, "reset to latest"),
    ]
    assert plan == (
        PlannedReset("orders", 0, plan[0].topic_id, 4, 10, 10),
        PlannedReset("orders", 1, plan[0].topic_id, None, 10, 10),
    )
    assert orders.reset_offsets("g", ["orders"], "latest") == tuple(
        PlannedReset("orders", number, plan[0].topic_id, 10, 10, 10) for number in range(2)
    )
    assert event_types(orders.log, "group/g").count("OffsetReset") == 2  # what is there already is no event


def test_a_consumer_begins_where_its_group_was_reset_to(orders: ActorSystem) -> None:
    commit(orders, p0=10, p1=10)
    orders.reset_offsets("g", ["orders"], 8)

    consumer = member(orders, "c", "orders")
    balance(orders, consumer, partitions=2)

    assert places(poll_all([consumer], 4)["c"]) == [("orders", part, offset) for part in (0, 1) for offset in (8, 9)]


def test_a_dry_run_shows_the_plan_and_changes_nothing(orders: ActorSystem) -> None:
    commit(orders, p0=4)
    head = orders.log.head()

    plan = orders.reset_offsets("g", ["orders"], 99, dry_run=True)

    assert [(item.before, item.wanted, item.after, item.is_clamped) for item in plan] == [
        (4, 99, 10, True),
        (None, 99, 10, True),
    ]
    assert orders.log.head() == head


def test_offsets_of_a_group_with_members_cannot_be_reset_or_deleted(orders: ActorSystem) -> None:
    commit(orders, p0=4)
    consumer = member(orders, "c", "orders")
    balance(orders, consumer, partitions=2)

    for dry_run in (False, True):
        with pytest.raises(GroupNotEmpty):
            orders.reset_offsets("g", ["orders"], "latest", dry_run=dry_run)
    with pytest.raises(GroupNotEmpty):
        orders.reset_offsets("g", [("orders", 0)], 4)  # nothing to change, and refused all the same
    with pytest.raises(GroupNotEmpty):
        orders.delete_offsets("g", ["orders"])
    with pytest.raises(GroupNotEmpty):
        orders.delete_group("g")
    assert offsets(orders) == {("orders", 0): 4}

    consumer.close()
    orders.reset_offsets("g", ["orders"], "latest")
    assert offsets(orders) == {("orders", 0): 10, ("orders", 1): 10}


def test_a_group_need_not_exist_to_be_given_offsets(orders: ActorSystem) -> None:
    assert [item.before for item in orders.reset_offsets("neu ☕", ["orders"], 5)] == [None, None]
    assert offsets(orders, "neu ☕") == {("orders", 0): 5, ("orders", 1): 5}
    assert orders.list_groups() == ["neu ☕"]


def test_a_reset_with_a_missing_topic_or_partition_is_refused_as_a_whole(orders: ActorSystem) -> None:
    commit(orders, p0=4)
    with pytest.raises(TopicNotFound):
        orders.reset_offsets("g", ["orders", "payments"], "latest")
    with pytest.raises(TopicNotFound):
        orders.reset_offsets("g", ["orders", "payments"], NOON)
    with pytest.raises(PartitionNotFound):
        orders.reset_offsets("g", [("orders", 0), ("orders", 2)], "latest")
    with pytest.raises(NothingToShift):
        orders.reset_offsets("g", ["orders"], ShiftBy(1))
    with pytest.raises(InvalidTopicName):
        orders.reset_offsets("g", ["no topic"], "latest")
    with pytest.raises(InvalidIdentifier):
        orders.reset_offsets("", ["orders"], "latest")
    with pytest.raises(TypeError, match="not 'begin'"):
        orders.reset_offsets("g", ["orders"], "begin")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match=r"\['orders'\]"):
        orders.reset_offsets("g", "orders", "latest")
    assert orders.reset_offsets("g", [], "latest") == ()
    assert offsets(orders) == {("orders", 0): 4}


def test_a_reset_that_cannot_be_stored_changes_nothing(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open()
    produce(system, "orders", "a", "b")
    system.reset_offsets("g", ["orders"], 1)
    system.settle()

    faulty.reject("group/")
    with pytest.raises(LogFull):
        system.reset_offsets("g", ["orders"], "latest")

    assert offsets(system) == {("orders", 0): 1}
    system.reset_offsets("g", ["orders"], "latest")
    assert offsets(system) == {("orders", 0): 2}


def test_members_of_an_earlier_run_do_not_prevent_a_reset(world: World) -> None:
    system = world.open()
    produce(system, "orders", "a", "b")
    balance(system, member(system, "c", "orders"), partitions=1)
    world.crash()

    system = world.open()
    assert [item.after for item in system.reset_offsets("g", ["orders"], "latest", dry_run=True)] == [2]
    system.reset_offsets("g", ["orders"], "latest")

    assert offsets(system) == {("orders", 0): 2}
    assert system.describe_group("g").members == ()
    system.close()


# -- groups, and how far they are -------------------------------------------------------------------------------------


def test_groups_are_listed_until_they_are_deleted_and_again_when_they_come_back(orders: ActorSystem) -> None:
    assert orders.list_groups() == []
    commit(orders, "b", p0=1)
    balance(orders, member(orders, "c", "orders", group="a"), partitions=2, group="a")
    assert orders.list_groups() == ["a", "b"]

    orders.delete_group("b")
    assert orders.list_groups() == ["a"]
    assert orders.committed_offsets("b") == ()
    with pytest.raises(GroupNotFound):
        orders.delete_group("b")
    with pytest.raises(GroupNotFound):
        orders.group_lag("b")

    orders.reset_offsets("b", ["orders"], 3)
    assert orders.list_groups() == ["a", "b"]
    assert offsets(orders, "b") == {("orders", 0): 3, ("orders", 1): 3}


def test_the_lag_of_a_group_names_the_member_of_each_partition(orders: ActorSystem) -> None:
    orders.create_topic("more", 1)
    commit(orders, p0=4)
    consumer = member(orders, "c", "more")
    balance(orders, consumer, partitions=1)
    (found,) = orders.describe_group("g").members

    assert orders.group_lag("g") == [
        MemberLag("more", 0, None, 0, None, found.member_id, "c"),
        MemberLag("orders", 0, 4, 10, 6, None, None),
        MemberLag("orders", 1, None, 10, None, None, None),
    ]


def test_lag_counts_what_can_be_read_and_no_deleted_topic(orders: ActorSystem) -> None:
    commit(orders, p0=4, p1=10)
    orders.delete_records("orders", 0, 7)
    assert [(lag.partition, lag.lag) for lag in orders.group_lag("g")] == [(0, 3), (1, 0)]

    orders.delete_topic("orders")
    assert orders.group_lag("g") == []
    orders.create_topic("orders")
    assert orders.group_lag("g") == []  # what is committed was for the other one


def test_deleted_offsets_are_forgotten_and_others_stay(orders: ActorSystem) -> None:
    commit(orders, p0=4, p1=5)
    orders.delete_offsets("g", [("orders", 1), ("orders", 7), "payments"])
    assert offsets(orders) == {("orders", 0): 4}
    orders.delete_offsets("g", ["orders"])
    orders.delete_offsets("g", ["orders"])
    assert offsets(orders) == {}
    assert event_types(orders.log, "group/g").count("OffsetsExpired") == 2
    with pytest.raises(GroupNotFound):
        orders.delete_offsets("nobody", ["orders"])


# -- deleted topics ---------------------------------------------------------------------------------------------------


def test_deleting_a_topic_deletes_only_its_committed_offsets(orders: ActorSystem) -> None:
    produce(orders, "payments", "a")
    commit(orders, p0=4, p1=5)
    consumer = orders.consumer("payer", "g")
    consumer.assign([("payments", 0)])
    assert len(consumer.poll(timeout=5)) == 1
    consumer.commit()
    consumer.close()

    orders.delete_topic("orders")

    assert offsets(orders) == {("payments", 0): 1}
    assert orders.describe_group("g").committed == orders.committed_offsets("g")
    orders.create_topic("orders", 2)
    assert offsets(orders) == {("payments", 0): 1}


def test_delete_topic_returns_once_running_groups_are_notified(orders: ActorSystem) -> None:
    commit(orders, p0=4, p1=5)
    directory_is_busy, go_on = threading.Event(), threading.Event()

    class Blocks:
        def tell(self, _: object) -> None:
            directory_is_busy.set()
            go_on.wait(20)

    orders.runtime.send(orders._directory, Query(Running(()), Blocks()))
    assert directory_is_busy.wait(10)
    deleting = orders.runtime.spawn(orders.delete_topic, "orders")
    until(lambda: event_types(orders.log, "topic/orders")[-1] == "TopicDeleted", what="the topic is deleted")
    assert not deleting.wait(0.1)
    go_on.set()
    deleting.result(10)

    assert offsets(orders) == {}


def test_deleting_a_topic_deletes_the_committed_offsets_of_a_group_with_members(orders: ActorSystem) -> None:
    consumer = member(orders, "c", "orders")
    read_all(consumer, 20)
    consumer.commit()
    records = produce(orders, "orders", "later", partition=0)
    assert len(records) == 1
    read_all(consumer, 1)

    orders.delete_topic("orders")
    orders.settle()
    consumer.commit()  # what was read of the deleted topic is passed over

    assert offsets(orders) == {}


def test_a_group_without_a_running_actor_drops_offsets_of_deleted_topics_when_queried(world: World) -> None:
    system = world.open()
    produce(system, "orders", "a")
    produce(system, "payments", "b")
    for topic in ("orders", "payments"):
        consumer = system.consumer(f"reads-{topic}", "g")
        consumer.assign([(topic, 0)])
        assert len(consumer.poll(timeout=5)) == 1
        consumer.commit()
        consumer.close()
    system.close()
    between = world.open()
    between.delete_topic("orders")
    between.create_topic("orders")
    between.close()

    system = world.open()

    assert offsets(system) == {("payments", 0): 1}
    assert event_types(world.log, "group/g")[-1] == "OffsetsExpired"


def test_offsets_that_are_asked_for_just_before_a_recovery_are_those_of_the_recovered_group(
    world: World, orders: ActorSystem
) -> None:
    commit(orders, p0=4)
    for _ in range(10):
        world.runtime.kill("group/g")

        asked = orders.query("group/g", GetCommitted())
        orders.tell("group/g", Recover())

        assert [item.offset for item in asked.result(10)] == [4]


# -- expiry -----------------------------------------------------------------------------------------------------------


def first_expiry(log: LogStore) -> Recorded:
    """Wait for offsets to expire; fail when they never do."""
    subscription = log.subscribe(types=("OffsetsExpired",))
    guard = threading.Timer(20, subscription.stop)
    guard.start()
    expired = next(subscription, None)
    guard.cancel()
    guard.join()
    assert expired is not None
    return expired


def test_offsets_of_an_idle_group_expire_by_themselves(world: World) -> None:
    system = world.open(offsets_retention=0.05)
    produce(system, "orders", "a")
    commit(system, p0=1)

    expired = first_expiry(system.log)

    assert (expired.stream, expired.event.partitions) == ("group/g", (("orders", 0),))
    system.settle()
    assert system.committed_offsets("g") == ()
    system.close()


def test_offsets_do_not_expire_while_the_group_has_members(world: World) -> None:
    system = world.open(offsets_retention=0.0)
    produce(system, "orders", "a")
    consumer = member(system, "c", "orders")
    balance(system, consumer, partitions=1)
    poll_all([consumer], 1)
    consumer.commit()
    system.settle()

    assert offsets(system) == {("orders", 0): 1}

    consumer.close()
    first_expiry(system.log)
    system.settle()

    assert offsets(system) == {}
    system.close()


def test_offsets_that_were_due_in_the_meantime_expire_when_the_group_wakes(world: World) -> None:
    system = world.open()
    produce(system, "orders", "a")
    commit(system, p0=1)
    system.close()

    system = world.open(offsets_retention=0.001)
    system.describe_group("g")
    system.settle()

    assert event_types(system.log, "group/g")[-1] == "OffsetsExpired"
    assert system.committed_offsets("g") == ()
    assert system.list_groups() == ["g"]
    system.close()


def test_a_closed_system_answers_nothing_about_groups(system: ActorSystem) -> None:
    system.close()
    with pytest.raises(SystemClosed):
        system.list_groups()
    with pytest.raises(SystemClosed):
        system.offsets_for_times("orders", NOON)
