"""Measure the CPU time of starting: importing Odradek, and short commands.

Each figure is the user and system time of a whole Python process, as reported by the operating system. The candidates
take turns in each round. A first round is not counted: it compiles modules and warms the disk cache.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping

COMPLETION = {"_ODRADEK_COMPLETE": "complete_bash"}
STARTS: dict[str, tuple[list[str], Mapping[str, str]]] = {
    "python -c pass": (["-c", "pass"], {}),
    "import odradek": (["-c", "import odradek"], {}),
    "from odradek import ActorSystem": (["-c", "from odradek import ActorSystem"], {}),
    "odradek --help": (["-m", "odradek", "--help"], {}),
    "odradek state missing.db": (["-m", "odradek", "state", "missing.db"], {}),
    "odradek st<Tab>": (["-m", "odradek"], COMPLETION | {"COMP_WORDS": "odradek st", "COMP_CWORD": "1"}),
    "odradek topics <Tab>": (["-m", "odradek"], COMPLETION | {"COMP_WORDS": "odradek topics ", "COMP_CWORD": "2"}),
}


def cpu_seconds(python: str, arguments: list[str], environment: Mapping[str, str], folder: str) -> float:
    """Run one process to its end, and return its user and system time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [python, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
        cwd=folder,
        timeout=60,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, and print the medians; given another installation, also its medians and those of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", nargs="?", metavar="PYTHON", help="The interpreter of another revision's environment.")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    pythons = [sys.executable] if arguments.other is None else [sys.executable, os.path.abspath(arguments.other)]
    rounds: dict[str, list[list[float]]] = {name: [] for name in STARTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds + 1):
            for name, (start, environment) in STARTS.items():
                seconds = [cpu_seconds(python, start, environment, folder) for python in pythons]
                if number:
                    rounds[name].append(seconds)
    for name, measured in rounds.items():
        shown = f"{name:<32}" + "".join(f"{statistics.median(column):8.3f} s" for column in zip(*measured, strict=True))
        if arguments.other is not None:
            shown += f"   ratio {statistics.median(here / there for here, there in measured):.2f}"
        print(shown)


if __name__ == "__main__":
    main()
