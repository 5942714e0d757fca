"""Strategies: each picks a ready task, from its seed only, and finds the orders it was made for."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from typing import Any

import pytest

from odradek_simulation.choices.odometer import Odometer
from odradek_simulation.choices.strategies import STRATEGIES, Pct, StrategyName, fifo, resolved, strategy


class Task:
    """A task without a world."""

    def __init__(self, number: int) -> None:
        self.number, self.name = number, str(number)
        self.priority = 0.0
        self.outbox: deque[tuple[Any, Any]] = deque()


def picks(name: StrategyName, seed: str, tasks: int = 4, count: int = 200) -> list[int]:
    """Pick among tasks that are always ready, `count` times."""
    ready = [Task(number) for number in range(tasks)]
    choose = strategy(name, seed, 100)
    return [choose(ready) for _ in range(count)]


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_depends_on_its_seed_only(name: StrategyName) -> None:
    assert picks(name, "1") == picks(name, "1")


def test_a_random_walk_picks_every_task_about_as_often() -> None:
    counts = Counter(picks("random", "1", count=2000))
    assert all(400 < counts[task] < 600 for task in range(4))


def test_fifo_takes_the_oldest_task() -> None:
    assert fifo([Task(3), Task(1)]) == 0


@pytest.mark.parametrize(("name", "changes"), [("pct1", 0), ("pct2", 1), ("pct3", 2)])
def test_pct_changes_the_running_task_as_often_as_its_depth_says(name: StrategyName, changes: int) -> None:
    switches = []
    for seed in range(50):
        picked = picks(name, str(seed))
        switches.append(sum(one != other for one, other in itertools.pairwise(picked)))
    assert max(switches) == changes


def test_pct_never_runs_a_lower_priority_while_a_higher_one_is_ready() -> None:
    choose = Pct("1", 1, 100)
    ready = [Task(number) for number in range(5)]
    best = choose(ready)
    assert ready[best].priority == max(task.priority for task in ready)


def test_pos_draws_again_for_a_racing_send() -> None:
    racing = [Task(0), Task(1), Task(2)]
    mailbox = object()
    for task in racing[:2]:
        task.outbox.append((mailbox, "message"))
    choose = strategy("pos", "1", 100)
    choose(racing)
    picked = next(task for task in racing if task.priority == 0.0)
    others = [task for task in racing if task is not picked]
    assert [task.priority == 0.0 for task in others] == [bool(picked.outbox and task.outbox) for task in others]


def test_the_portfolio_takes_different_strategies_for_different_seeds() -> None:
    assert len({resolved("portfolio", seed) for seed in range(8)}) >= 5
    assert resolved("pct2", 5) == "pct2"


def schedules(odometer: Odometer, counts: list[int]) -> set[tuple[int, ...]]:
    """Return every schedule of a tree with so many choices on each level."""
    found = set()
    while True:
        found.add(tuple(odometer([None] * count) for count in counts))
        if not odometer.advance():
            return found


def test_the_odometer_gives_every_schedule_within_its_limit_once() -> None:
    expected = {(a, b, c) for a in range(3) for b in range(2) for c in range(3) if a + b + c <= 2}
    assert schedules(Odometer(2), [3, 2, 3]) == expected
    assert schedules(Odometer(0), [3, 2, 3]) == {(0, 0, 0)}
    assert len(schedules(Odometer(99), [3, 2, 3])) == 18
