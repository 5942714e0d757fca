"""A history: what clients did and what they were told, in the terms of Jepsen's Kafka tests.

Clients write it while they run, one Recorder for each, so that recording needs no lock; checkers read it afterwards.
It knows no runtime: the same history comes from threads, from a seeded world, or from a few lines in a test.

Jepsen records an invocation and its completion as two operations; here they are one object, whose outcome is INFO until
the answer is known. Messages are kept as stretches: one object for consecutive offsets, with a column of values, since
a run with hundreds of thousands of messages must not cost an object for each.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.producer import ProducerHandle
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.errors import ActorFailed, DeliveryTimedOut, RequestTimedOut
from odradek_actors.messages.consumers import ConsumerRecord
from odradek_actors.messages.producers import Receipt
from odradek_actors.runtime.promise import Promise
from odradek_domain.replay.system_state import SystemState
from odradek_domain.values.positions import TopicPartition
from odradek_events.errors import OutcomeUnknown
from odradek_events.types import MessageProduced
from odradek_simulation.checkers.ends import end_of

__all__ = [
    "Commit",
    "History",
    "Operation",
    "Outcome",
    "Poll",
    "Reassignment",
    "Recorder",
    "Send",
    "Stretch",
]

_UNKNOWN = (OutcomeUnknown, DeliveryTimedOut, ActorFailed, RequestTimedOut)
_Data = bytes | str | None
_Record = ConsumerRecord | MessageProduced
_Entry = tuple[_Data, _Data] | tuple[_Data, _Data, Iterable[tuple[str, bytes | None]]] | _Data
T = TypeVar("T", bound="Operation")


class Outcome(Enum):
    """What is known of an operation: it happened, it certainly did not, or neither is known."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """Messages with consecutive offsets of one partition: the first offset, and a list or array of their values."""

    partition: TopicPartition
    begin: int
    values: Sequence[Any]

    @property
    def end(self) -> int:
        """The offset after the last message."""
        return self.begin + len(self.values)


class Operation(msgspec.Struct, kw_only=True):
    """What a client did. `number` orders the operations of a history by their beginning.

    `process` counts the crashes before it (see `History.crash`). `began_at` and `ended_at` are seconds of the history's
    clock. `answers` is 1 once it was answered, and more if it was answered again; `error` is the last error.
    """

    number: int
    client: str
    process: int
    began_at: float
    ended_at: float | None = None
    outcome: Outcome = Outcome.INFO
    answers: int = 0
    error: BaseException | None = None


class Send(Operation):
    """Messages sent to a topic, all or none: the value of each, and `messages` once they are acknowledged."""

    topic: str
    values: Sequence[Any]
    messages: tuple[Stretch, ...] = ()


class Poll(Operation):
    """Messages that a poll returned."""

    messages: tuple[Stretch, ...]


class Commit(Operation):
    """A commit of the offsets of the next messages to read; none: of everything that was polled."""

    offsets: Mapping[TopicPartition, int] = {}


class Reassignment(Operation):
    """From here on these partitions are read from wherever reading began or went: assigned, revoked, or sought."""

    kind: str
    partitions: tuple[TopicPartition, ...]


class History:
    """The operations of all clients of a run.

    now        returns seconds: `system.runtime.monotonic`, say. Without it, all times are 0
    number_of  returns a 64-bit number for a message's key and value, to be kept in place of the value: for runs so
               large that keeping values would cost too much memory. Other messages must have other numbers
    on_end     is called with each operation that ends, by the client that ends it

    The checkers need values that are unique: no message is sent twice, and a retry sends another value. A topic that is
    deleted must not be created again under the same name, since its offsets restart.
    """

    def __init__(
        self,
        now: Callable[[], float] | None = None,
        *,
        number_of: Callable[[bytes | None, bytes | None], int] | None = None,
        on_end: Callable[[Operation], object] | None = None,
    ) -> None:
        self.process = 0
        self.recorders: list[Recorder] = []
        self._now = now
        self._number_of = number_of
        self._on_end = on_end
        self._numbers = count()

    def __repr__(self) -> str:
        counts = ((kind, sum(1 for _ in self.of(kind))) for kind in (Send, Poll, Commit, Reassignment))
        return f"<History {' '.join(f'{kind.__name__.lower()}s={number}' for kind, number in counts)}>"

    def client(self, name: str, group: str | None = None) -> Recorder:
        """Return the recorder for one life of a client: a producer, a consumer, a member of a group.

        A client that is opened again, under the same name or another, needs a new one.
        """
        recorder = Recorder(self, name, group)
        self.recorders.append(recorder)
        return recorder

    def crash(self, lost_to: SystemState | None = None) -> None:
        """Record that the process with all its clients ended here: what is still open will never be answered.

        If the log lost its end, pass the state that is left of it. Then what clients were told beyond that no longer
        counts: a send that was acknowledged there has an unknown outcome, and a poll did not return it.
        """
        self.process += 1
        if lost_to is None:
            return
        told: list[Send | Poll] = [*self.of(Send), *self.of(Poll)]
        for operation in told:
            left = tuple(_up_to(lost_to, operation.messages))
            if isinstance(operation, Send) and left != operation.messages:
                operation.outcome = Outcome.INFO
            operation.messages = left

    @property
    def operations(self) -> list[Operation]:
        """All operations in the order in which they began."""
        return sorted((each for recorder in self.recorders for each in recorder.operations), key=attrgetter("number"))

    def of(self, kind: type[T]) -> Iterator[T]:
        """Yield the operations of a kind, one client after another, each client's in its order."""
        for recorder in self.recorders:
            for operation in recorder.operations:
                if type(operation) is kind:
                    yield operation

    # -- for recorders ------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the time in seconds."""
        return self._now() if self._now is not None else 0.0

    def next_number(self) -> int:
        """Return the number of the next operation."""
        return next(self._numbers)

    def end(self, operation: Operation) -> None:
        """Pass on an operation that ended."""
        if self._on_end is not None:
            self._on_end(operation)

    def column(self, messages: Iterable[tuple[_Data, _Data]]) -> Sequence[Any]:
        """Return what is kept of messages, which are given as (key, value) pairs."""
        if self._number_of is None:
            return [_data(value) for _, value in messages]
        number_of = self._number_of
        return array("Q", [number_of(_data(key), _data(value)) for key, value in messages])


