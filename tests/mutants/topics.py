"""Topics with a planted bug."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from odradek_actors.base.actor import ActorContext
from odradek_actors.messages.core import Command, Query, Recipient
from odradek_actors.messages.log import JournalAppend
from odradek_actors.messages.producers import Receipt
from odradek_actors.messages.topics import AppendBatch, Fetch
from odradek_actors.topic.actor import TopicActor, TopicActorSnapshot
from odradek_domain.errors import DomainError, OutOfOrderSequence
from odradek_domain.topic.topic import AppendDecision, AppendMessages, Topic
from odradek_events.errors import OutcomeUnknown
from odradek_events.record import ANY, Appended
from odradek_events.types import MessageProduced

__all__ = [
    "AcknowledgesBeforeStoring",
    "AnswersStaleOffsets",
    "AppendsBlindly",
    "AppliesBeforeStoring",
    "DecidesSeparately",
    "ForgetsSequences",
    "LosesWakeUps",
    "StoresBehindGaps",
]

_Then = Callable[[Appended], None]
_SOMETIME = datetime(2000, 1, 1, tzinfo=UTC)


class AcknowledgesBeforeStoring(TopicActor):
    """Replies to a batch before the log has it."""

    def persist(
        self, events: Sequence[Any], commands: Sequence[Command], then: _Then, *args: Any, **options: Any
    ) -> None:
        if not any(type(command.body) is AppendBatch for command in commands):
            super().persist(events, commands, then, *args, **options)
            return
        version = self.state.version
        first = self._position + 1
        then(Appended(first, first + len(events) - 1, version + 1, version + len(events), _SOMETIME))
        super().persist(events, (), lambda _: None, *args, **options)


class AppliesBeforeStoring(TopicActor):
    """Applies messages when it decides on them, and does not take that back if the append fails."""

    def persist(
        self, events: Sequence[Any], commands: Sequence[Command], then: _Then, *args: Any, **options: Any
    ) -> None:
        super().persist(events, commands, then, *args, **options)
        if self._appending is not None and all(type(event) is MessageProduced for event in events):
            self.state.apply_all(events)
            self._appending.events = ()


class ForgetsSequences(TopicActor):
    """Restores a snapshot without the sequence numbers of producers."""

    def restore(self, snapshot: TopicActorSnapshot) -> Topic:
        partitions = tuple(msgspec.structs.replace(each, sequences=()) for each in snapshot.topic.partitions)
        topic = msgspec.structs.replace(snapshot.topic, partitions=partitions)
        return super().restore(msgspec.structs.replace(snapshot, topic=topic))


class _Separate(Topic):
    """Decides each of several appends as if it were the only one."""

    def decide_appends(self, commands: Sequence[AppendMessages]) -> list[AppendDecision | DomainError]:
        return [decided for command in commands for decided in super(_Separate, self).decide_appends([command])]


class DecidesSeparately(TopicActor):
    """Gives appends that are decided together the same offsets."""

    def initial_state(self) -> Topic:
        super().initial_state()
        return _Separate(self.id, self._tail_limit)


class AnswersStaleOffsets(TopicActor):
    """Answers sends that are stored together with the offsets of the first of them."""

    _before: list[Receipt] | None = None

    def persist(
        self, events: Sequence[Any], commands: Sequence[Command], then: _Then, *args: Any, **options: Any
    ) -> None:
        def answer(appended: Appended) -> None:
            self._before = None
            then(appended)

        super().persist(events, commands, answer, *args, **options)

    def reply(self, request: Command | Query, value: object) -> None:
        if isinstance(value, list) and value and isinstance(value[0], Receipt):
            if self._before is not None and len(self._before) == len(value):
                value = self._before
            self._before = value
        super().reply(request, value)


class _Gapless(Topic):
    """Stores whatever has a sequence that it does not know, also behind a gap."""

    def _offsets_of_repeat(self, command: AppendMessages, sequences: dict[int, int], ahead: Any) -> list[int] | None:
        try:
            return super()._offsets_of_repeat(command, sequences, ahead)
        except OutOfOrderSequence:
            return None


class StoresBehindGaps(TopicActor):
    """Stores a batch although an earlier one of its producer is missing."""

    def initial_state(self) -> Topic:
        super().initial_state()
        return _Gapless(self.id, self._tail_limit)


class AppendsBlindly(TopicActor):
    """Keeps its state when an append may or may not be stored, and appends without the version that it expects."""

    def _failed(self, error: Exception) -> None:
        if isinstance(error, OutcomeUnknown):
            self._phase = "ready"
            self._go_on()
        else:
            super()._failed(error)

    def send(self, recipient: Recipient, message: object) -> None:
        if isinstance(message, JournalAppend):
            blind = msgspec.structs.replace(message.append, expected_version=ANY)
            message = msgspec.structs.replace(message, append=blind)
        super().send(recipient, message)


class _Park(msgspec.Struct, frozen=True):
    query: Query


class LosesWakeUps(TopicActor):
    """Looks whether there are messages, and parks the fetch in a later step."""

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context, stream)
        self.handlers[_Park] = self._park

    def handle_query(self, query: Query) -> None:
        if type(query.body) is Fetch and not self._serve(query):
            self.send(self.actor_ref, _Park(query))
        elif type(query.body) is not Fetch:
            super().handle_query(query)

    def _park(self, message: _Park) -> None:
        self._parked[message.query.body.consumer_id] = message.query
