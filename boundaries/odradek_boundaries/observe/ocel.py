"""A log as an object-centric event log: OCEL 2.0 in JSON (ocel-standard.org), which process mining tools read.

Events keep their type, the time of recording, and their fields as attributes. Objects are what an event concerns: its
stream (`stream:topic/orders`), its tags (`tag:partition:orders/0`), and its conversation (`conversation:<correlation
id>`); qualifiers say in which role. Tags are known for registered types only. OCEL's attributes have five types. A
field of any other type becomes a string, as it is stored in JSON.

Events are written while they are read. Objects, each of which must be written once, wait in a temporary database of
SQLite, which is on disk if it grows; so memory is bounded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec

from odradek_boundaries.observe.selection import has_type
from odradek_boundaries.read_sets import fields_of, kind_of
from odradek_events.errors import LogFull
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.record import Commit, Decision, type_name
from odradek_events.schema.registry import Catalogue, EventType
from odradek_events.validation import check_function, items

__all__ = ["OcelSize", "write_ocel"]

_MAX_PENDING = 5000  # objects
_SCALARS = {
    msgspec.inspect.StrType: "string",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.FloatType: "float",
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.DateTimeType: "time",
}
_PLACE = {
    "version": "integer",
    "event_id": "string",
    "correlation_id": "string",
    "causation_id": "string",
    "actor": "string",
}
_encode = msgspec.json.Encoder().encode


class OcelSize(msgspec.Struct, frozen=True):
    """How many events and objects were written."""

    events: int
    objects: int


def write_ocel(
    log: ReadableLog,
    write: Callable[[bytes], object],
    *,
    types: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
) -> OcelSize:
    """Write a log up to its current head, or its events of some types, as one JSON object; return its size.

    Calls `progress` with the last position of each commit. Raises LogFull if there is no space for temporary files.
    """
    check_log(log)
    check_function("progress", progress)
    types = items("types", types)
    is_wanted = has_type(log.codec.catalogue, types) if types else None
    with closing(_Objects()) as objects:
        events = _Events(log.codec.catalogue, objects)
        separator = b""
        write(b'{"events":[')
        for stored in log.encoded_commits(until=log.head().position, types=types):
            lines = [_encode(event) for event in events.of(log.codec.commit(stored, opaque=True), is_wanted)]
            if lines:
                write(separator + b"\n" + b",\n".join(lines))
                separator = b","
            if progress is not None:
                progress(stored.last_position)
        write(b'],\n"objects":[')
        separator = b""
        for name, kind in objects.all():
            write(separator + b"\n" + _encode(_Object(name, kind)))
            separator = b","
        write(b'],\n"eventTypes":' + _encode(events.types()))
        write(b',\n"objectTypes":' + _encode(objects.types()) + b"}\n")
        return OcelSize(events.count, objects.count)


class _Value(msgspec.Struct, frozen=True):
    name: str
    value: Any


class _Relation(msgspec.Struct, frozen=True, rename={"object_id": "objectId"}):
    object_id: str
    qualifier: str


class _Event(msgspec.Struct, frozen=True):
    id: str
    type: str
    time: datetime
    attributes: list[_Value]
    relationships: list[_Relation]


class _Object(msgspec.Struct, frozen=True):
    id: str
    type: str
    attributes: tuple[()] = ()
    relationships: tuple[()] = ()


class _Attribute(msgspec.Struct, frozen=True):
    name: str
    type: str


class _Type(msgspec.Struct, frozen=True):
    name: str
    attributes: list[_Attribute]


class _Kind:
    """A type of events: the attributes of its events, and the roles of its tags."""

    def __init__(self, kind: EventType | None) -> None:
        info = None if kind is None else msgspec.inspect.type_info(kind.cls)
        fields = info.fields if isinstance(info, msgspec.inspect.StructType) else ()
        self.fields = [
            (f"event.{field.name}" if field.name in _PLACE else field.name, field.name, _scalar_type(field.type))
            for field in fields
        ]
        self.tags_of = (lambda event: ()) if kind is None else kind.tags_of
        self.tags = [] if kind is None else list(_roles(kind.templates))

    def attributes(self) -> list[_Attribute]:
        """Return the declaration of the attributes."""
        place = [_Attribute(name, kind) for name, kind in _PLACE.items()]
        return place + [_Attribute(name, kind or "string") for name, _, kind in self.fields]

    def values(self, event: Any) -> Iterator[_Value]:
        """Yield the fields of an event; None is the absence of a value."""
        for name, field, kind in self.fields:
            value = getattr(event, field)
            if value is None:
                continue
            if kind is None:
                value = msgspec.to_builtins(value)
                value = value if isinstance(value, str) else _encode(value).decode()
            elif kind == "time" and value.tzinfo is None:
                value = value.replace(tzinfo=UTC)
            yield _Value(name, value)

    def relations(self, event: Any, objects: _Objects) -> Iterator[_Relation]:
        """Yield a relation to each tag of an event."""
        for (kind, qualifier), tag in zip(self.tags, self.tags_of(event), strict=True):
            yield _Relation(objects.add(f"tag:{kind}", tag), qualifier)


class _Events:
    """The events of a log, as OCEL has them."""

    def __init__(self, catalogue: Catalogue, objects: _Objects) -> None:
        self.count = 0
        self._catalogue, self._objects = catalogue, objects
        self._kinds: dict[type[Any], _Kind] = {}
        self._names: set[str] = set()

    def of(self, commit: Commit, is_wanted: Callable[[object], bool] | None) -> Iterator[_Event]:
        """Yield the events of a commit."""
        index = 0
        for decision in commit.metadata.decisions:
            for event in commit.events[index : index + decision.event_count]:
                if is_wanted is None or is_wanted(event):
                    yield self._event(commit, decision, index, event)
                index += 1

    def types(self) -> list[_Type]:
        """Return the types of the events, sorted."""
        return [_Type(name, _Kind(self._catalogue.by_name(name)).attributes()) for name in sorted(self._names)]

    def _event(self, commit: Commit, decision: Decision, index: int, event: Any) -> _Event:
        kind = self._kinds.get(type(event))
        if kind is None:
            kind = self._kinds[type(event)] = _Kind(self._catalogue.by_class(type(event)))
        name = self._catalogue.current_name(type_name(event))
        self._names.add(name)
        self.count += 1
        place = {
            "version": commit.first_version + index,
            "event_id": f"{commit.metadata.commit_id}/{index}",
            "correlation_id": decision.correlation_id,
            "causation_id": decision.causation_id,
            "actor": commit.metadata.actor,
        }
        stream_kind = commit.stream.partition("/")[0]
        relations = [_Relation(self._objects.add(f"stream:{stream_kind}", commit.stream), "stream")]
        relations += dict.fromkeys(kind.relations(event, self._objects))
        if decision.correlation_id:
            relations.append(_Relation(self._objects.add("conversation", decision.correlation_id), "conversation"))
        return _Event(
            str(commit.first_position + index),
            name,
            commit.metadata.recorded_at,
            [*(_Value(key, value) for key, value in place.items() if value != ""), *kind.values(event)],
            relations,
        )


class _Objects:
    """The objects of a log, each once, in the order in which they appeared."""

    def __init__(self) -> None:
        self.count = 0
        self._pending: dict[str, str] = {}
        self._types: dict[str, None] = {}
        self._database = sqlite3.connect("", isolation_level=None)  # temporary; removed when it is closed
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE objects (id TEXT PRIMARY KEY, type TEXT NOT NULL)")

    def add(self, kind: str, name: str) -> str:
        """Add an object, if it is new, and return its id."""
        identifier = f"{kind.partition(':')[0]}:{name}"
        if identifier not in self._pending:
            if len(self._pending) >= _MAX_PENDING:
                self._flush()
            self._pending[identifier] = kind
            self._types[kind] = None
        return identifier

    def all(self) -> Iterator[tuple[str, str]]:
        """Yield id and type of each object."""
        self._flush()
        for identifier, kind in self._database.execute("SELECT id, type FROM objects ORDER BY rowid"):
            self.count += 1
            yield identifier, kind

    def types(self) -> list[_Type]:
        """Return the types of the objects, sorted."""
        return [_Type(kind, []) for kind in sorted(self._types)]

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def _flush(self) -> None:
        try:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR IGNORE INTO objects VALUES (?, ?)", self._pending.items())
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise LogFull("the objects of the export", str(error)) from error
        self._pending.clear()


def _scalar_type(info: msgspec.inspect.Type) -> str | None:
    """Return OCEL's type for the values of a field; None if it has no such type."""
    if isinstance(info, msgspec.inspect.Metadata):
        return _scalar_type(info.type)
    if isinstance(info, msgspec.inspect.UnionType):
        types = [each for each in info.types if not isinstance(each, msgspec.inspect.NoneType)]
        return _scalar_type(types[0]) if len(types) == 1 else None
    return _SCALARS.get(type(info))


def _roles(templates: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield kind and qualifier of each tag: the kind, or the fields it is made of if several tags are of that kind."""
    kinds = [kind_of(template) for template in templates]
    for kind, template in zip(kinds, templates, strict=True):
        yield kind, kind if kinds.count(kind) == 1 else " ".join(sorted(fields_of(template)))
