"""What can be folded from events, and the base class of the aggregates: a version, and `apply_all`.

`apply_all` is the only way to change the state, live and in recovery. It is total: it never raises, and an event that
an aggregate does not handle only advances its version. So a forgotten applier would go unnoticed. `require_appliers`
finds it where events are decided, before they are stored.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from odradek_domain.errors import AggregateFailed, NoApplier
from odradek_events.facts import named, public_attributes
from odradek_events.record import type_name
from odradek_events.validation import shown

__all__ = ["Aggregate", "Folded", "Walked"]


class Folded(Protocol):
    """State that is folded from events: `Aggregate` is one."""

    version: int

    def apply_all(self, events: Sequence[Any]) -> None:
        """Apply events in order and advance the version by their number. Must not raise."""
        ...


class Walked(list[Any]):
    """Events of one commit that know how far a loop over them went: which one an aggregate could not apply."""

    __slots__ = ("_walk",)

    def __iter__(self) -> Iterator[Any]:
        self._walk = super().__iter__()
        return self._walk

    def failure(self, stream: str, first_position: int, error: Exception) -> AggregateFailed:
        """Return the error that names the event at which the loop stopped; the first one is at `first_position`."""
        walk = getattr(self, "_walk", None)
        index = 0 if walk is None else max(0, len(self) - operator.length_hint(walk) - 1)
        position = first_position + index
        problem = f"at position {position} ({type_name(self[index])}) its aggregate raised {error!r}; fix the model"
        return AggregateFailed(stream, position, problem)


class Aggregate:
    """Base class of the aggregates: the version of the last applied event (-1: none), and appliers by event type.

    `ignores` lists the event types that the aggregate decides although they do not change its state.
    """

    __slots__ = ("version",)

    appliers: ClassVar[dict[type[Any], Callable[[Any, Any], None]]] = {}
    ignores: ClassVar[Collection[type[Any]]] = ()

    def __init__(self) -> None:
        self.version = -1

    def __repr__(self) -> str:
        facts = public_attributes(self)
        version = facts.pop("version", None)
        return f"<{' '.join([named(self), *(f'{name}={shown(facts[name])}' for name in facts)])} version={version}>"

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

    def require_appliers(self, events: Sequence[Any]) -> None:
        """Raise NoApplier for a decided event whose type the aggregate neither applies nor ignores.

        Events of unregistered types are left to the log, which refuses them. An aggregate with its own `apply_all` is
        not checked.
        """
        if type(self).apply_all is not Aggregate.apply_all:
            return
        for kind in set(map(type, events)).difference(self.appliers, self.ignores):
            if hasattr(kind, "__stored_names__"):
                raise NoApplier(type(self).__name__, kind.__name__)
