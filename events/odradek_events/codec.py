"""Events <-> JSON.

A commit's events are one JSON array of objects, each with its stable name under "type"; bytes are base64, times
RFC 3339. When every (type, version) of a commit is current, the array is decoded in one typed call. Otherwise event by
event: old versions pass through their up-casters, and one unknown event does not make the rest unreadable.

What goes in is decoded once before it is stored: types do not bind at run time, JSON has no NaN, and an event that was
acknowledged and can never be read again would make its stream useless. It costs 0.5 us an event, which those who have
checked the values themselves can save.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from odradek_events.errors import DamagedCommit, EventNotSerializable, RegistrationError, UnknownEventType
from odradek_events.record import Commit, CommitMetadata, StoredCommit
from odradek_events.registry import CATALOGUE, Catalogue, EventType, lower_offset

__all__ = ["Codec", "OpaqueEvent"]

_NOT_JSON = (TypeError, ValueError, OverflowError, RecursionError)
_NOT_DECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class OpaqueEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of a type or version that nothing here registers: its stored name, version and JSON."""

    type_name: str
    schema_version: int
    raw: bytes


class Codec:
    """Encodes and decodes commits by a catalogue of event types, whose up-casters must lead somewhere."""

    def __init__(self, catalogue: Catalogue = CATALOGUE) -> None:
        catalogue.check()
        self.catalogue = catalogue
        self._encode = msgspec.json.Encoder().encode
        self._decode_metadata = msgspec.json.Decoder(CommitMetadata).decode
        self._split = msgspec.json.Decoder(list[msgspec.Raw]).decode
        self._decode_fields = msgspec.json.Decoder(dict[str, Any]).decode

    def kinds_of(self, stream: str, events: Sequence[Any]) -> list[EventType]:
        """Return the types found among `events`, sorted by name; an unregistered class is an error."""
        kinds = []
        for cls in set(map(type, events)):
            kind = self.catalogue.by_class(cls)
            if kind is None:
                raise EventNotSerializable(stream, f"{cls.__qualname__} is not registered; declare it with @event(...)")
            kinds.append(kind)
        return kinds if len(kinds) == 1 else sorted(kinds, key=lambda kind: kind.name)

    def encode_events(
        self, stream: str, events: Sequence[Any], types: tuple[tuple[str, int], ...], is_checked: bool = False
    ) -> tuple[bytes, Sequence[Any]]:
        """Encode events of these (current) types as one JSON array; return it with what a reader will make of it.

        With `is_checked` the caller has made sure that every field holds a value of its type.
        """
        try:
            encoded = self._encode(events)
            return encoded, events if is_checked else self.catalogue.decoder(types).decode(encoded)
        except msgspec.ValidationError as error:
            raise EventNotSerializable(stream, f"it could not be read again ({error})") from error
        except _NOT_JSON as error:
            raise EventNotSerializable(stream, str(error)) from error

    def encode_metadata(self, stream: str, metadata: CommitMetadata, is_checked: bool = False) -> bytes:
        """Encode a commit's metadata as a JSON object; `is_checked` as for events."""
        try:
            encoded = self._encode(metadata)
            if not is_checked:
                self._decode_metadata(encoded)
        except _NOT_JSON as error:
            raise EventNotSerializable(stream, f"its metadata is not storable ({error})") from error
        return encoded

    def metadata(self, stored: StoredCommit) -> CommitMetadata:
        """Decode a stored commit's metadata."""
        try:
            return self._decode_metadata(stored.metadata)
        except _NOT_DECODABLE as error:
            raise DamagedCommit(stored.first_position, f"its metadata cannot be decoded ({error})") from error

    def commit(self, stored: StoredCommit, *, opaque: bool = False) -> Commit:
        """Decode a stored commit.

        An unknown type or version raises UnknownEventType with its position, or with `opaque` yields OpaqueEvent.
        """
        metadata = self.metadata(stored)
        try:
            if metadata.types and self.catalogue.is_current(metadata.types):
                events = self.catalogue.decoder(metadata.types).decode(stored.events)
            else:
                events = self._one_by_one(stored, metadata, opaque)
        except _NOT_DECODABLE as error:
            raise DamagedCommit(stored.first_position, f"its events cannot be decoded ({error})") from error
        if len(events) != stored.last_position - stored.first_position + 1:
            raise DamagedCommit(
                stored.first_position, f"it holds {len(events)} events where its positions say otherwise"
            )
        return Commit(stored.first_position, stored.stream, stored.first_version, events, metadata)

    def tags_of(self, item: Any) -> tuple[str, ...]:
        """Return an event's tags; an OpaqueEvent has none."""
        entry = self.catalogue.by_class(type(item))
        return () if entry is None else entry.tags_of(item)

    def index(
        self, events: Sequence[Any], kinds: Sequence[EventType] | None = None, is_checked: bool = False
    ) -> dict[str, int | None]:
        """Return the index entries of a commit: its events' tags, and `type:<name>` for each type.

        `kinds` are the types among `events`, if they are known. With `is_checked` offsets are known to rise.
        """
        if kinds is None:
            found = (self.catalogue.by_class(cls) for cls in set(map(type, events)))
            kinds = [kind for kind in found if kind is not None]
        entries: dict[str, int | None] = {}
        for kind in kinds:
            members = events if len(kinds) == 1 else [item for item in events if type(item) is kind.cls]
            entries[kind.type_tag] = None
            for tag, offset in kind.index(members, is_checked).items():
                entries[tag] = lower_offset(entries.get(tag), offset)
        return entries

    def _one_by_one(self, stored: StoredCommit, metadata: CommitMetadata, opaque: bool) -> list[Any]:
        versions = dict(metadata.types)
        events: list[Any] = []
        for index, raw in enumerate(self._split(stored.events)):
            data, position = bytes(raw), stored.first_position + index
            fields = self._decode_fields(data)
            name = str(fields.get("type", ""))
            version = versions.get(name, 0)
            entry = self.catalogue.by_name(name)
            if entry is not None and entry.version == version:
                item = msgspec.json.decode(data, type=entry.cls)
            else:
                item = self._upcast(name, version, fields, position, opaque)
            if item is None:
                if not opaque:
                    raise UnknownEventType(name, version, position)
                item = OpaqueEvent(name, version, data)
            events.append(item)
        return events

    def _upcast(self, name: str, version: int, fields: dict[str, object], position: int, opaque: bool) -> Any | None:
        """Return the event in its current version, or None if no steps lead there (or, with `opaque`, they fail)."""
        entry = self.catalogue.by_name(name)
        try:
            reached, fields = self.catalogue.upcast(name, version, fields)
            if entry is None or entry.version != reached:
                return None
            return msgspec.json.decode(self._encode(fields), type=entry.cls)
        except Exception as error:  # people's own functions, which may raise anything
            if opaque:
                return None
            raise RegistrationError(
                f"the up-casters of {name!r} fail on the version {version} event at position {position} ({error!r}); "
                "mend them"
            ) from error
