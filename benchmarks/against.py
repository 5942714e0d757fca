"""Compare this revision with another one, installed in a separate environment: produce, consume, replay.

    git worktree add ../before v0.1.0 && make -C ../before .venv/.installed
    .venv/bin/python benchmarks/against.py ../before/.venv/bin/python

Both run the same programs, which use only the public API, in separate processes that take turns. Prints the medians of
both and the median of the ratios per round, in wall-clock time and in CPU time (user and system, all threads), which
depends less on other load. A ratio above 1 means that this revision is slower.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import odradek_runs
from rich.console import Console
from rich.progress import track
from rich.table import Table

Job = Callable[[Path], object]
JOBS: dict[str, Job] = {
    "produce, batch 1": lambda folder: odradek_runs.produce(folder, 1, 6_000, 32),
    "produce, batch 100": lambda folder: odradek_runs.produce(folder, 100, 100_000, 32),
    "produce, batch 1000": lambda folder: odradek_runs.produce(folder, 1000, 200_000, 8),
    "consume in a group": lambda folder: odradek_runs.consume(folder, 50_000, 500, "readers"),
    "replay": lambda folder: odradek_runs.replay(folder / "replay.db", 200_000),
}


def measured(name: str, folder: Path) -> tuple[float, float]:
    """Return the wall-clock and CPU seconds of one job in this process, without writing a log to replay."""
    if name == "replay":
        odradek_runs.write_log(folder / "replay.db", 200_000, 100)
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    JOBS[name](folder)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(python: str, name: str) -> tuple[float, float]:
    """Measure a job in a separate process, with the Odradek installed for `python`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, __file__, "--job", name, "--folder", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        wall, cpu = json.loads(done.stdout)
        return wall, cpu


def main() -> None:
    """Read the arguments, and measure or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", nargs="?", help="the Python of the other revision's environment")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", help="measure only jobs whose name contains this")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(measured(options.job, options.folder)))
        return
    if not options.other:
        parser.error("name the Python of the other revision's environment")
    names = [name for name in JOBS if not options.only or options.only in name]
    pairs: dict[str, list[tuple[tuple[float, float], tuple[float, float]]]] = {name: [] for name in names}
    for number in track(range(options.rounds), "rounds", console=Console(stderr=True)):
        for name in names:
            pythons = [sys.executable, options.other]
            results = {python: run(python, name) for python in (pythons if number % 2 else reversed(pythons))}
            pairs[name].append((results[sys.executable], results[options.other]))
    table = Table("", "wall s", "other", "ratio", "CPU s", "other", "ratio")
    for name, rounds in pairs.items():
        row = [name]
        for kind in range(2):
            ours, others = [one[kind] for one, _ in rounds], [other[kind] for _, other in rounds]
            ratio = statistics.median(one / other for one, other in zip(ours, others, strict=True))
            row += [f"{statistics.median(ours):.3f}", f"{statistics.median(others):.3f}", f"{ratio:.3f}"]
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
