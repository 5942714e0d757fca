"""How conflicts grow with load, and throughput with clients: short runs beside those of the study.

Commands of the load runs have one try, so that at any load there are as many attempts as commands. Then one unit that
all commands check has a conflict share of x / (1 + x), where x is the load in commands per service time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.decisions import Rules
from odradek_boundaries.run import run
from odradek_boundaries.study import in_processes
from odradek_boundaries.workload import Workload

__all__ = ["Curves", "measure_curves"]

_LOADS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)  # commands per service time
_CLIENTS = (1, 2, 4, 8, 16)
_COUNT_OF_LOAD, _COUNT_OF_CLIENTS = 1000, 400


class Curves(msgspec.Struct, frozen=True):
    """Conflict shares (%) by load (commands per second), and throughputs (per second) by clients, of each boundary."""

    RUNS: ClassVar[int] = len(_LOADS) + len(_CLIENTS)
    """How many runs each boundary takes."""

    service_ms: float
    loads: tuple[float, ...]
    conflict_shares: dict[str, tuple[float, ...]]
    clients: tuple[int, ...]
    throughputs: dict[str, tuple[float, ...]]


def measure_curves(
    rules: Rules,
    boundaries: Sequence[Boundary],
    workload: Workload,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Curves:
    """Run the workload, shortened, at several loads and with several numbers of clients; see `Lab.compare`."""
    loads = tuple(1000 * load / workload.service_ms for load in _LOADS)
    workloads = [*(_at_load(workload, load) for load in loads), *(_with_clients(workload, n) for n in _CLIENTS)]

    def measure(task: tuple[int, int]) -> tuple[float, float]:
        counts = run(rules, boundaries[task[0]], workloads[task[1]], seed=1)
        share = 100 * counts.conflicts / (counts.attempts or 1)
        return share, 1000 * counts.appended / (counts.duration_ms or 1.0)

    tasks = [(boundary, number) for number in range(len(workloads)) for boundary in range(len(boundaries))]
    measured: dict[tuple[int, int], tuple[float, float]] = {}
    for task, result in in_processes(measure, tasks, jobs):
        measured[task] = result
        if progress is not None:
            progress(len(measured), len(tasks))
    by_name = list(enumerate(boundary.name for boundary in boundaries))
    split = len(loads)
    return Curves(
        workload.service_ms,
        loads,
        {name: tuple(measured[place, n][0] for n in range(split)) for place, name in by_name},
        _CLIENTS,
        {name: tuple(measured[place, n][1] for n in range(split, len(workloads))) for place, name in by_name},
    )


def _at_load(workload: Workload, per_second: float) -> Workload:
    """Return the workload with open arrivals at this rate; the times of a recorded one are stretched."""
    recorded = workload.recorded[:_COUNT_OF_LOAD]
    if recorded:
        first, last = recorded[0][0], recorded[-1][0]
        stretch = 1000 * len(recorded) / per_second / ((last - first) or 1.0)
        recorded = tuple(((at - first) * stretch, command) for at, command in recorded)
    return msgspec.structs.replace(
        workload,
        count=min(workload.count, _COUNT_OF_LOAD),
        per_second=None if recorded else per_second,
        clients=None,
        tries=1,
        recorded=recorded,
    )


def _with_clients(workload: Workload, clients: int) -> Workload:
    return msgspec.structs.replace(
        workload,
        count=min(workload.count, _COUNT_OF_CLIENTS),
        per_second=None,
        clients=clients,
        think_ms=0.0,
        recorded=workload.recorded[:_COUNT_OF_CLIENTS],
    )
