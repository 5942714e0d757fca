"""What a message may hold, how its size is counted, and that one request's content never fails another."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from support.actors import World, stored_values

from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import BufferFull
from odradek_actors.messages.producers import Receipt, Send
from odradek_actors.runtime.promise import Promise
from odradek_actors.runtime.threads import ThreadedRuntime
from odradek_domain.errors import InvalidHeader, MessageTooLarge
from odradek_domain.values.message import Message
from odradek_events import MemoryLog
from odradek_events.errors import EventNotSerializable

PATIENCE = 20.0


class Text(str):
    pass


class Data(bytes):
    pass


class FakeDatetime(datetime):
    """The datetime of tools that freeze the clock."""


class FrozenRuntime(ThreadedRuntime):
    """A runtime whose clock is frozen, by such a tool."""

    def now(self) -> datetime:
        return FakeDatetime(2026, 5, 1, 12, tzinfo=UTC)


def test_headers_of_subclasses_are_stored_as_plain_values(system: ActorSystem) -> None:
    with system.producer("p") as producer, system.consumer("c") as consumer:
        headers = [(Text("trace"), Data(b"1")), ("empty", Data(b""))]
        producer.send(Text("t"), Data(b"v"), key=Data(b"k"), headers=headers, correlation_id=Text("c")).result()
        producer.send_batch("t", [(Data(b"k"), Text("v"), headers)]).result()
        consumer.subscribe([Text("t")])
        for record in consumer.poll() + consumer.poll(timeout=0):
            assert record.headers == (("trace", b"1"), ("empty", b""))
            parts = [record.key, record.value, *(part for header in record.headers for part in header)]
            assert {type(part) for part in parts} == {str, bytes}
        system.settle()
        assert system.check_replay().holds


def test_a_header_may_be_null_as_in_kafka(system: ActorSystem) -> None:
    with system.producer("p") as producer, system.consumer("c") as consumer:
        producer.send("t", "v", headers=[("null", None), ("empty", b""), ("full", b"1")]).result()
        consumer.subscribe(["t"])
        (record,) = consumer.poll()
        assert record.headers == (("null", None), ("empty", b""), ("full", b"1"))
        system.settle()
        assert system.check_replay().holds


@pytest.mark.parametrize("headers", [{"a": b"1"}, "ab", b"ab", 5, [("a", 1)], [("a", "text")], [(b"a", b"1")]])
def test_an_invalid_header_is_refused(system: ActorSystem, headers: Any) -> None:
    producer = system.producer("p")
    with pytest.raises(InvalidHeader, match="is not a header; use a"):
        producer.send("t", "v", headers=headers)
    with pytest.raises(InvalidHeader, match="is not a header; use a"):
        producer.send_batch("t", [("k", "v", headers)])


def raw_send(system: ActorSystem, client_id: str, topic: str, header: Any) -> Promise[list[Receipt]]:
    """Send a message that no handle would send: a header that UTF-8 cannot hold."""
    message = Message(system.runtime.new_id(), None, b"bad", system.runtime.now(), (header,))
    return system.command(f"producer/{client_id}", Send(topic, (message,), 3, 0))


BAD = ("\ud800", b"")


def test_what_one_producer_sends_never_fails_another(world: World) -> None:
    system = world.open()
    names = [f"p{number}" for number in range(4)]
    producers = [system.producer(name) for name in names]
    system.create_topic("t")
    good: list[Promise[Any]] = []
    bad: list[Promise[Any]] = []
    for number in range(100):
        for producer in producers:
            good.append(producer.send("t", f"{producer.client_id} {number}"))
        if number % 10 == 5:
            bad.append(raw_send(system, "culprit", "t", BAD))
    assert all(promise.result(PATIENCE).offset >= 0 for promise in good)
    assert {type(promise.exception(PATIENCE)) for promise in bad} == {EventNotSerializable}
    found = stored_values(world.log, "t")
    assert sorted(found) == sorted(f"{name} {number}" for name in names for number in range(100))
    for name in names:
        assert [value for value in found if value.startswith(name)] == [f"{name} {number}" for number in range(100)]
    system.settle()
    assert system.check_replay().holds


def test_what_one_send_holds_never_fails_others_of_the_same_producer(world: World) -> None:
    system = world.open()
    producer = system.producer("p")
    system.create_topic("t")
    good = []
    bad = []
    for number in range(200):
        good.append(producer.send("t", str(number)))
        if number % 20 == 7:
            bad.append(raw_send(system, "p", "t", BAD))
    assert all(promise.result(PATIENCE).offset >= 0 for promise in good)
    assert {type(promise.exception(PATIENCE)) for promise in bad} == {EventNotSerializable}
    assert stored_values(world.log, "t") == [str(number) for number in range(200)]
    system.settle()
    assert system.check_replay().holds


# -- sizes ------------------------------------------------------------------------------------------------------------


def test_headers_count_even_if_they_are_empty() -> None:
    with ActorSystem.open(max_message_bytes=1000) as system, system.producer("p") as producer:
        producer.send("t", "v", headers=[("", b"")] * 62).result()
        with pytest.raises(MessageTooLarge, match="1009 bytes"):
            producer.send("t", "v", headers=[("", b"")] * 63)
        with pytest.raises(MessageTooLarge, match="1009 bytes"):
            producer.send_batch("t", [(None, "v", [("", None)] * 63)])


def test_headers_and_ids_take_room_in_the_buffer() -> None:
    with (
        ActorSystem.open(buffer_bytes=5000, max_block_ms=0) as system,
        system.producer("p", linger_ms=1000) as producer,
    ):
        system.create_topic("t")
        producer.send("t", "v", correlation_id="c" * 1000, causation_id="d" * 1000, headers=[("", b"")] * 100)
        with pytest.raises(BufferFull):
            producer.send("t", "v", correlation_id="c" * 1000, headers=[("", b"")] * 100)


def test_headers_count_in_what_a_consumer_fetches_and_a_topic_keeps_in_memory() -> None:
    with ActorSystem.open(fetch_bytes=1000, tail_bytes=2000) as system, system.producer("p") as producer:
        producer.send_batch("t", [(None, "v", [("", b"")] * 30)] * 20).result()
        with system.consumer("c") as consumer:
            consumer.subscribe(["t"])
            sizes: list[int] = []
            while sum(sizes) < 20:
                sizes.append(len(consumer.poll(timeout=5)))
            assert max(sizes) <= 2
        assert system.state().topics["t"].partitions[0].tail_bytes <= 4000


@pytest.mark.parametrize("name", ["correlation_id", "causation_id"])
def test_ids_have_a_limit(system: ActorSystem, name: str) -> None:
    producer = system.producer("p")
    longest: dict[str, Any] = {name: "x" * 1024}
    longer: dict[str, Any] = {name: "x" * 1025}
    producer.send("t", "v", **longest).result()
    for call in (
        lambda: producer.send("t", "v", **longer),
        lambda: producer.send_batch("t", ["v"], **longer),
        lambda: system.actor("topic/t").ask("anything", **longer),
    ):
        with pytest.raises(ValueError, match=rf"^{name} must have at most 1024 characters, not 1025$"):
            call()


# -- clocks -----------------------------------------------------------------------------------------------------------


def test_a_system_works_on_a_frozen_clock() -> None:
    with MemoryLog() as log:
        runtime = FrozenRuntime()
        with ActorSystem.open(log, runtime=runtime, snapshot_interval=1) as system:
            system.create_topic("t", retention_ms=1000)
            with system.producer("p") as producer, system.consumer("c", "g") as consumer:
                producer.send("t", "v").result()
                producer.send("t", "w", timestamp=FakeDatetime(2026, 5, 1, tzinfo=UTC)).result()
                consumer.subscribe(["t"])
                consumer.wait_for_assignment()
                assert len(consumer.poll()) == 2
                consumer.commit()
            system.settle()
            assert system.check_replay().holds
            assert system.state().digest() == system.state().digest()
        runtime.close()
        assert {type(recorded.commit.recorded_at) for recorded in log.read()} == {datetime}


def test_concurrent_senders_see_only_their_own_errors(system: ActorSystem) -> None:
    producer = system.producer("p")
    system.create_topic("t")
    errors: list[BaseException] = []

    def send(name: str, header: Any) -> None:
        for _ in range(50):
            try:
                producer.send("t", name, headers=[header]).result(PATIENCE)
            except Exception as error:
                errors.append(error)

    threads = [
        threading.Thread(target=send, args=("good", ("h", b"1"))),
        threading.Thread(target=send, args=("subclass", (Text("h"), Data(b"1")))),
        threading.Thread(target=send, args=("bad", ("h", "text"))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(errors) == 50
    assert {type(error) for error in errors} == {InvalidHeader}
