"""Repositories over the event log's port, for use of the model without actors.

Decisions are events, so `save` takes events. It persists them before it applies them, because an aggregate could not
undo an apply after a failed save. Every write expects the version that it was decided on. If another write came first,
it raises RepositoryError and leaves the aggregate unchanged; the caller then reloads it and decides again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from odradek_domain.aggregate import Aggregate
from odradek_domain.consumer.consumer import Consumer
from odradek_domain.errors import PartitionNotFound, RepositoryError, TopicNotFound
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.topic.topic import Topic
from odradek_domain.values.committed_offsets import CommittedOffset, OffsetToCommit
from odradek_domain.values.message import Message
from odradek_domain.values.names import TopicName
from odradek_domain.values.positions import Offset, TopicPartition
from odradek_events.errors import LogError
from odradek_events.log.port import EventLog
from odradek_events.record import Append, Commit, Failed, Rejected
from odradek_events.types import PartitionsAdded, TopicCreated, TopicDeleted

__all__ = [
    "EventSourcedMessageRepository",
    "EventSourcedOffsetRepository",
    "EventSourcedTopicRepository",
    "MessageRepository",
    "OffsetRepository",
    "TopicRepository",
]

A = TypeVar("A", bound=Aggregate)


class TopicRepository(Protocol):
    """Stores topics."""

    def save(self, topic: Topic, events: Sequence[Any]) -> Topic:
        """Persist the events decided on `topic`, apply them, and return the topic."""
        ...

    def find_by_name(self, name: str) -> Topic | None:
        """Return an existing topic, or None."""
        ...

    def load(self, name: str) -> Topic:
        """Return the topic of that name to decide on, even if it does not exist."""
        ...

    def list_all(self) -> list[Topic]:
        """Return all existing topics, by name."""
        ...

    def delete(self, name: str, *, at: datetime) -> None:
        """Delete a topic; TopicNotFound if there is none."""
        ...


class MessageRepository(Protocol):
    """Stores messages."""

    def store_message(self, topic: str, partition: int, message: Message) -> Offset:
        """Store a message and return its offset."""
        ...

    def fetch_messages(self, topic: str, partition: int, from_offset: int, limit: int) -> list[Message]:
        """Return up to `limit` messages from an offset on."""
        ...


class OffsetRepository(Protocol):
    """Stores committed offsets per owner, `consumer/<id>` or `group/<id>`."""

    def save_offset(self, owner: str, committed: CommittedOffset, *, at: datetime, is_reset: bool = False) -> None:
        """Save a committed offset; a lower one needs `is_reset`."""
        ...

    def load_offset(self, owner: str, partition: TopicPartition) -> CommittedOffset | None:
        """Return the committed offset, or None."""
        ...


class EventSourcedTopicRepository:
    """Topics over an event log. Loading folds the topic's whole stream."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def save(self, topic: Topic, events: Sequence[Any]) -> Topic:
        """Persist the events decided on `topic`, apply them, and return the topic."""
        return _save(self._log, f"topic/{topic.name}", topic, events)

    def find_by_name(self, name: str) -> Topic | None:
        """Return an existing topic, or None."""
        topic = self.load(name)
        return topic if topic.exists else None

    def load(self, name: str) -> Topic:
        """Return the topic of that name, even if it does not exist."""
        topic = Topic(name)
        return _fold(self._log, f"topic/{topic.name}", topic)

    def list_all(self) -> list[Topic]:
        """Return all existing topics, by name."""
        created = _commits(self._log, types=("TopicCreated",))
        streams = sorted({commit.stream for commit in created if commit.stream.startswith("topic/")})
        names = (TopicName.recorded(stream.removeprefix("topic/")) for stream in streams)
        return [topic for name in names if (topic := self.find_by_name(name)) is not None]

    def delete(self, name: str, *, at: datetime) -> None:
        """Delete a topic; TopicNotFound if there is none."""
        topic = self.load(name)
        self.save(topic, [topic.delete(at)])


