"""One group of a workload at work: members share the partitions; with churn they end early and are replaced."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle, islice

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError
from odradek_domain.errors import DomainError
from odradek_simulation.checkers.history import History, Recorder
from odradek_simulation.workload.consumer_run import poll_once
from odradek_simulation.workload.mix import Workload
from odradek_simulation.workload.reader import Reader

__all__ = ["GroupRun"]

_ENDS = ("leave", "stall", "die")
_MAX_POLL_SECONDS = 0.5  # with churn: a member that stalls for longer leaves the group
_USUAL_MAX_POLL_SECONDS = 300.0


class GroupRun:
    """Reads all topics with a group. Once `must_stop` is set, each member ends after the poll in hand."""

    def __init__(self, system: ActorSystem, workload: Workload, history: History, number: int) -> None:
        self.reader = Reader(history, f"group-{number}", may_repeat=workload.churn > 0)
        self.must_stop = False
        self._system = system
        self._workload = workload
        self._ends = deque(islice(cycle(_ENDS), workload.churn))  # members take their ends from here

    @property
    def clients(self) -> list[Callable[[], None]]:
        """The client code to run, side by side."""
        return [partial(self._be_member, number) for number in range(1, self._workload.members + 1)]

    def _be_member(self, number: int) -> None:
        """Live one member's life after another."""
        polls_before_ends = self._workload.polls_before_ends(self.reader.name, number)
        life = 0
        while not self.must_stop:
            life += 1
            name = f"{self.reader.name}-member-{number}" + (f"-life-{life}" if life > 1 else "")
            consumer = self._system.consumer(
                name,
                self.reader.name,
                assignors=["cooperative-sticky"],
                max_poll_interval=_MAX_POLL_SECONDS if self._workload.churn else _USUAL_MAX_POLL_SECONDS,
            )
            recorder = self.reader.new_member(name)
            consumer.subscribe(self._workload.topic_names, listener=recorder)
            self._live(consumer, recorder, polls_before_ends)

    def _live(self, consumer: ConsumerHandle, recorder: Recorder, polls_before_ends: Iterator[int]) -> None:
        """Read until this member leaves or dies, or everyone must stop."""
        for polls in polls_before_ends:
            self._work(consumer, recorder, polls)
            end = self._next_end()
            if end == "leave" or self.must_stop:
                break
            if end == "die":
                self._system.kill(f"consumer/{consumer.consumer_id}")
                return
            if end == "stall":
                self._system.runtime.sleep(1.5 * _MAX_POLL_SECONDS)
        consumer.close()

    def _work(self, consumer: ConsumerHandle, recorder: Recorder, polls: int) -> None:
        """Poll, process and commit until so many polls returned messages."""
        while polls and not self.must_stop:
            if not poll_once(consumer, recorder, self._workload, self._system.runtime):
                continue
            polls -= 1
            with suppress(DomainError, ActorError), recorder.commit():
                consumer.commit()

    def _next_end(self) -> str | None:
        try:
            return self._ends.popleft()
        except IndexError:
            return None
