"""Limits of what a topic keeps: set, applied at once, on waking, by the clock; and what readers see of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from support.actors import World, event_types, in_threads, produce, read_all, values
from support.domain import NOON, record
from support.retention import stored

from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorStopped, RequestTimedOut
from odradek_actors.infrastructure.log_reader import LogReaderActor
from odradek_actors.messages.core import Stop
from odradek_actors.messages.retention import ApplyRetention
from odradek_actors.runtime.promise import Promise
from odradek_domain.errors import OffsetNotFound, TopicNotFound
from odradek_domain.replay.lag import partition_lags
from odradek_domain.replay.system_state import SystemState
from odradek_domain.replay.topic_reader import TopicReader
from odradek_domain.topic.retention import InvalidRetention
from odradek_events import MemoryLog
from odradek_events.errors import LogError, LogUnavailable
from odradek_events.testing import FaultyLog
from odradek_events.types import TopicCreated, TopicRetentionSet

HOUR = 3_600_000  # milliseconds


def send_aged(system: ActorSystem, *hours: int, topic: str = "orders", size: int = 10) -> None:
    """Send a message for each of these ages."""
    now = system.runtime.now()
    with system.producer("old") as producer:
        for age in hours:
            value = f"{age:0>{size}}"
            producer.send(topic, value, partition=0, timestamp=now - timedelta(hours=age, minutes=1)).result(timeout=10)


def bounds(system: ActorSystem, topic: str = "orders") -> list[tuple[int, int]]:
    return [(part.log_start_offset, part.high_watermark) for part in system.describe_topic(topic).partitions]


def test_a_topic_is_described_with_its_limits(system: ActorSystem) -> None:
    created = system.create_topic("orders", retention_ms=HOUR, retention_bytes=1000)
    assert (created.retention_ms, created.retention_bytes) == (HOUR, 1000)

    changed = system.set_retention("orders", retention_bytes=None)

    assert (changed.retention_ms, changed.retention_bytes) == (HOUR, None)
    assert system.describe_topic("orders") == changed
    plain = system.create_topic("plain")
    assert (plain.retention_ms, plain.retention_bytes) == (None, None)


def test_limits_outlive_the_run_that_set_them(world: World) -> None:
    system = world.open()
    system.create_topic("orders", retention_ms=HOUR)
    produce(system, "orders", "a", "b")
    system.set_retention("orders", retention_bytes=5)
    world.crash()

    described = world.open().describe_topic("orders")

    assert (described.retention_ms, described.retention_bytes) == (HOUR, 5)


@pytest.mark.parametrize("wrong", [0, -5, True, 1.0, "7d"])
def test_an_invalid_limit_is_refused_and_changes_nothing(system: ActorSystem, wrong: Any) -> None:
    created = system.create_topic("orders", retention_ms=HOUR)
    attempts: list[Callable[[], object]] = [
        lambda: system.set_retention("orders", retention_ms=wrong),
        lambda: system.set_retention("orders", retention_bytes=wrong),
        lambda: system.create_topic("other", retention_bytes=wrong),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidRetention):
            attempt()
    assert system.describe_topic("orders") == created
    assert system.list_topics() == ["orders"]


def test_a_missing_topic_has_no_limits(system: ActorSystem) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: system.set_retention("orders", retention_ms=HOUR),
        lambda: system.apply_retention("orders"),
    ]
    for attempt in attempts:
        with pytest.raises(TopicNotFound):
            attempt()


def test_old_messages_are_deleted_and_offsets_continue(world: World) -> None:
    system = world.open(tail_messages=1)
    send_aged(system, 5, 4, 3, 2, 1)
    system.set_retention("orders", retention_ms=3 * HOUR)

    left = system.apply_retention("orders")

    assert [(part.log_start_offset, part.high_watermark) for part in left.partitions] == [(3, 5)]
    assert left.message_count == 2
    assert produce(system, "orders", "new")[0].offset == 5
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    assert [record.offset for record in read_all(consumer, 3)] == [3, 4, 5]
    assert system.check_replay().holds


def test_retention_by_bytes_applies_to_each_partition(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    for partition in range(2):
        produce(system, "orders", *["x" * 10] * (5 + partition), partition=partition)
    system.set_retention("orders", retention_bytes=35)

    system.apply_retention("orders")

    assert bounds(system) == [(1, 5), (2, 6)]


def test_without_limits_nothing_is_deleted(system: ActorSystem) -> None:
    send_aged(system, 1_000_000 // 24)
    assert system.apply_retention("orders") == system.describe_topic("orders")
    assert bounds(system) == [(0, 1)]


def test_limits_are_applied_when_they_are_set_or_changed(system: ActorSystem) -> None:
    send_aged(system, 5, 4, 3)
    for hours, start in ((4, 2), (100, 2), (2, 3)):
        system.set_retention("orders", retention_ms=hours * HOUR)
        system.settle()
        assert bounds(system) == [(start, 3)]


def test_limits_are_applied_when_a_topics_actor_starts(world: World) -> None:
    record(
        world.log,
        "topic/orders",
        TopicCreated("orders", "t-1", 1, NOON),
        TopicRetentionSet("orders", HOUR, None, NOON),
        stored(0),
        stored(1),
    )
    system = world.open()
    system.describe_topic("orders")
    system.settle()
    assert bounds(system) == [(2, 2)]


def test_limits_are_applied_periodically(world: World) -> None:
    system = world.open(retention_check_interval=0.01)
    system.create_topic("orders", retention_ms=1)
    with world.log.subscribe(types=("RecordsDeleted",)) as deletions:
        for offset in range(3):
            produce(system, "orders", "v")
            deleted = deletions.take(10)
            assert deleted is not None
            assert deleted.event.log_start_offset == offset + 1
    assert system.check_replay().holds


def test_the_retention_timer_ignores_topics_without_limits(world: World) -> None:
    system = world.open(retention_check_interval=0.01)
    send_aged(system, 5)
    system.set_retention("orders", retention_ms=HOUR)
    system.apply_retention("orders")
    system.set_retention("orders", retention_ms=None)
    send_aged(system, 5)
    system.settle()
    assert bounds(system) == [(1, 2)]


def test_a_long_walk_is_cut_up_and_comes_to_its_end() -> None:
    world = World(MemoryLog())
    system = world.open()
    now = system.runtime.now()
    for hours in (3, 2):
        at = now - timedelta(hours=hours)
        system.producer("old").send_batch("orders", ["v"] * 25_000, timestamp=at).result()
    produce(system, "orders", "new")
    system.set_retention("orders", retention_ms=HOUR)

    assert system.apply_retention("orders").message_count == 1

    world.close()


class HookedLog(MemoryLog):
    """A log that does something, once, when a walk begins, on the reader's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.on_walk: Callable[[], object] | None = None
        self.walks = 0

    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        self.walks += 1
        hook, self.on_walk = self.on_walk, None
        if hook is not None:
            hook()
        return super().locate(tag, offset, not_before)


