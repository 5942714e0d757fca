"""SeededRuntime: all ports of `odradek_actors.runtime.port` on one thread, in virtual time, from one seed.

The product's actors and handles run on it unchanged, and so do plain Pykka actors whose handlers only tell. Binding an
actor class puts `_SeededActor` between OdradekActor and Pykka's ThreadingActor; it replaces Pykka's uuid4, its
threading.Event and its registry, which would differ from run to run.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import pykka
from pykka import messages as pykka_messages

from odradek_actors.base.actor import OdradekActor
from odradek_actors.errors import RequestTimedOut, WaitOnActorThread
from odradek_actors.messages.core import Recipient
from odradek_actors.runtime.budget import Budget
from odradek_actors.runtime.dead_letters import DeadLetter, DeadLetters
from odradek_actors.runtime.forwarding import Forwarding
from odradek_actors.runtime.promise import Promise
from odradek_simulation.choices.strategies import Choose, StrategyName, resolved
from odradek_simulation.choices.strategies import strategy as strategy_of
from odradek_simulation.errors import ForbiddenInWorld
from odradek_simulation.runtime.scheduler import NS, Scheduler
from odradek_simulation.runtime.switchers import Switcher, ThreadSwitcher
from odradek_simulation.runtime.tasks import ActorTask, Client, Mailbox
from odradek_simulation.runtime.trace import Trace, described

__all__ = ["HandlerError", "SeededRuntime"]

A = TypeVar("A", bound=pykka.Actor)
T = TypeVar("T")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_LONGEST_WAIT = 1e9  # seconds


class HandlerError(msgspec.Struct, frozen=True):
    """An exception that a handler raised: the step, the actor's task, the type of its message, and the exception."""

    step: int
    task: str
    message: str
    error: BaseException


