"""Facts by class and field values: what a decision reads.

    facts(CourseOpened, Enrolled, course="c1") | facts(Enrolled, student="s1")

A read-set is declared by event classes and the values of their fields, not by tags: a misspelled field fails at once,
and the units that a fact may be in follow from the tags of its class. Each fixed field must be part of a tag whose
fields are all fixed, since a log finds facts by tags only. The query that results is the one that a program would pass
to `read` and to `Condition`.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from odradek_boundaries.errors import InvalidReadSet
from odradek_events.record import Query, QueryItem
from odradek_events.schema.registry import CATALOGUE, EventType

__all__ = ["Fact", "Facts", "Selection", "Template", "facts", "fields_of", "kind_of", "text_of", "type_of"]

_MAX_CACHED = 20_000
_ANY: frozenset[str] = frozenset()
_cached: dict[object, Facts] = {}


class Fact:
    """An event with the name of its type and its tags."""

    __slots__ = ("event", "name", "tags")

    def __init__(self, event: Any) -> None:
        kind = type_of(type(event))
        self.event, self.name, self.tags = event, kind.name, frozenset(kind.tags_of(event))

    def __repr__(self) -> str:
        return text_of(self.event)


class Selection:
    """A query, prepared for matching many facts."""

    __slots__ = ("items", "known", "query")

    def __init__(self, query: Query) -> None:
        self.query = query
        self.items = [(frozenset(item.types), frozenset(item.tags)) for item in query.items]
        self.known = self.items  # the same, with all tags that the facts are known to have

    def matches(self, fact: Fact) -> bool:
        """Say whether a fact matches."""
        name, tags = fact.name, fact.tags
        for types, wanted in self.items:  # noqa: SIM110  # the hottest loop of a run: a generator takes twice as long
            if (not types or name in types) and wanted <= tags:
                return True
        return False

    def matches_any(self, facts: Iterable[Fact]) -> bool:
        """Say whether one of the facts matches."""
        return any(map(self.matches, facts))

    def contains(self, other: Selection) -> bool:
        """Say whether every fact that `other` can match matches: each item of `other` lies within one of these."""
        return all(
            any((not wide or (types != _ANY and types <= wide)) and known <= tags for wide, known in self.items)
            for types, tags in other.known
        )


class Template(msgspec.Struct, frozen=True):
    """The facts of one class with these field values; `tags` are those that the values determine, by tag template."""

    kind: EventType
    fields: tuple[tuple[str, Any], ...]
    tags: dict[str, str]
    item: QueryItem

    def __repr__(self) -> str:
        given = "".join(f", {name}={value!r}" for name, value in self.fields)
        return f"facts({self.kind.cls.__name__}{given})"


class Facts(Selection):
    """A read-set. `one | other` has the facts of both."""

    __slots__ = ("_hash", "_key", "_unions", "templates")

    def __init__(self, templates: tuple[Template, ...]) -> None:
        self.templates = templates
        types: dict[tuple[str, ...], list[str]] = {}
        for template in templates:
            types.setdefault(template.item.tags, []).append(template.kind.name)
        super().__init__(Query(tuple(QueryItem(tuple(names), tags) for tags, names in types.items())))
        self.known = [(frozenset({template.kind.name}), frozenset(template.tags.values())) for template in templates]
        self._unions: dict[Facts, Facts] = {}
        self._key = tuple(template.item for template in templates)
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Facts) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.templates))

    def __or__(self, other: Facts) -> Facts:
        union = self._unions.get(other)
        if union is None:
            items = {template.item: template for template in (*self.templates, *other.templates)}
            union = self._unions[other] = _known(tuple(items.values()))
        return union


def facts(*classes: type[Any], **fields: Any) -> Facts:
    """Return the facts of these event classes whose fields have these values.

    Raises InvalidReadSet for a class that is not an event, a field that one of the classes does not have, and a field
    that no tag finds.
    """
    key = (classes, tuple(fields.items()), tuple(map(type, fields.values())))  # True is not 1 in a tag
    try:
        found = _cached.get(key)
    except TypeError as error:
        raise InvalidReadSet(f"facts(...) takes field values that are hashable, not {fields}; use others") from error
    if found is None:
        if not classes:
            raise InvalidReadSet("facts(...) selects nothing without an event class; name one")
        found = _known(tuple(_template(type_of(cls), fields) for cls in classes))
        _cached[key] = found
    return found


def _known(templates: tuple[Template, ...]) -> Facts:
    """Return the read-set of these templates that was made before, or a new one."""
    key = tuple(template.item for template in templates)
    found = _cached.get(key)
    if found is None:
        if len(_cached) >= _MAX_CACHED:
            _cached.clear()
        found = _cached[key] = Facts(templates)
    return found


def text_of(value: Any) -> str:
    """Return a command or an event as text, without times and without fields that have their default."""
    if not isinstance(value, msgspec.Struct):
        return repr(value)
    fields = ((field, getattr(value, field.name)) for field in msgspec.structs.fields(value))
    told = [f"{field.name}={found!r}" for field, found in fields if not _is_noise(field, found)]
    return f"{type(value).__name__}({', '.join(told)})"


def _is_noise(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    return isinstance(value, datetime) or (not field.required and value == field.default)


def type_of(cls: type[Any]) -> EventType:
    """Return the event type of a class; raise InvalidReadSet if it is not registered."""
    found = CATALOGUE.by_class(cls)
    if found is None:
        name = getattr(cls, "__name__", repr(cls))
        raise InvalidReadSet(f"{name} is not an event; declare it with @event(...), with tags for what it is read by")
    return found


def kind_of(template: str) -> str:
    """Return the kind of a tag: `topic` for `topic:{topic}`."""
    return template.partition(":")[0]


def fields_of(template: str) -> frozenset[str]:
    """Return the fields that a tag is computed from."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name is not None)


def _template(kind: EventType, fields: Mapping[str, Any]) -> Template:
    name = kind.cls.__name__
    for field in fields:
        if field not in kind.cls.__struct_fields__:
            raise InvalidReadSet(
                f"{name} has no field {field!r}; use one of {', '.join(kind.cls.__struct_fields__)} in facts(...)"
            )
    found = [tag for tag in kind.templates if fields_of(tag) <= fields.keys()]
    needed: list[str] = []
    covered: set[str] = set()
    for tag in sorted(found, key=lambda tag: -len(fields_of(tag))):  # one tag for several fields is the most selective
        if not fields_of(tag) <= covered:
            needed.append(tag.format_map(fields))
            covered |= fields_of(tag)
    missing = [field for field in fields if field not in covered]
    if missing:
        raise InvalidReadSet(
            f"no tag of {name} finds it by {' and '.join(missing)}; add a tag such as "
            f"'{missing[0]}:{{{missing[0]}}}' to its declaration, or fix the other fields of a tag too"
        )
    return Template(
        kind,
        tuple(fields.items()),
        {tag: tag.format_map(fields) for tag in found},
        QueryItem((kind.name,), tuple(sorted(needed))),
    )
