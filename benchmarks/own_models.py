"""Measure a replay with user-defined aggregates registered, compared with a bare fold of the same events.

The bare fold reads the commits from the log and applies their events to one aggregate for each stream, without a
SystemState; a third column reads the rows with sqlite3 and decodes them with msgspec, which checks no digest. They take
turns in each round; CPU time. There are two logs: one of single events, and one of commits of a hundred.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from odradek import ActorSystem, Aggregate, Append, EventSourcedActor, SystemState, event, open_log

STREAMS = 1000
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@event("bench.MoneyMoved", tags=("account:{account}",))
class MoneyMoved(msgspec.Struct, frozen=True):
    """The only event."""

    account: str
    cents: int


class Account(Aggregate):
    """A bank account."""

    def __init__(self) -> None:
        super().__init__()
        self.cents = 0

    def _moved(self, event: MoneyMoved) -> None:
        self.cents += event.cents

    appliers = {MoneyMoved: _moved}


class AccountActor(EventSourcedActor[Account]):
    """An actor, whose initial state a system registers."""

    def initial_state(self) -> Account:
        """Return an empty account."""
        return Account()


def write(path: Path, total: int, batch: int) -> None:
    """Write `total` events of a thousand accounts, in commits of `batch`."""
    with open_log(path, durability="off") as log:
        for first in range(0, total // batch, 1000):
            appends = [
                Append(stream=f"account/{number % STREAMS}", events=[MoneyMoved(str(number % STREAMS), 1)] * batch)
                for number in range(first, min(first + 1000, total // batch))
            ]
            log.append(appends, WHEN)


def registered(path: Path) -> None:
    """Replay with the class registered."""
    with open_log(path, read_only=True) as log:
        SystemState.replay(log, aggregates={"account": Account})


def from_actors(path: Path) -> None:
    """Replay with the aggregates that a system's actors start with."""
    with open_log(path, read_only=True) as log, ActorSystem.open(actors={"account": AccountActor}) as system:
        SystemState.replay(log, aggregates=system.aggregates)


def bare(path: Path) -> None:
    """Fold the events of the log, and do nothing else."""
    accounts: dict[str, Account] = {}
    with open_log(path, read_only=True) as log:
        for commit in log.commits():
            account = accounts.get(commit.stream)
            if account is None:
                account = accounts[commit.stream] = Account()
            account.apply_all(commit.events)


def unchecked(path: Path) -> None:
    """Fold the events of the rows, without the log."""
    accounts: dict[str, Account] = {}
    decode = msgspec.json.Decoder(list[MoneyMoved]).decode
    with closing(sqlite3.connect(path)) as connection:
        for stream, events in connection.execute("SELECT stream, events FROM commits ORDER BY first_position"):
            account = accounts.get(stream)
            if account is None:
                account = accounts[stream] = Account()
            account.apply_all(decode(events))


WAYS: tuple[Callable[[Path], Any], ...] = (registered, from_actors, bare, unchecked)


def main() -> None:
    """Write the logs, measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for batch in (1, 100):
            path = Path(folder) / f"{batch}.db"
            write(path, arguments.events, batch)
            seconds: dict[str, list[float]] = {way.__name__: [] for way in WAYS}
            for _ in range(arguments.rounds):
                for way in WAYS:
                    begin = time.process_time()
                    way(path)
                    seconds[way.__name__].append(time.process_time() - begin)
            rates = {name: arguments.events / statistics.median(found) for name, found in seconds.items()}
            print(f"{arguments.events:,} events in commits of {batch}:")
            for name, rate in rates.items():
                print(f"  {name:12} {rate:>12,.0f} events/s, {rate / rates['bare']:.2f} of bare")


if __name__ == "__main__":
    main()
