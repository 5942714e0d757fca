"""How event types are declared, encoded, and read in the versions they had before.

`registry` holds the types, their names and tags; `evolution` and `upcasters` describe former versions; `codec` turns
events into JSON and back. Imports `errors` and `record` only. Start reading at `registry`.
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
