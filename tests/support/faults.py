"""A runtime whose actors raise one exception at a chosen point: while they handle a message, before it or after it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import pykka

from odradek_actors.messages.core import Command, Query, Recipient, Reply, Tick
from odradek_actors.runtime.threads import ThreadedRuntime

A = TypeVar("A", bound=pykka.Actor)

WHEN = ("before", "first send", "second send", "after")


class Point(NamedTuple):
    """The n-th message of a kind that actors of a class handle."""

    actor: str
    message: str
    number: int


class Fault(NamedTuple):
    """What is raised, and where: before or after the handler, or in place of the first or second message it sends."""

    point: Point
    when: str
    error: Callable[[], BaseException]


class FaultyRuntime(ThreadedRuntime):
    """Records every point that its actors reach in `points`; raises the error of `fault` once, at its point."""

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__()
        self.points: list[Point] = []
        self.has_fired = False
        self._fault = fault
        self._counts: Counter[tuple[str, str]] = Counter()
        self._asked: dict[int, str] = {}  # what a request asks for, by its number
        self._lock = threading.Lock()
        self._current = threading.local()
        self._watched: dict[type[Any], type[Any]] = {}

    def start(self, actor_class: type[A], *args: Any) -> pykka.ActorRef[A]:
        """Start an actor of a subclass that passes each of its messages through this runtime."""
        watched = self._watched.get(actor_class)
        if watched is None:
            watched = self._watched[actor_class] = _watched(actor_class)
        return super().start(watched, *args)

    def send(self, recipient: Recipient, message: object) -> None:
        """Send a message, or raise the error that is due in its place."""
        self._count_down()
        super().send(recipient, message)

    def later(self, delay: float, recipient: Recipient, message: object) -> None:
        """Send a message later, or raise the error that is due in its place."""
        self._count_down()
        super().later(delay, recipient, message)

    def _count_down(self) -> None:
        left = getattr(self._current, "sends_left", 0)
        self._current.sends_left = left - 1
        if left == 1:
            self._fire()

    def _fire(self) -> None:
        assert self._fault is not None
        self.has_fired = True
        raise self._fault.error()

    def asked(self, number: int, body: object) -> None:
        """Note what a request asks for."""
        self._asked[number] = type(body).__name__

    def handle(self, actor: str, message: object, handle: Callable[[Any], object]) -> None:
        """Handle a message, and raise the error that is due at it."""
        with self._lock:
            kind = self._kind(message)
            self._counts[actor, kind] += 1
            point = Point(actor, kind, self._counts[actor, kind])
            self.points.append(point)
        when = self._fault.when if self._fault is not None and self._fault.point == point else ""
        if when == "before":
            self._fire()
        self._current.sends_left = {"first send": 1, "second send": 2}.get(when, 0)
        try:
            handle(message)
        finally:
            self._current.sends_left = 0
        if when == "after":
            self._fire()

    def _kind(self, message: object) -> str:
        if isinstance(message, Command | Query):
            return type(message.body).__name__
        if isinstance(message, Reply):
            return f"answer to {self._asked.get(message.request_id, 'nothing')}"
        if isinstance(message, Tick):
            return f"Tick {message.purpose.partition(':')[0]}"
        return type(message).__name__


def _watched(actor_class: Any) -> Any:
    """Return a subclass that passes its messages and requests through the runtime."""

    def request(self: Any, recipient: Recipient, body: object, *args: Any, **how: Any) -> int:
        number: int = actor_class.request(self, recipient, body, *args, **how)
        self.runtime.asked(number, body)
        return number

    def handle_message(self: Any, message: object) -> None:
        self.runtime.handle(actor_class.__name__, message, partial(actor_class.handle_message, self))

    members = {"__module__": actor_class.__module__, "request": request, "handle_message": handle_message}
    return type(actor_class.__name__, (actor_class,), members)