def test_concurrent_retention_requests_share_one_walk() -> None:
    world = World(HookedLog())
    system = world.open()
    send_aged(system, 5, 4)
    later: list[Promise[Any]] = []
    assert isinstance(world.log, HookedLog)
    world.log.walks = 0
    world.log.on_walk = lambda: later.extend(system.command("topic/orders", ApplyRetention()) for _ in range(2))

    system.set_retention("orders", retention_ms=HOUR)

    assert system.apply_retention("orders").message_count == 0
    assert [promise.result(10).message_count for promise in later] == [0, 0]
    assert world.log.walks == 1
    world.close()


def test_partitions_that_share_commits_are_walked_together() -> None:
    world = World(HookedLog())
    system = world.open()
    system.create_topic("orders", 4, retention_ms=HOUR)
    pairs = [(f"k{number}", "v") for number in range(100)]
    system.producer("p").send_batch("orders", pairs, timestamp=NOON).result()
    assert all(end for _, end in bounds(system))

    assert system.apply_retention("orders").message_count == 0

    assert isinstance(world.log, HookedLog)
    assert world.log.walks == 1
    world.close()


def test_limits_that_are_changed_during_a_walk_are_applied_after_it() -> None:
    world = World(HookedLog())
    system = world.open()
    send_aged(system, 5, 4, 3)
    assert isinstance(world.log, HookedLog)
    world.log.on_walk = lambda: in_threads(lambda: system.set_retention("orders", retention_ms=HOUR))

    system.set_retention("orders", retention_ms=4 * HOUR)
    system.settle()

    assert bounds(system) == [(3, 3)]
    world.close()


def test_apply_retention_continues_after_its_caller_timed_out() -> None:
    world = World(HookedLog())
    system = world.open()
    send_aged(system, 5, 4)
    waited = threading.Event()
    assert isinstance(world.log, HookedLog)
    world.log.on_walk = lambda: waited.wait(10)
    system.set_retention("orders", retention_ms=HOUR)

    with pytest.raises(RequestTimedOut):
        system.apply_retention("orders", timeout=0)

    waited.set()
    system.settle()
    assert bounds(system) == [(2, 2)]
    world.close()


def test_a_topic_that_stops_during_a_walk_answers_the_waiting_callers() -> None:
    world = World(HookedLog())
    system = world.open()
    send_aged(system, 5, 4)
    system.set_retention("orders", retention_ms=6 * HOUR)
    system.settle()
    asked: list[Promise[Any]] = []

    def kill() -> None:
        asked.append(system.command("topic/orders", ApplyRetention()))
        world.runtime.kill("topic/orders")

    assert isinstance(world.log, HookedLog)
    world.log.on_walk = kill
    asked.append(system.command("topic/orders", ApplyRetention()))

    for promise in asked * 2:
        assert isinstance(promise.exception(10), ActorStopped)
    assert system.apply_retention("orders").message_count == 2
    world.close()


