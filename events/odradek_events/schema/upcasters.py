"""Up-casters: how events of one version are read as the next, step by step. See `evolution` for how they are declared.

A step is applied forwards to the fields of a stored event, and followed backwards from those of the current class: so
what cannot be right is found at import.

Steps are strict, as a field that is quietly missing would quietly become its default: what is renamed or converted must
be there, unless the step says what a missing one counts as; what is added must not be there yet.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from odradek_events.errors import RegistrationError

__all__ = ["Fields", "Shape", "StepFailed", "Upcaster"]

Fields = dict[str, object]
_MISSING = object()


class StepFailed(Exception):
    """A step does not fit an event: what step, and why. Becomes an UpcasterFailed, which knows the event."""


class Shape:
    """What is known of an event's fields at one point of its history, followed backwards from the current class.

    `known` are the names it may have (None: any, as a function comes after it), `required` those it must have, `tagged`
    those that make its tags; `is_retagged` says that a later step gives those other values.
    """

    def __init__(self, known: Iterable[str], required: Iterable[str], tagged: Iterable[str]) -> None:
        self.known: set[str] | None = set(known)
        self.required, self.tagged = set(required), set(tagged)
        self.is_retagged = False

    def stranger(self, name: str) -> str | None:
        """Say what is wrong with a step that makes a field of this name, if nothing after it knows the name."""
        if self.known is None or name in self.known:
            return None
        return f"{name!r} is no field of what it leads to; use one of {sorted(self.known)}, or drop it in a later step"

    def forget(self, name: str) -> None:
        """Go back beyond the point from which on there is such a field."""
        if self.known is not None:
            self.known.discard(name)
        self.required.discard(name)


class _Step(Protocol):
    def __call__(self, fields: Fields) -> Fields:
        """Return the fields after this step; may change what it is given."""
        ...

    def before(self, shape: Shape) -> str | None:
        """Turn the shape after this step into the one before it; return what is wrong with the step, if anything."""
        ...

    def names(self) -> tuple[str, ...]:
        """Return the names of fields that it was declared with."""
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
        problem = shape.stranger(self.new)
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
        problem = shape.stranger(self.name)
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
            return f"{self.name!r} is needed by what it leads to; keep it, or add it again"
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
        return shape.stranger(self.name)

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
            raise TypeError(f"it must return the fields as a dict, without 'type', not {made!r}")
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
    """How events of `from_version` are read as the next version: steps, in the order in which they are written.

    Steps see the fields under the names and with the values that are stored in JSON: bytes are base64 text, times RFC
    3339 text, and a field that had its default is not stored. Without any step the next version reads them as they are
    (a field was added that has a default, say).
    """

    from_version: int
    steps: tuple[_Step, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if type(self.from_version) is not int or self.from_version < 1:
            raise RegistrationError(
                f"an up-caster leads on from a version, 1 or more, not from {self.from_version!r}; write Upcaster(1)"
            )

    def __repr__(self) -> str:
        return f"Upcaster({self.from_version}){''.join(f'.{step}' for step in self.steps)}"

    def rename(self, old: str, new: str, *, default: object = _MISSING) -> Upcaster:
        """Call the field `old` `new`; `default` is what a missing one counts as."""
        return self._with(_Rename(old, new, self._stored(default)))

    def add(self, name: str, value: object) -> Upcaster:
        """Add a field with this value."""
        return self._with(_Add(name, self._stored(value)))

    def drop(self, name: str) -> Upcaster:
        """Leave a field out, if it is there."""
        return self._with(_Drop(name))

    def convert(self, name: str, function: Callable[..., object], *, default: object = _MISSING) -> Upcaster:
        """Replace a field's value by a pure function of it; `default` is what a missing one counts as, before that."""
        return self._with(_Convert(name, function, self._stored(default)))

    def transform(self, function: Callable[[Fields], Fields]) -> Upcaster:
        """Replace all fields by a pure function of them, for the odd case: nothing before it can be checked."""
        return self._with(_Transform(function))

    def apply(self, fields: Fields) -> Fields:
        """Return the fields as the next version has them; StepFailed if a step does not fit them."""
        for step in self.steps:
            try:
                fields = step(fields)
            except Exception as error:  # people's own functions, which may raise anything
                reason = str(error) if isinstance(error, StepFailed) else repr(error)
                raise StepFailed(f"Upcaster({self.from_version}).{step}: {reason}") from error
        return fields

    def _with(self, step: _Step) -> Upcaster:
        wrong = [name for name in step.names() if not isinstance(name, str) or name in ("", "type")]
        if wrong:
            raise RegistrationError(
                f"Upcaster({self.from_version}).{step} names {wrong[0]!r}, which is not a field's name; "
                "a field has a name, and 'type' is where the log keeps that of the event"
            )
        return Upcaster(self.from_version, steps=(*self.steps, step))

    def _stored(self, value: object) -> object:
        """Return a value as it is when read from a log."""
        if value is _MISSING:
            return value
        try:
            return msgspec.json.decode(msgspec.json.encode(value))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise RegistrationError(
                f"Upcaster({self.from_version}) cannot give a field the value {value!r}: JSON has no such ({error})"
            ) from error


def _taken(fields: Fields, name: str, default: object) -> object:
    if name in fields:
        return fields.pop(name)
    if default is _MISSING:
        raise StepFailed(f"there is no field {name!r}; if it had a default, give the step that as default=")
    return _fresh(default)


def _refuse_present(fields: Fields, name: str) -> None:
    if name in fields:
        raise StepFailed(f"there is a field {name!r} already; drop or rename that one first")


def _fresh(default: object) -> object:
    """Return a value that a later function may change without changing the declaration."""
    return copy.deepcopy(default) if isinstance(default, dict | list) else default


def _shown(default: object) -> str:
    return "" if default is _MISSING else f", {default!r}"


def _called(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
