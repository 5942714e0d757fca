"""The TopicActor: owns a topic, assigns offsets and serves fetches.

Appends that arrive while another one is in progress are decided together and made durable in one commit. Fetches are
answered from applied, hence durable, messages: from the tail in memory, or by the LogReader. A fetch that finds no
messages and may wait is parked in the same step, and the next apply serves it, so that no wake-up is lost.

A topic with retention limits deletes the messages beyond them when its actor starts, when the limits are set, and every
`retention_check_interval`. The LogReader walks over the messages to delete, and the aggregate decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from odradek_actors.base.actor import ActorContext
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.errors import ActorStopped
from odradek_actors.messages.core import Command, Nobody, Query, Tick
from odradek_actors.messages.groups import TopicChanged
from odradek_actors.messages.log import ReadOlder
from odradek_actors.messages.receipts import receipts
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_actors.messages.retention import ApplyRetention, FindRetained, LetGo, SetRetention
from odradek_actors.messages.topics import (
    AddPartitions,
    AppendBatch,
    AppendDone,
    CreateTopic,
    DeleteRecords,
    DeleteTopic,
    DescribeTopic,
    EnsureTopic,
    Fetch,
    FetchResult,
    TopicDescription,
)
from odradek_domain.errors import DomainError, TopicNotFound
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.retention import KEEP_ALL, RetentionPlan, RetentionPolicy
from odradek_domain.topic.topic import AppendDecision, Topic, TopicSnapshot
from odradek_domain.values.message import message_size
from odradek_events.errors import EventNotSerializable
from odradek_events.record import Appended, Decision
from odradek_events.types import TopicCreated

__all__ = ["TopicActor", "TopicActorSnapshot"]


class TopicActorSnapshot(msgspec.Struct, frozen=True, gc=False):
    """A topic's snapshot, with the position at which the topic was created."""

    topic: TopicSnapshot
    created_position: int


