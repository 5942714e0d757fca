"""The engine of an ActorSystem: starts the journal, log reader, snapshot writer and directory, and stops them in order.

Its methods run on the caller's thread, so they may wait: on promises, always with a timeout.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import pykka

from odradek_actors.base.actor import ActorContext
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.base.policy import Policy
from odradek_actors.client.own_aggregates import aggregates_of
from odradek_actors.client.replay_check import LiveState, ReplayCheck, compare, gather
from odradek_actors.consumer.actor import ConsumerActor
from odradek_actors.errors import ActorStopped, ForkedProcess, RequestTimedOut, SystemClosed
from odradek_actors.group.actor import GroupActor
from odradek_actors.infrastructure.directory import ActorClass, DirectoryActor
from odradek_actors.infrastructure.journal import JournalActor
from odradek_actors.infrastructure.log_reader import LogReaderActor
from odradek_actors.infrastructure.snapshot_writer import SnapshotWriterActor
from odradek_actors.messages.core import (
    Command,
    GetCopy,
    GetSnapshot,
    GetStatus,
    LookUp,
    Nobody,
    Query,
    Running,
    Snapshot,
    Status,
    Stop,
)
from odradek_actors.policy.actor import PolicyActor
from odradek_actors.producer.actor import ProducerActor
from odradek_actors.runtime.port import Runtime, checked_runtime
from odradek_actors.runtime.promise import Promise
from odradek_actors.runtime.threads import ThreadedRuntime
from odradek_actors.settings import Settings
from odradek_actors.topic.actor import TopicActor
from odradek_actors.validation import MAX_ID, text, time_limit
from odradek_domain.group.assignors.kafka import Assignor, assignors_by_name
from odradek_domain.policy.progress import PolicySnapshot
from odradek_domain.registry import Aggregates
from odradek_domain.replay.system_state import SystemState
from odradek_events.errors import LogUnavailable
from odradek_events.log.port import LogStore
from odradek_events.opening import open_log
from odradek_events.snapshots.sqlite import open_snapshots
from odradek_events.snapshots.store import SnapshotStore
from odradek_events.sqlite.log import Durability, SqliteLog
from odradek_events.validation import check_instance, items, shown

__all__ = ["RunningSystem"]


_OURS: dict[str, ActorClass] = {
    "topic": TopicActor,
    "producer": ProducerActor,
    "consumer": ConsumerActor,
    "group": GroupActor,
    "policy": PolicyActor,
}


class RunningSystem:
    """The base of `ActorSystem`: start, send, settle, compare and close."""

    def __init__(
        self,
        log: LogStore,
        *,
        settings: Settings | None = None,
        actors: Mapping[str, ActorClass] | None = None,
        runtime: Runtime | None = None,
        snapshots: SnapshotStore | None = None,
        assignors: Iterable[Assignor] = (),
        policies: Iterable[Policy] = (),
    ) -> None:
        if isinstance(log, SqliteLog) and log.read_only:
            raise LogUnavailable(log.name, "it was opened read-only, and a system writes; open it for writing")
        check_instance("log", log, LogStore, "the name of a log or a log that can be written")
        if actors is not None:
            check_instance("actors", actors, Mapping, "a dict of stream types to EventSourcedActor classes")
        if settings is not None:
            check_instance("settings", settings, Settings, "Settings or None")
        if snapshots is not None:
            check_instance("snapshots", snapshots, SnapshotStore, "a store of snapshots or None")
        for kind, actor_class in (actors or {}).items():
            if not kind or "/" in text("a stream type in actors", kind):
                raise ValueError(f"actors maps stream types to classes; {kind!r} must be a name without a slash")
            if not (isinstance(actor_class, type) and issubclass(actor_class, EventSourcedActor)):
                raise TypeError(
                    f"actors maps stream types to EventSourcedActor classes; {shown(kind)} has {shown(actor_class)}"
                )
            ours = _OURS.get(kind)
            if ours is not None and not issubclass(actor_class, ours):
                raise ValueError(
                    f"actors must not replace {ours.__name__} of the stream type {kind!r}; use another name"
                )
        self.log = log
        self.settings = settings or Settings()
        self.runtime: Runtime = ThreadedRuntime() if runtime is None else checked_runtime(runtime)
        self._own_actors = {kind: actor for kind, actor in (actors or {}).items() if kind not in _OURS}
        self._owns_runtime = runtime is None
        self.is_closed = False
        self._is_released = False
        self._owns_log = False
        self.snapshots = open_snapshots(log) if snapshots is None else snapshots
        self._owns_snapshots = snapshots is None
        self._refs: dict[str, pykka.ActorRef[Any]] = {}
        self._policies = _by_name(policies)
        context = self._context = ActorContext(
            self.runtime, self.settings, assignors_by_name(assignors), self._policies
        )
        classes = {**_OURS, **(actors or {})}
        self._journal = context.journal = self.runtime.start(JournalActor, context, log)
        self._log_reader = context.log_reader = self.runtime.start(LogReaderActor, context, log, self.snapshots)
        self._snapshot_writer = context.snapshots = self.runtime.start(
            SnapshotWriterActor, context, log, self.snapshots
        )
        self._directory = context.directory = self.runtime.start(DirectoryActor, context, classes)
        for name in self._policies:
            self.runtime.send(self._directory, Query(LookUp(f"policy/{name}"), Nobody()))

    @classmethod
    def open(
        cls,
        log: str | os.PathLike[str] | LogStore = ":memory:",
        *,
        durability: Durability = "full",
        actors: Mapping[str, ActorClass] | None = None,
        snapshots: SnapshotStore | None = None,
        assignors: Iterable[Assignor] = (),
        policies: Iterable[Policy] = (),
        runtime: Runtime | None = None,
        **settings: Any,
    ) -> Self:
        """Open a system on a log file (created if missing), on ":memory:", or on a log object that the caller owns.

        `durability` applies to a file that is opened here by name. It says what an acknowledged message survives:
        "full" (synced before the reply) a power failure, "normal" a crash of the process; with "off" acknowledged
        messages can be lost. `actors` maps the stream types of user-defined actors to their classes. `settings` are the
        fields of Settings, such as auto_create_topics, default_partitions, max_message_bytes, buffer_bytes,
        max_block_ms, delivery_timeout. `assignors` are user-defined partition assignors: see `odradek.Assignor`.
        `policies` react to events from now on, and first to those that they have not reacted to: see `odradek.Policy`.
        `snapshots` is a snapshot store that the caller owns; by default snapshots are stored in a file next to the log
        file, or in memory. `runtime` provides time, ids and message delivery, by default with threads and real time;
        the caller owns it and closes it after the system. Raises an OpenError if the log cannot be opened, LogLocked if
        another writer has it open. Opening reads only the log's head.
        """
        chosen = Settings(**settings)
        opened = open_log(log, durability=durability) if isinstance(log, str | os.PathLike) else log
        try:
            system = cls(
                opened,
                settings=chosen,
                actors=actors,
                runtime=runtime,
                snapshots=snapshots,
                assignors=assignors,
                policies=policies,
            )
        except BaseException:
            if opened is not log:
                opened.close()
            raise
        system._owns_log = opened is not log
        return system

    # -- state --------------------------------------------------------------------------------------------------------

    def settle(self, timeout: float | None = None) -> None:
        """Wait until no append is in progress and no message is in a mailbox.

        Waiting polls and timers do not count. Callers that keep sending keep the system from settling.
        Raises RequestTimedOut after `timeout` seconds (default: 30).
        """
        timeout = time_limit("timeout", timeout)
        self._require_open()
        deadline = self.runtime.monotonic() + timeout
        before: list[int] = []
        pause = 0.0
        while True:
            try:
                statuses = self._statuses(max(0.001, deadline - self.runtime.monotonic()))
            except ActorStopped:  # an actor stopped after it was listed: list and ask again
                statuses = []
            now = [status.handled for status in statuses]
            if now and now == before and not any(status.is_busy for status in statuses):
                return
            before = now
            if self.runtime.monotonic() >= deadline:
                raise RequestTimedOut(timeout)
            if pause:  # not at once: usually the second look finds the system settled
                self.runtime.sleep(pause)
            pause = min(pause * 2 + 0.0005, 0.05)

    @property
    def aggregates(self) -> Aggregates:
        """The user-defined aggregates of this system, for `SystemState.replay`.

        Those that its actors have as their `initial_state`, and those registered with `odradek.aggregate`.
        """
        return aggregates_of(self._own_actors, self._context)

    def policies(self) -> dict[str, PolicySnapshot]:
        """Return how far each policy has reacted, by name, and the event that it stopped at, if it did.

        A policy records its progress at most once in `progress_interval`, and when the system is closed.
        """
        promises = {name: self.query(f"policy/{name}", GetSnapshot()) for name in self._policies}
        return {name: promise.result().state for name, promise in promises.items()}

    def state(self) -> SystemState:
        """Return the state of the whole system: of running actors as it is, of all other streams folded from the log.

        Reads the whole log. Call `settle` first for a consistent view.
        """
        self._require_open()
        return gather(self.log, self._live_state().snapshots, self.aggregates)

    def check_replay(self) -> ReplayCheck:
        """Fold each live aggregate's stream to its live version and compare; see ReplayCheck. Reads the whole log."""
        self._require_open()
        return compare(self.log, self._live_state(), self.aggregates)

    def _live_state(self) -> LiveState:
        promises: dict[str, Promise[Any]] = {
            stream: self._ask(ref, GetSnapshot() if _is_ours(stream) else GetCopy()) for stream, ref in self._running()
        }
        snapshots: dict[str, Snapshot] = {}
        unread: dict[str, str] = {}
        for stream, promise in promises.items():
            error = promise.exception()
            if error is None:
                snapshots[stream] = promise.result()
            elif isinstance(error, ActorStopped):
                continue  # it has stopped since: its events are in the log
            elif _is_ours(stream):
                raise error
            else:  # the user's code may raise anything
                unread[stream] = f"its actor answered {error!r}"
        return LiveState(snapshots, unread)

    def _statuses(self, timeout: float) -> list[Status]:
        refs = [ref for _, ref in self._running()]
        refs += [
            self._log_reader,
            self._snapshot_writer,
            self._journal,
        ]  # without the directory: it has just answered, so its mailbox is empty
        promises = [self._ask(ref, GetStatus()) for ref in refs]
        return [promise.result(timeout) for promise in promises]

    # -- asking -------------------------------------------------------------------------------------------------------

    def command(self, stream: str, body: object, *, correlation_id: str = "", causation_id: str = "") -> Promise[Any]:
        """Send a command to a stream's actor; the promise gives the answer."""
        promise: Promise[Any] = self.runtime.promise()
        correlation_id = text("correlation_id", correlation_id, MAX_ID) or self.runtime.new_id()
        self.tell(stream, Command(body, promise, 0, correlation_id, text("causation_id", causation_id, MAX_ID)))
        return promise

    def execute(self, stream: str, body: object, timeout: float | None = None) -> Any:
        """Send a command to a stream's actor and wait for the answer, 30 s or `timeout` seconds."""
        limit = time_limit("timeout", timeout)
        self.runtime.refuse_to_wait()
        return self.command(stream, body).result(limit)

    def query(self, stream: str, body: object) -> Promise[Any]:
        """Send a query to a stream's actor; the promise gives the answer."""
        promise: Promise[Any] = self.runtime.promise()
        self.tell(stream, Query(body, promise))
        return promise

    def tell(self, stream: str, message: object) -> None:
        """Send a message to a stream's actor; start the actor if it is not running."""
        self._require_open()
        self.runtime.send(self._ref(stream), message)

    def forget(self, stream: str) -> None:
        """Drop the cached reference to a stream's actor, which may passivate and must not be kept in memory."""
        self._refs.pop(stream, None)

    def _ref(self, stream: str) -> pykka.ActorRef[Any]:
        check_instance("stream", stream, str, "a str")
        ref = self._refs.get(stream)
        if ref is None or not ref.is_alive():
            self._require_open()
            ref = self._refs[stream] = self._ask(self._directory, LookUp(stream)).prompt_result()
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
        """Stop a stream's actor at once, as a fault would, even in the middle of an append. For tests and simulations.

        Pending requests get ActorStopped, or OutcomeUnknown if their append was in progress. The next message to the
        stream starts a new actor, which recovers from the log.
        """
        self._require_open()
        self.runtime.stop(self._ref(text("stream", stream)))

    # -- closing ------------------------------------------------------------------------------------------------------

    def close(self, timeout: float | None = None) -> None:
        """Finish accepted requests or fail them with an error, stop all actors, and close the log if `open` opened it.

        A log passed to `open` as an object stays open. A second call does nothing, but waits while another thread is
        closing the system. Raises RequestTimedOut if an actor does not stop within `timeout` seconds (default: 30); the
        log is closed even then. In a child process forked after `open`, only this object is closed: the actors and the
        log belong to the parent.
        """
        limit = time_limit("timeout", timeout)
        if self._is_released:
            return
        self.runtime.refuse_to_wait()
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
        """Stop producers, consumers, policies, the others, at last the infrastructure; return whether all stopped."""
        is_orderly = self._stop_running(("producer",), deadline)
        is_orderly &= self._stop_running(("consumer",), deadline)
        is_orderly &= self._stop_running(("policy",), deadline)
        is_orderly &= self._stop_running((), deadline)
        self.runtime.send(self._directory, Stop())
        is_orderly &= self._stop_running((), deadline)  # actors started in the meantime
        is_orderly &= self._stop([self._directory, self._snapshot_writer], deadline)
        return self._stop([self._log_reader, self._journal], deadline) and is_orderly

    def _stop_running(self, kinds: tuple[str, ...], deadline: float) -> bool:
        try:
            running = self._running_until(deadline, kinds)
        except ActorStopped:  # the directory stops only after every actor that it started
            return True
        except RequestTimedOut:
            return False
        return self._stop([ref for _, ref in running], deadline)

    def _running_until(self, deadline: float, kinds: tuple[str, ...]) -> tuple[tuple[str, pykka.ActorRef[Any]], ...]:
        """Ask the directory for the running actors; once more if it fails, because the actors must be stopped."""
        try:
            return self._running(*kinds, timeout=max(0.0, deadline - self.runtime.monotonic()))
        except (ActorStopped, RequestTimedOut):
            raise
        except Exception:
            return self._running(*kinds, timeout=max(0.0, deadline - self.runtime.monotonic()))

    def _stop_at_once(self) -> None:
        """Stop the infrastructure without waiting for work in progress; the directory stops the actors it started."""
        for ref in (self._directory, self._snapshot_writer, self._log_reader, self._journal):
            self.runtime.stop(ref)

    def _release(self) -> None:
        """Close the log, snapshot store and runtime that this system owns, each even if another fails; idempotent."""
        with ExitStack() as stack:
            if self._owns_log:
                stack.callback(self.log.close)
            if self._owns_snapshots:
                stack.callback(self.snapshots.close)
            if self._owns_runtime:
                stack.callback(self.runtime.close)
        self._is_released = True

    def _stop(self, refs: list[pykka.ActorRef[Any]], deadline: float) -> bool:
        """Ask actors to stop; stop those that miss the deadline at once, which fails their pending requests."""
        for ref in refs:
            self.runtime.send(ref, Stop())
        wait = self.runtime.wait_until_stopped
        late = [ref for ref in refs if not wait(ref, max(0.0, deadline - self.runtime.monotonic()))]
        for ref in late:
            self.runtime.stop(ref)
        return not late

    def __repr__(self) -> str:
        return f"<ActorSystem on {self.log!r}{', closed' if self.is_closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _by_name(policies: Iterable[Policy]) -> dict[str, Policy]:
    found: dict[str, Policy] = {}
    for policy in items("policies", policies):
        check_instance("a policy", policy, Policy, "a Policy")
        if policy.name in found:
            raise ValueError(f"two policies have the name {policy.name!r}; the log knows a policy by its name")
        found[policy.name] = policy
    return found


def _is_ours(stream: str) -> bool:
    return stream.partition("/")[0] in _OURS