class SeededRuntime:
    """A runtime for `ActorSystem.open(runtime=...)` whose runs depend on nothing but their seed.

    seed        any int
    strategy    which ready task goes next: see `choices.strategies`
    length      an estimate of the number of choices, for PCT
    step_ms     virtual milliseconds that one step takes
    trace       records every step, and slows the run to about half
    switcher    what carries clients; threads by default
    choose      replaces the strategy

    It belongs to the thread that uses it first. The main program waits as it does on threads, and its waits drive the
    world: nothing happens while it computes.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        strategy: StrategyName = "random",
        length: int = 1000,
        step_ms: float = 0.1,
        trace: bool | Trace = False,
        switcher: Switcher | None = None,
        choose: Choose | None = None,
    ) -> None:
        self.seed = seed
        self.trace = Trace() if trace is True else trace or None
        self.scheduler = Scheduler(
            choose or strategy_of(resolved(strategy, seed), f"{seed}/picks", length),
            switcher or ThreadSwitcher(),
            max(1, round(step_ms * 1e6)),
            self._undeliverable,
            self.trace,
        )
        self.handler_errors: list[HandlerError] = []
        self.starts_at_once = False
        """Whether `on_start` runs when an actor is started, and not in a step of its own."""
        self._dice = random.Random(f"{seed}/ids").random
        self._ids = 0
        self._numbers = 0
        self._dead_letters = DeadLetters()
        self.delays: Callable[[float], Sequence[float]] | None = None
        """Set by a fault: when a timer fires instead, and how often."""

    def __repr__(self) -> str:
        return f"<SeededRuntime seed={self.seed} steps={self.scheduler.steps} now={self.monotonic():.3f} s>"

    # -- clock --------------------------------------------------------------------------------------------------------

    clock_offset = timedelta()
    """How far the wall clock is off; a fault moves it."""

    def now(self) -> datetime:
        """Return the virtual wall-clock time: 2000-01-01 UTC at the beginning."""
        return _EPOCH + timedelta(microseconds=self.scheduler.now // 1000) + self.clock_offset

    def monotonic(self) -> float:
        """Return virtual seconds since the beginning."""
        return self.scheduler.now / NS

    def sleep(self, seconds: float) -> None:
        """Suspend the client for virtual seconds."""
        self.scheduler.wait(None, _ns(seconds))

    # -- ids ----------------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return a UUID (version 8) that only the runs of this seed have."""
        self._ids = number = self._ids + 1
        return f"{self.seed & 0xFFFFFFFF:08x}-0000-8000-8000-{number:012x}"

    def new_ids(self, count: int) -> list[str]:
        """Return `count` UUIDs."""
        return [self.new_id() for _ in range(count)]

    def new_number(self) -> int:
        """Return a number not returned before."""
        self._numbers = number = self._numbers + 1
        return number

    def random(self) -> float:
        """Return a random number in [0, 1) that the seed determines."""
        return self._dice()

    # -- mail ---------------------------------------------------------------------------------------------------------

    def send(self, recipient: Recipient, message: object) -> None:
        """Put a message into the outbox of the task that runs."""
        self.scheduler.current.outbox.append((recipient, message))

    def later(self, delay: float, recipient: Recipient, message: object) -> None:
        """Deliver a message after virtual seconds."""
        for actual in (delay,) if self.delays is None else self.delays(delay):
            self.scheduler.send_later(_ns(actual), recipient, message)

    def bury(self, recipient: str, message: object) -> None:
        """Record a message that no actor will handle, and answer its sender if it waits for an answer."""
        answer = self._dead_letters.take(recipient, message)
        if answer is not None:
            self.send(*answer)

    def drain(self, ref: pykka.ActorRef[Any]) -> None:
        """Bury or forward what is left in the inbox of an actor that has stopped."""
        task = _task_of(ref)
        while task.inbox:
            self._undeliverable(task, task.inbox.popleft()[0])

    def forward(self, ref: pykka.ActorRef[Any], forwarding: Forwarding) -> None:
        """Send requests that reach this actor after it has stopped on to its successor."""
        _task_of(ref).forwarding = forwarding

    def _undeliverable(self, task: ActorTask, message: Any) -> None:
        if type(message) is _Envelope:
            if message.reply_to is not None:
                message.reply_to.set(None)
            return
        if task.forwarding is None:
            self.bury(task.name, message)
        elif (route := task.forwarding.route(message)) is not None:
            self.send(*route)

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The first 1000 dead letters."""
        return self._dead_letters.letters

    @property
    def dead_letter_count(self) -> int:
        """The number of dead letters, those no longer remembered included."""
        return self._dead_letters.count

    # -- promises -----------------------------------------------------------------------------------------------------

    def promise(self, convert: Callable[[Any], T] | None = None) -> Promise[T]:
        """Return a promise; `convert` maps the answer to its value."""
        return _SeededPromise(self, convert)

    def wait_for_all(self, promises: Iterable[Promise[Any]], timeout: float | None = None) -> None:
        """Wait until every promise is settled; RequestTimedOut after `timeout` virtual seconds (default: 30)."""
        seconds = Promise.default_timeout if timeout is None else timeout
        deadline = self.monotonic() + seconds
        for promise in promises:
            if not promise.wait(deadline - self.monotonic()):
                raise RequestTimedOut(seconds)

    def refuse_to_wait(self) -> None:
        """Raise WaitOnActorThread in an actor's step."""
        if not self.scheduler.current.is_client:
            raise WaitOnActorThread()

    def budget(self, limit: int) -> Budget:
        """Return a budget of `limit` bytes."""
        return Budget(limit, self.promise, self.monotonic)

    # -- host ---------------------------------------------------------------------------------------------------------

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start an actor; `on_start` is its first step."""
        task = self.scheduler.new_actor(_name_of(actor_class, args), self._put)
        _starting.place = (self, task)
        actor: Any = _bound(actor_class)(*args)
        task.actor = actor
        task.receive = actor._begin
        if self.starts_at_once:
            self.scheduler.run_at_once(task, _START)
        else:
            self.scheduler.enqueue(task, _START)
        ref: pykka.ActorRef[A] = actor.actor_ref
        return ref

    def spawn(self, client: Callable[..., T], *args: Any) -> Promise[T]:
        """Run client code concurrently with the caller; the promise gives what it returns or raises."""
        promise: Promise[T] = self.promise()
        self.start_client(promise, getattr(client, "__name__", "client"), client, args)
        return promise

    def start_client(self, promise: Promise[T], name: str, client: Callable[..., T], args: tuple[Any, ...]) -> Client:
        """Run client code as a task of this name, and settle `promise` with what it returns or raises."""

        def run() -> None:
            try:
                outcome: Any = client(*args)
            except BaseException as error:
                outcome = error
            self.send(promise, outcome)

        return self.scheduler.new_client(name, run)

    def stop(self, ref: pykka.ActorRef[Any]) -> None:
        """Stop an actor after the messages already in its inbox."""
        ref.stop(block=False)

    def wait_until_stopped(self, ref: pykka.ActorRef[Any], timeout: float) -> bool:
        """Wait up to `timeout` virtual seconds until an actor has stopped; return whether it has."""
        return ref.actor_stopped.wait(timeout)

    def close(self) -> None:
        """Drop pending timers."""
        self.scheduler.drop_timers()

    def _put(self, mailbox: Mailbox, envelope: Any) -> None:
        """Send what Pykka's `ActorRef.tell` puts into an inbox."""
        if type(envelope.reply_to) is _PykkaFuture:
            envelope.reply_to.promise = self.promise()
        plain = envelope.reply_to is None and type(envelope.message) is not pykka_messages._ActorStop
        self.scheduler.current.outbox.append((mailbox, envelope.message if plain else envelope))


