"""Measure consumer groups on a durable log: joining, rebalancing many members, and what membership costs a consumer.

Join: from `subscribe` of a new consumer in a new group to its first messages, with the default settings. Rebalance: 50
members share 200 partitions, each polling in its own thread; from one member joining or leaving until every member has
an equal share. In `form`, all 50 join at once. Consume: polls, each recorded and committed, alternately by the only
member of a group and by a consumer without a group.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from odradek_runs import consume, entries
from rich.console import Console
from rich.table import Table

from odradek import ActorSystem, ConsumerHandle
from odradek_events.log.subscription import Subscription

MEMBERS = 50
PARTITIONS = 200


def join(folder: Path, rounds: int) -> list[float]:
    """Return the seconds from subscribing to the first messages, of one new consumer after another."""
    times = []
    with ActorSystem.open(folder / "join.db") as system, system.producer("bench") as producer:
        system.create_topic("orders", 3)
        producer.send_batch("orders", entries(100)).result()
        for number in range(rounds):
            with system.consumer(f"c{number}", f"g{number}") as consumer:
                begin = time.perf_counter()
                consumer.subscribe(["orders"])
                assert consumer.poll(timeout=10)
                times.append(time.perf_counter() - begin)
    return times


class Members:
    """The consumers of one group, each polling in its own thread, and the group's assignments as read from the log."""

    def __init__(self, system: ActorSystem, assignor: str) -> None:
        self._system = system
        self._assignor = assignor
        self._is_over = [Event() for _ in range(MEMBERS)]
        self._threads: list[Thread] = []
        self._shares: Subscription = system.log.subscribe(types=["GroupAssigned"])

    def come(self) -> None:
        """Add a member."""
        number = len(self._threads)
        consumer = self._system.consumer(f"c{number:02}", "bench", assignors=[self._assignor])
        self._threads.append(Thread(target=self._poll, args=(consumer, self._is_over[number])))
        self._threads[-1].start()

    def _poll(self, consumer: ConsumerHandle, is_over: Event) -> None:
        with consumer:
            consumer.subscribe(["orders"])
            while not is_over.is_set():
                consumer.poll(timeout=0.2)

    def last_leaves(self) -> None:
        """Make the newest member leave."""
        self._is_over[len(self._threads) - 1].set()

    def wait(self, members: int) -> None:
        """Wait until that many members have all partitions, in shares that differ by at most one."""
        while True:
            recorded = self._shares.take(timeout=60)
            assert recorded is not None, "the group did not share out within a minute"
            sizes = [len(given.partitions) for given in recorded.event.assignments]
            if len(sizes) == members and sum(sizes) == PARTITIONS and max(sizes) - min(sizes) <= 1:
                return

    def stop(self) -> None:
        """Make all members leave."""
        for event in self._is_over:
            event.set()
        for thread in self._threads:
            thread.join()
        self._shares.stop()


@contextmanager
def members(folder: Path, assignor: str) -> Iterator[Members]:
    """Open a log and a group on it."""
    with ActorSystem.open(folder / "rebalance.db") as system:
        system.create_topic("orders", PARTITIONS)
        group = Members(system, assignor)
        try:
            yield group
        finally:
            group.stop()


def rebalances(folder: Path, assignor: str) -> dict[str, float]:
    """Return the seconds for 50 members to join at once, for one to join 49, and for one of 50 to leave."""
    found = {}
    with members(folder, assignor) as group:
        begin = time.perf_counter()
        for _ in range(MEMBERS - 1):
            group.come()
        group.wait(MEMBERS - 1)
        found["form"] = time.perf_counter() - begin
        begin = time.perf_counter()
        group.come()
        group.wait(MEMBERS)
        found["one joins"] = time.perf_counter() - begin
        begin = time.perf_counter()
        group.last_leaves()
        group.wait(MEMBERS - 1)
        found["one leaves"] = time.perf_counter() - begin
    return found


def consumption(rounds: int, messages: int, poll: int) -> tuple[list[float], list[float]]:
    """Return messages/s in a group and without one, in alternating rounds."""
    rates: dict[str | None, list[float]] = {"group": [], None: []}
    for turn in range(rounds):
        for group in ("group", None) if turn % 2 else (None, "group"):
            with tempfile.TemporaryDirectory() as folder:
                rates[group].append(consume(Path(folder), messages, poll, group))
    return rates["group"], rates[None]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=60_000)
    arguments = parser.parse_args()
    table = Table("", "median", "worst", "target", title="Consumer groups")
    with tempfile.TemporaryDirectory() as folder:
        times = join(Path(folder), 30)
    middle, worst = statistics.median(times) * 1000, max(times) * 1000
    table.add_row("join to first message", f"{middle:.1f} ms", f"{worst:.1f} ms", "< 100 ms")
    for assignor in ("range", "cooperative-sticky"):
        found: dict[str, list[float]] = {}
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as folder:
                for what, seconds in rebalances(Path(folder), assignor).items():
                    found.setdefault(what, []).append(seconds)
        for what, values in found.items():
            name = f"{assignor}, {MEMBERS} members x {PARTITIONS} partitions: {what}"
            table.add_row(name, f"{statistics.median(values):.3f} s", f"{max(values):.3f} s", "< 1 s")
    for poll in (500, 100):
        member, alone = consumption(arguments.rounds, arguments.messages, poll)
        ratio = statistics.median(one / other for one, other in zip(member, alone, strict=True))
        rates = f"{statistics.median(member):,.0f}/s", f"alone {statistics.median(alone):,.0f}/s"
        table.add_row(f"consume in a group, polls of {poll}: ratio {ratio:.2f}", *rates, ">= 0.8")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
