"""A consumer's life under a handle: opening, its group, committing, closing. Polling is the subclass's."""

from __future__ import annotations

from typing import Any

from odradek_actors.consumer_protocol import (
    CloseConsumer,
    CommitGroupOffsets,
    CommitOffsets,
    CommittedOf,
    Delivery,
    GetCommitted,
    JoinGroup,
    LeaveGroup,
    OpenConsumer,
)
from odradek_actors.event_sourced import EventSourcedActor
from odradek_actors.protocol import Command, LookUp, Query
from odradek_actors.recovery_protocol import SnapshotSchema
from odradek_domain.consumer import Consumer, ConsumerSnapshot
from odradek_domain.errors import ConsumerAlreadyOpen, ConsumerNotPositioned, OffsetNotFound
from odradek_domain.offsets import CommittedOffset, OffsetToCommit
from odradek_domain.positions import TopicPartition

__all__ = ["ConsumerMember"]


class ConsumerMember(EventSourcedActor[Consumer]):
    """Owns one Consumer aggregate, and asks its group on its behalf."""

    snapshot_schema = SnapshotSchema("consumer", 1, ConsumerSnapshot)

    _handle: int | None = None
    _reset_policy = "earliest"

    def initial_state(self) -> Consumer:
        """Return a consumer that was never registered; what is volatile survives a recovery in place."""
        if not hasattr(self, "_sought"):
            self._delivery = Delivery(0, ())
            self._sought: set[TopicPartition] = set()  # moved on purpose since the last commit
        return Consumer(self.id)

    def _end_poll(self) -> None:
        """Answer the poll under way, if there is one, with nothing."""

    # -- opening and closing ------------------------------------------------------------------------------------------

    def _open(self, command: Command, wanted: OpenConsumer) -> None:
        if self._handle is not None:
            self.reply(command, ConsumerAlreadyOpen(self.id))
            return
        self._handle = wanted.handle
        self._reset_policy = wanted.auto_offset_reset
        self._delivery = Delivery(0, ())
        self._sought.clear()

        def joined(committed: Any) -> None:
            if isinstance(committed, Exception):
                self._handle = None
                self.reply(command, committed)
            elif self.is_ready:
                resume(committed)
            else:  # recovering meanwhile
                self._handle = None
                self._when_ready(command)

        def resume(committed: tuple[CommittedOffset, ...]) -> None:
            now, consumer = self.runtime.now(), self.state
            events: list[Any] = list(consumer.register(wanted.group_id, now))
            if consumer.is_registered or committed:
                events.append(consumer.resume(committed, now))
            self.persist(events, (command,), lambda _: self.reply(command, None))

        if wanted.group_id is None:
            resume(self.state.committed.all())
        else:
            self._ask_group(wanted.group_id, JoinGroup(self.id), joined, command)

    def _close(self, command: Command, wanted: CloseConsumer) -> None:
        if wanted.handle == self._handle:
            self._end_poll()
            self._handle = None
            self._leave(command, self.state.group_id, None)
        else:
            self.reply(command, None)

    def _leave(self, command: Command, group_id: str | None, answer: Exception | None) -> None:
        """Answer once the group, if there is one, is free for others."""
        if group_id is None:
            self.reply(command, answer)
        else:
            self._ask_group(group_id, LeaveGroup(self.id), lambda _: self.reply(command, answer), command)

    # -- committing ---------------------------------------------------------------------------------------------------

    def _commit(self, command: Command, wanted: CommitOffsets) -> None:
        offsets = tuple(
            self._to_commit(partition, offset)
            for partition, offset, topic_id in wanted.offsets
            if topic_id in (None, self.state.topic_id(partition.topic))
        )
        group_id = self.state.group_id

        def committed(answer: Any) -> None:
            if not isinstance(answer, Exception):
                self._sought.difference_update(partition for partition, _, _ in wanted.offsets)
            self.reply(command, None if not isinstance(answer, Exception) else answer)

        if group_id is None:
            now = self.runtime.now()
            events = [event for offset in offsets for event in self.state.commit_offset(offset, now)]
            self.persist(events, (command,), lambda _: committed(None))
        else:
            self._ask_group(group_id, CommitGroupOffsets(self.id, offsets), committed, command)

    def _to_commit(self, partition: TopicPartition, offset: int) -> OffsetToCommit:
        """Allow what was delivered, and no more: a commit beyond the position would skip messages."""
        position = self.state.get_current_offset(partition)
        if position is None:
            raise ConsumerNotPositioned(self.id, partition.topic, partition.partition)
        if offset > position:
            raise OffsetNotFound(partition.topic, partition.partition, offset, 0, position)
        return self.state.to_commit(partition, offset, is_reset=partition in self._sought)

    def _committed(self, then: Any) -> None:
        if self.state.group_id is None:
            then(self.state.committed.all())
        else:
            self._ask_group(self.state.group_id, GetCommitted(), then, None)

    def _ask_group(self, group_id: str, body: object, then: Any, command: Command | None) -> None:
        def found(ref: Any) -> None:
            if isinstance(ref, Exception):
                then(ref)
            else:
                self.request(ref, body, then, command=command)

        self.request(self.context.directory, LookUp(f"group/{group_id}"), found)

    def handle_query(self, query: Query) -> None:
        """Answer what concerns committed offsets from the group, if there is one."""
        if not isinstance(query.body, CommittedOf):
            super().handle_query(query)
            return
        partition, topic_id = query.body.partition, query.body.topic_id

        def found(committed: Any) -> None:
            if isinstance(committed, Exception):
                self.reply(query, committed)
            else:
                offsets = [
                    item.offset
                    for item in committed
                    if (item.topic, item.partition) == partition and topic_id in (None, item.topic_id)
                ]
                self.reply(query, offsets[0] if offsets else None)

        self._committed(found)
