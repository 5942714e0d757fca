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

Every world judges its log by the invariants of all logs. What clients are told is judged too, if they record it in
`world.history()`.
"""

from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.history import History, Recorder
from odradek_simulation.errors import ClientEnded
from odradek_simulation.faults.site import Fault
from odradek_simulation.runtime.seeded import SeededRuntime
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
from odradek_simulation.world.world import World

__all__ = [
    "ClientEnded",
    "ConsumerSummary",
    "Failure",
    "Fault",
    "Finding",
    "GroupSummary",
    "History",
    "Invariant",
    "Latency",
    "PartitionSummary",
    "ProducerSummary",
    "Progress",
    "Recorder",
    "Result",
    "SeededRuntime",
    "Throughput",
    "Workload",
    "WorkloadReport",
    "World",
    "run_workload",
]
