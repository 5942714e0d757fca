"""Retries after unknown outcomes: whatever fails or recovers in between, nothing is stored twice or out of order.

Each seed is another mix of what a log can do to a system (refuse, lose answers, go away, fail to sync, be read or be
opened again), of snapshots, and of actors that recover in place, crash between the append and the reply, or die. The
promise's error says what is known: after OutcomeUnknown, DeliveryTimedOut and ActorFailed a message may be stored,
after any other it is not.
"""

from __future__ import annotations

import queue
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from support.actors import QUICK, KitRuntime, World, in_threads, stored_values
from support.domain import batch

from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.core import Command, Recipient, Recover, Tick
from odradek_actors.messages.producers import Receipt, Send
from odradek_actors.messages.topics import AppendBatch, AppendDone, Fetch
from odradek_actors.producer.actor import ProducerActor
from odradek_actors.producer.outbox import Batch, Outbox
from odradek_actors.runtime.promise import Promise
from odradek_actors.settings import Settings
from odradek_actors.topic.actor import TopicActor
from odradek_domain.errors import DomainError
from odradek_domain.replay.system_state import SystemState
from odradek_domain.topic.topic import AppendDecision, AppendMessages, Topic
from odradek_events.errors import LogFull, OutcomeUnknown
from odradek_events.maintenance.verify import verify
from odradek_events.testing import FaultyLog
from odradek_events.types import MessageProduced
from odradek_simulation.checkers.anomalies import check_history
from odradek_simulation.checkers.history import History, Recorder
from odradek_simulation.checkers.invariants import InvariantChecker

PRODUCERS = ("p0", "p1", "p2")
TOPICS = {"orders": 3, "bills": 1}


class CrashingTopic(TopicActor):
    """Crashes once for each token: before it applies what is durable, or after that and before it replies."""

    before_apply: deque[None] = deque()
    before_reply: deque[None] = deque()

    def initial_state(self) -> Topic:
        super().initial_state()
        return _Crashing(self.id, self._tail_limit)

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        super().on_applied(events, first_position)
        if self._phase == "appending" and self.before_reply:
            self.before_reply.pop()
            raise ArithmeticError("crash before the reply")


class _Crashing(Topic):
    __slots__ = ()

    def apply_all(self, events: Sequence[Any]) -> None:
        if CrashingTopic.before_apply and type(events[0]) is MessageProduced:
            CrashingTopic.before_apply.pop()
            raise ArithmeticError("crash before apply")
        super().apply_all(events)


class CrashingProducer(ProducerActor):
    """Crashes once for each token: when its topic's answer comes, or once that is taken in."""

    before_answer: deque[None] = deque()
    after_answer: deque[None] = deque()

    def _answered(self, outbox: Outbox, batch: Batch, attempt: int, answer: Any) -> None:
        if self.before_answer:
            self.before_answer.pop()
            raise ArithmeticError("crash before the answer is taken in")
        super()._answered(outbox, batch, attempt, answer)
        if self.after_answer:
            self.after_answer.pop()
            raise ArithmeticError("crash after the answer is taken in")


TOKENS = (
    CrashingTopic.before_apply,
    CrashingTopic.before_reply,
    CrashingProducer.before_answer,
    CrashingProducer.after_answer,
)


class Sending:
    """One producer at work, which records what it sent, and what it was told."""

    def __init__(self, system: ActorSystem, recorder: Recorder, seed: int) -> None:
        self._system, self._recorder, self._id = system, recorder, recorder.client
        self._choice = random.Random(f"{seed}/{self._id}")
        self._promises: list[Promise[list[Receipt]]] = []

    def run(self, sends: int) -> None:
        """Send numbered batches, now and then waiting for one, then wait for all."""
        number = 0
        for _ in range(sends):
            count = self._choice.choice((1, 1, 2, 5))
            values = [f"{self._id}-{n}" for n in range(number, number + count)]
            number += count
            topic = self._choice.choice(sorted(TOPICS))
            partition = self._choice.choice((None, *range(TOPICS[topic])))
            producer = self._system.producer(self._id)
            self._promises.append(self._recorder.send_batch(producer, topic, values, partition=partition))
            if self._choice.random() < 0.2:
                self._choice.choice(self._promises).exception(60)
        for promise in self._promises:
            promise.exception(60)


