"""What an actor may ask of the world: time, ids, timers, promises, sending, starting actors.

Everything that differs from run to run comes from here, so that another runtime can decide it. The threaded runtime
runs each actor on a thread of its own; an actor class is bound to a runtime when started, by a subclass that
overrides those of Pykka's three hooks (inbox, future, loop) that the runtime wants otherwise.

Choices, with Pykka 4.5's behaviour behind them: `queue.SimpleQueue` as inbox (0.08 us against 2.98 per put and get);
no use of the global ActorRegistry; sends to a dead actor become dead letters instead of exceptions in the sender.
"""

from __future__ import annotations

import concurrent.futures
import heapq
import itertools
import queue
import random
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import pykka

from odradek_actors.errors import RequestTimedOut
from odradek_actors.logs import get_logger
from odradek_actors.messages.core import Recipient, Reply

__all__ = ["Budget", "DeadLetter", "Promise", "Runtime", "ThreadedRuntime", "wait_for_all"]

A = TypeVar("A", bound=pykka.Actor)
T = TypeVar("T")
_log = get_logger(actor="runtime")
_REMEMBERED_DEAD_LETTERS = 1000
_LONGEST_WAIT = 3600.0  # seconds; a lock refuses to wait for some 290 years, and its thread would be gone
_SUFFIXES = [f"{number:03x}" for number in range(4096)]


class Promise(concurrent.futures.Future[T]):
    """A future that can stand as `reply_to`. Works with asyncio.wrap_future and concurrent.futures.wait.

    `result(timeout)` waits 30 s unless told otherwise (in seconds) and raises RequestTimedOut, or the error that was
    the answer. After a time-out the promise still holds: ask it again. `add_done_callback` runs on an actor's thread,
    so it must not block.
    """

    default_timeout = 30.0

    def tell(self, message: Any) -> None:
        """Take the answer; only the first counts."""
        value = message.value if type(message) is Reply else message
        try:
            if isinstance(value, BaseException):
                self.set_exception(value)
            else:
                self.set_result(value)
        except concurrent.futures.InvalidStateError:
            return

    def result(self, timeout: float | None = None) -> T:
        """Return the answer."""
        seconds = self.default_timeout if timeout is None else timeout
        try:
            return super().result(seconds)
        except concurrent.futures.TimeoutError as error:
            if self.done():
                raise
            raise RequestTimedOut(seconds) from error


def wait_for_all(promises: Iterable[Promise[Any]], timeout: float | None = None) -> None:
    """Wait until every promise is answered or has failed; RequestTimedOut after `timeout` (30 s) seconds."""
    seconds = Promise.default_timeout if timeout is None else timeout
    if concurrent.futures.wait(promises, seconds).not_done:
        raise RequestTimedOut(seconds)


