"""A system at work: journal, log reader, directory and actors put together, asked, settled, and stopped in order.

Only here, outside the actors, does anybody wait: on promises, with a time-out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

import msgspec
import pykka

from odradek_actors.base.actor import ActorContext
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.client.replay_check import ReplayCheck, compare, gather
from odradek_actors.consumer.actor import ConsumerActor
from odradek_actors.errors import ActorStopped, ForkedProcess, RequestTimedOut, SystemClosed
from odradek_actors.group.actor import GroupActor
from odradek_actors.infrastructure.directory import ActorClass, DirectoryActor
from odradek_actors.infrastructure.journal import JournalActor
from odradek_actors.infrastructure.log_reader import LogReaderActor
from odradek_actors.infrastructure.snapshot_writer import SnapshotWriterActor
from odradek_actors.messages.core import Command, GetSnapshot, GetStatus, LookUp, Query, Running, Snapshot, Status, Stop
from odradek_actors.producer.actor import ProducerActor
from odradek_actors.runtime.port import Runtime, checked_runtime
from odradek_actors.runtime.promise import Promise
from odradek_actors.runtime.threads import ThreadedRuntime
from odradek_actors.settings import Settings
from odradek_actors.topic.actor import TopicActor
from odradek_actors.validation import text, time_limit
from odradek_domain.group.assignors.kafka import Assignor, assignors_by_name
from odradek_domain.replay.system_state import AggregateSnapshot, SystemState
from odradek_events.errors import LogUnavailable
from odradek_events.log.port import LogStore
from odradek_events.opening import open_log
from odradek_events.snapshots.sqlite import open_snapshots
from odradek_events.snapshots.store import SnapshotStore
from odradek_events.sqlite.log import Durability, SqliteLog

__all__ = ["RunningSystem"]


class RunningSystem:
    """What `ActorSystem` builds on; see there."""

    def __init__(
        self,
        log: LogStore,
        *,
        settings: Settings | None = None,
        actors: Mapping[str, ActorClass] | None = None,
        runtime: Runtime | None = None,
        snapshots: SnapshotStore | None = None,
        assignors: Iterable[Assignor] = (),
    ) -> None:
        if isinstance(log, SqliteLog) and log.read_only:
            raise LogUnavailable(log.name, "it was opened read-only, and a system writes; open it for writing")
        for kind, actor_class in (actors or {}).items():
            if not (isinstance(actor_class, type) and issubclass(actor_class, EventSourcedActor)):
                raise TypeError(f"actors maps stream types to EventSourcedActor classes; {kind!r} has {actor_class!r}")
        self.log = log
        self.settings = settings or Settings()
        self.runtime: Runtime = ThreadedRuntime() if runtime is None else checked_runtime(runtime)
        self._owns_runtime = runtime is None
        self.is_closed = False
        self._is_released = False
        self._owns_log = False
        self.snapshots = open_snapshots(log) if snapshots is None else snapshots
        self._owns_snapshots = snapshots is None
        self._refs: dict[str, pykka.ActorRef[Any]] = {}
        context = self._context = ActorContext(self.runtime, self.settings, assignors_by_name(assignors))
        classes: dict[str, ActorClass] = {
            "topic": TopicActor,
            "producer": ProducerActor,
            "consumer": ConsumerActor,
            "group": GroupActor,
            **(actors or {}),
        }
        self._journal = context.journal = self.runtime.start(JournalActor, context, log)
        self._log_reader = context.log_reader = self.runtime.start(LogReaderActor, context, log, self.snapshots)
        self._snapshot_writer = context.snapshots = self.runtime.start(
            SnapshotWriterActor, context, log, self.snapshots
        )
        self._directory = context.directory = self.runtime.start(DirectoryActor, context, classes)

    @classmethod
    def open(
        cls,
        log: str | os.PathLike[str] | LogStore = ":memory:",
        *,
        durability: Durability = "full",
        actors: Mapping[str, ActorClass] | None = None,
        snapshots: SnapshotStore | None = None,
        assignors: Iterable[Assignor] = (),
        runtime: Runtime | None = None,
        **settings: Any,
    ) -> Self:
        """Open a system on a log file (created if need be), on ":memory:", or on a log that stays yours.

        `durability` says what a receipt survives: "full" (synced before the reply) the death of the machine, "normal"
        that of the process, "off" may lose acknowledged messages. It counts for a file opened here by name. `actors`
        maps stream types of your own to actor classes. `settings` are the fields of Settings, such as
        auto_create_topics, default_partitions, max_message_bytes, buffer_bytes, max_block_ms, delivery_timeout.
        `assignors` are ways of your own to share a group's partitions out: see `odradek.Assignor`.
        `snapshots` is a store that stays yours; else they are kept beside a log file, or in memory. `runtime` is what
        decides time, ids and the order of messages, by default threads and real time; it stays yours, so close it after
        the system. Raises an OpenError for a log that cannot be opened, LogLocked if it has a writer. Reads the log's
        head and no more.
        """
        chosen = Settings(**settings)
        opened = open_log(log, durability=durability) if isinstance(log, str | os.PathLike) else log
        try:
            system = cls(
                opened, settings=chosen, actors=actors, runtime=runtime, snapshots=snapshots, assignors=assignors
            )
        except BaseException:
            if opened is not log:
                opened.close()
            raise
        system._owns_log = opened is not log
        return system

    # -- state --------------------------------------------------------------------------------------------------------

    def settle(self, timeout: float | None = None) -> None:
        """Wait until nothing is under way: no append, no message in a mailbox.

        RequestTimedOut after `timeout` seconds (default: 30).
        Polls that wait and timers do not count; somebody outside who keeps sending keeps the system unsettled.
        """
        timeout = time_limit("timeout", timeout)
        self._require_open()
        deadline = self.runtime.monotonic() + timeout
        before: list[int] = []
        while True:
            try:
                statuses = self._statuses(max(0.001, deadline - self.runtime.monotonic()))
            except ActorStopped:  # one died while we asked: ask again
                statuses = []
            now = [status.handled for status in statuses]
            if now and now == before and not any(status.is_busy for status in statuses):
                return
            before = now
            if self.runtime.monotonic() >= deadline:
                raise RequestTimedOut(timeout)

    def state(self) -> SystemState:
        """Return the state of the whole system: live aggregates as they are, those at rest folded from the log.

        Reads the whole log. A moment that holds together needs `settle` first.
        """
        self._require_open()
        return gather(self.log, self._snapshots())

    def check_replay(self) -> ReplayCheck:
        """Fold each live aggregate's stream to its live version and compare; see ReplayCheck. Reads the whole log."""
        self._require_open()
        return compare(self.log, self._snapshots())

    def _snapshots(self) -> dict[str, Snapshot]:
        running = self._running()
        promises = [self._ask(ref, GetSnapshot()) for _, ref in running]
        snapshots: dict[str, Snapshot] = {}
        for promise in promises:
            with suppress(ActorStopped):  # at rest by now: what it did is in the log
                snapshot: Snapshot = promise.result()
                is_ours = isinstance(snapshot.state, AggregateSnapshot)
                snapshots[snapshot.stream] = snapshot if is_ours else msgspec.structs.replace(snapshot, state=None)
        return snapshots

    def _statuses(self, timeout: float) -> list[Status]:
        refs = [ref for _, ref in self._running()]
        refs += [
            self._log_reader,
            self._snapshot_writer,
            self._journal,
        ]  # the directory has just answered, so nothing waits there
        promises = [self._ask(ref, GetStatus()) for ref in refs]
        return [promise.result(timeout) for promise in promises]

    # -- asking -------------------------------------------------------------------------------------------------------

    def command(self, stream: str, body: object, *, correlation_id: str = "", causation_id: str = "") -> Promise[Any]:
        """Send a command to a stream's actor; the promise gives the answer."""
        promise: Promise[Any] = self.runtime.promise()
        correlation_id = text("correlation_id", correlation_id) or self.runtime.new_id()
        self.tell(stream, Command(body, promise, 0, correlation_id, text("causation_id", causation_id)))
        return promise

    def query(self, stream: str, body: object) -> Promise[Any]:
        """Ask a stream's actor something; the promise gives the answer."""
        promise: Promise[Any] = self.runtime.promise()
        self.tell(stream, Query(body, promise))
        return promise

    def tell(self, stream: str, message: object) -> None:
        """Send a message to a stream's actor, which is started if need be."""
        self._require_open()
        self.runtime.send(self._ref(stream), message)

    def forget(self, stream: str) -> None:
        """Look a stream's actor up again before the next message to it: it may end, and would be kept in memory."""
        self._refs.pop(stream, None)

    def _ref(self, stream: str) -> pykka.ActorRef[Any]:
        ref = self._refs.get(stream)
        if ref is None or not ref.is_alive():
            self._require_open()
            ref = self._refs[stream] = self._ask(self._directory, LookUp(stream)).result()
        return ref

    def _running(self, *kinds: str, timeout: float | None = None) -> tuple[tuple[str, pykka.ActorRef[Any]], ...]:
        running: Promise[tuple[tuple[str, pykka.ActorRef[Any]], ...]] = self._ask(self._directory, Running(kinds))
        return running.result(timeout)

    def _ask(self, recipient: pykka.ActorRef[Any], body: object) -> Promise[Any]:
        promise: Promise[Any] = self.runtime.promise()
        self.runtime.send(recipient, Query(body, promise))
        return promise

    def _require_open(self) -> None:
        if self.is_closed:
            raise SystemClosed()

    def kill(self, stream: str) -> None:
        """End a stream's actor at once, in the middle of whatever it does, as a fault would: for tests and simulations.

        Who waits for it is told. The next message to the stream starts another actor, which recovers from the log.
        """
        self._require_open()
        self._ref(text("stream", stream)).stop(block=False)

    # -- closing ------------------------------------------------------------------------------------------------------

    def close(self, timeout: float | None = None) -> None:
        """Stop in order: what was accepted is finished or answered with an error; then the log is closed if it is ours.

        A log passed to `open` as an object stays open. Closing again does nothing, and while another thread closes the
        system, it waits too. RequestTimedOut if an actor does not stop in `timeout` seconds (default: 30); the log
        is closed all the same. In a child process forked from the one that opened the system, nothing but this object
        is closed.
        """
        limit = time_limit("timeout", timeout)
        if self._is_released:
            return
        self.is_closed = True
        try:
            is_orderly = self._stop_all(self.runtime.monotonic() + limit)
        except ForkedProcess:  # the threads, the log and its lock are the parent's
            return
        except BaseException:
            self._stop_at_once()
            self._release()
            raise
        if not is_orderly:
            self._stop_at_once()
        self._release()
        if not is_orderly:
            raise RequestTimedOut(limit)

    def _stop_all(self, deadline: float) -> bool:
        """Stop producers, consumers, all others, and at last the actors they rely on; return whether all stopped."""
        is_orderly = self._stop_running(("producer",), deadline)
        is_orderly &= self._stop_running(("consumer",), deadline)
        is_orderly &= self._stop_running((), deadline)
        self.runtime.send(self._directory, Stop())
        is_orderly &= self._stop_running((), deadline)  # whatever was started meanwhile
        is_orderly &= self._stop([self._directory, self._snapshot_writer], deadline)
        return self._stop([self._log_reader, self._journal], deadline) and is_orderly

    def _stop_running(self, kinds: tuple[str, ...], deadline: float) -> bool:
        try:
            running = self._running(*kinds, timeout=max(0.0, deadline - self.runtime.monotonic()))
        except ActorStopped:  # the directory has stopped, after everything that it had started
            return True
        except RequestTimedOut:
            return False
        return self._stop([ref for _, ref in running], deadline)

    def _stop_at_once(self) -> None:
        """Stop everything in the middle of its work, without waiting; the directory stops what it has started."""
        for ref in (self._directory, self._snapshot_writer, self._log_reader, self._journal):
            ref.stop(block=False)

    def _release(self) -> None:
        """Close what is ours, each also if another cannot be closed. Doing so again changes nothing."""
        with ExitStack() as stack:
            if self._owns_log:
                stack.callback(self.log.close)
            if self._owns_snapshots:
                stack.callback(self.snapshots.close)
            if self._owns_runtime:
                stack.callback(self.runtime.close)
        self._is_released = True

    def _stop(self, refs: list[pykka.ActorRef[Any]], deadline: float) -> bool:
        """Stop actors in order; those that take too long are stopped as they are, and answer what they hold."""
        for ref in refs:
            self.runtime.send(ref, Stop())
        wait = self.runtime.wait_until_stopped
        late = [ref for ref in refs if not wait(ref, max(0.0, deadline - self.runtime.monotonic()))]
        for ref in late:
            ref.stop(block=False)
        return not late

    def __repr__(self) -> str:
        return f"<ActorSystem on {self.log!r}{', closed' if self.is_closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
