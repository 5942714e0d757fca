"""The Topic aggregate: partitions, offsets, and the order of messages.

Decisions return events and do not change state; `apply` changes state and never raises. A deleted topic keeps its
stream. If it is created again, it has a new topic id, offsets restart at 0, and commits for the old id no longer count.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from odradek_domain.aggregate import Aggregate
from odradek_domain.errors import (
    MAX_PARTITIONS,
    DomainError,
    InvalidAppend,
    InvalidPartitionCount,
    MessagesNotHeld,
    OffsetNotFound,
    OutOfOrderSequence,
    PartitionCountMustGrow,
    PartitionNotFound,
    ProducerFenced,
    TopicAlreadyExists,
    TopicNotFound,
    UnknownTopicId,
)
from odradek_domain.topic.appends import AppendDecision, AppendMessages
from odradek_domain.topic.partition import Partition, PartitionSnapshot, ProducerSequence, TailLimit, append_messages
from odradek_domain.topic.retention import KEEP_ALL, Limit, RetentionPlan, RetentionPolicy, walks
from odradek_domain.values.message import Message
from odradek_domain.values.names import TopicName
from odradek_events.types import (
    MessageProduced,
    PartitionsAdded,
    RecordsDeleted,
    TopicCreated,
    TopicDeleted,
    TopicRetentionSet,
)

__all__ = ["AppendDecision", "AppendMessages", "Topic", "TopicSnapshot"]


_ONLY_MESSAGES = {MessageProduced}
_TO_HIGH_WATERMARK = -1  # Kafka's


class TopicSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A topic's state without its messages; `topic_id` is None if it does not exist."""

    name: str
    version: int
    topic_id: str | None
    created_at: datetime | None
    partitions: tuple[PartitionSnapshot, ...]
    retention: RetentionPolicy = KEEP_ALL


