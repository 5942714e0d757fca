"""One exception in any handler of any actor, in any phase: the callers get an answer, and the system goes on."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, ClassVar

import msgspec
import pytest
from support.actors import KitRuntime, stored_values
from support.faults import WHEN, Fault, FaultyRuntime, Point
from support.groups import PATIENCE, until

from odradek import (
    ActorSystem,
    Aggregate,
    EventSourcedActor,
    MemoryLog,
    Policy,
    Query,
    QueryItem,
    Reaction,
    SnapshotSchema,
    event,
)
from odradek_actors.base.actor import ActorContext
from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.producer import ProducerHandle
from odradek_actors.client.system import ActorHandle
from odradek_actors.errors import ActorFailed, AnswerLost, DeliveryTimedOut, RequestTimedOut
from odradek_actors.infrastructure.directory import DirectoryActor
from odradek_actors.messages.core import Command, Forward, LookUp, Tick
from odradek_actors.runtime.promise import Promise
from odradek_domain.errors import AggregateFailed
from odradek_events.errors import OutcomeUnknown
from odradek_events.testing import FaultyLog

SETTINGS: dict[str, Any] = {
    "retry_backoff": 0.002,
    "delivery_timeout": 1.0,
    "progress_interval": 0.01,
    "retention_check_interval": 0.02,
    "snapshot_interval": 2,
    "tail_messages": 1,
    "default_partitions": 2,
}
MEMBER: dict[str, Any] = {"session_timeout": 0.5, "heartbeat_interval": 0.02, "max_poll_interval": 2.0}
IN_TIME = PATIENCE  # seconds: an answer, a rebalance or an end that takes longer comes too late
UNKNOWN = (DeliveryTimedOut, OutcomeUnknown, ActorFailed, RequestTimedOut)  # the message may be stored


class Broken(Exception):
    """What an actor's code raises."""


ERRORS: Sequence[Callable[[], BaseException]] = (Broken, partial(SystemExit, 3))


# -- an actor of one's own --------------------------------------------------------------------------------------------


@event("test.Counted", version=1)
class Counted(msgspec.Struct, frozen=True):
    by: str


class Count(msgspec.Struct):
    version: int
    total: int


class Counter(Aggregate):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def _counted(self, _: Counted) -> None:
        self.total += 1

    appliers: ClassVar = {Counted: _counted}

    def snapshot(self) -> Count:
        return Count(self.version, self.total)

    @classmethod
    def restore(cls, snapshot: Count) -> Counter:
        counter = cls()
        counter.version, counter.total = snapshot.version, snapshot.total
        return counter


class CounterActor(EventSourcedActor[Counter]):
    """Counts itself, or has another counter count; sets a timer before that."""

    snapshot_schema = SnapshotSchema("test.Count", 1, Count)

    def start_volatile(self) -> None:
        self.waiting: list[Command] = []

    def initial_state(self) -> Counter:
        return Counter()

    def handle_command(self, command: Command) -> None:
        if command.body == "other":
            self.waiting.append(command)
            self.tick(0.001, Tick("count"))
        else:
            super().handle_command(command)

    def decide(self, command: str) -> Sequence[Any]:
        return [Counted(command)]

    def answer(self, query: Any) -> int:
        return self.state.total

    def on_tick(self, tick: Tick) -> None:
        while self.waiting:
            self.request(self.context.directory, LookUp("counter/other"), partial(self._found, self.waiting[0]))
            del self.waiting[0]

    def _found(self, command: Command, ref: Any) -> None:
        if isinstance(ref, Exception):
            self.reply(command, ref)
        else:
            self.request(ref, "one", partial(self.reply, command), command=command)


# -- scenarios --------------------------------------------------------------------------------------------------------


def attempt(call: Callable[[], Any], what: str) -> Any:
    """Call until it succeeds; at each failure the error must come in time."""
    deadline = time.monotonic() + IN_TIME
    while True:
        began = time.monotonic()
        try:
            return call()
        except RequestTimedOut:
            raise
        except Exception:
            assert time.monotonic() - began < IN_TIME, f"{what}: the error came too late"
            assert time.monotonic() < deadline, f"{what}: it fails again and again"


