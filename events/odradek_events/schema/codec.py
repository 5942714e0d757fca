"""Encodes events as JSON and decodes them.

A commit's events are one JSON array of objects, each with its type's stable name under "type"; bytes are base64, times
RFC 3339. If every (type, version) of a commit is current, one typed call decodes the array. Otherwise the events are
decoded one by one: older versions and former names are upcast (see `evolution`), and one unknown event does not make
the rest unreadable.

An event that does not fit its class is a mistake in the model, not damage of the log: its bytes are as they were
stored. It is reported with its type, version and position, and the other events of its commit stay readable.

The codec decodes events once before they are stored. Python does not enforce types at run time, JSON has no NaN, and
an acknowledged event that can never be decoded would make its stream unreadable. This costs 0.5 us per event; callers
that have checked the values themselves can skip it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from odradek_events.errors import (
    DamagedCommit,
    EventNotReadable,
    EventNotSerializable,
    SchemaMismatch,
    UnknownEventType,
    UpcasterFailed,
)
from odradek_events.record import Commit, CommitMetadata, StoredCommit
from odradek_events.schema.mismatch import mismatch_of
from odradek_events.schema.open_values import require_storable
from odradek_events.schema.registry import CATALOGUE, Catalogue, EventType, lower_offset
from odradek_events.schema.upcasters import StepFailed
from odradek_events.validation import as_plain

__all__ = ["Codec", "OpaqueEvent"]

# Resolved when this is imported: once a test has frozen the clock, `datetime` in an annotation means another class.
_decode_metadata = msgspec.json.Decoder(CommitMetadata).decode
_NOT_DECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class OpaqueEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of an unregistered type or version: its stored name, version and JSON.

    Also an event that does not fit its class, or of an older version that cannot be upcast; `reason` then says why.
    """

    type_name: str
    schema_version: int
    raw: bytes
    reason: str = ""
    is_current: bool = False

    def error_at(self, position: int) -> EventNotReadable:
        """Return the error to raise for this event if it has to be decoded."""
        if not self.reason:
            return UnknownEventType(self.type_name, self.schema_version, position)
        error = SchemaMismatch if self.is_current else UpcasterFailed
        return error(self.type_name, self.schema_version, position, self.reason)


class _Named(msgspec.Struct, gc=False):
    """Decodes only the type name of an event."""

    type: str = ""


