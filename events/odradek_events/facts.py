"""The state of an object as facts by name: `cents` = 5, `lines[0].price` = 7.

Two states can so be compared although their classes define no equality, and a difference has a name. `facts_of` looks
at every attribute, for tests. `public_facts_of` looks at public ones, for users who look at states and compare them; a
value that it cannot compare becomes `Incomparable`, so that it never counts as equal.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

__all__ = ["Facts", "Incomparable", "are_equal", "facts_of", "named", "public_attributes", "public_facts_of"]

Facts = dict[str, object]
_Parts = list[tuple[str, Any]] | None
_VALUES = (bool, int, float, str, bytes, type(None))
_COLLECTIONS = (dict, list, tuple, deque, set, frozenset, Mapping)


class _View(NamedTuple):
    """Which attributes of objects count, and what represents an object without parts, which may be inside itself."""

    attributes: Callable[[Any], _Parts]
    leaf: Callable[[Any, bool], object]


class Incomparable(msgspec.Struct, frozen=True):
    """Stands for a value that cannot be compared, and says why."""

    shown: str
    reason: str

    def __str__(self) -> str:
        return self.shown


def facts_of(thing: object) -> Facts:
    """Return the state of an object as facts by name.

    Uses the result of `snapshot()` if the object has that method, otherwise all attributes, recursively.
    """
    snapshot = getattr(thing, "snapshot", None)
    return dict(_facts("", snapshot() if callable(snapshot) else thing, frozenset(), _WHOLE))


def public_facts_of(thing: object) -> Facts:
    """Return the public state of an object as facts by name, without its `version`.

    Uses the result of `snapshot()` if the object has that method, otherwise its public attributes and properties. A
    property that raises has no value in this state, and is left out; cached properties are derived from the others.
    Below them, objects count by their equality if their class defines one, else by their public attributes.
    """
    make = getattr(thing, "snapshot", None)
    if callable(make):
        snapshot = make()
        is_named = isinstance(snapshot, Mapping) and all(isinstance(name, str) for name in snapshot)
        if not is_named:
            facts = dict(_facts("", snapshot, frozenset(), _PUBLIC))
            facts.pop("version", None)
            return facts
        state = {name: value for name, value in snapshot.items() if name != "version"}
    else:
        state = _public_state(thing)
        if not state and {name for name, _ in _attributes(thing) or ()} - {".version"}:
            return {"state": _incomparable(thing, "neither snapshot() nor public attributes")}
    found: Facts = {}
    for name, value in state.items():
        found.update(_facts(name, value, frozenset({id(thing)}), _PUBLIC))
    return found


def public_attributes(thing: object) -> dict[str, Any]:
    """Return the public attributes of an object by name, sorted."""
    return {name.removeprefix("."): value for name, value in _public_attributes(thing) or ()}


def are_equal(one: object, other: object) -> bool:
    """Return whether two facts are equal."""
    if type(one) is type(other) and _is_compared_by_identity(one) and not isinstance(one, Enum):
        return True  # it is immutable, or its parts are compared separately
    return one is other or bool(one == other) or bool(one != one and other != other)  # not a number


def named(thing: object) -> str:
    """Return the name of an object's class."""
    return type(thing).__qualname__.rpartition("<locals>.")[2]


def _facts(name: str, thing: Any, within: frozenset[int], view: _View) -> Iterator[tuple[str, object]]:
    is_within = id(thing) in within
    parts = None if is_within else _parts(thing, view.attributes)
    if parts is None:
        yield name or "value", view.leaf(thing, is_within)
        return
    within = within | {id(thing)}
    if isinstance(thing, _COLLECTIONS):
        yield f"{name}.size".removeprefix("."), len(thing)
    for part, value in parts:
        yield from _facts(f"{name}{part}".removeprefix("."), value, within, view)


