"""Policies: "whenever this happens, that has to be done". The policies of EventStorming, also called process managers.

A policy is a query and a function, as a decision model is, and keeps no state: a process that needs some keeps it in an
aggregate of its own, to which the policy sends commands. Nor does it see the answers. A refusal that something must
follow from is a fact, which the refusing aggregate records, and a policy can react to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from odradek_events.record import Query, Recorded
from odradek_events.validation import MAX_ID, check_function, check_instance, shown, text, whole_number

__all__ = ["Policy", "Reaction"]


class Reaction(msgspec.Struct, frozen=True):
    """A command that a policy sends to the actor of `stream`."""

    stream: str
    command: Any

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for a stream that is not one."""
        if "/" not in text("stream", self.stream):
            raise ValueError(f"stream must be <type>/<id>, such as account/alice, not {self.stream!r}")


class Policy(msgspec.Struct, frozen=True):
    """Reacts to each event that matches `query` with commands to other actors, at least once, in the order of the log.

    `react` gets the event as a Recorded, and returns a Reaction, a list or tuple of them, or None. It runs on an
    actor's thread, must not wait, and must return the same for the same event: after a crash it is called again. Each
    command carries the event's correlation id, and the event's id as its causation id, by which the receiving aggregate
    recognises a command that comes again (`self.cause` in `decide`).

    At most `max_in_flight` events wait for their commands to be answered. A command that has to be repeated may arrive
    after those of later events, unless that is 1.
    """

    name: str
    query: Query
    react: Callable[[Recorded], Reaction | list[Reaction] | tuple[Reaction, ...] | None]
    max_in_flight: int = 256

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for a field that does not fit."""
        if not text("name", self.name, MAX_ID):
            raise ValueError("name must not be empty; a policy is known by its name in the log")
        check_instance("query", self.query, Query, "a Query")
        if not self.query.items:
            raise ValueError("a query without items matches no event; add items")
        if self.react is None:
            raise TypeError("react must be a function that returns the reactions to an event, not None")
        check_function("react", self.react)
        whole_number("max_in_flight", self.max_in_flight, 1)

    def reactions_to(self, recorded: Recorded) -> tuple[Reaction, ...]:
        """Return the reactions to an event as a tuple; TypeError if `react` returns anything else."""
        returned: object = self.react(recorded)
        if returned is None:
            return ()
        reactions = tuple(returned) if isinstance(returned, list | tuple) else (returned,)
        for reaction in reactions:
            if not isinstance(reaction, Reaction):
                raise TypeError(
                    f"{shown(reaction)} is not a Reaction; return a Reaction, a list or tuple of them, or None"
                )
        return reactions
