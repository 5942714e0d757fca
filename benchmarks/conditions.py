"""Measure what a condition costs an actor's command in latency: a decision model that is read, folded and checked.

A plain command and one with a decision model take turns, each on an actor and a log of its own. The model selects the
events of a pair of actors by their tag. With `shared`, the other actor of the pair stores an event before each command,
outside the measured time, so that each decision finds new facts to read and fold. Each figure is the median time from
`ask` to the answer, of all rounds. Before that, the log gets events that do not match, as a log has that is in use.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from odradek import (
    ActorHandle,
    ActorSystem,
    Aggregate,
    Append,
    DecisionModel,
    EventSourcedActor,
    Query,
    QueryItem,
    event,
    open_log,
)


@event("bench.Counted", tags=("pair:{pair}",))
class Counted(msgspec.Struct, frozen=True):
    """A count of one pair of counters."""

    pair: str
    number: int


class Counter(Aggregate):
    """The last number counted."""

    number = 0

    def _counted(self, event: Counted) -> None:
        self.number = event.number

    appliers: ClassVar = {Counted: _counted}


class PlainActor(EventSourcedActor[Counter]):
    """Decides on its own stream."""

    def initial_state(self) -> Counter:
        return Counter()

    def decide(self, command: Any) -> Counted:
        return Counted("a", self.state.number + 1)


class ModelActor(PlainActor):
    """Decides on the events with its pair's tag."""

    def reads(self, command: Any) -> DecisionModel:
        return DecisionModel(Query((QueryItem(("bench.Counted",), ("pair:a",)),)), Counter)

    def decide_on(self, command: Any, facts: Counter) -> Counted:
        return Counted("a", facts.number + 1)


def latencies(actor: ActorHandle, other: ActorHandle | None, count: int) -> list[float]:
    """Return the seconds that each of `count` commands took, each after one to the other actor, if there is one."""
    found = []
    for _ in range(count):
        if other is not None:
            other.ask(None).result()
        begin = time.perf_counter()
        actor.ask(None).result()
        found.append(time.perf_counter() - begin)
    return found


def compare(
    folder: Path, durability: Literal["full", "off"] | None, given: argparse.Namespace, *, is_shared: bool
) -> tuple[float, float]:
    """Return the median latency in seconds of a plain command, and of one with a decision model."""
    times: dict[str, list[float]] = {"plain": [], "model": []}
    with ExitStack() as stack:
        actors: dict[str, tuple[ActorHandle, ActorHandle | None]] = {}
        for name, kind in (("plain", PlainActor), ("model", ModelActor)):
            place = ":memory:" if durability is None else folder / f"{name}-{durability}-{is_shared}.db"
            log = stack.enter_context(open_log(place, durability=durability or "off"))
            events = [Counted(f"other-{number % 100}", number) for number in range(1000)]
            for number in range(given.earlier // 1000):
                log.append([Append(stream=f"counter/other-{number}", events=events)], datetime.now(UTC))
            system = stack.enter_context(ActorSystem.open(log, actors={"counter": kind}))
            actors[name] = system.actor("counter/one"), system.actor("counter/two") if is_shared else None
            latencies(*actors[name], given.commands)
        for _ in range(given.rounds):
            for name, pair in actors.items():
                times[name] += latencies(*pair, given.commands)
    return statistics.median(times["plain"]), statistics.median(times["model"])


def main() -> None:
    """Measure in memory and on disk, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--commands", type=int, default=100, help="commands per round")
    parser.add_argument("--earlier", type=int, default=100_000, help="events already in each log")
    given = parser.parse_args()
    places: list[tuple[str, Literal["full", "off"] | None]] = [
        ("in memory", None),
        ("on disk, not synced", "off"),
        ("on disk, synced", "full"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for title, durability in places:
            for is_shared in (False, True):
                plain, model = compare(Path(folder), durability, given, is_shared=is_shared)
                print(
                    f"{title}{', shared' if is_shared else ''}: plain {plain * 1e6:,.0f} us, with a decision model "
                    f"{model * 1e6:,.0f} us, ratio {model / plain:.2f}"
                )


if __name__ == "__main__":
    main()
