"""Budget: a limited number of bytes, without a lock.

Callers reserve bytes, actors release them. A caller can be interrupted anywhere, so it must not hold a lock. The
reservations are a dict, changed by single operations that are atomic in CPython. Their sum is cached. An interruption
or a race can make the cached sum drift, so it is recomputed periodically and whenever there seems to be no room.

Callers that find no room wait in arrival order, as in Kafka's BufferPool; otherwise small reservations would starve a
large one. Threads that check for room at the same moment may together exceed the limit, each by at most its own
reservation.

An interruption can also lose a wake-up, or leave in the queue a caller that no longer waits. Therefore each waiting
caller checks for room periodically, and one that has not checked for a while loses its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from odradek_actors.runtime.promise import Promise

__all__ = ["Budget"]

_RECOUNT_AFTER = 1024  # reservations
_CHECK_INTERVAL = 0.25  # seconds between checks for room by a caller that is not woken
_FORGET_AFTER = 4 * _CHECK_INTERVAL  # seconds: a caller that has not checked for so long was interrupted


class Budget:
    """`limit` bytes. `new_promise` and `monotonic` are the runtime's: what a caller waits on, and how long it has."""

    def __init__(self, limit: int, new_promise: Callable[[], Promise[None]], monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self._new_promise = new_promise
        self._monotonic = monotonic
        self._held: dict[object, int] = {}
        self._taken = 0
        self._until_recount = _RECOUNT_AFTER
        self._queue: dict[
            object, tuple[Promise[None], float]
        ] = {}  # waiting holders: what wakes them, until when they count

    def acquire(self, holder: object, size: int, timeout: float) -> bool:
        """Reserve `size` bytes for `holder`; wait up to `timeout` seconds for room, behind earlier callers.

        Return whether they are reserved. A reservation larger than the limit is granted when nothing else is reserved.
        """
        if not self._queue and self._has_room(size):
            self._take(holder, size)
            return True
        return self._wait(holder, size, timeout)

    def release(self, holder: object) -> None:
        """Release the reservation of `holder`, if any, and wake the first waiting caller. Never blocks."""
        size = self._held.pop(holder, None)
        if size is not None:
            self._taken -= size
            self._wake_first()

    def holders(self) -> list[Any]:
        """Return the holders of the current reservations, oldest first."""
        return list(self._held)

    def _has_room(self, size: int) -> bool:
        if self._taken + size <= self.limit:
            return True
        self._recount()
        return self._taken + size <= self.limit or not self._held

    def _take(self, holder: object, size: int) -> None:
        self._held[holder] = size
        self._taken += size
        self._until_recount -= 1
        if self._until_recount <= 0:
            self._recount()

    def _recount(self) -> None:
        self._until_recount = _RECOUNT_AFTER
        self._taken = sum(list(self._held.values()))

    def _wait(self, holder: object, size: int, timeout: float) -> bool:
        deadline = self._monotonic() + timeout
        try:
            while True:
                wake, now = self._new_promise(), self._monotonic()
                # Before the check for room, so that a later release wakes this caller.
                self._queue[holder] = wake, now + _FORGET_AFTER
                if self._is_first(holder, now) and self._has_room(size):
                    self._take(holder, size)
                    return True
                if now >= deadline:
                    return False
                wake.wait(min(deadline - now, _CHECK_INTERVAL))
        finally:
            self._queue.pop(holder, None)
            self._wake_first()

    def _is_first(self, holder: object, now: float) -> bool:
        """Return whether no earlier caller waits; forget those that were interrupted before they left the queue."""
        for other, (_, counts_until) in list(self._queue.items()):
            if other is holder:
                break
            if counts_until > now:
                return False
            self._queue.pop(other, None)
        return True

    def _wake_first(self) -> None:
        for wake, _ in list(self._queue.values())[:1]:
            wake.tell(None)