def watch(system: ActorSystem, ids: dict[str, str], recorder: Recorder, done: threading.Event) -> None:
    """Ask the topics' actors for their newest messages, whatever happens to them, until all is sent."""
    ends = {topic: [0] * partitions for topic, partitions in TOPICS.items()}
    while not done.wait(0.001):
        for topic in TOPICS:
            wanted = Fetch("watch", ids[topic], tuple(enumerate(ends[topic])), 1000, 1 << 20, wait=False)
            answer = system.query(f"topic/{topic}", wanted)
            if answer.exception(60) is None:
                messages = answer.result().messages
                recorder.polled(messages)
                for event in messages:
                    ends[topic][event.partition] = event.offset + 1


def disturb(world: World, log: FaultyLog, seed: int, done: threading.Event) -> None:
    """Do one thing after another to the log and the actors, each as likely as the seed says, until all is sent."""
    choice = random.Random(seed)
    prefixes = ("", "topic/", "topic/orders", "producer/")
    actors = world.runtime.actors

    def recover() -> None:
        world.runtime.send(actors[choice.choice(sorted(actors))], Recover())

    def away() -> None:
        log.is_away = True
        done.wait(0.002)
        log.is_away = False

    def crash(tokens: deque[None]) -> None:
        if not tokens:
            tokens.append(None)

    things: list[Callable[[], object]] = [
        lambda: log.reject(choice.choice(prefixes)),
        lambda: log.lose_answer(choice.choice(prefixes), written=True),
        lambda: log.lose_answer(choice.choice(prefixes), written=False),
        lambda: log.fail("append", choice.choice(prefixes)),
        lambda: log.fail("sync", choice.choice(prefixes)),
        lambda: log.fail("read"),
        lambda: log.fail("reopen"),
        *(partial(crash, tokens) for tokens in TOKENS),
        lambda: actors[choice.choice([s for s in sorted(actors) if s.startswith("topic/")])].stop(block=False),
        lambda: actors[choice.choice(sorted(actors))].stop(block=False) if choice.random() < 0.1 else None,
        away,
        recover,
        recover,
        recover,
    ]
    weights = [choice.random() for _ in things]
    while not done.wait(choice.random() * 0.003):
        choice.choices(things, weights)[0]()
        if choice.random() < 0.2:
            log.heal()  # or what is ordered faster than it strikes piles up, until actors give up
    log.heal()
    for tokens in TOKENS:
        tokens.clear()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_what_is_acknowledged_is_stored_once_and_in_order_and_nothing_twice(
    faulty_world: World, faulty: FaultyLog, seed: int
) -> None:
    timeout = (60.0, 0.02)[seed % 2]
    system = faulty_world.open(
        actors={"topic": CrashingTopic, "producer": CrashingProducer},
        retry_backoff=0.001,
        delivery_timeout=timeout,
        batch_messages=8,
        snapshot_interval=(0, 1, 7)[seed % 3],
    )
    ids = {topic: system.create_topic(topic, partitions).topic_id for topic, partitions in TOPICS.items()}
    history = History(system.runtime.monotonic)
    sendings = [Sending(system, history.client(name), seed) for name in PRODUCERS]
    assert [system.producer(name).message_count for name in PRODUCERS] == [0, 0, 0]  # so they are there to be disturbed
    done = threading.Event()
    left = [None] * (len(sendings) - 1)

    def send(sending: Sending) -> None:
        try:
            sending.run(80)
        finally:
            try:
                left.pop()
            except IndexError:
                done.set()

    in_threads(
        partial(disturb, faulty_world, faulty, seed, done),
        partial(watch, system, ids, history.client("watch"), done),
        *(partial(send, sending) for sending in sendings),
    )

    stored = [recorded.event for recorded in faulty.read(types=("MessageProduced",))]
    history.client("log").polled(stored)
    system.settle()
    assert check_history(history, read_to_end=["log"], exactly_once=["log"], state=system.state()) == []
    assert InvariantChecker().follow(faulty) == []
    assert out_of_order([((e.value or b"").decode(), e.topic, e.partition, e.offset) for e in stored]) == []
    assert system.check_replay().holds
    assert SystemState.replay(faulty).digest() == system.state().digest()
    assert verify(faulty).is_sound
    stored_before = faulty.head().position
    system.close()
    system = faulty_world.open()
    places = [system.producer(name).send(topic, "after").result() for name in PRODUCERS for topic in TOPICS]
    assert min(place.position for place in places) > stored_before


def out_of_order(stored: Sequence[tuple[str, str, int, int]]) -> list[str]:
    """Return each value, given with its place, that stands behind a later one of its producer in its partition."""
    last: dict[tuple[str, str, int], int] = {}
    wrong = []
    for value, topic, partition, offset in stored:
        producer, _, number = value.partition("-")
        key = producer, topic, partition
        if int(number) <= last.get(key, -1):
            wrong.append(f"{value} at {topic}/{partition} offset {offset} after {last[key]}")
        last[key] = int(number)
    return wrong


