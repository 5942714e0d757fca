"""The trace of a seeded run: what happened in each step, kept as it was and described when somebody looks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Literal, Protocol

import msgspec
from pykka._envelope import Envelope

from odradek_actors.messages.core import Command, Forward, Query, Reply, Tick
from odradek_simulation.runtime.tasks import Mailbox, Task

__all__ = ["Observer", "StepKind", "Trace", "TracedStep", "described"]

StepKind = Literal["sent", "received", "resumed", "fault", "check"]
_LONGEST_NAME = 40
_REF = re.compile(r"<ActorRef for \w+ \(urn:odradek:([^)]*)\)>")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class TracedStep(msgspec.Struct, frozen=True, gc=False):
    """One step.

    number     from 1 on; a fault and a check have the number of the step before them
    time       virtual seconds
    task       the name of the task that took the step
    kind       sent: a message left the task's outbox; received: the task handled one; resumed: a client ran
    message    the type of the message, or what a fault and a check are called
    text       the repr of the message
    peer       sent: the name of the recipient; of a promise, the task that made it
    sent_at    received: the number of the step that sent the message; resumed: of the step that woke the client; 0 if
               no step did
    """

    number: int
    time: float
    task: str
    kind: StepKind
    message: str = ""
    text: str = ""
    peer: str = ""
    sent_at: int = 0


class Observer(Protocol):
    """Is told of every step; `picked` is given the name of the task that was picked, for each choice."""

    picked: list[str]

    def sent(self, number: int, now: int, task: Task, recipient: Any, message: Any) -> None:
        """Take note of a message that leaves an outbox."""
        ...

    def received(self, number: int, now: int, task: Task, message: Any, sent_at: int) -> None:
        """Take note of a message that is handled next."""
        ...

    def resumed(self, number: int, now: int, task: Task, woken_at: int) -> None:
        """Take note of a client that runs next, because of the step `woken_at` or, if that is 0, of the time."""
        ...


class Trace:
    """Records steps. Messages are described at once, because a promise or a mutable payload may change later.

    `picked` has the name of the task that was picked, for each choice.
    """

    __slots__ = ("picked", "steps")

    def __init__(self) -> None:
        self.steps: list[TracedStep] = []
        self.picked: list[str] = []

    def __iter__(self) -> Iterator[TracedStep]:
        return iter(self.steps)

    def sent(self, number: int, now: int, task: Task, recipient: Any, message: Any) -> None:
        """Record that a message left an outbox."""
        mailbox = recipient if type(recipient) is Mailbox else getattr(recipient, "actor_inbox", None)
        owner = mailbox.task if type(mailbox) is Mailbox else getattr(recipient, "owner", None)
        peer = "" if owner is None else owner.name
        kind, text = described(message)
        self.steps.append(TracedStep(number, now / 1e9, task.name, "sent", kind, text, peer))

    def received(self, number: int, now: int, task: Task, message: Any, sent_at: int) -> None:
        """Record that a task handled a message."""
        kind, text = described(message)
        self.steps.append(TracedStep(number, now / 1e9, task.name, "received", kind, text, "", sent_at))

    def resumed(self, number: int, now: int, task: Task, woken_at: int) -> None:
        """Record that a client ran."""
        self.steps.append(TracedStep(number, now / 1e9, task.name, "resumed", sent_at=woken_at))

    def happened(self, number: int, now: int, task: str, kind: StepKind, message: str, text: str) -> None:
        """Record a fault or a check."""
        self.steps.append(TracedStep(number, now / 1e9, task, kind, message, _readable(text)))

    def digest(self) -> str:
        """Return the SHA-256 of all steps, in hexadecimal."""
        return hashlib.sha256(msgspec.json.encode(self.steps)).hexdigest()


def described(message: Any) -> tuple[str, str]:
    """Return what a message is, without the envelopes of Pykka, Command and Query, and its repr.

    It is called by its type; a text by itself; a tuple that begins with a text, as plain actors often send, by that.
    """
    inner: Any = message.message if type(message) is Envelope else message
    prefix = ""
    if type(inner) is Reply:
        inner, prefix = inner.value, "Reply "
    elif type(inner) is Forward:
        prefix = f"Forward to {inner.stream}: "
        inner = inner.request
    body = inner.body if type(inner) in (Command, Query) else inner
    if type(body) is tuple and body and type(body[0]) is str:
        name = body[0]
    elif type(body) is list and body:
        name = f"list of {type(body[0]).__name__}"
    elif type(body) is Tick:
        name = f"Tick {body.purpose}"
    else:
        name = repr(body) if body is None or type(body) is str else type(body).__name__
    return prefix + _shortened(name), _readable(repr(body))


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _readable(text: str) -> str:
    """Replace refs by the names of their actors, and leave out addresses, which differ from run to run."""
    if "<ActorRef" in text:
        text = _REF.sub(r"\1", text)
    return _ADDRESS.sub("", text) if " at 0x" in text else text
