"""Declares event types, encodes events as JSON, and reads events of former versions.

`registry` has the types with their names and tags; `evolution` and `upcasters` describe former versions; `codec`
encodes and decodes commits; `open_values` refuses values that JSON would change; `mismatch` says why a stored event
does not fit its class. Imports `errors`, `record` and `validation` only. Start reading at `registry`.
"""

from odradek_events.schema.codec import Codec, OpaqueEvent
from odradek_events.schema.registry import CATALOGUE, Catalogue, EventType, OffsetTag, event
from odradek_events.schema.upcasters import Upcaster

__all__ = [
    "CATALOGUE",
    "Catalogue",
    "Codec",
    "EventType",
    "OffsetTag",
    "OpaqueEvent",
    "Upcaster",
    "event",
]