class RefusingTopic(TopicActor):
    """Refuses the first append after each token, for good."""

    refusals: deque[None] = deque()

    def handle_command(self, command: Command) -> None:
        if type(command.body) is AppendBatch and self.refusals:
            self.refusals.pop()
            self.reply(command, ArithmeticError("not this one"))
        else:
            super().handle_command(command)


def test_messages_behind_one_that_was_refused_stay_in_their_partition_and_in_order(
    faulty_world: World, faulty: FaultyLog
) -> None:
    system = faulty_world.open(actors={"topic": RefusingTopic})
    system.create_topic("orders", partitions=2)
    producer = system.producer("p")
    producer.send_batch("orders", ["first"], partition=1).result()
    hold = faulty.hold("topic/orders")
    busy = system.producer("q").send("orders", "busy", partition=1)
    assert hold.reached.wait(10)
    RefusingTopic.refusals.append(None)
    refused = producer.send("orders", "refused", partition=0)
    keyless = [producer.send("orders", f"keyless {number}") for number in range(3)]
    last = producer.send("orders", "last", partition=1)
    assert producer.message_count == 1  # and by the time it says so, everything is on its way
    hold.release()

    assert isinstance(refused.exception(10), ArithmeticError)
    busy.result()
    stored = [(f"p-{number}", *place(promise)) for number, promise in enumerate([*keyless, last])]
    assert out_of_order(sorted(stored, key=lambda item: item[1:])) == []


def place(promise: Promise[Receipt]) -> tuple[str, int, int]:
    receipt = promise.result()
    return receipt.topic, receipt.partition, receipt.offset


class Noticing(Topic):
    """Has the next read fail once it has recognised a repeat."""

    __slots__ = ()
    log: FaultyLog

    def decide_appends(self, commands: Sequence[AppendMessages]) -> list[AppendDecision | DomainError]:
        decided = super().decide_appends(commands)
        if (
            any(isinstance(one, AppendDecision) and one.is_duplicate for one in decided)
            and "read" not in self.log.fired
        ):
            self.log.fail("read")
        return decided


class NoticingTopic(TopicActor):
    def initial_state(self) -> Topic:
        super().initial_state()
        return Noticing(self.id)


def test_a_repeat_whose_place_cannot_be_read_now_is_answered_once_it_can(
    faulty_world: World, faulty: FaultyLog
) -> None:
    Noticing.log = faulty
    system = faulty_world.open(actors={"topic": NoticingTopic})
    producer = system.producer("p")
    producer.send("orders", "first").result()
    faulty.lose_answer("topic/", written=True)

    receipt = producer.send("orders", "second").result()

    assert faulty.fired == ["written", "read"]
    assert receipt.offset == 1
    assert [r.event.value for r in faulty.read(after=receipt.position - 1, until=receipt.position)] == [b"second"]


def asked(system: ActorSystem, append: AppendMessages) -> Promise[AppendDone]:
    """Ask the topic itself to store a numbered batch."""
    send = Command(Send("orders", append.messages, 0, None), system.runtime.promise())
    return system.command("topic/orders", AppendBatch(append, (send,)))


def test_a_repeat_is_acknowledged_though_what_it_travels_with_is_refused(
    faulty_world: World, faulty: FaultyLog
) -> None:
    system = faulty_world.open()
    system.create_topic("orders")
    original = asked(system, batch(2, sequence=0, producer="p")).result()
    hold = faulty.hold("topic/")
    faulty.reject("topic/", times=2)
    busy = asked(system, batch(1, sequence=0, producer="busy"))
    assert hold.reached.wait(10)

    repeat = asked(system, batch(2, sequence=0, producer="p"))
    other = asked(system, batch(1, sequence=0, producer="other"))
    hold.release()

    assert isinstance(busy.exception(10), LogFull)
    assert isinstance(other.exception(10), LogFull)
    assert repeat.result().offsets == original.offsets == [0, 1]


@pytest.mark.parametrize("tokens", [CrashingProducer.before_answer, CrashingProducer.after_answer])
def test_batches_on_their_way_survive_a_crash_of_their_producer(
    faulty_world: World, faulty: FaultyLog, tokens: deque[None]
) -> None:
    system = faulty_world.open(actors={"producer": CrashingProducer})
    producer = system.producer("p")
    producer.send("orders", "first").result()
    for number in range(3):
        tokens.append(None)
        faulty.lose_answer("topic/", written=bool(number))
        receipts = [producer.send("orders", f"{number}{n}") for n in range(10)]
        assert [receipt.result(10).offset for receipt in receipts] == list(range(10 * number + 1, 10 * number + 11))
        producer.flush(10)

    assert producer.message_count == 31
    assert stored_values(faulty, "orders") == ["first", *(f"{number}{n}" for number in range(3) for n in range(10))]


