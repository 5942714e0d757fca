"""Reading on as a log grows: without loss, without repeats, in any number of threads.

A subscription reads up to the head, then waits until there is more, and reads from where it was: catching up and being
live are the same loop, so no event falls between the two. Who appends in this process wakes those who wait; growth by
another process is looked for twenty times a second.
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
    """Where those wait who want a log to grow; `told` wakes them."""

    def __init__(self) -> None:
        self._condition = threading.Condition()

    def told(self) -> None:
        """Wake all who wait, to look again."""
        with self._condition:
            self._condition.notify_all()

    def wait(self, is_over: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until `is_over` says so; return what it said last, False after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._condition:
            while not is_over():
                left = _LOOK_EVERY if deadline is None else min(_LOOK_EVERY, deadline - time.monotonic())
                if left <= 0:
                    return False
                self._condition.wait(left)
        return True


class _Followed(Protocol):
    """What a subscription asks of a log."""

    growth: Growth

    def open_head(self) -> Head:
        """Return the end of the log; LogUnavailable once it is closed."""
        ...

    def read(self, *, after: int, until: int, stream: str | None, query: Query, opaque: bool) -> Iterator[Recorded]:
        """Yield the events that match."""
        ...


class Subscription:
    """The events of a log that match, those to come included; an iterator that waits, and ends by `stop`.

    One thread iterates, any thread may stop it. An error of the log (UnknownEventType, LogUnavailable once closed) is
    raised at the event where it arises, and again by the next attempt: nothing is skipped. `position` is how far it has
    come: everything up to there was given out or does not match, so a new subscription after it goes on without loss or
    repeat.
    """

    def __init__(self, log: _Followed, after: int, stream: str | None, query: Query, opaque: bool) -> None:
        self._log = log
        self._stream, self._query, self._opaque = stream, query, opaque
        self._reading: Iterator[Recorded] = iter(())
        self._read_to = after
        self._stopped = threading.Event()
        self.position = after

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the iteration, also one that waits, and give back what it reads with; stopping twice is fine."""
        self._stopped.set()
        self._reading = iter(())  # a read left half way would keep the log from being checkpointed when it is closed
        self._log.growth.told()

    def take(self, timeout: float | None = None) -> Recorded | None:
        """Return the next event; None if it is stopped, or if none comes within `timeout` seconds (0: only look)."""
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

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Recorded:
        found = self.take()
        if found is None:
            raise StopIteration
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _next_read(self) -> Recorded | None:
        try:
            found = next(self._reading, None)
        except BaseException:
            self._read_to = self.position  # what was not given out is read again
            self._reading = iter(())
            raise
        if found is not None:
            self.position = found.position
        elif not self.is_stopped:  # else it may be the read that `stop` put in place
            self.position = self._read_to
        return found

    def _look_for_more(self) -> bool:
        head = self._log.open_head().position
        if head <= self._read_to:
            return False
        self._reading = self._log.read(
            after=self._read_to, until=head, stream=self._stream, query=self._query, opaque=self._opaque
        )
        self._read_to = head
        return True

    def _wait(self, timeout: float | None) -> None:
        self._log.growth.wait(
            lambda: self.is_stopped or self._log.open_head().position > self._read_to,
            timeout,
        )
