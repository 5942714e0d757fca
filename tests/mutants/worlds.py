"""Small worlds for bugs that the workload of chaos hides: its clients poll again and again, and sessions are long."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from contextlib import suppress

import msgspec

from odradek import ActorSystem
from odradek.errors import ActorError, DomainError, LogError
from odradek.simulation import World
from odradek_actors.client.consumer import ConsumerHandle
from odradek_simulation.chaos.clients import create_topics
from odradek_simulation.workload.mix import SMALL

__all__ = ["seek_back", "share_partitions", "wait_for_messages"]

_OWN_ERRORS = (ActorError, DomainError, LogError)
_SESSION = 100  # steps
_MESSAGES = 6
_ONE_TOPIC = msgspec.structs.replace(SMALL, topics=1, partitions=2)
(_ORDERS,) = _ONE_TOPIC.topic_names


def wait_for_messages(system: ActorSystem, world: World) -> None:
    """Have consumers without a group wait in their polls, and expect each message soon after it is stored."""

    def produce() -> None:
        with system.producer("shop") as producer:
            for number in range(_MESSAGES):
                producer.send(_ORDERS, b"%d" % number).result()
                world.sleep(world.draw(40) * world.step_seconds)

    def consume(name: str, read: list[bytes | None]) -> None:
        with system.consumer(name) as consumer:
            consumer.subscribe([_ORDERS])
            while len(read) < _MESSAGES:
                read.extend(message.value for message in consumer.poll(timeout=100.0))

    def watch(reads: Collection[list[bytes | None]]) -> None:
        world.sleep(20.0)
        counts = [len(read) for read in reads]
        assert set(counts) == {_MESSAGES}, f"after 20 s the consumers have {counts} of {_MESSAGES} messages"

    reads: dict[str, list[bytes | None]] = {"billing": [], "shipping": [], "audit": []}
    world.spawn(produce, name="shop")
    for name, read in reads.items():
        world.spawn(consume, name, read, name=name)
    world.spawn(watch, reads.values(), name="watch")


def seek_back(system: ActorSystem, world: World) -> None:
    """Have a consumer go back to the first message again and again, and expect that it skips none."""

    def produce() -> None:
        with system.producer("shop") as producer:
            for number in range(_MESSAGES):
                producer.send(_ORDERS, b"%d" % number).result()
                world.sleep(world.draw(60) * world.step_seconds)

    def consume() -> None:
        with system.consumer("billing") as consumer:
            consumer.subscribe([_ORDERS])
            due = 0
            while due < _MESSAGES:
                for message in consumer.poll(timeout=15 * world.step_seconds):
                    assert message.offset == due, f"offset {message.offset} came, and {due} was due"
                    due += 1
                if due and not world.draw(4):
                    consumer.seek(_ORDERS, 0, 0)
                    due = 0

    world.spawn(produce, name="shop")
    world.spawn(consume, name="billing")


def share_partitions(system: ActorSystem, world: World) -> None:
    """Have two members with short sessions share two partitions, until what was sent is committed.

    A member that is paused for longer than its session is expelled, and goes on as a zombie. The second one may hang.
    """
    history = world.history(read_to_end=["billing"])
    acknowledged: set[int] = world.remembered.setdefault("acknowledged", set())
    sends = world.remembered.setdefault("sends", itertools.count())
    lives = world.remembered.setdefault("lives", itertools.count(1))
    step = world.step_seconds
    create_topics(system, world, _ONE_TOPIC)

    def produce() -> None:
        while len(acknowledged) < _MESSAGES:
            with suppress(*_OWN_ERRORS), system.producer("shop") as producer:
                for number in sorted(set(range(_MESSAGES)) - acknowledged):
                    value = b"%d in send %d" % (number, next(sends))
                    history.client("shop").send_batch(producer, _ORDERS, [value], partition=number % 2).result()
                    acknowledged.add(number)
                    world.sleep(world.draw(100) * step)
            world.sleep(40 * step)

    def is_read(consumer: ConsumerHandle) -> bool:
        return len(acknowledged) == _MESSAGES and all(
            (consumer.committed(_ORDERS, each.id) or 0) >= each.high_watermark
            for each in system.describe_topic(_ORDERS).partitions
        )

    def consume(name: str) -> bool:
        recorder = history.client(name, "billing")
        if name.startswith("member-2"):
            world.may_hang(f"consumer/{name}")
        with system.consumer(
            name,
            "billing",
            assignors=["cooperative-sticky" if world.seed % 2 else "range"],
            session_timeout=_SESSION * step,
            heartbeat_interval=_SESSION / 4 * step,
            max_poll_interval=_SESSION * 4 * step,
        ) as consumer:
            consumer.subscribe([_ORDERS], listener=recorder)
            while not is_read(consumer):
                began = world.now()
                if messages := consumer.poll(2, timeout=50 * step):
                    recorder.polled(messages, began)
                    world.sleep(world.draw(50) * step)
                with suppress(*_OWN_ERRORS):
                    recorder.commit_async(consumer).result()
        return True

    def live(name: str) -> None:
        """Open another consumer after an error, until everything is read."""
        is_done = False
        while not is_done:
            with suppress(*_OWN_ERRORS):
                is_done = consume(f"{name}-life-{next(lives)}")
            world.sleep(40 * step)

    world.spawn(produce, name="shop")
    for name in ("member-1", "member-2"):
        world.spawn(live, name, name=name, may_hang=name == "member-2")
