"""Recorded events as a pandas DataFrame: one row per event. Needs the library pandas.

Columns keep the types of the fields. pandas would turn a column of whole numbers with gaps into floats, which are exact
only up to 2**53; such a column gets pandas' type for whole numbers with gaps instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from odradek_events.exchange.errors import LibraryMissing
from odradek_events.record import Recorded
from odradek_events.schema.codec import OpaqueEvent
from odradek_events.validation import shown

if TYPE_CHECKING:
    import pandas

__all__ = ["to_pandas"]

_PLACE = {"position": "int64", "stream": "string", "version": "int64"}
_METADATA = {
    "type": "string",
    "schema_version": "int64",
    "recorded_at": "datetime64[us, UTC]",
    "event_id": "string",
    "commit_id": "string",
    "correlation_id": "string",
    "causation_id": "string",
    "actor": "string",
}
_FIXED = _PLACE | _METADATA


def to_pandas(events: Iterable[Recorded]) -> pandas.DataFrame:
    """Return a row for each event, indexed by position: its place and metadata, and a column for each field.

        frame = odradek.to_pandas(log.read(types=["MessageProduced"]))

    Events of several types have the fields of all of them; a field that an event does not have is missing in its row. A
    field with the name of a metadata column is called `event.<name>`. Events that were read with `opaque` have the
    fields that are stored. All rows are in memory: select what you need when you read. Raises LibraryMissing without
    pandas.
    """
    try:
        import pandas
    except ImportError as error:
        raise LibraryMissing("to_pandas", "pandas", "odradek[pandas]") from error
    columns: dict[str, list[Any]] = {name: [] for name in _FIXED}
    count = 0
    for recorded in _checked(events):
        metadata = recorded.metadata
        for name in _PLACE:
            columns[name].append(getattr(recorded, name))
        for name in _METADATA:
            columns[name].append(getattr(metadata, name))
        for name, value in _fields_of(recorded.event).items():
            column = columns.setdefault(f"event.{name}" if name in _FIXED else name, [])
            column += [None] * (count - len(column))
            column.append(value)
        count += 1
    for column in columns.values():
        column += [None] * (count - len(column))
    series = {
        name: pandas.Series(column, dtype=_FIXED.get(name) or _type_of(column)) for name, column in columns.items()
    }
    return pandas.DataFrame(series).set_index("position")


def _checked(events: Iterable[Recorded]) -> Iterable[Recorded]:
    if not isinstance(events, Iterable):
        raise TypeError(f"events must be recorded events, as log.read() yields them, not {shown(events)}")
    for recorded in events:
        if not isinstance(recorded, Recorded):
            raise TypeError(f"events must be recorded events, as log.read() yields them, not {shown(recorded)}")
        yield recorded


def _fields_of(event: Any) -> Mapping[str, Any]:
    if not isinstance(event, OpaqueEvent):
        return msgspec.structs.asdict(event)
    fields: dict[str, Any] = msgspec.json.decode(event.raw, type=dict[str, Any])
    fields.pop("type", None)
    return fields


def _type_of(values: list[Any]) -> str:
    """Return the type of a column: that of its values if all have the same, with gaps if any is missing."""
    kinds = set(map(type, values))
    has_gaps = type(None) in kinds
    kinds.discard(type(None))
    if kinds == {int} and all(value is None or -(1 << 63) <= value < 1 << 63 for value in values):
        return "Int64" if has_gaps else "int64"
    if kinds == {bool}:
        return "boolean" if has_gaps else "bool"
    if kinds == {float}:
        return "float64"
    if kinds == {str}:
        return "string"
    if kinds == {datetime} and all(value is None or value.utcoffset() is not None for value in values):
        return "datetime64[us, UTC]"
    return "object"
