"""The clients of chaos: straight-line functions that handle what faults cause, as good production code does.

After an error a producer sends the message again, with another value, since the first one may be stored. A reader opens
a new consumer and goes on from what is committed. Producers and readers remember how far they are across crashes of the
process: they stand for the world outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import cycle, islice

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.producer import ProducerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError
from odradek_actors.messages.producers import Receipt
from odradek_actors.runtime.promise import Promise
from odradek_domain.errors import DomainError, TopicAlreadyExists
from odradek_events.errors import LogError
from odradek_simulation.checkers.history import History, Reassignment, Recorder
from odradek_simulation.workload.mix import Entry, Workload
from odradek_simulation.world.world import World

__all__ = ["REBALANCED", "Producer", "Reader", "create_topics"]

REBALANCED = "a rebalance during a fetch"
"""The goal that a consumer lost partitions while it waited for messages."""

_OWN_ERRORS = (ActorError, DomainError, LogError)
_MAX_IN_FLIGHT = 3  # batches
_ENDS = ("leave", "stall", "die")
# In steps, since what a request takes depends on the steps that other tasks take in the meantime:
_PAUSE = 40
_LONGEST_BREAK = 120
_SESSIONS = (300, 600, 1500)  # short ones make zombies of actors that stand still
_MAX_POLL = 4000
_POLL_SECONDS = 0.5
_ANSWER_SECONDS = 60.0  # the system times a send out earlier


def create_topics(system: ActorSystem, world: World, workload: Workload) -> None:
    """Create the topics that are missing, however often it takes."""
    for topic in workload.topic_names:
        is_created = False
        while not is_created:
            try:
                system.create_topic(topic, workload.partitions)
                is_created = True
            except TopicAlreadyExists:
                is_created = True
            except _expected(world):
                world.sleep(_PAUSE * world.step_seconds)


def _expected(world: World) -> tuple[type[Exception], ...]:
    """Return the errors that clients survive: none in a world without faults."""
    return _OWN_ERRORS if world.faults else ()


class Producer:
    """One producer, and the batches that are not acknowledged yet.

    has_ended   whether it has sent everything, or was left out
    is_probed   whether its probe has arrived
    """

    def __init__(self, world: World, workload: Workload, history: History, number: int) -> None:
        self.name = f"producer-{number}"
        self._world = world
        self._history = history
        self._probe = workload.topic_names[number % workload.topics]
        self._batches = deque(workload.batches(number))
        self._sends = 0
        self.has_ended = False
        self.is_probed = False

    def run(self, system: ActorSystem) -> None:
        """Send everything until it is acknowledged."""
        while self._batches:
            try:
                with system.producer(self.name) as producer:
                    self._send_all(producer, self._history.client(self.name))
            except _expected(self._world):
                self._world.sleep(_PAUSE * self._world.step_seconds)

    def end(self, _: object) -> None:
        """Note that the client has ended, or was left out."""
        self.has_ended = True

    def probe(self, system: ActorSystem) -> None:
        """Send one message, which must arrive since the faults are over."""
        with system.producer(self.name) as producer:
            entries = [(b"probe", b"probe of %s" % self.name.encode())]
            self._history.client(self.name).send_batch(producer, self._probe, entries).result(_ANSWER_SECONDS)
        self.is_probed = True

    def _send_all(self, producer: ProducerHandle, recorder: Recorder) -> None:
        """Send the batches, some at a time. One that fails takes its turn again; so do those in flight at an error."""
        step, draw = self._world.step_seconds, self._world.draw
        while self._batches:
            answers = []
            for topic, entries in islice(self._batches, 1 + draw(_MAX_IN_FLIGHT)):
                self._sends += 1
                answers.append(recorder.send_batch(producer, topic, list(self._renamed(entries))))
            failed = [batch for batch, answer in zip(self._batches, answers, strict=False) if self._has_failed(answer)]
            for _ in answers:
                self._batches.popleft()
            self._batches.extend(failed)
            self._world.sleep(draw(_LONGEST_BREAK) * step)

    def _renamed(self, entries: list[Entry]) -> Iterator[Entry]:
        """Yield messages with values that no earlier send had."""
        for key, value in entries:
            yield key, b"%s %d" % (value, self._sends)

    def _has_failed(self, answer: Promise[list[Receipt]]) -> bool:
        try:
            answer.result(_ANSWER_SECONDS)
        except _expected(self._world):
            return True
        return False


class Reader:
    """One reader of all topics: a group with its members, or a consumer without a group.

    It ends once the producers have, and everything is committed.
    """

    def __init__(
        self,
        world: World,
        workload: Workload,
        history: History,
        number: int,
        producers: Sequence[Producer],
    ) -> None:
        is_group = number <= workload.groups
        self.name = f"group-{number}" if is_group else f"consumer-{number}"
        self.members = workload.members if is_group else 1
        self._group = self.name if is_group else None
        self._world = world
        self._workload = workload
        self._history = history
        self._producers = producers
        self._is_probing = False
        self._is_done = False
        self._lives = 0
        self._ends = deque(islice(cycle(_ENDS), workload.churn if is_group else 0))

    def run(self, system: ActorSystem, number: int) -> None:
        """Read as a member of the group until the group has everything. Any but the first may hang for good."""
        polls_before_ends = self._workload.polls_before_ends(self.name, number)
        while not self._is_done:
            with suppress(*_expected(self._world)):
                self._live(system, number, next(polls_before_ends))
            self._world.sleep(_PAUSE * self._world.step_seconds)

    def probe(self, system: ActorSystem) -> None:
        """Read everything up to the probes of the producers, which must work since the faults are over."""
        self._is_done, self._is_probing = False, True
        self.run(system, 1)

    def _live(self, system: ActorSystem, number: int, polls: int) -> None:
        """Open a consumer and read with it, until everything is read, an error, or the end that churn has for it."""
        step = self._world.step_seconds
        self._lives += 1
        name = self.name if self._group is None else f"{self.name}-member-{number}-life-{self._lives}"
        recorder = self._history.client(name, self._group)
        session = _SESSIONS[self._world.draw(len(_SESSIONS))] * step
        if number > 1:
            self._world.may_hang(f"consumer/{name}")
        with system.consumer(
            name,
            self._group,
            assignors=["cooperative-sticky" if self._world.seed % 2 else "range"],
            session_timeout=session,
            heartbeat_interval=session / 4,
            max_poll_interval=_MAX_POLL * step,
        ) as consumer:
            consumer.subscribe(self._workload.topic_names, listener=recorder)
            while not self._is_done:
                polls -= self._read(consumer, recorder, system)
                if polls <= 0 and self._ends and not self._goes_on(consumer, system):
                    return

    def _read(self, consumer: ConsumerHandle, recorder: Recorder, system: ActorSystem) -> bool:
        """Poll once and commit; return whether messages came."""
        began, before = self._world.now(), len(recorder.operations)
        messages = consumer.poll(1 + self._world.draw(self._workload.batch * 2), _POLL_SECONDS)
        if any(isinstance(each, Reassignment) and each.kind == "revoked" for each in recorder.operations[before:]):
            self._world.reach(REBALANCED)
        if messages:
            recorder.polled(messages, began)
            self._world.sleep(self._world.draw(_LONGEST_BREAK) * self._world.step_seconds)  # processing them
        with suppress(*_OWN_ERRORS):  # without faults too: the group may have rebalanced
            recorder.commit_async(consumer).result()  # after an idle poll too: the last commit may have been refused
        if not messages and self._is_everything_sent():
            self._is_done = self._is_done or self._has_everything(consumer, system)
        return bool(messages)

    def _is_everything_sent(self) -> bool:
        return all(each.is_probed if self._is_probing else each.has_ended for each in self._producers)

    def _has_everything(self, consumer: ConsumerHandle, system: ActorSystem) -> bool:
        return all(
            (consumer.committed(topic, partition.id) or 0) >= partition.high_watermark
            for topic in self._workload.topic_names
            for partition in system.describe_topic(topic).partitions
        )

    def _goes_on(self, consumer: ConsumerHandle, system: ActorSystem) -> bool:
        """Let the member come to its next end; return whether it reads on."""
        end = self._ends.popleft()
        if end == "stall":
            self._world.sleep(1.5 * _MAX_POLL * self._world.step_seconds)
        elif end == "die":
            system.kill(f"consumer/{consumer.consumer_id}")
        return end == "stall"
