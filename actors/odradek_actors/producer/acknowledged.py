"""The messages of a producer that are acknowledged but not yet recorded in its own stream."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Progress"]


class Progress:
    """Acknowledged batches by their last position. Volatile, but it survives a recovery in place."""

    def __init__(self) -> None:
        self.position = -1  # the highest acknowledged position
        self._acknowledged: list[tuple[int, int]] = []  # (last position, count)

    def __bool__(self) -> bool:
        return bool(self._acknowledged)

    def acknowledge(self, last_position: int, count: int) -> None:
        """Add `count` stored messages, the last of them at `last_position`."""
        self.position = max(self.position, last_position)
        self._acknowledged.append((last_position, count))

    def forget(self, through: int) -> None:
        """Drop the messages up to a position: they are recorded, as seen in an append or in a recovery."""
        self._acknowledged = [entry for entry in self._acknowledged if entry[0] > through]

    def count_beyond(self, through: int) -> int:
        """Return the number of acknowledged messages beyond a position."""
        return sum(count for last, count in self._acknowledged if last > through)

    def to_record(self, floors: Iterable[int]) -> tuple[int, int]:
        """Return how many messages can be recorded, and up to which position.

        Each of `floors` lies below a batch in flight, so no batch in flight will be stored below the lowest of them.
        """
        through = min(floors, default=self.position)
        return sum(count for last, count in self._acknowledged if last <= through), through
