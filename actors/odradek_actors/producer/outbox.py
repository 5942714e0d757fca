"""A producer's outbox to one topic: its queued sends, its batches in flight, and the next sequence numbers."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

import pykka

from odradek_actors.errors import AnswerLost
from odradek_actors.messages.core import Command
from odradek_actors.messages.producers import Send
from odradek_domain.errors import OutOfOrderSequence
from odradek_domain.topic.topic import AppendMessages
from odradek_events.errors import AppendError, OutcomeUnknown, WrongExpectedVersion

__all__ = ["Batch", "Outbox", "Waiting", "is_refusal"]


class Waiting:
    """A send that was accepted and not answered yet. Its number increases from send to send of a producer.

    `partitions` is set once its messages were routed and had to be queued again. `is_alone` means that it is sent in a
    separate batch, because the log refused the content of an earlier batch that contained it.
    """

    __slots__ = ("command", "deadline", "is_alone", "number", "partition_was_checked", "partitions", "send")

    def __init__(self, command: Command, send: Send, deadline: float, number: int) -> None:
        self.command = command
        self.send = send
        self.deadline = deadline
        self.number = number
        self.partition_was_checked = False
        self.is_alone = False
        self.partitions: tuple[int, ...] = ()


class Batch:
    """Sends that are appended together.

    `floor` is the highest position acknowledged when the batch was built; its events will lie above. `attempt` counts
    how often it was sent; answers to earlier attempts are ignored. `is_in_doubt` means that it may be stored, or is
    known to be, so that only the same incarnation of the topic can recognise a retry as a duplicate.
    """

    __slots__ = ("append", "attempt", "error", "floor", "is_answered", "is_in_doubt", "sends")

    def __init__(self, append: AppendMessages, sends: list[Waiting], floor: int) -> None:
        self.append = append
        self.sends = sends
        self.floor = floor
        self.attempt = 0
        self.is_answered = False
        self.is_in_doubt = False
        self.error: Exception | None = None

    def failed(self, error: Exception) -> None:
        """Record the error of the last attempt."""
        self.error = error
        is_in_doubt = isinstance(error, OutcomeUnknown | AnswerLost)
        if is_in_doubt or (isinstance(error, OutOfOrderSequence) and not self.is_behind_a_gap):
            self.is_in_doubt = True
        elif self.is_surely_not_stored:
            self.is_in_doubt = False

    @property
    def commands(self) -> tuple[Command, ...]:
        """The sends' commands, in order."""
        return tuple([waiting.command for waiting in self.sends])

    @property
    def command(self) -> Command:
        """The first send's command, on whose behalf the batch is sent."""
        return self.sends[0].command

    @property
    def is_behind_a_gap(self) -> bool:
        """Whether the topic refused it because an earlier sequence number is missing."""
        return isinstance(self.error, OutOfOrderSequence) and self.error.sequence > self.error.expected

    @property
    def is_surely_not_stored(self) -> bool:
        """Whether the last answer was a refusal, which also shows that no earlier attempt stored the batch."""
        return self.error is not None and (is_refusal(self.error) or self.is_behind_a_gap)


def is_refusal(error: Exception) -> bool:
    """Return whether the log refused the events themselves; WrongExpectedVersion only means that it must retry."""
    return isinstance(error, AppendError) and not isinstance(error, WrongExpectedVersion)


