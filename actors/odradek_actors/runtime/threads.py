"""ThreadedRuntime: real threads, real time.

Each actor runs on a separate thread. An actor class is bound to the runtime when it is started, by a subclass that
puts `_ThreadedActor` between the class and Pykka's ThreadingActor.

Choices, with Pykka 4.5's behaviour behind them: `queue.SimpleQueue` as inbox (0.08 us against 2.98 per put and get);
no use of the global ActorRegistry, which every start and stop in the process locks; a stopped flag without a lock,
since callers wait on it; sends to a dead actor become dead letters instead of exceptions in the sender.
"""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pykka

from odradek_actors.errors import ForkedProcess, RequestTimedOut
from odradek_actors.logs import get_logger
from odradek_actors.messages.core import Recipient
from odradek_actors.runtime.actor_thread import actor_thread
from odradek_actors.runtime.budget import Budget
from odradek_actors.runtime.dead_letters import DeadLetter, DeadLetters
from odradek_actors.runtime.fork import forks
from odradek_actors.runtime.forwarding import Forwarding
from odradek_actors.runtime.promise import Promise
from odradek_actors.runtime.timer_thread import TimerThread

__all__ = ["ThreadedRuntime"]

A = TypeVar("A", bound=pykka.Actor)
T = TypeVar("T")
_log = get_logger(actor="runtime")
_SUFFIXES = [f"{number:03x}" for number in range(4096)]


