"""Measure a replay of a million events into the state of the whole system, compared with a bare loop over the log.

The bare loop reads the rows with sqlite3 and decodes each array with msgspec into the same typed events, without
folding them. The two take turns in each round. There are two logs: one with one message batch per commit, and one with
large commits, as a busy topic writes them.
"""

from __future__ import annotations

import argparse
import operator
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec
import odradek_runs

from odradek import ActorSystem, open_log
from odradek_events.schema.registry import CATALOGUE


def write(path: Path, total: int, batch: int) -> None:
    """Write a log of `total` messages, in commits of exactly `batch`."""
    with ActorSystem.open(path, durability="off", batch_messages=batch) as system, system.producer("bench") as producer:
        system.create_topic("orders", odradek_runs.PARTITIONS)
        messages = odradek_runs.entries(batch)
        for _ in range(total // batch):
            producer.send_batch("orders", messages)
        producer.flush()


def bare(path: Path) -> float:
    """Return events/s of reading and decoding alone."""
    types: list[Any] = [CATALOGUE.by_name(name) for name in CATALOGUE.names()]
    decode = msgspec.json.Decoder(list[reduce(operator.or_, [entry.cls for entry in types])]).decode  # type: ignore[misc]  # built at run time
    with closing(sqlite3.connect(path)) as connection:
        begin = time.perf_counter()
        rows = connection.execute("SELECT events FROM commits ORDER BY first_position")
        count = sum(len(decode(events)) for (events,) in rows)
        return count / (time.perf_counter() - begin)


def main() -> None:
    """Write the logs, measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for batch in (100, 5000):
            path = Path(folder) / f"{batch}.db"
            write(path, arguments.events, batch)
            with open_log(path, read_only=True) as log:
                commits = sum(1 for _ in log.stored())
            rounds = [(odradek_runs.replay(path, arguments.events), bare(path)) for _ in range(arguments.rounds)]
            replayed, decoded = (statistics.median(column) for column in zip(*rounds, strict=True))
            print(
                f"{arguments.events:,} messages in {commits:,} commits: replay {replayed:,.0f}/s, "
                f"read and decode alone {decoded:,.0f}/s, ratio {replayed / decoded:.2f}"
            )


if __name__ == "__main__":
    main()
