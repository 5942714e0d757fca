"""Refuses values of open fields (`Any`, `float | None`) that JSON would change, or that are nested too deeply.

JSON has no NaN and no infinity; msgspec encodes them as null. In a `float` field null cannot be decoded, so the event
is refused anyway. In a field that allows null (`float | None`, `Any`), the value would silently change. The value of an
open field can also be nested to any depth: msgspec, Python's json and SQLite stop at some 1000 levels, readers in other
languages often at 128. So an event may be nested at most 100 levels deep.

Only events of types with open fields are checked, which costs some 0.2 us per value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec

__all__ = ["MAX_DEPTH", "is_open", "require_storable"]

MAX_DEPTH = 100
"""The maximum nesting depth of lists and objects in an event, which counts as the first level."""


def is_open(cls: type[Any]) -> bool:
    """Say whether a type has fields that accept NaN as null, or values nested to any depth."""
    return _is_open(msgspec.inspect.type_info(cls), ())


def require_storable(events: Iterable[Any]) -> None:
    """Raise ValueError for a number that is not finite, or a value nested deeper than MAX_DEPTH."""
    level: list[Any] = list(events)
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"its values are nested deeper than {MAX_DEPTH} levels; store it flatter")
        below: list[Any] = []
        for value in level:
            below += _parts(value)
        for value in below:
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"JSON cannot represent {value!r}; store None or a str instead")
        level = [value for value in below if type(value) not in _LEAVES]


_LEAVES = frozenset({str, bytes, int, float, bool, type(None)})


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, str | bytes | bytearray | memoryview):
        return ()
    if isinstance(value, Mapping):
        return (*value.keys(), *value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, msgspec.Struct):
        return [getattr(value, name) for name in value.__struct_fields__]
    if is_dataclass(value):
        return [getattr(value, field.name, None) for field in fields(value)]
    return ()


def _is_open(info: msgspec.inspect.Type, above: tuple[type[Any], ...]) -> bool:
    match info:
        case msgspec.inspect.Metadata(type=inner):
            return _is_open(inner, above)
        case msgspec.inspect.AnyType() | msgspec.inspect.CustomType() | msgspec.inspect.RawType():
            return True
        case msgspec.inspect.UnionType(types=types):
            kinds = set(map(type, types))
            may_be_null = {msgspec.inspect.FloatType, msgspec.inspect.NoneType} <= kinds
            return may_be_null or any(_is_open(part, above) for part in types)
        case (
            msgspec.inspect.StructType(cls=cls)
            | msgspec.inspect.DataclassType(cls=cls)
            | msgspec.inspect.TypedDictType(cls=cls)
            | msgspec.inspect.NamedTupleType(cls=cls)
        ):
            return cls in above or any(_is_open(field.type, (*above, cls)) for field in info.fields)
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return _is_open(key, above) or _is_open(value, above)
        case msgspec.inspect.TupleType(item_types=items):
            return any(_is_open(item, above) for item in items)
        case msgspec.inspect.CollectionType(item_type=item):
            return _is_open(item, above)
        case _:
            return False