class ThreadedRuntime:
    """Implements all ports of `port.py` on threads of this process."""

    def __init__(self) -> None:
        self._dead_letters = DeadLetters()
        self._forks = forks.count
        # UUID version 8: 74 random bits for this run, then a counter of blocks and a place in the block. uuid4 costs
        # 2 us a message, a formatted counter 0.3, a block's prefix and a ready-made suffix 0.05.
        self._dice = random.SystemRandom()
        high, low = self._dice.getrandbits(48), self._dice.getrandbits(26)
        text = f"{high:012x}{(8 << 12) | (low >> 14):04x}{(2 << 14) | (low & 0x3FFF):04x}"
        self._prefix = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-"
        self._counter = itertools.count()
        self._numbers = itertools.count(1)
        self._bound: dict[type[Any], type[Any]] = {}
        self._timers = TimerThread(self.send)

    # -- clock --------------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return "<ThreadedRuntime>"

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never decrease."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Suspend the caller's thread for `seconds`."""
        time.sleep(seconds)

    # -- ids ----------------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return a new UUID (version 8)."""
        return f"{self._prefix}{next(self._counter):09x}000"

    def new_ids(self, count: int) -> list[str]:
        """Return `count` new UUIDs."""
        ids: list[str] = []
        while len(ids) < count:
            block = f"{self._prefix}{next(self._counter):09x}"
            ids += [block + suffix for suffix in _SUFFIXES[: count - len(ids)]]
        return ids

    def new_number(self) -> int:
        """Return a number not returned before."""
        return next(self._numbers)

    def random(self) -> float:
        """Return a random number in [0, 1)."""
        return self._dice.random()

    # -- mail ---------------------------------------------------------------------------------------------------------

    def send(self, recipient: Recipient, message: object) -> None:
        """Deliver a message; one for a stopped actor becomes a dead letter or is forwarded to its successor."""
        try:
            recipient.tell(message)
        except pykka.ActorDeadError:
            self._undeliverable(recipient, message)
            return
        if isinstance(recipient, pykka.ActorRef) and recipient.actor_stopped.is_set():
            # It stopped between Pykka's look and its put, perhaps too late to see the message itself.
            self.drain(recipient)

    def later(self, delay: float, recipient: Recipient, message: object) -> None:
        """Deliver a message after `delay` seconds."""
        self._timers.add(delay, recipient, message)

    def bury(self, recipient: str, message: object) -> None:
        """Record a message that no actor will handle, and answer its sender if it waits for an answer."""
        answer = self._dead_letters.take(recipient, message)
        if answer is not None:
            self.send(*answer)

    def drain(self, ref: pykka.ActorRef[Any]) -> None:
        """Bury or forward what is left in the inbox of an actor that has stopped. Several threads may do so at once."""
        inbox: Any = ref.actor_inbox
        while True:
            try:
                envelope = inbox.get_nowait()
            except queue.Empty:
                return
            if type(envelope.message).__module__.partition(".")[0] != "pykka":
                self._undeliverable(ref, envelope.message)
            elif envelope.reply_to is not None:  # a second stop: the caller may wait for it
                envelope.reply_to.set(None)

    def forward(self, ref: pykka.ActorRef[Any], forwarding: Forwarding) -> None:
        """Send requests that reach this actor after it has stopped on to its successor."""
        flag: Any = ref.actor_stopped
        flag.forwarding = forwarding

    def _undeliverable(self, recipient: Recipient, message: object) -> None:
        flag = recipient.actor_stopped if isinstance(recipient, pykka.ActorRef) else None
        forwarding = flag.forwarding if isinstance(flag, _StoppedFlag) else None
        if forwarding is None:
            self.bury(str(recipient), message)
        elif (route := forwarding.route(message)) is not None:
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
        """Return a promise; `convert` maps the answer to its value. ForkedProcess in a child of this process."""
        if self._forks != forks.count:
            raise ForkedProcess()
        return Promise(convert)

    def wait_for_all(self, promises: Iterable[Promise[Any]], timeout: float | None = None) -> None:
        """Wait until every promise is settled; RequestTimedOut after `timeout` seconds (default: 30)."""
        seconds = Promise.default_timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        for promise in promises:
            if not promise.wait(deadline - time.monotonic()):
                raise RequestTimedOut(seconds)

    def refuse_to_wait(self) -> None:
        """Raise WaitOnActorThread on a thread that runs an actor."""
        actor_thread.refuse_to_wait()

    def budget(self, limit: int) -> Budget:
        """Return a budget of `limit` bytes."""
        return Budget(limit, Promise, time.monotonic)

    # -- host ---------------------------------------------------------------------------------------------------------

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start an actor on a new thread."""
        bound = self._bound.get(actor_class)
        if bound is None:
            members = {"__module__": actor_class.__module__}
            bound = type(actor_class.__name__, (actor_class, _ThreadedActor), members)
            self._bound[actor_class] = bound
        actor = bound(*args)
        actor._start_actor_loop()  # what Pykka's `start` does, without the registry
        ref: pykka.ActorRef[A] = actor.actor_ref
        return ref

    def spawn(self, client: Callable[..., T], *args: Any) -> Promise[T]:
        """Run client code on a new thread; the promise gives what it returns or raises."""
        promise: Promise[T] = Promise()

        def run() -> None:
            try:
                promise.tell(client(*args))
            except BaseException as error:
                promise.tell(error)

        threading.Thread(target=run, name=f"odradek-{getattr(client, '__name__', 'client')}", daemon=True).start()
        return promise

    def stop(self, ref: pykka.ActorRef[Any]) -> None:
        """Stop an actor after the messages already in its inbox."""
        ref.stop(block=False)

    def wait_until_stopped(self, ref: pykka.ActorRef[Any], timeout: float) -> bool:
        """Wait up to `timeout` seconds until an actor has stopped; return whether it has."""
        return ref.actor_stopped.wait(timeout)

    def close(self) -> None:
        """Drop pending timers and end their thread."""
        self._timers.close()


class _StoppedFlag(Promise[None]):
    """Replaces the threading.Event with which Pykka marks an actor as stopped; it is set without taking a lock."""

    forwarding: Forwarding | None = None

    def is_set(self) -> bool:
        return self._answer is not None

    def set(self) -> None:
        self.tell(None)

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(self.default_timeout if timeout is None else timeout)


class _ThreadedActor(pykka.ThreadingActor):
    """Pykka's threads with another inbox and stopped flag; daemonic, so that a forgotten system can't hang the exit."""

    use_daemon_thread = True
    _create_actor_inbox: Any = staticmethod(queue.SimpleQueue)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        super().__init__()
        self.actor_stopped = _StoppedFlag()  # type: ignore[assignment]  # has what Pykka calls of an Event
        self._actor_ref = pykka.ActorRef(self)  # a new ref, because a ref copies the flag

    def _actor_loop_setup(self) -> None:
        actor_thread.is_current = True
        try:
            self.on_start()
        except BaseException as error:
            _log.error("actor did not start", actor=type(self).__name__, error=repr(error), exc_info=error)
            self._stop()

    def _stop(self) -> None:
        self.actor_stopped.set()
        try:
            self.on_stop()
        except BaseException as error:
            _log.error("on_stop failed", actor=type(self).__name__, error=repr(error), exc_info=error)
