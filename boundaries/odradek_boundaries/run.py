"""One run: a workload under one boundary, in virtual time.

    arrive -> read and decide, on the state in hand -> service time -> append: done, or refused and retried

An event loop over a heap of (time, number): one thread, no clock, no randomness beyond the seed. Steps at the same time
happen in the order in which they were scheduled.

What happened to an append is judged by the facts that landed between its read and itself:

    in what it checks                  a conflict: real if one of them was read too, else false
    in what it read, but unchecked     exposed: the decision may be wrong, and nothing noticed
      and deciding again differs       stale: it is wrong
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

import msgspec

from odradek_boundaries.boundary import Boundary, Unit, Units
from odradek_boundaries.decisions import Decider, Outcome, Rules, Watch
from odradek_boundaries.errors import DecisionNotPure
from odradek_boundaries.history import CannotFold, History
from odradek_boundaries.read_sets import Fact, Facts, text_of
from odradek_boundaries.workload import Draw, Workload

__all__ = ["Counts", "Landed", "Story", "run"]

_GUARD_EVERY = 32  # appends: deciding one of so many again shows an impure decider, and costs 3 %
_SAMPLES = 200


class Landed(msgspec.Struct, frozen=True):
    """A fact that an operation did not know of: where it is, what it says, and the command that led to it."""

    at_ms: float
    unit: str
    fact: str
    command: str


class Story(msgspec.Struct, frozen=True):
    """How something went wrong: a command, its read and its append, and the facts between the two.

    `what` names the broken invariant, or says that the decision was stale; `unit` is where the command appended first.
    """

    what: str
    group: str
    command: str
    unit: str
    read_at_ms: float
    appended_at_ms: float
    appended: tuple[str, ...]
    between: tuple[Landed, ...]


class Counts(msgspec.Struct):
    """What happened in a run. `conflict_rates` are those of the units that appends were for, ascending."""

    commands: int = 0
    refused: int = 0
    unchanged: int = 0
    unfoldable: int = 0
    attempts: int = 0
    appended: int = 0
    conflicts: int = 0
    real: int = 0
    same_decision: int = 0
    exposed: int = 0
    stale: int = 0
    broken: int = 0
    late: int = 0
    gave_up: int = 0
    hops: int = 0
    events: int = 0
    decided: int = 0
    folded: int = 0
    needed: int = 0
    duration_ms: float = 0.0
    conflict_rates: list[float] = []
    refusals: dict[str, int] = {}
    broken_by_rule: dict[str, int] = {}
    folded_samples: list[tuple[int, int]] = []
    story: Story | None = None
    cannot_fold: str = ""


def run(rules: Rules, boundary: Boundary, workload: Workload, seed: int) -> Counts:
    """Run a workload under a boundary, and return what happened."""
    return _Run(rules, boundary, workload, seed).run()


class _Operation:
    """A command on its way: what it read and decided, how often it was tried, and for which client."""

    __slots__ = (
        "after",
        "client",
        "command",
        "decider",
        "facts",
        "is_late",
        "outcome",
        "read_at",
        "reads",
        "service",
        "tries",
    )

    def __init__(self, command: Any, decider: Decider, reads: Facts, service: float, client: int) -> None:
        self.command, self.decider, self.reads = command, decider, reads
        self.service, self.client = service, client
        self.tries, self.after, self.read_at = 0, -1, 0.0
        self.is_late = False
        self.outcome = Outcome()
        self.facts: list[Fact] = []


class _Run:
    def __init__(self, rules: Rules, boundary: Boundary, workload: Workload, seed: int) -> None:
        self._rules, self._workload = rules, workload
        self._units = Units(boundary)
        self._history = History(rules.begins)
        for fact in rules.begins:
            self._units.unit_of(fact.event)
        self._watch = Watch(rules.invariants)
        self._watch.add(rules.begins)
        self._plan = workload.plan(seed)
        self._retries = Draw(f"{seed}/retries")
        self._counts = Counts(commands=len(self._plan.commands))
        self._commands: list[Any] = [None] * len(rules.begins)  # by position: the command that led to the fact
        self._appended_at = [0.0] * len(rules.begins)
        self._on_the_way: list[Fact] = []
        self._by_unit: dict[object, list[int]] = {}  # attempts and conflicts
        self._steps: list[tuple[float, int, Callable[[Any, float], None], Any]] = []
        self._numbers = itertools.count()
        self._next = 0
        self._sample_every = max(1, len(self._plan.commands) // _SAMPLES)

    def run(self) -> Counts:
        steps = self._steps
        if self._workload.is_open:
            for number, at in enumerate(self._plan.arrivals_ms):
                self._schedule(at, self._arrive, (number, -1))
        else:
            for client in range(min(self._workload.clients or 0, self._counts.commands)):
                self._send_next(client, 0.0)
        while steps:
            at, _, step, subject = heapq.heappop(steps)
            step(subject, at)
        self._counts.conflict_rates = sorted(conflicts / attempts for attempts, conflicts in self._by_unit.values())
        return self._counts

    # -- steps --------------------------------------------------------------------------------------------------------

    def _schedule(self, at: float, step: Callable[[Any, float], None], subject: Any) -> None:
        heapq.heappush(self._steps, (at, next(self._numbers), step, subject))

    def _send_next(self, client: int, at: float) -> None:
        """Let a client of a closed workload send the next command, after a pause."""
        number = self._next
        if number < self._counts.commands:
            self._next += 1
            self._schedule(at + self._plan.thinks_ms[number], self._arrive, (number, client))

    def _arrive(self, subject: tuple[int, int], at: float) -> None:
        """Let a command arrive, from a client of a closed workload (-1: from outside)."""
        number, client = subject
        command = self._plan.commands[number]
        decider = self._rules.decider_of(command)
        reads = decider.read_set(command)
        self._read(_Operation(command, decider, reads, self._plan.services_ms[number], client), at)

    def _read(self, operation: _Operation, at: float) -> None:
        """Read and decide on what is known now; append after the service time."""
        counts, reads = self._counts, operation.reads
        operation.tries += 1
        operation.read_at, operation.after = at, len(self._history.facts) - 1
        operation.is_late = bool(self._on_the_way) and reads.matches_any(self._on_the_way)
        loaded = self._history.size(self._units.loads(reads))
        try:
            state, needed = self._history.state(operation.decider, reads, operation.command)
        except CannotFold as error:
            counts.unfoldable += 1
            counts.cannot_fold = counts.cannot_fold or str(error)
            self._end(operation, at)
            return
        operation.outcome = operation.decider.outcome(state, operation.command)
        if counts.decided % self._sample_every == 0:
            counts.folded_samples.append((counts.decided, loaded))
        counts.decided += 1
        counts.folded += loaded
        counts.needed += needed
        takes = operation.service + loaded * self._workload.fold_us / 1000
        operation.facts = [Fact(event) for event in operation.outcome.events]
        self._schedule(at + takes, self._append if operation.facts else self._answer, operation)

    def _answer(self, operation: _Operation, at: float) -> None:
        """Answer a command that changes nothing."""
        refusal = operation.outcome.refusal
        if refusal:
            self._counts.refused += 1
            self._counts.refusals[refusal] = self._counts.refusals.get(refusal, 0) + 1
        else:
            self._counts.unchanged += 1
        self._end(operation, at)

    def _append(self, operation: _Operation, at: float) -> None:
        counts, history = self._counts, self._history
        first, *rest = self._units.split(operation.facts)
        unit = self._units.unit_of(first[0].event)
        check = self._units.check(operation.reads, [fact.event for fact in first])
        has_landed = operation.reads.matches_any(history.facts[operation.after + 1 :])
        counts.attempts += 1
        tried = self._by_unit.setdefault(self._units.scope(operation.reads, unit), [0, 0])
        tried[0] += 1
        differs = False
        if has_landed or counts.attempts % _GUARD_EVERY == 0:
            differs = self._decides_otherwise(operation)
            if differs and not has_landed:
                raise DecisionNotPure(
                    f"the decision on {operation.command!r} differed on the same facts; decide by the state and the "
                    "command alone, and change neither"
                )
        if not history.append(_stream_of(unit), first, check, operation.after, at):
            counts.conflicts += 1
            counts.real += has_landed
            counts.same_decision += not differs
            tried[1] += 1
            self._retry(operation, at)
            return
        counts.appended += 1
        counts.exposed += has_landed
        counts.stale += differs
        counts.late += operation.is_late
        counts.events += len(operation.facts)
        counts.hops += len(rest)
        if differs and counts.story is None:
            counts.story = self._story("the decision was stale", "", operation, at)
        self._landed(operation, first, at)
        if rest:
            self._on_the_way += [fact for group in rest for fact in group]
            self._schedule(at + self._workload.hop_ms, self._follow, (operation, rest))
        self._end(operation, at)

    def _follow(self, subject: tuple[_Operation, list[list[Fact]]], at: float) -> None:
        """Append the facts for the next further unit, unchecked."""
        operation, (facts, *rest) = subject
        for fact in facts:
            self._on_the_way.remove(fact)
        self._history.append(_stream_of(self._units.unit_of(facts[0].event)), facts, None, -1, at)
        self._landed(operation, facts, at)
        if rest:
            self._schedule(at + self._workload.hop_ms, self._follow, (operation, rest))

    def _retry(self, operation: _Operation, at: float) -> None:
        if operation.tries < self._workload.tries:
            pause = self._retries.random() * 2 * self._workload.mean_retry_ms
            self._schedule(at + pause, self._read, operation)
        else:
            self._counts.gave_up += 1
            self._end(operation, at)

    def _end(self, operation: _Operation, at: float) -> None:
        self._counts.duration_ms = max(self._counts.duration_ms, at)
        if operation.client >= 0:
            self._send_next(operation.client, at)

    # -- judging ------------------------------------------------------------------------------------------------------

    def _decides_otherwise(self, operation: _Operation) -> bool:
        """Say whether the decision would differ now."""
        try:
            state, _ = self._history.state(operation.decider, operation.reads, operation.command)
        except CannotFold:
            return True
        return operation.decider.outcome(state, operation.command) != operation.outcome

    def _landed(self, operation: _Operation, facts: list[Fact], at: float) -> None:
        """Note facts that were appended, and ask the invariants that they concern."""
        self._commands += [operation.command] * len(facts)
        self._appended_at += [at] * len(facts)
        for invariant, group in self._watch.add(facts):
            counts = self._counts
            counts.broken += 1
            counts.broken_by_rule[invariant.name] = counts.broken_by_rule.get(invariant.name, 0) + 1
            if counts.story is None or not counts.story.group:
                counts.story = self._story(invariant.name, group or "all facts", operation, at)

    def _story(self, what: str, group: str, operation: _Operation, at: float) -> Story:
        """Tell how an operation went wrong: the facts that it had to know, and did not."""
        facts = self._history.facts
        between = [
            Landed(
                self._appended_at[position],
                self._units.unit_of(facts[position].event).label,
                repr(facts[position]),
                text_of(self._commands[position]),
            )
            for position in range(operation.after + 1, len(self._appended_at))
            if operation.reads.matches(facts[position]) and facts[position] not in operation.facts
        ]
        events = tuple(map(text_of, operation.outcome.events))
        unit = self._units.unit_of(operation.facts[0].event).label
        return Story(what, group, text_of(operation.command), unit, operation.read_at, at, events, tuple(between))


def _stream_of(unit: Unit) -> str:
    """Return the stream that the facts of a unit are stored in: topic/orders for topic:orders."""
    kind, _, value = (unit.tags[0] if unit.tags else unit.label.replace(" ", "-")).partition(":")
    return f"{kind}/{value or 'facts'}"
