"""Measure a log of ten million events: reopening, the first fetch, reading from the start, and commands on it.

The log (`large_log.py`) is built on first use and kept under `--path`, together with one of a tenth of the size, for
ratios. Each figure is the median of `--rounds` child processes, which take turns. A child reports its time from
`ActorSystem.open` on, and its peak resident memory, including the interpreter and all imports.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from odradek import ActorSystem

BEHIND_SNAPSHOTS = 150_000  # events after the newest snapshots, as a crash may leave them

Measured = dict[str, float]


def open_only(path: Path) -> Measured:
    """Open a system on the log, and do nothing else."""
    begin = time.perf_counter()
    ActorSystem.open(path)
    return {"seconds": time.perf_counter() - begin}


def poll_from_the_beginning(path: Path) -> Measured:
    """Open, and poll a topic with a new consumer from its first message on."""
    begin = time.perf_counter()
    system = ActorSystem.open(path)
    consumer = system.consumer(f"bench-{os.getpid()}")
    consumer.subscribe(["topic-0"])
    messages = consumer.poll(timeout=300)
    return {"seconds": time.perf_counter() - begin, "messages": len(messages)}


def poll_where_it_was(path: Path) -> Measured:
    """Open, and poll with a consumer of that topic from its committed offset on."""
    begin = time.perf_counter()
    system = ActorSystem.open(path)
    consumer = system.consumer("consumer-0")
    messages = consumer.poll(timeout=300)
    return {"seconds": time.perf_counter() - begin, "messages": len(messages)}


def send_and_poll_at_the_head(path: Path) -> Measured:
    """Open, send a message with a producer that has sent thousands, and poll it."""
    begin = time.perf_counter()
    system = ActorSystem.open(path)
    consumer = system.consumer(f"bench-{os.getpid()}", auto_offset_reset="latest")
    consumer.subscribe(["topic-0"])
    consumer.poll(timeout=0)
    system.producer("producer-0").send("topic-0", "new").result(300)
    messages = consumer.poll(timeout=300)
    return {"seconds": time.perf_counter() - begin, "messages": len(messages)}


def read_on(path: Path) -> Measured:
    """Read a topic from the start, 50 000 messages in polls of 500, without counting the first poll."""
    system = ActorSystem.open(path)
    consumer = system.consumer(f"bench-{os.getpid()}")
    consumer.subscribe(["topic-0"])
    consumer.poll(timeout=300)
    total = min(50_000, system.describe_topic("topic-0").message_count - 500)
    begin = time.perf_counter()
    count = 0
    while count < total:
        count += len(consumer.poll(500, timeout=300))
    return {"per_second": count / (time.perf_counter() - begin)}


CHILDREN: dict[str, Callable[[Path], Measured]] = {
    "open": open_only,
    "open, first poll from the beginning": poll_from_the_beginning,
    "open, first poll where it had committed": poll_where_it_was,
    "open, send, poll the message": send_and_poll_at_the_head,
    "read on from the beginning": read_on,
}
COMMANDS: dict[str, list[str]] = {
    "odradek log | head": ["log"],
    "odradek log --limit 300000": ["log", "--limit", "300000"],
    "odradek verify": ["verify"],
    "odradek stats": ["stats"],
}


def child(name: str, path: Path) -> Measured:
    """Measure in a process that does not close the system: it takes no snapshots, so that all rounds are alike."""
    command = [sys.executable, __file__, "--child", name, "--path", str(path)]
    found: Measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def command_line(name: str, path: Path) -> Measured:
    """Run a command to its end, or until ten lines of it are read."""
    arguments = [sys.executable, "-m", "odradek", *COMMANDS[name], str(path)]
    output = subprocess.PIPE if name.endswith("head") else subprocess.DEVNULL
    begin = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.DEVNULL)
    if process.stdout is not None:
        for _ in range(10):
            process.stdout.readline()
        process.stdout.close()
    _, _, usage = os.wait4(process.pid, 0)
    return {"seconds": time.perf_counter() - begin, "megabytes": usage.ru_maxrss / 1024}


def written(*arguments: str) -> None:
    """Write the log in a separate process, since a child's peak memory starts at its parent's size."""
    subprocess.run([sys.executable, str(Path(__file__).with_name("large_log.py")), *arguments], check=True)


def measure(path: Path, rounds: int, chosen: list[str]) -> dict[str, Measured]:
    """Return the medians of all measurements on a log."""
    medians: dict[str, Measured] = {}
    for name in chosen:
        run = child if name in CHILDREN else command_line
        found = [run(name, path) for _ in range(rounds)]
        medians[name] = {key: statistics.median(one[key] for one in found) for key in found[0]}
    return medians


def main() -> None:
    """Run the benchmark, or one child of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", type=Path, default=Path("build/large.db"))
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="measure only figures whose name contains this")
    parser.add_argument("--child", choices=CHILDREN)
    arguments = parser.parse_args()
    if arguments.child:
        found = CHILDREN[arguments.child](arguments.path)
        found["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found), flush=True)
        os._exit(0)  # like a crash: no actor is stopped
    arguments.path.parent.mkdir(parents=True, exist_ok=True)
    small = arguments.path.with_suffix(".small.db")
    for path, events in ((small, arguments.events // 10), (arguments.path, arguments.events)):
        if not path.exists():
            written("extend", str(path), str(events))
            written("snapshot", str(path))
    chosen = [name for name in [*CHILDREN, *COMMANDS] if arguments.only in name]
    _show("small", measure(small, arguments.rounds, chosen))
    _show("large", measure(arguments.path, arguments.rounds, chosen))
    children = [name for name in chosen if name in CHILDREN]
    snapshots = Path(f"{arguments.path}.snapshots")
    hidden = snapshots.rename(f"{snapshots}.hidden")
    without: dict[str, Measured] = {}
    for name in children:
        without |= measure(arguments.path, 1, [name])
        for new in snapshots.parent.glob(f"{snapshots.name}*"):
            if new != hidden:
                new.unlink()  # a recovery that folds so much takes a snapshot at once
    _show("large, without snapshots", without)
    hidden.rename(snapshots)
    written("extend", str(arguments.path), str(BEHIND_SNAPSHOTS))
    crashed = measure(arguments.path, arguments.rounds, children)
    _show(f"large, {BEHIND_SNAPSHOTS:,} events behind its snapshots", crashed)
    written("snapshot", str(arguments.path))


def _show(title: str, medians: dict[str, Measured]) -> None:
    table = Table("", "seconds", "per second", "MB", "messages", title=title)
    for name, found in medians.items():
        cells = [("seconds", ".3f"), ("per_second", ",.0f"), ("megabytes", ",.0f"), ("messages", ".0f")]
        table.add_row(name, *(format(found[key], form) if key in found else "" for key, form in cells))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
