"""A run of a world in progress: its phases, its clients, and what happens between two steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError, RequestTimedOut
from odradek_actors.infrastructure.journal import JournalActor
from odradek_actors.runtime.promise import Promise
from odradek_domain.errors import DomainError
from odradek_events.errors import LogError
from odradek_events.log.faulty import FaultyLog
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import LogStore
from odradek_events.snapshots.sqlite import open_snapshots
from odradek_simulation.checkers.history import Operation
from odradek_simulation.choices.strategies import Choose, fifo, random_walk
from odradek_simulation.choices.streams import Draws, Picks, Recipe, encoded
from odradek_simulation.choices.token import Token, code_of, name_of
from odradek_simulation.errors import StepLimitReached
from odradek_simulation.faults.injector import (
    SMALL_CONSTANTS,
    DrawnFaults,
    Injector,
    RecordedFaults,
    fault_names,
    small_constants,
)
from odradek_simulation.faults.site import Fault, Site
from odradek_simulation.faults.snapshots import FaultySnapshots
from odradek_simulation.runtime.guards import GuardedGrowth
from odradek_simulation.runtime.scheduler import NS
from odradek_simulation.runtime.seeded import SeededRuntime
from odradek_simulation.runtime.switchers import Switcher
from odradek_simulation.runtime.tasks import Client, Task
from odradek_simulation.runtime.trace import Observer, Trace
from odradek_simulation.world.checks import Checks, Eventual, Judge
from odradek_simulation.world.course import Course
from odradek_simulation.world.result import Failure, FailureKind, Result

__all__ = ["Run"]

T = TypeVar("T")

_CHAOS_STEPS = 2500
_END_SECONDS = 120.0  # virtual, for the clients to end once it is quiet
_CHECK_NS = NS // 10  # virtual, between two looks at a check that must become true
_OWN_ERRORS = (ActorError, DomainError, LogError)


class Run:
    """One run. `start` is called with the system, at the beginning and after each crash."""

    def __init__(
        self,
        recipe: Recipe,
        token: Token | None,
        checks: Checks,
        start: Callable[[ActorSystem], object],
        target: Callable[..., object],
        *,
        log: LogStore | None,
        trace: bool | Trace,
        switcher: Switcher,
        is_lenient: bool,
        system: dict[str, Any],
    ) -> None:
        self._recipe = recipe
        self._faults = fault_names(recipe.faults)
        self._start = start
        self._target = target
        self._options = system
        self._course = Course(token, is_lenient=is_lenient)
        self.runtime = SeededRuntime(
            recipe.seed,
            strategy=recipe.strategy,
            length=recipe.length,
            step_ms=recipe.step_us / 1000,
            trace=trace,
            switcher=switcher,
        )
        self._scheduler = self.runtime.scheduler
        self.runtime.starts_at_once = recipe.is_instant
        if recipe.picks is not None:
            self._scheduler.choose = Picks(recipe.picks, self._scheduler, is_lenient=is_lenient)
        self._store: LogStore = MemoryLog() if log is None else log
        self._growth = self._store.growth
        self._store.growth = GuardedGrowth(self._growth)
        self._faulty = FaultyLog(self._store)
        self._snapshots = FaultySnapshots(open_snapshots(self._store))
        self.site = Site(self.runtime, self._faulty, self._snapshots)
        self.site.crash = self._request_crash
        self._injector = self._make_injector()
        self._judge = Judge(checks, self._store, self.fail)
        self._checks = checks
        self.injected: list[Fault] = []
        self.is_quiet = False
        self._quiet_at = 0
        self._chaos_ends = recipe.quiet_at or _CHAOS_STEPS
        self._is_probing = False
        self.failure: Failure | None = None
        self._probes: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = []
        self._clients: dict[str, Client] = {}
        self._spawned: dict[str, None] = {}
        self._tolerated: list[tuple[str, BaseException]] = []
        self._crashes = 0
        self._lost: int | None = None  # commits, if a crash is due
        self._draws = Draws(recipe)
        self._is_watching = False
        self._looks_at_each_step = False
        self._is_over: Callable[[], bool] = lambda: True
        self._is_interrupted = False
        self._is_search = False
        self.system: ActorSystem

    def _make_injector(self) -> Injector:
        if self._recipe.struck is not None:
            return RecordedFaults(Fault(*fault) for fault in self._recipe.struck)
        return DrawnFaults(self._recipe.seed, self._faults)

    # -- for the world's clients --------------------------------------------------------------------------------------

    def spawn(
        self, client: Callable[..., T], args: tuple[Any, ...], name: str, *, may_hang: bool = False
    ) -> Promise[T]:
        """Start a client. One that the recipe leaves out ends at once."""
        promise: Promise[T] = self.runtime.promise()
        if name in self._recipe.without:
            promise.tell(None)
            return promise
        task = self.runtime.start_client(promise, name, client, args)
        self._clients[task.name] = task
        self._spawned[name] = None
        if may_hang:
            self.site.may_hang.add(task.name)
        promise.add_done_callback(partial(self._client_ended, task))
        return promise

    def when_quiet(self, client: Callable[..., Any], args: tuple[Any, ...], name: str) -> None:
        """Start a client once the others have ended."""
        self._probes.append((client, args, name))

    def reach(self, goal: str) -> None:
        """Note that a goal is reached."""
        self._judge.reached.add(goal)

    def draw(self, bound: int) -> int:
        """Return a number that the client that runs draws."""
        return self._draws.draw(self._scheduler.current.name, bound)

    def fail(self, kind: FailureKind, what: str, message: str, error: BaseException | None = None) -> None:
        """Note a failure; only the first one counts. The run ends after the step in hand."""
        if self.failure is None:
            steps = self._scheduler.steps
            self.failure = Failure(kind, what, message, steps, error)
            self._look_soon()
            if self.runtime.trace is not None:
                self.runtime.trace.happened(steps, self._scheduler.now, what, "check", kind, message)

    def _client_ended(self, task: Client, promise: Promise[Any]) -> None:
        self._clients.pop(task.name, None)
        self._look_soon()
        error = promise.exception()
        if error is None:
            return
        if self._is_explained(error) and not self._is_probing:
            self._tolerated.append((task.name, error))
        else:
            self.fail("client", task.name, f"{type(error).__name__}: {error}", error)

    def _is_explained(self, error: BaseException) -> bool:
        """Return whether a fault explains an error: it was injected, or is one of the system's own after a fault."""
        raised = self.site.raised
        return error in raised or error.__cause__ in raised or bool(self.injected and isinstance(error, _OWN_ERRORS))

    def observe(self, operation: Operation) -> None:
        """Judge what a client was just told."""
        self._judge.observe(operation)

    def search_with(self, choose: Choose, observer: Observer | None) -> None:
        """Have `choose` pick until the clients have ended, and tell `observer` of every step."""
        self._is_search = True
        self._scheduler.choose = choose
        self._scheduler.trace = observer

    # -- for the watching thread --------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Ask the run to end with KeyboardInterrupt after the step in hand."""
        self._is_interrupted = True
        self._look_soon()

    def place(self) -> tuple[int, str]:
        """Return how many steps were taken, and the task that runs."""
        return self._scheduler.steps, self._scheduler.current.name

    # -- phases -------------------------------------------------------------------------------------------------------

    def run(self) -> Result:
        """Run all phases."""
        self._scheduler.step_limit = self._recipe.step_limit
        self._scheduler.at_stop = self._look
        try:
            self._open()
            self._judge.begin(self.system.aggregates)
            self._chaos()
            self._quiet()
            self._end()
        except StepLimitReached as error:
            self.fail("step limit", "world", str(error), error)
        except _Over:
            pass
        finally:
            self._drop()
            self._store.growth = self._growth
        return self._result()

    def _open(self) -> None:
        """Open the system and start the client that calls `start`."""
        constants = small_constants(self._recipe.seed) if SMALL_CONSTANTS in self._faults else {}
        log = self._faulty if self._faults else self._store
        self.system = ActorSystem.open(
            log, runtime=self.runtime, snapshots=self._snapshots, **{**constants, **self._options}
        )
        self._scheduler.observed = self.site.actors(JournalActor)[0]
        self._scheduler.after_step = self._after_journal
        self._probes.clear()
        self.spawn(self._start, (self.system,), "start")

    def _chaos(self) -> None:
        """Let faults strike until the clients have ended or the faults are used up."""
        while self._clients and not self._is_calm() and not self._scheduler.is_idle:
            self._watch(lambda: not self._clients or self._is_calm())
            if self._lost is not None:
                self._crash(self._lost)

    def _is_calm(self) -> bool:
        if not self._faults:
            return False
        is_used_up = self._injector.next_step == math.inf and not self._recipe.quiet_at
        return is_used_up or self._scheduler.steps >= self._chaos_ends

    def _quiet(self) -> None:
        """Heal everything; then clients, probes and liveness checks must come to their end."""
        self.is_quiet = True
        self._quiet_at = self._scheduler.steps
        self._injector.next_step = math.inf
        self.site.heal()
        if self._recipe.picks is None and self._recipe.strategy.startswith("pct"):
            self._scheduler.choose = random_walk(f"{self._recipe.seed}/fair")  # PCT starves tasks by design
        began = self._scheduler.now
        self._await_clients()
        self._is_probing = True
        for client, args, name in self._probes:
            self.spawn(client, args, name)
        self._await_clients()
        self._is_probing = False
        for eventual in self._checks.eventually.values():
            self._expect(eventual, began + round(eventual.within * NS))

    def _unfinished(self) -> list[str]:
        return [name for name in self._clients if name not in self.site.hung]

    def _await_clients(self) -> None:
        deadline = self._scheduler.now + round(_END_SECONDS * NS)
        self._scheduler.at(round(_END_SECONDS * NS), self._look_soon)
        self._watch(lambda: not self._unfinished() or self._scheduler.now >= deadline)
        if names := ", ".join(self._unfinished()):
            self.fail(
                "stuck", names, f"{names} did not end within {_END_SECONDS:g} virtual seconds after the last fault"
            )
            raise _Over

    def _expect(self, eventual: Eventual, deadline: int) -> None:
        scheduler = self._scheduler
        while not self._judge.is_true(eventual):
            now = scheduler.now
            if now >= deadline:
                message = f"it did not become true within {eventual.within:g} virtual seconds after the last fault"
                self.fail("eventually", eventual.name, message)
                raise _Over
            scheduler.at(min(_CHECK_NS, deadline - now), self._look_soon)
            self._watch(partial(_is_later, scheduler, now))

    def _end(self) -> None:
        """Settle, compare live state with the log, and close."""
        if self._is_search:
            self._scheduler.choose = fifo
        for name in self.site.hung:
            task = self.site.task(name)
            if task is not None:
                self._scheduler.let_go(task)
        self._watch(lambda: not self._scheduler.has_ready, at_each_step=True)  # plain actors must handle the rest
        self._check_handlers()
        self._raise_failure()
        if self.system.is_closed:  # by a client
            self._judge.end(has_hung=bool(self.site.hung))
            return
        try:
            self.system.settle()
            check = self.system.check_replay()
            if not check.holds:
                what = ", ".join(check.mismatches)
                self.fail("replay", what, f"the live state of {what} differs from the state that the log gives")
            self.system.close()
        except RequestTimedOut as error:
            running = ", ".join(task.name for task in self.site.actors())
            self.fail("stuck", "close", f"the system does not come to rest; still running: {running}", error)
            return
        self._check_handlers()
        self._judge.end(has_hung=bool(self.site.hung))

    # -- crashes ------------------------------------------------------------------------------------------------------

    def _request_crash(self, lost: int) -> None:
        self._lost = lost

    def _crash(self, lost: int) -> None:
        """Drop everything but the store, and start again."""
        self._lost = None
        self._crashes += 1
        self._drop()
        has_lost_tail = False
        if lost and isinstance(self._store, MemoryLog):
            self._store.lose_tail(lost)
            has_lost_tail = True
        self._judge.crash(has_lost_tail=has_lost_tail)
        self._faulty.heal()
        self._faulty.reopen()
        self._open()

    def _drop(self) -> None:
        """End all clients and forget all actors, messages and timers."""
        scheduler = self._scheduler
        scheduler.current = scheduler.main
        scheduler.observed = None
        scheduler.drop_timers()
        mine = (scheduler.main, scheduler.timers)
        for task in [task for task in scheduler.tasks if task not in mine]:
            if isinstance(task, Client):
                scheduler.end_client(task)
        for task in [task for task in scheduler.tasks if task not in mine]:
            scheduler.retire(task)
        scheduler.drop_timers()
        scheduler.main.outbox.clear()
        self._clients.clear()
        self.site.hung.clear()

    # -- between two steps --------------------------------------------------------------------------------------------

    def _watch(self, is_over: Callable[[], bool], *, at_each_step: bool = False) -> None:
        """Let the world run until `is_over`, a crash is due, or nothing can happen; _Over if the run has failed."""
        self._is_over = is_over
        self._looks_at_each_step = at_each_step
        while not is_over() and self._lost is None and not self._scheduler.is_idle:
            self._is_watching = True
            self._look_soon()
            self._scheduler.wait_for_the_world()
            self._is_watching = False
            self._raise_failure()
        self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._scheduler.failure = self._scheduler.failure, None
        if failure is not None:
            raise failure
        if self._is_interrupted:
            raise KeyboardInterrupt
        if self.failure is not None:
            raise _Over

    def _look_soon(self) -> None:
        self._scheduler.next_stop = 0

    def _look(self) -> bool:
        """Between two steps: note a checkpoint, inject faults; return whether the main client must run."""
        scheduler = self._scheduler
        steps = scheduler.steps
        if steps >= self._course.next_step:
            self._course.note(steps, scheduler.digest)
        next_stop = min(self._course.next_step, self._recipe.step_limit)
        if not self._is_watching:
            scheduler.next_stop = next_stop
            return False
        if steps >= self._injector.next_step:
            self._inject(steps)
        self._check_handlers()
        if self.failure is not None or self._is_interrupted or self._lost is not None:
            return True
        chaos_ends = math.inf if self.is_quiet or not self._faults else self._chaos_ends
        scheduler.next_stop = int(min(self._injector.next_step, chaos_ends, next_stop))
        if self._looks_at_each_step:
            scheduler.next_stop = 0
        return self._is_over()

    def _inject(self, steps: int) -> None:
        fault = self._injector.strike(self.site)
        if fault is None:
            return
        self.injected.append(fault)
        if self.runtime.trace is not None:
            text = f"{fault.value:g}" if fault.value else ""
            self.runtime.trace.happened(steps, self._scheduler.now, fault.target, "fault", fault.kind, text)

    def _check_handlers(self) -> None:
        """Fail on exceptions of handlers that no fault explains."""
        errors, self.runtime.handler_errors = self.runtime.handler_errors, []
        for found in errors:
            if not self._is_explained(found.error):
                message = f"{type(found.error).__name__} at {found.message}: {found.error}"
                self.fail("handler", found.task, message, found.error)

    def _after_journal(self, _: Task) -> bool:
        """After a step of the journal: judge what it has committed."""
        self._judge.follow()
        return self.failure is not None and self._is_watching

    # -- the result ---------------------------------------------------------------------------------------------------

    def _result(self) -> Result:
        scheduler = self._scheduler
        checkpoints = self._course.end(scheduler.steps, scheduler.digest)
        token = Token(self._recipe, *code_of(self._target), scheduler.steps, checkpoints, name_of(self._target))
        reached = self._judge.reached | (self._noticed() & self._checks.goals.keys())
        return Result(
            token=str(token),
            recording=self._recording(),
            log=self._store,
            failure=self.failure,
            steps=scheduler.steps,
            seconds=self.runtime.monotonic(),
            digest=f"{scheduler.digest:012x}",
            faults=tuple(self.injected),
            clients=tuple(self._spawned),
            reached=tuple(sorted(reached)),
            missed=tuple(sorted(set(self._checks.goals) - reached)),
            crashes=self._crashes,
            choices=len(scheduler.picks),
            tolerated=tuple(self._tolerated),
            trace=self.runtime.trace,
        )

    def _recording(self) -> Recipe:
        """Return the recipe with everything that was drawn written down."""
        names = self._scheduler.names
        return msgspec.structs.replace(
            self._recipe,
            picks=encoded("" if number < 0 else names[number] for number in self._scheduler.picks),
            quiet_at=self._quiet_at or self._chaos_ends,
            struck=tuple((fault.step, fault.kind, fault.target, fault.value) for fault in self.injected),
            draws={client: tuple(numbers) for client, numbers in self._draws.drawn.items()},
        )

    def _noticed(self) -> set[str]:
        """Return the goals of `World.sometimes` that need no check and were reached."""
        return {*self.site.noticed, *self._snapshots.noticed, *(f"fault {fault.kind}" for fault in self.injected)}


class _Over(Exception):
    """Ends the phases of a run that has failed."""


def _is_later(scheduler: Any, moment: int) -> bool:
    return bool(scheduler.now > moment)
