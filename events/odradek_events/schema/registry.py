"""The catalogue of event types: their stable names, schema versions and tags.

An event type is a frozen msgspec Struct, registered with a decorator:

    @event("AccountOpened", version=1, tags=("account:{account_id}",))
    class AccountOpened(msgspec.Struct, frozen=True): ...

Events are stored under the decorator's name, never the class's, so renaming or moving a class breaks no log. msgspec
fixes a Struct's tag when the class is created, so the decorator returns a tagged subclass with the same name.

Tags are templates over the event's own fields, hence a pure function of the event. A template such as
`"partition:{topic}/{partition}"` wrapped in `OffsetTag` also names a field; a commit's index entry for the tag has the
lowest value of that field.
"""

from __future__ import annotations

import operator
import string
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import msgspec

from odradek_events.errors import RegistrationError
from odradek_events.record import Query, QueryItem
from odradek_events.schema.evolution import Evolution
from odradek_events.schema.mismatch import is_lenient
from odradek_events.schema.open_values import is_open
from odradek_events.schema.upcasters import Upcaster
from odradek_events.validation import check_instance, items, shown, text, whole_number

__all__ = ["CATALOGUE", "Catalogue", "EventType", "OffsetTag", "event", "lower_offset"]

E = TypeVar("E", bound=msgspec.Struct)
_MAX_NAME = 249  # characters
_MAX_OFFSET = (1 << 63) - 1


@dataclass(frozen=True)
class OffsetTag:
    """A tag whose index entry has the lowest value of `field` in the commit, an integer of 0 or more."""

    template: str
    field: str = "offset"


