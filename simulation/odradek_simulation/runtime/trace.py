"""The trace of a seeded run: what happened in each step, kept as it was and described when somebody looks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from odradek_simulation.runtime.tasks import Mailbox, Task

__all__ = ["StepKind", "Trace", "TracedStep", "described"]

StepKind = Literal["sent", "received", "resumed", "fault", "check"]


class TracedStep(msgspec.Struct, frozen=True, gc=False):
    """One step.

    number     from 1 on; a fault and a check have the number of the step before them
    time       virtual seconds
    task       the name of the task that took the step
    kind       sent: a message left the task's outbox; received: the task handled one; resumed: a client ran
    message    the type of the message
    text       its repr
    peer       sent: the name of the recipient, or "" for a promise
    sent_at    received: the number of the step that sent the message, 0 if it was there from the beginning
    """

    number: int
    time: float
    task: str
    kind: StepKind
    message: str = ""
    text: str = ""
    peer: str = ""
    sent_at: int = 0


class Trace:
    """Records steps. Messages are described at once, because a promise or a mutable payload may change later."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps: list[TracedStep] = []

    def __iter__(self) -> Iterator[TracedStep]:
        return iter(self.steps)

    def sent(self, number: int, now: int, task: Task, recipient: Any, message: Any) -> None:
        """Record that a message left an outbox."""
        mailbox = recipient if type(recipient) is Mailbox else getattr(recipient, "actor_inbox", None)
        peer = mailbox.task.name if type(mailbox) is Mailbox else ""
        kind, text = described(message)
        self.steps.append(TracedStep(number, now / 1e9, task.name, "sent", kind, text, peer))

    def received(self, number: int, now: int, task: Task, message: Any, sent_at: int) -> None:
        """Record that a task handled a message."""
        kind, text = described(message)
        self.steps.append(TracedStep(number, now / 1e9, task.name, "received", kind, text, "", sent_at))

    def resumed(self, number: int, now: int, task: Task) -> None:
        """Record that a client ran."""
        self.steps.append(TracedStep(number, now / 1e9, task.name, "resumed"))

    def happened(self, number: int, now: int, task: str, kind: StepKind, message: str, text: str) -> None:
        """Record a fault or a check."""
        self.steps.append(TracedStep(number, now / 1e9, task, kind, message, text))

    def digest(self) -> str:
        """Return the SHA-256 of all steps, in hexadecimal."""
        return hashlib.sha256(msgspec.json.encode(self.steps)).hexdigest()


def described(message: Any) -> tuple[str, str]:
    """Return the type of a message, without the envelopes of Pykka, Command and Query, and its repr."""
    inner = getattr(message, "message", message) if type(message).__name__ == "Envelope" else message
    body = getattr(inner, "body", inner)
    if type(inner).__name__ == "Reply":
        body = inner.value
        return f"Reply {type(body).__name__}", repr(body)
    return type(body).__name__, repr(body)
