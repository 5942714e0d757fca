"""The facts of one run: the log that judges every append, an index of its facts, and states folded from them.

The verdict is always the log's. The lab classifies each append itself too, by the facts since the read, because the log
says only that something landed, not whether the decision had read it. The two must agree.

Folds are kept by read-set and continued from where they ended: a run that folded each read-set from its first fact
again took 40 times as long.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from odradek_boundaries.decisions import Decider, Folded
from odradek_boundaries.read_sets import Fact, Facts, Selection
from odradek_events.errors import ConditionNotMet
from odradek_events.log.memory import MemoryLog
from odradek_events.record import Append, Condition, Rejected

__all__ = ["START", "CannotFold", "History", "fold"]

START = datetime(2000, 1, 1, tzinfo=UTC)
"""The time at which every run begins."""
_SCANNED = 24  # facts: reading so few one by one takes less time than looking them up


class CannotFold(Exception):
    """A state could not be folded from a read-set: `apply` raised."""

    def __init__(self, decider: str, error: Exception) -> None:
        super().__init__(f"{decider}: {error!r}")
        self.decider, self.error = decider, error


class History:
    """The facts appended so far, by position."""

    def __init__(self, begins: Sequence[Fact]) -> None:
        self.facts: list[Fact] = []
        self.log = MemoryLog()
        self._by_tag: dict[str, dict[str, list[int]]] = {}  # by tag, then by type
        self._by_name: dict[str, list[int]] = {}
        self._folds: dict[tuple[Decider, Facts], _Fold] = {}
        self._sizes: dict[Selection, list[int]] = {}
        if begins:
            self.append("system/begin", begins, None, -1, 0.0)

    def append(self, stream: str, facts: Sequence[Fact], check: Selection | None, after: int, at_ms: float) -> bool:
        """Append facts unless one that `check` selects was appended after a position; return whether it was done."""
        is_refused = check is not None and check.matches_any(self.facts[after + 1 :])
        request = Append(
            stream=stream,
            events=[fact.event for fact in facts],
            condition=None if check is None else Condition(check.query, after),
        )
        (verdict,) = self.log.append([request], START + timedelta(milliseconds=at_ms))
        if isinstance(verdict, Rejected):
            if not isinstance(verdict.error, ConditionNotMet):
                raise verdict.error
            assert is_refused, f"the log refused {facts} ({verdict.error}), and the lab did not"
            return False
        assert not is_refused, f"the lab refused {facts} by {check and check.query}, and the log did not"
        self.add(facts)
        return True

    def add(self, facts: Iterable[Fact]) -> None:
        """Add facts without the log."""
        for fact in facts:
            position, name = len(self.facts), fact.name
            self.facts.append(fact)
            self._by_name.setdefault(name, []).append(position)
            for tag in fact.tags:
                self._by_tag.setdefault(tag, {}).setdefault(name, []).append(position)

    def select(self, selection: Selection, first: int = 0) -> list[Any]:
        """Return the events from a position on that a selection matches, in order."""
        facts = self.facts
        if len(facts) - first <= _SCANNED:
            return [fact.event for fact in facts[first:] if selection.matches(fact)]
        found: list[int] = []
        for types, tags in selection.items:
            if not types and not tags:
                return [fact.event for fact in facts[first:]]
            for by_name in (self._by_tag.get(tag, {}) for tag in sorted(tags)[:1]) if tags else (self._by_name,):
                for name in types or by_name:
                    positions = by_name.get(name)
                    if positions and positions[-1] >= first:
                        later = positions[bisect_left(positions, first) :]
                        found += later if len(tags) < 2 else [each for each in later if tags <= facts[each].tags]
        return [facts[position].event for position in sorted(set(found))]

    def size(self, selection: Selection) -> int:
        """Return how many facts a selection matches."""
        known = self._sizes.get(selection)
        if known is None:
            known = self._sizes[selection] = [0, 0]
        end = len(self.facts)
        if known[1] < end:
            known[0] += len(self.select(selection, known[1]))
            known[1] = end
        return known[0]

    def state(self, decider: Decider, reads: Facts, command: Any) -> tuple[Folded, int]:
        """Return the state folded from a read-set, and the number of its facts; raise CannotFold if `apply` does."""
        key = (decider, reads)
        known = self._folds.get(key)
        if known is None:
            known = self._folds[key] = _Fold(decider.state(command))
        if known.error is not None:
            raise known.error
        end = len(self.facts)
        if known.position < end:
            events = self.select(reads, known.position)
            known.position = end
            known.count += len(events)
            if events:
                try:
                    fold(decider, known.state, events)
                except CannotFold as error:
                    known.error = error
                    raise
        return known.state, known.count


class _Fold:
    __slots__ = ("count", "error", "position", "state")

    def __init__(self, state: Folded) -> None:
        self.state, self.position, self.count = state, 0, 0
        self.error: CannotFold | None = None


def fold(decider: Decider, state: Folded, events: Sequence[Any]) -> Folded:
    """Apply events to a state; raise CannotFold if `apply` does."""
    try:
        state.apply_all(events)
    except Exception as error:
        raise CannotFold(decider.name, error) from error
    return state
