"""Measure how soon a policy reacts: from an event's commit to the reaction, and to the event that it leads to.

Events are stored at a steady rate, spread over some accounts. The policy has each one paid in at another account, which
its actor stores. The time of an event's commit is the moment at which the journal began to store it, so the delays
include the disk. Printed are medians and 99th percentiles, how many commits recorded the policy's progress, and what
the same events cost without the policy, in processor time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from odradek import (
    ActorSystem,
    Aggregate,
    EventSourcedActor,
    Policy,
    Promise,
    Query,
    QueryItem,
    Reaction,
    Recorded,
    event,
    open_log,
)

ACCOUNTS = 100


@event("bench.PaidOut", tags=("account:{account}",))
class PaidOut(msgspec.Struct, frozen=True):
    """Money left an account for another."""

    account: str
    to: str


@event("bench.PaidIn", tags=("account:{account}",))
class PaidIn(msgspec.Struct, frozen=True):
    """Money arrived, because of the event `cause`."""

    account: str
    cause: str


class Account(Aggregate):
    """The last cause, by which the account recognises a command that comes again."""

    cause = ""

    def _in(self, event: PaidIn) -> None:
        self.cause = event.cause

    appliers: ClassVar = {PaidIn: _in}
    ignores: ClassVar = (PaidOut,)


class AccountActor(EventSourcedActor[Account]):
    """Pays out to the account that a command names; pays in for the command None."""

    def initial_state(self) -> Account:
        return Account()

    def decide(self, command: str | None) -> Any:
        if command is not None:
            return PaidOut(self.id, command)
        return None if self.cause == self.state.cause else PaidIn(self.id, self.cause)


def store(system: ActorSystem, rate: int, seconds: float) -> None:
    """Store events at this rate, without waiting for each."""
    accounts = [system.actor(f"account/{number}") for number in range(ACCOUNTS)]
    waiting: deque[Promise[Any]] = deque()
    begin = time.perf_counter()
    for number in range(int(rate * seconds)):
        ahead = begin + number / rate - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        waiting.append(accounts[number % ACCOUNTS].ask(str((number + 1) % ACCOUNTS)))
        while len(waiting) > 1000:
            waiting.popleft().result()
    for promise in waiting:
        promise.result()


def run(place: str | Path, durability: Literal["full", "off"], given: argparse.Namespace, *, reacts: bool) -> float:
    """Store the events, print the delays if the policy reacts, and return the processor time in seconds."""
    reactions: list[float] = []

    def react(recorded: Recorded) -> Reaction:
        reactions.append((datetime.now(UTC) - recorded.commit.recorded_at).total_seconds())
        return Reaction(f"account/{recorded.event.to}", None)

    policies = [Policy("transfers", Query((QueryItem(("bench.PaidOut",)),)), react)] if reacts else []
    before = time.process_time()
    with open_log(place, durability=durability) as log:
        with ActorSystem.open(log, actors={"account": AccountActor}, policies=policies) as system:
            store(system, given.rate, given.seconds)
            system.settle()
        used = time.process_time() - before
        stored = {found.metadata.event_id: found for found in log.read(types=["bench.PaidOut"])}
        paid_in = list(log.read(types=["bench.PaidIn"]))
        progress = sum(1 for _ in log.read(types=["PolicyAdvanced"]))
    if reacts:
        delays = [
            (found.commit.recorded_at - stored[found.event.cause].commit.recorded_at).total_seconds()
            for found in paid_in
        ]
        assert len(delays) == len(stored) == len(reactions), "each event leads to one"
        print(
            f"  {len(stored):,} events: reaction {_shown(reactions)}; commit of its event begins {_shown(delays)}; "
            f"{progress} commits for the progress"
        )
    return used


def _shown(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.2f} ms (p99 {statistics.quantiles(seconds, n=100)[-1] * 1e3:.1f} ms)"


def main() -> None:
    """Measure in memory and on disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1000, help="events per second")
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places: list[tuple[str, str | Path, Literal["full", "off"]]] = [
            ("in memory", ":memory:", "off"),
            ("on disk, not synced", Path(folder) / "off", "off"),
            ("on disk, synced", Path(folder) / "full", "full"),
        ]
        for title, place, durability in places:
            print(f"{title}, {given.rate:,} events/s:")
            without = run(f"{place}-plain" if place != ":memory:" else place, durability, given, reacts=False)
            used = run(place, durability, given, reacts=True)
            print(f"  processor time {used:.2f} s, without the policy {without:.2f} s")


if __name__ == "__main__":
    main()
