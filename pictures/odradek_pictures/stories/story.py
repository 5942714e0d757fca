"""What happened, step by step: the model that swimlanes and step tables show.

A `Story` does not say where it comes from: a simulated run, two commands of the boundary lab, a conversation in a log.
Each step happens in one lane (an actor, a client, an aggregate), at a time.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from enum import Enum

import msgspec

__all__ = ["Kind", "Step", "Story"]

_MARKS = ("", "A", "B", "C")


class Kind(Enum):
    """What a step is; the values are how tables show it."""

    SENT = "sends"
    """A message left the lane. The step that handles it names this one as its cause."""
    HANDLED = "handles"
    """The lane handled a message."""
    TIMER = "timer"
    """A timer of the lane fired."""
    RESUMED = "resumes"
    """A client that was waiting continued."""
    NOTE = "does"
    """Anything else that the lane did: it read, decided, appended."""
    FAULT = "fault"
    """A fault struck the lane, or all of them."""
    FAILED = "FAILED"
    """A check failed."""


_MESSAGES = (Kind.SENT, Kind.HANDLED)


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One step, at a time in seconds, in a lane such as `topic/orders`; an empty lane stands for all lanes.

    `label` is short (a message type, the name of a fault); `detail` may be long (a payload), and is cut where there is
    little room. `cause` is the number of the step that led to this one, most often by sending the message handled here.
    Where there is no such step, `peer` is the lane at the other end of the arrow: the recipient of a message that was
    not handled, or a sender. `until` is the number of the step that ends what this one began, such as a pause. `mark`,
    one of A, B and C, makes a step stand out. `name` is what readers see in place of the number, if the source of the
    story counts differently.
    """

    number: int
    at: float
    lane: str
    kind: Kind
    label: str
    detail: str = ""
    cause: int | None = None
    peer: str = ""
    until: int | None = None
    mark: str = ""
    name: str | None = None

    @property
    def shown_number(self) -> str:
        """The number as readers see it."""
        return str(self.number) if self.name is None else self.name


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Steps in the order in which they happened.

    `lanes` are the lanes from left to right; if empty, a good order is found. `background` are lanes that most readers
    need not see, such as a journal that every message passes through.

    Raises ValueError unless numbers rise, times are finite and never fall, causes are earlier steps of a lane, and each
    message has a lane.
    """

    title: str
    steps: tuple[Step, ...]
    lanes: tuple[str, ...] = ()
    background: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        before: Step | None = None
        earlier = set[int]()
        for step in self.steps:
            if not math.isfinite(step.at):
                raise ValueError(f"step {step.number} has the time {step.at}; use a finite number of seconds")
            if before and (step.number <= before.number or step.at < before.at):
                raise ValueError(
                    f"step {step.number} at {step.at} s follows step {before.number} at {before.at} s; "
                    "pass the steps in the order in which they happened"
                )
            if step.cause is not None and step.cause not in earlier:
                raise ValueError(
                    f"step {step.number} has the cause {step.cause}, which is not an earlier step of a lane; "
                    "name the sender as its peer instead"
                )
            if not step.lane and (step.kind in _MESSAGES or step.cause is not None or step.peer):
                raise ValueError(f"step {step.number} sends or handles a message without a lane; name its lane")
            if step.mark not in _MARKS:
                raise ValueError(f"step {step.number} has the mark {step.mark!r}; use A, B or C")
            if step.lane:
                earlier.add(step.number)
            before = step

    def step(self, number: int) -> Step:
        """Return the step with this number; raise KeyError if there is none."""
        place = bisect_left(self.steps, number, key=_number)
        if place == len(self.steps) or self.steps[place].number != number:
            raise KeyError(number)
        return self.steps[place]

    def sender(self, step: Step) -> str:
        """Return the lane that sent what a step handled, if it is known; of a sending step, its `peer`."""
        return step.peer if step.cause is None else self.step(step.cause).lane

    def other_ends(self) -> dict[int, str]:
        """Return the lanes at the other ends of the arrows, senders and recipients, by the numbers of steps."""
        ends: dict[int, str] = {}
        for step in self.steps:
            if sender := self.sender(step):
                ends[step.number] = sender
            if step.cause is not None and self.step(step.cause).kind is Kind.SENT:
                ends[step.cause] = step.lane
        return ends

    def foreground(self) -> Story:
        """Return the story without the background: its steps, and the messages to and from it.

        Faults, failed checks and marked steps stay.
        """
        hidden, ends = {*self.background}, self.other_ends()
        kept = {
            step.number
            for step in self.steps
            if step.mark
            or step.kind in (Kind.FAULT, Kind.FAILED)
            or hidden.isdisjoint((step.lane, ends.get(step.number, "")))
        }
        steps = tuple(
            step
            if step.cause is None or step.cause in kept
            else msgspec.structs.replace(step, cause=None, peer=self.step(step.cause).lane)
            for step in self.steps
            if step.number in kept
        )
        return msgspec.structs.replace(self, steps=steps)


def _number(step: Step) -> int:
    return step.number