class Recorder(RebalanceListener):
    """Writes what one client does into a history. Only that client may use it; an answer may come on any thread.

        recorder.send_batch(producer, "orders", ["1 tea"]).result()

        consumer.subscribe(["orders"], listener=recorder)
        recorder.polled(consumer.poll())
        recorder.commit_async(consumer).result()

    A reader is a group, or a consumer without one: `reader` names it.
    """

    def __init__(self, history: History, client: str, group: str | None) -> None:
        self.client = client
        self.reader = group or client
        self.process = history.process
        self.operations: list[Operation] = []
        self._history = history

    # -- sending ------------------------------------------------------------------------------------------------------

    def send_batch(
        self, producer: ProducerHandle, topic: str, entries: Sequence[_Entry], *, partition: int | None = None
    ) -> Promise[list[Receipt]]:
        """Send messages with a producer, and record the send and its answer."""
        send = self.send(topic, entries)
        try:
            promise = producer.send_batch(topic, entries, partition=partition)
        except Exception as error:
            self._fail(send, error)
            raise
        promise.add_done_callback(partial(self.settle, send))
        return promise

    def send(self, topic: str, entries: Sequence[_Entry]) -> Send:
        """Record a send before it is made; `settle`, `acknowledge` or `refuse` records its answer."""
        pairs = [(entry[0], entry[1]) if isinstance(entry, tuple) else (None, entry) for entry in entries]
        return self._begin(Send, topic=topic, values=self._history.column(pairs))

    def settle(self, send: Send, promise: Promise[list[Receipt]]) -> None:
        """Record the answer of a promise that is done."""
        error = promise.exception(0)
        if error is None:
            self.acknowledge(send, promise.result(0))
        else:
            self.refuse(send, error)

    def acknowledge(self, send: Send, receipts: Sequence[Receipt]) -> None:
        """Record the receipts of a send. Those of `acks=0` say nothing, so its outcome stays unknown."""
        if not receipts or receipts[0].offset >= 0:
            send.messages = self._stretches(receipts, send.values)
            send.outcome, send.error = Outcome.OK, None
        self._end(send)

    # -- reading ------------------------------------------------------------------------------------------------------

    def polled(self, records: Sequence[_Record], began_at: float | None = None) -> Poll:
        """Record what a poll returned, or read from a log; `began_at` is when it was made (default: now)."""
        values = self._history.column([(record.key, record.value) for record in records])
        poll = self._begin(Poll, messages=self._stretches(records, values))
        if began_at is not None:
            poll.began_at = began_at
        self._succeed(poll)
        return poll

    def on_partitions_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Record newly assigned partitions, also those of `assign`."""
        self._reassign("assigned", partitions)

    def on_partitions_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Record partitions that this client no longer reads."""
        self._reassign("revoked", partitions)

    def sought(self, topic: str, partition: int) -> None:
        """Record a seek."""
        self._reassign("sought", [TopicPartition(topic, partition)])

    @contextmanager
    def commit(self, offsets: Mapping[TopicPartition, int] | None = None) -> Iterator[Commit]:
        """Record a commit that is made in the body of a `with` statement, and its answer."""
        commit = self._begin(Commit, offsets=offsets or {})
        try:
            yield commit
        except BaseException as error:
            self.refuse(commit, error)
            raise
        self._succeed(commit)

    def commit_async(
        self, consumer: ConsumerHandle, offsets: Mapping[TopicPartition, int] | None = None
    ) -> Promise[None]:
        """Commit with a consumer, and record the commit and its answer, also one that comes after a timeout."""
        commit = self._begin(Commit, offsets=offsets or {})
        try:
            promise = consumer.commit_async(offsets)
        except Exception as error:
            self._fail(commit, error)
            raise
        promise.add_done_callback(partial(self._committed, commit))
        return promise

    def _committed(self, commit: Commit, promise: Promise[None]) -> None:
        error = promise.exception(0)
        if error is None:
            self._succeed(commit)
        else:
            self.refuse(commit, error)

    def _succeed(self, operation: Operation) -> None:
        operation.outcome, operation.error = Outcome.OK, None
        self._end(operation)

    def _fail(self, operation: Operation, error: Exception) -> None:
        operation.outcome, operation.error = Outcome.FAIL, error
        self._end(operation)

    def refuse(self, operation: Operation, error: BaseException) -> None:
        """Record an error: the operation failed, unless the error leaves open whether it took effect.

        RequestTimedOut is not an answer, since the promise can still be settled, and neither is an interruption.
        """
        operation.error = error
        if isinstance(error, RequestTimedOut) or not isinstance(error, Exception):
            return
        if not isinstance(error, _UNKNOWN):
            operation.outcome = Outcome.FAIL
        self._end(operation)

    def _reassign(self, kind: str, partitions: Iterable[TopicPartition]) -> None:
        self._succeed(self._begin(Reassignment, kind=kind, partitions=tuple(partitions)))

    def _begin(self, of: type[T], **facts: Any) -> T:
        history = self._history
        operation = of(
            number=history.next_number(), client=self.client, process=self.process, began_at=history.now(), **facts
        )
        self.operations.append(operation)
        return operation

    def _end(self, operation: Operation) -> None:
        operation.answers += 1
        if operation.ended_at is None:
            operation.ended_at = self._history.now()
        self._history.end(operation)

    @staticmethod
    def _stretches(places: Sequence[Receipt | _Record], values: Sequence[Any]) -> tuple[Stretch, ...]:
        """Return messages as stretches, in the order in which they begin.

        The keyed messages of a batch alternate between partitions, so each partition has its own open stretch.
        """
        found: list[Stretch] = []
        columns: dict[tuple[str, int], Any] = {}  # the column of each partition's last stretch
        due: dict[tuple[str, int], int] = {}
        for item, value in zip(places, values, strict=True):
            place = item.topic, item.partition
            if due.get(place) != item.offset:
                columns[place] = values[:0]  # a list or an array, as `values` is
                found.append(Stretch(TopicPartition(*place), item.offset, columns[place]))
            columns[place].append(value)
            due[place] = item.offset + 1
        return tuple(found)


def _up_to(state: SystemState, messages: Iterable[Stretch]) -> Iterator[Stretch]:
    """Yield the stretches without what lies beyond the high watermarks of a state."""
    for stretch in messages:
        values = stretch.values[: max(0, end_of(state, stretch.partition) - stretch.begin)]
        if values:
            yield Stretch(stretch.partition, stretch.begin, values)


def _data(part: _Data) -> bytes | None:
    return part.encode() if isinstance(part, str) else part