class TopicActor(EventSourcedActor[Topic]):
    """Owns one Topic aggregate, whether or not the topic exists."""

    snapshot_schema = SnapshotSchema("topic", 3, TopicActorSnapshot)
    _created_position = 0
    _announced: tuple[str | None, int] | None = None  # the last announced topic id and number of partitions
    _must_announce = False  # an earlier actor of the topic may have stopped before it announced its last change
    _parked: dict[str, Query]
    _watched: RetentionPolicy = KEEP_ALL
    _watch = 0  # the number of the retention timer
    _is_sweeping = False
    _waiting: tuple[Command, ...] = ()  # ApplyRetention commands that wait for the current sweep

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context, stream)
        self.handlers[TopicChanged] = self._announce_when_ready

    def initial_state(self) -> Topic:
        """Return the topic before it is created."""
        self._parked = getattr(self, "_parked", {})  # parked fetches survive a recovery in place
        return Topic(self.id, self._tail_limit)

    def take_snapshot(self) -> TopicActorSnapshot:
        """Return the current state, without messages."""
        return TopicActorSnapshot(self.state.snapshot(), self._created_position)

    def restore(self, snapshot: TopicActorSnapshot) -> Topic:
        """Return the topic of a snapshot; its messages are read from the log."""
        self._created_position = snapshot.created_position
        return Topic.restore(snapshot.topic, self._tail_limit)

    @property
    def _tail_limit(self) -> TailLimit:
        return TailLimit(self.settings.tail_messages, self.settings.tail_bytes)

    # -- commands -----------------------------------------------------------------------------------------------------

    def handle_command(self, command: Command) -> None:
        """Gather stashed appends behind this one; walk messages before retention; decide other commands singly."""
        if type(command.body) is AppendBatch:
            self._append(self._gather(command))
        elif type(command.body) is ApplyRetention:
            self._sweep(command)
        else:
            super().handle_command(command)

    def decide(self, command: Any) -> Sequence[Any]:
        """Decide all commands other than appends."""
        topic, now = self.state, self.runtime.now()
        match command:
            case CreateTopic(count, retention_ms, retention_bytes):
                new_id = self.runtime.new_id()
                return topic.create_limited(count, retention_ms, retention_bytes, topic_id=new_id, at=now)
            case EnsureTopic(create, partition_count):
                if topic.exists:
                    return []
                if not create:
                    raise TopicNotFound(self.id)
                return [topic.create(partition_count, topic_id=self.runtime.new_id(), at=now)]
            case AddPartitions(total):
                return [topic.add_partitions(total, now)]
            case DeleteTopic():
                return [topic.delete(now)]
            case DeleteRecords(partition, before_offset):
                return topic.delete_records(partition, before_offset, now)
            case SetRetention(retention_ms, retention_bytes):
                return topic.set_retention(retention_ms, retention_bytes, now)
            case LetGo(plan, ends):
                return topic.apply_retention(plan, ends, now)
            case _:
                raise LookupError(f"a topic has no command {type(command).__name__}")

    def respond(self, command: Any, events: Sequence[Any]) -> object:
        """Answer with the topic's description, or None once it is deleted."""
        return self._describe() if self.state.exists else None

    def _gather(self, first: Command) -> list[Command]:
        """Return this append and those at the front of the stash, up to the size limits of one commit."""
        gathered = [first]
        if not self.stash or first.body.is_alone:
            return gathered
        messages, size = _weight(first.body)
        while self.stash:
            waiting = self.stash[0]
            if not (isinstance(waiting, Command) and type(waiting.body) is AppendBatch) or waiting.body.is_alone:
                break
            more, larger = _weight(waiting.body)
            if messages + more > self.settings.batch_messages or size + larger > self.settings.batch_bytes:
                break
            messages, size = messages + more, size + larger
            self.stash.popleft()
            gathered.append(waiting)
        return gathered

    def _append(self, commands: list[Command]) -> None:
        try:
            self._persist_appends(commands)
        except BaseException as raised:  # a bug here; the state is unchanged, and every request must be answered
            error = self.report_failure("append", raised)
            for command in commands:
                if not self.holds(command):
                    self.reply(command, error)

    def _persist_appends(self, commands: list[Command]) -> None:
        decided = self.state.decide_appends([command.body.append for command in commands])
        events: list[Any] = []
        decisions: list[Decision] = []
        answers: list[tuple[Command, AppendDecision, int]] = []
        for command, decision in zip(commands, decided, strict=True):
            if isinstance(decision, DomainError):
                self.reply(command, decision)
                continue
            if decision.is_duplicate and self._is_durable(command.body, decision):
                # Reply now, not with the others: if their append is refused, this stored one must not get that error.
                self.reply(command, AppendDone(decision.offsets, None, self.state.partition_count))
                continue
            answers.append((command, decision, len(events)))
            if not decision.is_duplicate:
                events.extend(decision.events)
                decisions.extend(
                    Decision(len(send.body.messages), send.correlation_id, send.causation_id)
                    for send in command.body.sends
                )

        def answer(appended: Appended) -> None:
            for command, decision, index in answers:
                position = None if decision.is_duplicate else appended.first_position + index
                try:
                    self._answer_append(command, decision, position)
                except BaseException as raised:  # the producer may have its answer, and the senders not
                    self.report_failure("answer", raised)
                    self._answer_append(command, decision, position)  # second answers are ignored

        self.persist(events, [command for command, _, _ in answers], answer, decisions, is_checked=True)

    def _answer_append(self, command: Command, decision: AppendDecision, position: int | None) -> None:
        # Reply to the producer first, so that it has counted the message when the caller gets the receipt.
        self.reply(command, AppendDone(decision.offsets, position, self.state.partition_count))
        if position is not None:
            batch: AppendBatch = command.body
            for send, its_receipts in receipts(batch.sends, batch.append, decision.offsets, position):
                self.reply(send, its_receipts)

    def append_failed(self, commands: Sequence[Command], error: Exception) -> None:
        """If the log refused the content of one of several appends, decide each of them again separately."""
        if isinstance(error, EventNotSerializable) and len(commands) > 1:
            alone = [replace(command, body=replace(command.body, is_alone=True)) for command in commands]
            self.stash.extendleft(reversed(alone))
        else:
            super().append_failed(commands, error)

    def _is_durable(self, batch: AppendBatch, decision: AppendDecision) -> bool:
        """Return whether a duplicate is fully applied; if not, it repeats a batch that is decided together with it."""
        partitions = self.state.partitions
        places = zip(batch.append.partitions, decision.offsets, strict=True)
        return all(offset < partitions[partition].high_watermark for partition, offset in places)

    # -- retention ----------------------------------------------------------------------------------------------------

    def _sweep(self, command: Command) -> None:
        if self._is_sweeping:  # two sweeps at once would walk over the same messages
            self._waiting += (command,)
            return
        try:
            plan = self.state.plan_retention(self.runtime.now())
        except TopicNotFound as error:
            self.reply(command, error)
            return
        if not plan.walks:
            self.reply(command, self._describe())
            return
        walks = FindRetained(self.id, plan.walks, self._created_position)
        self.request(self.context.log_reader, walks, partial(self._swept, command, plan))
        self._is_sweeping = True

    def _swept(self, command: Command, plan: RetentionPlan, ends: tuple[int, ...] | Exception) -> None:
        self._is_sweeping = False
        if isinstance(ends, Exception):
            self.reply(command, ends)
        else:
            self.take_up(replace(command, body=LetGo(plan, ends)))
        waiting, self._waiting = self._waiting, ()
        for each in waiting:
            self.take_up(each)

    def _watch_retention(self) -> None:
        if self.state.retention != self._watched:
            self._watch = 0
            if self.state.retention.is_limited:
                self._watch_on()
                self._request_retention()  # queued behind a sweep for the former limits, which decides nothing
            self._watched = self.state.retention

    def _watch_on(self) -> None:
        self._watch = self.runtime.new_number()
        self.tick(self.settings.retention_check_interval, Tick("retention", self._watch))

    def on_tick(self, tick: Tick) -> None:
        """Apply retention, unless a sweep is in progress."""
        if tick.purpose == "retention" and tick.number == self._watch:
            self._watch_on()
            if not self._is_sweeping:
                self._request_retention()

    def _request_retention(self) -> None:
        self.take_up(Command(ApplyRetention(), Nobody(), 0, self.runtime.new_id()))

    # -- queries ------------------------------------------------------------------------------------------------------

    def handle_query(self, query: Query) -> None:
        """Serve a fetch, or park it until it can be served; answer other queries at once."""
        if type(query.body) is Fetch:
            replaced = self._parked.pop(query.body.consumer_id, None)
            if replaced is not None:
                self.reply(replaced, FetchResult(self.id, None, (), ()))
            if not self._serve(query):
                self._parked[query.body.consumer_id] = query
        else:
            super().handle_query(query)

    def answer(self, query: Any) -> object:
        """Describe the topic."""
        if isinstance(query, DescribeTopic):
            return self._describe()
        return super().answer(query)

    def _describe(self) -> TopicDescription:
        topic = self.state
        if topic.topic_id is None or topic.created_at is None:
            raise TopicNotFound(self.id)
        return TopicDescription(
            self.id,
            topic.topic_id,
            topic.created_at,
            tuple(partition.bounds for partition in topic.partitions),
            topic.retention.retention_ms,
            topic.retention.retention_bytes,
        )

    def _serve(self, query: Query) -> bool:
        """Answer a fetch if possible; return False if it must wait."""
        fetch: Fetch = query.body
        topic = self.state
        if topic.topic_id is None:
            return self._unless_waiting(query, ())
        bounds = tuple((partition.log_start_offset, partition.high_watermark) for partition in topic.partitions)
        if not _in_range(fetch, topic.topic_id, bounds):
            self.reply(query, FetchResult(self.id, topic.topic_id, bounds, ()))
            return True
        messages: list[Any] = []
        size = 0
        for number, offset in fetch.positions:
            partition = topic.partitions[number]
            if offset >= partition.high_watermark or len(messages) >= fetch.max_messages or size >= fetch.max_bytes:
                continue
            if offset < partition.tail_start:
                if not messages:
                    self._read_older(query, number, offset, partition.tail_start, bounds)
                    return True
                continue
            for event in partition.read(offset, fetch.max_messages - len(messages)):
                size += message_size(event)
                if messages and size > fetch.max_bytes:
                    break
                messages.append(event)
        if not messages:
            return self._unless_waiting(query, bounds)
        self.reply(query, FetchResult(self.id, topic.topic_id, bounds, tuple(messages)))
        return True

    def _unless_waiting(self, query: Query, bounds: tuple[tuple[int, int], ...]) -> bool:
        if query.body.wait:
            return False
        self.reply(query, FetchResult(self.id, self.state.topic_id, bounds, ()))
        return True

    def _read_older(
        self, query: Query, partition: int, offset: int, until: int, bounds: tuple[tuple[int, int], ...]
    ) -> None:
        fetch: Fetch = query.body
        older = ReadOlder(
            self.id,
            str(self.state.topic_id),
            partition,
            offset,
            until,
            fetch.max_messages,
            fetch.max_bytes,
            self._created_position,
            bounds,
        )
        self.send(self.context.log_reader, Query(older, query.reply_to, query.request_id))

    # -- after apply --------------------------------------------------------------------------------------------------

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        """Record the position at which the topic was created, and serve the parked fetches that can be answered now."""
        for index, event in enumerate(events):
            if type(event) is TopicCreated:
                self._created_position = first_position + index
        if self._phase == "recovering" or not self._parked:
            return
        for consumer_id, query in list(self._parked.items()):
            if self._serve(query):
                del self._parked[consumer_id]

    def on_ready(self) -> None:
        """Serve parked fetches, watch changed retention limits, and announce changed partitions."""
        if self._parked:
            self.on_applied((), 0)
        self._watch_retention()
        made_of = (self.state.topic_id, self.state.partition_count)
        if made_of != self._announced:
            if self._announced is not None:
                before = self._announced[0]
                ended_id = before if before is not None and before != self.state.topic_id else ""
                self.send(self.context.directory, TopicChanged(self.id, ended_id))
            self._announced = made_of
        if self._must_announce:
            self._announce()

    def _announce_when_ready(self, _: TopicChanged) -> None:
        """Announce the topic once it has recovered: an append of the earlier actor may still be in progress."""
        self._must_announce = True
        if self.is_ready:
            self._announce()

    def _announce(self) -> None:
        self.send(self.context.directory, TopicChanged(self.id))
        self._must_announce = False

    def on_stopping(self) -> bool:
        """Answer parked fetches with ActorStopped, so that consumers ask the topic's next actor."""
        self.on_giving_up(ActorStopped(self.stream))
        return True

    def on_giving_up(self, error: Exception) -> None:
        """Answer parked fetches with ActorStopped, so that consumers ask the topic's next actor."""
        for query in self._parked.values():
            self.reply(query, ActorStopped(self.stream))
        self._parked.clear()


def _in_range(fetch: Fetch, topic_id: str, bounds: tuple[tuple[int, int], ...]) -> bool:
    return (
        fetch.topic_id == topic_id
        and not fetch.needs_bounds
        and fetch.partition_count in (None, len(bounds))
        and all(
            partition < len(bounds) and bounds[partition][0] <= offset <= bounds[partition][1]
            for partition, offset in fetch.positions
        )
    )


def _weight(batch: AppendBatch) -> tuple[int, int]:
    return len(batch.append.messages), batch.append.size_bytes
