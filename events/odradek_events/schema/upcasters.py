"""Upcasters: convert the fields of one version of an event to the next, in steps. See `evolution` for declaring them.

A step is applied forwards to the fields of a stored event, and checked backwards from the fields of the current class,
so mistakes are found at import.

Steps are strict, since a missing field would silently get its default value. A field that is renamed or converted must
exist, unless the step has a default for it; a field that is added must not exist yet.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from odradek_events.errors import RegistrationError
from odradek_events.validation import shown

__all__ = ["Fields", "Shape", "StepFailed", "Upcaster"]

Fields = dict[str, object]
_MISSING = object()


class StepFailed(Exception):
    """A step does not fit an event; the message names the step and the reason. Becomes an UpcasterFailed."""


class Shape:
    """What is known about an event's fields before a step, derived backwards from the current class.

    `known` are the field names that it may have (None: any, because a later step is a function), `required` those that
    it must have, and `tagged` those that its tags are computed from. `is_retagged` says whether a later step changes
    the values of tagged fields.
    """

    def __init__(self, known: Iterable[str], required: Iterable[str], tagged: Iterable[str]) -> None:
        self.known: set[str] | None = set(known)
        self.required, self.tagged = set(required), set(tagged)
        self.is_retagged = False

    def unknown_field(self, name: str) -> str | None:
        """Return the problem of a step that creates this field if later versions do not have it, or None."""
        if self.known is None or name in self.known:
            return None
        return f"the next version has no field {name!r}; use one of {sorted(self.known)}, or drop it in a later step"

    def forget(self, name: str) -> None:
        """Remove a field, going back to before it was added."""
        if self.known is not None:
            self.known.discard(name)
        self.required.discard(name)


class _Step(Protocol):
    def __call__(self, fields: Fields) -> Fields:
        """Return the fields after this step; may modify `fields`."""
        ...

    def before(self, shape: Shape) -> str | None:
        """Change the shape after this step into the one before it; return the problem of the step, or None."""
        ...

    def names(self) -> tuple[str, ...]:
        """Return the field names that it was declared with."""
        ...


@dataclass(frozen=True)
class _Rename:
    old: str
    new: str
    default: object

    def __call__(self, fields: Fields) -> Fields:
        value = _taken(fields, self.old, self.default)
        _refuse_present(fields, self.new)
        fields[self.new] = value
        return fields

    def before(self, shape: Shape) -> str | None:
        problem = shape.unknown_field(self.new)
        for names in (shape.required, shape.tagged):
            if self.new in names:
                names.remove(self.new)
                names.add(self.old)
        if self.default is _MISSING:
            shape.required.add(self.old)
        if shape.known is not None:
            shape.known = shape.known - {self.new} | {self.old}
        return problem

    def names(self) -> tuple[str, ...]:
        return self.old, self.new

    def __str__(self) -> str:
        return f"rename({self.old!r}, {self.new!r}{_shown(self.default)})"


@dataclass(frozen=True)
class _Add:
    name: str
    default: object

    def __call__(self, fields: Fields) -> Fields:
        _refuse_present(fields, self.name)
        fields[self.name] = _fresh(self.default)
        return fields

    def before(self, shape: Shape) -> str | None:
        problem = shape.unknown_field(self.name)
        shape.is_retagged |= self.name in shape.tagged
        shape.forget(self.name)
        return problem

    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def __str__(self) -> str:
        return f"add({self.name!r}{_shown(self.default)})"


@dataclass(frozen=True)
class _Drop:
    name: str

    def __call__(self, fields: Fields) -> Fields:
        fields.pop(self.name, None)
        return fields

    def before(self, shape: Shape) -> str | None:
        shape.is_retagged |= self.name in shape.tagged
        if self.name in shape.required:
            return f"the next version requires the field {self.name!r}; keep it, or add it again"
        if shape.known is not None:
            shape.known.add(self.name)
        return None

    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def __str__(self) -> str:
        return f"drop({self.name!r})"


@dataclass(frozen=True)
class _Convert:
    name: str
    function: Callable[[object], object]
    default: object

    def __call__(self, fields: Fields) -> Fields:
        fields[self.name] = self.function(_taken(fields, self.name, self.default))
        return fields

    def before(self, shape: Shape) -> str | None:
        shape.is_retagged |= self.name in shape.tagged
        if self.default is _MISSING:
            shape.required.add(self.name)
        return shape.unknown_field(self.name)

    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def __str__(self) -> str:
        return f"convert({self.name!r}, {_called(self.function)}{_shown(self.default)})"


@dataclass(frozen=True)
class _Transform:
    function: Callable[[Fields], Fields]

    def __call__(self, fields: Fields) -> Fields:
        made = self.function(fields)
        if not isinstance(made, dict) or "type" in made:
            raise TypeError(f"the function must return the fields as a dict without 'type', not {made!r}")
        return made

    def before(self, shape: Shape) -> str | None:
        shape.is_retagged |= bool(shape.tagged)
        shape.known = None
        shape.required.clear()
        return None

    def names(self) -> tuple[str, ...]:
        return ()

    def __str__(self) -> str:
        return f"transform({_called(self.function)})"


@dataclass(frozen=True, repr=False)
class Upcaster:
    """Converts events of `from_version` to the next version, with steps that are applied in the order given.

    Steps see the field names and values as stored in JSON: bytes are base64 text, times are RFC 3339 text, and a field
    with its default value is not stored. Use no steps if the next version can read the fields unchanged, for example if
    it only added a field with a default.
    """

    from_version: int
    steps: tuple[_Step, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if type(self.from_version) is not int or self.from_version < 1:
            raise RegistrationError(
                f"an upcaster's from_version must be an int of 1 or more, not {shown(self.from_version)}; "
                "use one as in Upcaster(1)"
            )

    def __repr__(self) -> str:
        return f"Upcaster({self.from_version}){''.join(f'.{step}' for step in self.steps)}"

    def rename(self, old: str, new: str, *, default: object = _MISSING) -> Upcaster:
        """Rename a field; `default` is its value if it is missing."""
        return self._with(_Rename(old, new, self._stored(default)))

    def add(self, name: str, value: object) -> Upcaster:
        """Add a field with this value."""
        return self._with(_Add(name, self._stored(value)))

    def drop(self, name: str) -> Upcaster:
        """Remove a field if it exists."""
        return self._with(_Drop(name))

    def convert(self, name: str, function: Callable[..., object], *, default: object = _MISSING) -> Upcaster:
        """Replace a field's value by a pure function of it; `default` is its previous value if it is missing."""
        return self._with(_Convert(name, function, self._stored(default)))

    def transform(self, function: Callable[[Fields], Fields]) -> Upcaster:
        """Replace all fields by a pure function of them. Use it sparingly: steps before it cannot be checked."""
        return self._with(_Transform(function))

    def apply(self, fields: Fields) -> Fields:
        """Convert the fields to the next version; raise StepFailed if a step does not fit them."""
        for step in self.steps:
            try:
                fields = step(fields)
            except Exception as error:  # user functions may raise anything
                reason = str(error) if isinstance(error, StepFailed) else repr(error)
                raise StepFailed(f"Upcaster({self.from_version}).{step}: {reason}") from error
        return fields

    def _with(self, step: _Step) -> Upcaster:
        wrong = [name for name in step.names() if not isinstance(name, str) or name in ("", "type")]
        if wrong:
            raise RegistrationError(
                f"Upcaster({self.from_version}).{step} uses {wrong[0]!r} as a field name; use a non-empty string other "
                "than 'type', under which the log stores the event's type"
            )
        return Upcaster(self.from_version, steps=(*self.steps, step))

    def _stored(self, value: object) -> object:
        """Return a value as it would be read from a log."""
        if value is _MISSING:
            return value
        try:
            return msgspec.json.decode(msgspec.json.encode(value))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise RegistrationError(
                f"Upcaster({self.from_version}) has the value {value!r}, which JSON cannot represent ({error}); use a "
                "JSON value"
            ) from error


def _taken(fields: Fields, name: str, default: object) -> object:
    if name in fields:
        return fields.pop(name)
    if default is _MISSING:
        raise StepFailed(f"there is no field {name!r}; if the field had a default value, pass it as default=")
    return _fresh(default)


def _refuse_present(fields: Fields, name: str) -> None:
    if name in fields:
        raise StepFailed(f"there is already a field {name!r}; drop or rename it first")


def _fresh(default: object) -> object:
    """Return a copy that a later function may modify without changing the declaration."""
    return copy.deepcopy(default) if isinstance(default, dict | list) else default


def _shown(default: object) -> str:
    return "" if default is _MISSING else f", {default!r}"


def _called(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
