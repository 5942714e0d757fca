"""Promise: a future that an actor answers and a caller waits for, without a lock shared by the two.

`concurrent.futures.Future` guards its state with a Condition. A caller that is interrupted (Ctrl-C, a signal handler
that raises) just after it has acquired that lock never releases it, and the answering actor blocks forever. Here the
first answer is claimed by one atomic operation and published by one attribute store. Each waiting thread has its own
lock, which only the answering thread releases. Promise keeps Future's interface, so that `asyncio.wrap_future` and
`concurrent.futures.wait` accept it.
"""

from __future__ import annotations

import concurrent.futures
import reprlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from odradek_actors.errors import ForkedProcess, RequestTimedOut
from odradek_actors.logs import get_logger
from odradek_actors.messages.core import Reply
from odradek_actors.runtime.actor_thread import actor_thread
from odradek_actors.runtime.fork import forks
from odradek_actors.validation import waiting_time

__all__ = ["Promise"]

T = TypeVar("T")
_log = get_logger(actor="runtime")
_new_lock = threading.Lock
_MAX_REPR = 200  # characters
_LONGEST_WAIT = min(threading.TIMEOUT_MAX, 1e9)  # seconds
_Answer = tuple[Any, bool]  # the value, and whether it is an exception to raise
_shortened = reprlib.Repr()
_shortened.maxlist = 1
_shortened.maxother = _shortened.maxstring = _MAX_REPR


