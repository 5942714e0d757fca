"""Injects faults: as often as the seed says, or exactly those of a recording."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Collection, Iterable

from odradek_simulation.faults.process import LOST_TAIL, PROCESS_FAULTS
from odradek_simulation.faults.site import Fault, FaultKind, Site
from odradek_simulation.faults.storage import STORAGE_FAULTS
from odradek_simulation.faults.tasks import TASK_FAULTS
from odradek_simulation.faults.timers import TIME_FAULTS

__all__ = [
    "FAULTS",
    "SMALL_CONSTANTS",
    "DrawnFaults",
    "Injector",
    "RecordedFaults",
    "fault_names",
    "shortened",
    "small_constants",
]

FAULTS: dict[str, FaultKind] = {
    kind.name: kind for kind in (*TASK_FAULTS, *TIME_FAULTS, *STORAGE_FAULTS, *PROCESS_FAULTS)
}
SMALL_CONSTANTS = "small-constants"
"""Not injected at a step: it chooses small sizes and intervals for the whole run."""

_NOT_IN_ALL = {LOST_TAIL}
_MOST_FAULTS = 12
_MEAN_GAPS = (15.0, 250.0)  # steps between two faults, drawn for each run
_FIRST = 10  # steps without a fault


def fault_names(chosen: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names that "all", "none", "all,lost-tail" or a list of names stands for; ValueError for others."""
    parts = chosen.split(",") if isinstance(chosen, str) else list(chosen)
    names: set[str] = set()
    for part in parts:
        name = part.strip()
        if name == "all":
            names |= {SMALL_CONSTANTS, *FAULTS} - _NOT_IN_ALL
        elif name in FAULTS or name == SMALL_CONSTANTS:
            names.add(name)
        elif name not in ("", "none"):
            known = ", ".join(sorted({SMALL_CONSTANTS, *FAULTS}))
            raise ValueError(f"{name!r} is not a fault; faults are 'all', 'none' or some of: {known}")
    return tuple(sorted(names))


class Injector:
    """Decides when faults strike; `next_step` is the step after which it wants to be called."""

    next_step: float = math.inf

    def strike(self, site: Site) -> Fault | None:
        """Inject the next fault, if there is one to inject now."""
        raise AssertionError(f"{type(self).__name__} must override strike")


class DrawnFaults(Injector):
    """Draws faults from a seed: a mix of its own for each run, a limited number, with gaps between them."""

    def __init__(self, seed: int, names: Collection[str]) -> None:
        self._dice = dice = random.Random(f"{seed}/faults").random
        kinds = [FAULTS[name] for name in sorted(names) if name in FAULTS]
        self._weighted = [(kind, dice() ** 2) for kind in kinds]
        self._left = 1 + int(dice() * _MOST_FAULTS) if kinds else 0
        low, high = _MEAN_GAPS
        self._gap = low * (high / low) ** dice()
        self.next_step = _FIRST + self._draw_gap() if kinds else math.inf

    def strike(self, site: Site) -> Fault | None:
        """Inject a fault of a drawn kind."""
        step = site.runtime.scheduler.steps
        self._left -= 1
        self.next_step = step + self._draw_gap() if self._left > 0 else math.inf
        kind = self._draw_kind()
        struck = kind.draw(site, self._dice)
        if struck is None:
            return None
        kind.strike(site, *struck)
        return Fault(step, kind.name, *struck)

    def _draw_gap(self) -> int:
        return 1 + int(-math.log(1.0 - self._dice()) * self._gap)

    def _draw_kind(self) -> FaultKind:
        point = self._dice() * sum(weight for _, weight in self._weighted)
        for kind, weight in self._weighted:
            point -= weight
            if point < 0:
                return kind
        return self._weighted[-1][0]


class RecordedFaults(Injector):
    """Injects the faults of a recording, each before the step that it was injected before."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = deque(sorted(faults, key=lambda fault: fault.step))
        self._plan()

    def strike(self, site: Site) -> Fault | None:
        """Inject the next recorded fault."""
        fault = self._faults.popleft()
        self._plan()
        FAULTS[fault.kind].strike(site, fault.target, fault.value)
        return Fault(site.runtime.scheduler.steps, fault.kind, fault.target, fault.value)

    def _plan(self) -> None:
        self.next_step = self._faults[0].step if self._faults else math.inf


def shortened(names: Collection[str]) -> str:
    """Return names of faults joined by commas, "all" for all of them."""
    all_of_them = set(fault_names("all"))
    if all_of_them <= set(names):
        return ",".join(["all", *sorted(set(names) - all_of_them)])
    return ",".join(sorted(names))


def small_constants(seed: int) -> dict[str, int | float]:
    """Return settings with small values, where full buffers, batches of one and frequent snapshots are usual."""
    dice = random.Random(f"{seed}/constants").random
    candidates: tuple[tuple[str, tuple[int | float, ...]], ...] = (
        ("snapshot_interval", (1, 2, 7)),
        ("batch_messages", (1, 2)),
        ("max_in_flight", (1, 2)),
        ("tail_messages", (0, 1, 3)),
        ("read_cache_bytes", (0,)),
        ("fetch_bytes", (1, 200)),
        ("buffer_bytes", (200, 2000)),
        ("progress_interval", (0.01,)),
        ("retention_check_interval", (0.05,)),
    )
    return {name: values[int(dice() * len(values))] for name, values in candidates if dice() < 0.5}
