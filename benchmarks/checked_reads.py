"""Measure the cost of checking each commit against its digest when it is read.

The unchecked log reads the same rows without the check. The two take turns, for two kinds of reads: a replay of the
whole log into the state of the system, and the recovery of one aggregate, which reads its stream. There are three logs:
one as producers write it by default, one with one message per commit, and one with one message per commit, alternately
in two streams.

Times are CPU times, since reading uses one thread, and other load would change ratios of wall-clock times.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import odradek_runs

from odradek import ActorSystem, SystemState
from odradek_events import Append, SqliteLog
from odradek_events.record import StoredCommit
from odradek_events.sqlite.rows import COLUMNS, commit_of_row
from odradek_events.testing.samples import START, created, produced


class UncheckedLog(SqliteLog):
    """A log that reads without checking digests."""

    def stored(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        """Yield stored commits of the whole log or of one stream, unchecked."""
        assert after == -1
        assert not tags
        assert not types
        column = "first_position" if stream is None else "first_version"
        of_stream, values = ("", ()) if stream is None else ("stream = ? AND ", (stream,))
        where = f"{of_stream}{column} >= ? AND first_position <= ?"
        query = f"SELECT {COLUMNS} FROM commits AS c WHERE {where} ORDER BY {column}"
        last = self.head().position if until is None else until
        for row in self._file.rows(query, values, 0, last, 0 if stream is None else 3):
            yield commit_of_row(row)


def write_by_default(path: Path, total: int) -> None:
    """Write a log with a producer that sends batches of a hundred."""
    with ActorSystem.open(path, durability="off") as system, system.producer("bench") as producer:
        system.create_topic("orders", odradek_runs.PARTITIONS)
        for _ in range(total // 100):
            producer.send_batch("orders", odradek_runs.entries(100))
        producer.flush()


def write_single(path: Path, total: int, topics: int) -> None:
    """Write a log of one message per commit, alternating between `topics` topics."""
    names = [f"t{number}" for number in range(topics)]
    with SqliteLog(path, durability="off") as log:
        log.append([Append(stream=f"topic/{name}", events=[created(name)]) for name in names], START)
        for first in range(0, total // topics, 500):
            numbers = range(first, min(first + 500, total // topics))
            requests = [
                Append(stream=f"topic/{name}", events=[produced(number, name, value=odradek_runs.VALUE)])
                for number in numbers
                for name in names
            ]
            log.append(requests, START)


def timed(path: Path, kind: type[SqliteLog], read: Callable[[SqliteLog], int]) -> float:
    """Return the events per second of CPU time of one read."""
    with kind(path, read_only=True) as log:
        begin = time.process_time()
        count = read(log)
        return count / (time.process_time() - begin)


def replay(log: SqliteLog) -> int:
    """Fold the whole log; return the number of events."""
    return SystemState.replay(log).position + 1


def recover(log: SqliteLog) -> int:
    """Read the log's largest stream as a recovery does; return the number of events."""
    stream = "topic/orders" if log.stream_version("topic/orders") >= 0 else "topic/t0"
    return sum(len(commit.events) for commit in log.commits(stream=stream))


def main() -> None:
    """Write the logs, measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--events", type=int, default=200_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        logs = {name: Path(folder) / f"{name}.db" for name in ("default", "single", "two-streams")}
        write_by_default(logs["default"], arguments.events)
        write_single(logs["single"], arguments.events // 4, 1)
        write_single(logs["two-streams"], arguments.events // 4, 2)
        for name, path in logs.items():
            for read in (replay, recover):
                rounds = [
                    (timed(path, SqliteLog, read), timed(path, UncheckedLog, read)) for _ in range(arguments.rounds)
                ]
                checked, unchecked = (statistics.median(column) for column in zip(*rounds, strict=True))
                print(
                    f"{name}: {read.__name__} {checked:,.0f} events/s checked, {unchecked:,.0f}/s unchecked, "
                    f"ratio {checked / unchecked:.2f}"
                )


if __name__ == "__main__":
    main()
