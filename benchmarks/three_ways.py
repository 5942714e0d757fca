"""Compare three ways to transfer money between accounts: one aggregate, a condition, and a policy.

Clients transfer between two accounts of a hundred, drawn at random or all to one account, and each waits for the answer
before it draws again. Printed are transfers per second, and medians and 99th percentiles of the delays: until the
answer, and from there until the money has arrived, if that is later. Each way has a log of its own.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from odradek import (
    ActorSystem,
    Aggregate,
    DecisionModel,
    EventSourcedActor,
    Policy,
    Query,
    QueryItem,
    Reaction,
    Recorded,
    event,
    open_log,
)

ACCOUNTS = 100
CLIENTS = 16
CENTS = 1_000_000


@event("bench.Transferred", tags=("account:{source}", "account:{to}"))
class Transferred(msgspec.Struct, frozen=True):
    """Money went from one account to another, at once."""

    source: str
    to: str
    cents: int


@event("bench.Sent", tags=("account:{source}",))
class Sent(msgspec.Struct, frozen=True):
    """Money left an account for another one."""

    source: str
    to: str
    cents: int


@event("bench.Received", tags=("account:{to}",))
class Received(msgspec.Struct, frozen=True):
    """Money arrived at an account, because of the event `cause`."""

    to: str
    cents: int
    cause: str


class Balances(Aggregate):
    """The balances of all accounts whose events it gets, each above CENTS at the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.cents: defaultdict[str, int] = defaultdict(lambda: CENTS)
        self.causes: set[str] = set()

    def _transferred(self, event: Transferred) -> None:
        self.cents[event.source] -= event.cents
        self.cents[event.to] += event.cents

    def _sent(self, event: Sent) -> None:
        self.cents[event.source] -= event.cents

    def _received(self, event: Received) -> None:
        self.cents[event.to] += event.cents
        self.causes.add(event.cause)

    appliers: ClassVar = {Transferred: _transferred, Sent: _sent, Received: _received}


class Transfer(msgspec.Struct, frozen=True):
    """Transfer a cent."""

    source: str
    to: str


class BankActor(EventSourcedActor[Balances]):
    """Owns all accounts."""

    def initial_state(self) -> Balances:
        return Balances()

    def decide(self, command: Transfer) -> Any:
        return transferred(command, self.state)


class ConditionActor(BankActor):
    """Decides for one account on the events with its tag, wherever they are."""

    def reads(self, command: Transfer) -> DecisionModel:
        return DecisionModel(Query((QueryItem(tags=(f"account:{command.source}",)),)), Balances)

    def decide_on(self, command: Transfer, facts: Balances) -> Any:
        return transferred(command, facts)


class AccountActor(BankActor):
    """Owns one account."""

    def decide(self, command: Transfer | Recorded) -> Any:
        if isinstance(command, Transfer):
            moved = transferred(command, self.state)
            return Sent(moved.source, moved.to, moved.cents)
        return None if self.cause in self.state.causes else Received(self.id, command.event.cents, self.cause)


def transferred(command: Transfer, balances: Balances) -> Transferred:
    """Decide a transfer."""
    if balances.cents[command.source] < 1:
        raise ValueError(f"account {command.source} is empty")
    return Transferred(command.source, command.to, 1)


RECEIVE = Policy(
    "receive",
    Query((QueryItem(("bench.Sent",)),)),
    lambda recorded: Reaction(f"account/{recorded.event.to}", recorded),
)
WAYS: dict[str, tuple[type[BankActor], list[Policy], Callable[[Transfer], str]]] = {
    "one aggregate": (BankActor, [], lambda command: "bank/all"),
    "a condition": (ConditionActor, [], lambda command: f"account/{command.source}"),
    "a policy": (AccountActor, [RECEIVE], lambda command: f"account/{command.source}"),
}


def transfer(system: ActorSystem, stream_of: Callable[[Transfer], str], is_hot: bool, seconds: float) -> list[float]:
    """Have the clients transfer, and return the seconds that each answer took."""
    delays: list[float] = []

    def client(number: int) -> None:
        dice = random.Random(number)
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            source, to = map(str, dice.sample(range(1, ACCOUNTS), 2))
            command = Transfer(source, "0" if is_hot else to)
            system.actor(stream_of(command)).ask(command).result()
            delays.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return delays


def run(way: str, place: str | Path, durability: Literal["full", "off"], given: argparse.Namespace, hot: bool) -> str:
    """Return what one way takes."""
    actor, policies, stream_of = WAYS[way]
    with open_log(place, durability=durability) as log:
        with ActorSystem.open(log, actors={"bank": actor, "account": actor}, policies=policies) as system:
            transfer(system, stream_of, hot, 0.5)
            begin = datetime.now(UTC)
            delays = transfer(system, stream_of, hot, given.seconds)
            system.settle()
        sent = {
            found.metadata.event_id: found.commit.recorded_at
            for found in log.read(types=["bench.Sent"])
            if found.commit.recorded_at >= begin
        }
        arrivals = [
            (found.commit.recorded_at - sent[found.event.cause]).total_seconds()
            for found in log.read(types=["bench.Received"])
            if found.event.cause in sent
        ]
    late = f"; arrived {_shown(arrivals)} later" if arrivals else ""
    return f"{len(delays) / given.seconds:,.0f} transfers/s, answered in {_shown(delays)}{late}"


def _shown(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.1f} ms (p99 {statistics.quantiles(seconds, n=100)[-1] * 1e3:.0f} ms)"


def main() -> None:
    """Measure in memory and on disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for title, durability in (("in memory", None), ("on disk, synced", "full")):
            for is_hot in (False, True):
                print(f"{title}, {'all to one account' if is_hot else 'between accounts drawn at random'}:")
                for way in WAYS:
                    name = f"{way} {is_hot}.db"
                    place = ":memory:" if durability is None else Path(folder) / name
                    print(f"  {way}: {run(way, place, 'off' if durability is None else 'full', given, is_hot)}")


if __name__ == "__main__":
    main()
