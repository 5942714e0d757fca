"""At least once and at most once: consumers die between any two steps, and what was lost or repeated is counted.

A worker polls, commits and processes in one order or the other, one step at a time, and dies after a number of steps
that the seed says: everything ends at once, its actor is stopped, or it is left behind unclosed. Meanwhile actors
recover in place, which must change nothing. Then another consumer of the group goes on, until all is committed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator

import pytest
from support.actors import World, produce

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.core import Recover
from odradek_events import LogStore, MemoryLog
from odradek_events.errors import OutcomeUnknown
from odradek_events.testing import FaultyLog

pytestmark = pytest.mark.slow

MESSAGES = [f"job {number}" for number in range(60)]
LIVES = 6
ROUNDS = range(12)

Steps = Generator[None]


class Work:
    """What one group has done so far, in all its lives, and what the present one has in hand."""

    def __init__(self, is_complete: Callable[[], bool]) -> None:
        self.is_complete = is_complete
        self.done: list[str] = []
        self.in_hand: list[str] = []  # done and not committed, or committed and not done

    def process_then_commit(self, consumer: ConsumerHandle, max_messages: int) -> Steps:
        """Work so that nothing is lost."""
        while not self.is_complete():
            messages = consumer.poll(max_messages, timeout=10.0)
            yield
            for message in messages:
                self.done.append((message.value or b"").decode())
                self.in_hand.append(self.done[-1])
                yield
            consumer.commit()
            self.in_hand.clear()
            yield

    def commit_then_process(self, consumer: ConsumerHandle, max_messages: int) -> Steps:
        """Work so that nothing is repeated."""
        while not self.is_complete():
            messages = consumer.poll(max_messages, timeout=10.0)
            yield
            consumer.commit()
            self.in_hand = [(message.value or b"").decode() for message in messages]
            yield
            while self.in_hand:
                self.done.append(self.in_hand.pop(0))
                yield


Order = Callable[[Work, ConsumerHandle, int], Steps]


class Story:
    """A topic that one worker after another reads, each but the last until it dies."""

    def __init__(self, seed: int, log: LogStore) -> None:
        self._choice = random.Random(seed)
        self._world = World(log)
        self._system = self._open()
        self._system.create_topic("jobs", partitions=3)
        for number in range(0, len(MESSAGES), 10):
            produce(self._system, "jobs", *MESSAGES[number : number + 10])
        self.work = Work(self._is_committed)
        self.given: list[int] = []  # what each life had in hand when it died

    def run(self, order: Order, *, dies_between_rounds_only: bool = False) -> Work:
        """Let workers live and die until all is committed and done."""
        for life in range(LIVES):
            max_messages = self._choice.randint(1, 10)
            consumer = self._system.consumer(f"worker-{life}", group="workers")
            consumer.subscribe(["jobs"])
            steps = order(self.work, consumer, max_messages)
            left = self._choice.randint(1, 20) if life < LIVES - 1 else float("inf")
            try:
                while left > 0 or (dies_between_rounds_only and self.work.in_hand):
                    next(steps)
                    left -= 1
                    if self._choice.random() < 0.2:
                        self._recover_somebody()
            except StopIteration:
                break
            except OutcomeUnknown:  # of a commit: whoever cannot tell dies too
                pass
            assert len(self.work.in_hand) <= max_messages
            self.given.append(len(self.work.in_hand))
            self.work.in_hand = []
            self._die(f"consumer/worker-{life}")
        self._world.close()
        return self.work

    def _open(self) -> ActorSystem:
        return self._world.open()

    def _is_committed(self) -> bool:
        return sum(place.offset for place in self._system.committed_offsets("workers")) == len(MESSAGES)

    def _recover_somebody(self) -> None:
        runtime = self._world.runtime
        runtime.send(runtime.actors[self._choice.choice(sorted(runtime.actors))], Recover())

    def _die(self, stream: str) -> None:
        how = self._choice.choice(("everything ends", "its actor is stopped", "it is left behind"))
        if how == "everything ends":
            self._world.crash()
        else:
            if how == "its actor is stopped":
                self._world.runtime.kill(stream)
            self._system.close()
        self._system = self._open()


def lost(work: Work) -> int:
    """Return how many messages nobody processed."""
    return len(set(MESSAGES) - set(work.done))


def repeated(work: Work) -> int:
    """Return how often a message was processed beyond the first time."""
    return sum(times - 1 for times in Counter(work.done).values())


def test_committing_after_processing_is_at_least_once() -> None:
    total = 0
    for seed in ROUNDS:
        story = Story(seed, MemoryLog())
        work = story.run(Work.process_then_commit)
        assert (lost(work), repeated(work)) == (0, sum(story.given))
        total += repeated(work)
    assert total > len(ROUNDS), "hardly anybody died between processing and committing"


def test_committing_before_processing_is_at_most_once() -> None:
    total = 0
    for seed in ROUNDS:
        story = Story(seed, MemoryLog())
        work = story.run(Work.commit_then_process)
        assert (lost(work), repeated(work)) == (sum(story.given), 0)
        total += lost(work)
    assert total > len(ROUNDS), "hardly anybody died between committing and processing"


@pytest.mark.parametrize("order", [Work.process_then_commit, Work.commit_then_process])
def test_a_crash_between_polls_neither_loses_nor_repeats_messages(order: Order) -> None:
    deaths = 0
    for seed in ROUNDS:
        story = Story(seed, MemoryLog())
        work = story.run(order, dies_between_rounds_only=True)
        assert (lost(work), repeated(work)) == (0, 0)
        deaths += len(story.given)
    assert deaths > len(ROUNDS)


@pytest.mark.parametrize("written", [True, False])
def test_delivery_guarantees_hold_over_commits_of_unknown_outcome(written: bool) -> None:
    fired = 0
    for seed in ROUNDS[:6]:
        for order, count in ((Work.process_then_commit, lost), (Work.commit_then_process, repeated)):
            log = FaultyLog()
            story = Story(seed, log)
            log.lose_answer("group/workers", event="OffsetCommitted", times=3, written=written)
            assert count(story.run(order)) == 0
            fired += len(log.fired)
    assert fired > 6