def _parts(thing: Any, attributes: Callable[[Any], _Parts]) -> _Parts:
    """Return the parts of an object, each with how to access it; None for an object without parts."""
    if type(thing) in _VALUES:
        return None
    if isinstance(thing, msgspec.Struct):
        return [(f".{field}", getattr(thing, field)) for field in thing.__struct_fields__]
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return [(f".{field.name}", getattr(thing, field.name)) for field in dataclasses.fields(thing)]
    if isinstance(thing, _COLLECTIONS):
        return [*_elements(thing), *(() if type(thing) in _COLLECTIONS else attributes(thing) or ())]
    if _is_code(thing) or (not _is_compared_by_identity(thing) and type(thing).__hash__ is not None):
        return None  # a name, or a value
    return attributes(thing)


def _elements(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, Mapping):
        return ((f"[{key!r}]", value) for key, value in thing.items())
    if isinstance(thing, set | frozenset):
        return ((f"[{item!r}]", item) for item in sorted(thing, key=repr))
    return ((f"[{index}]", value) for index, value in enumerate(thing))


def _leaf(thing: Any, _is_within: bool = False) -> object:
    """Return what represents an object without parts: its name for code (a copy binds other methods), else a value."""
    if _is_code(thing):
        return f"<{thing.__qualname__}>"
    return copy.deepcopy(thing) if type(thing).__hash__ is None else thing


def _public_leaf(thing: Any, is_within: bool) -> object:
    """Return what represents an object without parts; an Incomparable if nothing does."""
    if is_within:
        return f"<{named(thing)}>"
    if thing is None or _is_code(thing) or isinstance(thing, Enum):
        return _leaf(thing)
    if not _is_compared_by_identity(thing):
        try:
            bool(thing == thing)  # an array of numbers raises
        except Exception as error:
            return Incomparable(f"<{named(thing)}>", f"comparing {named(thing)} raised {error!r}")
        return _leaf(thing)
    return _incomparable(thing, "neither an equality nor public attributes")


def _incomparable(thing: object, what_it_lacks: str) -> Incomparable:
    return Incomparable(f"<{named(thing)}>", f"{named(thing)} has {what_it_lacks}")


def _is_code(thing: object) -> bool:
    """Return whether this is a function, a method or a class; not an object that can be called but has a state."""
    return callable(thing) and hasattr(thing, "__qualname__")


def _is_compared_by_identity(thing: object) -> bool:
    return type(thing).__eq__ is object.__eq__


def _attributes(thing: Any) -> _Parts:
    slots = [slot for cls in type(thing).__mro__ for slot in _slots(cls)]
    names = [*getattr(thing, "__dict__", ()), *(slot for slot in slots if hasattr(thing, slot))]
    return [(f".{name}", getattr(thing, name)) for name in sorted(set(names))] or None


def _public_attributes(thing: Any) -> _Parts:
    if isinstance(thing, Enum):
        return None
    return [part for part in _attributes(thing) or () if not part[0].startswith("._")] or None


def _public_state(thing: Any) -> dict[str, Any]:
    """Return the public attributes and properties of an object."""
    found = public_attributes(thing)
    for cls in reversed(type(thing).__mro__):
        for name, value in vars(cls).items():
            if isinstance(value, cached_property):
                found.pop(name, None)
            elif isinstance(value, property) and not name.startswith("_"):
                with suppress(Exception):  # the user's code; see public_facts_of
                    found[name] = getattr(thing, name)
    found.pop("version", None)
    return dict(sorted(found.items()))


def _slots(cls: type[Any]) -> list[str]:
    slots = vars(cls).get("__slots__", ())
    found = [slots] if isinstance(slots, str) else list(slots)
    return [_mangled(cls, slot) for slot in found if slot not in ("__dict__", "__weakref__")]


def _mangled(cls: type[Any], name: str) -> str:
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_{cls.__name__.lstrip('_')}{name}" if is_private else name


_WHOLE = _View(_attributes, _leaf)
_PUBLIC = _View(_public_attributes, _public_leaf)
