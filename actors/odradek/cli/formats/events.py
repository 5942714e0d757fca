"""How commands print an event: as a line for people, or as an object for programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from odradek import Recorded
from odradek.cli.output import plain
from odradek_events.schema.codec import OpaqueEvent

__all__ = ["event_fields", "event_json", "event_line", "moment"]

_VALUE_WIDTH = 60


def event_json(recorded: Recorded) -> dict[str, object]:
    """Return an event and its metadata; an event of an unknown type is returned as stored."""
    metadata = recorded.metadata
    event = recorded.event
    is_known = not isinstance(event, OpaqueEvent)
    return {
        "position": recorded.position,
        "stream": recorded.stream,
        "version": recorded.version,
        "type": metadata.type,
        "schema_version": metadata.schema_version,
        "recorded_at": metadata.recorded_at,
        "event_id": metadata.event_id,
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
        "actor": metadata.actor,
        "event": event if is_known else msgspec.Raw(event.raw),
    }


def event_line(recorded: Recorded) -> str:
    """Return an event's position, time, stream, type and fields."""
    place = f"{recorded.position:>8}  {moment(recorded.commit.recorded_at)}"
    stream = f"{plain(recorded.stream)} {recorded.version:>5}"
    return f"{place}  {stream}  {plain(recorded.type)}  {event_fields(recorded.event)}"


def event_fields(event: Any, *, brief: bool = False) -> str:
    """Return an event's fields and values; if brief, without its timestamp and without empty and false values."""
    if isinstance(event, OpaqueEvent):
        shown = {name: value for name, value in _fields_of(event.raw).items() if name != "type"}
    else:
        shown = msgspec.structs.asdict(event)
    if brief:
        shown = {name: value for name, value in shown.items() if name != "timestamp" and not _says_nothing(value)}
    return " ".join(f"{plain(name)}={_value(value)}" for name, value in shown.items())


def moment(at: datetime) -> str:
    """Return a time to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields_of(raw: bytes) -> Mapping[str, Any]:
    """Return the fields of an event of an unknown type, as they are stored where no decoder takes them."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"event": _AsStored(raw)}
    return {name: _decoded(bytes(value)) for name, value in fields.items()}


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return _AsStored(raw)  # a number beyond what Python prints or a float holds, values nested too deep


class _AsStored:
    """JSON that is shown as it is stored."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def __str__(self) -> str:
        return self._raw.decode(errors="backslashreplace")


def _says_nothing(value: object) -> bool:
    return value is None or value is False or value in ("", ())


def _value(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return plain(value.decode(), _VALUE_WIDTH)
        except UnicodeDecodeError:
            return plain(repr(value), _VALUE_WIDTH)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return plain(str(value), _VALUE_WIDTH)
