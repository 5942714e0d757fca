"""Runs a workload: every producer, consumer and member of a group is a client of its own on the system's runtime.

Clients share no lock and wait only through the runtime, so a run works the same on any runtime. The caller of
`WorkloadRun.run` watches them: it collects what readers received, reports progress, and sets `must_stop`, a plain
attribute, on a reader that has everything, or on every client.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

import msgspec

from odradek_actors.client.system import ActorSystem
from odradek_actors.runtime.port import Runtime
from odradek_actors.runtime.promise import Promise
from odradek_events.log.port import LogStore
from odradek_events.sqlite.log import Durability
from odradek_simulation.checkers.history import History
from odradek_simulation.workload.consumer_run import ConsumerRun
from odradek_simulation.workload.group_run import GroupRun
from odradek_simulation.workload.mix import Workload, number_of
from odradek_simulation.workload.producer_run import ProducerRun
from odradek_simulation.workload.reader import Reader
from odradek_simulation.workload.report import RunTimes, WorkloadReport, make_report

__all__ = ["Progress", "WorkloadRun", "run_workload"]

_LOOK_SECONDS = 0.05
_STALL_SECONDS = 30.0


class Progress(msgspec.Struct, frozen=True):
    """How far a run is: messages acknowledged, messages received by all readers together, seconds since its begin."""

    produced: int
    consumed: int
    elapsed_seconds: float


def run_workload(
    workload: Workload | None = None,
    log: str | os.PathLike[str] | LogStore | ActorSystem = ":memory:",
    *,
    durability: Durability = "full",
    runtime: Runtime | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> WorkloadReport:
    """Run producers, consumers and groups side by side until every reader has every message; check what must hold.

    workload    how many of what; the default is `Workload()`, 200 000 messages
    log         a path (the log is created if need be), ":memory:", an open log, or an open ActorSystem. The last two
                stay open and yours. The topics topic-1, topic-2, ... must not exist
    durability  what a receipt survives, for a log given by its path: see `ActorSystem.open`
    runtime     what decides time and order, for anything but an ActorSystem, which has its own; stays yours
    progress    is called with a Progress about every 0.05 s, and once at the end, on the caller's thread. To end a run
                early, raise an exception from it

    The report says whether all invariants hold; nothing is raised where one does not. A reader that receives nothing
    for 30 s after the last send is given up, and the report says what it lacks.

    An interruption (Ctrl-C, or an exception from `progress`) stops every client after the batch in hand and is then
    raised; what is stored stays stored. Raises TopicAlreadyExists, an OpenError for a log that cannot be opened, and
    the first error that a client ended with, such as LogFull. Other clients of the same system must be idle at the end,
    else RequestTimedOut.

    Takes one thread for each client and each aggregate on the usual runtime, memory for one number
    a message and reader, and two passes over the whole log at the end.
    """
    if workload is not None and not isinstance(workload, Workload):
        raise TypeError(f"workload is a Workload, not {workload!r}; pass for example Workload(messages=1000)")
    chosen = workload or Workload()
    if isinstance(log, ActorSystem):
        if runtime is not None and runtime is not log.runtime:
            raise ValueError("an ActorSystem has a runtime of its own; pass a log to choose another one")
        return _run(log, chosen, progress)
    if not isinstance(log, str | os.PathLike | LogStore):
        raise TypeError(f"log is a path, an open log or an ActorSystem, not {log!r}")
    with ActorSystem.open(log, durability=durability, runtime=runtime) as system:
        return _run(system, chosen, progress)


def _run(system: ActorSystem, workload: Workload, progress: Callable[[Progress], object] | None) -> WorkloadReport:
    run = WorkloadRun(system, workload, progress or (lambda _: None))
    run.run()
    return run.report()


class WorkloadRun:
    """One run of a workload on a system."""

    def __init__(self, system: ActorSystem, workload: Workload, progress: Callable[[Progress], object]) -> None:
        self._system = system
        self._runtime = system.runtime
        self._workload = workload
        self._progress = progress
        self._history = history = History(system.runtime.monotonic, number_of=number_of)
        self._producers = [ProducerRun(system, workload, history, n + 1) for n in range(workload.producers)]
        self._groups = [GroupRun(system, workload, history, n + 1) for n in range(workload.groups)]
        self._consumers = [
            ConsumerRun(system, workload, history, n + 1) for n in range(workload.groups, workload.consumers)
        ]
        self._reading: list[GroupRun | ConsumerRun] = [*self._groups, *self._consumers]
        self._failure: BaseException | None = None
        self._position_before = system.log.head().position
        self._began = self._ended = self._runtime.monotonic()
        self._everything_sent = False
        self._received: dict[str, tuple[int, float]] = {}  # by reader: how much it had received, and since when

    def run(self) -> None:
        """Create the topics and run every client to its end; see `run_workload`."""
        for topic in self._workload.topic_names:
            self._system.create_topic(topic, self._workload.partitions)
        self._began = self._runtime.monotonic()
        producing: list[Promise[None]] = []
        consuming: list[Promise[None]] = []
        try:
            for producer in self._producers:
                producing.append(self._start(producer.run))
            for run in self._reading:
                consuming.extend(self._start(client) for client in run.clients)
            self._watch(producing)
            self._everything_sent = True
            self._watch(consuming)
        except BaseException:
            self._stop()
            self._wait(producing + consuming)
            with suppress(Exception):
                self._progress(self._collect())
            raise
        self._ended = self._runtime.monotonic()
        if self._failure is not None:
            raise self._failure
        self._progress(self._collect())

    def report(self) -> WorkloadReport:
        """Check what must hold and put everything together."""
        return make_report(
            self._system,
            self._workload,
            RunTimes(self._began, self._ended, self._position_before),
            self._history,
            [run.reader for run in self._consumers],
            [run.reader for run in self._groups],
        )

    def _start(self, client: Callable[[], None]) -> Promise[None]:
        """Start a client; the first error that one ends with stops all."""

        def run() -> None:
            try:
                client()
            except BaseException as error:
                self._failure = self._failure or error
                self._stop()

        return self._runtime.spawn(run)

    def _stop(self) -> None:
        for client in (*self._producers, *self._reading):
            client.must_stop = True

    def _wait(self, clients: Iterable[Promise[None]]) -> None:
        for client in clients:
            while not client.wait(_LOOK_SECONDS):
                pass

    def _watch(self, clients: Iterable[Promise[None]]) -> None:
        """Wait for clients, and look now and then how far all of them are."""
        for client in clients:
            while not client.wait(_LOOK_SECONDS):
                self._progress(self._collect())
                for run in self._reading:
                    if self._is_over(run.reader):
                        run.must_stop = True

    def _collect(self) -> Progress:
        for run in self._reading:
            run.reader.collect()
        received = sum(run.reader.received for run in self._reading)
        return Progress(self._acknowledged(), received, self._runtime.monotonic() - self._began)

    def _acknowledged(self) -> int:
        return sum(producer.acknowledged for producer in self._producers)

    def _is_over(self, reader: Reader) -> bool:
        """Say whether a reader has everything, or has received nothing for too long, which the verdict will show."""
        received, now = reader.received, self._runtime.monotonic()
        before, since = self._received.get(reader.name, (-1, now))
        if received != before or not self._everything_sent:
            since = now
        self._received[reader.name] = received, since
        return self._everything_sent and (received >= self._acknowledged() or now - since > _STALL_SECONDS)