class Promise(concurrent.futures.Future[T]):
    """The future answer to a request. Can be the `reply_to` of a message.

    `result(timeout)` waits, by default 30 seconds, and raises the error that was the answer, or RequestTimedOut. After
    a timeout the promise stays pending, and `result` can be called again. It works with asyncio.wrap_future and
    concurrent.futures.wait.

    A promise cannot be cancelled, because its request is already on its way: `cancel` returns False, as for Kafka's
    futures, and cancelling an asyncio future that wraps it does not affect the promise. A callback added by
    `add_done_callback` runs on an actor's thread. There, calls that wait raise WaitOnActorThread; `send` and
    `commit_async` do not wait. An exception that it raises is logged.
    """

    default_timeout = 30.0

    _answer: _Answer | None = None
    _seen_by_waiters: bool | None = None
    _may_block_actors = False

    def __init__(self, convert: Callable[[Any], T] | None = None) -> None:
        self._convert = convert
        self._forks = forks.count
        self._claim = _new_lock()  # taken once, by the first answer, and never waited for
        self._wakes: deque[threading.Lock] = deque()
        self._done_callbacks: deque[Callable[[Any], object]] = deque()

    def __repr__(self) -> str:
        answer = self._answer
        if answer is None:
            return "<Promise pending>"
        return f"<Promise {'failed: ' if answer[1] else ''}{_shortened.repr(answer[0])}>"

    # -- answering ----------------------------------------------------------------------------------------------------

    def tell(self, message: Any) -> None:
        """Set the answer; later answers are ignored."""
        value = message.value if type(message) is Reply else message
        is_error = isinstance(value, BaseException)
        if self._convert is not None and not is_error:
            try:
                value = self._convert(value)
            except Exception as error:
                value, is_error = error, True
        self._settle(value, is_error)

    def set_result(self, result: T) -> None:
        """Set the answer; InvalidStateError if there is one already."""
        if not self._settle(result, False):
            raise concurrent.futures.InvalidStateError(repr(self))

    def set_exception(self, exception: BaseException | None) -> None:
        """Set an error as the answer; InvalidStateError if there is one already."""
        if not self._settle(exception, True):
            raise concurrent.futures.InvalidStateError(repr(self))

    def _settle(self, value: Any, is_error: bool) -> bool:
        if not self._claim.acquire(blocking=False):
            return False
        self._answer = (value, is_error)
        for lock in _taken_out_of(self._wakes):
            lock.release()
        if "_waiters_installed" in self.__dict__:
            self._waiters.deliver()
        for callback in _taken_out_of(self._done_callbacks):
            try:
                callback(self)
            except BaseException as error:  # an actor's thread must survive whatever a callback raises
                _log.error("callback of a promise failed", error=repr(error), exc_info=error)
        return True

    # -- waiting ------------------------------------------------------------------------------------------------------

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the answer; return whether there is one."""
        if self._answer is None and timeout > 0:
            self._block(min(timeout, _LONGEST_WAIT))
        return self._answer is not None

    def _block(self, timeout: float) -> None:
        """Block this thread until there is an answer, for at most `timeout` seconds. Runtimes override this."""
        if self._forks != forks.count:
            raise ForkedProcess()
        if not self._may_block_actors:
            actor_thread.refuse_to_wait()
        lock = _new_lock()
        lock.acquire()
        self._wakes.append(lock)
        if self._answer is None:  # an answer set before the append did not see the lock
            lock.acquire(timeout=timeout)

    def result(self, timeout: float | None = None) -> T:
        """Return the answer, waiting up to `timeout` seconds (default: 30)."""
        value, is_error = self._settled(timeout)
        if not is_error:
            answer: T = value
            return answer
        try:
            raise value
        finally:
            del self, value  # break the reference cycle with the traceback

    def prompt_result(self) -> T:
        """As `result`, and also on an actor's thread: for the answers of an actor that never waits for others."""
        self._may_block_actors = True
        return self.result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error that was the answer, or None, waiting up to `timeout` seconds (default: 30)."""
        value, is_error = self._settled(timeout)
        return value if is_error else None

    def _settled(self, timeout: float | None) -> _Answer:
        limit = self.default_timeout if timeout is None else waiting_time("timeout", timeout)
        if not self.wait(limit):
            raise RequestTimedOut(limit)
        answer = self._answer
        assert answer is not None
        return answer

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Call `fn` with this promise once it is settled, or now if it already is."""
        self._done_callbacks.append(fn)
        if self._answer is None:
            return
        try:
            self._done_callbacks.remove(fn)  # no other: an interruption here must not lose it
        except ValueError:
            return  # the thread that answers has taken it
        try:
            fn(self)
        except Exception as error:
            _log.error("callback of a promise failed", error=repr(error), exc_info=error)

    # -- the rest of Future's interface -------------------------------------------------------------------------------

    def cancel(self) -> bool:
        """Return False: the request is already on its way."""
        return False

    def cancelled(self) -> bool:
        """Return False."""
        return False

    def running(self) -> bool:
        """Return whether there is no answer yet."""
        return self._answer is None

    def done(self) -> bool:
        """Return whether there is an answer."""
        return self._answer is not None

    def set_running_or_notify_cancel(self) -> bool:
        """Return True: a promise is never cancelled."""
        return True

    # `concurrent.futures.wait` and `as_completed` read the state of all futures and install waiters while they hold the
    # locks of all; an answer in between must not be lost. The lock below serialises such callers; an answer does not
    # take it.

    @property
    def _state(self) -> str:  # type: ignore[override]  # an attribute there, derived here
        is_done = self._answer is not None if self._seen_by_waiters is None else self._seen_by_waiters
        return "FINISHED" if is_done else "PENDING"

    @property
    def _condition(self) -> _View:  # type: ignore[override]  # as above
        view: _View = self.__dict__.setdefault("_view", _View(self))
        return view

    @property
    def _waiters(self) -> _Waiters:  # type: ignore[override]  # as above
        waiters: _Waiters = self.__dict__.setdefault("_waiters_installed", _Waiters(self))
        return waiters


class _View:
    """Holds the state that a caller of `concurrent.futures.wait` sees while it installs its waiter."""

    def __init__(self, promise: Promise[Any]) -> None:
        self._promise = promise
        self._lock = threading.RLock()

    def acquire(self) -> bool:
        self._lock.acquire()
        self._promise._seen_by_waiters = self._promise.done()
        return True

    def release(self) -> None:
        self._promise._seen_by_waiters = None
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _Waiters(list[Any]):
    """The waiters of `concurrent.futures.wait`; each is notified once, unless it has already seen the promise done."""

    def __init__(self, promise: Promise[Any]) -> None:
        super().__init__()
        self._promise = promise
        self._waiting: deque[Any] = deque()

    def append(self, waiter: Any) -> None:
        super().append(waiter)
        if not self._promise._seen_by_waiters:
            self._waiting.append(waiter)
            if self._promise.done():
                self.deliver()

    def deliver(self) -> None:
        promise = self._promise
        for waiter in _taken_out_of(self._waiting):
            if promise.exception() is None:
                waiter.add_result(promise)
            else:
                waiter.add_exception(promise)


def _taken_out_of(items: deque[T]) -> list[T]:
    """Empty a deque, which several threads may do at once; each item goes to one of them."""
    taken = []
    while items:
        try:
            taken.append(items.popleft())
        except IndexError:
            break
    return taken
