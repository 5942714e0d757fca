"""The state of the whole system at any point in history, folded from a log.

It has topics, producers, consumers, groups, and the progress of policies.
Each stream is folded only by its own aggregate: deleting a topic changes no consumer. An unregistered event in a
built-in stream would make its state wrong, and is an error.

User-defined aggregates are folded if they are registered for the stream's type (see `registry`). If one cannot be
folded, the stream is in `failures`, and every other stream is folded as usual. The digest has only the versions of
user-defined streams, so that it does not depend on what is registered.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from odradek_domain.aggregate import Aggregate, Folded, Walked
from odradek_domain.consumer.consumer import Consumer, ConsumerSnapshot
from odradek_domain.errors import AggregateFailed
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.group.member import GroupSnapshot
from odradek_domain.policy.progress import PolicyProgress, PolicySnapshot
from odradek_domain.producer.producer import Producer, ProducerSnapshot
from odradek_domain.registry import AGGREGATES, Aggregates
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.topic import Topic, TopicSnapshot
from odradek_domain.values.names import TopicName
from odradek_events.errors import EventNotReadable, RegistrationError
from odradek_events.record import Commit, Head
from odradek_events.validation import as_plain, check_function, check_instance, items, shown

__all__ = ["AggregateSnapshot", "ReplayableLog", "SystemState"]

AggregateSnapshot = TopicSnapshot | ProducerSnapshot | ConsumerSnapshot | GroupSnapshot | PolicySnapshot

# A rebuilt state keeps checksums instead of messages, so its size does not grow with the log.
NO_TAIL = TailLimit(0, 0)

_MOST_TRACEBACKS = 100  # of failures: a traceback holds the events that were folded

_KINDS: dict[str, Callable[[str], Aggregate]] = {
    "topic": lambda name: Topic(TopicName.recorded(name), NO_TAIL),
    "producer": Producer,
    "consumer": Consumer,
    "group": ConsumerGroup,
    "policy": PolicyProgress,
}


class ReplayableLog(Protocol):
    """The part of a log that a replay needs."""

    def head(self) -> Head:
        """Return the log's head."""
        ...

    def commits(self, *, after: int = -1, until: int | None = None, opaque: bool = False) -> Iterable[Commit]:
        """Yield commits in order; with `opaque`, unregistered events are yielded undecoded."""
        ...

    def resolve(self, until: int | datetime) -> int:
        """Convert a position or a time to a position."""
        ...


