"""Decisions and invariants, as a model declares them.

A decider gets the facts of its read-set, folded, and a command. It returns an event, several, or none, or raises an
error: its refusal. It is pure, and knows nothing of boundaries, so the same decider runs under each of them.

Prior art: the Decider (Chassaing, emmett) for the pair of fold and decide, and the DCB specification (dcb.events) for
the read-set as a query. What is added here is that the query of the append need not be that of the read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from odradek_boundaries.errors import DecisionFailed, InvalidModel, InvalidReadSet
from odradek_boundaries.read_sets import Fact, Facts, kind_of

__all__ = ["Decider", "Folded", "Invariant", "Known", "Outcome", "Rules", "Watch"]


class Folded(Protocol):
    """State that is folded from events, such as an `odradek.Aggregate`."""

    def apply_all(self, events: Sequence[Any]) -> None:
        """Apply events in order. Ignores events that it has no use for."""
        ...


class Known(list[Any]):
    """The facts themselves, in order: the state of a decider that names no other."""

    def apply_all(self, events: Sequence[Any]) -> None:
        """Add facts."""
        self.extend(events)


class Outcome(msgspec.Struct, frozen=True):
    """What was decided: events, or a refusal, by the name of its error."""

    events: tuple[Any, ...] = ()
    refusal: str = ""


class Decider(msgspec.Struct, frozen=True, eq=False):
    """A decision: the commands it is for, what it reads, the state to fold that into, and the rule.

    `whole` returns all facts that the state is made for, such as the whole stream of an aggregate: `check` compares a
    decision on them with the decision on the read-set.
    """

    command: type[Any]
    reads: Callable[[Any], Facts]
    state: Callable[[Any], Folded]
    decide: Callable[[Any, Any], Any]
    whole: Callable[[Any], Facts] | None = None

    @property
    def name(self) -> str:
        """The name of the command's class."""
        return self.command.__name__

    def read_set(self, command: Any) -> Facts:
        """Return what the decision on a command reads."""
        found = self.reads(command)
        if not isinstance(found, Facts):
            raise InvalidReadSet(
                f"the read-set of {self.name} must be made of facts(...), joined by |, not {found!r}; return facts(...)"
            )
        return found

    def outcome(self, state: Folded, command: Any) -> Outcome:
        """Decide. A ValueError, or an error class that is not built in, is a refusal; other errors are mistakes."""
        try:
            decided = self.decide(state, command)
        except Exception as error:
            if isinstance(error, ValueError) or type(error).__module__ != "builtins":
                return Outcome(refusal=type(error).__name__)
            raise DecisionFailed(
                f"the decision on {command!r} raised {error!r}; fix it, or refuse with a ValueError or an error of "
                "your own"
            ) from error
        if decided is None:
            return Outcome()
        events = tuple(decided) if isinstance(decided, list | tuple) else (decided,)
        if not all(isinstance(event, msgspec.Struct) for event in events):
            raise DecisionFailed(
                f"the decision on {command!r} returned {decided!r}; return an event, a list of events, or None"
            )
        return Outcome(events)


class Invariant(msgspec.Struct, frozen=True, eq=False):
    """A predicate that must hold at any time over the facts with one tag of the kind `per`; None: over all facts."""

    name: str
    per: str | None
    state: Callable[[], Folded]
    holds: Callable[[Any], bool]

    def groups(self, fact: Fact) -> list[str]:
        """Return the tags whose facts a fact belongs to; "" stands for all facts."""
        if self.per is None:
            return [""]
        return sorted(tag for tag in fact.tags if kind_of(tag) == self.per)

    def is_kept(self, state: Folded) -> bool:
        """Say whether the predicate holds."""
        try:
            return bool(self.holds(state))
        except Exception as error:
            raise DecisionFailed(f"the invariant {self.name} raised {error!r}; return True or False") from error


class Watch:
    """Asks the invariants after every append, for the groups of facts that it concerns."""

    def __init__(self, invariants: list[Invariant]) -> None:
        self._invariants = [(invariant, _Groups(invariant)) for invariant in invariants]

    def add(self, facts: list[Fact]) -> list[tuple[Invariant, str]]:
        """Add facts that were appended together; return the invariants that held before and no longer do."""
        return [(invariant, group) for invariant, groups in self._invariants for group in groups.add(facts)]


class _Groups:
    def __init__(self, invariant: Invariant) -> None:
        self._invariant = invariant
        self._states: dict[str, Any] = {}
        self._broken: set[str] = set()

    def add(self, facts: list[Fact]) -> list[str]:
        """Add facts to their groups; return the groups for which the invariant turned false."""
        invariant, states = self._invariant, self._states
        touched: dict[str, None] = {}
        for fact in facts:
            for group in invariant.groups(fact):
                if group not in states:
                    states[group] = invariant.state()
                states[group].apply_all((fact.event,))
                touched[group] = None
        turned = []
        for group in touched:
            if invariant.is_kept(states[group]):
                self._broken.discard(group)
            elif group not in self._broken:
                self._broken.add(group)
                turned.append(group)
        return turned


class Rules:
    """What a model declares: the facts it begins with, its deciders by command, its invariants, its draws by name."""

    def __init__(self, begins: Sequence[Any]) -> None:
        self.begins = [Fact(event) for event in begins]
        self.deciders: dict[type[Any], Decider] = {}
        self.invariants: list[Invariant] = []
        self.draws: dict[str, Callable[[Any], Any]] = {}

    def without_begin(self) -> Rules:
        """Return the same rules, beginning without facts."""
        rules = Rules(())
        rules.deciders, rules.invariants, rules.draws = self.deciders, self.invariants, self.draws
        return rules

    def decider_of(self, command: Any) -> Decider:
        """Return the decider of a command."""
        found = self.deciders.get(type(command))
        if found is None:
            raise InvalidModel(
                f"no decider is declared for {command!r}; decorate one with @lab.decides({type(command).__name__}, ...)"
            )
        return found