def test_sends_in_flight_when_their_producer_dies_have_an_unknown_outcome(
    faulty_world: World, faulty: FaultyLog
) -> None:
    system = faulty_world.open()
    system.producer("p").send("orders", "first").result()
    hold = faulty.hold("topic/")
    sent = system.producer("p").send("orders", "second")
    assert hold.reached.wait(10)

    faulty_world.runtime.kill("producer/p")
    hold.release()

    with pytest.raises(OutcomeUnknown, match="may or may not be stored"):
        sent.result(10)


# -- topics that are deleted between an append and its retry -----------------------------------------------------------


class LateRetries(KitRuntime):
    """Keeps the timers of retries until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: queue.Queue[tuple[Recipient, object]] = queue.Queue()
        self._are_kept = True

    def later(self, delay: float, recipient: Recipient, message: object) -> None:
        """Keep a retry; all else is as usual."""
        if self._are_kept and isinstance(message, Tick) and message.purpose.startswith("retry:"):
            self._kept.put((recipient, message))
        else:
            super().later(delay, recipient, message)

    def next_retry(self) -> tuple[Recipient, object]:
        """Wait for a retry to be kept, and return it."""
        return self._kept.get(timeout=10)

    def let_go(self, *retry: Any) -> None:
        """Let a retry go, and all that follow."""
        self._are_kept = False
        self.send(*retry)


@pytest.fixture
def late_retries(faulty: FaultyLog) -> Iterator[tuple[ActorSystem, LateRetries]]:
    """Give a system on the faulty log whose retries are late."""
    runtime = LateRetries()
    with ActorSystem(faulty, settings=Settings(**QUICK), runtime=runtime) as system:
        yield system, runtime
    runtime.close()


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("is_created_again", [True, False])
def test_a_batch_in_doubt_does_not_go_to_the_successor_of_its_topic(
    late_retries: tuple[ActorSystem, LateRetries], faulty: FaultyLog, written: bool, is_created_again: bool
) -> None:
    system, runtime = late_retries
    system.create_topic("orders")
    producer = system.producer("p")
    producer.send("orders", "first").result(10)
    faulty.lose_answer("topic/", written=written)
    in_doubt = producer.send("orders", "second")
    behind = producer.send("orders", "third")
    retry = runtime.next_retry()
    system.delete_topic("orders")
    if is_created_again:
        system.create_topic("orders")

    runtime.let_go(*retry)

    assert isinstance(in_doubt.exception(10), OutcomeUnknown)
    assert behind.exception(10) is None or isinstance(behind.exception(), OutcomeUnknown)
    assert producer.send("orders", "fourth").exception(10) is None
    producer.flush(10)
    counts = Counter(stored_values(faulty, "orders"))
    assert counts["second"] == int(written)
    assert counts["third"] <= 1
    assert counts["fourth"] == 1


def test_a_repeat_that_could_not_be_located_does_not_go_to_the_successor_of_its_topic(faulty: FaultyLog) -> None:
    Noticing.log = faulty
    runtime = LateRetries()
    with ActorSystem(faulty, settings=Settings(**QUICK), runtime=runtime, actors={"topic": NoticingTopic}) as system:
        producer = system.producer("p")
        producer.send("orders", "first").result(10)
        faulty.lose_answer("topic/", written=True)
        stored = producer.send("orders", "second")
        runtime.send(*runtime.next_retry())
        retry = runtime.next_retry()
        assert faulty.fired == ["written", "read"]
        system.delete_topic("orders")
        system.create_topic("orders")

        runtime.let_go(*retry)

        assert isinstance(stored.exception(10), OutcomeUnknown)
        assert producer.send("orders", "third").result(10).offset == 0
    runtime.close()
    assert stored_values(faulty, "orders") == ["first", "second", "third"]


def test_a_batch_that_was_not_handled_goes_to_the_successor_of_its_topic(
    late_retries: tuple[ActorSystem, LateRetries], faulty: FaultyLog
) -> None:
    system, _ = late_retries
    system.create_topic("orders")
    producer = system.producer("p")
    producer.send("orders", "first").result(10)
    system.delete_topic("orders")
    system.create_topic("orders")

    assert producer.send("orders", "second").result(10).offset == 0
    assert stored_values(faulty, "orders") == ["first", "second"]
