"""Simulate concurrent producers, consumers and groups, and check what must hold.

    from odradek.simulation import Workload, run_workload

    report = run_workload(Workload(messages=10_000, members=3, churn=6), "run.db")
    print(report.produced.per_second, report.holds, report.problems)

`run_workload` runs every client beside the others, in this process, and returns a WorkloadReport. `odradek simulate`
prints such a report.

A World runs clients and actors in virtual time, from a seed, with faults. Each run can be repeated step by step:

    from odradek.simulation import World

    def start(system, world):
        world.spawn(shop, system)
        world.spawn(billing, system)

    world = World(seed=7, faults="all")
    world.always(balances_match)
    world.run(start).check()

`sweep` runs a world with many seeds, `shrink` makes a failing run small, and `explain` draws it beside the nearest
passing run:

    target = target_of(start)
    report = sweep(start, seeds=10_000)
    shrunk = shrink(target.repeat(report.failures[0].token), target.again)
    explanation = explain(target.again(shrunk.result.recording, trace=True), partial(target.again, trace=True))

`chaos` is such a `start` for Odradek's own producers, consumers and groups: `World(seed=7, faults="all").run(chaos)`.

Every world judges its log by the invariants of all logs. What clients are told is judged too, if they record it in
`world.history()`.
"""

from odradek_simulation.chaos.report import ChaosReport, OperationCounts, run_chaos
from odradek_simulation.chaos.target import chaos
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.history import History, Recorder
from odradek_simulation.errors import ClientEnded
from odradek_simulation.explaining import Explanation, explain
from odradek_simulation.faults.site import Fault
from odradek_simulation.plugin import simulate
from odradek_simulation.runtime.seeded import SeededRuntime
from odradek_simulation.shrinking import Shrunk, shrink
from odradek_simulation.sweeping import FoundFailure, SweepReport, sweep
from odradek_simulation.workload.mix import Workload
from odradek_simulation.workload.report import (
    ConsumerSummary,
    GroupSummary,
    Latency,
    PartitionSummary,
    ProducerSummary,
    Throughput,
    WorkloadReport,
)
from odradek_simulation.workload.run import Progress, run_workload
from odradek_simulation.workload.verdict import Invariant
from odradek_simulation.world.result import Failure, Result
from odradek_simulation.world.target import Target, load_target, target_of
from odradek_simulation.world.world import World

__all__ = [
    "ChaosReport",
    "ClientEnded",
    "ConsumerSummary",
    "Explanation",
    "Failure",
    "Fault",
    "Finding",
    "FoundFailure",
    "GroupSummary",
    "History",
    "Invariant",
    "Latency",
    "OperationCounts",
    "PartitionSummary",
    "ProducerSummary",
    "Progress",
    "Recorder",
    "Result",
    "SeededRuntime",
    "Shrunk",
    "SweepReport",
    "Target",
    "Throughput",
    "Workload",
    "WorkloadReport",
    "World",
    "chaos",
    "explain",
    "load_target",
    "run_chaos",
    "run_workload",
    "shrink",
    "simulate",
    "sweep",
    "target_of",
]
