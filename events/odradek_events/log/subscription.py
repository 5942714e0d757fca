"""Follow a growing log without loss or repeats, from any number of threads.

A subscription reads up to the head, waits until the log grows, and continues where it stopped. Catching up and
following live are the same loop, so no event is missed between them. An append in this process wakes the waiting
readers; appends by other processes are polled for twenty times a second. Waiting uses real time.

A reader can be interrupted at any bytecode. So the writer takes no lock that a reader could leave held, and an event
counts as returned only once `position` is set, directly before the return.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from odradek_events.record import Head, Query, Recorded

__all__ = ["Growth", "Subscription"]

_LOOK_EVERY = 0.05  # seconds


class Growth:
    """Lets readers block until the log grows; `notify` wakes them."""

    def __init__(self) -> None:
        self._waiting: dict[threading.Lock, None] = {}  # a lock for each reader that waits, released to wake it

    def notify(self) -> None:
        """Wake all waiting readers. Never blocks."""
        for lock in list(self._waiting):
            if self._waiting.pop(lock, self) is None:  # otherwise another thread has released it
                lock.release()

    def wait(self, is_over: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until `is_over` returns True; return its last answer, False after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not is_over():
            left = _LOOK_EVERY if deadline is None else min(_LOOK_EVERY, deadline - time.monotonic())
            if left <= 0:
                return False
            lock = threading.Lock()
            lock.acquire()
            self._waiting[lock] = None
            try:
                if not is_over():  # the log may have grown before the lock was registered
                    lock.acquire(timeout=left)
            finally:
                self._waiting.pop(lock, None)
        return True


class _Followed(Protocol):
    """The part of a log that a subscription uses."""

    growth: Growth

    def open_head(self) -> Head:
        """Return the end of the log; raise LogUnavailable once it is closed."""
        ...

    def read(self, *, after: int, until: int, stream: str | None, query: Query, opaque: bool) -> Iterator[Recorded]:
        """Yield the events that match."""
        ...


class Subscription:
    """An iterator over a log's matching events, present and future; it waits for more until `stop` is called.

    Only one thread may iterate; any thread may call `stop`. An error of the log (UnknownEventType, LogUnavailable once
    closed) is raised at the event where it occurs, and again by the next attempt, so no event is skipped. Every event
    up to `position` was returned or does not match, so a new subscription after `position` continues without loss or
    repeats.
    """

    def __init__(self, log: _Followed, after: int, stream: str | None, query: Query, opaque: bool) -> None:
        self._log = log
        self._stream, self._query, self._opaque = stream, query, opaque
        self._source: tuple[Iterator[Recorded], int] = iter(()), after  # the read in progress, and where it ends
        self._found: Recorded | None = None  # the last event read; returned if `position` has reached it
        self._stopped = threading.Event()
        self.position = after

    def __repr__(self) -> str:
        return f"<Subscription position={self.position}{' stopped' if self.is_stopped else ''} on {self._log!r}>"

    @property
    def is_stopped(self) -> bool:
        """Whether the subscription was stopped."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the iteration, even while it waits, and release the read connection. May be called repeatedly."""
        self._stopped.set()
        self._source = iter(()), self.position  # an open read would keep a closing log from checkpointing
        self._log.growth.notify()

    def take(self, timeout: float | None = None) -> Recorded | None:
        """Return the next event, or None if stopped or after `timeout` seconds; 0 does not wait."""
        found = self._find(timeout)
        if found is None:
            return None
        self.position = found.position  # now the event counts as returned: nothing may come between this and `return`
        return found

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Recorded:
        found = self._find(None)
        if found is None:
            raise StopIteration
        self.position = found.position  # as in `take`
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _find(self, timeout: float | None) -> Recorded | None:
        """Wait for the first event that was not yet returned, and return it."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_stopped:
            found = self._next_read()
            if found is not None:
                return found
            if not self._look_for_more():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._wait(left)
        return None

    def _next_read(self) -> Recorded | None:
        found = self._found
        if found is not None and found.position > self.position:
            return found  # read by a call that was interrupted before it returned
        reading, until = self._source
        try:
            found = self._found = next(reading, None)
        except BaseException:
            self._source = iter(()), self.position  # events that were not returned are read again
            raise
        if found is None and not self.is_stopped:  # otherwise it may be the source that `stop` assigned
            self.position = until
        return found

    def _look_for_more(self) -> bool:
        head = self._log.open_head().position
        until = self._source[1]
        if head <= until:
            return False
        reading = self._log.read(after=until, until=head, stream=self._stream, query=self._query, opaque=self._opaque)
        self._source = reading, head
        return True

    def _wait(self, timeout: float | None) -> None:
        self._log.growth.wait(
            lambda: self.is_stopped or self._log.open_head().position > self._source[1],
            timeout,
        )
