"""The LogReader: reads the log on behalf of actors, whose handlers must not touch a file.

It reads in chunks, so that a long read does not hold up short ones.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import msgspec

from odradek_actors.base.actor import ActorContext, OdradekActor
from odradek_actors.errors import as_error
from odradek_actors.infrastructure.commit_cache import CommitCache
from odradek_actors.messages.core import Query, Recipient, Stop
from odradek_actors.messages.groups import FindOffsets, ListGroups
from odradek_actors.messages.log import (
    CountProduced,
    EventsRead,
    Facts,
    ListTopics,
    LocateMessage,
    ReadEvents,
    ReadFacts,
    ReadOlder,
    TopicIds,
)
from odradek_actors.messages.recovery import ReadStream, Restored, SnapshotSchema, StreamChunk
from odradek_actors.messages.retention import FindRetained
from odradek_actors.messages.topics import FetchResult
from odradek_domain.replay.log_scans import offsets_at_time, walk_messages
from odradek_domain.values.message import message_size
from odradek_events import record
from odradek_events.errors import LogError
from odradek_events.log.port import LogStore
from odradek_events.log.queries import Matcher
from odradek_events.record import Commit, Recorded
from odradek_events.snapshots.store import SnapshotStore, StoredSnapshot, why_unusable
from odradek_events.types import MessageProduced

__all__ = ["LogReaderActor"]

_CHUNK_EVENTS = 20_000


class _Continue(msgspec.Struct, frozen=True):
    request: ReadStream
    commits: Iterator[Commit]  # mutable, so the reader sends it only to itself
    snapshot: Restored | None = None  # still to be sent

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        return self.request.bounce(error)


class _WalkOn(msgspec.Struct, frozen=True):
    query: Query
    walking: Generator[None, None, object]  # mutable, so the reader sends it only to itself

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        return self.query.bounce(error)


class LogReaderActor(OdradekActor):
    """Owns the log's read connections."""

    def __init__(self, context: ActorContext, log: LogStore, snapshots: SnapshotStore) -> None:
        super().__init__(context)
        self._event_log = log
        self._snapshots = snapshots
        self._older_messages = CommitCache(log, context.settings.read_cache_bytes)
        self._queries: dict[type[Any], Callable[[Any], object]] = {
            ReadOlder: self._older,
            ReadFacts: self._facts,
            ReadEvents: self._events,
            CountProduced: self._count,
            LocateMessage: self._locate,
            ListTopics: self._topics,
            TopicIds: self._topic_ids,
            ListGroups: self._groups,
        }
        self.handlers = {
            ReadStream: self._read_stream,
            _Continue: self._read_on,
            _WalkOn: self._walk_on,
            Query: self._answer,
            Stop: self._stop_orderly,
        }

    def _stop_orderly(self, _: Stop) -> None:
        self.stop()

    def _answer(self, query: Query) -> None:
        match query.body:
            case FindRetained(topic, walks, not_before):
                self._walk_on(_WalkOn(query, walk_messages(self._event_log, topic, walks, not_before)))
            case FindOffsets(topic, moment):
                self._walk_on(_WalkOn(query, offsets_at_time(self._event_log, topic, moment)))
            case body:
                self.reply(query, self._queries[type(body)](body))

    def _read_stream(self, request: ReadStream) -> None:
        snapshot = None if request.schema is None else self._newest_snapshot(request.stream, request.schema)
        after = -1 if snapshot is None else snapshot.position
        self._read_on(_Continue(request, self._event_log.commits(stream=request.stream, after=after), snapshot))

    def _read_on(self, reading: _Continue) -> None:
        request = reading.request
        commits: list[Commit] = []
        events = 0
        try:
            for commit in reading.commits:
                commits.append(commit)
                events += len(commit.events)
                if events >= _CHUNK_EVENTS:
                    chunk = StreamChunk(request.number, tuple(commits), False, None, reading.snapshot)
                    self.send(request.reply_to, chunk)
                    self.send(self.actor_ref, _Continue(request, reading.commits))
                    return
            self.send(request.reply_to, StreamChunk(request.number, tuple(commits), True, None, reading.snapshot))
        except BaseException as raised:  # a bug here or in the store: the recovering actor must still get an answer
            error = as_error(raised)
            if not isinstance(error, LogError):
                self.log.error("reading failed", stream=request.stream, error=repr(error), exc_info=error)
            self.send(request.reply_to, StreamChunk(request.number, (), True, error))

    def _newest_snapshot(self, stream: str, schema: SnapshotSchema) -> Restored | None:
        """Return a stream's newest usable snapshot, or None. Unusable snapshots and errors are logged and skipped."""
        at_most: int | None = None
        try:
            while (found := self._snapshots.load(stream, at_most)) is not None:
                version = found.end.version
                reason = why_unusable(self._event_log, found, schema.name, schema.version)
                if reason is None:
                    restored = _decoded(found, schema)
                    if isinstance(restored, Restored):
                        return restored
                    reason = restored
                self.log.warning("snapshot skipped", stream=stream, version=version, reason=reason)
                at_most = version - 1
        except BaseException as raised:  # read the stream from its beginning: the log has all events
            error = as_error(raised)
            self.log.warning("snapshots skipped", stream=stream, error=str(error))
        return None

    def _older(self, wanted: ReadOlder) -> FetchResult:
        messages: list[MessageProduced] = []
        size = 0
        for message in self._older_messages.read(wanted.topic, wanted.partition, wanted.offset, wanted.not_before):
            size += message_size(message)
            is_too_much = messages and size > wanted.max_bytes
            if is_too_much or message.offset >= wanted.until_offset or len(messages) >= wanted.max_messages:
                break
            messages.append(message)
        return FetchResult(wanted.topic, wanted.topic_id, wanted.bounds, tuple(messages))

    def _walk_on(self, message: _WalkOn) -> None:
        try:
            next(message.walking)
        except StopIteration as done:
            self.reply(message.query, done.value)
        except BaseException as raised:  # the requester must get an answer
            error = as_error(raised)
            self.reply(message.query, error)
        else:
            self.send(self.actor_ref, message)

    def _facts(self, wanted: ReadFacts) -> Facts:
        found, position, is_last = self._read(wanted.query, wanted.after, _CHUNK_EVENTS)
        matches = Matcher(wanted.query, self._event_log.codec).matches
        return Facts(tuple([recorded.event for recorded in found]), position, is_last, matches)

    def _events(self, wanted: ReadEvents) -> EventsRead:
        found, position, is_last = self._read(wanted.query, wanted.after, wanted.limit, opaque=True)
        return EventsRead(tuple(found), position, is_last)

    def _read(
        self, query: record.Query, after: int, limit: int, *, opaque: bool = False
    ) -> tuple[list[Recorded], int, bool]:
        """Return the first matching events, the position that they were read up to, and whether these were all."""
        head = self._event_log.head().position
        if head == after:  # the usual case of a single writer; saves a query of SQLite
            return [], head, True
        found = list(self._event_log.read(after=after, until=head, query=query, limit=limit, opaque=opaque))
        is_last = len(found) < limit
        return found, head if is_last else found[-1].position, is_last

    def _count(self, wanted: CountProduced) -> tuple[int, int]:
        count, last = 0, wanted.after
        for recorded in self._event_log.read(
            after=wanted.after, tags=(f"producer:{wanted.producer_id}",), types=("MessageProduced",)
        ):
            count += 1
            last = recorded.position
        return count, last

    def _locate(self, wanted: LocateMessage) -> int | None:
        tag = f"partition:{wanted.topic}/{wanted.partition}"
        positions = (
            recorded.position
            for recorded in self._event_log.read(
                after=self._from(tag, wanted.offset), tags=(tag,), types=("MessageProduced",)
            )
            if isinstance(recorded.event, MessageProduced) and recorded.event.message_id == wanted.message_id
        )
        return next(positions, None)

    def _from(self, tag: str, offset: int) -> int:
        return (self._event_log.locate(tag, offset) or 0) - 1

    def _topics(self, _: ListTopics) -> tuple[str, ...]:
        return tuple(sorted(self._topic_ids(TopicIds())))

    def _topic_ids(self, _: TopicIds) -> dict[str, str]:
        changes: list[tuple[int, str, str]] = []
        for kind in ("TopicCreated", "TopicDeleted"):
            for recorded in self._event_log.read(types=(kind,)):
                topic_id = recorded.event.topic_id if kind == "TopicCreated" else ""
                changes.append((recorded.position, recorded.event.topic, topic_id))
        ids = {topic: topic_id for _, topic, topic_id in sorted(changes)}
        return {topic: topic_id for topic, topic_id in ids.items() if topic_id}

    def _groups(self, _: ListGroups) -> tuple[str, ...]:
        deleted = {
            recorded.stream
            for recorded in self._event_log.read(types=("GroupDeleted",))
            if recorded.version == self._event_log.stream_version(recorded.stream)
        }
        streams = (stream for stream in self._event_log.streams() if stream.startswith("group/"))
        return tuple(stream.removeprefix("group/") for stream in streams if stream not in deleted)


def _decoded(snapshot: StoredSnapshot, schema: SnapshotSchema) -> Restored | str:
    """Return a snapshot's state, or the reason why it cannot be decoded."""
    try:
        state = msgspec.json.decode(snapshot.payload, type=schema.type)
    except BaseException as raised:  # from msgspec, or from the Struct's __post_init__
        error = as_error(raised)
        return f"it cannot be decoded ({error})"
    return Restored(state, snapshot.end.version, snapshot.end.position, len(snapshot.payload))
