"""The events that a policy has read and whose commands are not all answered yet, in the order of the log.

Answers arrive in any order. The policy's position is below its oldest event under way, so that a restart repeats later
ones too, and loses none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from odradek_events.record import Recorded
from odradek_events.types import SentCommand

__all__ = ["Pending", "Window"]


@dataclass(slots=True)
class Pending:
    """An event under way: how often it failed, and the answers of the last attempt."""

    recorded: Recorded
    failures: int = 0
    unanswered: int = 0
    error: Exception | None = None  # the first of the last attempt
    streams: tuple[str, ...] = ()  # that the commands were sent to
    retry: int = 0  # the number of the tick that has it retried
    is_done: bool = False

    def begin(self, streams: tuple[str, ...]) -> None:
        """Note that a command was sent to each of these streams."""
        self.streams, self.unanswered, self.error = streams, len(streams), None

    def answered(self, value: object) -> bool:
        """Note an answer, an exception if the command failed; return whether it was the last one."""
        self.unanswered -= 1
        if isinstance(value, Exception) and self.error is None:
            self.error = value
        return not self.unanswered


class Window:
    """The events under way of a policy that has reacted to every event up to `position`; at most `size` of them."""

    def __init__(self, position: int, size: int) -> None:
        self.position = self.read_through = position
        self.sent: list[SentCommand] = []  # up to `position`, and not yet recorded
        self._size = size
        self._pending: deque[Pending] = deque()

    @property
    def room(self) -> int:
        """How many events can be added."""
        return self._size - len(self._pending)

    def add(self, events: tuple[Recorded, ...], position: int) -> list[Pending]:
        """Add the events read last; `position` is how far the log was read."""
        added = [Pending(recorded) for recorded in events]
        self._pending += added
        self.read_through = position
        self._advance()
        return added

    def to_retry(self, number: int) -> Pending | None:
        """Return the event that the tick of this number has retried."""
        return next((each for each in self._pending if each.retry == number), None)

    def finish(self, pending: Pending) -> None:
        """Note that the commands of an event have succeeded."""
        pending.is_done = True
        self._advance()

    def forget(self, position: int) -> None:
        """Forget the commands that are recorded: those sent because of events up to this position."""
        if self.sent and self.sent[0].position <= position:
            self.sent = [each for each in self.sent if each.position > position]

    def _advance(self) -> None:
        pending = self._pending
        while pending and pending[0].is_done:
            done = pending.popleft()
            self.sent += [SentCommand(done.recorded.position, stream) for stream in done.streams]
        self.position = pending[0].recorded.position - 1 if pending else self.read_through
