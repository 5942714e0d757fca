"""Simulate concurrent producers, consumers and groups, and check what must hold.

    from odradek.simulation import Workload, run_workload

    report = run_workload(Workload(messages=10_000, members=3, churn=6), "run.db")
    print(report.produced.per_second, report.holds, report.problems)

`run_workload` runs every client beside the others, in this process, and returns a WorkloadReport. `odradek simulate`
prints such a report.
"""

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

__all__ = [
    "ConsumerSummary",
    "GroupSummary",
    "Invariant",
    "Latency",
    "PartitionSummary",
    "ProducerSummary",
    "Progress",
    "Throughput",
    "Workload",
    "WorkloadReport",
    "run_workload",
]
