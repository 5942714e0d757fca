"""How event types are declared, encoded, and read in the versions they had before.

`registry` holds the types, their names and tags; `evolution` and `upcasters` describe former versions; `codec` turns
events into JSON and back; `open_values` refuses what JSON would change. Imports `errors`, `record` and `validation`
only. Start reading at `registry`.
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
