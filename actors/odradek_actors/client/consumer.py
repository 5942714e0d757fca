"""The client-side consumer: polls, tracks which messages it returned, and commits only those."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from odradek_actors.client.consumer_commits import ConsumerCommits
from odradek_actors.client.rebalance_listener import RebalanceListener, check_listener
from odradek_actors.client.uncommitted import checked_pattern, checked_place, checked_places
from odradek_actors.errors import RequestTimedOut
from odradek_actors.messages.consumers import (
    Assign,
    CloseConsumer,
    ConsumerRecord,
    Delivery,
    DescribeConsumer,
    Notice,
    Pause,
    Poll,
    PositionOf,
    SeekTo,
    Subscribe,
)
from odradek_actors.messages.topics import TopicDescription
from odradek_actors.validation import names, seconds, whole_number
from odradek_domain.values.names import TopicName
from odradek_domain.values.positions import TopicPartition
from odradek_events.types import MessageProduced

__all__ = ["ConsumerHandle"]

_GRACE = 10.0  # seconds: the actor enforces the poll's timeout, so the handle waits a little longer


class ConsumerHandle(ConsumerCommits):
    """Reads messages. Get one from `ActorSystem.consumer`. Not thread-safe: use it from one thread at a time.

    Delivery is at least once: uncommitted messages are delivered again after the consumer is reopened. An interrupted
    call (for example by Ctrl-C) loses no messages: a message counts as returned only if `poll` returned it.
    """

    _is_revoking = False

    # -- subscribing --------------------------------------------------------------------------------------------------

    def subscribe(
        self,
        topics: Iterable[str] = (),
        *,
        pattern: str | re.Pattern[str] | None = None,
        listener: RebalanceListener | None = None,
    ) -> None:
        """Subscribe to these topics, or to all topics whose full name matches a pattern. Replaces the subscription.

        A topic that does not exist yet is read once it is created. In a group, the partitions are assigned to the
        group's consumers during their next polls, and `listener` is called when this consumer's assignment changes. A
        reopened consumer keeps its subscription. A pattern is RE2's: InvalidPattern if it has look-arounds or
        back-references. Raises SubscriptionConflict after `assign`, and when changing between names and a pattern: call
        `unsubscribe` first.
        """
        wanted = tuple(str(TopicName(topic)) for topic in names("topics", topics))
        expression = None if pattern is None else checked_pattern(pattern)
        if wanted and expression is not None:
            raise ValueError("subscribe takes topics or a pattern, not both")
        if not wanted and expression is None:
            self.unsubscribe()
            return
        if listener is not None:
            check_listener(listener)
        self._ask(Subscribe(self._number, wanted, expression))
        self._listener = listener or RebalanceListener()
        if self.group_id is None:
            self._keep(lambda event: expression is not None or event.topic in wanted)

    def unsubscribe(self) -> None:
        """Remove the subscription or assignment and leave the group; committed offsets are kept."""
        self._require_open()
        self._system.runtime.refuse_to_wait()
        self._revoke_all()
        self._ask(Subscribe(self._number, ()))
        self._keep(lambda _: False)

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Read exactly these (topic, partition) pairs, starting at the committed offsets. Replaces the assignment.

        The consumer is then not a member of its group, and can commit to the group only while the group has no members.
        Raises SubscriptionConflict after `subscribe`: call `unsubscribe` first.
        """
        wanted = tuple(sorted(checked_places(partitions)))
        if not wanted:
            self.unsubscribe()
            return
        self._ask(Assign(self._number, wanted))
        assignment = frozenset(wanted)
        self._uncommitted.count(self._reading)
        self._uncommitted.clear()
        self._reading = self._reading.keeping((), assignment=assignment, paused=self._reading.paused & assignment)

    @property
    def assignment(self) -> tuple[TopicPartition, ...]:
        """The assigned partitions as of the last `poll`; empty for a consumer without a group that subscribed."""
        return tuple(sorted(self._reading.assignment))

    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Stop `poll` from returning messages of these (topic, partition) pairs until they are resumed or revoked.

        Raises ConsumerNotAssigned or ConsumerNotSubscribed for a partition that the consumer does not read.
        """
        self._set_paused(self._reading.paused | checked_places(partitions))

    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Let `poll` return messages of these (topic, partition) pairs again. Pairs that are not paused are ignored."""
        self._set_paused(self._reading.paused - checked_places(partitions))

    @property
    def paused(self) -> tuple[TopicPartition, ...]:
        """The paused partitions."""
        return tuple(sorted(self._reading.paused))

    def _set_paused(self, places: frozenset[TopicPartition]) -> None:
        """Pause exactly these partitions; seek newly paused ones back to their first buffered message.

        The buffered messages are dropped, and delivered again once the partition is resumed.
        """
        self._ask(Pause(self._number, tuple(sorted(places))))
        reading = self._reading
        for place in sorted(places - reading.paused):
            first = next((event for event in reading.waiting if (event.topic, event.partition) == place), None)
            if first is not None:
                self._ask(SeekTo(self._number, place, reading.topic_id, first.offset, "paused"))
        self._keep(lambda event: (event.topic, event.partition) not in places, paused=places)

    @property
    def subscription(self) -> tuple[str, ...]:
        """The subscribed topics; for a pattern without a group, the topics that match it."""
        topics: tuple[str, ...] = self._query(DescribeConsumer()).subscriptions
        return topics

    # -- reading ------------------------------------------------------------------------------------------------------

    def poll(self, max_messages: int | None = None, timeout: float = 1.0) -> list[ConsumerRecord]:
        """Return the next messages, at most `max_messages`; wait up to `timeout` seconds for the first, else return [].

        Messages of one partition come in offset order. There is no order across partitions and topics; each gets its
        turn. A result shorter than `max_messages` (default: max_poll_records) does not mean that no more messages are
        available. Each delivery is recorded in the log (MessageConsumed) before it is returned, but only `commit` moves
        the offset at which a reopened consumer resumes. In a group, `poll` also joins, takes part in rebalances and
        calls the listener. Raises ConsumerNotSubscribed; with auto_offset_reset "none" also NoCommittedOffset or
        OffsetNotFound.
        """
        limit = self._max_poll_records if max_messages is None else whole_number("max_messages", max_messages, 1)
        seconds("timeout", timeout)
        self._require_open()
        if not self._reading.waiting:
            self._fill(limit, timeout)
        reading = self._reading
        end = min(reading.taken + limit, len(reading.buffered))
        records = [_record(event) for event in reading.buffered[reading.taken : end]]
        reading.taken = end  # marks the messages as returned, so nothing may run between this store and the return
        return records

    def wait_for_assignment(self, timeout: float = 30.0) -> tuple[TopicPartition, ...]:
        """Join the group without reading messages, wait until it has assigned partitions, and return them.

        Raises RequestTimedOut after `timeout` seconds, for example if another member delays the rebalance by not
        polling. Useful in tests, and for consumers that poll with a timeout of 0, which does not wait for a rebalance.
        """
        seconds("timeout", timeout)
        try:
            self._fill(0, timeout)
        except RequestTimedOut as error:
            raise RequestTimedOut(timeout) from error
        return self.assignment

    def messages(self, idle_timeout: float | None = None) -> Iterator[ConsumerRecord]:
        """Yield messages one at a time, without end, or until none arrives for `idle_timeout` seconds.

        `commit` covers a message once it has been yielded.
        """
        if idle_timeout is not None:
            seconds("idle_timeout", idle_timeout)
        while not self._is_closed:
            if self._reading.taken >= len(self._reading.buffered):
                self._fill(self._max_poll_records, 1.0 if idle_timeout is None else idle_timeout)
                if not self._reading.waiting:
                    if idle_timeout is not None:
                        return
                    continue
            reading = self._reading
            record = _record(reading.buffered[reading.taken])
            reading.taken += 1
            yield record

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return self.messages()

    def _fill(self, max_messages: int, timeout: float) -> None:
        """Poll the actor until messages arrive or the timeout expires, and buffer the delivery."""
        self._require_open()
        self._auto_commit()
        answer, correlation_id = self._poll(max_messages, timeout)
        if answer.messages and not self._reading.waiting:  # otherwise the actor sends it again with the next poll
            self._uncommitted.count(self._reading)
            self._reading = self._reading.with_delivery(answer, correlation_id)

    def _poll(self, max_messages: int, timeout: float) -> tuple[Delivery, str]:
        """Poll, handling rebalance notices until a delivery arrives; return it with the poll's correlation id."""
        now = self._system.runtime.monotonic
        deadline = now() + timeout
        remaining = timeout
        while True:
            self._require_open()  # the listener may have closed it
            poll = Poll(self._number, self._reading.received, max_messages, remaining, self._reading.noticed)
            name = self._system.runtime.new_id()
            answer = self._system.command(self._stream, poll, correlation_id=name).result(remaining + _GRACE)
            if isinstance(answer, Delivery):
                return answer, name
            self._take_notice(answer)
            remaining = max(0.0, deadline - now())

    def _take_notice(self, notice: Notice) -> None:
        """Update the assignment and call the listener. The next poll acknowledges the notice, even after an exception.

        If this is interrupted before it calls the listener, the next poll receives the notice again.
        """
        if notice.kind == "assigned":
            self._reading = self._reading.replaced(assignment=self._reading.assignment | {*notice.partitions})
            try:
                self._listener.on_partitions_assigned(notice.partitions)
            finally:
                self._reading = self._reading.replaced(noticed=notice.number)
            return
        assignment = self._reading.assignment
        going = tuple(place for place in notice.partitions if place in assignment)  # the others are already revoked
        if notice.kind == "revoked":
            self._auto_commit(is_due=True)
        try:
            if going and notice.kind == "revoked":
                self._revoke(going)
            elif going:
                self._listener.on_partitions_lost(going)
        finally:
            self._drop({*notice.partitions}, noticed=notice.number)

    def _revoke_all(self) -> None:
        """Revoke all partitions: commit if auto-commit is on, call the listener, drop the buffered messages."""
        partitions = self.assignment
        self._auto_commit(is_due=True)
        try:
            if partitions and self.group_id is not None:
                self._revoke(partitions)
        finally:
            self._drop({*partitions})

    def _revoke(self, partitions: tuple[TopicPartition, ...]) -> None:
        """Call the listener, unless the listener itself called `close` or `unsubscribe` and so knows already."""
        if self._is_revoking:
            return
        try:
            self._is_revoking = True
            self._listener.on_partitions_revoked(partitions)
        finally:
            self._is_revoking = False

    def _drop(self, gone: set[TopicPartition], **changes: int) -> None:
        """Drop the state and buffered messages of partitions that this consumer no longer reads."""
        self._uncommitted.count(self._reading)
        self._uncommitted.drop(gone)
        assignment, paused = self._reading.assignment - gone, self._reading.paused - gone
        self._keep(
            lambda event: (event.topic, event.partition) not in gone, assignment=assignment, paused=paused, **changes
        )

    def _keep(self, is_wanted: Callable[[MessageProduced], bool], **changes: Any) -> None:
        """Drop the buffered messages that are no longer wanted."""
        self._uncommitted.count(self._reading)
        self._reading = self._reading.keeping(filter(is_wanted, self._reading.waiting), **changes)

    # -- positions and commits ----------------------------------------------------------------------------------------

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Set the offset of the next message to read. Out of range, auto_offset_reset applies at the next poll.

        Does not commit. Raises TopicNotFound, PartitionNotFound, or ConsumerNotSubscribed for another topic.
        """
        whole_number("partition", partition)
        whole_number("offset", offset)
        description: TopicDescription = self._system.describe_topic(topic)
        self._seek(description, partition, offset)

    def seek_to_beginning(self, topic: str) -> None:
        """Seek to the first readable message of every partition of a topic."""
        description = self._system.describe_topic(topic)
        for partition in description.partitions:
            self._seek(description, partition.id, partition.log_start_offset)

    def seek_to_end(self, topic: str) -> None:
        """Seek to the end of every partition of a topic, so that only later messages are read."""
        description = self._system.describe_topic(topic)
        for partition in description.partitions:
            self._seek(description, partition.id, partition.high_watermark)

    def position(self, topic: str, partition: int) -> int | None:
        """Return the offset of the next message `poll` will return, or None before the first poll or seek."""
        place = checked_place((topic, partition))
        self._require_open()
        for event in self._reading.waiting:
            if (event.topic, event.partition) == place:
                return event.offset
        offset: int | None = self._query(PositionOf(place))
        return None if offset is None else int(offset)

    def _seek(self, description: TopicDescription, partition: int, offset: int) -> None:
        self._system.require_partition(description, partition)
        place = TopicPartition(description.name, partition)
        self._ask(SeekTo(self._number, place, description.topic_id, offset))
        self._keep(lambda event: (event.topic, event.partition) != place)
        self._uncommitted.drop([place])

    # -- closing ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Leave the group and release the consumer id. Commits only if auto-commit is on. Idempotent.

        A static member (group_instance_id) leaves only when its session expires without a rejoin.
        """
        if self._is_closed:
            return
        if self._system.is_closed:
            self._is_closed = True
            return
        self._system.runtime.refuse_to_wait()
        try:
            self._revoke_all()
        finally:
            if not self._is_closed:  # the listener may have called close
                closed = self._system.command(self._stream, CloseConsumer(self._number))
                self._is_closed = True
                try:
                    closed.result()
                except Exception:
                    self._is_closed = False  # call it again
                    raise
                self._system.forget(self._stream)

    def __repr__(self) -> str:
        group = "" if self.group_id is None else f" in group {self.group_id!r}"
        return f"<ConsumerHandle {self.consumer_id!r}{group}{', closed' if self._is_closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _record(event: MessageProduced) -> ConsumerRecord:
    return ConsumerRecord(
        event.topic,
        event.partition,
        event.offset,
        event.key,
        event.value,
        event.headers,
        event.timestamp,
        event.message_id,
    )
