"""Chaos: our own system in a world with faults, judged by everything that checkers know.

    clients         producers, consumers and members of groups that survive faults, as good production code does
    target          chaos(): starts the clients of a workload, and declares checks and goals
    report          runs it, and puts the figures, the goals and the verdict together

Imports worlds, workloads and checkers. Start reading at `target`.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_simulation.chaos.report import ChaosReport, OperationCounts, run_chaos
    from odradek_simulation.chaos.target import Chaos, chaos, chaos_of
else:
    __getattr__, __dir__ = lazy_names(__name__, "target", "report")

__all__ = [
    "Chaos",
    "ChaosReport",
    "OperationCounts",
    "chaos",
    "chaos_of",
    "run_chaos",
]
