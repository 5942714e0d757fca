"""Tasks: what a seeded scheduler chooses between at each step.

Every send is a step. What a task sends goes to its outbox first, and each message leaves the outbox in a step of its
own, in program order. So a scheduler can put other tasks between two sends of one handler, as threads do. A task
handles its next message only after its outbox is empty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from pykka._envelope import Envelope

from odradek_actors.runtime.forwarding import Forwarding

__all__ = ["ActorTask", "Client", "Mailbox", "Task", "TimerTask"]


class Task:
    """One flow of control: an actor, a client, or the timers.

    inbox    what it has received and not yet handled: (message, number of the step that sent it)
    outbox   what it has sent and what has not left yet: (recipient, message)
    is_ready whether it is in the scheduler's list of ready tasks, is running, or is held back from that list
    receive  handles one message
    """

    __slots__ = (
        "delay_ns",
        "inbox",
        "is_alive",
        "is_held",
        "is_ready",
        "name",
        "number",
        "outbox",
        "priority",
        "receive",
    )

    is_client = False

    def __init__(self, name: str, number: int, receive: Callable[[Any], None]) -> None:
        self.name = name
        self.number = number
        self.receive = receive
        self.inbox: deque[tuple[Any, int]] = deque()
        self.outbox: deque[tuple[Any, Any]] = deque()
        self.is_ready = False
        self.is_held = False
        self.is_alive = True
        self.priority = 0.0
        self.delay_ns = 0  # how long it rests after each step, if a fault slows it down

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Mailbox:
    """Stands in for Pykka's inbox: what `ActorRef.tell` puts leaves through the outbox of the task that runs."""

    __slots__ = ("_put", "task")

    def __init__(self, task: ActorTask, put: Callable[[Mailbox, Any], None]) -> None:
        self.task = task
        self._put = put

    def put(self, envelope: Any) -> None:
        """Send a Pykka envelope to the actor."""
        self._put(self, envelope)

    def empty(self) -> bool:
        """Return whether nothing is left to handle."""
        return not self.task.inbox

    def get(self) -> Any:
        """Return the next message as Pykka keeps it."""
        message = self.task.inbox.popleft()[0]
        return message if type(message) is Envelope else Envelope(message)


class ActorTask(Task):
    """An actor with its mailbox. The task keeps the actor alive: Pykka's refs are weak."""

    __slots__ = ("actor", "forwarding", "mailbox")

    def __init__(self, name: str, number: int, put: Callable[[Mailbox, Any], None]) -> None:
        super().__init__(name, number, _receives_nothing)
        self.actor: Any = None
        self.forwarding: Forwarding | None = None
        self.mailbox = Mailbox(self, put)


class TimerTask(Task):
    """All timers, as there is one timer thread. A message that is due is delivered in one step."""

    __slots__ = ()


class Client(Task):
    """A straight-line function that runs concurrently with the actors and waits where it waits on threads.

    `wait_number` identifies the wait that it is in; a wake-up for an earlier one is ignored. `carrier` is what the
    switcher runs it on. `is_dead` makes every wait raise, so that the function ends.
    """

    __slots__ = ("body", "carrier", "is_dead", "is_over", "wait_number")

    is_client = True

    def __init__(self, name: str, number: int, body: Callable[[], None] | None) -> None:
        super().__init__(name, number, _receives_nothing)
        self.body = body
        self.carrier: Any = None
        self.is_dead = False
        self.is_over = False
        self.wait_number = 0


def _receives_nothing(message: Any) -> None:
    """Stand in for `receive` until the task has one."""
    raise AssertionError(f"a task without a handler was given {message!r}")
