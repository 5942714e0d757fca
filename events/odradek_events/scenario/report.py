"""The failure messages of a scenario: the history, the call as written, and the differences by name.

States are compared as facts (`cents` = 5, `lines[0].price` = 7), so that a failure names the difference, and mutable
state can be compared with itself at an earlier time.
"""

from __future__ import annotations

import copy
import dataclasses
import linecache
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["Facts", "Section", "call_of", "difference_of", "facts_of", "listed", "named", "story"]

Facts = dict[str, object]
Section = tuple[str, Sequence[str]]
"""A heading and the lines below it."""
_SHOWN_EVENTS = 12
_SHOWN_FACTS = 8
_WIDTH = 300


class _Missing:
    def __repr__(self) -> str:
        return "missing"


_MISSING = _Missing()


def story(what: str, aggregate: object, history: Sequence[Any], call: str, then: Sequence[Section]) -> str:
    """Return the text of a failure: what is wrong, the given events, the call, and the sections that follow."""
    sections: list[Section] = [(f"given {named(aggregate)}{', and then' if history else ', new'}", listed(history))]
    if call:
        sections.append(("when", [call]))
    lines = [what, ""]
    for heading, content in (*sections, *then):
        lines += [heading, *(f"  {line}" for line in content)]
    return "\n".join(lines)


def listed(events: Sequence[Any]) -> list[str]:
    """Return a line for each event; if there are many, only for the last ones."""
    hidden = max(0, len(events) - _SHOWN_EVENTS)
    lines = [f"({hidden} more)"] if hidden else []
    return lines + [f"{number}. {_shown(event)}" for number, event in enumerate(events[hidden:], hidden + 1)]


def named(thing: object) -> str:
    """Return the name of an object's class."""
    return type(thing).__qualname__.rpartition("<locals>.")[2]


def call_of(function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """Return a call as written in Python; for a lambda, its source text."""
    name = getattr(function, "__qualname__", repr(function)).rpartition("<locals>.")[2]
    if name == "<lambda>":
        name = _source_of(function) or name
        if not (args or kwargs):
            return name
    given = [*map(_shown, args), *(f"{key}={_shown(value)}" for key, value in kwargs.items())]
    return f"{name}({', '.join(given)})"


def facts_of(thing: object) -> Facts:
    """Return the state of an object as facts by name.

    Uses the result of `snapshot()` if the object has that method, otherwise all attributes, recursively.
    """
    snapshot = getattr(thing, "snapshot", None)
    return dict(_facts("", snapshot() if callable(snapshot) else thing, frozenset()))


def difference_of(one: Facts, other: Facts, form: str) -> list[str]:
    """Return a line for each fact that differs, in a form such as `{name} was {one} and is {other}`."""
    lines = [
        form.format(name=name, one=_shown(one.get(name, _MISSING)), other=_shown(other.get(name, _MISSING)))
        for name in dict.fromkeys([*one, *other])
        if not _are_equal(one.get(name, _MISSING), other.get(name, _MISSING))
    ]
    hidden = len(lines) - _SHOWN_FACTS
    return lines if hidden <= 0 else [*lines[:_SHOWN_FACTS], f"and {hidden} more"]


def _facts(name: str, thing: Any, within: frozenset[int]) -> Iterator[tuple[str, object]]:
    parts = None if id(thing) in within else _parts(thing)
    if parts is None:
        yield name or "value", _leaf(thing)
        return
    within = within | {id(thing)}
    if isinstance(thing, Mapping | list | tuple | deque | set | frozenset):
        yield f"{name}.size".removeprefix("."), len(thing)
    for part, value in parts:
        yield from _facts(f"{name}{part}".removeprefix("."), value, within)


def _parts(thing: Any) -> list[tuple[str, Any]] | None:
    """Return the parts of an object, each with how to access it; None for an object without parts."""
    if isinstance(thing, msgspec.Struct):
        return [(f".{field}", getattr(thing, field)) for field in thing.__struct_fields__]
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return [(f".{field.name}", getattr(thing, field.name)) for field in dataclasses.fields(thing)]
    if isinstance(thing, Mapping):
        return [(f"[{key!r}]", value) for key, value in thing.items()]
    if isinstance(thing, list | tuple | deque):
        return [(f"[{index}]", value) for index, value in enumerate(thing)]
    if isinstance(thing, set | frozenset):
        return [(f"[{item!r}]", item) for item in sorted(thing, key=repr)]
    if callable(thing) or (not _is_compared_by_identity(thing) and type(thing).__hash__ is not None):
        return None  # code, or a value
    return _attributes(thing)


def _leaf(thing: Any) -> object:
    """Return what represents an object without parts: its name for code (a copy binds other methods), else a value."""
    if callable(thing):
        return f"<{getattr(thing, '__qualname__', named(thing))}>"
    return copy.deepcopy(thing) if type(thing).__hash__ is None else thing


def _is_compared_by_identity(thing: object) -> bool:
    return type(thing).__eq__ is object.__eq__


def _attributes(thing: Any) -> list[tuple[str, Any]] | None:
    slots = [slot for cls in type(thing).__mro__ for slot in _slots(cls)]
    names = [*getattr(thing, "__dict__", ()), *(slot for slot in slots if hasattr(thing, slot))]
    return [(f".{name}", getattr(thing, name)) for name in sorted(set(names))] or None


def _slots(cls: type[Any]) -> list[str]:
    slots = vars(cls).get("__slots__", ())
    found = [slots] if isinstance(slots, str) else list(slots)
    return [_mangled(cls, slot) for slot in found if slot not in ("__dict__", "__weakref__")]


def _mangled(cls: type[Any], name: str) -> str:
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_{cls.__name__.lstrip('_')}{name}" if is_private else name


def _are_equal(one: object, other: object) -> bool:
    if type(one) is type(other) and _is_compared_by_identity(one):
        return True  # it is immutable, or its parts are compared separately
    return one is other or bool(one == other)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}... ({len(text)} characters)"


def _source_of(function: Callable[..., object]) -> str | None:
    """Return the source text of a lambda's body, located by the positions in its code object."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    places = [
        (line, column, end, end_column)
        for line, end, column, end_column in code.co_positions()
        if None not in (line, end, column, end_column) and end_column
    ]
    if not places:
        return None
    first_line, first_column = min((line, column) for line, column, _, _ in places)
    last_line, last_column = max((end, end_column) for _, _, end, end_column in places)
    lines = [linecache.getline(code.co_filename, number).encode() for number in range(first_line, last_line + 1)]
    lines[-1] = lines[-1][:last_column]
    lines[0] = lines[0][first_column:]
    return " ".join(line.decode().strip() for line in lines).strip() or None