class Budget:
    """A number of bytes that may be taken and given back, by any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._condition = threading.Condition()

    def acquire(self, size: int, timeout: float) -> bool:
        """Take `size` bytes, waiting up to `timeout` seconds; more than the limit is let through alone."""
        with self._condition:
            if not self._condition.wait_for(lambda: not self._taken or self._taken + size <= self.limit, timeout):
                return False
            self._taken += size
            return True

    def release(self, size: int) -> None:
        """Give `size` bytes back."""
        with self._condition:
            self._taken -= size
            self._condition.notify_all()


class DeadLetter(Exception):
    """Never raised: the form in which an undeliverable message is remembered."""

    def __init__(self, recipient: str, message: object) -> None:
        super().__init__(f"{type(message).__name__} for {recipient}")
        self.recipient, self.message = recipient, message


class Runtime(Protocol):
    """The port to the world."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only rise."""
        ...

    def new_id(self) -> str:
        """Return a new UUID."""
        ...

    def new_ids(self, count: int) -> list[str]:
        """Return that many new UUIDs."""
        ...

    def new_number(self) -> int:
        """Return a number not returned before."""
        ...

    def promise(self) -> Promise[Any]:
        """Return a promise that the outside world can wait on."""
        ...

    def budget(self, limit: int) -> Budget:
        """Return a budget of bytes."""
        ...

    def send(self, recipient: Recipient, message: object) -> None:
        """Tell a recipient; a dead one makes the message a dead letter."""
        ...

    def later(self, delay: float, recipient: Recipient, message: object) -> None:
        """Tell a recipient after `delay` seconds."""
        ...

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start an actor."""
        ...


class ThreadedRuntime:
    """Real threads, real time."""

    def __init__(self) -> None:
        self.dead_letters: list[DeadLetter] = []
        self.dead_letter_count = 0
        self._burying = threading.Lock()
        # UUID version 8: 74 random bits for this run, then a counter of blocks and a place in the block. uuid4 costs
        # 2 us a message, a formatted counter 0.3, a block's prefix and a ready-made suffix 0.05.
        high = random.SystemRandom().getrandbits(48)
        low = random.SystemRandom().getrandbits(26)
        text = f"{high:012x}{(8 << 12) | (low >> 14):04x}{(2 << 14) | (low & 0x3FFF):04x}"
        self._prefix = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-"
        self._counter = itertools.count()
        self._numbers = itertools.count(1)
        self._bound: dict[type[Any], type[Any]] = {}
        self._timers = _Timers(self.send)

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only rise."""
        return time.monotonic()

    def new_id(self) -> str:
        """Return a new UUID (version 8)."""
        return f"{self._prefix}{next(self._counter):09x}000"

    def new_ids(self, count: int) -> list[str]:
        """Return that many new UUIDs."""
        ids: list[str] = []
        while len(ids) < count:
            block = f"{self._prefix}{next(self._counter):09x}"
            ids += [block + suffix for suffix in _SUFFIXES[: count - len(ids)]]
        return ids

    def new_number(self) -> int:
        """Return a number not returned before."""
        return next(self._numbers)

    def promise(self) -> Promise[Any]:
        """Return a promise."""
        return Promise()

    def budget(self, limit: int) -> Budget:
        """Return a budget of bytes."""
        return Budget(limit)

    def send(self, recipient: Recipient, message: object) -> None:
        """Tell a recipient; a dead one makes the message a dead letter."""
        try:
            recipient.tell(message)
        except pykka.ActorDeadError:
            self.bury(str(recipient), message)
            return
        if isinstance(recipient, pykka.ActorRef) and recipient.actor_stopped.is_set():
            self.drain(
                recipient
            )  # it died between Pykka's look and its put, perhaps too late to see the message itself

    def drain(self, ref: pykka.ActorRef[Any]) -> None:
        """Bury whatever is in the inbox of an actor that has stopped. Several threads may do so at once."""
        inbox: Any = ref.actor_inbox
        while True:
            try:
                message = inbox.get_nowait().message
            except queue.Empty:
                return
            if type(message).__module__.partition(".")[0] != "pykka":
                self.bury(str(ref), message)

    def bury(self, recipient: str, message: object) -> None:
        """Note a message that nobody will handle, and answer its sender if it waits for an answer."""
        with self._burying:
            self.dead_letter_count += 1
            if len(self.dead_letters) < _REMEMBERED_DEAD_LETTERS:
                self.dead_letters.append(DeadLetter(recipient, message))
        _log.debug("dead letter", recipient=recipient, message=type(message).__name__)
        bounce = getattr(message, "bounce", None)
        if bounce is not None:
            self.send(*bounce())

    def later(self, delay: float, recipient: Recipient, message: object) -> None:
        """Tell a recipient after `delay` seconds."""
        self._timers.add(delay, recipient, message)

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start an actor on a thread of its own."""
        bound = self._bound.get(actor_class)
        if bound is None:
            bound = type(actor_class.__name__, (actor_class,), dict(_THREADED, __module__=actor_class.__module__))
            self._bound[actor_class] = bound
        ref: pykka.ActorRef[A] = bound.start(*args)
        return ref

    def close(self) -> None:
        """Stop the timers; pending ones are dropped."""
        self._timers.close()


# Pykka's threads with a faster inbox; daemonic, so that a forgotten system cannot hang the interpreter.
_THREADED = {"use_daemon_thread": True, "_create_actor_inbox": staticmethod(queue.SimpleQueue)}


class _Timers:
    """One thread that sends messages when their time has come; started by the first timer."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._heap: list[tuple[float, int, Recipient, object]] = []
        self._order = itertools.count()
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, delay: float, recipient: Recipient, message: object) -> None:
        with self._condition:
            if self._closed:
                return
            heapq.heappush(self._heap, (time.monotonic() + delay, next(self._order), recipient, message))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="odradek-timers", daemon=True)
                self._thread.start()
            self._condition.notify()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._heap.clear()
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._closed and (not self._heap or self._heap[0][0] > time.monotonic()):
                    self._condition.wait(
                        min(self._heap[0][0] - time.monotonic(), _LONGEST_WAIT) if self._heap else None
                    )
                if self._closed:
                    return
                _, _, recipient, message = heapq.heappop(self._heap)
            self._send(recipient, message)