class _SeededPromise(Promise[T]):
    """A promise for which a client waits by driving the world; `owner` is the task that made it."""

    def __init__(self, runtime: SeededRuntime, convert: Callable[[Any], T] | None = None) -> None:
        super().__init__(convert)
        self._runtime = runtime
        self.owner = runtime.scheduler.current

    def _block(self, timeout: float) -> None:
        scheduler = self._runtime.scheduler
        if self._may_block_actors and not scheduler.current.is_client:
            scheduler.wait_inside_a_step(self)
        else:
            scheduler.wait(self, _ns(timeout))

    @property
    def _condition(self) -> Any:  # type: ignore[override]  # an attribute there
        raise ForbiddenInWorld(
            "concurrent.futures.wait or as_completed", "use the promise's own wait or result, or runtime.wait_for_all"
        )


class _StoppedFlag(_SeededPromise[None]):
    """Replaces the threading.Event with which Pykka marks an actor as stopped."""

    def is_set(self) -> bool:
        return self._answer is not None

    def set(self) -> None:
        self.tell(None)

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(self.default_timeout if timeout is None else timeout)


class _PykkaFuture(pykka.Future[Any]):
    """What `ActorRef.ask` of a plain Pykka actor returns. Pykka makes it; it gets its promise when it is sent.

    Pykka answers a future for an actor that has stopped at once, without sending it.
    """

    promise: Promise[Any] | None = None
    _refused: BaseException | None = None

    def get(self, *, timeout: float | None = None) -> Any:
        with suppress(NotImplementedError):  # raised if no hook gives the value
            return super().get(timeout=timeout)
        if self.promise is None:
            raise self._refused or pykka.ActorDeadError("the message was not sent")
        try:
            return self.promise.result(timeout)
        except RequestTimedOut as error:
            raise pykka.Timeout(str(error)) from None

    def set(self, value: Any = None) -> None:
        if self.promise is not None:
            self.promise.set_result(value)

    def set_exception(self, exc_info: Any = None) -> None:
        self._refused = (exc_info or sys.exc_info())[1]
        if self.promise is not None:
            self.promise.set_exception(self._refused)


