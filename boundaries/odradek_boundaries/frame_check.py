"""Tests declared read-sets by the frame property: a decision on its read-set alone is the decision on everything.

Histories are drawn by deciding random commands one after the other. After each, a random command is decided twice: on
the facts of its read-set, and on the facts of `whole`, all that the state is made for; by default all facts that have
one of the tags that the read-set names. If the two differ, the read-set lacks something. The history is then shrunk:
commands are left out as long as the two still differ, and what remains is decided again, so a counterexample is always
a history that can happen.

Prior art: the frame problem (McCarthy and Hayes), separation logic's frame rule, delta debugging (Zeller).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from odradek_boundaries.decisions import Decider, Outcome, Rules
from odradek_boundaries.history import CannotFold, History, fold
from odradek_boundaries.read_sets import Fact, Selection, text_of
from odradek_boundaries.workload import Draw
from odradek_events.record import Query, QueryItem

__all__ = ["CheckReport", "Checked", "Counterexample", "check_read_sets"]

_COMMANDS = 24
"""The most commands of a history. Counterexamples are short: longer histories found none that these did not."""


class Counterexample(msgspec.Struct, frozen=True):
    """A command that is decided differently on these facts than on those of its read-set; `is_read` says which are."""

    command: str
    facts: tuple[str, ...]
    is_read: tuple[bool, ...]
    on_read_set: str
    on_all: str

    def __str__(self) -> str:
        """Return the counterexample as lines of text."""
        marks = {True: "read    ", False: "not read"}
        facts = [f"  {marks[is_read]}  {fact}" for fact, is_read in zip(self.facts, self.is_read, strict=True)]
        return "\n".join(
            [f"{self.command}", *facts, f"  decided on the read-set: {self.on_read_set}", f"  on all: {self.on_all}"]
        )


class Checked(msgspec.Struct, frozen=True):
    """One decision: how many were compared, how many differ, the smallest counterexample, and other problems."""

    command: str
    compared: int
    differing: int
    counterexample: Counterexample | None
    problem: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing differs and nothing else is wrong."""
        return self.differing == 0 and not self.problem


class CheckReport(msgspec.Struct, frozen=True):
    """The result for every decision of a model."""

    decisions: tuple[Checked, ...]

    @property
    def holds(self) -> bool:
        """Whether every read-set holds."""
        return all(each.holds for each in self.decisions)


def check_read_sets(
    rules: Rules, draws: Sequence[Callable[[Any], Any]], histories: int = 100, seed: int = 0
) -> CheckReport:
    """Compare decisions on random histories, drawn with `draws`, each equally often."""
    tallies = {decider.name: _Tally() for decider in rules.deciders.values()}
    for number in range(histories):
        draw = Draw(f"{seed}/history {number}")
        commands: list[Any] = []
        history = History(rules.begins)
        for _ in range(draw.randrange(1, _COMMANDS)):
            command = draw.choice(draws)(draw)
            _extend(rules, history, command)
            commands.append(command)
            probe = draw.choice(draws)(draw)
            tally = tallies[rules.decider_of(probe).name]
            tally.compared += 1
            problem = _difference(rules, history, probe)
            if isinstance(problem, str):
                tally.problem = tally.problem or problem
            elif problem is not None:
                tally.differing += 1
                if tally.smallest is None or len(commands) < len(tally.smallest[0]):
                    tally.smallest = (list(commands), probe)
    return CheckReport(tuple(_checked(rules, name, tally) for name, tally in tallies.items()))


class _Tally:
    def __init__(self) -> None:
        self.compared = self.differing = 0
        self.smallest: tuple[list[Any], Any] | None = None
        self.problem = ""


def _checked(rules: Rules, name: str, tally: _Tally) -> Checked:
    example = None if tally.smallest is None else _shrunk(rules, *tally.smallest)
    problem = tally.problem
    if not tally.compared:
        problem = f"no command {name} was drawn; declare a function that draws one with @lab.draw"
    return Checked(name, tally.compared, tally.differing, example, problem)


def _extend(rules: Rules, history: History, command: Any) -> None:
    decider = rules.decider_of(command)
    try:
        outcome = _decide(decider, history, _whole(decider, command), command)
    except CannotFold:
        return
    history.add([Fact(event) for event in outcome.events])


def _decide(decider: Decider, history: History, reads: Selection, command: Any) -> Outcome:
    return decider.outcome(fold(decider, decider.state(command), history.select(reads)), command)


def _difference(rules: Rules, history: History, command: Any) -> tuple[Outcome, Outcome] | str | None:
    """Return the decisions on the read-set and on everything if they differ, or another problem as text."""
    decider = rules.decider_of(command)
    reads = decider.read_set(command)
    try:
        state = fold(decider, decider.state(command), history.select(reads))
        narrow, again = decider.outcome(state, command), decider.outcome(state, command)
        wide = _decide(decider, history, _whole(decider, command), command)
    except CannotFold as error:
        return f"the facts of {reads} cannot be folded ({error.error!r}); make apply ignore what it has no use for"
    if again != narrow:
        return f"{text_of(command)} is decided differently the second time; decide by the state and the command alone"
    return None if narrow == wide else (narrow, wide)


def _whole(decider: Decider, command: Any) -> Selection:
    reads = decider.read_set(command)
    if decider.whole is not None:
        return decider.whole(command)
    tags = dict.fromkeys(tag for template in reads.templates for tag in template.tags.values())
    items = tuple(QueryItem((), (tag,)) for tag in tags)
    untagged = {template.kind.name: None for template in reads.templates if not template.tags}
    return Selection(Query((*items, *(QueryItem((name,)) for name in untagged))))


def _shrunk(rules: Rules, commands: list[Any], probe: Any) -> Counterexample:
    """Leave out commands as long as the decisions still differ; runs of them first, then one by one."""
    size = len(commands)
    while size:
        index = 0
        while index < len(commands):
            fewer = commands[:index] + commands[index + size :]
            if isinstance(_difference(rules, _played(rules, fewer), probe), tuple):
                commands = fewer
            else:
                index += size
        size //= 2
    history = _played(rules, commands)
    difference = _difference(rules, history, probe)
    assert isinstance(difference, tuple), "a history that was shrunk no longer differs"
    decider = rules.decider_of(probe)
    reads, whole = decider.read_set(probe), _whole(decider, probe)
    facts = [fact for fact in history.facts if whole.matches(fact)]
    return Counterexample(
        text_of(probe),
        tuple(map(repr, facts)),
        tuple(reads.matches(fact) for fact in facts),
        _text(difference[0]),
        _text(difference[1]),
    )


def _played(rules: Rules, commands: Sequence[Any]) -> History:
    history = History(rules.begins)
    for command in commands:
        _extend(rules, history, command)
    return history


def _text(outcome: Outcome) -> str:
    if outcome.refusal:
        return f"refused with {outcome.refusal}"
    return ", ".join(map(text_of, outcome.events)) or "nothing to do"
