"""Measure the cost of snapshots for a producer: throughput with them relative to throughput without, in one process.

The usual case: batches of 100 to a topic of three partitions, every commit synced. The unfriendly case: a thousand
producers take turns on 24 partitions, so that a snapshot has 24 000 producer sequences. An interval of 1000 shows that
the measurement is sensitive: it costs far more than the default. Closing, and the snapshots saved then, is not timed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from odradek_runs import KEYS, VALUE, entries
from rich.console import Console
from rich.progress import track
from rich.table import Table

from odradek import ActorSystem, Settings

BATCH = 100
UNANSWERED = 32
DEFAULT = Settings().snapshot_interval
INTERVALS = (0, DEFAULT, 1000)


def usual(path: Path, interval: int, total: int) -> float:
    """Return durable messages/s of one producer."""
    with ActorSystem.open(path, snapshot_interval=interval) as system, system.producer("bench") as producer:
        system.create_topic("orders", 3)
        producer.send_batch("orders", entries(BATCH)).result()
        return _rate(total, lambda _: producer.send_batch("orders", entries(BATCH)))


def unfriendly(path: Path, interval: int, total: int) -> float:
    """Return durable messages/s of a thousand producers that take turns on 24 partitions."""
    with ActorSystem.open(path, snapshot_interval=interval, max_block_ms=600_000) as system:
        system.create_topic("orders", 24)
        producers = [system.producer(f"bench-{number}") for number in range(1000)]
        spread = [(KEYS[number], VALUE) for number in range(BATCH)]
        for producer in producers:
            producer.send_batch("orders", spread)
        for producer in producers:
            producer.flush()
        return _rate(total, lambda number: producers[number % 1000].send_batch("orders", spread))


def _rate(total: int, send: Callable[[int], Any]) -> float:
    waiting: deque[Any] = deque()
    begin = time.perf_counter()
    for number in range(total // BATCH):
        if len(waiting) >= UNANSWERED:
            waiting.popleft().result()
        waiting.append(send(number))
    while waiting:
        waiting.popleft().result()
    return total / (time.perf_counter() - begin)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="measure only cases whose name contains this")
    parser.add_argument("--messages", type=int, default=200_000)
    arguments = parser.parse_args()
    every = {"usual": usual, "1000 producers x 24 partitions": unfriendly}
    cases = {name: run for name, run in every.items() if arguments.only in name}
    rates: dict[tuple[str, int], list[float]] = {(name, interval): [] for name in cases for interval in INTERVALS}
    for turn in track(range(arguments.rounds), "rounds", console=Console(stderr=True)):
        for name, run in cases.items():
            for interval in INTERVALS if turn % 2 else INTERVALS[::-1]:
                with tempfile.TemporaryDirectory() as folder:
                    rates[name, interval].append(run(Path(folder) / "log.db", interval, arguments.messages))
    table = Table("", "interval", "messages/s", "ratio", "target", title="Medians; ratios are taken round by round")
    for (name, interval), found in rates.items():
        ratio = statistics.median(one / other for one, other in zip(found, rates[name, 0], strict=True))
        target = ">= 0.95" if interval == DEFAULT else ""
        table.add_row(name, str(interval or "none"), f"{statistics.median(found):,.0f}", f"{ratio:.3f}", target)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
