"""World: runs clients and actors on a seeded runtime, injects faults, and checks what must hold.

A run has these phases. First clients and actors run, and faults strike. When the clients have ended or the faults are
used up, the quiet phase begins: everything that stood still goes on, and the clients must end. Then the clients of
`when_quiet` run, and the checks of `eventually` must become true. At the end the system is settled, its live state is
compared with its log, and it is closed.

Everything but waiting for the result runs on a thread of the world, on which guards watch for what a seed does not
determine. The caller's thread can therefore be interrupted, and notices a step that does not end.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec
import pykka

from odradek_actors.client.system import ActorSystem
from odradek_actors.runtime.promise import Promise
from odradek_actors.settings import Settings
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import LogStore
from odradek_events.validation import check_function, check_instance, check_int
from odradek_simulation.checkers.history import History
from odradek_simulation.choices.strategies import STRATEGIES, Choose, StrategyName, resolved
from odradek_simulation.choices.streams import Parameter, Recipe
from odradek_simulation.choices.token import Token
from odradek_simulation.faults.injector import fault_names, shortened
from odradek_simulation.faults.process import LOST_TAIL
from odradek_simulation.runtime.guards import guarded
from odradek_simulation.runtime.switchers import GreenletSwitcher, ThreadSwitcher
from odradek_simulation.runtime.tasks import Task
from odradek_simulation.runtime.trace import Observer, Trace
from odradek_simulation.world.checks import Check, Checks, Eventual, Judged
from odradek_simulation.world.result import Result
from odradek_simulation.world.run import Run
from odradek_simulation.world.watchdog import run_watched

__all__ = ["Start", "World"]

T = TypeVar("T")
A = TypeVar("A", bound=pykka.Actor)
Start = Callable[[ActorSystem, "World"], object]
"""Starts the clients of a world: at the beginning, and again after every crash, with the reopened system."""

_STEP_MS = (0.02, 0.1, 0.5)  # drawn for each run with faults
_STEP_LIMIT = 200_000
_SYSTEM_OPTIONS = ("actors", "assignors", "policies", *Settings.__struct_fields__)
_STALL_SECONDS = 60.0  # real


class World:
    """One simulated run.

    seed        determines everything below that is not given
    faults      "none", "all", names of faults joined by commas, or a list of them; see `FAULTS`. "lost-tail" loses
                acknowledged messages, so it must be named: "all,lost-tail"
    strategy    "fifo", "random", "pct1", "pct2", "pct3" or "pos"; "portfolio" takes one of them by the seed
    log         the store; a new MemoryLog by default. It stays open and yours
    step_ms     virtual milliseconds per step; drawn from the seed if there are faults, else 0.1
    step_limit  the run fails after so many steps
    length      an estimate of the number of choices, for PCT; `Result.choices` of an earlier run
    parameters  what `start` reads from `world.parameters`: numbers and texts by name. The token keeps them
    trace       records every step in `Result.trace`; it can be a Trace of your own, which is called before each step
    switcher    "threads" or "greenlets" carry the clients; both give the same run
    system      further arguments of `ActorSystem.open`: actors={"account": AccountActor}, policies=[...], settings

    A world runs once. `remembered` is a dictionary for its clients, whose contents survive crashes of the process: what
    the world outside remembers, such as which orders it has sent.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        faults: str | Iterable[str] = "none",
        strategy: StrategyName = "random",
        log: LogStore | None = None,
        step_ms: float | None = None,
        step_limit: int = _STEP_LIMIT,
        length: int = 1000,
        parameters: Mapping[str, Parameter] | None = None,
        trace: bool | Trace = False,
        switcher: Literal["threads", "greenlets"] = "threads",
        stall_seconds: float | None = _STALL_SECONDS,
        **system: Any,
    ) -> None:
        check_int("seed", seed)
        if strategy not in (*STRATEGIES, "portfolio"):
            raise ValueError(f"strategy must be portfolio or one of {', '.join(STRATEGIES)}, not {strategy!r}")
        names = fault_names(faults)
        self._recipe = Recipe(
            seed=seed,
            strategy=resolved(strategy, seed),
            length=length,
            faults=shortened(names),
            step_us=_step_us(seed, step_ms, names),
            step_limit=step_limit,
            parameters=tuple((parameters or {}).items()),
        )
        if log is not None:
            check_instance("log", log, LogStore, "an open log or None")
        for option in system:
            if option not in _SYSTEM_OPTIONS:
                raise TypeError(
                    f"World has no option {option!r}; besides its own it takes {', '.join(_SYSTEM_OPTIONS)}"
                )
        self._token: Token | None = None
        self._is_lenient = False
        self._log = log
        self._trace = trace
        self._switcher = switcher
        self._stall_seconds = stall_seconds
        self._system = system
        self._is_started = False
        self._checks = Checks()
        self._run: Run | None = None
        self.remembered: dict[str, Any] = {}

    @classmethod
    def of(cls, recipe: Recipe, **options: Any) -> World:
        """Return the world of a recipe, to be run leniently; `options` as for `replay`."""
        world = cls(recipe.seed, **options)
        world._recipe, world._is_lenient = recipe, True
        return world

    @classmethod
    def replay(cls, token: str, *, lenient: bool = False, **options: Any) -> World:
        """Return the world of a token, which repeats its run; `options` are log, trace, switcher and the system's.

        Strictly, a run that takes another course raises ReplayDiverged; leniently, it goes on as close to the recorded
        picks as it can. Raises InvalidToken.
        """
        parsed = Token.parse(token)
        world = cls(parsed.recipe.seed, **options)
        world._recipe, world._token, world._is_lenient = parsed.recipe, parsed, lenient
        return world

    def __repr__(self) -> str:
        recipe = self._recipe
        return f"<World seed={recipe.seed} strategy={recipe.strategy} faults={recipe.faults or 'none'}>"

    # -- checks -------------------------------------------------------------------------------------------------------

    def always(self, check: Check, name: str = "") -> None:
        """Call `check` with the SystemState after each commit; it fails by raising or by returning False.

        The state is the one that the log's events give. Do not keep it: it changes with the next commit.
        """
        check_function("check", check)
        self._checks.always[name or _name_of(check)] = check

    def eventually(self, check: Check, within: float = 60.0, name: str = "") -> None:
        """Expect `check` to return True, or anything but False and None, within virtual seconds of the quiet phase."""
        check_function("check", check)
        name = name or _name_of(check)
        self._checks.eventually[name] = Eventual(name, check, within)

    def at_end(self, check: Check, name: str = "") -> None:
        """Call `check` with the SystemState once the run is over and the system closed.

        It fails by raising, by returning False, or by returning a list of findings, as the checkers do.
        """
        check_function("check", check)
        self._checks.at_end[name or _name_of(check)] = check

    def history(self, *, read_to_end: Iterable[str] = (), exactly_once: Iterable[str] = ()) -> History:
        """Return the world's history, in which clients record what they do and what they are told.

        The run fails if it has a contradiction, a gap or a lost message: see `check_history`, which also explains the
        arguments. It knows of crashes; a client that starts again after one needs a new recorder.
        """
        judged = self._checks.history
        if judged is None:
            history = History(self.now, on_end=lambda operation: self._running.observe(operation))
            judged = self._checks.history = Judged(history)
        judged.read_to_end.update(read_to_end)
        judged.exactly_once.update(exactly_once)
        return judged.history

    def sometimes(self, name: str, check: Check | None = None) -> None:
        """Declare a goal: something interesting that a sweep should reach in some runs.

        `check` is called with the SystemState after each commit until it returns True; or call `reach(name)`. Some
        goals need neither: "fault NAME" for each kind of fault, "snapshot restored" and "duplicate refused".
        """
        self._checks.goals.setdefault(name, check)

    def reach(self, name: str) -> None:
        """Note that a goal is reached."""
        self._checks.goals.setdefault(name, None)
        self._running.reach(name)

    # -- for clients --------------------------------------------------------------------------------------------------

    def spawn(self, client: Callable[..., T], *args: Any, name: str = "", may_hang: bool = False) -> Promise[T]:
        """Run a straight-line function as a client, concurrently with all others; the promise gives what it returns.

        It uses the system's ordinary handles and waits as on threads. `may_hang` lets the fault "hang" strike it for
        good, because others take over its work. An exception that it raises fails the run, unless a fault has been
        injected and it is one of the system's own errors.
        """
        check_function("client", client)
        if inspect.iscoroutinefunction(client) or inspect.isgeneratorfunction(client):
            raise TypeError(
                f"a client is an ordinary function that waits as on threads; {_name_of(client)} is a coroutine or a "
                "generator function, whose code would not run"
            )
        return self._running.spawn(client, args, name or _name_of(client), may_hang=may_hang)

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start a plain Pykka actor, whose handlers may tell but not wait."""
        return self._running.runtime.start(actor_class, *args)

    def when_quiet(self, client: Callable[..., T], *args: Any, name: str = "") -> None:
        """Run a client once the faults have ended and all other clients have: a probe that must get through.

        No fault explains an error that it raises.
        """
        check_function("client", client)
        self._running.when_quiet(client, args, name or f"probe {_name_of(client)}")

    def may_hang(self, *tasks: str) -> None:
        """Let the fault "hang" strike these tasks for good, for example "consumer/c-1", since others take over."""
        self._running.site.may_hang.update(tasks)

    def sleep(self, seconds: float) -> None:
        """Suspend the client for virtual seconds."""
        self._running.runtime.sleep(seconds)

    def now(self) -> float:
        """Return virtual seconds since the beginning."""
        return self._running.runtime.monotonic()

    def draw(self, bound: int) -> int:
        """Return a random number from 0 to `bound` - 1 that depends on the seed and the calling client only."""
        return self._running.draw(bound)

    @property
    def seed(self) -> int:
        """The seed of the world."""
        return self._recipe.seed

    @property
    def strategy(self) -> StrategyName:
        """The strategy that picks the next task."""
        return self._recipe.strategy

    @property
    def step_seconds(self) -> float:
        """The virtual seconds that each step takes. Scale timeouts with it: a request takes tens of steps, or more."""
        return self._recipe.step_us / 1e6

    @property
    def faults(self) -> tuple[str, ...]:
        """The names of the faults that may strike."""
        return fault_names(self._recipe.faults)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters of the world, also in a replay."""
        return dict(self._recipe.parameters)

    @property
    def is_quiet(self) -> bool:
        """Whether the faults have ended."""
        return self._running.is_quiet

    @property
    def system(self) -> ActorSystem:
        """The system, as it was opened last."""
        return self._running.system

    @property
    def tasks(self) -> Sequence[Task]:
        """The tasks that take steps, for observers."""
        return self._running.runtime.scheduler.tasks

    @property
    def _running(self) -> Run:
        if self._run is None:
            raise RuntimeError("the world is not running; call this from `start` or from a client")
        return self._run

    # -- running ------------------------------------------------------------------------------------------------------

    def run(self, start: Start) -> Result:
        """Run the world to its end and return the result, also if something failed.

        `start(system, world)` spawns the clients, and may itself wait. It is called again after every crash. Ctrl-C
        ends the run. Raises ReplayDiverged, WorldStalled, and TypeError for a start that is not a function.
        """
        check_function("start", start)
        if self._is_started:
            raise RuntimeError("a world runs once; make a new World for another run")
        if LOST_TAIL in self.faults and not isinstance(self._log, MemoryLog | None):
            raise ValueError(f"the fault {LOST_TAIL} strikes only a MemoryLog, not {self._log!r}; leave out log")
        self._is_started = True
        return self._run_watched(lambda: self._make_run(start))

    def run_with(self, start: Start, choose: Choose, observer: Observer | None = None) -> Result:
        """Run with a strategy of your own, which picks until the clients have ended. Actors start at once.

        `observer` is told of every step. What `choose` raises ends the run and is raised.
        """

        def make() -> Run:
            run = self._make_run(start)
            run.search_with(choose, observer)
            return run

        self._is_started = True
        self._recipe = msgspec.structs.replace(self._recipe, is_instant=True)
        return self._run_watched(make)

    def _run_watched(self, make: Callable[[], Run]) -> Result:
        with guarded():
            return run_watched(make, self._stall_seconds)

    def _make_run(self, start: Start) -> Run:
        self._run = Run(
            self._recipe,
            self._token,
            self._checks,
            lambda system: start(system, self),
            start,
            log=self._log,
            trace=self._trace,
            switcher=GreenletSwitcher() if self._switcher == "greenlets" else ThreadSwitcher(),
            is_lenient=self._is_lenient,
            system=self._system,
        )
        return self._run


def _step_us(seed: int, step_ms: float | None, faults: tuple[str, ...]) -> int:
    if step_ms is None:
        step_ms = _STEP_MS[seed % len(_STEP_MS)] if faults else 0.1
    if not 0.001 <= step_ms <= 60_000:
        raise ValueError(f"step_ms must be from 0.001 to 60000 milliseconds, not {step_ms!r}")
    return round(step_ms * 1000)


def _name_of(function: Callable[..., Any]) -> str:
    named = getattr(function, "func", function)
    name = str(getattr(named, "__name__", type(named).__name__))
    return f"lambda in line {named.__code__.co_firstlineno}" if name == "<lambda>" else name
