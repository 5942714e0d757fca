"""The runtime's ports: everything that actors and handles take from the world around them.

Actors, handles and simulations are typed on these protocols and never touch a clock, a lock, a thread or a random
number generator themselves. So another runtime can decide time, order and ids, and the same classes run on it. A
runtime is one object that implements all five; `ThreadedRuntime` is the one for real threads.

Two rules hold for every runtime. Code on an actor's thread never blocks, and never takes a lock that a caller's thread
can hold: a caller may be interrupted at any bytecode, and a lock that it leaves held must not stop an actor. Only
callers wait, and every wait has a time-out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import pykka

from odradek_actors.messages.core import Recipient
from odradek_actors.runtime.dead_letters import DeadLetter
from odradek_actors.runtime.forwarding import Forwarding
from odradek_actors.runtime.promise import Promise

__all__ = ["ByteBudget", "Clock", "Host", "Ids", "Mail", "Promises", "Runtime", "checked_runtime"]

A = TypeVar("A", bound=pykka.Actor)
T = TypeVar("T")


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """Return the wall-clock time: an aware datetime in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; the value never decreases."""
        ...

    def sleep(self, seconds: float) -> None:
        """Suspend the caller for `seconds`. Actors must not call this."""
        ...


class Ids(Protocol):
    """Ids and random numbers."""

    def new_id(self) -> str:
        """Return a new UUID in its canonical form."""
        ...

    def new_ids(self, count: int) -> list[str]:
        """Return `count` new UUIDs."""
        ...

    def new_number(self) -> int:
        """Return a number that this runtime has not returned before."""
        ...

    def random(self) -> float:
        """Return a random number in [0, 1)."""
        ...


class Mail(Protocol):
    """Messages on their way."""

    def send(self, recipient: Recipient, message: object) -> None:
        """Deliver a message; one for a stopped actor becomes a dead letter.

        If the actor was given a forwarding before it stopped, that says which message goes out instead.
        """
        ...

    def later(self, delay: float, recipient: Recipient, message: object) -> None:
        """Deliver a message after `delay` seconds."""
        ...

    def bury(self, recipient: str, message: object) -> None:
        """Record a message that no actor will handle as a dead letter, and answer its sender."""
        ...

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """The dead letters, oldest first; a runtime may keep only the first ones."""
        ...

    def drain(self, ref: pykka.ActorRef[Any]) -> None:
        """Bury or forward the messages left in the inbox of an actor that has stopped."""
        ...

    def forward(self, ref: pykka.ActorRef[Any], forwarding: Forwarding) -> None:
        """Have requests for this actor sent on to its successor, once it has stopped."""
        ...


class ByteBudget(Protocol):
    """A limited number of bytes, reserved by callers and released from any thread."""

    def acquire(self, holder: object, size: int, timeout: float) -> bool:
        """Reserve `size` bytes for `holder`, in the order of the calls; False after `timeout` seconds without room.

        A reservation larger than the whole budget is granted when nothing else is reserved.
        """
        ...

    def release(self, holder: object) -> None:
        """Release what `holder` has reserved; does nothing if that is nothing. Never blocks."""
        ...

    def holders(self) -> list[Any]:
        """Return the holders of the current reservations, oldest first."""
        ...


class Promises(Protocol):
    """What callers wait for."""

    def promise(self, convert: Callable[[Any], T] | None = None) -> Promise[T]:
        """Return a promise of an answer, which `convert` maps to the promise's value."""
        ...

    def wait_for_all(self, promises: Iterable[Promise[Any]], timeout: float | None = None) -> None:
        """Wait until every promise is settled; RequestTimedOut after `timeout` seconds (default: 30)."""
        ...

    def refuse_to_wait(self) -> None:
        """Raise WaitOnActorThread if an actor is running the caller, as it does a promise's callback."""
        ...

    def budget(self, limit: int) -> ByteBudget:
        """Return a budget of `limit` bytes."""
        ...


class Host(Protocol):
    """Whatever runs: actors and clients."""

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start an actor."""
        ...

    def spawn(self, client: Callable[..., T], *args: Any) -> Promise[T]:
        """Run client code concurrently with the caller; the promise gives what it returns or raises."""
        ...

    def stop(self, ref: pykka.ActorRef[Any]) -> None:
        """Stop an actor after the messages already in its inbox, even if its work is unfinished. Never blocks."""
        ...

    def wait_until_stopped(self, ref: pykka.ActorRef[Any], timeout: float) -> bool:
        """Wait up to `timeout` seconds until an actor has stopped; return whether it has."""
        ...

    def close(self) -> None:
        """Drop pending timers and release the runtime's own resources; its actors must have stopped."""
        ...


class Runtime(Clock, Ids, Mail, Promises, Host, Protocol):
    """All ports together."""


_OFFERED = sorted(
    name for port in (Clock, Ids, Mail, Promises, Host) for name in vars(port) if not name.startswith("_")
)


def checked_runtime(runtime: Any) -> Runtime:
    """Return `runtime`; TypeError, naming what is missing, for an object that is not a runtime."""
    missing = [name for name in _OFFERED if getattr(runtime, name, None) is None]
    if missing:
        raise TypeError(
            f"runtime must offer {', '.join(_OFFERED)}; {type(runtime).__name__} lacks {', '.join(missing)}"
        )
    checked: Runtime = runtime
    return checked
