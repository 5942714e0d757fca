"""Follows messages to the deliveries and commits that concern them.

A poll has its own correlation id, and delivers messages of many correlation ids. So the trace of a send continues by
references: MessageConsumed by topic, partition, offset and message id; OffsetCommitted by topic id and an offset above
the message's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import msgspec

from odradek_domain.errors import OffsetNotFound, TopicNotFound
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.record import Commit, Recorded, StoredCommit
from odradek_events.trace import TracedDecision, TracedEvent
from odradek_events.types import MessageConsumed, MessageProduced, OffsetCommitted
from odradek_events.validation import items, shown

__all__ = ["command_of", "follow_messages", "position_of", "sender_of"]

_COMMANDS = {
    "MessageProduced": "send",
    "MessageConsumed": "poll",
    "OffsetReset": "reset offset",
    "OffsetCommitted": "commit",
    "TopicCreated": "create topic",
    "PartitionsAdded": "add partitions",
    "TopicRetentionSet": "set retention",
    "RecordsDeleted": "delete records",
    "TopicDeleted": "delete topic",
    "ProducerRegistered": "register producer",
    "ProducerEpochBumped": "begin a new epoch",
    "ProducerProgressed": "record progress",
    "ConsumerRegistered": "open consumer",
    "ConsumerResumed": "open consumer",
    "ConsumerSubscribed": "subscribe",
    "PartitionsAssigned": "assign",
    "MemberJoined": "join group",
    "StaticMemberReplaced": "join group",
    "RebalanceStarted": "join group",
    "MemberLeft": "leave group",
    "PartitionsRevoked": "close consumer",
    "OffsetsExpired": "delete offsets",
    "GroupDeleted": "delete group",
    "PolicyAdvanced": "record progress",
    "PolicyStopped": "stop policy",
}


def command_of(decision: TracedDecision) -> str:
    """Return the command behind a decision, derived from its first event; "command" if the event is unknown."""
    return _COMMANDS.get(decision.events[0].recorded.type, "command")


def sender_of(decision: TracedDecision) -> str | None:
    """Return the stream of the producer or policy that sent the command of a decision; None if it is not recorded."""
    if decision.policy:
        return f"policy/{decision.policy}"
    event = decision.events[0].recorded.event
    return f"producer/{event.producer_id}" if isinstance(event, MessageProduced) else None


def follow_messages(log: ReadableLog, events: Sequence[Recorded]) -> Mapping[int, tuple[TracedEvent, ...]]:
    """Return the deliveries and commits of each message among `events`, by its position: for `odradek_events.trace`.

    These are each delivery, followed by that consumer's first commit beyond the message, and the first such commit of
    every other owner. Reads the index of each partition from the message to the end of the log.
    """
    check_log(log)
    if not all(isinstance(recorded, Recorded) for recorded in items("events", events)):
        raise TypeError(f"events must be a list of Recorded, as a log's read yields, not {shown(events)}")
    partitions: dict[tuple[str, int, str], _Followed] = {}
    births = cache(lambda topic: _births(log, topic))
    for recorded in events:
        event = recorded.event
        if isinstance(event, MessageProduced):
            born = [topic_id for position, topic_id in births(event.topic) if position < recorded.position]
            place = event.topic, event.partition, born[-1] if born else ""
            partitions.setdefault(place, _Followed(*place)).add(recorded.position, event)
    return {position: found for followed in partitions.values() for position, found in followed.read(log)}


def position_of(log: ReadableLog, topic: str, partition: int, offset: int) -> int:
    """Return the position of a message in the topic's last incarnation; TopicNotFound, OffsetNotFound."""
    births = _births(log, topic)
    if not births:
        raise TopicNotFound(topic)
    tag = f"partition:{topic}/{partition}"
    first = log.locate(tag, offset, births[-1][0])
    end = 0
    if first is not None:
        for recorded in log.read(after=first - 1, types=("MessageProduced",), tags=(tag,)):
            if recorded.event.offset >= offset:
                if recorded.event.offset == offset:
                    return recorded.position
                break
            end = recorded.event.offset + 1
    raise OffsetNotFound(topic, partition, offset, 0, end)


