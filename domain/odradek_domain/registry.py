"""The aggregates of users' own models, by stream type, so that logs can be folded without actors.

A class is registered with a decorator, as event types are, or a function that makes the aggregate of an id:

    @aggregate("account")
    class Account(Aggregate): ...

Like event types, they are registered for the process, in `AGGREGATES`. An ActorSystem adds those of its own actors, for
itself alone: two systems may run two models of one stream type.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from odradek_domain.aggregate import Folded
from odradek_events.errors import RegistrationError
from odradek_events.validation import check_instance, shown, text

__all__ = ["AGGREGATES", "BUILT_IN", "Aggregates", "aggregate"]

BUILT_IN = ("topic", "producer", "consumer", "group", "policy")
"""The stream types of Odradek's own aggregates."""

M = TypeVar("M", bound=Callable[..., Folded])


class Aggregates(Mapping[str, Callable[[str], Folded]]):
    """Functions that make the aggregate of a stream from the stream's id, by stream type."""

    def __init__(self, makers: Mapping[str, Callable[..., Folded]] | None = None) -> None:
        self._makers: dict[str, Callable[..., Folded]] = {}
        self._functions: dict[str, Callable[[str], Folded]] = {}
        for kind, maker in (makers or {}).items():
            self.register(kind, maker)

    def __getitem__(self, kind: str) -> Callable[[str], Folded]:
        return self._functions[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def makers(self) -> list[Callable[..., Folded]]:
        """Return the classes and functions as they were registered."""
        return list(self._makers.values())

    def register(self, kind: str, maker: Callable[..., Folded]) -> None:
        """Add the aggregate of a stream type; adding the same class again (after a module reload) replaces it."""
        if not text("a stream type", kind) or "/" in kind:
            raise RegistrationError(f"an aggregate is registered for a stream type such as 'account', not {kind!r}")
        if kind in BUILT_IN:
            raise RegistrationError(f"streams of type {kind!r} have Odradek's own aggregate; use another stream type")
        known = self._makers.get(kind)
        if known is not None and _place(known) != _place(maker):
            raise RegistrationError(
                f"streams of type {kind!r} already have an aggregate, {_place(known)}, so {_place(maker)} cannot be "
                "registered for them; use another stream type"
            )
        self._functions[kind] = _of_id(kind, maker)
        self._makers[kind] = maker


AGGREGATES = Aggregates()


def aggregate(kind: str, *, aggregates: Aggregates = AGGREGATES) -> Callable[[M], M]:
    """Register a class, or a function that returns an aggregate, for the streams `<kind>/<id>`.

    It is called with the id if it has a parameter without a default value, otherwise without arguments. States,
    differences and `odradek verify` then show the streams' aggregates.
    """
    if callable(kind):
        raise TypeError(f"aggregate takes the stream type; write @aggregate('account') above {_place(kind)}")
    kind = text("kind", kind)
    check_instance("aggregates", aggregates, Aggregates, "Aggregates")

    def register(maker: M) -> M:
        aggregates.register(kind, maker)
        return maker

    return register


def _of_id(kind: str, maker: Callable[..., Folded]) -> Callable[[str], Folded]:
    """Return the maker as a function of the id."""
    if not callable(maker) or (isinstance(maker, type) and not hasattr(maker, "apply_all")):
        raise RegistrationError(
            f"the aggregate of {kind!r} must be a class with apply_all, such as odradek.Aggregate has, or a function "
            f"that returns one, not {shown(maker)}"
        )
    parameters = inspect.signature(maker).parameters.values()
    required = [each for each in parameters if each.default is each.empty and each.kind not in _COLLECTING]
    if not required:
        return lambda _: maker()
    if len(required) > 1 or required[0].kind is inspect.Parameter.KEYWORD_ONLY or not _takes_text(required[0]):
        names = ", ".join(each.name for each in required)
        raise RegistrationError(
            f"the aggregate of {kind!r} is made from the stream's id alone, and {_place(maker)} takes ({names}); "
            f"register a function (id: str) that returns it"
        )
    return maker


_COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _takes_text(parameter: inspect.Parameter) -> bool:
    wanted: Any = parameter.annotation
    wanted = getattr(wanted, "__supertype__", wanted)  # of a NewType
    return wanted in (parameter.empty, Any, "str") or (isinstance(wanted, type) and issubclass(wanted, str))


def _place(maker: Any) -> str:
    name = getattr(maker, "__qualname__", None)
    return repr(maker) if name is None else f"{maker.__module__}.{name}"
