"""The ConsumerActor: subscription and positions; fetches, records what it delivers, delivers.

One poll at a time. A poll asks one topic after another, beginning with a different one each time; when all are empty
it asks all of them to wait. Every round of fetches has a number, and an answer from an earlier round (before a seek,
say) is dropped. Only this actor times a poll out.

A delivery is recorded (MessageConsumed) before it is handed over. If its reply is lost, the next poll says so by
naming an older delivery, and it is given again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from odradek_actors.consumer_member import ConsumerMember
from odradek_actors.consumer_protocol import (
    CloseConsumer,
    CommitOffsets,
    Delivery,
    DescribeConsumer,
    OpenConsumer,
    Poll,
    PositionOf,
    SeekTo,
    Subscribe,
)
from odradek_actors.errors import ActorStopped
from odradek_actors.protocol import Command, Fetch, FetchResult, LookUp, Tick
from odradek_domain.consumer import Consumer
from odradek_domain.errors import (
    ConsumerClosed,
    DomainError,
    NoCommittedOffset,
    OffsetNotFound,
)
from odradek_domain.positions import TopicPartition
from odradek_events.errors import AppendError, WrongExpectedVersion
from odradek_events.types import MessageProduced

__all__ = ["ConsumerActor"]


class ConsumerActor(ConsumerMember):
    """Owns one Consumer aggregate and the poll under way."""

    def initial_state(self) -> Consumer:
        """Return a consumer that was never registered; what is volatile survives a recovery in place."""
        if not hasattr(self, "_refs"):
            self._refs: dict[str, Any] = {}
            self._poll: Command | None = None
            self._round = 0
            self._turn = 0
            self._to_ask: list[str] = []
            self._asked: str | None = None  # the topic whose answer is due, where it was not asked to wait
            self._deadline = 0.0  # of the poll
            self._tick_number = 0
            self._tick_due = float("inf")  # when the timer that is set goes off
            self._delivering: Delivery | None = None
            self._topic_turns: dict[str, int] = {}
        return super().initial_state()

    def is_busy(self) -> bool:
        """Say whether something is under way; a poll that waits is not."""
        return self._phase in ("recovering", "appending") or bool(self.stash)

    # -- commands -----------------------------------------------------------------------------------------------------

    def handle_command(self, command: Command) -> None:
        """Do what the handle asks, if it is the one that is open."""
        body = command.body
        self.state.heartbeat(self.runtime.now())
        if isinstance(body, OpenConsumer):
            self._open(command, body)
            return
        if isinstance(body, CloseConsumer):
            self._close(command, body)
            return
        if body.handle != self._handle:
            self.reply(command, ConsumerClosed(self.id))
            return
        try:
            if isinstance(body, Poll):
                self._begin_poll(command, body)
            elif isinstance(body, CommitOffsets):
                self._commit(command, body)
            else:
                super().handle_command(command)
        except DomainError as error:
            self.reply(command, error)

    def decide(self, command: Any) -> Sequence[Any]:
        """Decide subscriptions and seeks."""
        now = self.runtime.now()
        match command:
            case Subscribe(_, topics):
                return self.state.subscribe(topics, now)
            case SeekTo(_, partition, topic_id, offset, reason):
                return [self.state.reset(partition, topic_id, offset, reason, now)]
            case _:
                raise LookupError(f"a consumer has no command {type(command).__name__}")

    def respond(self, command: Any, events: Sequence[Any]) -> object:
        """Answer with nothing; whatever was being fetched is of an earlier round now."""
        if not events:
            return None
        self._round = self.runtime.new_number()
        if isinstance(command, SeekTo):
            self._sought.add(command.partition)
            moved = command.partition
            self._keep_of_delivery(lambda message: (message.topic, message.partition) != moved)
        else:
            self._keep_of_delivery(lambda message: message.topic in self.state.subscriptions)
        return None

    def _keep_of_delivery(self, is_wanted: Callable[[MessageProduced], bool]) -> None:
        """What is still wanted of an unconfirmed delivery has to be given again: its positions have moved already."""
        delivery = self._delivery
        self._delivery = Delivery(delivery.number, tuple(filter(is_wanted, delivery.messages)), delivery.topic_id)

    def answer(self, query: Any) -> object:
        """Say where the consumer stands."""
        match query:
            case PositionOf(partition):
                return self.state.get_current_offset(partition)
            case DescribeConsumer():
                return self.state.snapshot()
            case _:
                return super().answer(query)

    def append_failed(self, commands: Sequence[Command], error: Exception) -> None:
        """Tell who asked; a handle that could not be opened is not open.

        A poll whose delivery has an unknown outcome goes on after the recovery: what was recorded is delivered then.
        """
        is_refused = isinstance(error, AppendError) and not isinstance(error, WrongExpectedVersion)
        for command in commands:
            if command is self._poll and not is_refused:
                continue
            if command is self._poll:
                self._poll = self._delivering = None
            if isinstance(command.body, OpenConsumer):
                self._handle = None
                self._leave(command, command.body.group_id, error)
            else:
                self.reply(command, error)

    def on_giving_up(self, error: Exception) -> None:
        """Answer the poll."""
        self._refuse_poll(error)

    # -- polling ------------------------------------------------------------------------------------------------------

    def _begin_poll(self, command: Command, poll: Poll) -> None:
        self._end_poll()
        self.state.require_subscribed()
        if poll.received < self._delivery.number and self._delivery.messages:
            self.reply(command, self._delivery)
            return
        self._poll = command
        self._deadline = self.runtime.monotonic() + poll.timeout
        if poll.timeout > 0:
            self._set_timer(poll.timeout)
        self._ask_in_turn()

    def _set_timer(self, delay: float) -> None:
        """Be woken in `delay` seconds at the latest. One timer serves many polls answered before it goes off."""
        due = self.runtime.monotonic() + delay
        if due < self._tick_due:
            self._tick_due = due
            self._tick_number = self.runtime.new_number()
            self.tick(delay, Tick("poll", self._tick_number))

    def _end_poll(self) -> None:
        """Answer the poll under way, if there is one, with nothing."""
        poll, self._poll = self._poll, None
        self._round = self.runtime.new_number()
        if poll is not None:
            self.reply(poll, Delivery(poll.body.received, ()))

    def _refuse_poll(self, error: Exception) -> None:
        poll, self._poll = self._poll, None
        self._round = self.runtime.new_number()
        if poll is not None:
            self.reply(poll, error)

    def _ask_in_turn(self) -> None:
        topics = self.state.subscriptions
        self._turn += 1
        first = self._turn % len(topics)
        self._to_ask = [*topics[first:], *topics[:first]]
        self._ask_next()

    def _ask_next(self) -> None:
        """Ask the next topic for what it has; after the last, or if there is only one, ask and wait."""
        if self._poll is None:
            return
        self._round = self.runtime.new_number()
        topics = self.state.subscriptions
        if len(topics) > 1 and self._to_ask:
            self._fetch(self._to_ask.pop(0), wait=False)
            return
        if self._poll.body.timeout <= 0:
            if self._to_ask:
                self._fetch(self._to_ask.pop(0), wait=False)
            else:
                self._end_poll()
            return
        self._to_ask = []
        for topic in topics:
            self._fetch(topic, wait=True)

    def _fetch(self, topic: str, wait: bool) -> None:
        number = self._round
        self._asked = None if wait else topic

        def fetched(result: Any) -> None:
            if number == self._round and self._poll is not None and self.is_ready:
                self._asked = None
                self._fetched(topic, result)
            # else: of an earlier round; or an append or a recovery is under way, after which it is asked for again

        def found(ref: Any) -> None:
            if isinstance(ref, Exception):
                if number == self._round:
                    self._refuse_poll(ref)
                return
            self._refs[topic] = ref
            if number == self._round:
                self.request(ref, self._fetch_body(topic, wait), fetched)

        ref = self._refs.get(topic)
        if ref is None:
            self.request(self.context.directory, LookUp(f"topic/{topic}"), found)
        else:
            found(ref)

    def _fetch_body(self, topic: str, wait: bool) -> Fetch:
        positions = sorted(self.state.positions(topic).items())
        if positions:  # each topic turns by itself: one turn for all would always pair the same topics and partitions
            turn = self._topic_turns[topic] = self._topic_turns.get(topic, 0) + 1
            first = turn % len(positions)
            positions = positions[first:] + positions[:first]
        poll: Poll = self._poll.body if self._poll is not None else Poll(0, 0, 0, 0)
        return Fetch(
            self.id,
            self.state.topic_id(topic),
            tuple(positions),
            poll.max_messages,
            self.settings.fetch_bytes,
            wait,
        )

    def _fetched(self, topic: str, result: Any) -> None:
        poll = self._poll
        assert poll is not None, "an answer without a poll is dropped before"
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
            self.persist(resets, (poll,), lambda _: None)  # on_ready asks again
        else:
            self._ask_next()

    def _resets(self, topic: str, result: FetchResult) -> list[Any]:
        """Decide where to begin in partitions without a position, and in those whose position is out of range."""
        if result.topic_id is None:
            return []
        known = self.state.positions(topic, result.topic_id)
        events = []
        for partition, (start, end) in enumerate(result.bounds):
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
                self._sought.add(place)
            events.append(self.state.reset(place, result.topic_id, where, self._reset_policy, self.runtime.now()))
        return events

    def _deliver(self, poll: Command, result: FetchResult) -> None:
        self._round = self.runtime.new_number()  # answers still to come belong to an earlier round
        events = self.state.consume(result.messages, self.runtime.now())
        delivery = self._delivering = Delivery(self._delivery.number + 1, result.messages, str(result.topic_id))

        def deliver(_: object) -> None:
            self._delivering = None
            self._delivery = delivery
            if self._poll is poll:
                self._poll = None
            self.reply(poll, delivery)

        self.persist(events, (poll,), deliver, is_checked=True)

    def _take_up_delivery(self) -> None:
        """After a recovery: hand over a delivery whose append had no clear answer but is in the log."""
        delivery, self._delivering = self._delivering, None
        if delivery is None:
            return
        last = delivery.messages[-1]
        if self.state.positions(last.topic).get(last.partition) == last.offset + 1:
            self._delivery = delivery
            poll, self._poll = self._poll, None
            if poll is not None:
                self.reply(poll, delivery)

    def on_ready(self) -> None:
        """Go on with the poll that an append or a recovery interrupted."""
        self._take_up_delivery()
        if self._poll is not None and self.state.subscriptions:
            if self._asked is not None:
                self._to_ask.insert(0, self._asked)
            self._ask_next()
        elif self._poll is not None:
            self._end_poll()

    def on_tick(self, tick: Tick) -> None:
        """The poll has waited long enough."""
        if tick.number != self._tick_number:
            return  # an earlier one was set since
        self._tick_due = float("inf")
        if self._poll is None or self._poll.body.timeout <= 0:
            return
        remaining = self._deadline - self.runtime.monotonic()
        if remaining > 0:
            self._set_timer(remaining)
        elif self._appending is not None and self._poll in self._appending[1]:
            self._set_timer(self.settings.retry_backoff)  # it is about to be answered
        else:
            self._end_poll()

    def on_stopping(self) -> bool:
        """End the poll under way."""
        self._end_poll()
        return True
