"""Units, what happened in each, and the hops between them.

The units that a log has first get figures of their own, up to a limit; all later ones of a kind share theirs. So memory
is bounded, and the sums remain exact.
"""

from __future__ import annotations

from collections import Counter

from odradek_boundaries.observe.figures import Hop, KindFigures, UnitFigures

__all__ = ["Unit", "Units"]

_MAX_UNITS = 100_000
_MAX_HOPS = 100_000


class Unit:
    """The figures of a unit while the log is read; of many units of a kind, if it has no name."""

    __slots__ = ("conversations", "decisions", "events", "kind", "name")

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        self.decisions = self.events = self.conversations = 0

    def figures(self) -> UnitFigures:
        """Return the figures as a value."""
        return UnitFigures(self.kind, self.name, self.decisions, self.events, self.conversations)


class Units:
    """All units of a log. `separator` ends the kind in the name of a unit."""

    def __init__(self, separator: str, most: int = _MAX_UNITS) -> None:
        self._separator, self._most = separator, most
        self._named: dict[str, Unit] = {}
        self._others: dict[str, Unit] = {}  # by kind
        self._hops: dict[tuple[str, str], int] = {}
        self._other_hops: dict[tuple[str, str], int] = {}  # by kind

    def kind_of(self, name: str) -> str:
        """Return the kind of a unit."""
        return name.partition(self._separator)[0]

    def of(self, name: str) -> Unit:
        """Return the figures of a unit."""
        found = self._named.get(name)
        if found is None:
            kind = self.kind_of(name)
            if len(self._named) >= self._most:
                return self._rest(kind)
            found = self._named[name] = Unit(kind, name)
        return found

    def add_hop(self, source: str, target: str) -> None:
        """Count a hop."""
        hops, hop = self._hops, (source, target)
        if hop not in hops and len(hops) >= _MAX_HOPS:
            hops, hop = self._other_hops, (self.kind_of(source), self.kind_of(target))
        hops[hop] = hops.get(hop, 0) + 1

    def kinds(self, decisions: dict[str, int], conversations: dict[str, int]) -> tuple[KindFigures, ...]:
        """Return the figures of each kind, whose decisions and conversations were counted elsewhere."""
        named: dict[str, int] = {}
        events: dict[str, int] = {}
        for unit in (*self._named.values(), *self._others.values()):
            named[unit.kind] = named.get(unit.kind, 0) + bool(unit.name)
            events[unit.kind] = events.get(unit.kind, 0) + unit.events
        return tuple(
            KindFigures(
                kind,
                named[kind],
                kind in self._others,
                decisions[kind],
                events[kind],
                conversations.get(kind, 0),
            )
            for kind in sorted(named)
        )

    def graph(self, limit: int) -> tuple[tuple[UnitFigures, ...], tuple[Hop, ...]]:
        """Return the busiest units, what is left of each kind, and the hops between all of these."""
        ranked = sorted(self._named.values(), key=lambda unit: (-unit.conversations, -unit.events, unit.name))
        figures = ranked[:limit]
        places = {unit.name: number for number, unit in enumerate(figures)}
        rests: dict[str, int] = {}

        def rest_of(kind: str) -> int:
            if kind not in rests:
                rests[kind] = len(figures)
                figures.append(Unit(kind, ""))
            return rests[kind]

        def place_of(name: str) -> int:
            return places[name] if name in places else rest_of(self.kind_of(name))

        for unit in (*ranked[limit:], *self._others.values()):
            together = figures[rest_of(unit.kind)]
            together.decisions += unit.decisions
            together.events += unit.events
            together.conversations += unit.conversations
        hops: Counter[tuple[int, int]] = Counter()
        for (source, target), count in self._hops.items():
            hops[place_of(source), place_of(target)] += count
        for (source, target), count in self._other_hops.items():
            hops[rest_of(source), rest_of(target)] += count
        ordered = sorted(hops.items(), key=lambda item: (-item[1], item[0]))
        return (
            tuple(unit.figures() for unit in figures),
            tuple(Hop(source, target, count) for (source, target), count in ordered),
        )

    def _rest(self, kind: str) -> Unit:
        found = self._others.get(kind)
        if found is None:
            found = self._others[kind] = Unit(kind, "")
        return found
