"""Bounded exhaustive search: it finds what can happen, and the rare schedule that fails."""

from __future__ import annotations

import threading
from typing import Any

import pykka
import pytest
from support.litmus import Inbox, Sender

from odradek import ActorSystem
from odradek.simulation import World
from odradek_simulation.sweeping.explore import explore


class Litmus:
    """Two senders and two inboxes; `outcomes` are the orders in which the inboxes received."""

    def __init__(self, a: str, b: str) -> None:
        self.orders = {"A": a, "B": b}
        self.outcomes: set[str] = set()

    def start(self, system: ActorSystem, world: World) -> None:
        """Start the actors, and note the outcome at the end."""
        logs: dict[str, list[str]] = {"C": [], "D": []}
        inboxes = {name: world.start(Inbox, log) for name, log in logs.items()}
        senders = [world.start(Sender, name, [inboxes[to] for to in order]) for name, order in self.orders.items()]
        for sender in senders:
            sender.tell("go")
        world.spawn(self.note, world, logs)

    def note(self, world: World, logs: dict[str, list[str]]) -> None:
        """Note the outcome, once everything has arrived."""
        world.sleep(1)
        self.outcomes.add(" ".join("".join(log) for log in logs.values()))

    def on_threads(self) -> str:
        """Run once on real threads, and return the outcome."""
        logs: dict[str, list[str]] = {"C": [], "D": []}
        inboxes = {name: Inbox.start(log) for name, log in logs.items()}
        barrier = threading.Barrier(2)

        class Together(Sender):
            def on_receive(self, message: Any) -> None:
                barrier.wait(10)
                super().on_receive(message)

        senders = [Together.start(name, [inboxes[to] for to in order]) for name, order in self.orders.items()]
        for sender in senders:
            sender.tell("go")
        for sender in senders:
            sender.stop(timeout=10)
        for inbox in inboxes.values():
            inbox.stop(timeout=10)
        return " ".join("".join(log) for log in logs.values())


@pytest.mark.parametrize(
    ("a", "b", "possible"),
    [
        ("CD", "CD", {"AB AB", "AB BA", "BA AB", "BA BA"}),
        ("DC", "CD", {"AB AB", "BA AB", "BA BA"}),
    ],
)
def test_the_search_reaches_exactly_what_is_possible_and_threads_reach_nothing_else(
    a: str, b: str, possible: set[str]
) -> None:
    litmus = Litmus(a, b)
    exploration = explore(litmus.start, 6)
    assert exploration.is_complete
    assert litmus.outcomes == possible
    assert {litmus.on_threads() for _ in range(30)} <= possible


@pytest.mark.slow
def test_pruning_finds_the_same_in_fewer_runs() -> None:
    whole, pruned = Litmus("CD", "CD"), Litmus("CD", "CD")
    without, with_it = explore(whole.start, 4, prune=False), explore(pruned.start, 4)
    assert whole.outcomes == pruned.outcomes
    assert with_it.runs * 3 < without.runs


class Door(pykka.ThreadingActor):
    """Breaks if the third of three knocks comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.knocks: list[str] = []

    def on_receive(self, message: Any) -> None:
        self.knocks.append(message)
        assert self.knocks != ["c", "b", "a"], "the door broke"


def knock(system: ActorSystem, world: World) -> None:
    """Have three clients knock once each."""
    door = world.start(Door)
    for name in "abc":
        world.spawn(door.tell, name, name=name)


def test_the_search_ends_at_the_first_failure_and_returns_its_run() -> None:
    exploration = explore(knock, 6)
    assert exploration.failure is not None
    again = World.of(exploration.failure.recording).run(knock)
    assert again.failure is not None
    assert again.failure.signature == "handler: Door (AssertionError)"


def test_a_limit_of_runs_is_kept() -> None:
    exploration = explore(knock, 1, max_runs=3)
    assert (exploration.runs, exploration.is_complete) == (3, False)
