"""The lab: a model to study, declared with decorators.

lab = Lab(*(CourseOpened(f"c{n}", seats=30) for n in range(12)))

@lab.decides(
    Enrol, reads=lambda c: facts(CourseOpened, Enrolled, course=c.course) | facts(Enrolled, student=c.student)
)
def enrol(known, c): ...

@lab.always(per="course")
def nobody_stands(known): ...

enrolling = Workload({lambda r: Enrol(f"c{r.zipf(12)}", f"s{r.randrange(90)}"): 1}, count=1000, per_second=2000)
study = lab.compare([Boundary("course", by=("course",)), Boundary("a query each", checks="facts")], enrolling)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.decisions import Decider, Folded, Invariant, Known, Rules
from odradek_boundaries.errors import InvalidModel
from odradek_boundaries.explain import Explanation, explain
from odradek_boundaries.frame_check import CheckReport, check_read_sets
from odradek_boundaries.read_sets import Facts
from odradek_boundaries.recording import CommandsOf, Recording, record
from odradek_boundaries.study import Study, compare
from odradek_boundaries.workload import Workload
from odradek_events.log.port import EventLog

__all__ = ["Lab", "Model"]

F = TypeVar("F", bound=Callable[..., Any])


class Lab:
    """A model: the facts it begins with, its deciders, its invariants, and how to draw commands."""

    def __init__(self, *facts: Any) -> None:
        self.rules = Rules(facts)

    def __repr__(self) -> str:
        return f"<Lab {', '.join(decider.name for decider in self.rules.deciders.values())}>"

    def decides(
        self,
        command: type[Any],
        *,
        reads: Callable[[Any], Facts],
        state: Callable[[Any], Folded] | None = None,
        whole: Callable[[Any], Facts] | None = None,
    ) -> Callable[[F], F]:
        """Declare the decorated function, `decide(state, command)`, as the decider of a class of commands.

        `state(command)` returns the empty state that the read-set is folded into: an aggregate, or by default a list of
        the facts. It may depend on what the read-set names only, since states are kept by read-set. An unbound method
        of an aggregate is a decider too: `lab.decides(Withdraw, ...)(Account.withdraw)`.
        """
        if command in self.rules.deciders:
            raise InvalidModel(f"{command.__name__} already has a decider; declare one for each class of commands")

        def declare(decide: F) -> F:
            self.rules.deciders[command] = Decider(command, reads, state or _known, decide, whole)
            return decide

        return declare

    def always(self, per: str | None = None, state: Callable[[], Folded] = Known) -> Callable[[F], F]:
        """Declare the decorated predicate as one that must hold at any time, for the facts of each tag of kind `per`.

        It gets the state that the facts are folded into, by default a list of them, and is asked after every append.
        """

        def declare(holds: F) -> F:
            self.rules.invariants.append(Invariant(getattr(holds, "__name__", repr(holds)), per, state, holds))
            return holds

        return declare

    def draw(self, draw: F) -> F:
        """Declare the decorated function, which draws a command, by its name, so that a file can name it in a mix."""
        self.rules.draws[draw.__name__] = draw
        return draw

    def without_begin(self) -> Lab:
        """Return the same lab, beginning without facts."""
        copy = Lab()
        copy.rules = self.rules.without_begin()
        return copy

    def compare(
        self,
        boundaries: Sequence[Boundary],
        workload: Workload,
        seeds: int | Sequence[int] = 1,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> Study:
        """Run a workload under each boundary, for each seed; `seeds` is a number of them, or the seeds themselves.

        `jobs` processes share the work, by fork. `progress` is called with how many parts are done, and of how many.
        """
        return compare(self.rules, boundaries, workload, seeds, jobs, progress)

    def explain(self, boundaries: Sequence[Boundary], workload: Workload) -> Explanation:
        """Return which boundary keeps which decision, and the units that it touches, without a run."""
        return explain(self.rules, boundaries, workload)

    def check(self, workload: Workload | None = None, histories: int = 100, seed: int = 0) -> CheckReport:
        """Test the declared read-sets on random histories of the commands that the model or the workload can draw."""
        draws = dict.fromkeys((*self.rules.draws.values(), *(() if workload is None else workload.mix)))
        if not draws:
            raise InvalidModel("no commands can be drawn; declare functions with @lab.draw, or pass a workload")
        return check_read_sets(self.rules, list(draws), histories, seed)


class Model(msgspec.Struct, frozen=True):
    """A model that is ready to be studied: a lab, the boundaries to compare, and a workload.

    `commands_of` turns the events of a recorded decision back into commands, for workloads from a log.
    """

    lab: Lab
    boundaries: tuple[Boundary, ...]
    workload: Workload
    commands_of: CommandsOf | None = None

    def recorded(self, log: EventLog) -> tuple[Model, Recording]:
        """Return the model with the workload of a recorded log, beginning without facts, and the recording."""
        if self.commands_of is None:
            raise InvalidModel("the model has no commands_of, so it cannot read a log; give a workload instead")
        recording = record(log, self.commands_of, self.workload)
        return Model(self.lab.without_begin(), self.boundaries, recording.workload, self.commands_of), recording


def _known(_: Any) -> Known:
    return Known()