def _births(log: ReadableLog, topic: str) -> list[tuple[int, str]]:
    """Return position and topic id of each creation of a topic."""
    found = log.read(types=("TopicCreated",), tags=(f"topic:{topic}",))
    return [(item.position, item.event.topic_id) for item in found]


class _Followed:
    """Messages of one partition, in offset order, with their deliveries and commits."""

    def __init__(self, topic: str, partition: int, topic_id: str) -> None:
        self._topic, self._partition, self._topic_id = topic, partition, topic_id
        self._offsets: list[int] = []
        self._positions: list[int] = []
        self._ids: list[str] = []
        self._consumed: list[list[Recorded]] = []
        self._commits: list[list[Recorded]] = []
        self._covered: dict[str, int] = {}  # owner -> number of messages that its commits cover

    def add(self, position: int, event: MessageProduced) -> None:
        """Add a message to follow; its offset must be the highest so far."""
        self._offsets.append(event.offset)
        self._positions.append(position)
        self._ids.append(event.message_id)
        self._consumed.append([])
        self._commits.append([])

    def read(self, log: ReadableLog) -> Iterator[tuple[int, tuple[TracedEvent, ...]]]:
        """Read the log from the first message on, and yield the deliveries and commits of each, with its position."""
        for commit in self._commits_of_interest(log):
            for number, event in enumerate(commit.events):
                if isinstance(event, MessageConsumed):
                    self._note_consumed(commit, number, event)
                elif isinstance(event, OffsetCommitted):
                    self._note_commit(commit, number, event)
        for position, consumed, commits in zip(self._positions, self._consumed, self._commits, strict=True):
            yield position, _story(consumed, commits)

    def _commits_of_interest(self, log: ReadableLog) -> Iterator[Commit]:
        """Decode commits of offsets; decode deliveries only if their bytes contain the message ids' common prefix."""
        beginning = msgspec.json.encode(_common_beginning(self._ids))[1:-1]
        for stored in log.stored(
            after=self._positions[0],
            tags=(f"partition:{self._topic}/{self._partition}",),
            types=("MessageConsumed", "OffsetCommitted"),
        ):
            if beginning in stored.events or _has_commits(stored):
                yield log.codec.commit(stored, opaque=True)

    def _note_consumed(self, commit: Commit, number: int, event: MessageConsumed) -> None:
        if (event.topic, event.partition) != (self._topic, self._partition):
            return
        index = bisect_left(self._offsets, event.offset)
        if index < len(self._ids) and self._ids[index] == event.message_id:
            self._consumed[index].append(_recorded(commit, number))

    def _note_commit(self, commit: Commit, number: int, event: OffsetCommitted) -> None:
        if (event.topic, event.partition, event.topic_id) != (self._topic, self._partition, self._topic_id):
            return
        covered, before = bisect_left(self._offsets, event.offset), self._covered.get(event.owner, 0)
        for index in range(before, covered):
            self._commits[index].append(_recorded(commit, number))
        self._covered[event.owner] = max(before, covered)


def _common_beginning(texts: Sequence[str]) -> str:
    low, high = min(texts), max(texts)  # the common prefix of these two is that of all
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:length]


def _has_commits(stored: StoredCommit) -> bool:
    return b'["OffsetCommitted",' in stored.metadata


def _recorded(commit: Commit, number: int) -> Recorded:
    return Recorded(
        commit.events[number],
        commit.first_position + number,
        commit.stream,
        commit.first_version + number,
        commit.metadata,
        commit.index + number,
    )


def _story(consumed: Sequence[Recorded], commits: Sequence[Recorded]) -> tuple[TracedEvent, ...]:
    """Attach each commit to the last earlier delivery to the same consumer; keep commits without one separate."""
    given: dict[int, list[TracedEvent]] = {}
    others: list[TracedEvent] = []
    for commit in commits:
        traced = TracedEvent(commit)
        deliveries = [
            item.position
            for item in consumed
            if item.position < commit.position
            and (commit.event.consumer_id == item.event.consumer_id or commit.event.owner == item.stream)
        ]
        if deliveries:
            given.setdefault(deliveries[-1], []).append(traced)
        else:
            others.append(traced)
    delivered = [TracedEvent(item, followed_by=tuple(given.get(item.position, ()))) for item in consumed]
    return tuple(sorted(delivered + others, key=lambda traced: traced.recorded.position))
