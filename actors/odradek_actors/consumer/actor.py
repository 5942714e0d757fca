"""The ConsumerActor: handles the commands and queries of the consumer handle; `polling` serves the current poll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from odradek_actors.base.actor import ActorContext
from odradek_actors.consumer.polling import ConsumerPolling
from odradek_actors.errors import ActorStopped
from odradek_actors.messages.consumers import (
    Assign,
    CloseConsumer,
    CommitOffsets,
    DescribeConsumer,
    OpenConsumer,
    Pause,
    Poll,
    PositionOf,
    SeekTo,
    Subscribe,
)
from odradek_actors.messages.core import Command, Query, Tick
from odradek_actors.messages.groups import TopicChanged
from odradek_actors.messages.log import ListTopics
from odradek_domain.errors import (
    ConsumerClosed,
    DomainError,
)
from odradek_domain.group.errors import ConsumerNotAssigned
from odradek_domain.values.positions import TopicPartition
from odradek_events.errors import AppendError, LogUnavailable, WrongExpectedVersion

__all__ = ["ConsumerActor"]


class ConsumerActor(ConsumerPolling):
    """Owns one Consumer aggregate and its current poll."""

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context, stream)
        self.handlers[TopicChanged] = self._topic_changed

    def is_in_use(self) -> bool:
        """Return whether a handle is open, or a commit of the last handle is still waiting."""
        return self._handle is not None or bool(self._commits)

    def handle_query(self, query: Query) -> None:
        """Answer, then passivate if no handle is open."""
        super().handle_query(query)
        self.passivate_if_unused()

    def is_busy(self) -> bool:
        """Return whether work is in progress; a waiting poll does not count."""
        return self.is_deciding()

    # -- commands -----------------------------------------------------------------------------------------------------

    def handle_command(self, command: Command) -> None:
        """Execute a command if it comes from the open handle."""
        self.state.heartbeat(self.runtime.now())
        self._handle_if_open(command)
        self.passivate_if_unused()

    def _handle_if_open(self, command: Command) -> None:
        body = command.body
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
            match body:
                case Poll():
                    self._begin_poll(command, body)
                case CommitOffsets():
                    self._commit_in_order(command, body)
                case Subscribe(_, (), None):
                    self._unsubscribe(command)
                case Subscribe():
                    self._subscribe(command, body)
                case Assign():
                    self._assign(command, body)
                case Pause(_, partitions):
                    self._pause(command, partitions)
                case _:
                    super().handle_command(command)
        except DomainError as error:
            self.reply(command, error)

    def decide(self, command: Any) -> Sequence[Any]:
        """Decide subscriptions and seeks."""
        now = self.runtime.now()
        match command:
            case Subscribe(_, topics, pattern):
                return self.state.subscribe(topics, now, pattern)
            case SeekTo(_, partition, topic_id, offset, reason):
                if self._is_group_managed and partition not in (self.state.assignment or ()):
                    raise ConsumerNotAssigned(self.id, partition.topic, partition.partition)
                return [self.state.reset(partition, topic_id, offset, reason, now)]
            case _:
                raise LookupError(f"a consumer has no command {type(command).__name__}")

    def respond(self, command: Any, events: Sequence[Any]) -> object:
        """Answer None; start a new round, so that answers to earlier fetches are dropped."""
        if not events:
            return None
        self._round = self.runtime.new_number()
        if isinstance(command, SeekTo):
            self._sought[command.partition] = self._round
            moved = command.partition
            self._keep_of_delivery(lambda message: (message.topic, message.partition) != moved)
        elif isinstance(command, Assign) or not self.state.has_subscription:
            self._keep_of_delivery(lambda message: False)
        elif not self._is_group_managed:  # in a group, only the next assignment changes what it reads
            self._keep_of_delivery(lambda message: message.topic in self.state.subscriptions)
        return None

    def _unsubscribe(self, command: Command) -> None:
        """Remove the subscription and leave the group."""
        self._leave_at_once("it unsubscribed")
        self._end_membership()
        self._announced = ()
        self._paused.clear()
        self._subscribe_to((), None, command)

    def _pause(self, command: Command, partitions: tuple[TopicPartition, ...]) -> None:
        """Pause these partitions; drop fetches in progress, which may contain their messages."""
        for place in partitions:
            self.state.require_assigned(place)
        self._paused = set(partitions)
        self._drop_fetches()
        self.reply(command, None)
        self._go_on_polling()

    def answer(self, query: Any) -> object:
        """Return a position, or a snapshot of the consumer."""
        match query:
            case PositionOf(partition):
                return self.state.get_current_offset(partition)
            case DescribeConsumer():
                return self.state.snapshot()
            case _:
                return super().answer(query)

    def append_failed(self, commands: Sequence[Command], error: Exception) -> None:
        """Reply with the error. A handle that could not be opened is not open; one that was closing is closed.

        A poll whose delivery has an unknown outcome continues after the recovery, which delivers what was recorded.
        """
        is_refused = isinstance(error, AppendError) and not isinstance(error, WrongExpectedVersion)
        if not commands and is_refused:  # the actor's own append: fail the poll, and retry after retry_backoff
            self._refuse_poll(error)
            self.tick(self.settings.retry_backoff, Tick("retry"))
            self._is_held = True
        for command in commands:
            if command is self._poll and not is_refused:
                continue
            if command is self._poll:
                self._poll = self._delivering = None
            if isinstance(command.body, OpenConsumer):
                self._handle = None
                self.passivate_if_unused()
            is_closed = isinstance(command.body, CloseConsumer)  # the next session then releases the partitions
            self.reply(command, None if is_closed else error)

    def refuse(self, message: Any, error: Exception) -> None:
        """Refuse a message that has waited for a recovery; but let a handle close, which needs nothing of the log.

        The handle cannot close a second time, and nobody else could open the consumer.
        """
        if isinstance(error, LogUnavailable) and isinstance(getattr(message, "body", None), CloseConsumer):
            self._close(message, message.body)
            self.passivate_if_unused()
        else:
            super().refuse(message, error)

    def on_giving_up(self, error: Exception) -> None:
        """Fail the current poll and the waiting commits, and leave the group."""
        self._refuse_poll(error)
        self._refuse_commits(error)
        self._leave_at_once("its actor has failed")

    def _before_polling(self) -> None:
        self._commit_what_waits()
        if self._must_match:
            self._match_topics()

    def _commit_in_order(self, command: Command, body: CommitOffsets) -> None:
        number = self.runtime.new_number()
        if self._commits:
            self._commits[number] = command
        else:
            self._commit(command, body, number)

    def _commit_what_waits(self) -> None:
        """Retry the commits of a cooperative member that arrived too late for the last generation."""
        if self._is_rebalancing:
            return
        for number, command in sorted(self._commits.items()):
            try:
                self._commit(command, command.body, number)
            except DomainError as error:
                self.reply(command, error)
            del self._commits[number]

    def _refuse_commits(self, error: Exception) -> None:
        for command in self._commits.values():
            self.reply(command, error)
        self._commits.clear()

    def _topic_changed(self, message: TopicChanged) -> None:
        """Look for missing partitions and, without a group, for topics that match the pattern."""
        self._not_there = {place for place in self._not_there if place.topic != message.topic}
        self._must_match = True  # also while the actor recovers, and its state does not know the pattern yet
        self._go_on_polling()

    def _match_topics(self) -> None:
        if self.state.pattern is None or self.state.group_id is not None:  # the group matches for its members
            self._must_match = False
            return

        def listed(topics: Any) -> None:
            pattern = self.state.pattern
            if isinstance(topics, Exception) or not self.is_ready:
                self._must_match = True
            elif pattern is not None:
                self._subscribe_to(self._matching(pattern, topics), pattern, None)

        self.request(self.context.log_reader, ListTopics(), listed)
        self._must_match = False

    def on_ready(self) -> None:
        """Continue the poll that an append or a recovery interrupted."""
        self._take_up_delivery()
        if self._poll is not None and not self.state.has_subscription:
            self._end_poll()
        self._go_on_polling()

    def on_tick(self, tick: Tick) -> None:
        """Send a heartbeat, time out the poll, or continue after a backoff."""
        if tick.purpose == "heartbeat":
            self._beat(tick)
        elif self._deadline_timer.is_fired_by(tick):
            self._poll_timed_out()
        elif tick.purpose != "poll":
            self._is_held = False
            self._go_on_polling()

    def on_stopping(self) -> bool:
        """End the current poll and leave the group."""
        self._end_poll()
        self._refuse_commits(ActorStopped(self.stream))
        self._leave_at_once("its actor has stopped")
        self._end_membership()
        return True
