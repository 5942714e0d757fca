"""Single actors between probes: answers that come late, timers, budgets, and letters that reach nobody."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.actors import QUICK, KitRuntime, Probe

from odradek_actors.base.actor import ActorContext, OdradekActor
from odradek_actors.consumer.actor import ConsumerActor
from odradek_actors.errors import ActorStopped, NotUnderstood, RequestTimedOut
from odradek_actors.infrastructure.journal import JournalActor
from odradek_actors.infrastructure.log_reader import LogReaderActor
from odradek_actors.messages.consumers import OpenConsumer, Poll, SeekTo, Subscribe
from odradek_actors.messages.core import Command, GetStatus, LookUp, Query, Reply, Stop, Tick
from odradek_actors.messages.topics import FetchResult
from odradek_actors.runtime.promise import Promise
from odradek_actors.runtime.threads import ThreadedRuntime
from odradek_actors.settings import Settings
from odradek_domain.values.positions import TopicPartition
from odradek_events import MemoryLog
from odradek_events.snapshots.store import MemorySnapshots
from odradek_events.types import MessageProduced

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class DirectoryOf:
    """Stands for the directory: knows one actor for every stream."""

    def __init__(self, actor: Probe) -> None:
        self._actor = actor

    def tell(self, message: Query) -> None:
        assert isinstance(message.body, LookUp)
        message.reply_to.tell(Reply(message.request_id, self._actor))


@pytest.fixture
def runtime() -> Iterator[KitRuntime]:
    runtime = KitRuntime()
    yield runtime
    runtime.crash()


class Consumer:
    """A consumer's actor between a real journal and a topic that is a probe."""

    def __init__(self, runtime: KitRuntime) -> None:
        self.topic = Probe()
        context = ActorContext(runtime, Settings(**QUICK))
        log = MemoryLog()
        context.journal = runtime.start(JournalActor, context, log)
        context.log_reader = runtime.start(LogReaderActor, context, log, MemorySnapshots())
        context.snapshots = Probe()
        context.directory = DirectoryOf(self.topic)
        self.ref = runtime.start(ConsumerActor, context, "consumer/c")
        self.ask(OpenConsumer(1, None, "earliest")).result()
        self.ask(Subscribe(1, ("orders",))).result()
        self.ask(SeekTo(1, TopicPartition("orders", 0), "t-1", 0)).result()

    def ask(self, body: object) -> Promise[Any]:
        promise: Promise[Any] = Promise()
        self.ref.tell(Command(body, promise))
        return promise


def found(offset: int, value: bytes) -> FetchResult:
    message = MessageProduced("orders", 0, offset, f"m{offset}", "p", 0, -1, NOON, None, value)
    return FetchResult("orders", "t-1", ((0, 10),), (message,))


def test_an_answer_to_a_fetch_from_before_a_seek_is_dropped(runtime: KitRuntime) -> None:
    consumer = Consumer(runtime)
    polled = consumer.ask(Poll(1, 0, 500, 600.0))
    stale, before = consumer.topic.next_fetch()
    consumer.ask(SeekTo(1, TopicPartition("orders", 0), "t-1", 7)).result()
    current, after = consumer.topic.next_fetch()
    assert (before.positions, after.positions) == (((0, 0),), ((0, 7),))

    stale.reply_to.tell(Reply(stale.request_id, found(0, b"stale")))
    current.reply_to.tell(Reply(current.request_id, found(7, b"current")))

    assert [message.value for message in polled.result(10).messages] == [b"current"]


def test_an_answer_to_a_fetch_whose_poll_is_over_is_dropped(runtime: KitRuntime) -> None:
    consumer = Consumer(runtime)
    over = consumer.ask(Poll(1, 0, 500, 0.01))
    first, _ = consumer.topic.next_fetch()
    first.reply_to.tell(Reply(first.request_id, FetchResult("orders", "t-1", ((0, 0),), ())))
    late, waiting = consumer.topic.next_fetch()
    assert waiting.wait
    assert over.result(10).messages == ()

    late.reply_to.tell(Reply(late.request_id, found(0, b"late")))
    polled = consumer.ask(Poll(1, 0, 500, 600.0))
    query, fetch = consumer.topic.next_fetch()

    assert fetch.positions == ((0, 0),)
    query.reply_to.tell(Reply(query.request_id, found(0, b"again")))
    assert [message.value for message in polled.result(10).messages] == [b"again"]


