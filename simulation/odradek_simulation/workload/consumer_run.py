"""One consumer of a workload at work, without a group; and the poll that members of groups share with it."""

from __future__ import annotations

from collections.abc import Callable

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.runtime.port import Clock
from odradek_simulation.checkers.history import History, Recorder
from odradek_simulation.workload.mix import Workload
from odradek_simulation.workload.reader import Reader

__all__ = ["ConsumerRun", "poll_once"]

_POLL_SECONDS = 0.2
_BATCHES_PER_POLL = 10


class ConsumerRun:
    """Reads all topics alone. Once `must_stop` is set, it ends after the poll in hand."""

    def __init__(self, system: ActorSystem, workload: Workload, history: History, number: int) -> None:
        self.reader = Reader(history, f"consumer-{number}")
        self.must_stop = False
        self._system = system
        self._workload = workload

    @property
    def clients(self) -> list[Callable[[], None]]:
        """The client code to run, side by side."""
        return [self._run]

    def _run(self) -> None:
        recorder = self.reader.new_member(self.reader.name)
        with self._system.consumer(self.reader.name) as consumer:
            consumer.subscribe(self._workload.topic_names)
            while not self.must_stop:
                if poll_once(consumer, recorder, self._workload, self._system.runtime):
                    consumer.commit()


def poll_once(consumer: ConsumerHandle, recorder: Recorder, workload: Workload, clock: Clock) -> bool:
    """Poll, and record what came; return whether there were messages."""
    began_at = clock.monotonic()
    messages = consumer.poll(workload.batch * _BATCHES_PER_POLL, _POLL_SECONDS)
    if messages:
        recorder.polled(messages, began_at)
    return bool(messages)
