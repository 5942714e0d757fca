"""Which boundary keeps which decision, without a run.

A boundary keeps a decision if its check contains what the decision reads: then nothing can change the decision unseen.
Where the check depends on what is written, commands are drawn from the workload and decided one after the other, until
each decision has written something, or enough have been drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from odradek_boundaries.boundary import Boundary, Units
from odradek_boundaries.decisions import Rules
from odradek_boundaries.schedule import Step, decide_serially
from odradek_boundaries.workload import Draw, Plan, Workload

__all__ = ["Cell", "Explanation", "explain"]

_DRAWN = 60  # commands of each kind


class Cell(msgspec.Struct, frozen=True):
    """One decision under one boundary: whether it is kept (None: it never wrote), and the units it reads or writes.

    Units are shown by kind: `owner, topic`, or `every topic` for a read-set that does not fix one.
    """

    is_kept: bool | None
    units: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True):
    """A matrix: for each decision, by name, a cell for each boundary, in their order."""

    boundaries: tuple[str, ...]
    rows: dict[str, tuple[Cell, ...]]


def explain(rules: Rules, boundaries: Sequence[Boundary], workload: Workload) -> Explanation:
    """Return which boundary keeps which decision, and the units that each touches."""
    steps = decide_serially(rules, _drawn(rules, workload))
    by_command: dict[str, list[Step]] = {decider.name: [] for decider in rules.deciders.values()}
    for step in steps:
        by_command[step.command].append(step)
    columns = []
    for boundary in boundaries:
        units = Units(boundary)
        for fact in rules.begins:
            units.unit_of(fact.event)
        for step in steps:
            units.know_all(step.reads)
            for fact in step.facts:
                units.unit_of(fact.event)
        units.require_kinds()
        columns.append({name: _cell(units, drawn) for name, drawn in by_command.items()})
    return Explanation(
        tuple(boundary.name for boundary in boundaries),
        {name: tuple(column[name] for column in columns) for name in by_command},
    )


def _drawn(rules: Rules, workload: Workload) -> Plan:
    """Return some commands of each kind that the workload or the model can draw, in turn."""
    draw = Draw("explain")
    kinds = list(dict.fromkeys((*rules.draws.values(), *workload.mix)))
    if workload.recorded:
        commands = [command for _, command in workload.recorded[: _DRAWN * 10]]
    else:
        commands = [kind(draw) for _ in range(_DRAWN) for kind in kinds]
    return Plan(commands, [], [0.0] * len(commands), [])


def _cell(units: Units, steps: Sequence[Step]) -> Cell:
    kept: bool | None = None
    touched: dict[str, None] = {}
    for step in steps:
        if units.boundary.checks == "facts":
            touched["its read-set"] = None
        else:
            used = (*units.units_of(step.reads), *(units.unit_of(fact.event) for fact in step.facts))
            touched.update(dict.fromkeys(unit.label.partition(":")[0] for unit in used))
        if step.facts:
            groups = units.split(step.facts)
            check = units.check(step.reads, [fact.event for fact in groups[0]])
            kept = check.contains(step.reads) and kept is not False
    return Cell(kept, tuple(touched))