class Outbox:
    """Queues and numbers the messages of one producer to one topic."""

    __slots__ = (
        "_next_sequences",
        "_numbered_for",
        "epoch",
        "in_flight",
        "is_lingering",
        "is_retrying",
        "must_hurry",
        "must_look_up",
        "partition_count",
        "queue",
        "queued",
        "ref",
        "refreshing",
        "resolving",
        "retry_number",
        "topic",
        "topic_id",
    )

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.topic_id: str | None = None
        self.partition_count = 0
        self.epoch = -1
        self.ref: pykka.ActorRef[Any] | None = None
        self.queue: deque[Waiting] = deque()
        self.queued = 0  # messages in the queue
        self.in_flight: list[Batch] = []
        self.resolving = 0  # the number of the request that looks for the topic
        self.refreshing = 0  # the number of the request for its partitions
        self.is_lingering = False
        self.is_retrying = False
        self.retry_number = 0  # of the current retry timer
        self.must_hurry = False
        self.must_look_up = False
        self._numbered_for: tuple[str, int] | None = None
        self._next_sequences: dict[int, int] = {}

    @property
    def is_busy(self) -> bool:
        """Whether sends are queued or batches are in flight."""
        return bool(self.queue or self.in_flight)

    def begin(self, topic_id: str, partition_count: int, epoch: int) -> None:
        """Restart the sequence numbers at 0, unless the topic's incarnation and the epoch are unchanged."""
        self.topic_id, self.partition_count, self.epoch = topic_id, partition_count, epoch
        if self._numbered_for != (topic_id, epoch):
            self._numbered_for = (topic_id, epoch)
            self._next_sequences.clear()

    def number(self, partitions: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Reserve sequence numbers for these messages, and return the first one of each partition."""
        bases = []
        for partition, count in Counter(partitions).items():
            base = self._next_sequences.get(partition, 0)
            self._next_sequences[partition] = base + count
            bases.append((partition, base))
        return tuple(bases)

    def renumber_from(self, batch: Batch) -> None:
        """Reuse the sequence numbers of `batch` and of all later batches, none of which was stored."""
        later = self.in_flight[self.in_flight.index(batch) :]
        for unsent in reversed(later):
            self._next_sequences.update(unsent.append.base_sequences)

    def take_back(self, batches: Sequence[Batch]) -> None:
        """Put unstored batches back at their place in the queue, to be numbered again.

        They keep their partitions, since routing them again could put a message behind a later one already stored.
        """
        for batch in batches:
            self.in_flight.remove(batch)
            index = 0
            for waiting in batch.sends:
                end = index + len(waiting.send.messages)
                waiting.partitions, index = batch.append.partitions[index:end], end
            self.queue.extend(batch.sends)
            self.queued += len(batch.append.messages)
        self.queue = deque(sorted(self.queue, key=lambda waiting: waiting.number))
        self.is_retrying = False

    def forget(self) -> None:
        """Take back the batches for a deleted topic, to be routed and numbered again for its successor.

        A batch in doubt stays in flight and must not go to the successor, which cannot recognise it as a duplicate.
        """
        self.take_back([batch for batch in self.in_flight if not batch.is_in_doubt])
        for waiting in self.queue:
            waiting.partitions = ()
        self.topic_id = None

    def drop(self, count: int) -> None:
        """Remove the first `count` sends from the queue."""
        for _ in range(count):
            self.queued -= len(self.queue.popleft().send.messages)

    def must_check_partition_of(self, waiting: Waiting) -> bool:
        """Return whether a send names a partition beyond the known ones, so that the topic must be asked."""
        partition = waiting.send.partition
        return partition is not None and partition >= self.partition_count and not waiting.partition_was_checked

    def unanswered(self) -> Iterator[Waiting]:
        """Yield every send that is in flight or queued, in order."""
        for batch in self.in_flight:
            yield from batch.sends
        yield from self.queue

    def oldest_number(self) -> float:
        """Return the number of the oldest unanswered send; infinity if there is none."""
        return min((waiting.number for waiting in self._oldest()), default=float("inf"))

    def oldest_deadline(self) -> float:
        """Return the deadline of the oldest unanswered send; infinity if there is none."""
        return min((waiting.deadline for waiting in self._oldest()), default=float("inf"))

    def _oldest(self) -> Iterator[Waiting]:
        """Yield the first send of each batch in flight, and of the queue."""
        yield from (batch.sends[0] for batch in self.in_flight)
        yield from itertools.islice(self.queue, 1)
