"""A workload of producers, consumers and groups: run on a system, measured and judged.

In order of their layers, where each imports only those before it:

    mix                                    what is sent: a pure function of the workload's numbers and its seed
    reader                                 what a group, or a consumer without one, has received so far
    producer_run  consumer_run             one producer, one consumer without a group at work
    group_run                              one group at work, whose members come and go
    verdict                                what must hold, by the findings of the checkers
    report                                 the figures and the verdict together
    run                                    everything together: `run_workload`

Imports actors, domain and events, and never the face. Time, waiting and clients come from the system's runtime, so
nothing here touches a clock, a thread or a lock. Start reading at `run`. Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_simulation.workload.mix import LIMITS, MAX_KEY_SKEW, SMALL, Entry, Workload
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
else:
    __getattr__, __dir__ = lazy_names(__name__, "mix", "verdict", "report", "run")

__all__ = [
    "LIMITS",
    "MAX_KEY_SKEW",
    "SMALL",
    "ConsumerSummary",
    "Entry",
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