class Topic(Aggregate):
    """A topic and its partitions. `tail` limits the messages kept in memory; None keeps all."""

    __slots__ = ("_tail", "created_at", "name", "partitions", "retention", "topic_id")

    def __init__(self, name: str, tail: TailLimit | None = None) -> None:
        super().__init__()
        self.name = name if isinstance(name, TopicName) else TopicName(name)
        self.topic_id: str | None = None
        self.created_at: datetime | None = None
        self.partitions: list[Partition] = []
        self.retention = KEEP_ALL
        self._tail = tail

    def __repr__(self) -> str:
        if not self.exists:
            return f"<Topic {str(self.name)!r} exists=False version={self.version}>"
        counts = f"partitions={self.partition_count} messages={self.message_count}"
        return f"<Topic {str(self.name)!r} {counts} version={self.version}>"

    # -- queries ------------------------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether the topic has been created and not deleted since."""
        return self.topic_id is not None

    @property
    def partition_count(self) -> int:
        """The number of partitions."""
        return len(self.partitions)

    @property
    def message_count(self) -> int:
        """The number of readable messages in all partitions."""
        return sum(partition.message_count for partition in self.partitions)

    def get_partition(self, id: int) -> Partition | None:
        """Return a partition, or None."""
        return self.partitions[id] if 0 <= id < len(self.partitions) else None

    def get_messages(self, from_offset: int, limit: int, partition: int = 0) -> list[Message]:
        """Return up to `limit` messages of a partition from `from_offset` on.

        Raises OffsetNotFound outside its range, MessagesNotHeld for messages that are no longer in memory.
        """
        return [Message.stored(event) for event in self.read(partition, from_offset, limit)]

    def read(self, partition: int, from_offset: int, limit: int) -> list[MessageProduced]:
        """Return messages like `get_messages`, but as their events."""
        found = self._existing_partition(partition)
        if not found.log_start_offset <= from_offset <= found.high_watermark:
            raise OffsetNotFound(self.name, partition, from_offset, found.log_start_offset, found.high_watermark)
        if from_offset < found.tail_start:
            raise MessagesNotHeld(self.name, partition, from_offset, found.tail_start)
        return found.read(from_offset, limit)

    # -- decisions ----------------------------------------------------------------------------------------------------

    def create(self, partition_count: int = 1, *, topic_id: str, at: datetime) -> TopicCreated:
        """Decide to create the topic."""
        if self.exists:
            raise TopicAlreadyExists(self.name)
        if not 1 <= partition_count <= MAX_PARTITIONS:
            raise InvalidPartitionCount(self.name, partition_count)
        return TopicCreated(str(self.name), topic_id, partition_count, at)

    def create_limited(
        self, partition_count: int, retention_ms: Limit, retention_bytes: Limit, *, topic_id: str, at: datetime
    ) -> list[TopicCreated | TopicRetentionSet]:
        """Decide to create the topic with retention limits; None means no limit."""
        policy = KEEP_ALL.changed(self.name, retention_ms, retention_bytes)
        created = self.create(partition_count, topic_id=topic_id, at=at)
        return [created, policy.set_for(str(self.name), at)] if policy.is_limited else [created]

    def add_partitions(self, total: int, at: datetime) -> PartitionsAdded:
        """Decide to increase the partitions to `total`; as in Kafka, keys may map to other partitions from then on."""
        self._require_existing()
        if total <= self.partition_count:
            raise PartitionCountMustGrow(self.name, self.partition_count, total)
        if total > MAX_PARTITIONS:
            raise InvalidPartitionCount(self.name, total)
        return PartitionsAdded(str(self.name), total, at)

    def delete(self, at: datetime) -> TopicDeleted:
        """Decide to delete the topic."""
        return TopicDeleted(str(self.name), self._require_existing(), at)

    def delete_records(self, partition: int, before_offset: int, at: datetime) -> list[RecordsDeleted]:
        """Decide to make messages below `before_offset` (-1: the high watermark) unreadable; no event if none is."""
        found = self._existing_partition(partition)
        if before_offset == _TO_HIGH_WATERMARK:
            before_offset = found.high_watermark
        if not 0 <= before_offset <= found.high_watermark:
            raise OffsetNotFound(self.name, partition, before_offset, found.log_start_offset, found.high_watermark)
        if before_offset <= found.log_start_offset:
            return []
        return [RecordsDeleted(str(self.name), partition, before_offset, at)]

    def set_retention(self, retention_ms: Limit, retention_bytes: Limit, at: datetime) -> list[TopicRetentionSet]:
        """Decide to set limits: UNSET leaves one unchanged, None removes it; no event if nothing changes."""
        self._require_existing()
        policy = self.retention.changed(self.name, retention_ms, retention_bytes)
        return [] if policy == self.retention else [policy.set_for(str(self.name), at)]

    def plan_retention(self, now: datetime) -> RetentionPlan:
        """Return the walks over messages that are needed to apply the limits now; TopicNotFound."""
        topic_id = self._require_existing()
        return RetentionPlan(topic_id, self.retention, tuple(walks(self.partitions, self.retention, now)))

    def apply_retention(self, plan: RetentionPlan, ends: Sequence[int], at: datetime) -> list[RecordsDeleted]:
        """Decide to delete the messages that a plan's walks passed; `ends` are the offsets where they ended.

        No event if the topic was recreated or its limits have changed since the plan was made.
        """
        if (plan.topic_id, plan.policy) != (self._require_existing(), self.retention):
            return []
        return [
            event
            for walk, end in zip(plan.walks, ends, strict=True)
            for event in self.delete_records(walk.partition, end, at)
        ]

    def add_message(self, message: Message, partition: int = 0, *, producer_id: str = "") -> MessageProduced:
        """Decide to store one message without a sequence number; its offset is in the event."""
        decided = self.decide_appends([AppendMessages((message,), (partition,), producer_id)])[0]
        if isinstance(decided, DomainError):
            raise decided
        return decided.events[0]

    def decide_appends(self, commands: Sequence[AppendMessages]) -> list[AppendDecision | DomainError]:
        """Decide several appends together; each one sees the offsets and sequences that the earlier ones would leave.

        The result is the same as deciding and applying them one by one. An error concerns only its own command.
        """
        ahead = _Ahead(self)
        decided: list[AppendDecision | DomainError] = []
        for command in commands:
            try:
                decided.append(self._decide_append(command, ahead))
            except DomainError as error:
                decided.append(error)
        return decided

    def _decide_append(self, command: AppendMessages, ahead: _Ahead) -> AppendDecision:
        topic_id = self._require_existing()
        if command.topic_id not in (None, topic_id):
            raise UnknownTopicId(self.name, str(command.topic_id))
        partitions = set(command.partitions)
        for partition in partitions:
            self._existing_partition(partition)
        sequences = dict(command.base_sequences)
        if len(command.messages) != len(command.partitions):
            raise InvalidAppend(command.producer_id, self.name, "give one partition for each message")
        if sequences and sequences.keys() != partitions:
            raise InvalidAppend(command.producer_id, self.name, "give a sequence for every partition, or for none")
        repeated = self._offsets_of_repeat(command, sequences, ahead)
        if repeated is not None:
            return AppendDecision(repeated, [], is_duplicate=True)
        name, producer_id, epoch = str(self.name), command.producer_id, command.producer_epoch
        produced = MessageProduced
        first_offset = {partition: ahead.next_offset(partition) for partition in partitions}
        next_offset = [0] * self.partition_count
        shift = [0] * self.partition_count  # from a message's offset to its sequence
        for partition, offset in first_offset.items():
            next_offset[partition] = offset
            shift[partition] = sequences.get(partition, 0) - offset
        is_numbered = bool(sequences)
        offsets: list[int] = []
        events: list[MessageProduced] = []
        for message, partition in zip(command.messages, command.partitions, strict=True):
            offset = next_offset[partition]
            next_offset[partition] = offset + 1
            offsets.append(offset)
            events.append(
                produced(
                    name,
                    partition,
                    offset,
                    message.id,
                    producer_id,
                    epoch,
                    offset + shift[partition] if is_numbered else -1,
                    message.timestamp,
                    message.key,
                    message.value,
                    message.headers,
                )
            )
        for partition, first in first_offset.items():
            ahead.offsets[partition] = next_offset[partition]
            if is_numbered:
                count = next_offset[partition] - first
                ahead.sequence(partition, producer_id).record(epoch, sequences[partition], first, count)
        return AppendDecision(offsets, events)

    def _offsets_of_repeat(self, command: AppendMessages, sequences: dict[int, int], ahead: _Ahead) -> list[int] | None:
        """Return the original offsets if all of the command is stored already, None if nothing of it is.

        Raises ProducerFenced for an older epoch, OutOfOrderSequence for a gap or a partly stored command.
        """
        found: dict[int, int] = {}
        counts: Counter[int] | None = None  # of messages by partition; counted once, as counting each is quadratic
        for partition, sequence in sequences.items():
            known = ahead.sequence(partition, command.producer_id)
            if command.producer_epoch < known.epoch:
                raise ProducerFenced(command.producer_id, command.producer_epoch, known.epoch)
            same_epoch = command.producer_epoch == known.epoch
            expected = known.next_sequence if same_epoch else 0
            if sequence == expected:
                continue  # the next sequence, so not a duplicate
            counts = counts or Counter(command.partitions)
            offset = known.find(sequence, counts[partition]) if same_epoch else None
            if offset is None:
                raise OutOfOrderSequence(command.producer_id, self.name, partition, expected, sequence)
            found[partition] = offset
        if not found:
            return None
        if len(found) < len(sequences):
            stored = min(found)
            expected = ahead.sequence(stored, command.producer_id).next_sequence
            raise OutOfOrderSequence(command.producer_id, self.name, stored, expected, sequences[stored])
        offsets = []
        for partition in command.partitions:
            offsets.append(found[partition])
            found[partition] += 1
        return offsets

    def _require_existing(self) -> str:
        if self.topic_id is None:
            raise TopicNotFound(self.name)
        return self.topic_id

    def _existing_partition(self, id: int) -> Partition:
        self._require_existing()
        if not 0 <= id < len(self.partitions):
            raise PartitionNotFound(self.name, id, len(self.partitions))
        return self.partitions[id]

    # -- apply --------------------------------------------------------------------------------------------------------

    def apply_all(self, events: Sequence[Any]) -> None:
        """Apply events in order. Messages, the bulk of them, are applied in runs."""
        if set(map(type, events)) == _ONLY_MESSAGES:
            append_messages(self.partitions, events, self._tail)
            self.version += len(events)
            return
        for kind, run in itertools.groupby(events, type):
            alike = list(run)
            if kind is MessageProduced:
                append_messages(self.partitions, alike, self._tail)
                self.version += len(alike)
            else:
                super().apply_all(alike)

    def _created(self, event: TopicCreated) -> None:
        self.topic_id = event.topic_id
        self.created_at = event.timestamp
        self.partitions[:] = [Partition(number, event.timestamp) for number in range(event.partition_count)]

    def _partitions_added(self, event: PartitionsAdded) -> None:
        self.partitions.extend(
            Partition(number, event.timestamp) for number in range(self.partition_count, event.partition_count)
        )

    def _records_deleted(self, event: RecordsDeleted) -> None:
        partition = self.get_partition(event.partition)
        if partition is not None:
            partition.delete_before(event.log_start_offset)

    def _retention_set(self, event: TopicRetentionSet) -> None:
        self.retention = RetentionPolicy(event.retention_ms, event.retention_bytes)

    def _deleted(self, event: TopicDeleted) -> None:
        self.topic_id = self.created_at = None
        self.retention = KEEP_ALL
        self.partitions.clear()

    appliers = {
        TopicCreated: _created,
        PartitionsAdded: _partitions_added,
        RecordsDeleted: _records_deleted,
        TopicRetentionSet: _retention_set,
        TopicDeleted: _deleted,
    }

    # -- snapshots ----------------------------------------------------------------------------------------------------

    def snapshot(self) -> TopicSnapshot:
        """Return the current state without the messages, but with their checksums."""
        return TopicSnapshot(
            str(self.name),
            self.version,
            self.topic_id,
            self.created_at,
            tuple(partition.snapshot() for partition in self.partitions),
            self.retention,
        )

    @classmethod
    def restore(cls, snapshot: TopicSnapshot, tail: TailLimit | None = None) -> Topic:
        """Rebuild from a snapshot."""
        topic = cls(TopicName.recorded(snapshot.name), tail)
        topic.version = snapshot.version
        topic.topic_id = snapshot.topic_id
        topic.created_at = snapshot.created_at
        topic.partitions = [Partition.restore(partition) for partition in snapshot.partitions]
        topic.retention = snapshot.retention
        return topic


class _Ahead:
    """The offsets and sequences that the commands decided so far in this batch would leave."""

    __slots__ = ("_sequences", "_topic", "offsets")

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self.offsets: dict[int, int] = {}
        self._sequences: dict[tuple[int, str], ProducerSequence] = {}

    def next_offset(self, partition: int) -> int:
        offset = self.offsets.get(partition)
        return self._topic.partitions[partition].high_watermark if offset is None else offset

    def sequence(self, partition: int, producer_id: str) -> ProducerSequence:
        key = (partition, producer_id)
        sequence = self._sequences.get(key)
        if sequence is None:
            known = self._topic.partitions[partition].sequences.get(producer_id)
            sequence = self._sequences[key] = ProducerSequence(-1) if known is None else known.copy()
        return sequence
