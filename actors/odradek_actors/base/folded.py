"""What an actor needs of the state that it folds from events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["Folded"]


class Folded(Protocol):
    """State that is folded from events: `odradek.Aggregate` is one."""

    version: int

    def apply_all(self, events: Sequence[Any]) -> None:
        """Apply events in order and advance the version by their number. Must not raise."""
        ...