class EventSourcedMessageRepository:
    """Messages over an event log, through the Topic aggregate, which assigns their offsets."""

    def __init__(self, log: EventLog) -> None:
        self._topics = EventSourcedTopicRepository(log)

    def store_message(self, topic: str, partition: int, message: Message) -> Offset:
        """Store a message and return its offset."""
        found = self._topic(topic)
        event = found.add_message(message, partition)
        self._topics.save(found, [event])
        return Offset(event.offset)

    def fetch_messages(self, topic: str, partition: int, from_offset: int, limit: int) -> list[Message]:
        """Return up to `limit` messages from an offset on; OffsetNotFound outside the partition's range."""
        return self._topic(topic).get_messages(from_offset, limit, partition)

    def _topic(self, name: str) -> Topic:
        found = self._topics.find_by_name(name)
        if found is None:
            raise TopicNotFound(name)
        return found


class EventSourcedOffsetRepository:
    """Committed offsets over an event log, in the stream of the consumer or group that owns them."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def save_offset(self, owner: str, committed: CommittedOffset, *, at: datetime, is_reset: bool = False) -> None:
        """Save a committed offset; CommitWouldGoBackwards for a lower one without `is_reset`.

        Without a `topic_id` it is for the current topic of that name; TopicNotFound, PartitionNotFound.
        """
        holder = self._load(owner)
        wanted = OffsetToCommit(
            committed.topic,
            committed.partition,
            committed.topic_id or self._topic_id(TopicPartition(committed.topic, committed.partition)),
            committed.offset,
            committed.metadata,
            is_reset,
        )
        _save(self._log, owner, holder, holder.committed.commit(wanted, at))

    def load_offset(self, owner: str, partition: TopicPartition) -> CommittedOffset | None:
        """Return the committed offset, or None, also if it is for a deleted topic of that name."""
        topic_id = self._topic(partition.topic).topic_id
        return None if topic_id is None else self._load(owner).committed.get(partition, topic_id)

    def _load(self, owner: str) -> Consumer | ConsumerGroup:
        kind, _, identifier = owner.partition("/")
        if kind == "group":
            return _fold(self._log, owner, ConsumerGroup(identifier))
        if kind == "consumer":
            return _fold(self._log, owner, Consumer(identifier))
        raise RepositoryError(owner, "only groups and consumers own offsets; use 'group/<id>' or 'consumer/<id>'")

    def _topic_id(self, partition: TopicPartition) -> str:
        topic = self._topic(partition.topic)
        if topic.topic_id is None:
            raise TopicNotFound(partition.topic)
        if topic.get_partition(partition.partition) is None:
            raise PartitionNotFound(partition.topic, partition.partition, topic.partition_count)
        return topic.topic_id

    def _topic(self, name: str) -> Topic:
        """Return a topic without its messages, which may be many."""
        topic = Topic(name)
        for commit in _commits(self._log, stream=f"topic/{topic.name}", types=_SHAPING_NAMES):
            topic.apply_all([event for event in commit.events if isinstance(event, _SHAPING)])
        return topic


_SHAPING = (TopicCreated, PartitionsAdded, TopicDeleted)
_SHAPING_NAMES = ("TopicCreated", "PartitionsAdded", "TopicDeleted")


def _commits(log: EventLog, *, stream: str | None = None, types: Collection[str] = ()) -> Iterator[Commit]:
    try:
        yield from log.commits(stream=stream, types=types)
    except LogError as error:
        raise RepositoryError(stream or "the log", f"it could not be read: {error}") from error


def _fold(log: EventLog, stream: str, aggregate: A) -> A:
    for commit in _commits(log, stream=stream):
        aggregate.apply_all(commit.events)
    return aggregate


def _save(log: EventLog, stream: str, aggregate: A, events: Sequence[Any]) -> A:
    """Persist `events`, then apply them. They are recorded at the newest event's timestamp."""
    if not events:
        return aggregate
    request = Append(stream=stream, events=events, expected_version=aggregate.version, actor="repository")
    try:
        (verdict,) = log.append([request], max(event.timestamp for event in events))
    except LogError as error:
        raise RepositoryError(stream, f"it was not saved: {error}") from error
    if isinstance(verdict, Rejected):
        raise RepositoryError(stream, f"it was not saved: {verdict.error}") from verdict.error
    if isinstance(verdict, Failed):
        raise RepositoryError(stream, f"it may or may not have been saved: {verdict.error}") from verdict.error
    aggregate.apply_all(events)
    return aggregate
