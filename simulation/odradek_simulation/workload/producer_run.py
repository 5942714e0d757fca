"""One producer of a workload at work."""

from __future__ import annotations

from collections import deque

from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.producers import Receipt
from odradek_actors.runtime.promise import Promise
from odradek_simulation.checkers.history import History
from odradek_simulation.workload.mix import Workload

__all__ = ["ProducerRun"]

_MAX_IN_FLIGHT = 4  # batches
_ANSWER_SECONDS = 60.0  # the system times a send out earlier


class ProducerRun:
    """Sends a producer's share of the messages. Once `must_stop` is set, it ends after the batch in hand.

    `acknowledged` counts the messages that were acknowledged so far.
    """

    def __init__(self, system: ActorSystem, workload: Workload, history: History, number: int) -> None:
        self.name = f"producer-{number}"
        self.acknowledged = 0
        self.must_stop = False
        self._recorder = history.client(self.name)
        self._system = system
        self._workload = workload
        self._number = number
        self._in_flight: deque[Promise[list[Receipt]]] = deque()

    def run(self) -> None:
        """Send everything and wait until it is acknowledged."""
        with self._system.producer(self.name) as producer:
            for topic, entries in self._workload.batches(self._number):
                if self.must_stop:
                    break
                if len(self._in_flight) >= _MAX_IN_FLIGHT:
                    self._take_answer()
                self._in_flight.append(self._recorder.send_batch(producer, topic, entries))
            while self._in_flight:
                self._take_answer()

    def _take_answer(self) -> None:
        self.acknowledged += len(self._in_flight.popleft().result(_ANSWER_SECONDS))
