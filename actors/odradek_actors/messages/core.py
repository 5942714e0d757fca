"""The messages actors send each other: frozen, immutable, all here or in `consumer_protocol` and `recovery_protocol`.

A `Command` asks for a change, a `Query` for an answer from applied, hence durable, state. Both carry `reply_to`,
anything with `tell`, and are answered by exactly one `Reply` with the same `request_id`; a value that is an exception
is a failure. A message that reaches nobody is bounced: `bounce()` says who has to hear of it, and what.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import msgspec

from odradek_actors.errors import ActorStopped
from odradek_domain.topic.bounds import PartitionBounds
from odradek_domain.topic.topic import AppendMessages
from odradek_domain.values.message import Message
from odradek_events.errors import LogUnavailable
from odradek_events.record import Append, Failed, Verdict
from odradek_events.types import MessageProduced

__all__ = [
    "AddPartitions",
    "AppendBatch",
    "AppendDone",
    "CloseProducer",
    "Command",
    "CountProduced",
    "CreateTopic",
    "DeleteRecords",
    "DeleteTopic",
    "DescribeProducer",
    "DescribeTopic",
    "EnsureTopic",
    "Fence",
    "Fenced",
    "Fetch",
    "FetchResult",
    "Flush",
    "FlushProducer",
    "GetSnapshot",
    "GetStatus",
    "JournalAppend",
    "JournalResult",
    "ListTopics",
    "LocateMessage",
    "LookUp",
    "Nobody",
    "Query",
    "ReadOlder",
    "Receipt",
    "Recipient",
    "Recover",
    "Reply",
    "Running",
    "Send",
    "Snapshot",
    "Status",
    "Stop",
    "Tick",
    "TopicDescription",
]


class Recipient(Protocol):
    """Anything that can be told something: an actor's ref, a promise."""

    def tell(self, message: Any) -> None:
        """Take a message."""
        ...


class Nobody:
    """A recipient for answers that nobody waits for."""

    def tell(self, message: Any) -> None:
        """Drop it."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The one answer to a Command or Query."""

    request_id: int
    value: Any


class Command(msgspec.Struct, frozen=True):
    """A request for a change. `correlation_id` names the whole conversation, `causation_id` what led to this."""

    body: Any
    reply_to: Recipient
    request_id: int = 0
    correlation_id: str = ""
    causation_id: str = ""

    def bounce(self) -> tuple[Recipient, object]:
        """Answer the sender with ActorStopped."""
        return self.reply_to, Reply(self.request_id, ActorStopped("the recipient"))


class Query(msgspec.Struct, frozen=True):
    """A request for an answer."""

    body: Any
    reply_to: Recipient
    request_id: int = 0

    def bounce(self) -> tuple[Recipient, object]:
        """Answer the sender with ActorStopped."""
        return self.reply_to, Reply(self.request_id, ActorStopped("the recipient"))


# -- life of an actor -----------------------------------------------------------------------------------------------


class Stop(msgspec.Struct, frozen=True):
    """Finish what was accepted, then stop."""


class Recover(msgspec.Struct, frozen=True):
    """Drop the state and rebuild it from the log, in place."""


class Tick(msgspec.Struct, frozen=True):
    """A timer's message: what for, and which one, so that an old timer can be told from the current one."""

    purpose: str
    number: int = 0


class GetStatus(msgspec.Struct, frozen=True):
    """Ask how many messages were handled, and whether something is under way."""


class Status(msgspec.Struct, frozen=True, gc=False):
    """How many messages an actor handled (status queries not counted), and whether something is under way."""

    handled: int
    is_busy: bool


class GetSnapshot(msgspec.Struct, frozen=True):
    """Ask for the aggregate's snapshot."""


class Snapshot(msgspec.Struct, frozen=True):
    """An aggregate's snapshot with its stream and version; `state` is None for people's own aggregates."""

    stream: str
    version: int
    state: Any


# -- journal, log reader, directory ------------------------------------------------------------------------------------


class JournalAppend(msgspec.Struct, frozen=True):
    """Make these events durable; answered by a JournalResult."""

    append: Append
    reply_to: Recipient

    def bounce(self) -> tuple[Recipient, object]:
        """Answer the sender that the journal is gone."""
        return self.reply_to, JournalResult(Failed(LogUnavailable("the journal", "it has stopped")))


class JournalResult(msgspec.Struct, frozen=True):
    """The verdict on one JournalAppend."""

    verdict: Verdict


class Flush(msgspec.Struct, frozen=True):
    """The journal's message to itself: commit all that waits."""


class Fence(msgspec.Struct, frozen=True):
    """Answered by Fenced once every append told to the journal before it is decided."""

    reply_to: Recipient
    number: int

    def bounce(self) -> tuple[Recipient, object]:
        """Let the sender go on: it will find the log unavailable."""
        return self.reply_to, Fenced(self.number)


class Fenced(msgspec.Struct, frozen=True, gc=False):
    """No append from before the Fence is under way any more."""

    number: int


