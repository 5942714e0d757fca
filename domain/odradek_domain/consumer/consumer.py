"""The Consumer aggregate: subscription or assignment, positions, and committed offsets.

A *position* is the offset of the next message to deliver. A *committed* offset is where the consumer resumes after it
is reopened. A delivery moves only the position. Positions increase message by message; otherwise only an OffsetReset
moves them.

A consumer reads either whole topics (`subscriptions`, without a group), or the partitions of its `assignment`, which
its group made or which the caller chose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from odradek_domain.aggregate import Aggregate
from odradek_domain.errors import ConsumerNotPositioned, ConsumerNotSubscribed, PositionWouldGoBackwards
from odradek_domain.group.errors import ConsumerNotAssigned, SubscriptionConflict
from odradek_domain.topic.topic import Topic
from odradek_domain.values.committed_offsets import CommittedOffset, CommittedOffsets, OffsetToCommit
from odradek_domain.values.names import ConsumerId, GroupId, TopicName
from odradek_domain.values.positions import Offset, TopicPartition, plain
from odradek_events.types import (
    ConsumerRegistered,
    ConsumerResumed,
    ConsumerSubscribed,
    MessageConsumed,
    MessageProduced,
    OffsetCommitted,
    OffsetReset,
    PartitionsAssigned,
    PartitionsRevoked,
    ResumedPosition,
)

__all__ = ["Consumer", "ConsumerSnapshot"]

ACTIVE_FOR = timedelta(seconds=45)  # Kafka's default session.timeout.ms


class ConsumerSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A consumer's state. `positions` are (topic, topic id, partition, offset), sorted.

    `assignment` is None for a consumer that reads whole topics.
    """

    consumer_id: str
    version: int
    registered_at: datetime | None
    group_id: str | None
    subscriptions: tuple[str, ...]
    positions: tuple[ResumedPosition, ...]
    committed: tuple[CommittedOffset, ...]
    pattern: str | None = None
    assignment: tuple[TopicPartition, ...] | None = None
    is_manual: bool = False


