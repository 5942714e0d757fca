"""A consumer as people hold it: polls, remembers what was handed out, commits that and no more."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from odradek_actors.client.consumer_commits import CommittingConsumer
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


class ConsumerHandle(CommittingConsumer):
    """Reads messages. Get one from `ActorSystem.consumer`; for use by one thread at a time.

    Delivery is at least once: what was polled but not committed is delivered again in the next life.
    """

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
            self._buffered = deque(event for event in self._buffered if expression or event.topic in wanted)

    def unsubscribe(self) -> None:
        """Read nothing from now on, and leave the group; commits stay."""
        self._require_open()
        self._let_go_of_all()
        self._ask(Subscribe(self._number, ()))
        self._buffered.clear()

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
        self._assignment = set(wanted)
        self._paused &= self._assignment
        self._buffered.clear()
        self._handed_out.clear()

    @property
    def assignment(self) -> tuple[TopicPartition, ...]:
        """The partitions it reads, as of the last `poll`; empty for a consumer without a group that reads topics."""
        return tuple(sorted(self._assignment))

    def pause(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Have `poll` return nothing of these (topic, partition) pairs until they are resumed, or revoked.

        ConsumerNotAssigned, or ConsumerNotSubscribed, for one that it does not read.
        """
        self._set_paused(self._paused | {checked_place(pair) for pair in partitions})

    def resume(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Have `poll` return messages of these (topic, partition) pairs again; one that is not paused is fine."""
        self._set_paused(self._paused - {checked_place(pair) for pair in partitions})

    @property
    def paused(self) -> tuple[TopicPartition, ...]:
        """The partitions that are paused."""
        return tuple(sorted(self._paused))

    def _set_paused(self, places: set[TopicPartition]) -> None:
        """Give back what is buffered of a partition that is paused now: it is delivered again once it is resumed."""
        self._ask(Pause(self._number, tuple(sorted(places))))
        for place in sorted(places - self._paused):
            first = next((event for event in self._buffered if (event.topic, event.partition) == place), None)
            if first is not None:
                self._ask(SeekTo(self._number, place, self._topic_id, first.offset, "paused"))
        self._buffered = deque(event for event in self._buffered if (event.topic, event.partition) not in places)
        self._paused = places

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
        if not self._buffered:
            self._fill(limit, timeout)
        count = min(limit, len(self._buffered))
        return [self._hand_out(self._buffered.popleft()) for _ in range(count)]

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

        A message counts as handed out, for `commit`, when it is yielded.
        """
        if idle_timeout is not None:
            seconds("idle_timeout", idle_timeout)
        while not self._is_closed:
            if not self._buffered:
                self._fill(self._max_poll_records, 1.0 if idle_timeout is None else idle_timeout)
                if not self._buffered:
                    if idle_timeout is not None:
                        return
                    continue
            yield self._hand_out(self._buffered.popleft())

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return self.messages()

    def _fill(self, max_messages: int, timeout: float) -> None:
        """Poll until there are messages or the time is over."""
        self._require_open()
        self._auto_commit()
        answer = self._poll(max_messages, timeout)
        self._received = max(self._received, answer.number)
        self._buffered.extend(answer.messages)
        self._topic_id = answer.topic_id

    def _poll(self, max_messages: int, timeout: float) -> Delivery:
        """Poll, and do what notices ask for in between."""
        now = self._system.runtime.monotonic
        deadline = now() + timeout
        remaining = timeout
        while True:
            poll = Poll(self._number, self._received, max_messages, remaining, self._noticed)
            name = self._system.runtime.new_id()
            answer = self._system.command(self._stream, poll, correlation_id=name).result(remaining + _GRACE)
            if isinstance(answer, Delivery):
                if answer.messages:
                    self._polled = name
                return answer
            self._take_notice(answer)
            remaining = max(0.0, deadline - now())

    def _take_notice(self, notice: Notice) -> None:
        """Do what a rebalance asks for; the next poll says that it is done, also if the listener raised."""
        self._noticed = notice.number
        if notice.kind == "assigned":
            self._assignment.update(notice.partitions)
            self._listener.on_partitions_assigned(notice.partitions)
            return
        going = tuple(place for place in notice.partitions if place in self._assignment)  # others were revoked before
        try:
            if notice.kind == "revoked":
                self._auto_commit(is_due=True)
            if going and notice.kind == "revoked":
                self._listener.on_partitions_revoked(going)
            elif going:
                self._listener.on_partitions_lost(going)
        finally:
            self._drop(set(notice.partitions))

    def _drop(self, gone: set[TopicPartition]) -> None:
        self._assignment -= gone
        self._paused -= gone
        self._buffered = deque(event for event in self._buffered if (event.topic, event.partition) not in gone)
        self._handed_out.drop(gone)

    def _let_go_of_all(self) -> None:
        """Do what is to be done before partitions are given back of one's own accord."""
        partitions = self.assignment
        self._auto_commit(is_due=True)
        try:
            if partitions and self.group_id is not None:
                self._listener.on_partitions_revoked(partitions)
        finally:
            self._drop(set(partitions))

    def _hand_out(self, event: MessageProduced) -> ConsumerRecord:
        self._handed_out.note(event.topic, event.partition, event.offset, self._topic_id)
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
        for event in self._buffered:
            if (event.topic, event.partition) == (topic, partition):
                return event.offset
        offset: int | None = self._query(PositionOf(TopicPartition(topic, partition)))
        return None if offset is None else int(offset)

    def _seek(self, description: TopicDescription, partition: int, offset: int) -> None:
        self._system.require_partition(description, partition)
        place = TopicPartition(description.name, partition)
        self._ask(SeekTo(self._number, place, description.topic_id, offset))
        self._buffered = deque(event for event in self._buffered if (event.topic, event.partition) != place)
        self._handed_out.drop([place])

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
            self._is_closed = True
            self._system.command(self._stream, CloseConsumer(self._number)).result()
            self._system.forget(self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
