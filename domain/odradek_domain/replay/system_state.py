"""The state of the whole system, folded from a log: topics, producers, consumers and groups at any point in history.

Each stream is folded only by its own aggregate: deleting a topic changes no consumer. Streams of user-defined
aggregates are not folded. They count in `versions` and in the digest, even if their events are not registered. An
unregistered event in a built-in stream would make its state wrong, and is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from odradek_domain.aggregate import Aggregate
from odradek_domain.consumer.consumer import Consumer, ConsumerSnapshot
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.group.member import GroupSnapshot
from odradek_domain.producer.producer import Producer, ProducerSnapshot
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.topic import Topic, TopicSnapshot
from odradek_domain.values.names import TopicName
from odradek_events.record import Commit, Head
from odradek_events.schema.registry import CATALOGUE
from odradek_events.validation import as_plain, check_function, check_instance, items, shown

__all__ = ["AggregateSnapshot", "ReplayableLog", "SystemState"]

AggregateSnapshot = TopicSnapshot | ProducerSnapshot | ConsumerSnapshot | GroupSnapshot

# A rebuilt state keeps checksums instead of messages, so its size does not grow with the log.
NO_TAIL = TailLimit(0, 0)

_KINDS: dict[str, Callable[[str], Aggregate]] = {
    "topic": lambda name: Topic(TopicName.recorded(name), NO_TAIL),
    "producer": Producer,
    "consumer": Consumer,
    "group": ConsumerGroup,
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
    """All aggregates, and the position up to which they are folded."""

    __slots__ = ("_aggregates", "position", "versions")

    def __init__(self) -> None:
        self.position = -1
        self.versions: dict[str, int] = {}
        self._aggregates: dict[str, Aggregate] = {}

    def __repr__(self) -> str:
        kinds = (
            ("topics", self.topics),
            ("producers", self.producers),
            ("consumers", self.consumers),
            ("groups", self.groups),
        )
        counts = " ".join(f"{name}={len(found)}" for name, found in kinds)
        return f"<SystemState position={self.position} {counts}>"

    @classmethod
    def replay(
        cls,
        log: ReplayableLog,
        until: int | datetime | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> SystemState:
        """Fold `log` from its beginning up to and including `until`.

        `until` is a position (-1: the empty state), an aware datetime (compared with recorded-at), or None for all.
        Raises PositionBeyondHead. `progress` is called with the position after each commit.
        """
        if not callable(getattr(log, "commits", None)) or isinstance(log, type):
            raise TypeError(f"log must be a log, such as open_log returns, not {shown(log)}")
        check_function("progress", progress)
        state = cls()
        last = log.head().position if until is None else log.resolve(until)
        for commit in log.commits(until=last, opaque=True):
            state.apply_commit(commit)
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
            if snapshot.version < 0:
                continue
            stream, aggregate = _restore(snapshot)
            state._aggregates[stream] = aggregate
            state.versions[stream] = aggregate.version
        return state

    def apply_commit(self, commit: Commit) -> None:
        """Fold one commit into the aggregate of its stream."""
        check_instance("commit", commit, Commit, "a Commit, as a log's commits yields")
        stream = commit.stream
        aggregate = self._aggregates.get(stream)
        if aggregate is None:
            kind, _, identifier = stream.partition("/")
            make = _KINDS.get(kind)
            if make is not None:
                aggregate = self._aggregates[stream] = make(identifier)
        if aggregate is not None:
            if not CATALOGUE.is_current(commit.metadata.types):
                _require_decoded(commit)
            aggregate.apply_all(commit.events)
        self.versions[stream] = commit.last_version
        self.position = commit.last_position

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

    def topic_of(self, stream: str) -> Topic | None:
        """Return the topic of a stream, even if it is deleted; None if the stream is not a topic's."""
        check_instance("stream", stream, str, "a str")
        found = self._aggregates.get(stream)
        return found if isinstance(found, Topic) else None

    def is_folded(self, stream: str) -> bool:
        """Return whether an aggregate was folded from this stream."""
        check_instance("stream", stream, str, "a str")
        return stream in self._aggregates

    def snapshot_of(self, stream: str) -> AggregateSnapshot | None:
        """Return the snapshot of a stream's aggregate; None if the stream is not folded."""
        check_instance("stream", stream, str, "a str")
        found: Any = self._aggregates.get(stream)
        snapshot: AggregateSnapshot | None = None if found is None else found.snapshot()
        return snapshot

    def snapshots(self) -> dict[str, AggregateSnapshot]:
        """Return each aggregate's snapshot by stream, sorted by stream."""
        found: dict[str, Any] = dict(sorted(self._aggregates.items()))
        return {stream: item.snapshot() for stream, item in found.items()}

    def digest(self) -> str:
        """Return a hex digest of all aggregates and versions; message bodies are included by their checksums.

        Equal states have equal digests, independent of the process and the order of folding.
        """
        content = msgspec.json.encode([sorted(self.versions.items()), self.snapshots()], enc_hook=as_plain)
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def _of(self, cls: type[Any]) -> list[Any]:
        return [item for _, item in sorted(self._aggregates.items()) if isinstance(item, cls)]


def _require_decoded(commit: Commit) -> None:
    for position, item in enumerate(commit.events, commit.first_position):
        if item.__struct_config__.tag is None:  # every registered type is tagged with its stored name
            raise item.error_at(position)


def _restore(snapshot: AggregateSnapshot) -> tuple[str, Aggregate]:
    match snapshot:
        case TopicSnapshot():
            return f"topic/{snapshot.name}", Topic.restore(snapshot, NO_TAIL)
        case ProducerSnapshot():
            return f"producer/{snapshot.client_id}", Producer.restore(snapshot)
        case ConsumerSnapshot():
            return f"consumer/{snapshot.consumer_id}", Consumer.restore(snapshot)
        case GroupSnapshot():
            return f"group/{snapshot.group_id}", ConsumerGroup.restore(snapshot)
