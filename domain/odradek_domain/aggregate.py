"""The base class of the aggregates: a version, and `apply_all`.

`apply_all` is the only way to change the state, live and in recovery. It is total: it never raises, and an event that
an aggregate does not handle only advances its version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

__all__ = ["Aggregate"]


class Aggregate:
    """Base class of the aggregates: the version of the last applied event (-1: none), and appliers by event type."""

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
