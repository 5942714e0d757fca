"""Measure Odradek and its baselines in one run; print medians and the most important ratios.

Every figure is the median of `--rounds` runs (5 by default). The candidates take turns in each round, so that a slow
minute of the machine affects all of them. Values have 100 bytes, there are 100 keys of 6 bytes, topics have 3
partitions, and SQLite syncs every commit (durability `full`) in all measurements that write.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import baselines
import odradek_runs
from rich.console import Console
from rich.progress import track
from rich.table import Table

WINDOW = {1: 32, 10: 32, 100: 32, 1000: 8}  # batches in flight before the sender waits for the oldest
REPLAY_EVENTS = 20_000
PRODUCE_TOTALS = {1: 4_000, 10: 20_000, 100: 100_000, 1000: 200_000}


def measurements() -> dict[str, Callable[[Path], float]]:
    """Return the measurements of each round: name -> function of an empty folder that returns rate or seconds."""
    table: dict[str, Callable[[Path], float]] = {}
    for batch, total in PRODUCE_TOTALS.items():
        table[f"produce, batch {batch}"] = partial(odradek_runs.produce, batch=batch, total=total, window=WINDOW[batch])
        table[f"bare sqlite3, batch {batch}"] = partial(baselines.bare_sqlite, batch=batch, total=total)
    table["produce, batch 100, each awaited"] = lambda f: odradek_runs.produce(f, 100, 50_000, 1)
    table["eventsourcing, saves of 100"] = lambda f: baselines.eventsourcing_save(f, 100, 20_000)
    table["one send (s)"] = lambda f: odradek_runs.single_send(f, 1000)
    table["one bare ask (s)"] = lambda _: baselines.bare_ask(2000)
    table["one bare commit (s)"] = lambda f: baselines.bare_commit(f, 1000)
    table["consume in a group, polls of 500"] = lambda f: odradek_runs.consume(f, 50_000, 500, "readers")
    table["consume alone, polls of 500"] = lambda f: odradek_runs.consume(f, 50_000, 500, None)
    table["replay 20 000"] = lambda f: _child(f, "odradek")
    table["replay 20 000, python -O"] = lambda f: _child(f, "odradek", "-O")
    table["eventsourcing rebuild 20 000"] = lambda f: _child(f, "eventsourcing")
    table["eventsourcing rebuild 20 000, python -O"] = lambda f: _child(f, "eventsourcing", "-O")
    return table


def replay_in_child(library: str, folder: Path) -> float:
    """Write a log of 20 000 events in this process, rebuild from it, and return events/s."""
    path = folder / "log.db"
    if library == "odradek":
        odradek_runs.write_log(path, REPLAY_EVENTS, 100)
        return odradek_runs.replay(path, REPLAY_EVENTS)
    identifier = baselines.eventsourcing_log(path, REPLAY_EVENTS)
    return baselines.eventsourcing_rebuild(path, identifier, REPLAY_EVENTS)


def _child(folder: Path, library: str, *flags: str) -> float:
    """Measure a rebuild in a separate process, since interpreter flags cannot be changed in this one."""
    command = [sys.executable, *flags, __file__, "--child", library, "--folder", str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)


def ratios(median: dict[str, float]) -> list[tuple[str, float, str]]:
    """Return (name, ratio, target) for the figures with a target."""
    floor = median["one bare ask (s)"] + median["one bare commit (s)"]

    def of(one: str, other: str) -> float:
        return median[one] / median[other]

    hundred, saves = "produce, batch 100", "eventsourcing, saves of 100"
    rebuild, thousand = "eventsourcing rebuild 20 000", "produce, batch 1000"
    return [
        ("produce at batch 100 / eventsourcing's saves of 100", of(hundred, saves), ">= 5"),
        ("produce at batch 100 / bare sqlite3 at 100", of(hundred, "bare sqlite3, batch 100"), ">= 0.7"),
        ("produce at batch 1000 / bare sqlite3 at 1000", of(thousand, "bare sqlite3, batch 1000"), ">= 0.75"),
        ("one acknowledged send / (one ask + one commit)", median["one send (s)"] / floor, "<= 2"),
        ("replay / eventsourcing's rebuild", of("replay 20 000", rebuild), ">= 12"),
        ("the same, python -O", of("replay 20 000, python -O", f"{rebuild}, python -O"), ""),
    ]


def main() -> None:
    """Run the benchmark, or one child of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="measure only figures whose name contains this")
    parser.add_argument("--json", type=Path, help="write the medians and all rounds here")
    parser.add_argument("--child", choices=["odradek", "eventsourcing"])
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.child:
        print(replay_in_child(arguments.child, arguments.folder))
        return
    chosen = {name: run for name, run in measurements().items() if arguments.only in name}
    rounds: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in track(range(arguments.rounds), description="rounds", console=Console(stderr=True)):
        for name, run in chosen.items():
            with tempfile.TemporaryDirectory() as folder:
                rounds[name].append(run(Path(folder)))
    median = {name: statistics.median(values) for name, values in rounds.items()}
    _show(median, rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps({"median": median, "rounds": rounds}, indent=2))


def _show(median: dict[str, float], rounds: dict[str, list[float]]) -> None:
    console = Console(width=110)
    table = Table("measured", "median", "lowest", "highest", title=f"{len(next(iter(rounds.values())))} rounds")
    for name, values in rounds.items():
        table.add_row(name, *(_figure(name, value) for value in (median[name], min(values), max(values))))
    console.print(table)
    if len(median) < len(measurements()):
        return
    summary = Table("ratio of medians", "value", "target")
    for what, value, target in ratios(median):
        summary.add_row(what, f"{value:.2f}", target)
    console.print(summary)


def _figure(name: str, value: float) -> str:
    return f"{value * 1e6:,.0f} us" if name.endswith("(s)") else f"{value:,.0f} /s"


if __name__ == "__main__":
    main()
