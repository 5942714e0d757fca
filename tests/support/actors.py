"""A runtime that records its actors, and short functions to produce and consume."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import pykka

from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.base.policy import Policy
from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.infrastructure.directory import ActorClass
from odradek_actors.messages.consumers import ConsumerRecord, Delivery, OpenConsumer, Poll, Subscribe
from odradek_actors.messages.core import Command, Query, Recipient, Recover
from odradek_actors.messages.producers import Receipt
from odradek_actors.messages.topics import Fetch
from odradek_actors.runtime.promise import Promise
from odradek_actors.runtime.threads import ThreadedRuntime
from odradek_actors.settings import Settings
from odradek_domain.group.assignors.kafka import Assignor
from odradek_events import LogStore
from odradek_events.snapshots.store import SnapshotStore

A = TypeVar("A", bound=pykka.Actor)

QUICK: dict[str, Any] = {"retry_backoff": 0.005, "delivery_timeout": 10.0, "progress_interval": 3600.0}
BRIEF = 0.05  # seconds to wait for a message that should not arrive


class KitRuntime(ThreadedRuntime):
    """The threaded runtime, which records started actors; with `recovering` it sends Recover after every command."""

    def __init__(self, *, recovering: bool = False) -> None:
        super().__init__()
        self.refs: list[pykka.ActorRef[Any]] = []
        self.actors: dict[str, pykka.ActorRef[Any]] = {}
        self._is_recovering = recovering

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start an actor and record it, by stream if it owns one."""
        ref = super().start(actor_class, *args)
        self.refs.append(ref)
        if issubclass(actor_class, EventSourcedActor):
            self.actors[args[1]] = ref
        return ref

    def send(self, recipient: Recipient, message: object) -> None:
        """Send a message; if the recipient owns a stream, make it recover in place after each command."""
        super().send(recipient, message)
        if (
            self._is_recovering
            and type(message) is Command
            and isinstance(recipient, pykka.ActorRef)
            and issubclass(recipient.actor_class, EventSourcedActor)
        ):
            super().send(recipient, Recover())

    def kill(self, stream: str) -> None:
        """Stop a stream's actor at once, and wait until it has ended."""
        ref = self.actors[stream]
        ref.stop(block=True, timeout=10)

    def crash(self) -> None:
        """Stop all actors at once, the journal first: events that are not stored yet are lost."""
        for ref in self.refs:
            ref.stop(block=True, timeout=10)
        self.close()


class World:
    """A log, and the systems opened on it one after another."""

    def __init__(
        self,
        log: LogStore,
        *,
        recovering: bool = False,
        snapshots: SnapshotStore | None = None,
        snapshot_interval: int = 10_000,
    ) -> None:
        self.log = log
        self._usual = {**QUICK, "snapshot_interval": snapshot_interval}
        self.snapshots = snapshots
        self.runtime = KitRuntime()
        self._is_recovering = recovering
        self._open: list[ActorSystem] = []
        self._runtimes: list[KitRuntime] = []

    def open(
        self,
        actors: Mapping[str, ActorClass] | None = None,
        assignors: Iterable[Assignor] = (),
        policies: Iterable[Policy] = (),
        **settings: Any,
    ) -> ActorSystem:
        """Open a system: a new run."""
        self.runtime = KitRuntime(recovering=self._is_recovering)
        chosen = Settings(**{**self._usual, **settings})
        system = ActorSystem(
            self.log,
            settings=chosen,
            actors=actors,
            runtime=self.runtime,
            snapshots=self.snapshots,
            assignors=assignors,
            policies=policies,
        )
        self._open.append(system)
        self._runtimes.append(self.runtime)
        return system

    @property
    def systems(self) -> tuple[ActorSystem, ...]:
        """The systems that neither crashed nor were closed."""
        return tuple(system for system in self._open if not system.is_closed)

    def crash(self) -> None:
        """Crash the system that was opened last."""
        system = self._open.pop()
        self.runtime.crash()
        system.snapshots.close()

    def close(self) -> None:
        """Close every system and the log."""
        for system in self._open:
            system.close()
        for runtime in self._runtimes:
            runtime.close()
        self.log.close()


class Probe:
    """Takes the place of an actor: records the messages that it receives."""

    def __init__(self) -> None:
        self._told: queue.Queue[Any] = queue.Queue()

    def tell(self, message: Any) -> None:
        """Take a message."""
        self._told.put(message)

    def next(self) -> Any:
        """Return the next message."""
        return self._told.get(timeout=10)

    def next_fetch(self) -> tuple[Query, Fetch]:
        """Return the next message, which must be a Fetch."""
        query = self.next()
        assert isinstance(query, Query)
        assert isinstance(query.body, Fetch)
        return query, query.body


class RawConsumer:
    """A consumer driven by protocol messages, so that a poll can be left waiting without a thread."""

    def __init__(self, system: ActorSystem, consumer_id: str = "raw", topics: Iterable[str] = ()) -> None:
        self.system = system
        self.stream = f"consumer/{consumer_id}"
        self.handle = system.runtime.new_number()
        self.ask(OpenConsumer(self.handle, None, "earliest")).result()
        self.ask(Subscribe(self.handle, tuple(topics))).result()

    def ask(self, body: object) -> Promise[Any]:
        """Send a command."""
        return self.system.command(self.stream, body)

    def poll(self, received: int = 0, max_messages: int = 500, timeout: float = 20.0) -> Promise[Delivery]:
        """Begin a poll."""
        return self.ask(Poll(self.handle, received, max_messages, timeout))


def produce(system: ActorSystem, topic: str, *values: str, client_id: str = "p", **how: Any) -> list[Receipt]:
    """Send one batch and wait for its receipts."""
    return system.producer(client_id).send_batch(topic, list(values), **how).result()


def read_all(consumer: ConsumerHandle, count: int, max_messages: int = 500) -> list[ConsumerRecord]:
    """Poll until `count` messages have arrived; fail if no more arrive."""
    records: list[ConsumerRecord] = []
    while len(records) < count:
        polled = consumer.poll(max_messages, timeout=10.0)
        assert polled, f"only {len(records)} of {count} messages came"
        records += polled
    return records


def values(records: Iterable[ConsumerRecord]) -> list[str]:
    """Return the values as text."""
    return [(record.value or b"").decode() for record in records]


def stored_values(log: LogStore, topic: str) -> list[str]:
    """Return the values of all messages of a topic in the log, in log order."""
    return [
        (recorded.event.value or b"").decode()
        for recorded in log.read(types=("MessageProduced",), stream=f"topic/{topic}")
    ]


def event_types(log: LogStore, stream: str) -> list[str]:
    """Return the type of every event of a stream."""
    return [recorded.type for recorded in log.read(stream=stream)]


def in_threads(*jobs: Callable[[], object]) -> None:
    """Run each job in a thread, all started together, and raise the error of one that failed."""
    errors: list[BaseException] = []
    together = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        together.wait(10)
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread is still waiting"
    for error in errors:
        raise error
