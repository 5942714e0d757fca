"""What the aggregates share: a version, and one way to change.

`apply_all` is the only path to state, live and in recovery. It is total: it never refuses, and an event that an
aggregate has no use for only advances its version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

__all__ = ["Aggregate"]


class Aggregate:
    """Base of the aggregates: the version of the last applied event (-1: none), and appliers by event type."""

    __slots__ = ("version",)

    appliers: ClassVar[dict[type[Any], Callable[[Any, Any], None]]] = {}

    def __init__(self) -> None:
        self.version = -1

    def apply(self, event: object) -> None:
        """Apply one event."""
        self.apply_all((event,))

    def apply_all(self, events: Sequence[Any]) -> None:
        """Apply events in order."""
        find = self.appliers.get
        for event in events:
            applier = find(type(event))
            if applier is not None:
                applier(self, event)
        self.version += len(events)
