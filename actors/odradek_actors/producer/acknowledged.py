"""How far a producer has come: what was acknowledged and is not recorded in its own stream yet."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Progress"]


class Progress:
    """Acknowledged batches by their last position. Volatile, but it survives a recovery in place."""

    def __init__(self) -> None:
        self.position = -1  # the highest position acknowledged so far
        self._acknowledged: list[tuple[int, int]] = []  # (last position, count)

    def __bool__(self) -> bool:
        return bool(self._acknowledged)

    def acknowledge(self, last_position: int, count: int) -> None:
        """Take in that `count` messages are stored, the last of them at `last_position`."""
        self.position = max(self.position, last_position)
        self._acknowledged.append((last_position, count))

    def forget(self, through: int) -> None:
        """Drop what is counted up to a position, also where that is learnt from a recovery only."""
        self._acknowledged = [entry for entry in self._acknowledged if entry[0] > through]

    def count_beyond(self, through: int) -> int:
        """Return how many acknowledged messages lie beyond a position."""
        return sum(count for last, count in self._acknowledged if last > through)

    def to_record(self, floors: Iterable[int]) -> tuple[int, int]:
        """Return how many messages can be recorded, and up to which position.

        `floors` are positions above which batches in flight will lie: below the lowest nothing of ours is to come.
        """
        through = min(floors, default=self.position)
        return sum(count for last, count in self._acknowledged if last <= through), through
