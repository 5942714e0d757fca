"""Which events of a log are looked at: those of some types, by current, former or unregistered names."""

from __future__ import annotations

from collections.abc import Callable, Collection

from odradek_events.schema.codec import OpaqueEvent
from odradek_events.schema.registry import Catalogue

__all__ = ["has_type"]


def has_type(catalogue: Catalogue, types: Collection[str]) -> Callable[[object], bool]:
    """Return a function that says whether an event, as `commits(opaque=True)` yields it, is of one of these types."""
    names = set(catalogue.stored_names(types))
    classes = {kind.cls for name in names if (kind := catalogue.by_name(name)) is not None}
    return lambda event: type(event) in classes or (isinstance(event, OpaqueEvent) and event.type_name in names)
