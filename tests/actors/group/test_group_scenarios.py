"""Many messages, while members of a group join, leave, die and stall on threads that always switch."""

from __future__ import annotations

import random
import threading
from collections import Counter
from functools import partial

import pytest
from support.actors import KitRuntime, in_threads

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError
from odradek_actors.settings import Settings
from odradek_domain.errors import DomainError
from odradek_domain.replay.lag import partition_lags
from odradek_domain.replay.system_state import SystemState
from odradek_events import MemoryLog
from odradek_events.maintenance.verify import verify
from odradek_simulation.checkers.invariants import InvariantChecker

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("frequent_thread_switches")]

PARTITIONS = 12
SLOTS = 4  # members at a time
BATCH = 100


class Scenario:
    """Producers, and slots in which one consumer after another lives until its end, one way or another."""

    def __init__(self, assignors: tuple[str, ...], messages: int, seed: int) -> None:
        self.runtime = KitRuntime()
        self.log = MemoryLog()
        settings = Settings(progress_interval=3600.0, tail_messages=10_000)
        self.system = ActorSystem(self.log, settings=settings, runtime=self.runtime)
        self.system.create_topic("orders", PARTITIONS)
        self.happened: Counter[str] = Counter()
        self._assignors = assignors
        self._messages = messages
        self._seed = seed
        self._seen: set[int] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Run it to the end: all messages seen, all members gone."""
        in_threads(self._produce, *(partial(self._fill, slot) for slot in range(SLOTS)))

    def _produce(self) -> None:
        with self.system.producer("till") as producer:
            for first in range(0, self._messages, BATCH):
                producer.send_batch("orders", [(str(n % 97), str(n)) for n in range(first, first + BATCH)])

    @property
    def _is_over(self) -> bool:
        return len(self._seen) == self._messages

    def _fill(self, slot: int) -> None:
        choice = random.Random(self._seed * 100 + slot)
        life = 0
        while not self._is_over:
            life += 1
            consumer = self.system.consumer(
                f"m{slot}-{life}",
                "workers",
                assignors=self._assignors,
                heartbeat_interval=0.05,
                session_timeout=5.0,
                max_poll_interval=0.25,
            )
            self.happened["joined"] += 1
            consumer.subscribe(["orders"])
            self._live(consumer, choice)
            self._end(consumer, choice.choice(["left", "left", "died", "abandoned"]))

    def _live(self, consumer: ConsumerHandle, choice: random.Random) -> None:
        """Poll, process and commit for a while; perhaps stall once, until the group goes on without this member."""
        polls = choice.randint(3, 25)
        stalls_at = choice.choice([None, None, polls // 2])
        for number in range(polls):
            if self._is_over:
                return
            self._work(consumer, choice)
            if number == stalls_at and consumer.assignment:
                self._stall(consumer)

    def _work(self, consumer: ConsumerHandle, choice: random.Random) -> None:
        records = consumer.poll(choice.choice([10, 40, 200]), timeout=0.1)
        with self._lock:
            self._seen.update(int(record.value or b"") for record in records)
        try:
            consumer.commit()
        except DomainError as error:
            self.happened[error.code] += 1

    def _stall(self, consumer: ConsumerHandle) -> None:
        head = self.log.head().position
        with self.system.log.subscribe(after=head, types=["MemberLeft"], stream="group/workers") as departures:
            while (left := departures.take(timeout=20)) is not None:
                if left.event.member_id.startswith(f"{consumer.consumer_id}-"):
                    self.happened["stalled"] += 1
                    break
            else:
                raise AssertionError("a member that stalled was never dismissed")
        try:
            consumer.commit(dict.fromkeys(consumer.assignment, 0))
        except DomainError as error:
            self.happened[error.code] += 1

    def _end(self, consumer: ConsumerHandle, how: str) -> None:
        how = "left" if self._is_over else how
        self.happened[how] += 1
        if how == "left":
            consumer.close()
        elif how == "died":
            self.runtime.kill(f"consumer/{consumer.consumer_id}")
            with pytest.raises((DomainError, ActorError)):
                consumer.poll(timeout=0)


def assert_sound(scenario: Scenario, messages: int) -> None:
    system = scenario.system
    with system.consumer("survivor", "workers") as survivor:  # takes up what was seen and never committed
        survivor.subscribe(["orders"])
        survivor.wait_for_assignment(20)
        while survivor.poll(5000, timeout=0):
            survivor.commit()
    assert InvariantChecker().follow(system.log) == []
    lags = partition_lags(SystemState.replay(system.log))
    assert [lag.lag for lag in lags if lag.owner == "group/workers"] == [0] * PARTITIONS
    assert sum(lag.high_watermark for lag in lags) == messages
    system.settle()
    assert system.check_replay().holds
    assert verify(system.log).is_sound


@pytest.mark.parametrize(
    ("assignors", "messages", "seed"),
    [(("range",), 20_000, 1), (("cooperative-sticky",), 20_000, 2), (("sticky", "roundrobin"), 4_000, 3)],
    ids=["range", "cooperative-sticky", "sticky"],
)
def test_every_message_is_processed_whatever_members_do(assignors: tuple[str, ...], messages: int, seed: int) -> None:
    scenario = Scenario(assignors, messages, seed)
    with scenario.system:
        scenario.run()
        assert_sound(scenario, messages)
    scenario.runtime.close()
    happened = scenario.happened
    if messages == 20_000:
        assert {"joined", "left", "died", "abandoned", "stalled"} <= set(happened), happened
        refused = {"unknown_member", "illegal_generation", "consumer_not_assigned", "commit_would_go_backwards"}
        assert refused & set(happened), happened
