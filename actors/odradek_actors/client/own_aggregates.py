"""The aggregates with which user-defined actors start, so that their streams can be folded without actors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pykka

from odradek_actors.base.actor import ActorContext
from odradek_actors.infrastructure.directory import ActorClass
from odradek_domain.aggregate import Folded
from odradek_domain.registry import AGGREGATES, Aggregates
from odradek_events.errors import RegistrationError

__all__ = ["aggregates_of"]


class _Unstarted(pykka.ThreadingActor):
    """In place of a runtime's part of an actor that is asked for its initial state and never started: it has no inbox.

    Pykka's own part would draw an id, and took three times as long as the rest.
    """

    _actor_ref: Any = None

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        pass


def aggregates_of(actors: Mapping[str, ActorClass], context: ActorContext) -> Aggregates:
    """Return the registered aggregates, and those of these actors by stream type."""
    makers: dict[str, Callable[..., Folded]] = {
        kind: partial(_initial_state, _unstarted(actor_class), context, kind) for kind, actor_class in actors.items()
    }
    return Aggregates({**AGGREGATES, **makers})


def _unstarted(actor_class: ActorClass) -> ActorClass:
    return type(actor_class.__name__, (actor_class, _Unstarted), {"__module__": actor_class.__module__})


def _initial_state(actor_class: ActorClass, context: ActorContext, kind: str, identifier: str) -> Folded:
    state: Folded = actor_class(context, f"{kind}/{identifier}").initial_state()
    if kind in AGGREGATES:
        registered = AGGREGATES[kind](identifier)
        if type(registered) is not type(state):
            raise RegistrationError(
                f"streams of type {kind!r} have two aggregates, {type(registered).__qualname__}, which is registered, "
                f"and {type(state).__qualname__} of {actor_class.__name__}; use one of them"
            )
    return state