def send(producer: ProducerHandle, topic: str, *values: str, **how: Any) -> list[str]:
    """Send messages, and repeat those that are not acknowledged under another name; return those that are."""
    promises = [(value, attempt(partial(producer.send, topic, value, **how), "send")) for value in values]
    outcomes = {value: promise.exception(IN_TIME) for value, promise in promises}
    attempt(producer.flush, "flush")
    stored = stored_values(producer._system.log, topic)
    for value, error in outcomes.items():
        assert stored.count(value) == 1 if error is None else stored.count(value) <= 1, (value, error)
        assert error is None or isinstance(error, UNKNOWN) or value not in stored, (value, error)
    failed = [f"{value}'" for value, error in outcomes.items() if error is not None]
    again = send(producer, topic, *failed, **how) if failed else []
    return [value for value, error in outcomes.items() if error is None] + again


def poll(consumers: Sequence[ConsumerHandle], got: set[str]) -> None:
    """Let each consumer poll and commit once."""
    for consumer in consumers:
        try:
            got.update((record.value or b"").decode() for record in consumer.poll(timeout=0.005))
            consumer.commit()
        except RequestTimedOut:
            raise
        except Exception:
            continue


def poll_until(consumers: Sequence[ConsumerHandle], wanted: Sequence[str]) -> None:
    """Poll in turns until the consumers have got these values."""
    got: set[str] = set()
    until(lambda: got >= set(wanted), partial(poll, consumers, got), what=f"got {sorted(wanted)}")


def produce(system: ActorSystem) -> None:
    """Send to a new topic, to one with more partitions, and from a producer of an earlier run."""
    producer = system.producer("p", linger_ms=1)
    values = send(producer, "orders", "a", "b", "c")
    values += send(producer, "orders", "d", "e")
    attempt(partial(grow, system, "orders", 3), "add partitions")
    values += send(producer, "orders", "f", partition=2)
    early = system.producer("early")
    values += send(early, "orders", "g")
    attempt(early.close, "close a producer")
    attempt(lambda: system.producer("p").message_count, "count")
    consumer = attempt(partial(system.consumer, "alone"), "open a consumer")
    attempt(partial(consumer.subscribe, pattern="ord.*"), "subscribe")
    poll_until([consumer], values)
    attempt(consumer.close, "close a consumer")


def grow(system: ActorSystem, topic: str, total: int) -> None:
    if len(system.describe_topic(topic).partitions) < total:
        system.add_partitions(topic, total)


def consume(system: ActorSystem) -> None:
    """Read in a group whose members come and go, and whose topic grows."""
    producer = system.producer()
    values = send(producer, "orders", "a", "b")
    first = attempt(partial(system.consumer, "first", "g", **MEMBER), "open a consumer")
    attempt(partial(first.subscribe, ["orders"]), "subscribe")
    poll_until([first], values)
    second = attempt(partial(system.consumer, "second", "g", **MEMBER), "open a consumer")
    attempt(partial(second.subscribe, pattern="ord.*"), "subscribe")
    until(lambda: len(owners(system)) == 2, partial(poll, [first, second], set()), what="two members")
    attempt(partial(grow, system, "orders", 3), "add partitions")
    values = send(producer, "orders", "c", partition=1) + send(producer, "orders", "d", partition=2)
    poll_until([first, second], values)
    attempt(first.close, "close a consumer")
    poll_until([second], send(producer, "orders", "e", "f", "g"))


def owners(system: ActorSystem) -> set[str]:
    group = attempt(partial(system.describe_group, "g"), "describe the group")
    return {member.consumer_id for member in group.members if member.partitions}


def keep(system: ActorSystem) -> None:
    """Retention, deletion, the group's offsets afterwards, and actors of one's own."""
    attempt(partial(ensure, system, "orders"), "create a topic")
    values = send(system.producer(), "orders", "a", "b", "c", "d")
    consumer = attempt(partial(system.consumer, "alone", "h"), "open a consumer")
    attempt(partial(consumer.assign, [("orders", 0)]), "assign")
    poll_until([consumer], values)
    attempt(consumer.close, "close a consumer")
    attempt(partial(system.set_retention, "orders", retention_bytes=1), "set retention")
    attempt(partial(system.apply_retention, "orders"), "apply retention")
    attempt(partial(delete, system, "orders"), "delete a topic")
    until(lambda: attempt(partial(system.committed_offsets, "h"), "committed offsets") == (), what="offsets deleted")
    counter = system.actor("counter/one")
    for body in ("one", "other", "one", "other", "one"):
        attempt(partial(ask, counter, body), "count")
    assert attempt(lambda: counter.query("total").result(IN_TIME), "query") >= 3


