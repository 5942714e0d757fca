"""One thread that sends messages when they are due; the first timer starts it.

Timers reach the thread through a queue, so that setting one takes no lock that an interrupted caller could leave held.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable

from odradek_actors.messages.core import Recipient

__all__ = ["TimerThread"]

_LONGEST_WAIT = 3600.0  # seconds; locks refuse waits of some 290 years, and the thread would end
_Timer = tuple[float, int, Recipient, object]


class TimerThread:
    """Sends messages after a delay, those due at the same moment in the order in which they were added."""

    def __init__(self, send: Callable[[Recipient, object], None]) -> None:
        self._send = send
        self._order = itertools.count()
        self._added: queue.SimpleQueue[_Timer | None] = queue.SimpleQueue()  # None: stop
        self._starting = itertools.count()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def add(self, delay: float, recipient: Recipient, message: object) -> None:
        """Send a message after `delay` seconds; after `close`, do nothing."""
        if self._is_closed:
            return
        self._added.put((time.monotonic() + delay, next(self._order), recipient, message))
        if self._thread is None and next(self._starting) == 0:
            thread = threading.Thread(target=self._run, name="odradek-timers", daemon=True)
            thread.start()
            self._thread = thread  # only now: `close` can join it

    def close(self) -> None:
        """Drop all timers and end the thread."""
        self._is_closed = True
        self._added.put(None)
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        timers: list[_Timer] = []
        while not self._is_closed:
            wait = min(max(0.0, timers[0][0] - time.monotonic()), _LONGEST_WAIT) if timers else None
            try:
                added = self._added.get(timeout=wait)
            except queue.Empty:
                added = None
            if added is not None:
                heapq.heappush(timers, added)
            while timers and timers[0][0] <= time.monotonic() and not self._is_closed:
                _, _, recipient, message = heapq.heappop(timers)
                self._send(recipient, message)
