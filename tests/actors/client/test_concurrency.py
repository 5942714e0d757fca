"""Real threads, switched as often as the interpreter allows: the history must be without anomalies."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from support.actors import QUICK, KitRuntime, World, in_threads

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.producer import ProducerHandle
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorStopped
from odradek_actors.messages.core import Recover
from odradek_actors.messages.producers import Receipt
from odradek_actors.runtime.promise import Promise
from odradek_actors.settings import Settings
from odradek_domain.replay.system_state import SystemState
from odradek_domain.values.positions import TopicPartition
from odradek_events import MemoryLog
from odradek_events.errors import OutcomeUnknown
from odradek_events.maintenance.verify import verify
from odradek_events.testing import FaultyLog
from odradek_simulation.checkers.anomalies import check_history
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.history import History, Recorder, Send

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("frequent_thread_switches")]

T = TypeVar("T")
PRODUCERS = [f"p{number}" for number in range(8)]
CONSUMERS = [f"c{number}" for number in range(4)]
TOPICS = {"orders": 4, "bills": 1}


def until_told(attempt: Callable[[], T]) -> T:
    """Repeat what may be repeated until its outcome is known."""
    while True:
        try:
            return attempt()
        except (OutcomeUnknown, ActorStopped):
            continue


class CommitsFirst(RebalanceListener):
    """Commits what was handed out before partitions go, so that a rebalance repeats nothing."""

    def __init__(self, consumer: ConsumerHandle) -> None:
        self._consumer = consumer

    def on_partitions_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        until_told(self._consumer.commit)


def produce(system: ActorSystem, recorder: Recorder, batches: int, size: int) -> None:
    """Send batches, many in flight, and record each acknowledgement."""
    choice = random.Random(recorder.client)
    producer: ProducerHandle = system.producer(recorder.client)
    promises: list[Promise[list[Receipt]]] = []
    for number in range(batches):
        topic = choice.choice(sorted(TOPICS))
        batch = [f"{recorder.client}-{number}-{index}" for index in range(choice.randint(1, size))]
        keyed = [(choice.choice("abcdefgh"), value) for value in batch]
        promises.append(recorder.send_batch(producer, topic, keyed))
    for promise in promises:
        promise.result(60)


def consume(system: ActorSystem, recorder: Recorder, is_enough: Callable[[int], bool]) -> None:
    """Poll until enough has come, committing now and then."""
    with until_told(lambda: system.consumer(recorder.client, group=recorder.reader)) as consumer:
        until_told(lambda: consumer.subscribe(sorted(TOPICS), listener=CommitsFirst(consumer)))
        polled = 0
        while not is_enough(polled):
            records = consumer.poll(200, timeout=0.2)
            recorder.polled(records)
            polled += len(records)
            if polled % 7 == 0:
                until_told(consumer.commit)
        until_told(consumer.commit)


def sent_by(history: History, client: str | None = None) -> int:
    """Return how many messages a client sent, or all clients together."""
    return sum(len(send.values) for send in history.of(Send) if client in (None, send.client))


def run(system: ActorSystem, batches: int, size: int, *others: Callable[[threading.Event], None]) -> History:
    """Let eight producers, four consumers and whoever else run against one another until all is read."""
    for topic, partitions in TOPICS.items():
        system.create_topic(topic, partitions)
    history = History(system.runtime.monotonic)
    producers = [history.client(name) for name in PRODUCERS]
    consumers = [history.client(name, f"group-{name}") for name in CONSUMERS]
    left = len(PRODUCERS)
    lock = threading.Lock()
    produced = threading.Event()

    def produce_all(recorder: Recorder) -> None:
        nonlocal left
        try:
            produce(system, recorder, batches, size)
        finally:
            with lock:
                left -= 1
                if not left:
                    produced.set()

    def is_enough(count: int) -> bool:
        return produced.is_set() and count >= sent_by(history)

    in_threads(
        *(partial(produce_all, recorder) for recorder in producers),
        *(partial(consume, system, recorder, is_enough) for recorder in consumers),
        *(partial(other, produced) for other in others),
    )
    return history


def anomalies(system: ActorSystem, history: History) -> list[Finding]:
    """Return what is wrong: every consumer, each a group of its own, read everything, and nothing twice."""
    groups = [f"group-{name}" for name in CONSUMERS]
    return check_history(history, read_to_end=groups, exactly_once=groups, state=system.state())


def assert_sound(system: ActorSystem, history: History) -> None:
    system.settle()
    assert anomalies(system, history) == []
    ends = {
        (topic, partition.id): partition.high_watermark
        for topic in TOPICS
        for partition in system.describe_topic(topic).partitions
    }
    assert sum(ends.values()) == sent_by(history)
    for name in CONSUMERS:
        committed = {(c.topic, c.partition): c.offset for c in system.committed_offsets(f"group-{name}")}
        assert committed == {place: end for place, end in ends.items() if end}
    for name in PRODUCERS:
        assert system.producer(name).message_count == sent_by(history, name)
    system.settle()
    check = system.check_replay()
    assert check.holds, check
    assert SystemState.replay(system.log).digest() == system.state().digest()
    assert verify(system.log).is_sound


def test_eight_producers_and_four_consumers_on_a_durable_log(tmp_path: Path) -> None:
    with ActorSystem.open(tmp_path / "log.db", durability="off", tail_messages=500, progress_interval=0.05) as system:
        history = run(system, batches=50, size=30)
        assert_sound(quiet(system), history)
        assert sent_by(history) > 5_000


def quiet(system: ActorSystem) -> ActorSystem:
    """Let every producer record its progress, so that no timer changes anything behind our back."""
    for name in PRODUCERS:
        system.producer(name).close()
    return system


def test_eight_producers_and_four_consumers_in_memory_with_small_batches() -> None:
    log = MemoryLog()
    settings = Settings(**{**QUICK, "batch_messages": 20, "tail_messages": 30, "fetch_bytes": 300, "max_in_flight": 3})
    with ActorSystem(log, settings=settings) as system:
        history = run(system, batches=60, size=10)
        assert_sound(quiet(system), history)


def test_actors_that_recover_and_die_all_the_time_lose_and_repeat_nothing() -> None:
    runtime = KitRuntime()
    settings = Settings(**{**QUICK, "tail_messages": 50, "max_in_flight": 3})
    choice = random.Random(1)

    def disturb(produced: threading.Event) -> None:
        while not produced.wait(0.002):
            stream = choice.choice([s for s in sorted(runtime.actors) if not s.startswith(("consumer/", "producer/"))])
            if choice.random() < 0.3:
                runtime.actors[stream].stop(block=False)
            for stream in choice.sample(sorted(runtime.actors), 2):
                runtime.send(runtime.actors[stream], Recover())

    with ActorSystem(MemoryLog(), settings=settings, runtime=runtime) as system:
        history = run(system, 40, 10, disturb)
        quiet(system).settle()
        assert anomalies(system, history) == []
        assert system.check_replay().holds
    runtime.close()


def test_appends_with_lost_answers_are_stored_once_and_in_order(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(retry_backoff=0.001, delivery_timeout=60.0, batch_messages=10)
    faulty.lose_every(3)
    history = run(system, 25, 8)
    faulty.lose_every(0)
    assert {"written", "unwritten"} == set(faulty.fired)
    assert_sound(quiet(system), history)


def test_a_send_racing_with_the_death_of_its_topic_is_stored_once_or_fails(faulty_world: World) -> None:
    system = faulty_world.open()
    system.create_topic("orders")
    values: list[str] = []

    def send(id: str) -> None:
        producer = system.producer(id)
        for number in range(150):
            try:
                producer.send("orders", f"{id}-{number}").result(30)
            except ActorStopped:
                continue
            values.append(f"{id}-{number}")

    def kill() -> None:
        for _ in range(60):
            faulty_world.runtime.actors["topic/orders"].stop(block=True, timeout=10)
            system.describe_topic("orders")

    in_threads(partial(send, "p"), partial(send, "q"), kill)

    stored = [(r.event.value or b"").decode() for r in faulty_world.log.read(types=("MessageProduced",))]
    assert sorted(stored) == sorted(values)