def ask(counter: ActorHandle, body: str) -> None:
    counter.ask(body).result(IN_TIME)


def ensure(system: ActorSystem, topic: str) -> None:
    if topic not in system.list_topics():
        system.create_topic(topic, retention_ms=3_600_000)


def delete(system: ActorSystem, topic: str) -> None:
    if topic in system.list_topics():
        system.delete_topic(topic)


def react(system: ActorSystem) -> None:
    """A policy has one counter count what another one has counted, and records that."""
    counter, total = system.actor("counter/one"), system.actor("counter/total")
    for number in range(1, 4):
        attempt(partial(ask, counter, "counted"), "count")
        until(partial(has_counted, total, number), what="it is counted")
    until(lambda: attempt(system.policies, "progress")["totals"].position >= 0, what="the progress is recorded")


def has_counted(counter: ActorHandle, number: int) -> bool:
    total: int = attempt(lambda: counter.query("total").result(IN_TIME), "query")
    return total >= number


SCENARIOS: dict[str, Callable[[ActorSystem], None]] = {
    "keep": keep,
    "produce": produce,
    "consume": consume,
    "react": react,
}
TOTALS = Policy(
    "totals",
    Query((QueryItem(("test.Counted",)),)),
    lambda recorded: None if recorded.stream == "counter/total" else Reaction("counter/total", "counted again"),
)


def run(scenario: str, fault: Fault | None = None) -> FaultyRuntime:
    """Run a scenario; then check that the system comes to rest, that its state is the log's, and that it ends."""
    log = MemoryLog()
    with ActorSystem.open(log) as earlier:
        earlier.producer("early").send("earlier", "x").result()
    runtime = FaultyRuntime(fault)
    policies = [TOTALS] if scenario == "react" else []
    actors = {"counter": CounterActor}
    system = ActorSystem.open(log, runtime=runtime, actors=actors, policies=policies, **SETTINGS)
    try:
        SCENARIOS[scenario](system)
        attempt(partial(system.settle, IN_TIME), "settle")
        until(lambda: attempt(system.check_replay, "check replay").holds, what="live == replay")
    finally:
        system.close(IN_TIME)
        runtime.close()
    return runtime


ACTORS = (
    "CounterActor",
    "TopicActor",
    "ProducerActor",
    "ConsumerActor",
    "GroupActor",
    "PolicyActor",
    "DirectoryActor",
    "JournalActor",
    "LogReaderActor",
    "SnapshotWriterActor",
)


@cache
def points_of(scenario: str) -> tuple[Point, ...]:
    """Return the points that a run without failure passes."""
    return tuple(run(scenario).points)


def fail_at_each_message(actor: str, *whens: Sequence[str]) -> None:
    """Fail at the first messages of every kind that the actor handles, each time in a run of its own.

    `whens` has the phases to fail in at the first message of a kind, then those at the second. The kinds are those of a
    run without failure, in the first scenario that has them. A run in which threads take other turns may not reach its
    point; then it must still end well.
    """
    errors = itertools.cycle(ERRORS)
    seen: set[str] = set()
    for scenario in SCENARIOS:
        points = [point for point in points_of(scenario) if point.actor == actor and point.message not in seen]
        for point in points:
            seen.add(point.message)
            for when in whens[point.number - 1] if point.number <= len(whens) else ():
                fault = Fault(point, when, next(errors))
                try:
                    run(scenario, fault)
                except BaseException as error:
                    error.add_note(f"in scenario {scenario!r} with {fault}")
                    raise
    assert seen, f"no scenario has a {actor}"


@pytest.mark.slow
@pytest.mark.parametrize("actor", ACTORS)
def test_a_handler_that_fails_before_it_does_anything_leaves_nothing_waiting(actor: str) -> None:
    fail_at_each_message(actor, ["before"])


@pytest.mark.slow
@pytest.mark.parametrize("actor", ACTORS)
def test_a_handler_that_fails_midway_or_at_its_end_leaves_nothing_waiting(actor: str) -> None:
    fail_at_each_message(actor, WHEN[1:], WHEN)


