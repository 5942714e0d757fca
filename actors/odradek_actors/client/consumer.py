"""The client-side consumer: polls, tracks which messages it returned, and commits only those."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from odradek_actors.client.consumer_commits import ConsumerCommits
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.uncommitted import checked_pattern, checked_place
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

_GRACE = 10.0  # the actor times a poll out; waiting a little longer here keeps the two from racing


class ConsumerHandle(ConsumerCommits):
    """Reads messages. Get one from `ActorSystem.consumer`; for use by one thread at a time.

    Delivery is at least once: what was polled but not committed is delivered again when the consumer is opened again.
    A call that is interrupted (by Ctrl-C, say) loses no message: one counts as returned only if `poll` returned it.
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
        """Read exactly these topics from now on, instead of the earlier ones; or those whose whole name fits a pattern.

        One that does not exist yet is read once it does. In a group the partitions are shared out among its consumers,
        beginning with the next `poll`; `listener` hears of what comes and goes. A consumer that is opened again keeps
        its subscription. SubscriptionConflict after `assign`, and between names and a pattern: unsubscribe first.
        """
        wanted = tuple(str(TopicName(topic)) for topic in names("topics", topics))
        expression = None if pattern is None else checked_pattern(pattern)
        if wanted and expression is not None:
            raise ValueError("subscribe takes topics or a pattern, not both")
        if not wanted and expression is None:
            self.unsubscribe()
            return
        self._ask(Subscribe(self._number, wanted, expression))
        self._listener = listener or RebalanceListener()
        if self.group_id is None:
            self._keep(lambda event: expression is not None or event.topic in wanted)

    def unsubscribe(self) -> None:
        """Read nothing from now on, and leave the group; commits stay."""
        self._require_open()
        self._let_go_of_all()
        self._ask(Subscribe(self._number, ()))
        self._keep(lambda _: False)

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Read exactly these (topic, partition) pairs from now on, instead of earlier ones, from what is committed on.

        Nothing is shared out: in a group, this consumer is no member, and may commit only while there are none.
        SubscriptionConflict after `subscribe`: unsubscribe first.
        """
        wanted = tuple(sorted({checked_place(pair) for pair in partitions}))
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
        """The partitions it reads, as of the last `poll`; empty for a consumer without a group that reads topics."""
        return tuple(sorted(self._reading.assignment))

    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Have `poll` return nothing of these (topic, partition) pairs until they are resumed, or revoked.

        ConsumerNotAssigned, or ConsumerNotSubscribed, for one that it does not read.
        """
        self._set_paused(self._reading.paused | {checked_place(pair) for pair in partitions})

    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Have `poll` return messages of these (topic, partition) pairs again; one that is not paused is fine."""
        self._set_paused(self._reading.paused - {checked_place(pair) for pair in partitions})

    @property
    def paused(self) -> tuple[TopicPartition, ...]:
        """The partitions that are paused."""
        return tuple(sorted(self._reading.paused))

    def _set_paused(self, places: frozenset[TopicPartition]) -> None:
        """Give back what is buffered of a partition that is paused now: it is delivered again once it is resumed."""
        self._ask(Pause(self._number, tuple(sorted(places))))
        reading = self._reading
        for place in sorted(places - reading.paused):
            first = next((event for event in reading.waiting if (event.topic, event.partition) == place), None)
            if first is not None:
                self._ask(SeekTo(self._number, place, reading.topic_id, first.offset, "paused"))
        self._keep(lambda event: (event.topic, event.partition) not in places, paused=places)

    @property
    def subscription(self) -> tuple[str, ...]:
        """The topics it subscribed to; with a pattern and without a group, those that match it."""
        topics: tuple[str, ...] = self._query(DescribeConsumer()).subscriptions
        return topics

    # -- reading ------------------------------------------------------------------------------------------------------

    def poll(self, max_messages: int | None = None, timeout: float = 1.0) -> list[ConsumerRecord]:
        """Return up to `max_messages` that come next, waiting up to `timeout` seconds for the first; may be empty.

        Within a partition messages come in the order of their offsets; between partitions and topics there is no order,
        and each gets its turn. Fewer than `max_messages` (by default max_poll_records) does not mean that there are no
        more. Each delivery is recorded (MessageConsumed) before it is returned; only `commit` moves where the next life
        begins. In a group this is also where joining and rebalancing go on, and where the listener is called. Raises
        ConsumerNotSubscribed, and with auto_offset_reset "none" NoCommittedOffset or OffsetNotFound.
        """
        limit = self._max_poll_records if max_messages is None else whole_number("max_messages", max_messages, 1)
        seconds("timeout", timeout)
        self._require_open()
        if not self._reading.waiting:
            self._fill(limit, timeout)
        reading = self._reading
        end = min(reading.taken + limit, len(reading.buffered))
        records = [_record(event) for event in reading.buffered[reading.taken : end]]
        reading.taken = end  # from here on the messages count as returned: nothing may come in between
        return records

    def wait_for_assignment(self, timeout: float = 30.0) -> tuple[TopicPartition, ...]:
        """Poll for no messages, until the group has given this consumer its share; return the share, perhaps empty.

        RequestTimedOut after `timeout` seconds, as when another member holds the rebalance up by not polling. For
        tests, and for who polls with a time-out of 0: such a poll does not wait until the group has shared out.
        """
        seconds("timeout", timeout)
        try:
            self._fill(0, timeout)
        except RequestTimedOut as error:
            raise RequestTimedOut(timeout) from error
        return self.assignment

    def messages(self, idle_timeout: float | None = None) -> Iterator[ConsumerRecord]:
        """Yield messages one by one as they come, for ever, or until none came for `idle_timeout` seconds.

        A message counts as returned, for `commit`, when it is yielded.
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
        """Poll until there are messages or the time is over."""
        self._require_open()
        self._auto_commit()
        answer, correlation_id = self._poll(max_messages, timeout)
        if answer.messages and not self._reading.waiting:  # otherwise the next poll gets it
            self._uncommitted.count(self._reading)
            self._reading = self._reading.with_delivery(answer, correlation_id)

    def _poll(self, max_messages: int, timeout: float) -> tuple[Delivery, str]:
        """Poll, and do what notices ask for in between; return the delivery and the poll's correlation id."""
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
        """Do what a rebalance asks for; the next poll confirms it, also if the listener raised.

        Interrupted before the listener was called, the next poll gets the notice again.
        """
        if notice.kind == "assigned":
            self._reading = self._reading.replaced(assignment=self._reading.assignment | {*notice.partitions})
            try:
                self._listener.on_partitions_assigned(notice.partitions)
            finally:
                self._reading = self._reading.replaced(noticed=notice.number)
            return
        assignment = self._reading.assignment
        going = tuple(place for place in notice.partitions if place in assignment)  # others were revoked before
        if notice.kind == "revoked":
            self._auto_commit(is_due=True)
        try:
            if going and notice.kind == "revoked":
                self._revoke(going)
            elif going:
                self._listener.on_partitions_lost(going)
        finally:
            self._drop({*notice.partitions}, noticed=notice.number)

    def _let_go_of_all(self) -> None:
        """Prepare to give all partitions back: commit if auto-commit is on, and call the listener."""
        partitions = self.assignment
        self._auto_commit(is_due=True)
        try:
            if partitions and self.group_id is not None:
                self._revoke(partitions)
        finally:
            self._drop({*partitions})

    def _revoke(self, partitions: tuple[TopicPartition, ...]) -> None:
        """Call the listener, unless it is the listener that closes or unsubscribes: it has heard of the partitions."""
        if self._is_revoking:
            return
        try:
            self._is_revoking = True
            self._listener.on_partitions_revoked(partitions)
        finally:
            self._is_revoking = False

    def _drop(self, gone: set[TopicPartition], **changes: int) -> None:
        """Forget partitions that this consumer no longer reads."""
        self._uncommitted.count(self._reading)
        self._uncommitted.drop(gone)
        assignment, paused = self._reading.assignment - gone, self._reading.paused - gone
        self._keep(
            lambda event: (event.topic, event.partition) not in gone, assignment=assignment, paused=paused, **changes
        )

    def _keep(self, is_wanted: Callable[[MessageProduced], bool], **changes: Any) -> None:
        """Keep of the buffered messages only those that are still wanted."""
        self._uncommitted.count(self._reading)
        self._reading = self._reading.keeping(filter(is_wanted, self._reading.waiting), **changes)

    # -- positions and commits ----------------------------------------------------------------------------------------

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue a partition at `offset`; one out of range is dealt with by auto_offset_reset at the next poll.

        The topic must exist (TopicNotFound, PartitionNotFound) and be subscribed (ConsumerNotSubscribed). Commits
        nothing.
        """
        whole_number("partition", partition)
        whole_number("offset", offset)
        description: TopicDescription = self._system.describe_topic(topic)
        self._seek(description, partition, offset)

    def seek_to_beginning(self, topic: str) -> None:
        """Continue every partition of a topic at its first readable message."""
        description = self._system.describe_topic(topic)
        for partition in description.partitions:
            self._seek(description, partition.id, partition.log_start_offset)

    def seek_to_end(self, topic: str) -> None:
        """Continue every partition of a topic behind its last message."""
        description = self._system.describe_topic(topic)
        for partition in description.partitions:
            self._seek(description, partition.id, partition.high_watermark)

    def position(self, topic: str, partition: int) -> int | None:
        """Return the offset of the next message `poll` will return, or None before the first poll or seek."""
        self._require_open()
        for event in self._reading.waiting:
            if (event.topic, event.partition) == (topic, partition):
                return event.offset
        offset: int | None = self._query(PositionOf(TopicPartition(topic, partition)))
        return None if offset is None else int(offset)

    def _seek(self, description: TopicDescription, partition: int, offset: int) -> None:
        self._system.require_partition(description, partition)
        place = TopicPartition(description.name, partition)
        self._ask(SeekTo(self._number, place, description.topic_id, offset))
        self._keep(lambda event: (event.topic, event.partition) != place)
        self._uncommitted.drop([place])

    # -- closing ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Leave the group and free the id; commits nothing, unless auto-commit is on. Closing twice is fine.

        A static member (group_instance_id) leaves when its session ends, unless it comes back before.
        """
        if self._is_closed:
            return
        if self._system.is_closed:
            self._is_closed = True
            return
        try:
            self._let_go_of_all()
        finally:
            if not self._is_closed:  # by the listener, in between
                closed = self._system.command(self._stream, CloseConsumer(self._number))
                self._is_closed = True
                closed.result()
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