class SystemState:
    """All aggregates, and the position up to which they are folded.

    `aggregates` are those of user-defined stream types, by default the ones registered with `odradek.aggregate`.
    """

    __slots__ = ("_aggregates", "_makers", "_own", "failures", "position", "versions")

    def __init__(self, aggregates: Mapping[str, Callable[..., Folded]] | None = None) -> None:
        if aggregates is None:
            aggregates = AGGREGATES
        check_instance("aggregates", aggregates, Mapping, "a dict of stream types to classes, or None")
        self.position = -1
        self.versions: dict[str, int] = {}
        self.failures: dict[str, AggregateFailed] = {}
        """Why a user-defined aggregate could not be folded, by stream."""
        self._aggregates: dict[str, Aggregate] = {}
        self._own: dict[str, Folded] = {}
        self._makers = dict(aggregates if isinstance(aggregates, Aggregates) else Aggregates(aggregates))

    def __repr__(self) -> str:
        counts = {
            "topics": len(self.topics),
            "producers": len(self.producers),
            "consumers": len(self.consumers),
            "groups": len(self.groups),
            **Counter(stream.partition("/")[0] for stream in self.own_aggregates),
        }
        return f"<SystemState position={self.position} {' '.join(f'{name}={n}' for name, n in counts.items())}>"

    @classmethod
    def replay(
        cls,
        log: ReplayableLog,
        until: int | datetime | None = None,
        progress: Callable[[int], None] | None = None,
        *,
        aggregates: Mapping[str, Callable[..., Folded]] | None = None,
    ) -> SystemState:
        """Fold `log` from its beginning up to and including `until`.

        `until` is a position (-1: the empty state), an aware datetime (compared with recorded-at), or None for all.
        Raises PositionBeyondHead. `progress` is called with the position after each commit. `aggregates` are the
        classes of user-defined aggregates by stream type, or functions that make one from an id; by default those
        registered with `odradek.aggregate`. A running system has them in `system.aggregates`.
        """
        if not callable(getattr(log, "commits", None)) or isinstance(log, type):
            raise TypeError(f"log must be a log, such as open_log returns, not {shown(log)}")
        check_function("progress", progress)
        state = cls(aggregates)
        last = log.head().position if until is None else log.resolve(until)
        for commit in log.commits(until=last, opaque=True):
            state._apply(commit)
            del commit  # free it before the next one is decoded: keeping two alive made a replay a tenth slower
            if progress is not None:
                progress(state.position)
        return state

    @classmethod
    def gather(cls, snapshots: Iterable[AggregateSnapshot], position: int = -1) -> SystemState:
        """Return the state of these snapshots, without aggregates that have no events."""
        state = cls()
        state.position = position
        for snapshot in items("snapshots", snapshots):
            if not isinstance(snapshot, AggregateSnapshot):
                raise TypeError(f"snapshots must be those of aggregates, not {shown(snapshot)}")
            if snapshot.version >= 0:
                state.put(_stream_of(snapshot), snapshot)
        return state

    def put(self, stream: str, state: AggregateSnapshot | Folded) -> None:
        """Make this the state of a stream: an aggregate, or the snapshot of a built-in one."""
        check_instance("stream", stream, str, "a str")
        aggregate: Any = _restored(state) if isinstance(state, AggregateSnapshot) else state
        if not (type(getattr(aggregate, "version", None)) is int and callable(getattr(aggregate, "apply_all", None))):
            raise TypeError(f"state must be an aggregate, with a version and apply_all, not {shown(state)}")
        (self._aggregates if stream.partition("/")[0] in _KINDS else self._own)[stream] = aggregate
        self.versions[stream] = aggregate.version

    def apply_commit(self, commit: Commit) -> None:
        """Fold one commit into the aggregate of its stream."""
        check_instance("commit", commit, Commit, "a Commit, as a log's commits yields")
        self._apply(commit)

    def _apply(self, commit: Commit) -> None:
        stream = commit.stream
        own = self._own.get(stream)
        if own is None:
            aggregate = self._aggregates.get(stream)
            if aggregate is None:
                kind, _, identifier = stream.partition("/")
                make = _KINDS.get(kind)
                if make is not None:
                    aggregate = self._aggregates[stream] = make(identifier)
                elif kind in self._makers and stream not in self.failures:
                    own = self._made(kind, identifier, commit)
            if aggregate is not None:
                undecoded = _undecoded(commit)
                if undecoded is not None:
                    raise undecoded
                aggregate.apply_all(commit.events)
        if own is not None:
            self._apply_own(own, commit)
        self.versions[stream] = commit.last_version
        self.position = commit.last_position

    def _made(self, kind: str, identifier: str, commit: Commit) -> Folded | None:
        """Return the user-defined aggregate of a stream whose first commit this is; None if it cannot be made."""
        try:
            made = self._own[commit.stream] = self._makers[kind](identifier)
        except RegistrationError as error:
            self._fail(commit.stream, commit.first_position, error, str(error))
        except Exception as error:  # the user's code may raise anything
            problem = f"making its aggregate raised {error!r}; fix the model"
            self._fail(commit.stream, commit.first_position, error, problem)
        else:
            return made
        return None

    def _apply_own(self, aggregate: Folded, commit: Commit) -> None:
        """Fold a commit into a user-defined aggregate. If that fails, the aggregate is dropped: its state is wrong."""
        undecoded = _undecoded(commit)
        if undecoded is not None:
            self._fail(commit.stream, undecoded.position, undecoded, str(undecoded))
            return
        events = Walked(commit.events)
        try:
            aggregate.apply_all(events)
        except Exception as error:  # the user's code may raise anything
            failure = events.failure(commit.stream, commit.first_position, error)
            self._fail(commit.stream, failure.position, error, failure.problem)

    def _fail(self, stream: str, position: int, error: Exception, problem: str) -> None:
        """Drop the aggregate of a stream, whose state would be wrong, and remember why."""
        self._own.pop(stream, None)
        failure = self.failures[stream] = AggregateFailed(stream, position, problem)
        has_many = len(self.failures) > _MOST_TRACEBACKS
        failure.__cause__ = error.with_traceback(None) if has_many else error

    @property
    def topics(self) -> Mapping[str, Topic]:
        """Existing topics by name; see `versions` for streams of deleted ones."""
        return {topic.name: topic for topic in self._of(Topic) if topic.exists}

    @property
    def producers(self) -> Mapping[str, Producer]:
        """Producers by client id."""
        return {producer.client_id: producer for producer in self._of(Producer)}

    @property
    def consumers(self) -> Mapping[str, Consumer]:
        """Consumers by id."""
        return {consumer.id: consumer for consumer in self._of(Consumer)}

    @property
    def groups(self) -> Mapping[str, ConsumerGroup]:
        """Consumer groups by id."""
        return {group.id: group for group in self._of(ConsumerGroup)}

    @property
    def policies(self) -> Mapping[str, PolicyProgress]:
        """The progress of policies by their names."""
        return {policy.name: policy for policy in self._of(PolicyProgress)}

    @property
    def own_aggregates(self) -> Mapping[str, Any]:
        """User-defined aggregates by stream, without those in `failures`."""
        return dict(sorted(self._own.items()))

    def aggregate(self, stream: str) -> Any:
        """Return the aggregate of a stream; None if it has no event, or no aggregate is registered for its type.

        Raises AggregateFailed if it could not be folded.
        """
        check_instance("stream", stream, str, "a str")
        if stream in self.failures:
            raise self.failures[stream]
        return self._aggregates.get(stream) or self._own.get(stream)

    def topic_of(self, stream: str) -> Topic | None:
        """Return the topic of a stream, even if it is deleted; None if the stream is not a topic's."""
        check_instance("stream", stream, str, "a str")
        found = self._aggregates.get(stream)
        return found if isinstance(found, Topic) else None

    def is_folded(self, stream: str) -> bool:
        """Return whether an aggregate was folded from this stream."""
        check_instance("stream", stream, str, "a str")
        return stream in self._aggregates or stream in self._own

    def snapshot_of(self, stream: str) -> AggregateSnapshot | None:
        """Return the snapshot of a built-in aggregate; None if the stream is not folded, or is user-defined."""
        check_instance("stream", stream, str, "a str")
        found: Any = self._aggregates.get(stream)
        snapshot: AggregateSnapshot | None = None if found is None else found.snapshot()
        return snapshot

    def snapshots(self) -> dict[str, AggregateSnapshot]:
        """Return the snapshots of the built-in aggregates by stream, sorted by stream."""
        found: dict[str, Any] = dict(sorted(self._aggregates.items()))
        return {stream: item.snapshot() for stream, item in found.items()}

    def digest(self) -> str:
        """Return a hex digest of the built-in aggregates and of all versions.

        Message bodies are included by their checksums. Equal states have equal digests, independent of the process, of
        the order of folding, and of the user-defined aggregates that are registered.
        """
        content = msgspec.json.encode([sorted(self.versions.items()), self.snapshots()], enc_hook=as_plain)
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def _of(self, cls: type[Any]) -> list[Any]:
        return [item for _, item in sorted(self._aggregates.items()) if isinstance(item, cls)]


