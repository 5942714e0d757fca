"""Switchers: what carries the clients of a world, of which one runs at a time.

`ThreadSwitcher` runs each client on a pooled thread and passes a baton: 10 to 18 us a switch, no dependency.
`GreenletSwitcher` needs the package greenlet: 2 to 4 us a switch. Both give the same run, which the determinism gate
of the tests uses as a check.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from odradek_simulation.runtime.tasks import Client

__all__ = ["GreenletSwitcher", "Switcher", "ThreadSwitcher", "run_on_pooled_thread", "world_threads"]


class Switcher(Protocol):
    """Moves the control between clients."""

    def adopt(self, client: Client) -> None:
        """Make the caller's own flow of control that of `client`."""
        ...

    def switch(self, origin: Client | None, target: Client) -> None:
        """Run `target`; return when `origin` is switched to. Without `origin`, which has ended, return at once."""
        ...

    def start(self, client: Client, run: Callable[[], None]) -> None:
        """Prepare `client`: `run` is called the first time it is switched to."""
        ...


world_threads: set[int] = set()
"""The idents of the threads that run worlds and nothing else."""

_new_lock = threading.Lock
_new_thread = threading.Thread
_start_thread = threading.Thread.start


class _Worker:
    """A daemon thread that runs one job after another, all of them parts of worlds."""

    def __init__(self) -> None:
        self._go = _new_lock()
        self._go.acquire()
        self._job: Callable[[], None] | None = None
        thread = _new_thread(target=self._loop, name="odradek-world", daemon=True)
        _start_thread(thread)

    def run(self, job: Callable[[], None]) -> None:
        self._job = job
        self._go.release()

    def _loop(self) -> None:
        world_threads.add(threading.get_ident())
        while True:
            self._go.acquire()
            job, self._job = self._job, None
            assert job is not None, "a worker is woken with a job"
            job()
            del job


class _Pool:
    """Idle workers. A list is enough: `pop` and `append` are atomic."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []

    def take(self) -> _Worker:
        try:
            return self._idle.pop()
        except IndexError:
            return _Worker()

    def give_back(self, worker: _Worker) -> None:
        self._idle.append(worker)


_pool = _Pool()


def run_on_pooled_thread(job: Callable[[], None], done: Callable[[], None]) -> None:
    """Run `job` on a pooled thread, then call `done` there. Neither may raise."""
    worker = _pool.take()

    def run() -> None:
        job()
        _pool.give_back(worker)
        done()

    worker.run(run)


class ThreadSwitcher:
    """Clients on pooled threads. A client's carrier is the lock that it waits for."""

    def adopt(self, client: Client) -> None:
        """Give a client that runs already its baton."""
        client.carrier = _taken_lock()

    def start(self, client: Client, run: Callable[[], None]) -> None:
        """Have the first switch to `client` take a thread from the pool."""
        client.carrier = _FirstRun(client, run)

    def switch(self, origin: Client | None, target: Client) -> None:
        """Pass the baton to `target`, and wait until `origin` gets it back."""
        baton = None if origin is None else origin.carrier
        target.carrier.release()
        if baton is not None:
            baton.acquire()


class _FirstRun:
    """The carrier of a client that has not run yet: its first release starts it."""

    def __init__(self, client: Client, run: Callable[[], None]) -> None:
        self._client, self._run = client, run

    def release(self) -> None:
        worker = _pool.take()
        self._client.carrier = _taken_lock()
        run = self._run

        def job() -> None:
            run()
            _pool.give_back(worker)

        worker.run(job)


def _taken_lock() -> threading.Lock:
    lock = _new_lock()
    lock.acquire()
    return lock


class GreenletSwitcher:
    """Clients as greenlets of one thread. A client's carrier is its greenlet."""

    def __init__(self) -> None:
        try:
            import greenlet  # type: ignore[import-untyped]  # has no stubs of its own
        except ImportError:
            raise ModuleNotFoundError(
                "switching clients by greenlets needs the package greenlet; install odradek[greenlet], or use threads",
                name="greenlet",
            ) from None
        self._greenlet: Any = greenlet
        self._hub = greenlet.greenlet(self._go_on)
        self._target: Any = None

    def _go_on(self, *_: object) -> None:
        """Switch to where a client that has ended wants to go: it ends into the hub, the parent of all clients."""
        while True:
            self._target.switch()

    def adopt(self, client: Client) -> None:
        """Make the current greenlet the carrier of `client`."""
        client.carrier = self._greenlet.getcurrent()

    def start(self, client: Client, run: Callable[[], None]) -> None:
        """Create the greenlet of `client`."""
        client.carrier = self._greenlet.greenlet(run, self._hub)

    def switch(self, origin: Client | None, target: Client) -> None:
        """Switch to the greenlet of `target`, or leave that to the hub if the current one has ended."""
        if origin is None:
            self._target = target.carrier
        else:
            target.carrier.switch()
