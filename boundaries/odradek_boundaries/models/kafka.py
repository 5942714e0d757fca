"""Kafka's model: the rules of `odradek_domain`, with a table of what each decision reads.

| decision | reads |
|---|---|
| Produce | the life cycle of the topic, the messages of the partition |
| Commit | the life cycle of the topic, the messages of the partition, all commits of the group, GroupDeleted |
| SetRetention | the life cycle, TopicRetentionSet |
| DeleteRecords | the life cycle, the messages and RecordsDeleted of the partition |
| AddPartitions | the life cycle; with a quota the life cycles of all topics |
| CreateTopic, DeleteTopic | the life cycle |
| DeleteGroup | all facts of the group |

Life cycle: TopicCreated, PartitionsAdded, TopicDeleted. A consumer commits all that is in a partition when it reads it.
A commit reads the group's commits for all partitions, because one for another incarnation of a topic drops all of its
commits. No rule is copied: deciders are methods of Topic and ConsumerGroup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import Facts, facts
from odradek_boundaries.workload import Draw, Workload
from odradek_domain.errors import DomainError, PartitionNotFound, TopicNotFound
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.topic.appends import AppendMessages
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.topic import Topic
from odradek_domain.values.committed_offsets import OffsetToCommit
from odradek_domain.values.message import Message
from odradek_events.types import (
    GroupDeleted,
    MessageProduced,
    OffsetCommitted,
    OffsetReset,
    OffsetsExpired,
    PartitionsAdded,
    RecordsDeleted,
    TopicCreated,
    TopicDeleted,
    TopicRetentionSet,
)

__all__ = [
    "BOUNDARIES",
    "AddPartitions",
    "Commit",
    "CreateTopic",
    "DeleteGroup",
    "DeleteRecords",
    "DeleteTopic",
    "Produce",
    "SetRetention",
    "commands_of",
    "commits",
    "life_cycle",
    "messages",
    "model",
    "stream_of",
]

NOW = datetime(2000, 1, 1, tzinfo=UTC)
_LIFE_CYCLE = (TopicCreated, PartitionsAdded, TopicDeleted)
_NO_TAIL = TailLimit(0, 0)  # no decision reads a message again

BOUNDARIES = (
    Boundary("broker"),
    Boundary("topic, all read", by=("owner", "topic")),
    Boundary("topic, one per transaction", by=("owner", "topic"), checks="unit"),
    Boundary("partition, all read", by=("owner", "partition", "topic")),
    Boundary("partition, one per transaction", by=("owner", "partition", "topic"), checks="unit"),
    Boundary("a query per decision", checks="facts"),
)
"""The six boundaries of the study: `topic, one per transaction` is what Odradek's actors do, and Kafka's brokers."""


class Produce(msgspec.Struct, frozen=True):
    """Store messages in a partition."""

    topic: str
    partition: int
    id: str
    count: int = 1


class Commit(msgspec.Struct, frozen=True):
    """Commit for a group that a partition is processed: all of it, or what a consumer of this incarnation has read."""

    group: str
    topic: str
    partition: int
    read: tuple[str, int] | None = None  # topic id and offset


class SetRetention(msgspec.Struct, frozen=True):
    """Limit how long a topic keeps messages, or how many bytes of them; None is no limit."""

    topic: str
    retention_ms: int | None
    retention_bytes: int | None = None


class DeleteRecords(msgspec.Struct, frozen=True):
    """Delete the messages of a partition below an offset; -1: all that it has."""

    topic: str
    partition: int
    before: int = -1


class AddPartitions(msgspec.Struct, frozen=True):
    """Give a topic so many partitions (None: one more)."""

    topic: str
    total: int | None = None


class CreateTopic(msgspec.Struct, frozen=True):
    """Create a topic."""

    topic: str
    id: str
    partitions: int


class DeleteTopic(msgspec.Struct, frozen=True):
    """Delete a topic."""

    topic: str


class DeleteGroup(msgspec.Struct, frozen=True):
    """Delete a group, with its committed offsets."""

    group: str


# -- what each decision reads -----------------------------------------------------------------------------------------


def life_cycle(topic: str) -> Facts:
    """Return the facts that create a topic, make it grow, and delete it."""
    return facts(*_LIFE_CYCLE, topic=topic)


def commits(group: str) -> Facts:
    """Return the facts that decide which offsets a group has committed."""
    return facts(OffsetCommitted, OffsetReset, OffsetsExpired, owner=f"group/{group}") | facts(
        GroupDeleted, group_id=group
    )


def messages(topic: str, partition: int) -> Facts:
    """Return the messages of a partition."""
    return facts(MessageProduced, topic=topic, partition=partition)


def stream_of(topic: str) -> Facts:
    """Return all facts of a topic."""
    return life_cycle(topic) | facts(TopicRetentionSet, RecordsDeleted, MessageProduced, topic=topic)


# -- states -----------------------------------------------------------------------------------------------------------


def _topic(command: Any) -> Topic:
    return Topic(command.topic, _NO_TAIL)


class _Progress:
    """A topic, and the group that commits how far it has processed it."""

    def __init__(self, command: Commit) -> None:
        self.topic, self.group = _topic(command), ConsumerGroup(command.group)

    def apply_all(self, events: Sequence[Any]) -> None:
        self.topic.apply_all(events)
        self.group.apply_all(events)


class _Topics:
    """All topics, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, Topic] = {}

    @property
    def partition_count(self) -> int:
        return sum(topic.partition_count for topic in self.by_name.values())

    def apply_all(self, events: Sequence[Any]) -> None:
        for event in events:
            if isinstance(event, _LIFE_CYCLE):
                topic = self.by_name.get(event.topic)
                if topic is None:
                    topic = self.by_name[event.topic] = Topic(event.topic, _NO_TAIL)
                topic.apply(event)