def _undecoded(commit: Commit) -> EventNotReadable | None:
    """Return the error for the first event of a commit that could not be decoded, if there is one."""
    events = commit.events
    kinds: Iterable[type[Any]] = (type(events[0]),) if len(events) == 1 else set(map(type, events))
    for kind in kinds:
        if kind.__struct_config__.tag is None:  # every registered type is tagged with its stored name
            index = next(index for index, item in enumerate(events) if type(item) is kind)
            error: EventNotReadable = events[index].error_at(commit.first_position + index)
            return error
    return None


def _stream_of(snapshot: AggregateSnapshot) -> str:
    match snapshot:
        case TopicSnapshot():
            return f"topic/{snapshot.name}"
        case ProducerSnapshot():
            return f"producer/{snapshot.client_id}"
        case ConsumerSnapshot():
            return f"consumer/{snapshot.consumer_id}"
        case GroupSnapshot():
            return f"group/{snapshot.group_id}"
        case PolicySnapshot():
            return f"policy/{snapshot.name}"


def _restored(snapshot: AggregateSnapshot) -> Aggregate:
    match snapshot:
        case TopicSnapshot():
            return Topic.restore(snapshot, NO_TAIL)
        case ProducerSnapshot():
            return Producer.restore(snapshot)
        case ConsumerSnapshot():
            return Consumer.restore(snapshot)
        case GroupSnapshot():
            return ConsumerGroup.restore(snapshot)
        case PolicySnapshot():
            return PolicyProgress.restore(snapshot)
