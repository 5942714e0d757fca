"""Consistency boundaries: from the facts that a decision reads to the facts that its append checks.

A *unit* is what is version-checked together. `Boundary("topic", by=("owner", "topic"))` says that the first kind of tag
in `by` that a class of facts has names its unit: a commit of offsets belongs to `owner:group/billing`, a message to
`topic:orders`. Facts with none of them belong to the rest; `by=()` makes one unit of the whole system.

    checks      the append is refused if since the read a fact landed in ...
    units       any unit that the decision reads: aggregates that are locked together
    written     any unit that it writes: the rule of snapshot isolation (first committer wins)
    unit        the unit of its first fact; its facts for further units follow one by one, unchecked: a policy or saga
    facts       what it reads: a query per decision, or dynamic consistency boundary (dcb.events)

Or `checks` is a function of your own, from the read-set and the events written to a Query.

Where a read-set does not fix its unit, such as "all topics", the unit is a wildcard (`every topic`), never one that is
chosen silently. A wildcard keeps what the read-set fixes: `every partition of topic:orders`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from odradek_boundaries.errors import InvalidModel
from odradek_boundaries.read_sets import Fact, Facts, Selection, Template, fields_of, kind_of, type_of
from odradek_events.record import Query, QueryItem
from odradek_events.schema.registry import CATALOGUE, EventType

__all__ = ["Boundary", "Check", "Unit", "Units"]

Check = Callable[[Facts, Sequence[Any]], Query]
"""A boundary of your own: from a read-set and the events that were decided to what the append checks."""
_CHECKS = ("units", "written", "unit", "facts")


class Boundary(msgspec.Struct, frozen=True):
    """A consistency boundary by name; see the module for `by` and `checks`."""

    name: str
    by: tuple[str, ...] = ()
    checks: Literal["units", "written", "unit", "facts"] | Check = "units"

    def __post_init__(self) -> None:
        """Raise InvalidModel for a wrong type."""
        if not isinstance(self.name, str) or not self.name:
            raise InvalidModel(f"a boundary needs a name, not {self.name!r}; use a text such as 'topic'")
        if isinstance(self.by, str) or not all(isinstance(kind, str) for kind in self.by):
            raise InvalidModel(f"by of boundary {self.name!r} must be a tuple of kinds of tags; use by=({self.by!r},)")
        if self.checks not in _CHECKS and not callable(self.checks):
            raise InvalidModel(
                f"checks of boundary {self.name!r} must be one of {', '.join(_CHECKS)} or a function, "
                f"not {self.checks!r}"
            )


class Unit(msgspec.Struct, frozen=True):
    """The facts whose class is of this kind (None: any) and that have these tags; its label names it in reports."""

    kind: str | None
    tags: tuple[str, ...]
    label: str
    is_wildcard: bool = False


_SYSTEM = Unit(None, (), "the system")
_REST = Unit("", (), "the rest")


class Units:
    """A boundary applied to the classes of facts that a model has. `know` tells it of a class before its first use."""

    def __init__(self, boundary: Boundary) -> None:
        self.boundary = boundary
        self._tags: dict[EventType, str] = {}  # the template of the tag that names the unit of a type; "": the rest
        self._by_class: dict[type[Any], tuple[EventType, str, int]] = {}
        self._units: dict[str, Unit] = {}
        self._of_reads: dict[Facts, tuple[Unit, ...]] = {}
        self._selections: dict[object, Selection] = {}

    def know(self, kind: EventType) -> None:
        """Note a type of facts: a unit's query names the types of its facts."""
        if kind in self._tags:
            return
        by_kind = {kind_of(tag): number for number, tag in reversed(list(enumerate(kind.templates)))}
        found = next((by_kind[name] for name in self.boundary.by if name in by_kind), -1)
        tag = self._tags[kind] = kind.templates[found] if found >= 0 else ""
        self._by_class[kind.cls] = (kind, kind_of(tag), found)
        self._of_reads.clear()
        self._selections.clear()

    def know_all(self, reads: Facts) -> None:
        """Note the types of a read-set."""
        for template in reads.templates:
            self.know(template.kind)

    def require_kinds(self) -> None:
        """Raise InvalidModel if `by` names a kind of tag that no registered event has."""
        known = {
            kind_of(tag) for name in CATALOGUE.names() if (kind := CATALOGUE.by_name(name)) for tag in kind.templates
        }
        for name in self.boundary.by:
            if name not in known:
                has = sorted({kind_of(tag) for kind in self._tags for tag in kind.templates})
                raise InvalidModel(
                    f"boundary {self.boundary.name!r} is by {name!r}, but no event has a tag '{name}:...'; "
                    f"the facts of the model have {', '.join(has) or 'no tags'}"
                )

    def unit_of(self, event: Any) -> Unit:
        """Return the unit of a fact."""
        if not self.boundary.by:
            return _SYSTEM
        known = self._by_class.get(type(event))
        if known is None:
            self.know(type_of(type(event)))
            known = self._by_class[type(event)]
        kind, name, index = known
        return _REST if index < 0 else self._named(name, kind.tags_of(event)[index])

    def units_of(self, reads: Facts) -> tuple[Unit, ...]:
        """Return the units that a read-set lies in, wildcards included, in the order of its templates."""
        found = self._of_reads.get(reads)
        if found is None:
            self.know_all(reads)
            found = tuple(dict.fromkeys(self._unit_of_template(template) for template in reads.templates))
            self._of_reads[reads] = found
        return found

    def loads(self, reads: Facts) -> Selection:
        """Return the facts that must be folded to decide: all facts of the units read, or the read-set alone."""
        if self.boundary.checks in ("units", "written", "unit"):
            return self.select(self.units_of(reads))
        self.know_all(reads)
        return reads

    def check(self, reads: Facts, events: Sequence[Any]) -> Selection:
        """Return the facts of which none may have been appended since the read. `events` are those of this append."""
        checks = self.boundary.checks
        if checks == "facts":
            return reads
        if checks == "units":
            return self.select(self.units_of(reads))
        if checks == "written":
            return self.select(tuple(dict.fromkeys(map(self.unit_of, events))))
        if checks == "unit":
            return self.select((self.unit_of(events[0]),))
        query = checks(reads, events)
        if not isinstance(query, Query):
            raise InvalidModel(f"the function of boundary {self.boundary.name!r} must return a Query, not {query!r}")
        return self._selection(query, query)

    def split(self, facts: list[Fact]) -> list[list[Fact]]:
        """Return facts in the groups that are appended one after the other: by unit for `unit`, else together."""
        if self.boundary.checks != "unit" or len(facts) == 1:
            return [facts]
        groups: dict[Unit, list[Fact]] = {}
        for fact in facts:
            groups.setdefault(self.unit_of(fact.event), []).append(fact)
        return list(groups.values())

    def scope(self, reads: Facts, unit: Unit) -> Facts | Unit:
        """Return what an append is counted for: the unit of its first fact, or its read-set if that is the unit."""
        return reads if self.boundary.checks == "facts" else unit

    def select(self, units: tuple[Unit, ...]) -> Selection:
        """Return the facts of these units."""
        found = self._selections.get(units)
        if found is None:
            query = Query(tuple(dict.fromkeys(map(self._item, units))))
            found = self._selections[units] = Selection(query)
        return found

    def _selection(self, key: object, query: Query) -> Selection:
        found = self._selections.get(key)
        if found is None:
            found = self._selections[key] = Selection(query)
        return found

    def _item(self, unit: Unit) -> QueryItem:
        if unit.kind is None:
            return QueryItem()
        types = sorted(kind.name for kind, tag in self._tags.items() if kind_of(tag) == unit.kind)
        return QueryItem(tuple(types), unit.tags)

    def _named(self, kind: str, tag: str) -> Unit:
        found = self._units.get(tag)
        if found is None:
            found = self._units[tag] = Unit(kind, (tag,), tag)
        return found

    def _unit_of_template(self, template: Template) -> Unit:
        if not self.boundary.by:
            return _SYSTEM
        named_by = self._tags[template.kind]
        if not named_by:
            return _REST
        kind = kind_of(named_by)
        if named_by in template.tags:
            return self._named(kind, template.tags[named_by])
        tags = tuple(sorted(tag for other, tag in template.tags.items() if self._is_alike_in_units(other, kind)))
        return Unit(kind, tags, f"every {kind}{''.join(f' of {tag}' for tag in tags)}", is_wildcard=True)

    def _is_alike_in_units(self, tag: str, kind: str) -> bool:
        """Say whether all facts of one unit of this kind have the same value of a tag."""
        return all(
            tag in known.templates and fields_of(tag) <= fields_of(named_by)
            for known, named_by in self._tags.items()
            if kind_of(named_by) == kind
        )