# -- decisions --------------------------------------------------------------------------------------------------------


def _produce(topic: Topic, command: Produce) -> list[MessageProduced]:
    batch = tuple(
        Message.new(None, b"v", id=f"{command.id}-{number}", timestamp=NOW) for number in range(command.count)
    )
    append = AppendMessages(batch, (command.partition,) * command.count, "lab")
    (decided,) = topic.decide_appends([append])
    if isinstance(decided, DomainError):
        raise decided
    return decided.events


def _commit(known: _Progress, command: Commit) -> list[OffsetCommitted]:
    topic_id, offset = command.read or _end_of(known.topic, command.partition)
    return known.group.commit_offsets([OffsetToCommit(command.topic, command.partition, topic_id, offset)], NOW)


def _end_of(topic: Topic, partition: int) -> tuple[str, int]:
    if topic.topic_id is None:
        raise TopicNotFound(topic.name)
    found = topic.get_partition(partition)
    if found is None:
        raise PartitionNotFound(topic.name, partition, topic.partition_count)
    return topic.topic_id, found.high_watermark


def _add_partitions(topic: Topic, command: AddPartitions) -> PartitionsAdded:
    return topic.add_partitions(command.total or topic.partition_count + 1, NOW)


def _add_partitions_within(quota: int) -> Callable[[_Topics, AddPartitions], PartitionsAdded]:
    def decide(topics: _Topics, command: AddPartitions) -> PartitionsAdded:
        topic = topics.by_name.get(command.topic) or _topic(command)
        added = _add_partitions(topic, command)
        if topics.partition_count - topic.partition_count + added.partition_count > quota:
            raise ValueError(f"all topics together may have {quota} partitions")
        return added

    return decide


def _declare(lab: Lab, quota: int | None) -> None:
    """Declare the table of the module."""
    lab.decides(
        Produce,
        reads=lambda c: life_cycle(c.topic) | messages(c.topic, c.partition),
        state=_topic,
        whole=lambda c: stream_of(c.topic),
    )(_produce)
    lab.decides(
        Commit,
        reads=lambda c: commits(c.group) | life_cycle(c.topic) | messages(c.topic, c.partition),
        state=_Progress,
        whole=lambda c: commits(c.group) | stream_of(c.topic),
    )(_commit)
    lab.decides(
        SetRetention,
        reads=lambda c: life_cycle(c.topic) | facts(TopicRetentionSet, topic=c.topic),
        state=_topic,
        whole=lambda c: stream_of(c.topic),
    )(lambda topic, c: topic.set_retention(c.retention_ms, c.retention_bytes, NOW))
    lab.decides(
        DeleteRecords,
        reads=lambda c: (
            life_cycle(c.topic)
            | messages(c.topic, c.partition)
            | facts(RecordsDeleted, topic=c.topic, partition=c.partition)
        ),
        state=_topic,
        whole=lambda c: stream_of(c.topic),
    )(lambda topic, c: topic.delete_records(c.partition, c.before, NOW))
    if quota is None:
        lab.decides(
            AddPartitions,
            reads=lambda c: life_cycle(c.topic),
            state=_topic,
            whole=lambda c: stream_of(c.topic),
        )(_add_partitions)
    else:
        lab.decides(
            AddPartitions,
            reads=lambda c: facts(*_LIFE_CYCLE),
            state=lambda c: _Topics(),
            whole=lambda c: facts(*_LIFE_CYCLE, TopicRetentionSet, RecordsDeleted, MessageProduced),
        )(_add_partitions_within(quota))
    lab.decides(CreateTopic, reads=lambda c: life_cycle(c.topic), state=_topic, whole=lambda c: stream_of(c.topic))(
        lambda topic, c: topic.create(c.partitions, topic_id=c.id, at=NOW)
    )
    lab.decides(DeleteTopic, reads=lambda c: life_cycle(c.topic), state=_topic, whole=lambda c: stream_of(c.topic))(
        lambda topic, c: topic.delete(NOW)
    )
    lab.decides(
        DeleteGroup,
        reads=lambda c: commits(c.group),
        state=lambda c: ConsumerGroup(c.group),
        whole=lambda c: commits(c.group),
    )(lambda group, c: group.delete(NOW))


