"""Which event types exist: stable names, schema versions, tags.

An event type is a frozen msgspec Struct, registered by decorator:

    @event("AccountOpened", version=1, tags=("account:{account_id}",))
    class AccountOpened(msgspec.Struct, frozen=True): ...

The stored name is the decorator's, never the class's, so renaming or moving a class breaks no log. msgspec fixes a
Struct's tag when the class is made, so the decorator returns a tagged subclass of the same name.

Tags are templates over the event's own fields, hence a pure function of the event. A template like
`"partition:{topic}/{partition}"` wrapped in `OffsetTag` also names the field whose lowest value a commit's index entry
carries.
"""

from __future__ import annotations

import operator
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import msgspec

from odradek_events.errors import RegistrationError

__all__ = ["CATALOGUE", "Catalogue", "EventType", "OffsetTag", "event", "lower_offset", "upcast"]

E = TypeVar("E", bound=msgspec.Struct)
_MAX_OFFSET = (1 << 63) - 1
Upcaster = Callable[[dict[str, object]], dict[str, object]]


@dataclass(frozen=True)
class OffsetTag:
    """A tag whose index entry carries the lowest value of `field` in the commit, an integer from 0."""

    template: str
    field: str = "offset"


class EventType:
    """One registered type: its stable name, current version, class and tag templates."""

    __slots__ = (
        "_key",
        "_offset_fields",
        "_offset_names",
        "_tags_by_key",
        "cls",
        "name",
        "name_and_version",
        "offset_tags",
        "templates",
        "type_tag",
        "version",
    )

    def __init__(self, name: str, version: int, cls: type[Any], tags: Sequence[str | OffsetTag]) -> None:
        self.name, self.version, self.cls = name, version, cls
        self.name_and_version = (name, version)
        self.type_tag = f"type:{name}"
        if isinstance(tags, str):
            raise RegistrationError(f"the tags of event {name!r} are a sequence of templates, not the string {tags!r}")
        self.templates = tuple(t.template if isinstance(t, OffsetTag) else t for t in tags)
        self.offset_tags = {t.template: t.field for t in tags if isinstance(t, OffsetTag)}
        try:
            fields = sorted({f for t in self.templates for f in _template_fields(t)})
        except ValueError as error:
            raise RegistrationError(f"a tag of event {name!r} is not a template ({error})") from error
        unknown = [f for f in (*fields, *self.offset_tags.values()) if f not in cls.__struct_fields__]
        if unknown:
            raise RegistrationError(f"the tags of event {name!r} name {unknown[0]!r}, which is not one of its fields")
        self._key: Callable[[Any], object] = operator.attrgetter(*fields) if fields else type  # no fields, one tag
        self._tags_by_key: dict[object, tuple[str, ...]] = {}
        self._offset_fields = tuple(self.offset_tags.get(template) for template in self.templates)
        self._offset_names = tuple(dict.fromkeys(self.offset_tags.values())) or (None,)

    def tags_of(self, item: Any) -> tuple[str, ...]:
        """Return the tags of one event of this type."""
        return self._tags_of_key(self._key(item), item)

    def _tags_of_key(self, key: object, item: Any) -> tuple[str, ...]:
        tags = self._tags_by_key.get(key)
        if tags is None:
            if len(self._tags_by_key) >= 4096:  # a cache, not a record: high-cardinality tags must not grow it
                self._tags_by_key.clear()
            values = {f: getattr(item, f) for t in self.templates for f in _template_fields(t)}
            tags = self._tags_by_key[key] = tuple(t.format_map(values) for t in self.templates)
        return tags

    def index(self, items: Sequence[Any], is_checked: bool = False) -> dict[str, int | None]:
        """Map each tag found on `items` to the lowest offset it carries, or None.

        Looks at one event per distinct combination of tag fields, the one with the lowest offset: formatting tags for
        every message of a large commit would cost more than encoding it. With `is_checked` offsets are known to rise
        within each combination, which saves half of the time.
        """
        key = self._key
        entries: dict[str, int | None] = {}
        for field in self._offset_names:
            if is_checked:
                items = items[::-1]
            elif field is not None and len(items) > 1:
                items = sorted(items, key=operator.attrgetter(field), reverse=True)
                self._offset(items[0], field)  # the highest; the lowest ones are looked at below
            for combination, item in dict(zip(map(key, items), items, strict=True)).items():
                for its_field, tag in zip(self._offset_fields, self._tags_of_key(combination, item), strict=True):
                    if its_field is None:
                        entries.setdefault(tag)
                    elif its_field == field:
                        entries[tag] = lower_offset(entries.get(tag), self._offset(item, field))
        return entries

    def _offset(self, item: Any, field: str) -> int:
        offset = getattr(item, field)
        if isinstance(offset, int) and 0 <= offset <= _MAX_OFFSET:
            return offset
        raise ValueError(f"{field} {offset!r} of {self.name!r} is not an offset")