def test_a_log_reader_that_stops_during_a_walk_answers_the_waiting_callers() -> None:
    world = World(HookedLog())
    system = world.open()
    system.create_topic("orders", retention_ms=HOUR)
    for _ in range(3):
        system.producer("p").send_batch("orders", ["v"] * 25_000, timestamp=NOON).result()
    system.settle()
    (reader,) = (ref for ref in world.runtime.refs if issubclass(ref.actor_class, LogReaderActor))
    assert isinstance(world.log, HookedLog)
    world.log.on_walk = lambda: system.runtime.send(reader, Stop())

    with pytest.raises(ActorStopped):
        system.apply_retention("orders")

    world.crash()
    world.close()


def test_the_log_keeps_messages_that_retention_deleted(world: World) -> None:
    system = world.open()
    send_aged(system, 5, 4, 3)
    before = world.log.head().position
    system.set_retention("orders", retention_ms=HOUR)
    system.apply_retention("orders")

    then, now = (SystemState.replay(world.log, until=until) for until in (before, None))

    assert (then.topics["orders"].message_count, now.topics["orders"].message_count) == (3, 0)
    assert event_types(world.log, "topic/orders").count("MessageProduced") == 3
    assert TopicReader(world.log, "orders").outline.partitions[0].log_start_offset == 3


@pytest.mark.parametrize("policy", ["earliest", "latest", "none"])
def test_a_consumer_below_the_start_follows_its_reset_policy(system: ActorSystem, policy: Any) -> None:
    send_aged(system, 5, 4, 1)
    consumer = system.consumer("c", "g", auto_offset_reset=policy)
    consumer.subscribe(["orders"])
    consumer.wait_for_assignment()
    consumer.seek("orders", 0, 0)
    consumer.poll(1)
    consumer.commit()
    (lag,) = partition_lags(system.state())
    assert (lag.committed, lag.lag) == (1, 2)
    system.set_retention("orders", retention_ms=2 * HOUR)
    system.apply_retention("orders")

    (lag,) = partition_lags(system.state())
    assert (lag.committed, lag.lag) == (1, 1)
    if policy == "none":
        with pytest.raises(OffsetNotFound):
            consumer.poll()
        return
    if policy == "latest":
        assert consumer.poll(timeout=0) == []
        produce(system, "orders", "new")
    assert values(read_all(consumer, 1)) == (["new"] if policy == "latest" else ["0000000001"])


def test_messages_can_be_produced_during_retention() -> None:
    world = World(MemoryLog())
    system = world.open(tail_messages=10)
    system.create_topic("orders", retention_bytes=1000)

    def send() -> None:
        for _ in range(100):
            produce(system, "orders", *["x" * 10] * 20)

    def apply() -> None:
        for _ in range(50):
            left = system.apply_retention("orders")
            assert min(left.partitions[0].high_watermark, 100) <= left.message_count

    in_threads(send, apply, apply)

    assert system.apply_retention("orders").message_count == 100
    assert bounds(system) == [(1900, 2000)]
    system.settle()
    assert system.check_replay().holds
    world.close()


def test_retention_fails_and_deletes_nothing_if_the_log_cannot_be_read(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open()
    send_aged(system, 5)
    system.set_retention("orders", retention_ms=6 * HOUR)
    system.settle()
    faulty.is_unreadable = True
    with pytest.raises(LogUnavailable):
        system.apply_retention("orders")
    faulty.is_unreadable = False

    assert system.apply_retention("orders").message_count == 1
    system.set_retention("orders", retention_ms=HOUR)
    assert system.apply_retention("orders").message_count == 0


@pytest.mark.parametrize("fault", ["rejected", "lost", "lost but written"])
def test_a_failed_deletion_is_an_error_and_is_retried(faulty: FaultyLog, faulty_world: World, fault: str) -> None:
    system = faulty_world.open()
    send_aged(system, 5, 4)
    system.set_retention("orders", retention_ms=6 * HOUR)
    system.settle()
    send_aged(system, 7)
    system.delete_records("orders", 0, 2)
    if fault == "rejected":
        faulty.reject(event="RecordsDeleted")
    else:
        faulty.lose_answer(event="RecordsDeleted", written=fault == "lost but written")

    with pytest.raises(LogError):
        system.apply_retention("orders")

    assert system.apply_retention("orders").message_count == 0
    assert event_types(faulty, "topic/orders").count("RecordsDeleted") == 2
    assert system.check_replay().holds
