"""Says how stored fields differ from the class that should hold them.

msgspec drops unknown fields silently, and says only that a field is missing or has another type. Event types forbid
unknown fields themselves (see `registry`), but the Structs, dataclasses and TypedDicts inside them need not. So an
event whose class contains such a lenient class is compared with its stored form after it is decoded: if encoding it
again gives other bytes, its stored fields are checked here, which is slow but exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

__all__ = ["is_lenient", "mismatch_of"]

_Object = msgspec.inspect.StructType | msgspec.inspect.DataclassType | msgspec.inspect.TypedDictType
_WithFields = _Object | msgspec.inspect.NamedTupleType


def is_lenient(cls: type[Any]) -> bool:
    """Say whether a class contains classes that ignore unknown fields."""
    return any(map(_ignores_unknown, _inside(msgspec.inspect.type_info(cls), ())))


def mismatch_of(cls: type[Any], stored: object) -> str | None:
    """Return the first missing or unknown field of a stored object and what is inside it, or None."""
    return next(_mismatches(msgspec.inspect.type_info(cls), stored, ""), None)


def _ignores_unknown(info: _WithFields) -> bool:
    if isinstance(info, msgspec.inspect.StructType):
        return not info.forbid_unknown_fields
    return not isinstance(info, msgspec.inspect.NamedTupleType)


def _inside(info: msgspec.inspect.Type, above: tuple[object, ...]) -> Iterator[_WithFields]:
    """Yield the classes with fields that a type consists of."""
    if isinstance(info, _WithFields):
        if info.cls in above:
            return
        yield info
        above = (*above, info.cls)
    for part in _parts(info):
        yield from _inside(part, above)


def _parts(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    match info:
        case msgspec.inspect.Metadata(type=inner):
            return (inner,)
        case msgspec.inspect.UnionType(types=types):
            return types
        case msgspec.inspect.DictType(value_type=value):
            return (value,)
        case msgspec.inspect.TupleType(item_types=items):
            return items
        case msgspec.inspect.CollectionType(item_type=item):
            return (item,)
        case _:
            return tuple(field.type for field in info.fields) if isinstance(info, _WithFields) else ()


def _mismatches(info: msgspec.inspect.Type, stored: object, place: str) -> Iterator[str]:
    match info:
        case msgspec.inspect.Metadata(type=inner):
            yield from _mismatches(inner, stored, place)
        case msgspec.inspect.UnionType(types=types):
            yield from _mismatches_of_member(types, stored, place)
        case msgspec.inspect.DictType(value_type=value) if isinstance(stored, dict):
            for key, part in stored.items():
                yield from _mismatches(value, part, f"{place}[{key!r}]")
        case msgspec.inspect.TupleType(item_types=items) if isinstance(stored, list):
            for index, (item, part) in enumerate(zip(items, stored, strict=False)):
                yield from _mismatches(item, part, f"{place}[{index}]")
        case msgspec.inspect.CollectionType(item_type=item) if isinstance(stored, list):
            for index, part in enumerate(stored):
                yield from _mismatches(item, part, f"{place}[{index}]")
        case _ if isinstance(info, _Object) and isinstance(stored, dict):
            yield from _mismatches_of_fields(info, stored, f"{place}." if place else "")
        case _ if isinstance(info, _WithFields) and isinstance(stored, list):
            if len(stored) > len(info.fields):
                yield f"has {len(stored)} values in {place!r}, but its class has {len(info.fields)} fields"
            for field, part in zip(info.fields, stored, strict=False):
                yield from _mismatches(field.type, part, f"{place}.{field.name}")


def _mismatches_of_fields(info: _Object, stored: dict[str, object], place: str) -> Iterator[str]:
    fields = {field.encode_name: field for field in info.fields}
    for name, field in fields.items():
        if field.required and name not in stored:
            yield f"has no field {place + name!r}"
    tag = getattr(info, "tag_field", None)
    for name in stored:
        if name not in fields and name != tag:
            yield f"has the field {place + name!r}, which its class does not have"
    for name, field in fields.items():
        if name in stored:
            yield from _mismatches(field.type, stored[name], place + name)


def _mismatches_of_member(types: tuple[msgspec.inspect.Type, ...], stored: object, place: str) -> Iterator[str]:
    """Compare with the member of the union that the stored value belongs to: by its tag, or as the only object."""
    if isinstance(stored, dict):
        tagged = [info for info in types if (tag := _tag_of(info)) and stored.get(tag[0]) == tag[1]]
        types = tuple(tagged or [info for info in types if _tag_of(info) is None])
    for info in types:  # at most one member takes objects, and one takes arrays
        yield from _mismatches(info, stored, place)


def _tag_of(info: msgspec.inspect.Type) -> tuple[str, object] | None:
    if isinstance(info, msgspec.inspect.StructType) and info.tag_field is not None:
        return info.tag_field, info.tag
    return None
