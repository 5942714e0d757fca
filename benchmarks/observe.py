"""Measure observing a log: events per CPU second, beside reading and decoding alone.

    python benchmarks/observe.py --events 300000

There are two logs: messages in commits of 100, as a busy topic writes them, and commits of one event each, which touch
two units per conversation. Quote figures of an idle machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import replay

from odradek import open_log
from odradek.boundaries import observe, write_ocel
from odradek_events.log.port import ReadableLog
from odradek_events.record import Append, Decision
from odradek_events.types import OffsetCommitted

BLOCK = 1000
START = datetime(2026, 1, 1, tzinfo=UTC)


def write_small_commits(path: Path, total: int) -> None:
    """Write a log of commits with one event: two of each conversation, in the streams of a consumer and a group."""
    with open_log(path, durability="off") as log:
        for first in range(0, total, BLOCK):
            log.append([commit(number) for number in range(first, first + BLOCK)], START + timedelta(seconds=first))


def commit(number: int) -> Append:
    """Return one commit of offsets."""
    owner = f"{'consumer' if number % 2 else 'group'}/{number // 2 % 100}"
    event = OffsetCommitted(owner, f"topic-{number % 7}", "id", number % 5, number, START)
    decisions = (Decision(1, f"conversation-{number // 2}"),)
    return Append(stream=owner, events=[event], commit_id=f"commit-{number}", decisions=decisions)


def read(log: ReadableLog) -> None:
    """Read and decode a log."""
    for _ in log.commits():
        pass


def rate(log: ReadableLog, measured: Callable[[ReadableLog], object]) -> float:
    """Return the events per CPU second of a function that reads a log."""
    begin = time.process_time()
    measured(log)
    return (log.head().position + 1) / (time.process_time() - begin)


def main() -> None:
    """Write the logs, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    total = parser.parse_args().events // BLOCK * BLOCK
    writers: dict[str, Callable[[Path], None]] = {
        "commits of 100": lambda path: replay.write(path, total, 100),
        "commits of 1": lambda path: write_small_commits(path, total),
    }
    measured: dict[str, Callable[[ReadableLog], object]] = {
        "read and decode": read,
        "observe": observe,
        "observe by partition": lambda log: observe(log, by=("partition",)),
        "write_ocel": lambda log: write_ocel(log, len),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, write in writers.items():
            path = Path(folder) / f"{name}.db"
            write(path)
            with open_log(path, read_only=True) as log:
                figures = ", ".join(f"{what} {rate(log, function):,.0f}/s" for what, function in measured.items())
            print(f"{name}: {figures}")


if __name__ == "__main__":
    main()