class Codec:
    """Encodes and decodes commits by a catalogue of event types."""

    def __init__(self, catalogue: Catalogue = CATALOGUE) -> None:
        self.catalogue = catalogue
        self._encode = msgspec.json.Encoder(enc_hook=as_plain).encode
        self._decode_metadata = _decode_metadata
        self._split = msgspec.json.Decoder(list[msgspec.Raw]).decode
        self._decode_name = msgspec.json.Decoder(_Named).decode
        self._decode_rows = msgspec.json.Decoder(list[dict[str, Any]]).decode
        self._decode_fields = msgspec.json.Decoder(dict[str, Any]).decode

    def __repr__(self) -> str:
        return f"<Codec with {self.catalogue!r}>"

    def kinds_of(self, stream: str, events: Sequence[Any]) -> list[EventType]:
        """Return the types of `events`, sorted by name; raise EventNotSerializable for an unregistered class."""
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
        """Encode events of these (current) types as one JSON array; return it with the events as a reader decodes them.

        With `is_checked` the caller guarantees that every field has a value of its type, and nothing is decoded.
        """
        try:
            if is_checked:
                return self._encode(events), events
            decoder = self.catalogue.decoder(types)
            assert decoder is not None, f"{types} of {stream!r} are not the current versions of registered types"
            if self.catalogue.has_open(types):
                require_storable(events)
            encoded = self._encode(events)
            return encoded, decoder.decode(encoded)
        except EventNotSerializable:
            raise
        except msgspec.ValidationError as error:
            raise EventNotSerializable(stream, f"it could not be decoded again ({error})") from error
        except Exception as error:  # an event's class may raise anything: reject this request only
            raise EventNotSerializable(stream, str(error) or repr(error)) from error

    def encode_metadata(self, stream: str, metadata: CommitMetadata, is_checked: bool = False) -> bytes:
        """Encode a commit's metadata as a JSON object; `is_checked` as for events."""
        try:
            encoded = self._encode(metadata)
            if not is_checked:
                self._decode_metadata(encoded)
        except Exception as error:
            raise EventNotSerializable(stream, f"its metadata cannot be encoded as JSON ({error})") from error
        return encoded

    def metadata(self, stored: StoredCommit) -> CommitMetadata:
        """Decode a stored commit's metadata."""
        try:
            return self._decode_metadata(stored.metadata)
        except _NOT_DECODABLE as error:
            raise DamagedCommit(stored.first_position, f"its metadata cannot be decoded ({error})") from error

    def commit(self, stored: StoredCommit, *, opaque: bool = False) -> Commit:
        """Decode a stored commit.

        Raises UnknownEventType for an event of an unregistered type or version, SchemaMismatch for one that does not
        fit its class, and UpcasterFailed for one that cannot be upcast, each with its position. With `opaque` returns
        an OpaqueEvent for it instead.
        """
        metadata = self.metadata(stored)
        try:
            decoder = self.catalogue.decoder(metadata.types)
            if decoder is not None:
                events = self._all_current(decoder, metadata.types, stored.events)
            else:
                events = self._all_upcast(stored, metadata)
            if events is None:
                events = self._one_by_one(stored, metadata, opaque)
        except _NOT_DECODABLE as error:
            raise DamagedCommit(stored.first_position, f"its events cannot be decoded ({error})") from error
        if len(events) != stored.last_position - stored.first_position + 1:
            raise DamagedCommit(
                stored.first_position, f"it has {len(events)} events, which does not match its positions"
            )
        return Commit(stored.first_position, stored.stream, stored.first_version, events, metadata)

    def tags_of(self, item: Any) -> tuple[str, ...]:
        """Return an event's tags; none for an OpaqueEvent."""
        entry = self.catalogue.by_class(type(item))
        return () if entry is None else entry.tags_of(item)

    def is_indexable(self, commit: Commit) -> bool:
        """Say whether `index` returns all index entries of a commit: all its events are decoded, of current types."""
        return self.catalogue.is_current(commit.metadata.types) and OpaqueEvent not in set(map(type, commit.events))

    def index(
        self, events: Sequence[Any], kinds: Sequence[EventType] | None = None, is_checked: bool = False
    ) -> dict[str, int | None]:
        """Return the index entries of a commit: its events' tags, and `type:<name>` for each type.

        `kinds` are the types of `events`, if the caller knows them. With `is_checked` the caller guarantees that
        offsets rise.
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

    def _all_current(
        self, decoder: msgspec.json.Decoder[list[Any]], types: tuple[tuple[str, int], ...], encoded: bytes
    ) -> list[Any] | None:
        """Decode events of current types together; return None unless all of them fit their classes for certain."""
        try:
            events = decoder.decode(encoded)
        except Exception:  # decoding one by one finds the event; its class may raise anything
            return None
        if self.catalogue.has_lenient(types) and self._encode(events) != encoded:
            return None
        return events

    def _all_upcast(self, stored: StoredCommit, metadata: CommitMetadata) -> list[Any] | None:
        """Upcast all events together; return None if one cannot be upcast or has an unregistered type.

        This takes half the time of upcasting them one by one.
        """
        versions = dict(metadata.types)
        kinds = {name: kind for name in versions if (kind := self.catalogue.by_name(name)) is not None}
        types = tuple({kind.name_and_version for kind in kinds.values()})
        decoder = self.catalogue.decoder(types)
        if decoder is None or not all(
            name in kinds and kinds[name].evolution.covers(version) for name, version in versions.items()
        ):
            return None
        try:
            if all(kind.is_stored_alike(name, versions[name]) for name, kind in kinds.items()):
                return self._all_current(decoder, types, stored.events)
            items = []
            for fields in self._decode_rows(stored.events):
                name = fields.pop("type")
                items.append({"type": kinds[name].name, **kinds[name].evolution.upcast(versions[name], fields)})
            return self._all_current(decoder, types, self._encode(items))
        except Exception:  # decoding one by one raises it again, with the position
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
        """Return the event in its current version, or an OpaqueEvent if it has none."""
        kind = self.catalogue.by_name(name)
        if kind is None or not kind.evolution.covers(version):
            return OpaqueEvent(name, version, bytes(raw))
        is_current = (name, version) == kind.name_and_version
        item, reason = self._fitted(kind, raw) if is_current else self._upcast(kind, version, raw)
        return OpaqueEvent(name, version, bytes(raw), reason, is_current) if reason else item

    def _upcast(self, kind: EventType, version: int, raw: msgspec.Raw) -> tuple[Any, str]:
        """Return an event of an older version as a current one, and why that is impossible or an empty str."""
        item, reason = None, ""
        fields = self._decode_fields(raw)
        del fields["type"]
        try:
            fields = kind.evolution.upcast(version, fields)
            item, reason = self._fitted(kind, self._encode({"type": kind.name, **fields}))
            if reason:
                reason = f"the result {reason}"
        except StepFailed as error:
            return None, str(error)
        except Exception as error:  # a function of an upcaster returned what JSON cannot represent
            reason = str(error)
        if reason:
            reason = f"the upcast fields do not form a {kind.name!r} version {kind.version}: {reason}"
        return item, reason

    def _fitted(self, kind: EventType, encoded: bytes | msgspec.Raw) -> tuple[Any, str]:
        """Return a decoded event of a current type, and why its stored fields do not fit its class or an empty str."""
        item, reason = None, ""
        try:
            item = kind.decode(encoded)
            if not kind.is_lenient:
                return item, ""
        except msgspec.ValidationError as error:
            reason = f"does not fit its class ({error})"
        except _NOT_DECODABLE:
            raise
        except Exception as error:  # from the __post_init__ of a user's class
            reason = f"does not fit its class ({error!r})"
        return item, mismatch_of(kind.cls, self._decode_fields(encoded)) or reason
