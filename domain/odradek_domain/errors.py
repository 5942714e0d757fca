"""The errors with which the domain refuses commands and queries.

    DomainError
    ├── ValidationError             a value that is never valid, whatever the state
    │   ├── InvalidTopicName · InvalidIdentifier · InvalidMessageId · InvalidOffset · InvalidPartitionCount
    │   ├── InvalidMessage · InvalidHeader · InvalidPattern · MessageTooLarge · OffsetAlreadyAssigned
    │   └── InvalidAppend           partitions or sequence numbers do not match the messages
    ├── TopicNotFound · TopicAlreadyExists · UnknownTopicId · PartitionNotFound · PartitionCountMustGrow
    ├── OffsetNotFound              out of range (Kafka: OFFSET_OUT_OF_RANGE)
    ├── MessagesNotHeld             in range, but only in the log, no longer in memory
    ├── NoCommittedOffset           no committed offset, and auto_offset_reset is none
    ├── InvalidAssignment           (in `group.assignors`) the answer of a custom assignor is invalid
    ├── OutOfOrderSequence · ProducerFenced · ProducerNotRegistered
    ├── ConsumerNotSubscribed · ConsumerNotPositioned · PositionWouldGoBackwards · CommitWouldGoBackwards
    ├── OffsetMetadataTooLarge      (Kafka: OFFSET_METADATA_TOO_LARGE)
    ├── ConsumerAlreadyOpen · ConsumerClosed
    ├── (in `group.errors`)
    │   ├── UnknownMember · IllegalGeneration · RebalanceInProgress · FencedInstanceId
    │   ├── UnknownAssignor · InconsistentAssignors · GroupNotEmpty · GroupNotFound · NothingToShift
    │   └── ConsumerNotAssigned · SubscriptionConflict
    ├── NoApplier                   a mistake in an aggregate: it decided an event that it does not apply
    ├── AggregateFailed             a user-defined aggregate could not be folded
    └── RepositoryError             a repository could not save or load

`code` is stable; `retriable` says whether the same request may succeed later.
"""

from __future__ import annotations

from odradek_events.errors import reduce_error
from odradek_events.validation import shown

__all__ = [
    "AggregateFailed",
    "CommitWouldGoBackwards",
    "ConsumerAlreadyOpen",
    "ConsumerClosed",
    "ConsumerNotPositioned",
    "ConsumerNotSubscribed",
    "DomainError",
    "InvalidAppend",
    "InvalidHeader",
    "InvalidIdentifier",
    "InvalidMessage",
    "InvalidMessageId",
    "InvalidOffset",
    "InvalidPartitionCount",
    "InvalidPattern",
    "InvalidTopicName",
    "MessageTooLarge",
    "MessagesNotHeld",
    "NoApplier",
    "NoCommittedOffset",
    "OffsetAlreadyAssigned",
    "OffsetMetadataTooLarge",
    "OffsetNotFound",
    "OutOfOrderSequence",
    "PartitionCountMustGrow",
    "PartitionNotFound",
    "PositionWouldGoBackwards",
    "ProducerFenced",
    "ProducerNotRegistered",
    "RepositoryError",
    "TopicAlreadyExists",
    "TopicNotFound",
    "UnknownTopicId",
    "ValidationError",
]

MAX_PARTITIONS = 10_000


class DomainError(Exception):
    """Base class of the domain's errors."""

    code = "domain_error"
    retriable = False
    __reduce__ = reduce_error


class ValidationError(DomainError, ValueError):
    """A value that is never valid, whatever the state."""

    code = "invalid_value"


class InvalidTopicName(ValidationError):
    """A topic name that Kafka does not allow."""

    code = "invalid_topic_name"

    def __init__(self, name: object) -> None:
        super().__init__(
            f"{shown(name)} is not a topic name; use 1 to 249 of the characters a-z A-Z 0-9 . _ - and not '.' or '..'"
        )
        self.name = name


class InvalidIdentifier(ValidationError):
    """A consumer, producer or group id that cannot name a stream."""

    code = "invalid_identifier"

    def __init__(self, kind: str, value: object) -> None:
        super().__init__(f"{shown(value)} is not a {kind} id; use 1 to 249 printable characters")
        self.kind, self.value = kind, value


class InvalidMessageId(ValidationError):
    """A message id that is not a UUID."""

    code = "invalid_message_id"

    def __init__(self, text: object) -> None:
        super().__init__(f"{shown(text)} is not a message id; use a UUID like 123e4567-e89b-42d3-a456-426614174000")
        self.text = text


class InvalidOffset(ValidationError):
    """An offset or partition that is not a whole number of 0 or more."""

    code = "invalid_offset"

    def __init__(self, kind: str, value: object) -> None:
        super().__init__(f"{shown(value)} is not {kind}; use a whole number, 0 or more")
        self.kind, self.value = kind, value


class InvalidPartitionCount(ValidationError):
    """A number of partitions that is too small or too large."""

    code = "invalid_partition_count"

    def __init__(self, topic: str, count: int) -> None:
        super().__init__(f"topic {topic!r} cannot have {shown(count)} partitions; use 1 to {MAX_PARTITIONS}")
        self.topic, self.count = topic, count


