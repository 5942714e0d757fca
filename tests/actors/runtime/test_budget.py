"""Byte budgets: never exceeded, in the order of the callers, and never blocked by one that was interrupted."""

from __future__ import annotations

import random
import threading
import time

import pytest
from support.actors import in_threads

from odradek_actors.runtime.budget import Budget
from odradek_actors.runtime.promise import Promise


def budget_of(limit: int) -> Budget:
    return Budget(limit, Promise, time.monotonic)


def test_a_waiting_caller_gets_room_when_it_is_released() -> None:
    budget = budget_of(10)
    assert budget.acquire("a", 8, 0)
    assert not budget.acquire("b", 8, 0)
    granted: list[bool] = []

    in_threads(lambda: granted.append(budget.acquire("c", 8, 10)), lambda: budget.release("a"))

    assert granted == [True]
    assert budget.holders() == ["c"]


def test_more_than_the_limit_is_granted_when_nothing_else_is_reserved() -> None:
    budget = budget_of(10)
    assert budget.acquire("huge", 1000, 0)
    assert not budget.acquire("small", 1, 0)
    budget.release("huge")
    assert budget.acquire("small", 1, 0)


def test_releasing_twice_or_what_was_never_reserved_releases_nothing_more() -> None:
    budget = budget_of(10)
    assert budget.acquire("a", 10, 0)
    budget.release("b")
    assert not budget.acquire("c", 1, 0)
    budget.release("a")
    budget.release("a")
    assert budget.acquire("c", 10, 0)
    assert not budget.acquire("d", 1, 0)


def test_a_large_reservation_does_not_starve_behind_small_ones() -> None:
    """Room comes and goes: whoever waits first gets it, and later small reservations wait behind a large one."""
    budget = budget_of(10)
    for number in range(10):
        assert budget.acquire(number, 1, 0)
    granted = threading.Event()

    def large() -> None:
        assert budget.acquire("large", 10, 30)
        granted.set()

    waiting = threading.Thread(target=large, daemon=True)
    waiting.start()
    while not budget._queue:
        pass
    for number in range(10):  # each small one that wants in again comes too late
        budget.release(number)
        assert granted.is_set() or not budget.acquire(number + 100, 1, 0) or granted.wait(10)
    waiting.join(30)
    assert granted.is_set()


@pytest.mark.slow
def test_an_interrupted_caller_that_never_left_the_queue_delays_others_only_briefly() -> None:
    budget = budget_of(10)
    assert budget.acquire("a", 10, 0)
    interrupted = threading.Thread(target=lambda: budget.acquire("interrupted", 10, 0.1), daemon=True)
    interrupted.start()
    while not (entry := budget._queue.get("interrupted")):
        pass
    interrupted.join(30)
    budget._queue["interrupted"] = entry  # what an interruption just before it leaves results in

    budget.release("a")

    assert budget.acquire("b", 5, 20)
    assert list(budget._queue) == []


def test_a_waiting_caller_finds_room_whose_release_was_interrupted() -> None:
    budget = budget_of(10)
    assert budget.acquire("a", 10, 0)
    started = time.monotonic()
    granted: list[float] = []

    def wait() -> None:
        assert budget.acquire("b", 10, 30)
        granted.append(time.monotonic() - started)

    def interrupted_release() -> None:
        while not budget._queue:
            pass
        del budget._held["a"]  # the first step of a release; the others do not follow

    in_threads(wait, interrupted_release)
    assert granted[0] < 15


def test_the_sum_of_reservations_recovers_from_an_interruption() -> None:
    budget = budget_of(10)
    assert budget.acquire("a", 4, 0)
    budget._taken = 10  # what an interruption between two of its steps can leave behind
    assert budget.acquire("b", 6, 0)
    budget._taken = -100
    budget._until_recount = 1
    budget.release("b")
    assert budget.acquire("c", 6, 0)
    assert not budget.acquire("d", 1, 0)


def test_threads_never_hold_more_than_the_limit() -> None:
    budget = budget_of(100)
    excess: list[int] = []

    def work(number: int) -> None:
        dice = random.Random(number)
        for turn in range(300):
            holder = number, turn
            assert budget.acquire(holder, dice.randrange(1, 60), 30)
            held = sum(budget._held.copy().values())
            if held > 100 + 60 * 3:  # threads may look for room at the same moment
                excess.append(held)
            budget.release(holder)

    in_threads(*(lambda number=number: work(number) for number in range(4)))
    assert excess == []
    assert budget.holders() == []
    assert budget.acquire("all", 100, 0)