# -- commands of a recorded log ---------------------------------------------------------------------------------------


def commands_of(events: Sequence[Any]) -> list[Any]:
    """Return the commands that the events of a decision answer; none for what the model leaves out.

    The model leaves out membership, consumers without a group, and what consumers were delivered.
    """
    if isinstance(events[0], MessageProduced):
        counts = Counter((event.topic, event.partition) for event in events)
        return [Produce(*place, events[0].message_id, count) for place, count in counts.items()]
    return [command for event in events if (command := _command_of(event)) is not None]


def _command_of(event: Any) -> Any:
    match event:
        case TopicCreated():
            return CreateTopic(event.topic, event.topic_id, event.partition_count)
        case PartitionsAdded():
            return AddPartitions(event.topic, event.partition_count)
        case TopicDeleted():
            return DeleteTopic(event.topic)
        case TopicRetentionSet():
            return SetRetention(event.topic, event.retention_ms, event.retention_bytes)
        case RecordsDeleted():
            return DeleteRecords(event.topic, event.partition, event.log_start_offset)
        case OffsetCommitted() if event.owner.startswith("group/"):
            read = (event.topic_id, event.offset)
            return Commit(event.owner.removeprefix("group/"), event.topic, event.partition, read)
        case GroupDeleted():
            return DeleteGroup(event.group_id)
        case _:
            return None


# -- the model --------------------------------------------------------------------------------------------------------


def model(
    *,
    topics: int = 4,
    partitions: int = 6,
    groups: int = 4,
    skew: float = 1.1,
    quota: int | None = None,
    count: int = 10_000,
    prefix: str = "t",
) -> Model:
    """Return Kafka's model under six boundaries. Topics, partitions and groups are drawn by Zipf with this skew.

    With a `quota`, all topics together may have that many partitions.
    """
    lab = Lab(*(TopicCreated(f"{prefix}{n}", f"id-{n}", partitions, NOW) for n in range(topics)))
    _declare(lab, quota)

    def topic(r: Draw) -> str:
        return f"{prefix}{r.zipf(topics, skew)}"

    def partition(r: Draw) -> int:
        return r.zipf(partitions, skew)

    def group(r: Draw) -> str:
        return f"g{r.zipf(groups, skew)}"

    @lab.draw
    def produce(r: Draw) -> Produce:
        return Produce(topic(r), partition(r), f"m{r.getrandbits(48):x}")

    @lab.draw
    def commit(r: Draw) -> Commit:
        return Commit(group(r), topic(r), partition(r))

    @lab.draw
    def commit_late(r: Draw) -> Commit:
        number = r.zipf(topics, skew)
        topic_id = r.choice((f"id-{number}", f"id-{number}-again"))
        return Commit(group(r), f"{prefix}{number}", partition(r), (topic_id, r.randrange(3)))

    @lab.draw
    def set_retention(r: Draw) -> SetRetention:
        return SetRetention(topic(r), 1000 * (1 + r.randrange(5)))

    @lab.draw
    def delete_records(r: Draw) -> DeleteRecords:
        return DeleteRecords(topic(r), partition(r))

    @lab.draw
    def add_partitions(r: Draw) -> AddPartitions:
        return AddPartitions(topic(r))

    @lab.draw
    def create_topic(r: Draw) -> CreateTopic:
        number = r.zipf(topics, skew)
        return CreateTopic(f"{prefix}{number}", f"id-{number}-again", partitions)

    @lab.draw
    def delete_topic(r: Draw) -> DeleteTopic:
        return DeleteTopic(topic(r))

    @lab.draw
    def delete_group(r: Draw) -> DeleteGroup:
        return DeleteGroup(group(r))

    if quota is not None:

        @lab.always(state=_Topics)
        def partitions_are_within_the_quota(known: _Topics) -> bool:
            return known.partition_count <= quota

    mix = {
        produce: 70.0,
        commit: 25.0,
        set_retention: 2.0,
        delete_records: 2.0,
        add_partitions: 1.0,
    }
    return Model(lab, BOUNDARIES, Workload(mix, count=count, per_second=500.0), commands_of)
