"""The tags of decisions: which occur together, how many values a decision has, and which of them divide a unit.

The tags of an event are known if its type is registered. Decisions are counted by the kinds of their units and of their
tags, which are few, however many units and values there are; all figures are derived from these counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, product
from typing import Any, TypeVar

from odradek_boundaries.observe.figures import TagUse, Together
from odradek_boundaries.observe.units import Units
from odradek_boundaries.read_sets import kind_of
from odradek_events.schema.registry import Catalogue

__all__ = ["REST", "UNREADABLE", "Tags"]

REST = "the rest"
"""The unit of events that have none of the tags by which units are told apart."""
UNREADABLE = "unreadable"
"""The unit of events whose tags are not known, where tags tell units apart."""
_MAX_VALUES = 10_000  # of one tag, in units of one kind
_MAX_NOTED = 20_000  # combinations of unit and tags, for each type of event
_MAX_UNITS = 100_000  # whose first value of a tag is kept

_Signature = tuple[tuple[str, bool], ...]  # kinds of tags, and whether a decision has several values of it
_Key = tuple[tuple[str, ...], _Signature | None]  # of a decision: kinds of its units; None: not all tags are known
_Tags = tuple[str, ...]
_T = TypeVar("_T")


class _Values:
    """The values that one tag has in units of one kind."""

    __slots__ = ("divides", "first", "found")

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.first: dict[str, str] = {}  # by unit
        self.divides = False  # a unit has several values

    def compare(self, unit: str, tag: str) -> None:
        """Compare a value with the first one of its unit."""
        first = self.first.get(unit)
        if first is None:
            if len(self.first) < _MAX_UNITS:
                self.first[unit] = tag
        elif first != tag:
            self.divides = True
            self.first.clear()


class _Type:
    """A type of events: its kinds of tags, and what was seen of them."""

    __slots__ = ("by", "is_readable", "kinds", "noted", "signature", "singles", "tags_of", "values")

    def __init__(self, templates: Sequence[str], tags_of: Callable[[Any], _Tags], by: Sequence[str]) -> None:
        self.kinds = tuple(map(kind_of, templates))
        self.tags_of = tags_of
        self.by = next((self.kinds.index(name) for name in by if name in self.kinds), -1)
        self.is_readable = True
        has_one_each = len(set(self.kinds)) == len(self.kinds)
        self.signature = tuple((name, False) for name in sorted(self.kinds)) if has_one_each else None
        self.singles: dict[str, int] = {}  # decisions with one event of this type, by the kind of the unit
        self.values: dict[str, list[_Values]] = {}  # of each tag, by the kind of the unit
        self.noted: set[tuple[str, _Tags]] = set()  # units and tags that `values` has, as far as remembered

    def unit_of(self, tags: _Tags) -> str:
        return tags[self.by] if self.by >= 0 else REST if self.is_readable else UNREADABLE


class Tags:
    """The tags of the decisions of a log. Units are streams, or what the first tag of a kind in `by` names."""

    def __init__(self, units: Units, catalogue: Catalogue, by: Sequence[str]) -> None:
        self.unreadable = 0  # events
        self._units, self._catalogue, self._by = units, catalogue, by
        self._types: dict[type[Any], _Type] = {}
        self._mixed: Counter[_Key] = Counter()  # the decisions that `singles` of a type does not count
        self._values: dict[tuple[str, str], _Values] = {}  # by kind of unit, kind of tag

    def add(self, stream: str, events: Sequence[Any]) -> tuple[str, ...]:
        """Count a decision, and return its units, in the order of its events."""
        if len(events) == 1:  # takes a third less for most decisions of most logs
            event = events[0]
            kind = self._types.get(type(event)) or self._learn(type(event))
            tags = kind.tags_of(event)
            name = kind.unit_of(tags) if self._by else stream
            unit = self._units.of(name)
            unit.decisions += 1
            unit.events += 1
            if kind.signature is None:
                self._mixed[(unit.kind,), _signature([(kind, tags)])] += 1
            else:
                kind.singles[unit.kind] = kind.singles.get(unit.kind, 0) + 1
            if (name, tags) not in kind.noted:
                self._note(name, unit.kind, kind, tags)
            return (unit.name or name,)
        return self._add_several(stream, events)

    def _add_several(self, stream: str, events: Sequence[Any]) -> tuple[str, ...]:
        found: dict[tuple[_Type, _Tags], int] = {}
        for event in events:
            kind = self._types.get(type(event)) or self._learn(type(event))
            key = kind, kind.tags_of(event)
            found[key] = found.get(key, 0) + 1
        units = _by_unit(found) if self._by else {stream: len(events)}
        kinds: dict[str, None] = {}
        for name, count in units.items():
            unit = self._units.of(name)
            unit.decisions += 1
            unit.events += count
            kinds[unit.kind] = None
        self._mixed[tuple(kinds), _signature(found)] += 1
        for kind, tags in found:
            name = kind.unit_of(tags) if self._by else stream
            if (name, tags) not in kind.noted:
                self._note(name, self._units.kind_of(name), kind, tags)
        return tuple(units)

    def decisions(self) -> Counter[str]:
        """Return the number of decisions that touch each kind of unit."""
        return _sums((kinds, count) for (kinds, _), count in self._counts())

    def uses(self) -> tuple[TagUse, ...]:
        """Return how the decisions in each kind of unit use each tag, where all tags are known."""
        readable = [(kinds, signature, count) for (kinds, signature), count in self._counts() if signature is not None]
        total = _sums((kinds, count) for kinds, _, count in readable)
        used = _sums((product(kinds, signature), count) for kinds, signature, count in readable)
        return tuple(
            TagUse(
                kind,
                tag,
                total[kind],
                used[kind, (tag, False)],
                used[kind, (tag, True)],
                len(values.found),
                values.divides,
            )
            for (kind, tag), values in sorted(self._values.items())
        )

    def together(self) -> tuple[Together, ...]:
        """Return each pair of tags that decisions have together, the most frequent first."""
        tags = [([tag for tag, _ in signature], count) for (_, signature), count in self._counts() if signature]
        alone = _sums(tags)
        both = _sums((combinations(names, 2), count) for names, count in tags)
        return tuple(
            Together(tag, other, alone[tag], alone[other], count)
            for (tag, other), count in sorted(both.items(), key=lambda item: (-item[1], item[0]))
        )

    def _counts(self) -> Iterator[tuple[_Key, int]]:
        yield from self._mixed.items()
        for kind in self._types.values():
            yield from ((((name,), kind.signature), count) for name, count in kind.singles.items())

    def _learn(self, cls: type[Any]) -> _Type:
        kind = self._catalogue.by_class(cls)
        if kind is not None:
            found = _Type(kind.templates, kind.tags_of, self._by)
        else:
            found = _Type((), self._no_tags, self._by)
            found.is_readable, found.signature = False, None
        self._types[cls] = found
        return found

    def _no_tags(self, _: Any) -> _Tags:
        self.unreadable += 1
        return ()

    def _note(self, unit: str, unit_kind: str, kind: _Type, tags: _Tags) -> None:
        """Note the values of tags in a unit."""
        if len(kind.noted) >= _MAX_NOTED:
            kind.noted.clear()
        kind.noted.add((unit, tags))
        found = kind.values.get(unit_kind)
        if found is None:
            keys = [(unit_kind, name) for name in kind.kinds]
            found = kind.values[unit_kind] = [self._values.setdefault(key, _Values()) for key in keys]
        for values, tag in zip(found, tags, strict=True):
            if tag not in values.found and len(values.found) < _MAX_VALUES:
                values.found.add(tag)
            if not values.divides:
                values.compare(unit, tag)


def _by_unit(found: dict[tuple[_Type, _Tags], int]) -> dict[str, int]:
    units: dict[str, int] = {}
    for (kind, tags), count in found.items():
        name = kind.unit_of(tags)
        units[name] = units.get(name, 0) + count
    return units


def _signature(found: Iterable[tuple[_Type, _Tags]]) -> _Signature | None:
    values: dict[str, set[str]] = {}
    for kind, tags in found:
        if not kind.is_readable:
            return None
        for name, tag in zip(kind.kinds, tags, strict=True):
            values.setdefault(name, set()).add(tag)
    return tuple((name, len(values[name]) > 1) for name in sorted(values))


def _sums(counted: Iterable[tuple[Iterable[_T], int]]) -> Counter[_T]:
    """Return for each item the sum of the counts that it comes with."""
    found: Counter[_T] = Counter()
    for items, count in counted:
        for item in items:
            found[item] += count
    return found
