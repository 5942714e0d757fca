"""Guards: in a world's thread, functions that a seed does not determine raise and say what to use instead.

They replace module attributes such as `time.time` while at least one world runs, and look at the calling thread: other
threads, such as pytest's, get the real function. Two kinds of use they cannot see, and the determinism gate finds them
instead: names that were bound before (`from time import time`), and methods of C types (`datetime.now`).
"""

from __future__ import annotations

import random
import secrets
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from odradek_events.log.subscription import Growth
from odradek_simulation.errors import ForbiddenInWorld
from odradek_simulation.runtime.switchers import world_threads

__all__ = ["GuardedGrowth", "guarded"]

_CLOCK = "use system.runtime.monotonic() or world.now()"
_SLEEP = "use world.sleep(seconds)"
_ID = "use system.runtime.new_id()"
_DICE = "use world.draw(n) in a client and self.runtime.random() in an actor"
_THREAD = "use world.spawn(function) for a client and world.start(ActorClass) for an actor"
_SOCKET = "a world has no network; let a function stand in for the remote side"
_LOG = "read the log with log.read in a client that waits with world.sleep"

_GUARDED: tuple[tuple[Any, str, str], ...] = (
    *((time, name, _CLOCK) for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter")),
    (time, "perf_counter_ns", _CLOCK),
    (time, "sleep", _SLEEP),
    (uuid, "uuid1", _ID),
    (uuid, "uuid4", _ID),
    *(
        (random, name, _DICE)
        for name in ("random", "randint", "randrange", "uniform", "choice", "choices", "shuffle", "sample", "gauss")
    ),
    *((random, name, _DICE) for name in ("getrandbits", "expovariate", "randbytes", "seed")),
    *((secrets, name, _DICE) for name in ("token_hex", "token_bytes", "token_urlsafe", "randbelow", "choice")),
    (socket.socket, "__init__", _SOCKET),
    (threading.Thread, "start", _THREAD),
)
# Code that may use them: logging stamps its lines, stores and Pykka draw ids that no run depends on.
_MAY = ("logging", "structlog", "rich", "odradek_events", "odradek_simulation.runtime", "tempfile", "_pytest", "pdb")
_MAY_DRAW_IDS = (*_MAY, "pykka")

_lock = threading.Lock()
_users = 0
_originals: list[tuple[Any, str, Any]] = []
_guards: dict[Any, Any] = {}  # by original: made once, since a sweep runs thousands of worlds


@contextmanager
def guarded() -> Iterator[None]:
    """Guard the threads that run worlds until the block ends."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            for owner, name, advice in _GUARDED:
                original = getattr(owner, name)
                guard = _guards.get(original)
                if guard is None:
                    guard = _guards[original] = _guard(owner, name, original, advice)
                _originals.append((owner, name, original))
                setattr(owner, name, guard)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for owner, name, original in _originals:
                    setattr(owner, name, original)
                _originals.clear()


def _guard(owner: Any, name: str, original: Callable[..., Any], advice: str) -> Any:
    shown = f"{owner.__module__}.{owner.__name__}" if isinstance(owner, type) else f"{owner.__name__}.{name}"
    ident = threading.get_ident
    may = _MAY_DRAW_IDS if owner is uuid else _MAY

    def check() -> None:
        frame = sys._getframe(2)
        caller = frame.f_globals.get("__name__", "")
        if not caller.startswith(may) and frame.f_code.co_name != "<module>":  # an import runs once in a process
            raise ForbiddenInWorld(shown, advice)

    def guard(*args: Any, **kwargs: Any) -> Any:
        if ident() in world_threads:
            check()
        return original(*args, **kwargs)

    guard.__name__ = name
    return guard


class GuardedGrowth(Growth):
    """Takes the place of a log's `growth` while a world runs: who waits for it in the world would wait for real."""

    def __init__(self, growth: Growth) -> None:
        super().__init__()
        self._growth = growth

    def notify(self) -> None:
        """Wake all waiting readers."""
        self._growth.notify()

    def wait(self, is_over: Callable[[], bool], timeout: float | None) -> bool:
        """Wait as usual on a thread of no world."""
        if threading.get_ident() in world_threads:
            raise ForbiddenInWorld("a subscription, wait_for or a ProjectionRunner", _LOG)
        return self._growth.wait(is_over, timeout)
