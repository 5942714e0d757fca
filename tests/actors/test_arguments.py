"""A wrong argument raises at once, in one sentence that names it, and never reaches the log."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from support.accounts import AccountActor, Balance

import odradek
from odradek import ActorSystem, Aggregate, EventSourcedActor, SystemState, verify
from odradek_actors.errors import BufferFull, SystemClosed
from odradek_domain.errors import InvalidPartitionCount, PartitionNotFound, TopicNotFound
from odradek_events.errors import WrongExpectedVersion

Call = Callable[[Any, Any, Any], object]

WRONG: dict[str, Call] = {
    "partition True": lambda s, p, c: p.send("t", "v", partition=True),
    "partition 1.0": lambda s, p, c: p.send_batch("t", ["v"], partition=1.0),
    "partition -1": lambda s, p, c: p.send("t", "v", partition=-1),
    "text as a batch": lambda s, p, c: p.send_batch("t", "abc"),
    "a mapping as a batch": lambda s, p, c: p.send_batch("t", {"k": "v"}),
    "a lone surrogate as value": lambda s, p, c: p.send("t", "\ud800"),
    "a number as correlation id": lambda s, p, c: p.send("t", "v", correlation_id=7),
    "a lone surrogate as correlation id": lambda s, p, c: p.send("t", "v", correlation_id="\ud800"),
    "seconds as timestamp": lambda s, p, c: p.send("t", "v", timestamp=1.5),
    "a naive timestamp": lambda s, p, c: p.send("t", "v", timestamp=datetime(2026, 1, 1)),  # noqa: DTZ001 - the mistake
    "linger as text": lambda s, p, c: s.producer("q", linger_ms="x"),
    "partitions 2.5": lambda s, p, c: s.create_topic("u", 2.5),
    "partitions True": lambda s, p, c: s.create_topic("u", True),
    "total 5.0": lambda s, p, c: s.add_partitions("t", 5.0),
    "before_offset True": lambda s, p, c: s.delete_records("t", 0, True),
    "delete in partition False": lambda s, p, c: s.delete_records("t", False, 1),
    "retention as text": lambda s, p, c: s.set_retention("t", retention_ms="7d"),
    "retention applied in text": lambda s, p, c: s.apply_retention("t", timeout="5"),
    "retention of 0 bytes": lambda s, p, c: s.create_topic("u", retention_bytes=0),
    "seek in partition True": lambda s, p, c: c.seek("t", True, 0),
    "seek to 1.0": lambda s, p, c: c.seek("t", 0, 1.0),
    "seek to -1": lambda s, p, c: c.seek("t", 0, -1),
    "commit in partition 0.0": lambda s, p, c: c.commit({("t", 0.0): 1}),
    "commit of True": lambda s, p, c: c.commit({("t", 0): True}),
    "commit by topic": lambda s, p, c: c.commit({"t": 1}),
    "subscribe to text": lambda s, p, c: c.subscribe("t"),
    "poll for nothing": lambda s, p, c: c.poll(0),
    "poll without end": lambda s, p, c: c.poll(timeout=None),
    "poll with text": lambda s, p, c: c.poll("5"),
    "read after text": lambda s, p, c: list(s.log.read(after="x")),
    "read no events in text": lambda s, p, c: list(s.log.read(limit="x")),
    "read less than nothing": lambda s, p, c: list(s.log.read(limit=-1)),
    "read until text": lambda s, p, c: list(s.log.commits(until="x")),
    "read a stream by number": lambda s, p, c: list(s.log.read(stream=5)),
    "read a version in text": lambda s, p, c: s.log.commit_of_version("topic/t", "0"),
    "a position in text": lambda s, p, c: s.log.commit_at("0"),
    "verify text": lambda s, p, c: verify("log.db"),  # type: ignore[arg-type]  # the mistake
    "an actor by number": lambda s, p, c: s.actor(5),
    "kill a number": lambda s, p, c: s.kill(5),
    "a pattern in bytes": lambda s, p, c: c.subscribe(pattern=b"t"),
    "a number as listener": lambda s, p, c: c.subscribe(["t"], listener=5),
    "a commit of 65 bits": lambda s, p, c: c.commit({("t", 0): 1 << 64}),
    "position by number": lambda s, p, c: c.position(5, 0),
    "pause a number": lambda s, p, c: c.pause(5),
    "read types as text": lambda s, p, c: list(s.log.read(types="MessageProduced")),
    "read tags as text": lambda s, p, c: list(s.log.read(tags="topic:t")),
    "replay until 2.5": lambda s, p, c: SystemState.replay(s.log, until=2.5),  # type: ignore[arg-type]  # the mistake
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_argument_is_refused_at_once_and_nothing_of_it_is_stored(call: Call) -> None:
    with ActorSystem.open() as system, system.producer("p") as producer, system.consumer("c") as consumer:
        producer.send("t", "first").result()
        consumer.subscribe(["t"])
        assert [message.value for message in consumer.poll()] == [b"first"]
        system.settle()
        head = system.log.head()
        with pytest.raises((TypeError, ValueError)) as caught:
            call(system, producer, consumer)
        assert "\n" not in str(caught.value)
        system.settle()
        assert system.log.head() == head
        assert verify(system.log).is_sound


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_a_topic_cannot_have_an_impossible_number_of_partitions(count: int) -> None:
    with ActorSystem.open() as system, pytest.raises(InvalidPartitionCount):
        system.create_topic("t", count)


@pytest.mark.parametrize(
    "setting",
    [
        {"max_in_flight": 0},
        {"max_in_flight": 6},
        {"default_partitions": 2.0},
        {"buffer_bytes": "many"},
        {"delivery_timeout": -1},
        {"retention_check_interval": 0},
        {"auto_create_topics": 1},
    ],
)
def test_invalid_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(setting))):
        ActorSystem.open(**setting)


def test_a_class_that_is_not_an_actor_is_refused() -> None:
    with pytest.raises(TypeError, match="EventSourcedActor"):
        ActorSystem.open(actors={"account": int})  # type: ignore[dict-item]  # the mistake under test


def test_a_closed_system_says_so() -> None:
    system = ActorSystem.open()
    system.close()
    for ask in (system.settle, system.state, system.check_replay, system.list_topics):
        with pytest.raises(SystemClosed):
            ask()


def test_actor_classes_of_several_aggregates_can_be_held_in_a_variable() -> None:
    class Other(EventSourcedActor[Aggregate]):
        """The actor of another class of aggregates."""

    actors = {"account": AccountActor, "other": Other}  # mypy checks this test
    with ActorSystem.open(actors=actors) as system:
        assert system.actor("account/a").query(Balance()).result(5) == 0


def test_errors_keep_their_facts_when_they_cross_to_another_process() -> None:
    for error in (
        PartitionNotFound("orders", 5, 3),
        TopicNotFound("orders"),
        BufferFull(10, 20),
        WrongExpectedVersion("topic/t", 1, 2),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_a_timestamp_keeps_its_moment_whatever_its_zone_or_class() -> None:
    class Stamp(datetime):
        pass

    moment = Stamp(2026, 5, 1, 12, 30, 0, 5, UTC)
    with ActorSystem.open() as system, system.producer("p") as producer:
        assert producer.send("t", "v", timestamp=moment).result().timestamp == moment


RECORDS = [name for name in odradek.__all__ if issubclass(type(getattr(odradek, name)), msgspec.StructMeta)]


@pytest.mark.parametrize("name", RECORDS)
def test_public_names_have_a_readable_signature(name: str) -> None:
    record = getattr(odradek, name)
    assert list(inspect.signature(record).parameters) == list(record.__struct_fields__)


@pytest.mark.parametrize("kind", ["topic", "group", "a/b", ""])
def test_an_actor_class_for_a_stream_type_that_it_cannot_serve_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=r"^actors m"):
        ActorSystem.open(actors={kind: EventSourcedActor})
