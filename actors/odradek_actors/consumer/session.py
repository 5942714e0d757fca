"""A consumer's session with its handle: open, subscribe or assign, commit, close.

`membership` builds on it and adds the group protocol; `polling` builds on that and serves polls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pykka

from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.errors import ActorStopped
from odradek_actors.messages.consumers import (
    Assign,
    CloseConsumer,
    CommitOffsets,
    CommittedOf,
    Delivery,
    MemberSettings,
    OpenConsumer,
    Subscribe,
)
from odradek_actors.messages.core import Command, LookUp, Query
from odradek_actors.messages.groups import CommitGroupOffsets, GetCommitted, LeaveGroup
from odradek_actors.messages.log import ListTopics
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_domain.consumer.consumer import Consumer, ConsumerSnapshot
from odradek_domain.errors import ConsumerAlreadyOpen, ConsumerNotPositioned, OffsetNotFound
from odradek_domain.group.errors import IllegalGeneration, RebalanceInProgress, UnknownMember
from odradek_domain.values.committed_offsets import CommittedOffset, OffsetToCommit
from odradek_domain.values.positions import TopicPartition
from odradek_domain.values.topic_pattern import matches, pattern_problem

__all__ = ["ConsumerSession"]


class _Question(NamedTuple):
    """A request to the group that is sent once its actor is found, and the command that caused it."""

    body: object
    then: Callable[[Any], None]
    command: Command | None
    is_wanted: Callable[[], bool]


class ConsumerSession(EventSourcedActor[Consumer]):
    """Owns one Consumer aggregate, and sends requests to its group."""

    snapshot_schema = SnapshotSchema("consumer", 2, ConsumerSnapshot)

    _handle: int | None = None
    _group_id: str | None = None  # as of the last opening, since the state has none during a recovery
    _reset_policy = "earliest"
    _member = MemberSettings()
    _member_id = ""  # empty: not a member
    _generation = -1

    def start_volatile(self) -> None:
        """Set the state that survives a recovery in place."""
        super().start_volatile()
        self._delivery = Delivery(0, ())
        self._sought: dict[TopicPartition, int] = {}  # the number of the last seek since the last commit
        self._paused: set[TopicPartition] = set()
        self._group_ref: pykka.ActorRef[Any] | None = None
        self._questions: deque[_Question] = deque()  # waiting until the group's actor is found
        self._commits: dict[int, Command] = {}  # waiting for the end of a rebalance, by order of arrival

    def initial_state(self) -> Consumer:
        """Return a consumer that was never registered."""
        return Consumer(self.id)

    def _end_poll(self) -> None:
        """Answer the current poll, if any, with no messages."""

    def _end_membership(self) -> None:
        """End the membership."""

    @property
    def _has_joined(self) -> bool:
        """Whether the group knows this member, or a join is on its way."""
        return False

    @property
    def _is_rebalancing(self) -> bool:
        """Whether it waits for a new assignment from the group."""
        return False

    # -- opening and closing ------------------------------------------------------------------------------------------

    def _open(self, command: Command, wanted: OpenConsumer) -> None:
        if self._handle is not None:
            self.reply(command, ConsumerAlreadyOpen(self.id))
            return
        now, consumer = self.runtime.now(), self.state
        events: list[Any] = list(consumer.register(wanted.group_id, now))
        committed = consumer.committed.all() if wanted.group_id is None else ()  # a member gets them when it syncs
        if consumer.is_registered or committed:
            events.append(consumer.resume(committed, now))
        self.persist(events, (command,), lambda _: self.reply(command, None))
        self._handle = wanted.handle
        self._group_id = wanted.group_id
        self._reset_policy = wanted.auto_offset_reset
        self._member = wanted.member
        self._delivery = Delivery(0, ())
        self._sought.clear()
        self._paused.clear()
        self._group_ref = None
        self._questions = deque()  # a new queue: requests of an earlier session still go to that session's group

    def _close(self, command: Command, wanted: CloseConsumer) -> None:
        """Leave the group and release the partitions; answer once the group can assign them to other members."""
        if wanted.handle != self._handle:
            self.reply(command, None)
            return
        self._end_poll()
        self._handle = None
        generation = self._generation
        leave = LeaveGroup(self._member_id, consumer_id=self.id)
        has_to_leave = self._has_joined and self._member.instance_id is None  # a static member may rejoin
        self._end_membership()

        def left(_: object) -> None:
            if not self.is_ready or self._handle is not None:  # recovering, or already reopened
                self.reply(command, None)  # the next session releases the partitions
                return
            events = self.state.release(self.state.assignment or (), self.runtime.now(), generation)
            self.persist(events, (command,), lambda _: self.reply(command, None))

        if has_to_leave:
            self._ask_group(leave, left, command)
        else:
            left(None)

    # -- what to read -------------------------------------------------------------------------------------------------

    def _subscribe(self, command: Command, wanted: Subscribe) -> None:
        """Subscribe; without a group, first list the topics to find those that match a pattern."""
        if wanted.pattern is None or self.state.group_id is not None:
            super().handle_command(command)
            return
        pattern = wanted.pattern
        self.state.subscribe((), self.runtime.now(), pattern)  # raises at once if it is not allowed

        def listed(topics: Any) -> None:
            if isinstance(topics, Exception):
                self.reply(command, topics)
            elif self.is_ready:
                self._subscribe_to(self._matching(pattern, topics), pattern, command)
            else:
                self._when_ready(command)

        self.request(self.context.log_reader, ListTopics(), listed)

    def _subscribe_to(self, topics: Sequence[str], pattern: str | None, command: Command | None) -> None:
        commands = () if command is None else (command,)
        events = self.state.subscribe(topics, self.runtime.now(), pattern)

        def subscribed(_: object) -> None:
            answer = self.respond(Subscribe(0, tuple(topics), pattern), events)
            if command is not None:
                self.reply(command, answer)

        self.persist(events, commands, subscribed)

    def _matching(self, pattern: str, topics: Sequence[str]) -> tuple[str, ...]:
        problem = pattern_problem(pattern)
        if problem is not None:  # it comes from an older log: `subscribe` refuses it by now
            self.log.warning("pattern matches no topic", pattern=pattern, reason=problem)
        return tuple(topic for topic in topics if matches(pattern, topic))

    def _assign(self, command: Command, wanted: Assign) -> None:
        """Assign partitions chosen by the caller, starting at the committed offsets."""
        self.state.assign(wanted.partitions, (), self.runtime.now())  # raises at once if it is not allowed

        def found(committed: Any) -> None:
            if isinstance(committed, Exception):
                self.reply(command, committed)
            elif self.is_ready:
                events = self.state.assign(wanted.partitions, committed, self.runtime.now())
                self.persist(events, (command,), lambda _: self.reply(command, self.respond(wanted, events)))
            else:
                self._when_ready(command)

        self._committed(found)

    # -- committing ---------------------------------------------------------------------------------------------------

    def _commit(self, command: Command, wanted: CommitOffsets, number: int) -> None:
        """Commit to the consumer's own stream or to the group; `number` increases from commit to commit.

        A commit that is too late for its generation waits for the next one, which may assign the same partitions.
        """
        offsets = tuple(
            self._to_commit(partition, offset, metadata)
            for partition, offset, metadata, topic_id in wanted.offsets
            if topic_id in (None, self.state.topic_id(partition.topic))
        )
        seeks = self._sought.copy()

        def committed(answer: Any) -> None:
            if isinstance(answer, IllegalGeneration | RebalanceInProgress) and self._is_rebalancing:
                self._commits[number] = command
                return
            if not isinstance(answer, Exception):
                self._forget_seeks((partition for partition, *_ in wanted.offsets), seeks)
            self.reply(command, None if not isinstance(answer, Exception) else answer)

        if self.state.group_id is None:
            now = self.runtime.now()
            events = [event for offset in offsets for event in self.state.commit_offset(offset, now)]
            self.persist(events, (command,), lambda _: committed(None))
            return
        if not self._member_id and not self.state.is_manual:
            raise UnknownMember(self.state.group_id, self.id)
        body = CommitGroupOffsets(self.id, offsets, self._member_id, self._generation, self._member.instance_id)
        self._ask_group(body, committed, command)

    def _forget_seeks(
        self, partitions: Iterable[TopicPartition], known: Mapping[TopicPartition, int] | None = None
    ) -> None:
        """Forget seeks, so that commits may only go forwards again; keep those that happened after `known`."""
        for place in partitions:
            if known is None or self._sought.get(place) == known.get(place):
                self._sought.pop(place, None)

    def _to_commit(self, partition: TopicPartition, offset: int, metadata: str) -> OffsetToCommit:
        """Check an offset: a commit beyond the position would skip messages that were not delivered."""
        if self.state.assignment is not None:
            self.state.require_assigned(partition)
        position = self.state.get_current_offset(partition)
        if position is None:
            raise ConsumerNotPositioned(self.id, partition.topic, partition.partition)
        if offset > position:
            raise OffsetNotFound(partition.topic, partition.partition, offset, 0, position)
        return self.state.to_commit(partition, offset, metadata, is_reset=partition in self._sought)

    def _committed(self, then: Callable[[Any], None]) -> None:
        if self.state.group_id is None:
            then(self.state.committed.all())
        else:
            self._ask_group(GetCommitted(), then, None)

    def _ask_group(
        self,
        body: object,
        then: Callable[[Any], None],
        command: Command | None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Send a request to the group; look its actor up first if it is not known. Requests arrive in call order.

        A request that `is_wanted` rejects after the look-up is not sent.
        """
        question = _Question(body, then, command, is_wanted)
        if self._group_ref is not None:
            self._put(question, self._group_ref)
            return
        if not self._questions:
            self._look_up_group(self._questions)
        self._questions.append(question)

    def _look_up_group(self, questions: deque[_Question]) -> None:
        def found(ref: Any) -> None:
            if questions is self._questions and not isinstance(ref, Exception):
                self._group_ref = ref  # otherwise it belongs to an earlier session
            waiting = tuple(questions)
            questions.clear()
            for question in waiting:
                self.pass_on(partial(self._put, question), ref)

        group_id = self.state.group_id if self._handle is None else self._group_id
        self.request(self.context.directory, LookUp(f"group/{group_id}"), found)

    def _put(self, question: _Question, ref: pykka.ActorRef[Any] | Exception) -> None:
        if isinstance(ref, Exception):
            question.then(ref)
            return
        if not question.is_wanted():
            return

        def answered(answer: Any) -> None:
            if isinstance(answer, ActorStopped) and self._group_ref is ref:
                self._group_ref = None  # the next request looks up the group's new actor
            question.then(answer)

        self.request(ref, question.body, answered, command=question.command)

    def handle_query(self, query: Query) -> None:
        """Answer queries for committed offsets, from the group if there is one."""
        if not isinstance(query.body, CommittedOf):
            super().handle_query(query)
            return
        partition, topic_id = query.body.partition, query.body.topic_id

        def found(committed: Any) -> None:
            self.reply(query, committed if isinstance(committed, Exception) else _offset(committed))

        def _offset(committed: Sequence[CommittedOffset]) -> int | None:
            offsets = (
                item.offset
                for item in committed
                if (item.topic, item.partition) == partition and topic_id in (None, item.topic_id)
            )
            return next(offsets, None)

        self._committed(found)