class Catalogue:
    """The registered event types and up-casters, and the decoders made from them."""

    def __init__(self) -> None:
        self._by_name: dict[str, EventType] = {}
        self._by_class: dict[type[Any], EventType] = {}
        self._upcasters: dict[tuple[str, int], Upcaster] = {}
        self._decoders: dict[tuple[tuple[str, int], ...], msgspec.json.Decoder[list[Any]]] = {}

    def register(self, entry: EventType) -> None:
        """Add a type; the same class registered again (a reloaded module) replaces the first."""
        known = self._by_name.get(entry.name)
        if known is not None:
            place = f"{known.cls.__module__}.{known.cls.__qualname__}"
            if place != f"{entry.cls.__module__}.{entry.cls.__qualname__}":
                raise RegistrationError(f"event name {entry.name!r} is taken by {place}; choose another")
            del self._by_class[known.cls]
        self._by_name[entry.name] = entry
        self._by_class[entry.cls] = entry
        self._decoders.clear()

    def register_upcaster(self, name: str, from_version: int, function: Upcaster) -> None:
        """Add the step that turns version `from_version` of `name` into the next one."""
        if from_version < 1 or (name, from_version) in self._upcasters:
            raise RegistrationError(
                f"an up-caster for {name!r} from version {from_version} is already there or impossible"
            )
        self._upcasters[name, from_version] = function

    def by_class(self, cls: type[Any]) -> EventType | None:
        """Return the entry of a class, or None."""
        return self._by_class.get(cls)

    def by_name(self, name: str) -> EventType | None:
        """Return the entry of a stored name, or None."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """Return all registered names, sorted."""
        return sorted(self._by_name)

    def is_current(self, types: Iterable[tuple[str, int]]) -> bool:
        """Say whether every (name, version) pair is registered with exactly that version."""
        by_name = self._by_name
        return all(name in by_name and by_name[name].version == version for name, version in types)

    def decoder(self, types: tuple[tuple[str, int], ...]) -> msgspec.json.Decoder[list[Any]]:
        """Return a typed decoder for an array of these types, each registered with this version."""
        decoder = self._decoders.get(types)
        if decoder is None:
            union: Any = reduce(operator.or_, [self._by_name[name].cls for name, _ in types])
            decoder = self._decoders[types] = msgspec.json.Decoder(list[union])
        return decoder

    def check(self) -> None:
        """Raise RegistrationError for an up-caster whose steps do not lead to the current version of its type."""
        for name, version in self._upcasters:
            entry = self._by_name.get(name)
            if entry is None:
                raise RegistrationError(f"there is an up-caster for {name!r}, which is not registered; check the name")
            if version >= entry.version or (version + 1 < entry.version and (name, version + 1) not in self._upcasters):
                raise RegistrationError(
                    f"the up-caster for {name!r} from version {version} does not lead to its version {entry.version}; "
                    "each step leads to the next version, and the last to the current one"
                )

    def upcast(self, name: str, version: int, fields: dict[str, object]) -> tuple[int, dict[str, object]]:
        """Apply the steps from `version` upwards as far as they go; return the version reached and the fields."""
        while (step := self._upcasters.get((name, version))) is not None:
            fields = step(dict(fields))
            version += 1
        return version, fields


CATALOGUE = Catalogue()


def event(
    name: str, *, version: int = 1, tags: Sequence[str | OffsetTag] = (), catalogue: Catalogue = CATALOGUE
) -> Callable[[type[E]], type[E]]:
    """Register a frozen msgspec Struct as event type `name` with schema `version` and tag templates."""
    if not name or version < 1:
        raise RegistrationError(f"an event needs a name and a version of 1 or more, not {name!r} version {version}")

    def register(cls: type[E]) -> type[E]:
        if not (isinstance(cls, type) and issubclass(cls, msgspec.Struct)):
            raise RegistrationError(f"event {name!r} must be a msgspec.Struct, not {cls!r}")
        if not cls.__struct_config__.frozen:
            raise RegistrationError(f"event {name!r} must be declared frozen=True: facts do not change")
        if "type" in cls.__struct_fields__:
            raise RegistrationError(f"event {name!r} may not have a field 'type': that is where the log keeps its name")
        if cls.__struct_config__.array_like:
            raise RegistrationError(f"event {name!r} may not be array_like: its name is stored beside its fields")
        tagged = _with_tag(cls, name)
        catalogue.register(EventType(name, version, tagged, tags))
        return tagged

    return register


def upcast(name: str, *, from_version: int, catalogue: Catalogue = CATALOGUE) -> Callable[[Upcaster], Upcaster]:
    """Register a function from the JSON fields of version `from_version` to those of the next."""

    def register(function: Upcaster) -> Upcaster:
        catalogue.register_upcaster(name, from_version, function)
        return function

    return register


def lower_offset(one: int | None, other: int | None) -> int | None:
    """Return the lower of two offsets, of which either may be missing."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _with_tag(cls: type[E], name: str) -> type[E]:
    """Return a subclass that msgspec stores under `name`: fields, defaults, renames and methods stay as declared."""
    try:
        tagged = msgspec.defstruct(
            cls.__name__,
            (),
            bases=(cls,),
            module=cls.__module__,
            namespace={"__doc__": cls.__doc__},
            tag_field="type",
            tag=name,
            frozen=True,
            omit_defaults=True,
            gc=False,  # facts hold primitives, so they form no cycles; a log in memory must not slow the collector
        )
        msgspec.json.Decoder(tagged)  # resolves the annotations: say now what no reader could decode
    except (TypeError, ValueError, NameError) as error:
        raise RegistrationError(f"event {name!r} cannot be stored as JSON ({error})") from error
    tagged.__qualname__ = cls.__qualname__
    return tagged  # type: ignore[return-value]  # defstruct is typed as Struct; it is a subclass of cls


def _template_fields(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