class Consumer(Aggregate):
    """A consumer. `committed` holds its own commits; a consumer in a group commits to the group instead.

    `last_heartbeat` is volatile: it is not rebuilt from the log.
    """

    __slots__ = (
        "_as_set",
        "_positions",
        "assignment",
        "committed",
        "group_id",
        "id",
        "is_manual",
        "last_heartbeat",
        "pattern",
        "registered_at",
        "subscriptions",
    )

    def __init__(self, consumer_id: str) -> None:
        super().__init__()
        self.id = ConsumerId(consumer_id)
        self.group_id: str | None = None
        self.registered_at: datetime | None = None
        self.subscriptions: tuple[str, ...] = ()
        self.pattern: str | None = None
        self.assignment: tuple[TopicPartition, ...] | None = None
        self._as_set: tuple[object, frozenset[TopicPartition]] = None, frozenset()  # cache: an assignment, its set
        self.is_manual = False  # the caller chose the assignment
        self.last_heartbeat: datetime | None = None
        self.committed = CommittedOffsets(f"consumer/{consumer_id}")
        self._positions: dict[str, tuple[str, dict[int, int]]] = {}  # topic -> (topic id, partition -> offset)

    def __repr__(self) -> str:
        group = "" if self.group_id is None else f" group={self.group_id!r}"
        return f"<Consumer {str(self.id)!r}{group} topics={len(self.subscriptions)} version={self.version}>"

    # -- queries ------------------------------------------------------------------------------------------------------

    @property
    def is_registered(self) -> bool:
        """Whether it was ever registered."""
        return self.registered_at is not None

    def get_current_offset(self, partition: TopicPartition) -> Offset | None:
        """Return the offset of the next message to deliver; None if there is no position, or it is not assigned."""
        if self.assignment is not None and partition not in self.assigned:
            return None
        offset = self._positions.get(partition.topic, ("", {}))[1].get(partition.partition)
        return None if offset is None else Offset(offset)

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The assignment as a set; empty for a consumer that reads whole topics."""
        if self._as_set[0] is not self.assignment:
            self._as_set = self.assignment, frozenset(self.assignment or ())
        return self._as_set[1]

    def positions(self, topic: str, topic_id: str | None = None) -> dict[int, int]:
        """Return partition -> next offset for the partitions of a topic that it reads.

        `topic_id` limits them to that incarnation of the topic. Unsubscribing keeps positions in the state, so those
        outside the assignment are left out: other members may own these partitions.
        """
        known_id, positions = self._positions.get(topic, ("", {}))
        if topic_id is not None and known_id not in ("", topic_id):
            return {}
        if self.assignment is None:
            return dict(positions)
        assigned = self.assigned
        return {number: offset for number, offset in positions.items() if (topic, number) in assigned}

    def topic_id(self, topic: str) -> str | None:
        """Return the id of the topic's incarnation that its positions are for, or None."""
        return self._positions[topic][0] if topic in self._positions else None

    def fetch_messages(self, topic: Topic, limit: int) -> list[MessageProduced]:
        """Return up to `limit` next messages of a topic, partition by partition, in offset order.

        For use without actors; a partition without a position is read from its start.
        """
        self.require_subscribed(topic.name)
        positions = self.positions(topic.name, topic.topic_id)
        fetched: list[MessageProduced] = []
        for partition in topic.partitions:
            offset = positions.get(partition.id, partition.log_start_offset)
            fetched.extend(topic.read(partition.id, offset, limit - len(fetched)))
        return fetched

    @property
    def has_subscription(self) -> bool:
        """Whether it has subscribed to topics or a pattern, or has a manual assignment."""
        return bool(self.subscriptions) or self.pattern is not None or self.is_manual

    def require_subscribed(self, topic: str | None = None) -> None:
        """Raise ConsumerNotSubscribed unless it reads `topic`, or without one unless it reads anything."""
        if topic is None:
            is_subscribed = self.has_subscription
        elif self.assignment is None:
            is_subscribed = topic in self.subscriptions
        else:
            is_subscribed = any(place.topic == topic for place in self.assignment)
        if not is_subscribed:
            raise ConsumerNotSubscribed(self.id, topic)

    def require_assigned(self, partition: TopicPartition) -> None:
        """Raise unless it reads a partition: ConsumerNotAssigned, or ConsumerNotSubscribed if it reads whole topics."""
        if self.assignment is None:
            self.require_subscribed(partition.topic)
        elif partition not in self.assigned:
            raise ConsumerNotAssigned(self.id, partition.topic, partition.partition)

    def heartbeat(self, at: datetime) -> None:
        """Record when the consumer was last heard from."""
        self.last_heartbeat = at

    def is_active(self, at: datetime, timeout: timedelta = ACTIVE_FOR) -> bool:
        """Return whether the last heartbeat is at most `timeout` ago."""
        return self.last_heartbeat is not None and at - self.last_heartbeat <= timeout

    # -- decisions ----------------------------------------------------------------------------------------------------

    def register(self, group_id: str | None, at: datetime) -> list[ConsumerRegistered]:
        """Decide to register, also again for another group; no event if nothing changes."""
        if self.is_registered and self.group_id == group_id:
            return []
        return [ConsumerRegistered(str(self.id), at, None if group_id is None else str(GroupId(group_id)))]

    def resume(self, committed: Sequence[CommittedOffset], at: datetime) -> ConsumerResumed:
        """Decide to resume at these committed offsets, without any other positions."""
        positions = (ResumedPosition(item.topic, item.topic_id, item.partition, item.offset) for item in committed)
        return ConsumerResumed(str(self.id), tuple(sorted(positions, key=_place)), at)

    def subscribe(self, topics: Sequence[str], at: datetime, pattern: str | None = None) -> list[ConsumerSubscribed]:
        """Decide to replace the subscription by these topics; no event if nothing changes.

        With a `pattern`, the topics are those that match it now. Without both, it unsubscribes. Raises
        SubscriptionConflict if the assignment is manual, or for a change between names and a pattern.
        """
        names = tuple(dict.fromkeys(str(TopicName(topic)) for topic in topics))
        wanted = "a pattern" if pattern is not None else "topics" if names else None
        if wanted is not None:
            self._require_no_other(wanted)
        elif not self.has_subscription:
            return []
        if wanted is not None and (names, pattern) == (self.subscriptions, self.pattern):
            return []
        return [ConsumerSubscribed(str(self.id), names, at, pattern)]

    def _require_no_other(self, wanted: str) -> None:
        has = {"partitions": self.is_manual, "a pattern": self.pattern is not None}
        has["topics"] = self.pattern is None and bool(self.subscriptions)
        for kind, is_set in has.items():
            if is_set and kind != wanted:
                raise SubscriptionConflict(self.id, kind, wanted)

    def assign(
        self, partitions: Iterable[TopicPartition], committed: Iterable[CommittedOffset], at: datetime
    ) -> list[PartitionsAssigned]:
        """Decide to read exactly these partitions, which the caller chose, each from its committed offset on."""
        self._require_no_other("partitions")
        chosen = tuple(sorted(set(partitions)))
        if self.is_manual and chosen == self.assignment:
            return []
        return [PartitionsAssigned(str(self.id), plain(chosen), _resumed(committed, chosen), at, is_manual=True)]

    def take(
        self,
        partitions: Iterable[TopicPartition],
        committed: Iterable[CommittedOffset],
        at: datetime,
        member_id: str,
        generation: int,
    ) -> PartitionsAssigned:
        """Decide to add partitions that the group has assigned, each read from its committed offset on."""
        added = tuple(sorted(partitions))
        return PartitionsAssigned(str(self.id), plain(added), _resumed(committed, added), at, member_id, generation)

    def release(
        self, partitions: Iterable[TopicPartition], at: datetime, generation: int, *, is_lost: bool = False
    ) -> list[PartitionsRevoked]:
        """Decide to stop reading these partitions of the assignment."""
        going = frozenset(partitions)
        gone = tuple(place for place in self.assignment or () if place in going)
        return [PartitionsRevoked(str(self.id), plain(gone), at, generation, is_lost)] if gone else []

    def consume(self, messages: Sequence[MessageProduced], at: datetime) -> list[MessageConsumed]:
        """Decide that these messages are delivered, in offset order. Raises PositionWouldGoBackwards, among others."""
        next_offsets: dict[str, dict[int, int]] = {}
        for message in messages:
            topic, partition, offset = message.topic, message.partition, message.offset
            positions = next_offsets.get(topic)
            if positions is None:
                self.require_subscribed(topic)
                positions = next_offsets[topic] = self.positions(topic)
            position = positions.get(partition, -1)
            if position < 0:
                self.require_assigned(TopicPartition(topic, partition))
            if offset < position:
                raise PositionWouldGoBackwards(self.id, topic, partition, position, offset)
            positions[partition] = offset + 1
        me = str(self.id)
        return [
            MessageConsumed(message.topic, message.partition, message.offset, message.message_id, me, at)
            for message in messages
        ]

    def commit_offset(self, wanted: OffsetToCommit, at: datetime) -> list[OffsetCommitted]:
        """Decide to commit an offset for the consumer itself (without a group)."""
        return self.committed.commit(wanted, at, str(self.id))

    def to_commit(
        self, partition: TopicPartition, offset: int, metadata: str = "", *, is_reset: bool = False
    ) -> OffsetToCommit:
        """Return the commit request for an offset; ConsumerNotPositioned unless the position is at least that high."""
        position = self.get_current_offset(partition)
        if position is None or offset > position:
            raise ConsumerNotPositioned(self.id, partition.topic, partition.partition, position)
        topic_id = self._positions[partition.topic][0]
        return OffsetToCommit(partition.topic, partition.partition, topic_id, offset, metadata, is_reset)

    def reset(self, partition: TopicPartition, topic_id: str, offset: int, reason: str, at: datetime) -> OffsetReset:
        """Decide to move a partition's position to `offset`, for a seek or by auto_offset_reset."""
        self.require_assigned(partition)
        return OffsetReset(
            f"consumer/{self.id}",
            partition.topic,
            topic_id,
            partition.partition,
            Offset(offset).value,
            reason,
            at,
        )

    # -- apply --------------------------------------------------------------------------------------------------------

    def _registered(self, event: ConsumerRegistered) -> None:
        if event.group_id != self.group_id:
            self._positions.clear()
            self.assignment, self.is_manual = None, False
        self.group_id = event.group_id
        self.registered_at = self.registered_at or event.timestamp

    def _subscribed(self, event: ConsumerSubscribed) -> None:
        self.subscriptions, self.pattern = event.topics, event.pattern
        if not event.topics and event.pattern is None:
            self.assignment, self.is_manual = None, False

    def _resumed(self, event: ConsumerResumed) -> None:
        self._positions.clear()
        self.assignment, self.is_manual = None, False
        for position in event.positions:
            self._set_position(position.topic, position.topic_id, position.partition, position.offset)

    def _assigned(self, event: PartitionsAssigned) -> None:
        added = {TopicPartition(*pair) for pair in event.partitions}
        if event.is_manual:
            self._positions.clear()
            self.assignment, self.is_manual = tuple(sorted(added)), True
        else:
            self._forget_positions(added)
            self.assignment = tuple(sorted(added.union(self.assignment or ())))
        for position in event.positions:
            self._set_position(position.topic, position.topic_id, position.partition, position.offset)

    def _revoked(self, event: PartitionsRevoked) -> None:
        gone = {TopicPartition(*pair) for pair in event.partitions}
        self._forget_positions(gone)
        self.assignment = tuple(place for place in self.assignment or () if place not in gone)

    def _forget_positions(self, partitions: Iterable[TopicPartition]) -> None:
        for topic, partition in partitions:
            known = self._positions.get(topic)
            if known is not None:
                known[1].pop(partition, None)
                if not known[1]:
                    del self._positions[topic]

    def _consumed(self, event: MessageConsumed) -> None:
        known = self._positions.get(event.topic)
        if known is None:  # read without a starting position, so the topic's id is unknown
            known = self._positions[event.topic] = ("", {})
        known[1][event.partition] = event.offset + 1

    def _committed(self, event: OffsetCommitted) -> None:
        self.committed.apply(event)

    def _reset(self, event: OffsetReset) -> None:
        self._set_position(event.topic, event.topic_id, event.partition, event.offset)

    def _set_position(self, topic: str, topic_id: str, partition: int, offset: int) -> None:
        known = self._positions.get(topic)
        if known is None or known[0] != topic_id:
            known = self._positions[topic] = (topic_id, {})
        known[1][partition] = offset

    appliers = {
        ConsumerRegistered: _registered,
        ConsumerSubscribed: _subscribed,
        ConsumerResumed: _resumed,
        MessageConsumed: _consumed,
        OffsetCommitted: _committed,
        OffsetReset: _reset,
        PartitionsAssigned: _assigned,
        PartitionsRevoked: _revoked,
    }

    # -- snapshots ----------------------------------------------------------------------------------------------------

    def snapshot(self) -> ConsumerSnapshot:
        """Return the current state."""
        positions = [
            ResumedPosition(topic, topic_id, partition, offset)
            for topic, (topic_id, offsets) in self._positions.items()
            for partition, offset in offsets.items()
        ]
        return ConsumerSnapshot(
            str(self.id),
            self.version,
            self.registered_at,
            self.group_id,
            self.subscriptions,
            tuple(sorted(positions, key=_place)),
            self.committed.all(),
            self.pattern,
            self.assignment,
            self.is_manual,
        )

    @classmethod
    def restore(cls, snapshot: ConsumerSnapshot) -> Consumer:
        """Rebuild from a snapshot."""
        consumer = cls(snapshot.consumer_id)
        consumer.version = snapshot.version
        consumer.registered_at = snapshot.registered_at
        consumer.group_id = snapshot.group_id
        consumer.subscriptions, consumer.pattern = snapshot.subscriptions, snapshot.pattern
        consumer.assignment, consumer.is_manual = snapshot.assignment, snapshot.is_manual
        for position in snapshot.positions:
            consumer._set_position(position.topic, position.topic_id, position.partition, position.offset)
        consumer.committed.restore(snapshot.committed)
        return consumer


def _place(position: ResumedPosition) -> tuple[str, int]:
    return position.topic, position.partition


def _resumed(committed: Iterable[CommittedOffset], among: Sequence[TopicPartition]) -> tuple[ResumedPosition, ...]:
    wanted = set(among)
    return tuple(
        ResumedPosition(item.topic, item.topic_id, item.partition, item.offset)
        for item in committed
        if (item.topic, item.partition) in wanted
    )