def test_a_poll_whose_time_is_over_waits_for_what_a_topic_is_reading(runtime: KitRuntime) -> None:
    consumer = Consumer(runtime)
    polled = consumer.ask(Poll(1, 0, 500, 0.01))
    query, fetch = consumer.topic.next_fetch()
    assert not fetch.wait
    with pytest.raises(RequestTimedOut):
        polled.result(0.2)

    query.reply_to.tell(Reply(query.request_id, found(0, b"slow")))

    assert [message.value for message in polled.result(10).messages] == [b"slow"]


def test_the_same_answer_twice_delivers_once(runtime: KitRuntime) -> None:
    consumer = Consumer(runtime)
    polled = consumer.ask(Poll(1, 0, 500, 600.0))
    query, _ = consumer.topic.next_fetch()
    for _ in range(2):
        query.reply_to.tell(Reply(query.request_id, found(0, b"once")))
    delivery = polled.result(10)
    consumer.ask(Poll(1, delivery.number, 500, 600.0))

    _, fetch = consumer.topic.next_fetch()

    assert len(delivery.messages) == 1
    assert fetch.positions == ((0, 1),)


def test_an_error_from_the_topic_is_the_answer_of_the_poll(runtime: KitRuntime) -> None:
    consumer = Consumer(runtime)
    polled = consumer.ask(Poll(1, 0, 500, 600.0))
    query, _ = consumer.topic.next_fetch()

    query.reply_to.tell(Reply(query.request_id, ArithmeticError("broken")))

    assert isinstance(polled.exception(10), ArithmeticError)


def test_a_message_without_a_handler_is_answered(runtime: KitRuntime) -> None:
    ref = runtime.start(OdradekActor, ActorContext(runtime, Settings()))
    promise: Promise[Any] = runtime.promise()
    runtime.send(ref, Query("anything", promise))

    assert isinstance(promise.exception(10), NotUnderstood)
    status: Promise[Any] = runtime.promise()
    runtime.send(ref, Query(GetStatus(), status))
    assert status.result(10).handled == 1


def test_a_request_still_open_when_its_actor_stops_is_continued_with_an_error(runtime: KitRuntime) -> None:
    answers: queue.Queue[object] = queue.Queue()

    class Asking(OdradekActor):
        def on_start(self) -> None:
            self.request(Probe(), "never answered", answers.put)

    ref = runtime.start(Asking, ActorContext(runtime, Settings()))
    ref.stop(block=True, timeout=10)

    assert isinstance(answers.get(timeout=10), ActorStopped)


def test_a_dead_letter_without_a_waiting_sender_is_only_recorded(runtime: KitRuntime) -> None:
    ref = runtime.start(OdradekActor, ActorContext(runtime, Settings()))
    ref.stop(block=True, timeout=10)

    runtime.send(ref, Stop())

    assert runtime.dead_letter_count == 1
    assert "Stop" in str(runtime.dead_letters[0])


def test_dead_letters_are_counted_without_end_and_remembered_up_to_a_limit(runtime: KitRuntime) -> None:
    for _ in range(1100):
        runtime.bury("nobody", Stop())

    assert runtime.dead_letter_count == 1100
    assert len(runtime.dead_letters) == 1000


def test_timers_go_off_in_the_order_of_their_times(runtime: KitRuntime) -> None:
    probe = Probe()
    for number, delay in enumerate((0.3, 0.01, 0.15)):
        runtime.later(delay, probe, Tick("t", number))

    assert [probe.next().number for _ in range(3)] == [1, 2, 0]


def test_a_closed_runtime_starts_no_timers() -> None:
    runtime = ThreadedRuntime()
    probe, other = Probe(), ThreadedRuntime()
    runtime.close()
    runtime.later(0.0, probe, Tick("never"))
    other.later(0.01, probe, Tick("later"))

    assert probe.next().purpose == "later"
    other.close()


def test_ids_are_uuids_and_never_repeat(runtime: KitRuntime) -> None:
    ids = [runtime.new_id(), *runtime.new_ids(5000), runtime.new_id(), *runtime.new_ids(1)]

    assert len(set(ids)) == len(ids)
    assert {(len(id_), id_[14], id_[19] in "89ab") for id_ in ids} == {(36, "8", True)}
