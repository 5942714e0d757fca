"""The groups of a simulation: members that share the partitions, and with churn come to an end and are replaced.

What a group saw is put together under a lock: its members' threads all add to it. A message may come again when the
member that had it ended before its commit, or was dismissed; that is counted, and is no fault where there is churn.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import cycle, islice

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError
from odradek_actors.messages.consumers import ConsumerRecord
from odradek_domain.errors import DomainError
from odradek_domain.values.positions import TopicPartition
from odradek_simulation.workload.mix import Workload, sender_of
from odradek_simulation.workload.tally import checksum

__all__ = ["GroupRun", "GroupTally", "MemberTally"]

_ENDS = ("left", "stalled", "died")
_POLL_SECONDS = 0.2
_MAX_POLL_SECONDS = 0.5  # with churn: after this a member that stalls leaves
_USUAL_MAX_POLL_SECONDS = 300.0


class GroupTally:
    """What one group saw, each message counted once; `repeats` are what came again, `ends` how members ended."""

    def __init__(self, number: int, *, may_repeat: bool) -> None:
        self.number = number
        self.name = f"group-{number}"
        self.may_repeat = may_repeat
        self.received = 0
        self.repeats = 0
        self.refused_commits = 0
        self.content = 0
        self.latencies: list[float] = []
        self.seconds = 0.0
        self.gaps: list[str] = []
        self.disorders: list[str] = []
        self.ends: Counter[str] = Counter()
        self._seen: dict[TopicPartition, set[int]] = {}
        self._lock = threading.Lock()

    def receive(self, messages: Sequence[ConsumerRecord]) -> None:
        """Take in a poll's messages, from any member's thread."""
        with self._lock:
            for message in messages:
                place = TopicPartition(message.topic, message.partition)
                seen = self._seen.setdefault(place, set())
                if message.offset in seen:
                    self.repeats += 1
                    if not self.may_repeat:
                        self.gaps.append(f"{place} gave offset {message.offset} again")
                    continue
                seen.add(message.offset)
                self.received += 1
                self.content += checksum(message.key or b"", message.value or b"")


class MemberTally(RebalanceListener):
    """What one member saw in a partition is in order for as long as the partition stays its own."""

    def __init__(self, group: GroupTally) -> None:
        self._group = group
        self._next_offset: dict[TopicPartition, int] = {}
        self._last_number: dict[tuple[TopicPartition, int], int] = {}

    def on_partitions_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Begin anew with these: they are read from what was committed."""
        for place in partitions:
            self._next_offset.pop(place, None)
        self._last_number = {sender: last for sender, last in self._last_number.items() if sender[0] not in partitions}

    def receive(self, messages: Sequence[ConsumerRecord]) -> None:
        """Take in a poll's messages."""
        for message in messages:
            place = TopicPartition(message.topic, message.partition)
            due = self._next_offset.get(place, message.offset)
            if message.offset != due:
                self._group.gaps.append(f"{place} gave offset {message.offset} where {due} was due")
            self._next_offset[place] = message.offset + 1
            producer, number = sender_of(message.value or b"")
            if number <= self._last_number.get((place, producer), 0):
                self._group.disorders.append(f"{place} gave message {number} of producer {producer} out of order")
            self._last_number[place, producer] = number
        self._group.receive(messages)


class GroupRun:
    """One group at work. `is_over` says when there is nothing left to read, or everybody has to stop."""

    def __init__(self, system: ActorSystem, workload: Workload, tally: GroupTally, is_over: Callable[[], bool]) -> None:
        self._system = system
        self._workload = workload
        self._tally = tally
        self._is_over = is_over
        self._dice = random.Random(f"{workload.seed}/{tally.name}")
        self._ends = deque(islice(cycle(_ENDS), workload.churn))
        self._lock = threading.Lock()

    def be_member(self, index: int) -> None:
        """Run one member after another in this thread, until the group has all messages."""
        life = 0
        while not self._is_over():
            life += 1
            name = f"{self._tally.name}-member-{index}" + (f"-life-{life}" if life > 1 else "")
            consumer = self._system.consumer(
                name,
                self._tally.name,
                assignors=["cooperative-sticky"],
                max_poll_interval=_MAX_POLL_SECONDS if self._workload.churn else _USUAL_MAX_POLL_SECONDS,
            )
            tally = MemberTally(self._tally)
            consumer.subscribe(self._workload.topic_names, listener=tally)
            self._live(consumer, tally)

    def _live(self, consumer: ConsumerHandle, tally: MemberTally) -> None:
        polls_left = self._polls()
        while not self._is_over():
            polls_left -= self._work(consumer, tally)
            if polls_left > 0:
                continue
            polls_left = self._polls()
            end = self._next_end()
            if end == "died":
                self._system.kill(f"consumer/{consumer.consumer_id}")
                return
            if end == "stalled":
                time.sleep(1.5 * _MAX_POLL_SECONDS)
            elif end == "left":
                break
        consumer.close()

    def _work(self, consumer: ConsumerHandle, tally: MemberTally) -> bool:
        """Poll, process, commit; return whether there was something to do."""
        asked = time.monotonic()
        messages = consumer.poll(self._workload.batch * 10, _POLL_SECONDS)
        if not messages:
            return False
        self._tally.latencies.append(time.monotonic() - asked)
        tally.receive(messages)
        try:
            consumer.commit()
        except (DomainError, ActorError):
            self._tally.refused_commits += 1
        return True

    def _polls(self) -> int:
        with self._lock:
            return self._dice.randint(2, 6)

    def _next_end(self) -> str | None:
        with self._lock:
            if not self._ends:
                return None
            end = self._ends.popleft()
            self._tally.ends[end] += 1
            return end
