"""A log that fails on request, a runtime that knows its actors, and short ways to produce and consume."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import pykka

from odradek_actors.actor import Settings
from odradek_actors.consumer_handle import ConsumerHandle
from odradek_actors.consumer_protocol import ConsumerRecord, Delivery, OpenConsumer, Poll, Subscribe
from odradek_actors.directory import ActorClass
from odradek_actors.event_sourced import EventSourcedActor
from odradek_actors.protocol import Command, Receipt, Recipient, Recover
from odradek_actors.runtime import Promise, ThreadedRuntime
from odradek_actors.system import ActorSystem
from odradek_events import Append, Failed, LogStore, MemoryLog, Rejected
from odradek_events.errors import LogFull, LogUnavailable, OutcomeUnknown
from odradek_events.record import StoredCommit, Verdict, type_name

A = TypeVar("A", bound=pykka.Actor)

QUICK: dict[str, Any] = {"retry_backoff": 0.005, "delivery_timeout": 10.0, "progress_interval": 3600.0}
BRIEF = 0.05  # seconds for what is expected not to come


class Fault(msgspec.Struct):
    """What befalls the next appends to a stream (prefix) that hold an event of a type."""

    kind: str  # "rejected", "written", "unwritten"
    stream: str
    event: str
    times: int

    def strikes(self, request: Append) -> bool:
        """Say whether this request is meant."""
        return (
            self.times > 0
            and request.stream.startswith(self.stream)
            and (not self.event or any(type_name(event) == self.event for event in request.events))
        )


class Hold:
    """An append that waits before it is judged, until it is released."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.reached = threading.Event()
        self._released = threading.Event()

    def release(self) -> None:
        """Let it go on."""
        self._released.set()

    def wait(self) -> None:
        """Note that the append has come, and wait."""
        self.reached.set()
        assert self._released.wait(30), f"nobody released the append to {self.stream}"


class FaultyLog(MemoryLog):
    """A log in memory that rejects, loses answers, waits or is away, when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False  # neither appends nor reopens
        self.is_unreadable = False
        self.fired: list[str] = []
        self._faults: list[Fault] = []
        self._holds: list[Hold] = []
        self._must_reopen = False
        self._every = 0
        self._appends = 0
        self._last_lost: set[str] = set()

    def reject(self, stream: str = "", event: str = "", times: int = 1) -> None:
        """Reject the next appends that match: LogFull, nothing written."""
        self._faults.append(Fault("rejected", stream, event, times))

    def lose_answer(self, stream: str = "", event: str = "", times: int = 1, *, written: bool) -> None:
        """Fail the next appends that match, with their outcome unknown; `written` is the truth."""
        self._faults.append(Fault("written" if written else "unwritten", stream, event, times))

    def lose_every(self, count: int) -> None:
        """From now on lose one in `count` answers, by turns written and not, no stream's twice running."""
        self._every = count

    def hold(self, stream: str) -> Hold:
        """Keep the next append to a stream waiting."""
        hold = Hold(stream)
        self._holds.append(hold)
        return hold

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Append, or fail as told."""
        for hold in [hold for hold in self._holds if any(r.stream.startswith(hold.stream) for r in requests)]:
            self._holds.remove(hold)
            hold.wait()
        if self.is_away or self._must_reopen:
            raise LogUnavailable(self.name, "it is away" if self.is_away else "it was not reopened")
        regular = self._regular_fault({request.stream for request in requests})
        faults = [regular or self._fault_for(request) for request in requests]
        lost = next((fault for fault in faults if fault in ("written", "unwritten")), None)
        if lost is not None:
            self._must_reopen = True
            if lost == "written":
                super().append(requests, recorded_at)
            return [Failed(OutcomeUnknown(self.name, "the answer was lost"))] * len(requests)
        verdicts: list[Verdict] = []
        for request, fault in zip(requests, faults, strict=True):
            if fault is None:
                verdicts += super().append([request], recorded_at)
            else:
                verdicts.append(Rejected(LogFull(self.name, "no room")))
        return verdicts

    def stored(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        """Read, or refuse to."""
        if self.is_unreadable:
            raise LogUnavailable(self.name, "it cannot be read")
        yield from super().stored(after=after, until=until, stream=stream, tags=tags, types=types)

    def reopen(self) -> None:
        """Take appends again, unless away."""
        if self.is_away:
            raise LogUnavailable(self.name, "it is away")
        self._must_reopen = False

    def _regular_fault(self, streams: set[str]) -> str | None:
        self._appends += 1
        if not self._every or self._appends % self._every or streams & self._last_lost:
            self._last_lost -= streams
            return None
        self._last_lost |= streams
        self.fired.append("unwritten" if self.fired[-1:] == ["written"] else "written")
        return self.fired[-1]

    def _fault_for(self, request: Append) -> str | None:
        for fault in self._faults:
            if fault.strikes(request):
                fault.times -= 1
                self.fired.append(fault.kind)
                return fault.kind
        return None


class KitRuntime(ThreadedRuntime):
    """The threaded runtime, which remembers who was started; `recovering` sends Recover behind every command."""

    def __init__(self, *, recovering: bool = False) -> None:
        super().__init__()
        self.refs: list[pykka.ActorRef[Any]] = []
        self.actors: dict[str, pykka.ActorRef[Any]] = {}
        self._is_recovering = recovering

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start an actor and remember it, those of streams by stream."""
        ref = super().start(actor_class, *args)
        self.refs.append(ref)
        if issubclass(actor_class, EventSourcedActor):
            self.actors[args[1]] = ref
        return ref

    def send(self, recipient: Recipient, message: object) -> None:
        """Tell a recipient, and if it owns a stream, have it recover in place after each command."""
        super().send(recipient, message)
        is_actor = isinstance(recipient, pykka.ActorRef) and issubclass(recipient.actor_class, EventSourcedActor)
        if self._is_recovering and is_actor and type(message) is Command:
            super().send(recipient, Recover())

    def kill(self, stream: str) -> None:
        """Stop a stream's actor in the middle of whatever it does; returns when it is gone."""
        ref = self.actors[stream]
        ref.stop(block=True, timeout=10)

    def crash(self) -> None:
        """End everything at once, the journal first: what is not stored by now never is."""
        for ref in self.refs:
            ref.stop(block=True, timeout=10)
        self.close()


class World:
    """A log, and one system after another on it."""

    def __init__(self, log: LogStore, *, recovering: bool = False) -> None:
        self.log = log
        self.runtime = KitRuntime()
        self._is_recovering = recovering
        self._open: list[ActorSystem] = []

    def open(self, actors: dict[str, ActorClass] | None = None, **settings: Any) -> ActorSystem:
        """Open a system: a new run."""
        self.runtime = KitRuntime(recovering=self._is_recovering)
        chosen = Settings(**{**QUICK, **settings})
        system = ActorSystem(self.log, settings=chosen, actors=actors, runtime=self.runtime)
        self._open.append(system)
        return system

    def crash(self) -> None:
        """End the run that was opened last, without any order."""
        self._open.pop()
        self.runtime.crash()

    def close(self) -> None:
        """Close every system and the log."""
        for system in self._open:
            system.close()
        self.log.close()


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
    """Poll until `count` messages have come; fails when none come any more."""
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
    """Run jobs on threads of their own, all begun together, and raise what one of them raised."""
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
