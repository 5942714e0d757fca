"""Serves a consumer's poll: fetches messages, records the delivery, replies with it.

The consumer serves one poll at a time. It fetches from one topic after another, starting with a different one each
time. If all are empty, it sends each a fetch that waits for messages. Each round of fetches has a number, and answers
to an earlier round (for example before a seek) are dropped. Only this actor times a poll out.

Rebalances also take place in polls (see `membership`): a poll is answered by a Notice when the assignment changes.

A delivery is recorded (MessageConsumed) before it is sent. If the reply is lost, the next poll names an older delivery,
and the same delivery is sent again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from odradek_actors.base.deadline_timer import DeadlineTimer
from odradek_actors.consumer.membership import GroupMembership
from odradek_actors.errors import ActorStopped, RequestTimedOut
from odradek_actors.messages.consumers import (
    Delivery,
    Poll,
)
from odradek_actors.messages.core import Command, LookUp
from odradek_actors.messages.topics import Fetch, FetchResult
from odradek_domain.errors import (
    DomainError,
    NoCommittedOffset,
    OffsetNotFound,
    PartitionNotFound,
)
from odradek_domain.values.positions import TopicPartition
from odradek_events.types import MessageProduced

__all__ = ["ConsumerPolling"]

# Seconds that a poll waits beyond its timeout for a fetch in progress. Reading old messages can take longer than a
# short timeout, and polls that ended before would never return any.
_DUE_WITHIN = 5.0


class ConsumerPolling(GroupMembership):
    """Serves the current poll of one Consumer."""

    def start_volatile(self) -> None:
        """Set the state that survives a recovery in place."""
        super().start_volatile()
        self._refs: dict[str, Any] = {}
        self._poll: Command | None = None
        self._round = 0
        self._turn = 0
        self._to_ask: list[str] = []
        self._fetches: set[int] = set()  # request numbers of the fetches since the last poll was answered
        self._asked: str | None = None  # the topic of the pending fetch, if that fetch does not wait
        self._deadline = 0.0  # of the poll
        self._deadline_timer = DeadlineTimer(self, "poll")
        self._delivering: Delivery | None = None
        self._last_delivered: dict[str, int] = {}  # the last delivered partition of each topic
        self._not_there: set[TopicPartition] = set()  # assigned, but missing in the topic
        self._is_new_turn = True
        self._must_match = False  # topics may have changed since the pattern was matched

    def _keep_of_delivery(self, is_wanted: Callable[[MessageProduced], bool]) -> None:
        """Keep the wanted messages of an unacknowledged delivery to send it again: positions are already past it."""
        delivery = self._delivery
        self._delivery = Delivery(delivery.number, tuple(filter(is_wanted, delivery.messages)), delivery.topic_id)

    # -- polling ------------------------------------------------------------------------------------------------------

    def _begin_poll(self, command: Command, poll: Poll) -> None:
        self._end_poll()
        self._polled_at = self.runtime.monotonic()
        self._acknowledge(poll.noticed)
        self.state.require_subscribed()
        if poll.received < self._delivery.number and self._delivery.messages:
            self.reply(command, self._delivery)
            return
        self._poll = command
        self._deadline = self.runtime.monotonic() + poll.timeout
        if poll.timeout > 0:
            self._deadline_timer.wake_in(poll.timeout)
        self._go_on_polling()

    def _go_on_polling(self) -> None:
        """Take the next step for the current poll: first for the membership, then fetch."""
        if not self.is_ready or self._is_held or self._settle():
            return
        self._before_polling()
        if self._poll is None:
            return
        if self._is_group_managed and not self._notices:
            self._join_if_needed(self._poll)
        if self._notices:
            self._answer_poll(self._next_notice())
        elif self._poll is not None and self._poll.body.max_messages:
            self._fetch_on()
        elif self._poll is not None and (self._poll.body.timeout <= 0 or not self._is_awaiting_share):
            self._end_poll_in_time()  # a poll for 0 messages waits only for the assignment

    @property
    def _is_awaiting_share(self) -> bool:
        return self._is_group_managed and self._stage != "member"

    def _before_polling(self) -> None:
        """Do the work that waits for the actor to be ready, with or without a poll."""

    def _answer_poll(self, answer: object) -> None:
        if self._poll is not None:
            self.reply(self._poll, answer)
        self._poll = None
        self._polled_at = self.runtime.monotonic()
        self._drop_fetches()

    def _drop_fetches(self) -> None:
        self._round = self.runtime.new_number()
        self._asked = None
        self._is_new_turn = True
        while self._fetches:
            self.withdraw(self._fetches.pop())

    @property
    def _is_polling(self) -> bool:
        return self._poll is not None

    def _poll_timed_out(self) -> None:
        if self._poll is None or self._poll.body.timeout <= 0:
            return
        remaining = self._deadline - self.runtime.monotonic()
        if remaining > 0:
            self._deadline_timer.wake_in(remaining)
        elif (self._asked is not None and remaining > -_DUE_WITHIN) or (
            self._appending is not None and self._poll in self._appending.commands
        ):
            self._deadline_timer.wake_in(self.settings.retry_backoff)  # the topic or the journal is about to answer
        else:
            self._end_poll_in_time()

    def _end_poll_in_time(self) -> None:
        """Answer the timed-out poll with no messages; with RequestTimedOut if it waited only for an assignment."""
        poll = self._poll
        if poll is not None and not poll.body.max_messages and self._is_awaiting_share:
            self._refuse_poll(RequestTimedOut(poll.body.timeout))
        else:
            self._end_poll()

    def _end_poll(self) -> None:
        """Answer the current poll, if any, with no messages."""
        self._answer_poll(None if self._poll is None else Delivery(self._poll.body.received, ()))

    def _refuse_poll(self, error: Exception) -> None:
        self._answer_poll(error)

    def _fetch_on(self) -> None:
        """Fetch from one topic after another; repeat an interrupted fetch first."""
        if self._is_new_turn:
            self._ask_in_turn()
            return
        if self._asked is not None:
            self._to_ask.insert(0, self._asked)
        self._ask_next()

    def _ask_in_turn(self) -> None:
        self._is_new_turn = False
        topics = self._topics()
        self._turn += 1
        first = self._turn % max(1, len(topics))
        self._to_ask = [*topics[first:], *topics[:first]]
        self._ask_next()

    def _ask_next(self) -> None:
        """Fetch from the next topic without waiting; after the last, send all of them a fetch that waits."""
        if self._poll is None:
            return
        self._round = self.runtime.new_number()
        topics = self._topics()
        if self._to_ask:
            self._fetch(self._to_ask.pop(0), wait=False)
            return
        if self._poll.body.timeout <= 0:
            self._end_poll()
            return
        for topic in topics:
            self._fetch(topic, wait=True)

    def _fetch(self, topic: str, wait: bool) -> None:
        number = self._round
        self._asked = None if wait else topic

        def fetched(result: Any) -> None:
            if number == self._round and self._poll is not None and self.is_ready:
                self._asked = None
                self._fetched(topic, result)
            # else: an earlier round; or an append or a recovery is in progress, after which the fetch is repeated

        def found(ref: Any) -> None:
            if isinstance(ref, Exception):
                if number == self._round:
                    self._refuse_poll(ref)
                return
            self._refs[topic] = ref
            if number == self._round:
                self._fetches.add(self.request(ref, self._fetch_body(topic, wait), fetched))

        ref = self._refs.get(topic)
        if ref is None:
            self.request(self.context.directory, LookUp(f"topic/{topic}"), found)
        else:
            found(ref)

    def _topics(self) -> tuple[str, ...]:
        """The topics to fetch from."""
        if self.state.assignment is None:
            return self.state.subscriptions if not self._is_group_managed else ()
        wanted = (place.topic for place in self.state.assignment if place not in self._paused | self._not_there)
        return tuple(dict.fromkeys(wanted))

    def _fetch_body(self, topic: str, wait: bool) -> Fetch:
        known = self.state.positions(topic)
        partition_count, needs_bounds = len(known), False
        if self.state.assignment is not None:
            mine = [place for place in self.state.assignment if place.topic == topic and place not in self._not_there]
            needs_bounds = any(place.partition not in known for place in mine)
        positions = sorted(item for item in known.items() if (topic, item[0]) not in self._paused)
        turn = bisect_right(positions, self._last_delivered.get(topic, -1), key=itemgetter(0))
        positions = positions[turn:] + positions[:turn]
        poll: Poll = self._poll.body if self._poll is not None else Poll(0, 0, 0, 0)
        return Fetch(
            self.id,
            self.state.topic_id(topic),
            tuple(positions),
            poll.max_messages,
            self.settings.fetch_bytes,
            wait,
            partition_count if self.state.assignment is None else None,
            needs_bounds,
        )

    def _fetched(self, topic: str, result: Any) -> None:
        poll = self._poll
        assert poll is not None, "the caller drops answers without a poll"
        if isinstance(result, ActorStopped):
            self._refs.pop(topic, None)  # a new actor will answer
            self._to_ask.insert(0, topic)
            self._ask_next()
            return
        if isinstance(result, Exception):
            self._refuse_poll(result)
            return
        assert isinstance(result, FetchResult)
        if result.messages:
            self._deliver(poll, result)
            return
        try:
            resets = self._resets(topic, result)
        except DomainError as error:
            self._refuse_poll(error)
            return
        if resets:
            self._to_ask.insert(0, topic)
            self.persist(resets, (poll,), lambda _: None)  # on_ready repeats the fetch
        else:
            self._ask_next()

    def _resets(self, topic: str, result: FetchResult) -> list[Any]:
        """Apply auto_offset_reset to partitions without a position, and to those whose position is out of range."""
        if result.topic_id is None:
            return []
        known = self.state.positions(topic, result.topic_id)
        events = []
        for partition in self._partitions_read(topic, len(result.bounds)):
            start, end = result.bounds[partition]
            offset = known.get(partition)
            if offset is not None and start <= offset <= end:
                continue
            if self._reset_policy == "none":
                if offset is None:
                    raise NoCommittedOffset(topic, partition)
                raise OffsetNotFound(topic, partition, offset, start, end)
            where = start if self._reset_policy == "earliest" else end
            place = TopicPartition(topic, partition)
            if offset is not None:
                self._sought[place] = self.runtime.new_number()
            events.append(self.state.reset(place, result.topic_id, where, self._reset_policy, self.runtime.now()))
        return events

    def _partitions_read(self, topic: str, count: int) -> Sequence[int]:
        """Return the partitions that it reads of a topic with `count` partitions; record missing ones."""
        if self.state.assignment is None:
            return range(count)
        mine = [place.partition for place in self.state.assignment if place.topic == topic]
        missing = [partition for partition in mine if partition >= count]
        if missing and self.state.is_manual:
            raise PartitionNotFound(topic, missing[0], count)
        self._not_there.update(TopicPartition(topic, partition) for partition in missing)
        return [partition for partition in mine if partition < count]

    def _deliver(self, poll: Command, result: FetchResult) -> None:
        self._round = self.runtime.new_number()  # drop the answers that are still to come
        events = self.state.consume(result.messages, self.runtime.now())
        last = result.messages[-1]
        self._last_delivered[last.topic] = last.partition
        delivery = self._delivering = Delivery(self._delivery.number + 1, result.messages, str(result.topic_id))

        def deliver(_: object) -> None:
            self._delivering = None
            self._delivery = delivery
            if self._poll is poll:
                self._poll = None
            self._polled_at = self.runtime.monotonic()
            self.reply(poll, delivery)

        self.persist(events, (poll,), deliver, is_checked=True)

    def _take_up_delivery(self) -> None:
        """After a recovery, send a delivery whose append had an unknown outcome but is in the log."""
        delivery, self._delivering = self._delivering, None
        if delivery is None:
            return
        last = delivery.messages[-1]
        if self.state.positions(last.topic).get(last.partition) == last.offset + 1:
            self._delivery = delivery
            if self._poll is not None:
                self.reply(self._poll, delivery)
            self._poll = None
