"""Given-when-then tests of an aggregate.

    given(Account(), Opened("ann", 700)).when(Account.withdraw, 300).then(Withdrawn(300)).then_state(cents=400)
    given(Account(), Opened("ann", 700)).when(Account.withdraw, 900).then_raises(InsufficientFunds, match="has 700")

Every scenario also checks that a log returns each event unchanged, that a decision does not change the aggregate, and
that applying the events one by one as decided gives the same state as applying them all at once as read.

Prior art: Axon's aggregate fixtures, emmett's DeciderSpecification. Failures are plain AssertionErrors, so scenarios
work with pytest, unittest or neither. This module is part of events because it needs the codec, which the domain may
not import. It needs the same of an aggregate as EventSourcedActor: `version` and `apply_all`. It is not part of
`testing`, since that package needs pytest.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, Protocol, TypeVar

from odradek_events.errors import EventNotSerializable
from odradek_events.facts import facts_of, named
from odradek_events.record import events_of
from odradek_events.scenario.report import Section, call_of, difference_of, listed, story
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import CATALOGUE, Catalogue

__all__ = ["Folded", "Outcome", "Scenario", "given"]


class Folded(Protocol):
    """State that is folded from events, such as an `odradek.Aggregate`."""

    version: int

    def apply_all(self, events: Sequence[Any]) -> None:
        """Apply events in order and increase the version by their number. Must not raise."""
        ...


A = TypeVar("A", bound=Folded)
P = ParamSpec("P")


def given(aggregate: A, *events: Any, catalogue: Catalogue = CATALOGUE) -> Scenario[A]:
    """Start a scenario: apply past events to a new aggregate.

    The scenario applies its events to the aggregate itself; it checks the fold with a copy made here.
    """
    return Scenario(aggregate, catalogue)._with(events)


class Scenario(Generic[A]):
    """An aggregate with its history, ready for the next decision."""

    def __init__(self, aggregate: A, catalogue: Catalogue = CATALOGUE) -> None:
        self.aggregate = aggregate
        self.history: list[Any] = []
        self._new = copy.deepcopy(aggregate)
        self._codec = Codec(catalogue)
        self._read: list[Any] = []  # the history as read from a log

    def __repr__(self) -> str:
        return f"<Scenario of {self.aggregate!r} events={len(self.history)}>"

    def when(self, decide: Callable[Concatenate[A, P], object], *args: P.args, **kwargs: P.kwargs) -> Outcome[A]:
        """Call `decide`, a method of the aggregate's class or another function, with the aggregate and these arguments.

        It must return an event, a list or tuple of events, or None. Nothing is applied yet.
        """
        __tracebackhide__ = True
        call = call_of(decide, args, kwargs)
        before = facts_of(self.aggregate)
        decided, error = None, None
        try:
            decided = decide(self.aggregate, *args, **kwargs)
        except Exception as raised:
            error = raised
        changed = difference_of(before, facts_of(self.aggregate), "{name} was {one} and is {other}")
        if changed:
            self._fail(
                "the decision changed the aggregate; return events, and change state only in apply",
                call,
                ("now", changed),
                cause=error,
            )
        return Outcome(self, call, [] if error is not None else self._events(call, decided), error)

    def then_state(self, **expected: object) -> Scenario[A]:
        """Check attributes of the aggregate."""
        __tracebackhide__ = True
        for name, value in expected.items():
            if not hasattr(self.aggregate, name):
                self._fail(f"{named(self.aggregate)} has no attribute {name!r}")
            if (found := getattr(self.aggregate, name)) != value:
                self._fail(f"{name} should be {value!r}, but is {found!r}")
        return self

    def _events(self, call: str, decided: object) -> list[Any]:
        try:
            events = list(events_of(decided))
        except TypeError as error:
            self._fail(str(error), call, cause=error)
        require_appliers = getattr(self.aggregate, "require_appliers", None)
        if require_appliers is not None:
            try:
                require_appliers(events)
            except Exception as error:  # NoApplier, of the domain above this package
                self._fail(str(error), call, ("decided", listed(events)), cause=error)
        return events

    def _with(self, events: Sequence[Any], call: str = "") -> Scenario[A]:
        """Apply events one by one, and compare the state with a fold of all events as read from a log."""
        __tracebackhide__ = True
        read = [self._written_and_read(event, call) for event in events]
        for event in events:
            self._apply(self.aggregate, [event], call)
        self.history += events
        self._read += read
        again = copy.deepcopy(self._new)
        self._apply(again, self._read, call)
        differing = difference_of(facts_of(self.aggregate), facts_of(again), "{name} is {one}, but {other} if read")
        if differing:
            self._fail(
                "applying the events one by one gives a different state than reading and applying them all at once",
                call,
                ("difference", differing),
            )
        return self

    def _apply(self, aggregate: A, events: list[Any], call: str) -> None:
        before = aggregate.version
        try:
            aggregate.apply_all(events)
        except Exception as error:
            what = f"apply raised {error!r}; it must accept every event that was decided"
            self._fail(what, call, ("applying", listed(events)), cause=error)
        if aggregate.version != before + len(events):
            what = f"apply_all changed the version from {before} to {aggregate.version}; increase it by 1 per event"
            self._fail(what, call, ("applying", listed(events)))

    def _written_and_read(self, event: Any, call: str) -> Any:
        try:
            kinds = self._codec.kinds_of("scenario/1", [event])
            types = tuple(kind.name_and_version for kind in kinds)
            _, (read,) = self._codec.encode_events("scenario/1", [event], types)
            self._codec.index([read], kinds)
        except (EventNotSerializable, TypeError, ValueError) as error:
            reason = error.reason if isinstance(error, EventNotSerializable) else error
            self._fail(f"a log cannot store the event: {reason}", call, ("event", [repr(event)]), cause=error)
        if read != event:
            differing = difference_of(facts_of(event), facts_of(read), "{name} was {one} and is {other}")
            self._fail(
                "a log does not return the event unchanged",
                call,
                ("stored", [repr(event)]),
                (
                    "read",
                    [
                        repr(read),
                        *(differing or ["all fields are equal, but == is false; declare it without eq=False"]),
                    ],
                ),
            )
        return read

    def _fail(self, what: str, call: str = "", *then: Section, cause: Exception | None = None) -> NoReturn:
        __tracebackhide__ = True
        raise AssertionError(story(what, self.aggregate, self.history, call, then)) from cause


class Outcome(Generic[A]):
    """The outcome of a decision: events, or an error. The `then` methods check it and return the scenario."""

    def __init__(self, scenario: Scenario[A], call: str, events: list[Any], error: Exception | None) -> None:
        self._scenario, self._call = scenario, call
        self.events, self.error = events, error

    def __repr__(self) -> str:
        return f"<Outcome of {self._call}: {self.events if self.error is None else self.error!r}>"

    def then(self, *events: Any) -> Scenario[A]:
        """Check that exactly these events were decided, in this order, and apply them."""
        __tracebackhide__ = True
        expected = ("then expected", listed(events) or ["nothing"])
        if self.error is not None:
            self._fail("the decision raised an error", expected, ("but it raised", [repr(self.error)]))
        if self.events != list(events):
            got = ("but got", listed(self.events) or ["nothing"])
            self._fail("other events were decided than expected", expected, got, ("where", self._differing(events)))
        return self._scenario._with(self.events, self._call)

    def then_nothing(self) -> Scenario[A]:
        """Check that nothing was decided and no error was raised."""
        __tracebackhide__ = True
        return self.then()

    def then_raises(self, error: type[Exception], /, *, match: str = "", **facts: object) -> Scenario[A]:
        """Check that this error was raised, that its text contains the pattern `match`, and its attributes."""
        __tracebackhide__ = True
        name = error.__name__
        if self.error is None:
            self._fail(f"no {name} was raised", ("but got", listed(self.events) or ["nothing"]))
        if not isinstance(self.error, error):
            self._fail(f"no {name} was raised", ("but it raised", [repr(self.error)]))
        if not re.search(match, str(self.error)):
            self._fail(f"{name} has a different text", ("then expected", [match]), ("but got", [str(self.error)]))
        for fact, value in facts.items():
            if not hasattr(self.error, fact) or getattr(self.error, fact) != value:
                found = repr(getattr(self.error, fact)) if hasattr(self.error, fact) else "missing"
                self._fail(f"{fact} of {name} should be {value!r}, but is {found}")
        return self._scenario

    def _differing(self, expected: Sequence[Any]) -> list[str]:
        for number, (got, wanted) in enumerate(zip(self.events, expected, strict=False), 1):
            if got != wanted:
                form = f"{{name}} of event {number} should be {{one}}, but is {{other}}"
                if type(got) is not type(wanted):
                    return [f"event {number} should be a {_place(type(wanted))}, but is a {_place(type(got))}"]
                return difference_of(facts_of(wanted), facts_of(got), form)
        return [f"there should be {len(expected)} events, but there are {len(self.events)}"]

    def _fail(self, what: str, *then: Section) -> NoReturn:
        __tracebackhide__ = True
        self._scenario._fail(what, self._call, *then, cause=self.error)


def _place(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