_Envelope = pykka._envelope.Envelope
_START = "on_start"


class _Starting(threading.local):
    place: tuple[SeededRuntime, ActorTask]


_starting = _Starting()


class _SeededActor(pykka.ThreadingActor):
    """Runs one message a step. Restates one round of Pykka's loop, and no more of it."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self._seeded, self._task = _starting.place
        self.actor_urn = f"urn:odradek:{self._task.name}"
        self.actor_inbox = self._task.mailbox
        self.actor_stopped = _StoppedFlag(self._seeded)  # type: ignore[assignment]  # has what Pykka calls of an Event
        self._actor_ref = pykka.ActorRef(self)

    def _begin(self, _: Any) -> None:
        try:
            self.on_start()
        except BaseException as error:
            self._raised("on_start", error)
            self._stop()
            return
        self._task.receive = self._receive_ours if isinstance(self, OdradekActor) else self._receive

    def _receive_ours(self, message: Any) -> None:
        if type(message) is _Envelope:
            self._receive(message)
        else:
            self.on_receive(message)

    def _receive(self, message: Any) -> None:
        reply_to = None
        try:
            if type(message) is _Envelope:
                reply_to, message = message.reply_to, message.message
            response = self._handle_receive(message)
            if reply_to is not None:
                reply_to.set(response)
        except BaseException as error:
            if reply_to is not None:
                reply_to.set_exception((type(error), error, error.__traceback__))
            else:
                self._raised(described(message)[0], error)
                self._task.is_alive = False
                self.actor_stopped.set()
                self.on_failure(type(error), error, error.__traceback__)
        if self.actor_stopped.is_set():
            self._actor_loop_teardown()

    def _stop(self) -> None:
        self._task.is_alive = False
        self.actor_stopped.set()
        try:
            self.on_stop()
        except BaseException as error:
            self._raised("on_stop", error)

    def _raised(self, message: str, error: BaseException) -> None:
        step = self._seeded.scheduler.steps
        self._seeded.handler_errors.append(HandlerError(step, self._task.name, message, error))
        self._seeded.scheduler.next_stop = 0

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return _PykkaFuture()


class _Watched:
    """Comes before the actor's class, and reports the exceptions of its handlers to the runtime."""

    def handler_failed(self, message: Any, error: Exception) -> None:
        self._raised(described(message)[0], error)  # type: ignore[attr-defined]  # _SeededActor's
        super().handler_failed(message, error)  # type: ignore[misc]  # OdradekActor's

    def report_failure(self, what: str, raised: BaseException) -> Exception:
        self._raised(what, raised)  # type: ignore[attr-defined]  # _SeededActor's
        error: Exception = super().report_failure(what, raised)  # type: ignore[misc]  # OdradekActor's
        return error


@lru_cache(maxsize=512)
def _bound(actor_class: type[Any]) -> type[Any]:
    """Return the class that runs on seeded runtimes. Cached: creating a class takes 26 us."""
    members = {"__module__": actor_class.__module__, "__qualname__": actor_class.__qualname__}
    if issubclass(actor_class, OdradekActor):
        return type(actor_class.__name__, (_Watched, actor_class, _SeededActor), members)
    return type(actor_class.__name__, (actor_class, _SeededActor), members)


def _name_of(actor_class: type[Any], args: tuple[Any, ...]) -> str:
    if issubclass(actor_class, OdradekActor) and len(args) > 1 and isinstance(args[1], str):
        return args[1]
    return actor_class.__name__


def _task_of(ref: pykka.ActorRef[Any]) -> ActorTask:
    mailbox: Any = ref.actor_inbox
    task: ActorTask = mailbox.task
    return task


def _ns(seconds: float) -> int:
    return round(min(max(0.0, seconds), _LONGEST_WAIT) * NS)
