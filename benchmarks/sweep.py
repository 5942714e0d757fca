"""Run simulated worlds under every strategy, and measure how many it takes to find planted bugs.

First the product as it is: small worlds without faults, worlds of a group with short sessions, and chaos with every
fault. None may fail. Then the mutants of `tests/mutants`: the schedules to the first failure, from three seeds on that
lie far apart. Their median must stay within the budget.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from mutants.catalogue import BUDGET, MUTANTS, Mutant  # from the tests

from odradek.simulation import SweepReport, sweep
from odradek_simulation.choices import STRATEGIES
from odradek_simulation.faults.injector import fault_names

RANGES = (0, 100_000, 200_000)
_FAR = 6 * BUDGET  # schedules after which a mutant counts as not found


def main() -> int:
    """Run, and return 1 if a world of the product fails, or a mutant takes longer than its budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=5000, help="small worlds per strategy (default: %(default)s)")
    parser.add_argument("--groups", type=int, default=500, help="worlds of a group per strategy (default: %(default)s)")
    parser.add_argument("--faulty", type=int, default=500, help="worlds of chaos per strategy (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed of these worlds (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes for these worlds")
    parser.add_argument("--mutants", action=argparse.BooleanOptionalAction, default=True, help="measure the mutants")
    chosen = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])  # the tests and this folder, for the processes
    counts = {"small": chosen.small, "groups": chosen.groups, "faulty": chosen.faulty}
    is_sound = sweep_product(counts, chosen.first, chosen.jobs)
    return 0 if (measure_mutants() if chosen.mutants else True) and is_sound else 1


def sweep_product(counts: dict[str, int], first: int, jobs: int) -> bool:
    """Sweep worlds of the product and print a line for each strategy; return whether none failed."""
    targets = {
        "small": ("simulation:trade", "none"),
        "groups": ("mutants.worlds:share_partitions", ",".join(set(fault_names("all")) - {"exception"})),
        "faulty": ("odradek_simulation.chaos:chaos", "all"),
    }
    print(f"{'worlds':<10}{'strategy':<10}{'runs':>8}{'steps':>14}{'CPU s':>8}{'failed':>8}")
    is_sound = True
    for kind, (target, faults) in targets.items():
        for strategy in STRATEGIES:
            seeds = range(first, first + counts[kind])
            if seeds:
                report = sweep(target, seeds, faults=faults, strategies=(strategy,), jobs=jobs)
                line = f"{kind:<10}{strategy:<10}{report.runs:>8,}{report.steps:>14,}{report.seconds:>8.1f}"
                print(f"{line}{report.failed:>8}", *failures(report), sep="\n    ", flush=True)
                is_sound &= report.holds
    return is_sound


def failures(report: SweepReport) -> Iterator[str]:
    """Yield a line for each kind of failure, with the token of its shortest run."""
    for found in report.failures:
        yield f"{found.count} times {found.message}"
        yield f"odradek explain {found.token}"


def measure_mutants() -> bool:
    """Print how many schedules each mutant takes; return whether the medians are within the budget."""
    print(f"\n{'mutant':<30}{'schedules':>18}{'median':>8}  a budget of {BUDGET}")
    verdicts = [is_found_in_time(mutant) for mutant in MUTANTS]
    return all(verdicts)


def is_found_in_time(mutant: Mutant) -> bool:
    """Print how many schedules a mutant takes; return whether the median is within the budget."""
    taken = [mutant.schedules(range(first, first + _FAR)) or _FAR for first in RANGES]
    median = statistics.median(taken)
    verdict = "" if median <= BUDGET else "exceeds it"
    print(f"{mutant.name:<30}{', '.join(map(str, taken)):>18}{median:>8}  {verdict or mutant.like}", flush=True)
    return median <= BUDGET


if __name__ == "__main__":
    sys.exit(main())
