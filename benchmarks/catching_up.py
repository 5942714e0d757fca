"""Measure a consumer that reads a topic from the start, far behind the messages that the topic keeps in memory.

One consumer without a group polls for a while on its own log, alternately with and without the cache of recently read
commits. `spread` has 64 partitions, so that each commit has messages of all of them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from odradek_runs import VALUE
from rich.console import Console
from rich.table import Table

from odradek import ActorSystem

CACHES = {"none": 0, "16 MiB": 16 << 20}


def write(path: Path, partitions: int, messages: int) -> None:
    """Write a topic with messages distributed round-robin over its partitions."""
    with ActorSystem.open(path, durability="off") as system, system.producer("bench") as producer:
        system.create_topic("orders", partitions)
        keys = [b"key-%d" % number for number in range(10 * partitions)]
        for begin in range(0, messages, 1000):
            producer.send_batch("orders", [(keys[number % len(keys)], VALUE) for number in range(begin, begin + 1000)])
        producer.flush()


def read(path: Path, name: str, cache: int, poll: int, seconds: float) -> float:
    """Return the messages/s that a new consumer polls during `seconds`."""
    with ActorSystem.open(path, read_cache_bytes=cache, tail_messages=0) as system, system.consumer(name) as consumer:
        consumer.subscribe(["orders"])
        consumer.poll(poll)
        count, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            count += len(consumer.poll(poll))
        return count / (time.perf_counter() - begin)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    table = Table("", *(f"cache {name}" for name in CACHES), "ratio", title="Reading old messages, messages/s")
    for name, partitions in (("4 partitions", 4), ("spread", 64)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "old.db"
            write(path, partitions, arguments.messages)
            for poll in (100, 500):
                rates: dict[str, list[float]] = {cache: [] for cache in CACHES}
                for turn in range(arguments.rounds):
                    for cache, size in CACHES.items():
                        rates[cache].append(read(path, f"c-{poll}-{turn}-{size}", size, poll, arguments.seconds))
                without, with_cache = (statistics.median(values) for values in rates.values())
                row = f"{without:,.0f}", f"{with_cache:,.0f}", f"{with_cache / without:.1f}"
                table.add_row(f"{name}, polls of {poll}", *row)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
