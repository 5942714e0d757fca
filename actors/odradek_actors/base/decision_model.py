"""Decisions on facts beyond an actor's own stream, as in the DCB specification (dcb.events).

A decision model is a query and the state that folds its matching events. Its states are kept, each with the position
that it is folded up to, so that the next decision with the same model reads only the events after that. Considered: to
decide on a kept state at once, and to read only after the log refused the append. That would save a read, some 60 us,
where nobody else writes; but where actors race, most commands would take two appends, and a refusal would need the read
in any case.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from odradek_domain.aggregate import Folded
from odradek_events.record import Query
from odradek_events.validation import check_function, check_instance

__all__ = ["DecisionModel", "ModelStates"]

_KEPT = 16


class DecisionModel(msgspec.Struct, frozen=True):
    """The facts that a command is decided on besides the actor's own stream.

    `initial` returns the state before the first event, usually an aggregate's class. The state gets the events of the
    whole log that match `query`, in order; its version counts them. Models are equal if both fields are.
    """

    query: Query
    initial: Callable[[], Folded]

    def __post_init__(self) -> None:
        """Raise TypeError for a field of a wrong type, ValueError for a query without items."""
        check_instance("query", self.query, Query, "a Query")
        if not self.query.items:
            raise ValueError("a query without items matches no event; add items, or return None from reads()")
        if self.initial is None:
            raise TypeError("initial must be a function that returns the state before the first event, not None")
        check_function("initial", self.initial)


class ModelStates:
    """The states of the decision models that were used last, each with the position it is folded up to."""

    def __init__(self, limit: int = _KEPT) -> None:
        self._limit = limit
        self._known: OrderedDict[DecisionModel, tuple[Folded, int]] = OrderedDict()

    def position_of(self, model: DecisionModel) -> int:
        """Return the position that the model's state is folded up to; -1 if there is no state."""
        known = self._known.get(model)
        return -1 if known is None else known[1]

    def advance(self, model: DecisionModel, events: Sequence[Any], position: int) -> Folded:
        """Fold the matching events after `position_of(model)`, up to `position`, and return the state.

        If that raises, the state is dropped, since it may be corrupt.
        """
        known = self._known.pop(model, None)
        state = model.initial() if known is None else known[0]
        state.apply_all(events)
        self._known[model] = (state, position)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return state
