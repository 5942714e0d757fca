"""What happens when appends are refused, get lost, or the log is away: errors at once, nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from support.actors import (
    BRIEF,
    RawConsumer,
    World,
    event_types,
    produce,
    read_all,
    stored_values,
    values,
)

from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError, ActorFailed, ActorStopped, DeliveryTimedOut
from odradek_actors.messages.consumers import DescribeConsumer
from odradek_actors.messages.core import Query, Recover
from odradek_actors.messages.producers import FlushProducer
from odradek_actors.messages.topics import AddPartitions, CreateTopic, DescribeTopic
from odradek_actors.runtime.promise import Promise
from odradek_actors.topic.actor import TopicActor
from odradek_domain.errors import ConsumerClosed, DomainError
from odradek_domain.replay.system_state import SystemState
from odradek_domain.topic.topic import AppendDecision, AppendMessages, Topic
from odradek_events import Append, Appended
from odradek_events.errors import LogError, LogFull, LogUnavailable, OutcomeUnknown, WrongExpectedVersion
from odradek_events.testing import FaultyLog
from odradek_events.types import MessageProduced, ProducerEpochBumped

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
FOREIGN = MessageProduced("orders", 0, 1, "m", "x", 0, -1, NOON, None, b"foreign")


@pytest.fixture
def system(faulty_world: World) -> ActorSystem:
    """Give a system on the log that fails when told to, with a topic, a producer and what they need."""
    system = faulty_world.open()
    produce(system, "orders", "first")
    return system


def is_replayable(system: ActorSystem) -> bool:
    system.settle()
    return system.check_replay().holds and SystemState.replay(system.log).digest() == system.state().digest()


# -- refused ----------------------------------------------------------------------------------------------------------


def test_a_refused_append_is_an_error_at_once_and_the_next_send_works(system: ActorSystem, faulty: FaultyLog) -> None:
    producer = system.producer("p")
    faulty.reject("topic/")

    with pytest.raises(LogFull):
        producer.send("orders", "lost").result(5)

    assert producer.send("orders", "second").result().offset == 1
    assert stored_values(faulty, "orders") == ["first", "second"]
    assert is_replayable(system)


def test_batches_behind_a_refused_one_are_refused_with_it_and_their_numbers_used_again(
    system: ActorSystem, faulty: FaultyLog
) -> None:
    producer = system.producer("p")
    hold = faulty.hold("topic/")
    faulty.reject("topic/")
    promises = [producer.send("orders", str(number)) for number in range(4)]
    assert hold.reached.wait(10)
    hold.release()

    outcomes = [promise.exception(10) for promise in promises]
    acknowledged = [str(number) for number, error in enumerate(outcomes) if error is None]

    assert isinstance(outcomes[0], LogFull)
    produce(system, "orders", "after")
    assert stored_values(faulty, "orders") == ["first", *acknowledged, "after"]
    sequences = [r.event.sequence for r in faulty.read(types=("MessageProduced",))]
    assert sequences == list(range(len(sequences)))


def test_numbers_are_not_used_again_while_one_of_them_may_be_stored(system: ActorSystem, faulty: FaultyLog) -> None:
    system.create_topic("wide", partitions=2)
    producer = system.producer("p")
    producer.send("wide", "a0", partition=0).result()
    producer.send("wide", "a1", partition=1).result()
    faulty.reject("topic/wide")
    faulty.lose_answer("topic/wide", written=True)

    promises = [producer.send("wide", f"b{partition}", partition=partition) for partition in (0, 1)]
    errors = [promise.exception(10) for promise in promises]
    after = [producer.send("wide", f"c{partition}", partition=partition) for partition in (0, 1)]

    for promise in after:
        promise.result()
    acknowledged = [f"b{partition}" for partition in (0, 1) if errors[partition] is None]
    assert sorted(stored_values(faulty, "wide")) == sorted(["a0", "a1", *acknowledged, "c0", "c1"])


def test_a_refused_registration_fails_the_send_at_once_and_the_next_send_works(
    faulty_world: World, faulty: FaultyLog
) -> None:
    system = faulty_world.open()
    faulty.reject("producer/")
    producer = system.producer("p")

    with pytest.raises(LogFull):
        producer.send("orders", "lost").result(5)

    assert producer.send("orders", "v").result().offset == 0
    assert event_types(faulty, "producer/p") == ["ProducerRegistered"]


def test_a_producer_refused_again_and_again_asks_only_when_something_is_sent(
    faulty_world: World, faulty: FaultyLog
) -> None:
    system = faulty_world.open(delivery_timeout=0.0)
    produce(system, "orders", "first")
    faulty.lose_answer("topic/", written=False)
    with pytest.raises(DeliveryTimedOut):
        system.producer("p").send("orders", "given up").result(5)
    faulty.reject("producer/", "ProducerEpochBumped", times=3)

    for _ in range(3):
        with pytest.raises(LogFull):
            system.producer("p").send("orders", "lost").result(5)
    system.settle()

    assert faulty.fired.count("rejected") == 3
    assert produce(system, "orders", "second")[0].offset == 1


def test_a_refused_progress_record_fails_no_send_and_is_recorded_later(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open()
    producer = system.producer("p")
    producer.send("orders", "v").result()
    faulty.reject("producer/", "ProducerProgressed")

    producer.close()

    assert system.producer("p").message_count == 1
    faulty_world.crash()
    assert faulty_world.open().producer("p").message_count == 1


@pytest.mark.parametrize("written", [True, False])
def test_a_progress_record_of_unknown_outcome_counts_nothing_twice(
    faulty_world: World, faulty: FaultyLog, written: bool
) -> None:
    system = faulty_world.open()
    producer = system.producer("p")
    producer.send("orders", "v").result()
    faulty.lose_answer("producer/", "ProducerProgressed", written=written)

    producer.close()

    assert system.producer("p").message_count == 1
    assert produce(system, "orders", "w")[0].offset == 1
    system.producer("p").close()
    assert system.producer("p").message_count == 2
    faulty_world.crash()
    assert faulty_world.open().producer("p").message_count == 2


def test_a_refused_delivery_is_an_error_and_the_next_poll_gives_the_messages(
    system: ActorSystem, faulty: FaultyLog
) -> None:
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    faulty.reject("consumer/c", "MessageConsumed")

    with pytest.raises(LogFull):
        consumer.poll()

    assert values(consumer.poll()) == ["first"]


def test_a_refused_commit_is_an_error_and_can_be_repeated(system: ActorSystem, faulty: FaultyLog) -> None:
    consumer = system.consumer("c", "g")
    consumer.subscribe(["orders"])
    read_all(consumer, 1)
    faulty.reject("group/g")
    with pytest.raises(LogFull):
        consumer.commit()
    assert consumer.committed("orders", 0) is None

    consumer.commit()

    assert consumer.committed("orders", 0) == 1


@pytest.mark.parametrize("kind", ["rejected", "unknown"])
def test_a_consumer_that_could_not_be_opened_holds_neither_its_id_nor_its_group(
    system: ActorSystem, faulty: FaultyLog, kind: str
) -> None:
    if kind == "rejected":
        faulty.reject("consumer/c1")
    else:
        faulty.lose_answer("consumer/c1", written=True)

    with pytest.raises(LogError):
        system.consumer("c1", "g")

    system.consumer("c2", "g").close()
    system.consumer("c1", "g")


def test_a_refused_topic_can_be_created_again(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open()
    faulty.reject("topic/")
    with pytest.raises(LogFull):
        system.create_topic("orders")

    assert system.list_topics() == []
    system.create_topic("orders")


# -- outcome unknown --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [True, False])
def test_a_send_of_unknown_outcome_is_stored_exactly_once_and_gets_its_true_place(
    system: ActorSystem, faulty: FaultyLog, written: bool
) -> None:
    faulty.lose_answer("topic/", written=written)

    receipts = produce(system, "orders", "a", "b", "c")

    assert [receipt.offset for receipt in receipts] == [1, 2, 3]
    stored = {r.position: r.event.value for r in faulty.read(types=("MessageProduced",))}
    assert [stored[receipt.position] for receipt in receipts] == [b"a", b"b", b"c"]
    assert stored_values(faulty, "orders") == ["first", "a", "b", "c"]
    assert is_replayable(system)


@pytest.mark.parametrize("written", [True, False])
def test_many_batches_in_flight_over_an_unknown_outcome_keep_their_order(
    system: ActorSystem, faulty: FaultyLog, written: bool
) -> None:
    producer = system.producer("p")
    hold = faulty.hold("topic/")
    faulty.lose_answer("topic/", times=2, written=written)
    promises = [producer.send("orders", str(number)) for number in range(50)]
    assert hold.reached.wait(10)
    hold.release()

    receipts = [promise.result() for promise in promises]

    assert [receipt.offset for receipt in receipts] == list(range(1, 51))
    assert stored_values(faulty, "orders") == ["first", *map(str, range(50))]
    assert is_replayable(system)


@pytest.mark.parametrize("written", [True, False])
def test_two_producers_over_an_unknown_outcome_are_each_stored_once(
    system: ActorSystem, faulty: FaultyLog, written: bool
) -> None:
    system.producer("q").send("orders", "second").result()
    hold = faulty.hold("topic/")
    faulty.lose_answer("topic/", times=2, written=written)
    promises = [system.producer(name).send("orders", f"{name}{n}") for n in range(20) for name in ("p", "q")]
    assert hold.reached.wait(10)
    hold.release()

    for promise in promises:
        promise.result()

    stored = stored_values(faulty, "orders")[2:]
    for name in ("p", "q"):
        assert [value for value in stored if value.startswith(name)] == [f"{name}{n}" for n in range(20)]


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("run", ["first", "later"])
def test_a_producer_wakes_over_an_unknown_outcome(
    faulty_world: World, faulty: FaultyLog, written: bool, run: str
) -> None:
    if run == "later":
        produce(faulty_world.open(), "orders", "earlier")
        faulty_world.crash()
    system = faulty_world.open()
    faulty.lose_answer("producer/p", written=written)

    receipts = produce(system, "orders", "a", "b")

    assert [receipt.offset for receipt in receipts] == ([0, 1] if run == "first" else [1, 2])
    assert system.producer("p").message_count == (2 if run == "first" else 3)
    assert is_replayable(system)


@pytest.mark.parametrize("written", [True, False])
def test_a_delivery_of_unknown_outcome_is_neither_lost_nor_skipped(
    system: ActorSystem, faulty: FaultyLog, written: bool
) -> None:
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    produce(system, "orders", "second")
    faulty.lose_answer("consumer/c", "MessageConsumed", written=written)

    assert values(read_all(consumer, 2, max_messages=1)) == ["first", "second"]
    assert event_types(faulty, "consumer/c").count("MessageConsumed") == 2
    assert is_replayable(system)


def test_a_delivery_whose_poll_ended_before_its_outcome_was_known_comes_with_the_next_poll(
    system: ActorSystem, faulty: FaultyLog
) -> None:
    consumer = RawConsumer(system, topics=["orders"])
    received = consumer.poll().result().number
    produce(system, "orders", "second")
    faulty.lose_answer("consumer/raw", "MessageConsumed", written=True)
    hold = faulty.hold("consumer/raw")
    ended = consumer.poll(received, timeout=BRIEF)
    assert hold.reached.wait(10)
    faulty.is_unreadable = True
    hold.release()
    assert ended.result(10).messages == ()

    faulty.is_unreadable = False
    system.settle()

    assert [message.value for message in consumer.poll(received).result().messages] == [b"second"]
    assert event_types(faulty, "consumer/raw").count("MessageConsumed") == 2


@pytest.mark.parametrize("written", [True, False])
def test_a_commit_of_unknown_outcome_can_be_repeated(system: ActorSystem, faulty: FaultyLog, written: bool) -> None:
    consumer = system.consumer("c", "g")
    consumer.subscribe(["orders"])
    read_all(consumer, 1)
    faulty.lose_answer("group/g", written=written)
    with pytest.raises(OutcomeUnknown):
        consumer.commit()

    consumer.commit()

    assert [item.offset for item in system.committed_offsets("g")] == [1]


# -- apply and decide -------------------------------------------------------------------------------------------------


class Fragile(Topic):
    """A topic that cannot apply the next batch of messages, so many times."""

    __slots__ = ()
    failures = 0

    def apply_all(self, events: Sequence[Any]) -> None:
        if Fragile.failures and events and type(events[0]) is MessageProduced:
            Fragile.failures -= 1
            raise ArithmeticError("apply fails")
        super().apply_all(events)


class FragileTopic(TopicActor):
    def initial_state(self) -> Topic:
        super().initial_state()
        return Fragile(self.id)

    def decide(self, command: Any) -> Sequence[Any]:
        if command == "be silly":
            raise ArithmeticError("decide fails")
        return super().decide(command)


@pytest.mark.parametrize("failures", [1, 3])
def test_after_a_failing_apply_the_actor_recovers_and_answers_what_is_durable(
    faulty_world: World, faulty: FaultyLog, failures: int
) -> None:
    system = faulty_world.open(actors={"topic": FragileTopic})
    produce(system, "orders", "a")
    Fragile.failures = failures

    receipts = produce(system, "orders", "b", "c")

    assert [receipt.offset for receipt in receipts] == [1, 2]
    assert stored_values(faulty, "orders") == ["a", "b", "c"]
    assert produce(system, "orders", "d")[0].offset == 3


def test_an_actor_whose_apply_always_fails_stops_and_answers_every_caller(faulty_world: World) -> None:
    system = faulty_world.open(actors={"topic": FragileTopic}, retry_backoff=0.001)
    produce(system, "orders", "a")
    Fragile.failures = 10**9
    try:
        with pytest.raises(ActorFailed):
            system.producer("p").send("orders", "b").result(10)
        with pytest.raises(ActorError):
            system.describe_topic("orders")
    finally:
        Fragile.failures = 0
    assert [p.high_watermark for p in settled(system).describe_topic("orders").partitions] == [2]


def settled(system: ActorSystem) -> ActorSystem:
    system.settle()
    return system


def test_an_exception_in_decide_is_the_answer_and_changes_nothing(faulty_world: World) -> None:
    system = faulty_world.open(actors={"topic": FragileTopic})
    produce(system, "orders", "a")

    with pytest.raises(ArithmeticError):
        system.command("topic/orders", "be silly").result()

    assert produce(system, "orders", "b")[0].offset == 1


class Undecided(Topic):
    """A topic that cannot decide about messages, so many times."""

    __slots__ = ()
    failures = 0

    def decide_appends(self, commands: Sequence[AppendMessages]) -> list[AppendDecision | DomainError]:
        if Undecided.failures:
            Undecided.failures -= 1
            raise ArithmeticError("decide fails")
        return super().decide_appends(commands)


class UndecidedTopic(TopicActor):
    def initial_state(self) -> Topic:
        super().initial_state()
        return Undecided(self.id)


def test_an_exception_while_deciding_a_batch_answers_all_its_commands(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open(actors={"topic": UndecidedTopic})
    produce(system, "orders", "first")
    hold = faulty.hold("topic/")
    busy = system.producer("p").send("orders", "second")
    assert hold.reached.wait(10)
    Undecided.failures = 1
    sent = [system.producer("p").send("orders", str(number)) for number in range(3)]
    assert system.producer("p").message_count == 1  # by the time it says so, they are on their way
    hold.release()

    assert busy.result().offset == 1
    assert [type(promise.exception(10)) for promise in sent] == [ArithmeticError] * 3
    assert produce(system, "orders", "third")[0].offset == 2


# -- actors that go away ----------------------------------------------------------------------------------------------


def test_producers_and_consumers_find_the_actor_that_follows_a_killed_one(
    faulty_world: World, system: ActorSystem, faulty: FaultyLog
) -> None:
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    producer = system.producer("p")
    sent = ["first"]
    for number in range(5):
        faulty_world.runtime.kill("topic/orders")
        producer.send("orders", str(number)).result()
        sent.append(str(number))
        faulty_world.runtime.kill("topic/orders")
        read_all(consumer, 1)

    consumer.seek_to_beginning("orders")
    assert values(read_all(consumer, 6)) == sent


def test_a_poll_that_waits_on_a_killed_topic_is_woken_by_the_next_one(faulty_world: World, system: ActorSystem) -> None:
    consumer = RawConsumer(system, topics=["orders"])
    received = consumer.poll().result().number
    waiting = consumer.poll(received, timeout=600.0)
    system.settle()

    faulty_world.runtime.kill("topic/orders")
    produce(system, "orders", "second")

    assert [message.value for message in waiting.result(10).messages] == [b"second"]


def test_a_topic_killed_with_an_append_under_way_stores_everything_once(
    faulty_world: World, system: ActorSystem, faulty: FaultyLog
) -> None:
    producer = system.producer("p")
    hold = faulty.hold("topic/")
    promises = [producer.send("orders", str(number)) for number in range(20)]
    assert hold.reached.wait(10)

    faulty_world.runtime.kill("topic/orders")
    hold.release()

    assert [promise.result().offset for promise in promises] == list(range(1, 21))
    assert stored_values(faulty, "orders") == ["first", *map(str, range(20))]
    assert is_replayable(system)


@pytest.mark.parametrize("group", [None, "g"], ids=["alone", "grouped"])
@pytest.mark.parametrize("topic", ["orders", "orders-eu"])
def test_consumers_learn_of_a_change_that_a_killed_topic_did_not_announce(
    faulty_world: World, system: ActorSystem, faulty: FaultyLog, group: str | None, topic: str
) -> None:
    consumer = system.consumer("c", group)
    consumer.subscribe(pattern="orders.*")
    assert values(read_all(consumer, 1)) == ["first"]
    consumer.commit()
    hold = faulty.hold(f"topic/{topic}")
    if topic == "orders":
        change = system.command("topic/orders", AddPartitions(2))
    else:
        change = system.command(f"topic/{topic}", CreateTopic(2))
    assert hold.reached.wait(10)

    faulty_world.runtime.kill(f"topic/{topic}")
    assert isinstance(change.exception(10), OutcomeUnknown)
    described = system.query(f"topic/{topic}", DescribeTopic())  # by the next actor, once the change is stored
    system.query("consumer/c", DescribeConsumer()).result()
    assert "orders-eu" not in system.list_topics()  # nor did the consumer find it, if it has looked
    hold.release()

    described.result()
    system.producer("q").send(topic, "second", partition=1).result()
    assert values(read_all(consumer, 1)) == ["second"]


def test_callers_waiting_for_a_killed_actor_get_an_error(
    faulty_world: World, system: ActorSystem, faulty: FaultyLog
) -> None:
    hold = faulty.hold("producer/q")
    sent = system.producer("q").send("orders", "v")
    flushed = system.command("producer/q", FlushProducer())
    stashed = system.command("producer/q", "what is this")
    assert hold.reached.wait(10)

    faulty_world.runtime.kill("producer/q")
    hold.release()

    assert isinstance(sent.exception(10), ActorStopped)
    assert flushed.exception(10) is None  # what it waited for was answered
    assert isinstance(stashed.exception(10), ActorStopped)
    assert system.producer("q").send("orders", "w").result().offset == 1


def test_a_killed_consumer_answers_its_poll_and_its_handle_is_closed(faulty_world: World, system: ActorSystem) -> None:
    consumer = RawConsumer(system, topics=["nothing"])
    waiting = consumer.poll(timeout=600.0)
    system.settle()

    faulty_world.runtime.kill("consumer/raw")

    assert isinstance(waiting.exception(10), ActorStopped)
    with pytest.raises(ConsumerClosed):
        consumer.poll().result()
    RawConsumer(system, "raw", ["orders"])


def test_a_killed_member_does_not_block_the_group(faulty_world: World, system: ActorSystem) -> None:
    first = system.consumer("c1", "g")
    first.subscribe(["orders"])
    read_all(first, 1)
    faulty_world.runtime.kill("consumer/c1")

    second = system.consumer("c2", "g")
    second.subscribe(["orders"])

    assert len(read_all(second, 1)) == 1
    assert [member.consumer_id for member in system.describe_group("g").members] == ["c2"]


def test_a_killed_actor_is_followed_by_one_that_recovers(system: ActorSystem) -> None:
    before, after = system.describe_topic("orders"), None
    system.kill("topic/orders")
    while after is None:
        with suppress(ActorStopped):  # the dying one's answer
            after = system.describe_topic("orders")
    assert after == before
    assert system.producer("p").send("orders", "second").result().offset == 1


def test_members_stay_members_when_their_groups_actor_dies(faulty_world: World, system: ActorSystem) -> None:
    consumer = system.consumer("c1", "g", heartbeat_interval=0.02)
    consumer.subscribe(["orders"])
    first = read_all(consumer, 1)
    faulty_world.runtime.kill("group/g")

    with pytest.raises(ActorStopped):
        consumer.commit()
    consumer.commit()
    system.producer("p").send("orders", "next").result()

    assert [message.offset for message in read_all(consumer, 1)] == [len(first)]
    assert [item.offset for item in system.committed_offsets("g")] == [len(first)]
    assert system.describe_group("g").generation == 1


def test_a_message_to_a_stopped_actor_is_answered(faulty_world: World, system: ActorSystem) -> None:
    runtime = faulty_world.runtime
    ref = runtime.actors["topic/orders"]
    runtime.kill("topic/orders")
    promise: Promise[Any] = runtime.promise()
    before = runtime.dead_letter_count

    runtime.send(ref, Query(DescribeTopic(), promise))

    assert isinstance(promise.exception(5), ActorStopped)
    assert runtime.dead_letter_count == before + 1
    assert isinstance(runtime.dead_letters[-1].message, Query)


# -- the log is away --------------------------------------------------------------------------------------------------


def test_sends_wait_for_a_log_that_comes_back(system: ActorSystem, faulty: FaultyLog) -> None:
    hold = faulty.hold("topic/")
    promise = system.producer("p").send("orders", "second")
    assert hold.reached.wait(10)
    faulty.is_away = True
    hold.release()
    with pytest.raises(LogUnavailable):
        system.create_topic("other")

    faulty.is_away = False

    assert promise.result().offset == 1
    assert is_replayable(system)


def test_callers_get_an_error_if_the_log_stays_unavailable(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open(retry_backoff=0.001, delivery_timeout=0.05)
    produce(system, "orders", "first")
    consumer = system.consumer("c", "g")
    consumer.subscribe(["orders"])
    read_all(consumer, 1)
    faulty.is_away = True

    promises = [system.producer(name).send(topic, "v") for name in ("p", "q") for topic in ("orders", "other")]
    for promise in promises:
        assert isinstance(promise.exception(10), LogError | ActorError)
    for attempt in (
        lambda: consumer.commit(),
        lambda: system.create_topic("third"),
        lambda: system.consumer("d"),
    ):
        with pytest.raises((LogError, ActorError)):
            attempt()


def test_callers_get_an_error_while_the_log_cannot_be_read(faulty_world: World, faulty: FaultyLog) -> None:
    produce(faulty_world.open(), "orders", "first")
    faulty_world.crash()
    system = faulty_world.open(retry_backoff=0.001)
    faulty.is_unreadable = True

    assert isinstance(system.producer("p").send("orders", "v").exception(10), LogError | ActorError)
    for attempt in (
        lambda: system.describe_topic("orders"),
        lambda: system.list_topics(),
        lambda: system.consumer("c"),
        lambda: system.producer("p").message_count,
    ):
        with pytest.raises((LogError, ActorError)):
            attempt()

    faulty.is_unreadable = False
    system.settle()
    assert system.list_topics() == ["orders"]
    assert produce(system, "orders", "second")[0].offset == 1


@pytest.mark.parametrize("group", [None, "g"])
def test_a_consumer_closed_while_the_log_cannot_be_read_is_closed(
    system: ActorSystem, faulty: FaultyLog, group: str | None
) -> None:
    consumer = system.consumer("c", group)
    consumer.subscribe(["orders"])
    assert values(consumer.poll()) == ["first"]
    faulty.lose_answer("consumer/c", written=False)
    faulty.is_unreadable = True
    with pytest.raises(OutcomeUnknown):
        consumer.seek("orders", 0, 0)

    consumer.close()

    faulty.is_unreadable = False
    with system.consumer("c", group) as again:
        again.subscribe(["orders"])
        assert values(again.poll()) == ["first"]
    assert is_replayable(system)


def test_old_messages_that_cannot_be_read_now_are_read_later(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open(tail_messages=0, tail_bytes=0)
    produce(system, "orders", "a", "b")
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    faulty.is_unreadable = True
    with pytest.raises(LogUnavailable):
        consumer.poll()

    faulty.is_unreadable = False

    assert values(read_all(consumer, 2)) == ["a", "b"]


def test_a_timed_out_batch_does_not_stop_later_sends(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open(delivery_timeout=0.0)
    produce(system, "orders", "first")
    faulty.lose_answer("topic/", written=False)
    producer = system.producer("p")
    with pytest.raises(DeliveryTimedOut):
        producer.send("orders", "given up").result(5)

    for number in range(3):
        assert producer.send("orders", str(number)).result(5).offset == 1 + number

    assert stored_values(faulty, "orders") == ["first", "0", "1", "2"]
    assert event_types(faulty, "producer/p") == ["ProducerRegistered", "ProducerEpochBumped"]


# -- others write -----------------------------------------------------------------------------------------------------


def interfere(log: FaultyLog, stream: str, event: object) -> None:
    (verdict,) = log.append([Append(stream=stream, events=[event])], datetime.now(UTC))
    assert isinstance(verdict, Appended)


def test_a_topic_recovers_after_a_foreign_write_and_stores_the_sends(system: ActorSystem, faulty: FaultyLog) -> None:
    interfere(faulty, "topic/orders", FOREIGN)

    receipt = system.producer("p").send("orders", "mine").result()

    assert receipt.offset == 2
    assert stored_values(faulty, "orders") == ["first", "foreign", "mine"]


def test_a_command_fails_after_a_foreign_write_and_can_be_retried(system: ActorSystem, faulty: FaultyLog) -> None:
    interfere(faulty, "topic/orders", FOREIGN)

    with pytest.raises(WrongExpectedVersion):
        system.add_partitions("orders", 2)

    assert len(system.add_partitions("orders", 2).partitions) == 2


def test_a_fenced_producer_continues_in_a_new_epoch(system: ActorSystem, faulty: FaultyLog) -> None:
    interfere(faulty, "producer/p", ProducerEpochBumped("p", 7, NOON))
    system.tell("producer/p", Recover())

    assert system.producer("p").send("orders", "v").result().offset == 1