class InvalidPattern(ValidationError):
    """A pattern of topic names that RE2 cannot match."""

    code = "invalid_pattern"

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(
            f"{shown(pattern)} is not a regular expression that RE2 can match ({shown(reason)[1:-1]}); write it in "
            "RE2's syntax, which has no look-arounds and no back-references"
        )
        self.pattern, self.reason = pattern, reason


class InvalidMessage(ValidationError):
    """A message with a part that cannot be stored."""

    code = "invalid_message"

    def __init__(self, part: str, value: object, wanted: str) -> None:
        super().__init__(f"{shown(value)} is not a message's {part}; use {wanted}")
        self.part, self.value = part, value


class InvalidHeader(ValidationError):
    """A header that is not a pair of a name and bytes or None."""

    code = "invalid_header"

    def __init__(self, header: object) -> None:
        super().__init__(f"{shown(header)} is not a header; use a (name, value) pair whose value is bytes or None")
        self.header = header


class MessageTooLarge(ValidationError):
    """A message above the size limit."""

    code = "message_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"a message of {size} bytes exceeds the limit of {limit}; send a smaller one or raise max_message_bytes"
        )
        self.size, self.limit = size, limit


class OffsetAlreadyAssigned(ValidationError):
    """A message's offset is immutable once set."""

    code = "offset_already_assigned"

    def __init__(self, current: int, offset: int) -> None:
        super().__init__(
            f"the message already has offset {current} and cannot get offset {offset}; offsets never change, "
            "so send it again as a new message"
        )
        self.current, self.offset = current, offset


class InvalidAppend(ValidationError):
    """An append whose partitions or sequence numbers do not match its messages."""

    code = "invalid_append"

    def __init__(self, producer: str, topic: str, problem: str) -> None:
        super().__init__(f"the append of producer {producer!r} to topic {topic!r} is invalid; {problem}")
        self.producer, self.topic = producer, topic


class TopicNotFound(DomainError):
    """The topic does not exist."""

    code = "topic_not_found"

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"there is no topic {topic!r}; check the name, or create it (auto_create_topics does so on the first send)"
        )
        self.topic = topic


class TopicAlreadyExists(DomainError):
    """A topic with this name exists."""

    code = "topic_already_exists"

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic!r} already exists; use it, delete it first, or choose another name")
        self.topic = topic


class UnknownTopicId(DomainError):
    """The topic was deleted and recreated since the caller looked it up."""

    code = "unknown_topic_id"
    retriable = True

    def __init__(self, topic: str, topic_id: str) -> None:
        super().__init__(f"topic {topic!r} no longer has id {topic_id}, as it was deleted; look it up again")
        self.topic, self.topic_id = topic, topic_id


class PartitionNotFound(DomainError):
    """The topic has no such partition."""

    code = "partition_not_found"

    def __init__(self, topic: str, partition: int, count: int) -> None:
        super().__init__(f"topic {topic!r} has no partition {partition}; use 0 to {count - 1}")
        self.topic, self.partition, self.count = topic, partition, count


class PartitionCountMustGrow(DomainError):
    """The number of partitions can only increase."""

    code = "partition_count_must_grow"

    def __init__(self, topic: str, current: int, requested: int) -> None:
        super().__init__(f"topic {topic!r} has {current} partitions, so it cannot get {requested}; use a higher number")
        self.topic, self.current, self.requested = topic, current, requested


class OffsetNotFound(DomainError):
    """An offset outside the readable range."""

    code = "offset_not_found"

    def __init__(self, topic: str, partition: int, offset: int, start: int, end: int) -> None:
        super().__init__(
            f"offset {offset} of {topic}/{partition} is out of range; "
            f"use one from {start} to {end}, the offset of the next message"
        )
        self.topic, self.partition, self.offset, self.start, self.end = topic, partition, offset, start, end


class MessagesNotHeld(DomainError):
    """Messages that exist, but are no longer in memory."""

    code = "messages_not_held"

    def __init__(self, topic: str, partition: int, offset: int, held_from: int) -> None:
        super().__init__(
            f"messages of {topic}/{partition} are in memory only from offset {held_from}; read {offset} from the log"
        )
        self.topic, self.partition, self.offset, self.held_from = topic, partition, offset, held_from


class NoCommittedOffset(DomainError):
    """No committed offset, and auto_offset_reset is none."""

    code = "no_committed_offset"

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(
            f"there is no committed offset for {topic}/{partition}; seek, or use auto_offset_reset earliest or latest"
        )
        self.topic, self.partition = topic, partition