class ReadOlder(msgspec.Struct, frozen=True, gc=False):
    """Read messages that a topic no longer holds in memory; the answer is the FetchResult `bounds` belongs to."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    until_offset: int
    max_messages: int
    max_bytes: int
    not_before: int
    bounds: tuple[tuple[int, int], ...]


class CountProduced(msgspec.Struct, frozen=True, gc=False):
    """Count a producer's stored messages above a position; answered by (count, last position)."""

    producer_id: str
    after: int


class LocateMessage(msgspec.Struct, frozen=True, gc=False):
    """Find the position of a stored message; answered by the position."""

    topic: str
    partition: int
    offset: int
    message_id: str


class ListTopics(msgspec.Struct, frozen=True):
    """Ask for the names of all topics, sorted."""


class LookUp(msgspec.Struct, frozen=True, gc=False):
    """Ask for the ref of a stream's actor, which is started if need be."""

    stream: str


class Running(msgspec.Struct, frozen=True, gc=False):
    """Ask for (stream, ref) of every running actor of these stream types (none: all)."""

    kinds: tuple[str, ...] = ()


# -- topics and producers ----------------------------------------------------------------------------------------------


class CreateTopic(msgspec.Struct, frozen=True, gc=False):
    """Create the topic; answered by its TopicDescription."""

    partition_count: int
    retention_ms: int | None = None
    retention_bytes: int | None = None


class EnsureTopic(msgspec.Struct, frozen=True, gc=False):
    """Answer with the TopicDescription, creating the topic first if it is missing and `create` allows it."""

    create: bool
    partition_count: int


class AddPartitions(msgspec.Struct, frozen=True, gc=False):
    """Grow to `total` partitions."""

    total: int


class DeleteTopic(msgspec.Struct, frozen=True):
    """Delete the topic."""


class DeleteRecords(msgspec.Struct, frozen=True, gc=False):
    """Make messages below `before_offset` unreadable, all of the partition with -1."""

    partition: int
    before_offset: int


class AppendBatch(msgspec.Struct, frozen=True):
    """Store the messages of these sends, all in one commit.

    Stored, each send is answered with its receipts by the topic itself, which saves an acknowledged send one hop of
    six, and the producer with AppendDone. Whatever else comes of it, only the producer is told.
    """

    append: AppendMessages
    sends: tuple[Command, ...]


class AppendDone(msgspec.Struct, frozen=True, gc=False):
    """Messages are durable: their offsets in the order sent.

    For a repeat `first_position` is None, and its sends are still to be answered.
    """

    offsets: list[int]
    first_position: int | None
    partition_count: int


class DescribeTopic(msgspec.Struct, frozen=True):
    """Ask for the TopicDescription."""


class TopicDescription(msgspec.Struct, frozen=True, gc=False):
    """What a topic is made of, and the limits of what it keeps: by age, and of the bytes of each partition."""

    name: str
    topic_id: str
    created_at: datetime
    partitions: tuple[PartitionBounds, ...]
    retention_ms: int | None = None
    retention_bytes: int | None = None

    @property
    def message_count(self) -> int:
        """How many messages can be read."""
        return sum(partition.high_watermark - partition.log_start_offset for partition in self.partitions)


class Fetch(msgspec.Struct, frozen=True, gc=False):
    """Ask for messages from `positions` (partition, next offset) on, in that order of preference.

    With `wait` an empty answer is held back until there is something; a newer Fetch of the same consumer replaces it.
    Who reads whole topics says how many partitions it knows (`partition_count`), and hears of others by their bounds;
    so does who `needs_bounds`.
    """

    consumer_id: str
    topic_id: str | None
    positions: tuple[tuple[int, int], ...]
    max_messages: int
    max_bytes: int
    wait: bool
    partition_count: int | None = None
    needs_bounds: bool = False


class FetchResult(msgspec.Struct, frozen=True):
    """Messages, or none when `bounds` (start, end per partition) show that positions are missing or out of range.

    `topic_id` is None if there is no such topic.
    """

    topic: str
    topic_id: str | None
    bounds: tuple[tuple[int, int], ...]
    messages: tuple[MessageProduced, ...]


class Send(msgspec.Struct, frozen=True, gc=False):
    """Store messages, all in one commit; answered by a Receipt for each. `size` is their bytes together."""

    topic: str
    messages: tuple[Message, ...]
    size: int
    partition: int | None
    linger_ms: int = 0


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """Where a message is: durable, and visible to consumers.

    `offset` is its place in the partition, `position` in the whole log; `timestamp` is the message's own, in UTC unless
    the sender gave one. With `acks=0` nothing of that is known: the places are -1.
    """

    topic: str
    partition: int
    offset: int
    position: int
    timestamp: datetime


class FlushProducer(msgspec.Struct, frozen=True):
    """Answer once everything accepted before is acknowledged or has failed."""


class CloseProducer(msgspec.Struct, frozen=True):
    """Flush, and record the progress."""


class DescribeProducer(msgspec.Struct, frozen=True):
    """Ask how many messages were acknowledged in all."""
