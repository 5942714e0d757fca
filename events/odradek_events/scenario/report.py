"""The failure messages of a scenario: the history, the call as written, and the differences by name.

States are compared as facts (`facts`), so that a failure names the difference, and mutable state can be compared with
itself at an earlier time.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from odradek_events.facts import Facts, are_equal, named

__all__ = ["Section", "call_of", "difference_of", "listed", "story"]

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


def call_of(function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """Return a call as written in Python; for a lambda, its source text."""
    name = getattr(function, "__qualname__", repr(function)).rpartition("<locals>.")[2]
    if name == "<lambda>":
        name = _source_of(function) or name
        if not (args or kwargs):
            return name
    given = [*map(_shown, args), *(f"{key}={_shown(value)}" for key, value in kwargs.items())]
    return f"{name}({', '.join(given)})"


def difference_of(one: Facts, other: Facts, form: str) -> list[str]:
    """Return a line for each fact that differs, in a form such as `{name} was {one} and is {other}`."""
    lines = [
        form.format(name=name, one=_shown(one.get(name, _MISSING)), other=_shown(other.get(name, _MISSING)))
        for name in dict.fromkeys([*one, *other])
        if not are_equal(one.get(name, _MISSING), other.get(name, _MISSING))
    ]
    hidden = len(lines) - _SHOWN_FACTS
    return lines if hidden <= 0 else [*lines[:_SHOWN_FACTS], f"and {hidden} more"]


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