class OutOfOrderSequence(DomainError):
    """A producer's sequence number leaves a gap, or repeats only part of a batch."""

    code = "out_of_order_sequence"

    def __init__(self, producer: str, topic: str, partition: int, expected: int, sequence: int) -> None:
        remedy = (
            "send the missing batch first"
            if sequence > expected
            else "its messages were stored in part or long ago, so do not send it again, or start a new epoch"
        )
        super().__init__(
            f"producer {producer!r} sent sequence {sequence} to {topic}/{partition}, expected {expected}; {remedy}"
        )
        self.producer, self.topic, self.partition = producer, topic, partition
        self.expected, self.sequence = expected, sequence


class ProducerFenced(DomainError):
    """The producer has a newer epoch."""

    code = "producer_fenced"

    def __init__(self, producer: str, epoch: int, current: int) -> None:
        super().__init__(f"producer {producer!r} epoch {epoch} is fenced by epoch {current}; open a new producer")
        self.producer, self.epoch, self.current = producer, epoch, current


class ProducerNotRegistered(DomainError):
    """A producer that was never registered has no epoch and no count."""

    code = "producer_not_registered"

    def __init__(self, producer: str) -> None:
        super().__init__(f"producer {producer!r} is not registered; register it first")
        self.producer = producer


class ConsumerNotSubscribed(DomainError):
    """The consumer is not subscribed to the topic, or to any topic."""

    code = "consumer_not_subscribed"

    def __init__(self, consumer: str, topic: str | None = None) -> None:
        what = "any topic" if topic is None else f"topic {topic!r}"
        super().__init__(f"consumer {consumer!r} is not subscribed to {what}; subscribe first")
        self.consumer, self.topic = consumer, topic


class ConsumerNotPositioned(DomainError):
    """A commit beyond the consumer's position; `position` is None if it has none."""

    code = "consumer_not_positioned"

    def __init__(self, consumer: str, topic: str, partition: int, position: int | None = None) -> None:
        where = "has no position" if position is None else f"is only at {position}"
        super().__init__(f"consumer {consumer!r} {where} in {topic}/{partition}; poll or seek before you commit")
        self.consumer, self.topic, self.partition, self.position = consumer, topic, partition, position


class PositionWouldGoBackwards(DomainError):
    """A position can move backwards only by an explicit reset."""

    code = "position_would_go_backwards"

    def __init__(self, consumer: str, topic: str, partition: int, position: int, offset: int) -> None:
        super().__init__(
            f"consumer {consumer!r} is at {position} in {topic}/{partition} and cannot consume {offset} again; "
            "seek or reset first"
        )
        self.consumer, self.topic, self.partition = consumer, topic, partition
        self.position, self.offset = position, offset


class OffsetMetadataTooLarge(DomainError):
    """The metadata of a commit exceeds the limit, which exists because every snapshot stores it too."""

    code = "offset_metadata_too_large"

    def __init__(self, topic: str, partition: int, size: int, limit: int) -> None:
        super().__init__(
            f"the metadata to commit for {topic}/{partition} has {size} bytes in UTF-8, above the limit of {limit}; "
            "shorten it, or store it elsewhere and commit a reference"
        )
        self.topic, self.partition, self.size, self.limit = topic, partition, size, limit


class CommitWouldGoBackwards(DomainError):
    """A committed offset can move backwards only by an explicit reset."""

    code = "commit_would_go_backwards"

    def __init__(self, owner: str, topic: str, partition: int, committed: int, offset: int) -> None:
        super().__init__(
            f"{owner} has committed {committed} in {topic}/{partition}, so it cannot commit the lower offset {offset}; "
            "seek or reset first"
        )
        self.owner, self.topic, self.partition = owner, topic, partition
        self.committed, self.offset = committed, offset


class ConsumerAlreadyOpen(DomainError):
    """Another handle with this consumer id is open."""

    code = "consumer_already_open"

    def __init__(self, consumer: str) -> None:
        super().__init__(f"consumer {consumer!r} is already open; close that handle or use another consumer id")
        self.consumer = consumer


class ConsumerClosed(DomainError):
    """The consumer's handle is closed."""

    code = "consumer_closed"

    def __init__(self, consumer: str) -> None:
        super().__init__(f"consumer {consumer!r} is closed; open it again with system.consumer(...)")
        self.consumer = consumer


class NoApplier(DomainError):
    """An aggregate decided an event that it does not apply, so that the event would not change its state."""

    code = "no_applier"

    def __init__(self, aggregate: str, event: str) -> None:
        super().__init__(
            f"{aggregate} decided a {event}, for which it has no applier; add one to {aggregate}.appliers, or list "
            f"{event} in {aggregate}.ignores"
        )
        self.aggregate, self.event = aggregate, event


class AggregateFailed(DomainError):
    """A user-defined aggregate could not be made, or could not apply the event at `position`; `__cause__` is why."""

    code = "aggregate_failed"

    def __init__(self, stream: str, position: int, problem: str) -> None:
        super().__init__(f"{stream!r} cannot be folded: {problem}")
        self.stream, self.position, self.problem = stream, position, problem


class RepositoryError(DomainError):
    """A repository could not save or load."""

    code = "repository_error"

    def __init__(self, stream: str, problem: str) -> None:
        super().__init__(f"{stream}: {problem}")
        self.stream = stream