def test_the_scenarios_reach_every_actor() -> None:
    assert {point.actor for scenario in SCENARIOS for point in points_of(scenario)} == set(ACTORS)


# -- one rule at a time -----------------------------------------------------------------------------------------------


class ClumsyActor(CounterActor):
    """Its continuation fails at any answer but AnswerLost; so does the command "break"."""

    def handle_command(self, command: Command) -> None:
        if command.body == "break":
            raise Broken
        if command.body == "look up":
            self.request(self.context.directory, LookUp("counter/other"), partial(self._found, command))
        else:
            super().handle_command(command)

    def _found(self, command: Command, ref: Any) -> None:
        if not isinstance(ref, AnswerLost):
            raise Broken
        self.reply(command, ref)


class UnbornActor(CounterActor):
    """Cannot be made."""

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context, stream)
        raise Broken


def test_a_continuation_that_fails_is_called_again_with_answer_lost() -> None:
    with ActorSystem.open(actors={"counter": ClumsyActor}) as system:
        error = system.actor("counter/one").ask("look up").exception(IN_TIME)
        assert isinstance(error, AnswerLost)
        assert isinstance(error.__cause__, Broken)


def test_a_stashed_command_that_fails_is_answered_and_the_next_ones_are_handled() -> None:
    log = FaultyLog(MemoryLog())
    with ActorSystem.open(log, actors={"counter": ClumsyActor}) as system:
        counter = system.actor("counter/one")
        hold = log.hold("counter/")
        outcomes = [counter.ask(body) for body in ("first", "break", "second")]
        assert hold.reached.wait(IN_TIME)
        hold.release()
        assert [type(outcome.exception(IN_TIME)) for outcome in outcomes] == [type(None), Broken, type(None)]
        assert counter.query("total").result() == 2


def test_a_forwarded_request_to_an_actor_that_cannot_be_made_is_answered() -> None:
    runtime = KitRuntime()
    with ActorSystem.open(actors={"counter": UnbornActor}, runtime=runtime) as system:
        (directory,) = (ref for ref in runtime.refs if issubclass(ref.actor_class, DirectoryActor))
        promise: Promise[Any] = runtime.promise()
        runtime.send(directory, Forward("counter/one", Command("one", promise)))
        assert isinstance(promise.exception(IN_TIME), Broken)
        assert system.producer().send("orders", "1").result(IN_TIME).offset == 0
    runtime.close()


@pytest.mark.parametrize("kind", ["consumer", "producer"])
def test_a_handle_whose_close_fails_can_be_closed_again(kind: str) -> None:
    body = {"consumer": "CloseConsumer", "producer": "CloseProducer"}[kind]
    actor = {"consumer": "ConsumerActor", "producer": "ProducerActor"}[kind]
    runtime = FaultyRuntime(Fault(Point(actor, body, 1), "before", Broken))
    with ActorSystem.open(runtime=runtime) as system:
        handle = system.consumer("c") if kind == "consumer" else system.producer("c")
        with pytest.raises(Broken):
            handle.close()
        handle.close()
        if kind == "consumer":
            system.consumer("c").close()
    runtime.close()


class ChoosyCounter(Counter):
    """Cannot apply one of its events."""

    def _counted(self, event: Counted) -> None:
        if event.by == "bad":
            raise Broken
        super()._counted(event)

    appliers: ClassVar = {Counted: _counted}


class ChoosyActor(CounterActor):
    def initial_state(self) -> Counter:
        return ChoosyCounter()

    def decide(self, command: str) -> Sequence[Any]:
        return [Counted("good"), Counted(command)]


def test_the_error_of_an_actor_that_cannot_apply_its_events_names_the_event() -> None:
    with ActorSystem.open(actors={"counter": ChoosyActor}, retry_backoff=0.0005) as system:
        counter = system.actor("counter/one")
        assert counter.ask("fine").result(IN_TIME) == 1
        error = counter.ask("bad").exception(IN_TIME)
    assert isinstance(error, ActorFailed)
    assert isinstance(error.__cause__, AggregateFailed)
    assert (error.__cause__.stream, error.__cause__.position) == ("counter/one", 3)
    assert "at position 3 (test.Counted) its aggregate raised Broken()" in str(error)
