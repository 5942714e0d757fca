"""One producer of a workload at work."""

from __future__ import annotations

from collections import deque
from functools import partial

from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.producers import Receipt
from odradek_actors.runtime.port import Clock
from odradek_actors.runtime.promise import Promise
from odradek_simulation.workload.mix import Workload
from odradek_simulation.workload.tally import ProducerTally, checksum

__all__ = ["ProducerRun"]

_MAX_IN_FLIGHT = 4  # batches
_ANSWER_SECONDS = 60.0  # the system times a send out earlier


class ProducerRun:
    """Sends a producer's share of the messages. Once `must_stop` is set, it ends after the batch in hand."""

    def __init__(self, system: ActorSystem, workload: Workload, number: int) -> None:
        self.tally = ProducerTally(f"producer-{number}")
        self.must_stop = False
        self._system = system
        self._clock: Clock = system.runtime
        self._workload = workload
        self._number = number
        self._in_flight: deque[tuple[Promise[list[Receipt]], int]] = deque()

    def run(self) -> None:
        """Send everything and wait until it is acknowledged."""
        with self._system.producer(self.tally.name) as producer:
            for topic, entries in self._workload.batches(self._number):
                if self.must_stop:
                    break
                if len(self._in_flight) >= _MAX_IN_FLIGHT:
                    self._take_answer()
                content = sum(checksum(key, value) for key, value in entries)
                sent_at = self._clock.monotonic()
                promise = producer.send_batch(topic, entries)
                promise.add_done_callback(partial(self._time_answer, sent_at))
                self._in_flight.append((promise, content))
            while self._in_flight:
                self._take_answer()
        self.tally.ended_at = self._clock.monotonic()

    def _time_answer(self, sent_at: float, _: object) -> None:
        self.tally.latencies.append(self._clock.monotonic() - sent_at)

    def _take_answer(self) -> None:
        promise, content = self._in_flight.popleft()
        self.tally.acknowledge(promise.result(_ANSWER_SECONDS), content)
