"""Events <-> JSON.

A commit's events are one JSON array of objects, each with its stable name under "type"; bytes are base64, times
RFC 3339. When every (type, version) of a commit is current, the array is decoded in one typed call. Otherwise event by
event: older versions and former names pass through their up-casters (see `evolution`), and one unknown event does not
make the rest unreadable.

What goes in is decoded once before it is stored: types do not bind at run time, JSON has no NaN, and an event that was
acknowledged and can never be read again would make its stream useless. It costs 0.5 us an event, which those who have
checked the values themselves can save.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from odradek_events.errors import DamagedCommit, EventNotSerializable, UnknownEventType, UpcasterFailed
from odradek_events.record import Commit, CommitMetadata, StoredCommit
from odradek_events.schema.open_values import require_storable
from odradek_events.schema.registry import CATALOGUE, Catalogue, EventType, lower_offset
from odradek_events.schema.upcasters import StepFailed
from odradek_events.validation import as_plain

__all__ = ["Codec", "OpaqueEvent"]

_NOT_DECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class OpaqueEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of a type or version that nothing here registers: its stored name, version and JSON.

    Also one of an older version that does not become one of the current: then `reason` says why.
    """

    type_name: str
    schema_version: int
    raw: bytes
    reason: str = ""

    def error_at(self, position: int) -> UnknownEventType | UpcasterFailed:
        """Return the error that this event is, to those who need it decoded."""
        if self.reason:
            return UpcasterFailed(self.type_name, self.schema_version, position, self.reason)
        return UnknownEventType(self.type_name, self.schema_version, position)


class _Named(msgspec.Struct, gc=False):
    """An event, read no further than its name."""

    type: str = ""


class Codec:
    """Encodes and decodes commits by a catalogue of event types."""

    def __init__(self, catalogue: Catalogue = CATALOGUE) -> None:
        self.catalogue = catalogue
        self._encode = msgspec.json.Encoder(enc_hook=as_plain).encode
        self._decode_metadata = msgspec.json.Decoder(CommitMetadata).decode
        self._split = msgspec.json.Decoder(list[msgspec.Raw]).decode
        self._decode_name = msgspec.json.Decoder(_Named).decode
        self._decode_rows = msgspec.json.Decoder(list[dict[str, Any]]).decode
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
            if is_checked:
                return self._encode(events), events
            decoder = self.catalogue.decoder(types)
            assert decoder is not None, f"{types} are not the types of {stream!r} as they are now"
            if self.catalogue.has_open(types):
                require_storable(events)
            encoded = self._encode(events)
            return encoded, decoder.decode(encoded)
        except EventNotSerializable:
            raise
        except msgspec.ValidationError as error:
            raise EventNotSerializable(stream, f"it could not be read again ({error})") from error
        except Exception as error:  # whatever an event's class raises: other requests of the same call go on
            raise EventNotSerializable(stream, str(error) or repr(error)) from error

    def encode_metadata(self, stream: str, metadata: CommitMetadata, is_checked: bool = False) -> bytes:
        """Encode a commit's metadata as a JSON object; `is_checked` as for events."""
        try:
            encoded = self._encode(metadata)
            if not is_checked:
                self._decode_metadata(encoded)
        except Exception as error:
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

        An unknown type or version raises UnknownEventType with its position, one of an older version that its
        up-casters do not lead on UpcasterFailed; with `opaque` either yields an OpaqueEvent.
        """
        metadata = self.metadata(stored)
        try:
            decoder = self.catalogue.decoder(metadata.types)
            if decoder is not None:
                events = decoder.decode(stored.events)
            else:
                events = self._all_led_on(stored, metadata) or self._one_by_one(stored, metadata, opaque)
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

    def _all_led_on(self, stored: StoredCommit, metadata: CommitMetadata) -> list[Any] | None:
        """Return the events in their current versions; None if any stands in the way, or its type is unknown.

        Led on together they cost half of what they cost one by one.
        """
        versions = dict(metadata.types)
        kinds = {name: kind for name in versions if (kind := self.catalogue.by_name(name)) is not None}
        decoder = self.catalogue.decoder(tuple({kind.name_and_version for kind in kinds.values()}))
        if decoder is None or not all(
            name in kinds and kinds[name].evolution.covers(version) for name, version in versions.items()
        ):
            return None
        try:
            if all(kind.is_stored_alike(name, versions[name]) for name, kind in kinds.items()):
                return decoder.decode(stored.events)
            items = []
            for fields in self._decode_rows(stored.events):
                name = fields.pop("type")
                items.append({"type": kinds[name].name, **kinds[name].evolution.upcast(versions[name], fields)})
            return decoder.decode(self._encode(items))
        except Exception:  # whatever it is, it is found again, with its position
            return None

    def _one_by_one(self, stored: StoredCommit, metadata: CommitMetadata, opaque: bool) -> list[Any]:
        versions = dict(metadata.types)
        events: list[Any] = []
        for position, raw in enumerate(self._split(stored.events), stored.first_position):
            name = self._decode_name(raw).type
            item = self._one(name, versions.get(name, 0), raw)
            if not opaque and isinstance(item, OpaqueEvent):
                raise item.error_at(position)
            events.append(item)
        return events

    def _one(self, name: str, version: int, raw: msgspec.Raw) -> Any:
        """Return the event in its current version, or an OpaqueEvent if nothing declared leads there."""
        kind = self.catalogue.by_name(name)
        if kind is None or not kind.evolution.covers(version):
            return OpaqueEvent(name, version, bytes(raw))
        if (name, version) == kind.name_and_version:
            return kind.decode(raw)
        fields = self._decode_fields(raw)
        del fields["type"]
        try:
            fields = kind.evolution.upcast(version, fields)
            return kind.decode(self._encode({"type": kind.name, **fields}))
        except StepFailed as error:
            reason = str(error)
        except Exception as error:  # also what a class of somebody's raises in its __post_init__
            reason = f"what they make of it is no {kind.name!r} version {kind.version} ({error})"
        return OpaqueEvent(name, version, bytes(raw), reason)