class EventType:
    """A registered event type: its stable name, current version, class, tag templates and former versions."""

    __slots__ = (
        "_fields",
        "_is_lenient",
        "_is_open",
        "_key",
        "_offset_fields",
        "_offset_names",
        "_tags_by_key",
        "cls",
        "decode",
        "evolution",
        "is_retagged",
        "name",
        "name_and_version",
        "offset_tags",
        "stored_names",
        "templates",
        "type_tag",
        "version",
    )

    def __init__(self, evolution: Evolution, cls: type[Any], tags: Sequence[str | OffsetTag]) -> None:
        name, version = evolution.name, evolution.version
        self.name, self.version, self.cls, self.evolution = name, version, cls, evolution
        self.decode = msgspec.json.Decoder(cls).decode
        self._is_open: bool | None = None
        self._is_lenient: bool | None = None
        self.name_and_version = (name, version)
        self.stored_names = (name, *evolution.formerly)
        self.type_tag = f"type:{name}"
        if isinstance(tags, str):
            raise RegistrationError(
                f"the tags of event {name!r} must be a sequence of templates, not the string {shown(tags)}; "
                f"use tags=({shown(tags)},)"
            )
        tags = items("tags", tags)
        self.templates = tuple(t.template if isinstance(t, OffsetTag) else t for t in tags)
        self.offset_tags = {t.template: t.field for t in tags if isinstance(t, OffsetTag)}
        try:
            self._fields = fields = sorted({f for t in self.templates for f in _template_fields(t)})
        except ValueError as error:
            raise RegistrationError(f"a tag of event {name!r} is not a valid template ({error}); fix it") from error
        unknown = [f for f in (*fields, *self.offset_tags.values()) if f not in cls.__struct_fields__]
        if unknown:
            raise RegistrationError(
                f"the tags of event {name!r} use {unknown[0]!r}, which is not one of its fields; use one of "
                f"{list(cls.__struct_fields__)}"
            )
        stored = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
        evolution.check_fields(stored.values(), _required(cls), [stored[f] for f in fields])
        self.is_retagged = bool(self.templates) and evolution.since < evolution.tags_since
        self._key: Callable[[Any], object] = operator.attrgetter(*fields) if fields else type  # no fields, one tag
        self._tags_by_key: dict[object, tuple[str, ...]] = {}
        self._offset_fields = tuple(self.offset_tags.get(template) for template in self.templates)
        self._offset_names = tuple(dict.fromkeys(self.offset_tags.values())) or (None,)

    def __repr__(self) -> str:
        return f"<EventType {self.name!r} version={self.version} of {_place(self.cls)}>"

    @property
    def is_open(self) -> bool:
        """Whether the values of some fields must be checked before they are stored; see `open_values`."""
        if self._is_open is None:  # computed on first use: at registration it would slow every start
            self._is_open = is_open(self.cls)
        return self._is_open

    @property
    def is_lenient(self) -> bool:
        """Whether unknown fields inside a stored event are ignored by msgspec; see `mismatch`."""
        if self._is_lenient is None:  # computed on first use, as above
            self._is_lenient = is_lenient(self.cls)
        return self._is_lenient

    def is_stored_alike(self, name: str, version: int) -> bool:
        """Say whether events stored under this name and version have the same JSON as current ones."""
        return name == self.name and self.evolution.is_unchanged_since(version)

    def tags_of(self, item: Any) -> tuple[str, ...]:
        """Return the tags of one event of this type."""
        return self._tags_of_key(self._key(item), item)

    def _tags_of_key(self, key: object, item: Any) -> tuple[str, ...]:
        tags = self._tags_by_key.get(key)
        if tags is None:
            if len(self._tags_by_key) >= 4096:  # bounds the cache if tags have high cardinality
                self._tags_by_key.clear()
            values = {field: getattr(item, field) for field in self._fields}
            tags = self._tags_by_key[key] = tuple(t.format_map(values) for t in self.templates)
        return tags

    def index(self, items: Sequence[Any], is_checked: bool = False) -> dict[str, int | None]:
        """Map each tag of `items` to the lowest offset of its events, or None if the tag has no offset field.

        Formats the tags of one event per distinct combination of tag fields, the one with the lowest offset: formatting
        the tags of every message of a large commit would cost more than encoding it. With `is_checked` the caller
        guarantees that offsets rise within each combination, which saves half the time.
        """
        key = self._key
        entries: dict[str, int | None] = {}
        for field in self._offset_names:
            if is_checked:
                items = items[::-1]
            elif field is not None and len(items) > 1:
                items = sorted(items, key=operator.attrgetter(field), reverse=True)
                self._offset(items[0], field)  # checks the highest; the loop checks the lowest
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
    """The registered event types, by current and former name and by class, with decoders for them.

    `lookups` caches what queries look up in an index (see `log.queries`), until another type is registered.
    """

    def __init__(self) -> None:
        self.lookups: dict[Query, tuple[QueryItem, ...]] = {}
        self._by_name: dict[str, EventType] = {}  # former names too
        self._by_class: dict[type[Any], EventType] = {}
        self._retagged: tuple[EventType, ...] = ()
        self._decoders: dict[tuple[tuple[str, int], ...], msgspec.json.Decoder[list[Any]] | None] = {}
        self._lenient: dict[tuple[tuple[str, int], ...], bool] = {}  # for the same types as `_decoders`

    def __repr__(self) -> str:
        return f"<Catalogue of {len(self._by_class)} event types>"

    def register(self, entry: EventType) -> None:
        """Add a type; registering the same class again (after a module reload) replaces it."""
        replaced: list[EventType] = []
        for name in entry.stored_names:
            known = self._by_name.get(name)
            if known is None:
                continue
            if _place(known.cls) != _place(entry.cls):
                as_what = "" if known.name == name else " as a former name"
                raise RegistrationError(
                    f"event name {name!r} is already used by {_place(known.cls)}{as_what}; choose another name"
                )
            replaced.append(known)
        for known in replaced:
            self._by_class.pop(known.cls, None)
            for name in known.stored_names:
                self._by_name.pop(name, None)
        self._by_name.update(dict.fromkeys(entry.stored_names, entry))
        self._by_class[entry.cls] = entry
        self.lookups.clear()
        self._retagged = tuple(entry for entry in self._by_class.values() if entry.is_retagged)
        self._decoders.clear()
        self._lenient.clear()

    def by_class(self, cls: type[Any]) -> EventType | None:
        """Return the event type of a class, or None."""
        return self._by_class.get(cls)

    def by_name(self, name: str) -> EventType | None:
        """Return the event type with this current or former name, or None."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """Return the names of all registered types, sorted."""
        return sorted(entry.name for entry in self._by_class.values())

    def classes(self) -> list[type[Any]]:
        """Return the classes of all registered types."""
        return list(self._by_class)

    def current_name(self, name: str) -> str:
        """Return the current name of a type; an unregistered name is returned unchanged."""
        entry = self._by_name.get(name)
        return name if entry is None else entry.name

    def stored_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return every name that events of these types may be stored under."""
        found: dict[str, None] = {}
        for name in names:
            entry = self._by_name.get(name)
            found.update(dict.fromkeys((name,) if entry is None else entry.stored_names))
        return tuple(found)

    def retagged_names(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the stored names of these types (empty: all types) whose older events may have different tags."""
        if not self._retagged:
            return ()
        wanted = set(map(self.current_name, names))
        return tuple(
            name for entry in self._retagged if not wanted or entry.name in wanted for name in entry.stored_names
        )

    def is_current(self, types: tuple[tuple[str, int], ...]) -> bool:
        """Say whether `types` is not empty and every (name, version) pair is current and registered."""
        return self.decoder(types) is not None

    def has_open(self, types: tuple[tuple[str, int], ...]) -> bool:
        """Say whether any of these registered types has values that must be checked before they are stored."""
        return any(self._by_name[name].is_open for name, _ in types)

    def has_lenient(self, types: tuple[tuple[str, int], ...]) -> bool:
        """Say whether msgspec ignores unknown fields inside events of these registered types."""
        try:
            return self._lenient[types]
        except KeyError:
            found = self._lenient[types] = any(self._by_name[name].is_lenient for name, _ in types)
            return found

    def decoder(self, types: tuple[tuple[str, int], ...]) -> msgspec.json.Decoder[list[Any]] | None:
        """Return a typed decoder for an array of these types, or None unless they are current.

        Every commit that is read needs one, so decoders are cached by their types.
        """
        try:
            return self._decoders[types]
        except KeyError:
            pass
        if len(self._decoders) >= 4096:  # bounds the cache, whatever types a log contains
            self._decoders.clear()
            self._lenient.clear()
        entries = [(self._by_name.get(pair[0]), pair) for pair in types]
        classes = [entry.cls for entry, pair in entries if entry is not None and entry.name_and_version == pair]
        decoder = None
        if classes and len(classes) == len(types):
            union: Any = reduce(operator.or_, classes)
            decoder = msgspec.json.Decoder(list[union])
        self._decoders[types] = decoder
        return decoder


CATALOGUE = Catalogue()


def event(
    name: str,
    *,
    version: int = 1,
    tags: Sequence[str | OffsetTag] = (),
    since: int = 1,
    formerly: Sequence[str] = (),
    upcasters: Iterable[Upcaster] = (),
    tags_since: int | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Callable[[type[E]], type[E]]:
    """Register a frozen msgspec Struct as event type `name` with schema `version` and tag templates.

    Older events stay readable: `formerly` lists the former names of the type, and `upcasters` convert each version from
    `since` on to the next (see `evolution`). Renaming a type does not restart its versions.

    A log finds events by the tags that they were stored with. To find events before version `tags_since` (by default
    all older versions), it reads all events of the type instead, which takes time in proportion to their number. Set
    `tags_since` to the first version that was stored with the tags given here. Adding a tag needs a new version.
    """
    if isinstance(name, type):
        raise RegistrationError(
            f"@event needs the stored name of the type; write @event({name.__name__!r}) above class {name.__name__}"
        )
    name = text("name", name, _MAX_NAME)
    whole_number("version", version, None)
    check_instance("catalogue", catalogue, Catalogue, "a Catalogue")
    if not name or version < 1:
        raise RegistrationError(
            f"an event type needs a name and a version of 1 or more, not {shown(name)} and {shown(version)}"
        )
    evolution = Evolution(name, version, since=since, formerly=formerly, upcasters=upcasters, tags_since=tags_since)

    def register(cls: type[E]) -> type[E]:
        if not (isinstance(cls, type) and issubclass(cls, msgspec.Struct)):
            raise RegistrationError(f"event {name!r} must be a msgspec.Struct, not {shown(cls)}")
        if not cls.__struct_config__.frozen:
            raise RegistrationError(f"event {name!r} must not be mutable; declare it with frozen=True")
        if "type" in cls.__struct_fields__:
            raise RegistrationError(
                f"event {name!r} has a field 'type', which the log uses for the event's type; rename the field"
            )
        if cls.__struct_config__.array_like:
            raise RegistrationError(f"event {name!r} must be stored as a JSON object; declare it without array_like")
        tagged = _with_tag(cls, evolution)
        catalogue.register(EventType(evolution, tagged, tags))
        return tagged

    return register


def lower_offset(one: int | None, other: int | None) -> int | None:
    """Return the lower of two offsets, ignoring None."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _place(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _required(cls: type[Any]) -> list[str]:
    """Return the stored names of the fields without a default."""
    return [field.encode_name for field in msgspec.structs.fields(cls) if field.required]


def _with_tag(cls: type[E], evolution: Evolution) -> type[E]:
    """Return a subclass that msgspec tags with the type's name; fields, defaults, renames and methods stay the same."""
    name = evolution.name
    try:
        tagged = msgspec.defstruct(
            cls.__name__,
            (),
            bases=(cls,),
            module=cls.__module__,
            namespace={"__doc__": cls.__doc__, "__stored_names__": (name, *evolution.formerly)},
            tag_field="type",
            tag=name,
            frozen=True,
            omit_defaults=True,
            forbid_unknown_fields=True,  # a renamed field with a default must not lose the stored value silently
            gc=False,  # events have primitive fields and no cycles; a log in memory must not slow the collector
        )
        msgspec.json.Decoder(tagged)  # resolves the annotations: fails now if no reader could decode them
    except (TypeError, ValueError, NameError) as error:
        raise RegistrationError(f"event {name!r} cannot be stored as JSON ({error})") from error
    tagged.__qualname__ = cls.__qualname__
    return tagged  # type: ignore[return-value]  # defstruct is typed as Struct; it is a subclass of cls


def _template_fields(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
