"""What a boundary allows at best: the commands decided one after the other, then scheduled on unlimited workers.

The decisions do not depend on the boundary, so they are made once for all of them (`decide_serially`). Then each
boundary turns them into a schedule that keeps their order and in which no append is refused:

    a command starts when every earlier one whose facts it checks was appended
    it is appended no earlier than every earlier one that checks its facts

    ceiling = sum of the service times / length of the schedule

Commands that append nothing need no place in it. The ceiling of one unit for the whole system is 1, whatever the
machine. The mailbox wait is another figure: how long a command waits if one actor per unit serves it in order of
arrival, one command at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import msgspec

from odradek_boundaries.boundary import Boundary, Unit, Units
from odradek_boundaries.decisions import Outcome, Rules
from odradek_boundaries.history import CannotFold, History
from odradek_boundaries.read_sets import Fact, Facts, Selection
from odradek_boundaries.workload import Plan, Workload
from odradek_events.record import Query, QueryItem

__all__ = ["Shape", "Step", "decide_serially", "shape_of"]


class Step(msgspec.Struct, frozen=True):
    """One command, decided after all earlier ones: what it read, and the facts that it led to."""

    command: str
    reads: Facts
    facts: list[Fact]
    needed: int


class Shape(msgspec.Struct, frozen=True):
    """What a boundary makes of the serial decisions, whatever happens in a run.

    `waits_ms`, `lengths` and `loads` are ascending: the mailbox waits, the events of each unit, and the commands of
    each unit that was written. `growth` is the events per 1000 commands that the longest unit got in the second half.
    """

    ceiling: float
    waits_ms: list[float]
    spans: list[int]
    kept: int
    lengths: list[int]
    growth: float
    loads: list[int]


def decide_serially(rules: Rules, plan: Plan) -> list[Step]:
    """Decide the commands of a plan one after the other, each on the facts of all earlier ones."""
    history = History(rules.begins)
    steps = []
    for command in plan.commands:
        decider = rules.decider_of(command)
        reads = decider.read_set(command)
        try:
            state, needed = history.state(decider, reads, command)
            outcome = decider.outcome(state, command)
        except CannotFold:
            needed, outcome = 0, Outcome()
        facts = [Fact(event) for event in outcome.events]
        history.add(facts)
        steps.append(Step(decider.name, reads, facts, needed))
    return steps


def shape_of(rules: Rules, boundary: Boundary, workload: Workload, plan: Plan, steps: Sequence[Step]) -> Shape:
    """Return what a boundary makes of serial decisions."""
    units = Units(boundary)
    for step in steps:
        units.know_all(step.reads)
    sizes = _Sizes(units, rules.begins)
    mailboxes = None if boundary.checks == "facts" else _Mailboxes(workload, plan)
    booked: list[_Booking] = []
    kept = 0
    spans = []
    for number, (step, service) in enumerate(zip(steps, plan.services_ms, strict=True)):
        if number == len(steps) // 2:
            sizes.mark()
        used = sizes.used_by(step)
        if mailboxes is not None:
            mailboxes.serve(sizes.owners_of(step, used), number)
        if step.facts:
            groups = units.split(step.facts)
            check = units.check(step.reads, [fact.event for fact in groups[0]])
            booked.append(_Booking(check.query.items, groups, service))
            kept += check.contains(step.reads)
            spans.append(len(used))
            sizes.add(step)
    return Shape(
        _ceiling(booked, workload.hop_ms),
        [] if mailboxes is None else sorted(mailboxes.waits_ms),
        spans,
        kept,
        sorted(sizes.lengths.values()),
        sizes.growth(len(steps)),
        sorted(sizes.loads.values()),
    )


class _Booking(msgspec.Struct, frozen=True):
    """A command to schedule: what it checks, the facts of each of its appends, and how long it takes."""

    checks: tuple[QueryItem, ...]
    groups: list[list[Fact]]
    service_ms: float


def _ceiling(booked: Sequence[_Booking], hop_ms: float) -> float:
    """Return the speed-up of the order-kept schedule over one worker."""
    by_tag: dict[str, list[tuple[QueryItem, Selection]]] = {}
    for item in dict.fromkeys(item for booking in booked for item in booking.checks):
        by_tag.setdefault(item.tags[0] if item.tags else "", []).append((item, Selection(Query((item,)))))
    written: dict[QueryItem, float] = {}
    checked: dict[QueryItem, float] = {}
    for booking in booked:
        groups = [_matched(by_tag, group) for group in booking.groups]
        start = max((written.get(item, 0.0) for item in booking.checks), default=0.0)
        end = max([start + booking.service_ms, *(checked.get(item, 0.0) for item in groups[0])])
        for hops, items in enumerate(groups):
            for item in items:
                written[item] = max(written.get(item, 0.0), end + hops * hop_ms)
        for item in booking.checks:
            checked[item] = max(checked.get(item, 0.0), end)
    total = sum(booking.service_ms for booking in booked)
    return total / max([*written.values(), *checked.values()], default=total) if total else 1.0


def _matched(by_tag: dict[str, list[tuple[QueryItem, Selection]]], facts: list[Fact]) -> list[QueryItem]:
    return [
        item
        for fact in facts
        for tag in ("", *fact.tags)
        for item, selection in by_tag.get(tag, ())
        if selection.matches(fact)
    ]


class _Mailboxes:
    """One actor per unit, which serves commands in order of arrival; a command for several units holds them all."""

    def __init__(self, workload: Workload, plan: Plan) -> None:
        self.waits_ms: list[float] = []
        self._plan = plan
        self._clients = [0.0] * (workload.clients or 0)  # when each is free, a heap
        self._free: dict[Unit | Facts, float] = {}

    def serve(self, units: Sequence[Unit | Facts], number: int) -> None:
        """Serve the next command."""
        plan, free = self._plan, self._free
        arrived = (heapq.heappop(self._clients) + plan.thinks_ms[number]) if self._clients else plan.arrivals_ms[number]
        start = max([arrived, *(free.get(unit, 0.0) for unit in units)])
        end = start + plan.services_ms[number]
        free.update(dict.fromkeys(units, end))
        if self._clients or not plan.arrivals_ms:
            heapq.heappush(self._clients, end)
        self.waits_ms.append(start - arrived)


class _Sizes:
    """How many events each unit has, and how many commands it is written by. A read-set is a unit under `facts`."""

    def __init__(self, units: Units, begins: Sequence[Fact]) -> None:
        self.lengths: dict[Unit | Facts, int] = {}
        self.loads: dict[Unit | Facts, int] = {}
        self._units = units
        self._tags: dict[Unit, frozenset[str]] = {}  # of the first fact of a unit
        self._marked: dict[Unit | Facts, int] = {}
        for fact in begins:
            self._count(fact)

    def used_by(self, step: Step) -> list[Unit | Facts]:
        """Return the units that a command reads or writes."""
        if self._units.boundary.checks == "facts":
            return [step.reads]
        used: dict[Unit | Facts, None] = {}
        for unit in self._units.units_of(step.reads):
            used.update(dict.fromkeys(self._members(unit) if unit.is_wildcard else (unit,)))
        used.update(dict.fromkeys(self._units.unit_of(fact.event) for fact in step.facts))
        return list(used)

    def owners_of(self, step: Step, used: list[Unit | Facts]) -> list[Unit | Facts]:
        """Return the units whose actors a command needs: those it checks, or the first that it reads."""
        if self._units.boundary.checks not in ("written", "unit"):
            return used
        written = list(dict.fromkeys(self._units.unit_of(fact.event) for fact in step.facts))
        return [*written[: 1 if self._units.boundary.checks == "unit" else None]] or used[:1]

    def add(self, step: Step) -> None:
        """Count the facts of a command."""
        for fact in step.facts:
            self._count(fact)
        scope = self._units.scope(step.reads, self._units.unit_of(step.facts[0].event))
        self.loads[scope] = self.loads.get(scope, 0) + 1
        if isinstance(scope, Facts):
            self.lengths[scope] = step.needed + sum(map(scope.matches, step.facts))

    def mark(self) -> None:
        """Note the lengths as those of the half of the run."""
        self._marked = dict(self.lengths)

    def growth(self, commands: int) -> float:
        """Return by how many events per 1000 commands the longest unit grew since the mark."""
        if not self.lengths:
            return 0.0
        longest = max(self.lengths, key=self.lengths.__getitem__)
        grown = self.lengths[longest] - self._marked.get(longest, 0)
        return 1000 * grown / (commands - commands // 2)

    def _count(self, fact: Fact) -> None:
        if self._units.boundary.checks != "facts":
            unit = self._units.unit_of(fact.event)
            self.lengths[unit] = self.lengths.get(unit, 0) + 1
            self._tags.setdefault(unit, fact.tags)

    def _members(self, wildcard: Unit) -> list[Unit]:
        wanted = set(wildcard.tags)
        return [unit for unit, tags in self._tags.items() if unit.kind == wildcard.kind and wanted <= tags]
