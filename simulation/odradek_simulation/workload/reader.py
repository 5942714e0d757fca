"""What one reader, a group or a consumer without one, has received so far.

Its members run side by side and share no lock: each writes a recorder of its own, and one client collects from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from odradek_simulation.checkers.coverage import Coverage
from odradek_simulation.checkers.history import History, Operation, Poll, Recorder

__all__ = ["Reader"]

T = TypeVar("T", bound=Operation)


class Reader:
    """A reader: its members' recorders, and the messages that they received, each counted once.

    With `may_repeat`, a message may come again: the member that had it may have ended before its commit.
    """

    def __init__(self, history: History, name: str, *, may_repeat: bool = False) -> None:
        self.name = name
        self.may_repeat = may_repeat
        self._history = history
        self._seen = Coverage()
        self._members: list[Recorder] = []
        self._collected: list[int] = []  # how many operations of each member

    def new_member(self, name: str) -> Recorder:
        """Return the recorder for a consumer of this reader; may be called by any client."""
        recorder = self._history.client(name, self.name)
        self._members.append(recorder)
        return recorder

    def collect(self) -> None:
        """Count what its members received since the last call. Only one client may call this."""
        self._collected += [0] * (len(self._members) - len(self._collected))
        for number, done in enumerate(self._collected):
            new = self._members[number].operations[done:]
            self._collected[number] += len(new)
            for operation in new:
                if isinstance(operation, Poll):
                    for stretch in operation.messages:
                        self._seen.add(stretch.partition, stretch.begin, stretch.end)

    def operations(self, kind: type[T]) -> Iterator[T]:
        """Yield its members' operations of a kind."""
        return (each for member in self._members for each in member.operations if isinstance(each, kind))

    @property
    def received(self) -> int:
        """How many messages came."""
        return self._seen.added

    @property
    def repeats(self) -> int:
        """How many came again, each time counted."""
        return self._seen.repeated
