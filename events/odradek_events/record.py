"""What the log takes and what it gives: requests, commits, events with their place, verdicts.

*Position* is an event's place in the whole log, gapless from 0. *Version* is its place in its stream, gapless from 0.
A *commit* is the unit of durability: events appended all or none to one stream.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from odradek_events.errors import AppendError, LogError

__all__ = [
    "ANY",
    "NO_STREAM",
    "Append",
    "Appended",
    "Commit",
    "CommitEnd",
    "CommitMetadata",
    "Condition",
    "Decision",
    "EventMetadata",
    "Failed",
    "Head",
    "Query",
    "QueryItem",
    "Recorded",
    "Rejected",
    "StoredCommit",
    "Verdict",
    "type_name",
]

ANY = -2
"""Expected version: append whatever the stream's version is."""
NO_STREAM = -1
"""Expected version: the stream must not exist yet."""


class Decision(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One command whose events a commit holds: how many events, and where they come from."""

    event_count: int
    correlation_id: str = ""
    causation_id: str = ""


class QueryItem(msgspec.Struct, frozen=True, gc=False):
    """What an event may match: any of `types` (none: whatever type), and all of `tags`, on the one event."""

    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would match nothing, and so let a condition pass: a string in place of a tuple, a class."""
        for names in (self.types, self.tags):
            if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                raise TypeError(
                    f"types and tags are tuples of names, not {names!r}; an event type's name is the one it is "
                    "registered with, such as 'MessageProduced', not its class"
                )


class Query(msgspec.Struct, frozen=True, gc=False):
    """What events to select: those that match any of the items. The query of the DCB specification (dcb.events).

    Without items it selects nothing; `QueryItem()` selects everything.
    """

    items: tuple[QueryItem, ...]


class Condition(msgspec.Struct, frozen=True, gc=False):
    """Append only if no event after position `after` matches `query`: a dynamic consistency boundary.

    Read with the query, decide, and append with `after` set to the head as it was *before* that read. An `after` that
    the log has not reached when the append is judged is refused (ConditionBeyondHead), and so is a query without items,
    at once: no event could ever break such a condition.
    """

    query: Query
    after: int = -1

    def __post_init__(self) -> None:
        """Refuse a query that nothing matches, and what is no query or no position."""
        if not isinstance(self.query, Query) or type(self.after) is not int:
            raise TypeError(f"a condition has a Query and a position, not {self.query!r} and {self.after!r}")
        if not self.query.items:
            raise ValueError(
                "a condition with a query of no items can never fail; name what must not be there, QueryItem() for any "
                "event, or append without a condition"
            )


class Append(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request to append `events` to `stream`, all or none.

    `expected_version` is the version of the stream's last event (`NO_STREAM`, or `ANY`); `condition` is judged beside
    it, and both see what earlier requests of the same call append.

    `commit_id` should be unique in the log; when empty the log names the commit `<stream>@<first version>`. A request
    with a commit id may be repeated: where its expected version or its condition would now fail because of the very
    commit that it made, the answer is that commit's place (`Appended.is_repeat`), and CommitIdReused if the content is
    another. Only there it is looked for, since the log has no index of commit ids: with ANY and no condition nothing
    can fail, so a repeat is appended again, and so is a new request that takes an old commit id by mistake.

    A request without events checks what it expects and writes nothing; it is answered with the place where its events
    would have come to stand, so `last_position` is `first_position - 1` then, and `last_version` the stream's version.

    `decisions` must add up to the number of events; when empty the events are one decision. `is_checked` says that the
    caller has made sure that every field, of the request and of its events, holds a value of its type; otherwise the
    log reads back what it is about to store.
    """

    stream: str
    events: Sequence[Any]
    expected_version: int = ANY
    commit_id: str = ""
    actor: str = ""
    decisions: tuple[Decision, ...] = ()
    is_checked: bool = False
    condition: Condition | None = None


class CommitMetadata(msgspec.Struct, frozen=True, gc=False):
    """What the log keeps beside a commit's events. `types` lists its (name, schema version) pairs, sorted."""

    commit_id: str
    actor: str
    recorded_at: Annotated[datetime, msgspec.Meta(tz=True)]
    decisions: tuple[Decision, ...]
    types: tuple[tuple[str, int], ...]


class EventMetadata(msgspec.Struct, frozen=True, gc=False):
    """What is known about one event beside its fields: its type's name as it is now, its schema version as stored."""

    event_id: str
    commit_id: str
    type: str
    schema_version: int
    correlation_id: str
    causation_id: str
    actor: str
    recorded_at: datetime


class Commit(msgspec.Struct, frozen=True, gc=False):
    """Decoded events that were appended together, with their place in the log and in their stream.

    `index` is the place of the first of these events in the stored commit: above 0 when a reading bound splits it.
    """

    first_position: int
    stream: str
    first_version: int
    events: list[Any]
    metadata: CommitMetadata
    index: int = 0

    @property
    def last_position(self) -> int:
        """The position of the last event."""
        return self.first_position + len(self.events) - 1

    @property
    def last_version(self) -> int:
        """The version of the last event."""
        return self.first_version + len(self.events) - 1

    def between(self, after: int, until: int) -> Commit:
        """Return the part with positions above `after` and up to `until`."""
        low = max(0, after + 1 - self.first_position)
        high = min(len(self.events), until + 1 - self.first_position)
        if low == 0 and high == len(self.events):
            return self
        return Commit(
            self.first_position + low,
            self.stream,
            self.first_version + low,
            self.events[low:high],
            self.metadata,
            self.index + low,
        )


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event with its place."""

    event: Any
    position: int
    stream: str
    version: int
    commit: CommitMetadata
    index: int

    @property
    def metadata(self) -> EventMetadata:
        """The event's own metadata; its id is `<commit id>/<index>`."""
        correlation_id = causation_id = ""
        remaining = self.index
        for decision in self.commit.decisions:
            if remaining < decision.event_count:
                correlation_id, causation_id = decision.correlation_id, decision.causation_id
                break
            remaining -= decision.event_count
        name = self.type
        names = getattr(self.event, "__stored_names__", (name,))
        return EventMetadata(
            event_id=f"{self.commit.commit_id}/{self.index}",
            commit_id=self.commit.commit_id,
            type=name,
            schema_version=next((version for known, version in self.commit.types if known in names), 0),
            correlation_id=correlation_id,
            causation_id=causation_id,
            actor=self.commit.actor,
            recorded_at=self.commit.recorded_at,
        )

    @property
    def type(self) -> str:
        """The stable name of the event's type."""
        return type_name(self.event)


def type_name(item: Any) -> str:
    """Return the stable name of a decoded event's type; an OpaqueEvent brings its own."""
    tag = item.__struct_config__.tag
    return str(item.type_name if tag is None else tag)


class StoredCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit as a store keeps it: `events` is a JSON array, `metadata` a JSON object, both UTF-8.

    `tags` (tag -> first offset or None) is derived from the events; it is filled on the way in only.
    """

    first_position: int
    last_position: int
    stream: str
    first_version: int
    metadata: bytes
    digest: bytes
    events: bytes
    tags: dict[str, int | None] = {}

    @property
    def end(self) -> CommitEnd:
        """Where it ends."""
        version = self.first_version + self.last_position - self.first_position
        return CommitEnd(self.stream, version, self.last_position, self.digest)


class CommitEnd(msgspec.Struct, frozen=True, gc=False):
    """Where a commit ends: its stream, the version and the position of its last event, and its digest."""

    stream: str
    version: int
    position: int
    digest: bytes


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of a log: last position (-1 when empty), the chained digest there, and when it was recorded."""

    position: int
    digest: bytes
    recorded_at: datetime | None

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `POSITION:DIGEST`, as `to_text` writes it; ValueError for anything else."""
        found = re.fullmatch(r"(-1|[0-9]{1,18}):([0-9a-fA-F]{64})", text)
        if found is None:
            raise ValueError(f"{text[:100]!r} is not a head; write POSITION:DIGEST as 'odradek verify' prints it")
        return cls(int(found[1]), bytes.fromhex(found[2]), None)

    def to_text(self) -> str:
        """Return `POSITION:DIGEST`, to be kept outside the log and compared with it later."""
        return f"{self.position}:{self.digest.hex()}"


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The events are durable; `is_repeat` says that an earlier request of the same commit id had stored them."""

    first_position: int
    last_position: int
    first_version: int
    last_version: int
    recorded_at: datetime
    is_repeat: bool = False


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Nothing of the request was written."""

    error: AppendError


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The outcome is unknown; the log takes no further append until it is reopened."""

    error: LogError


Verdict = Appended | Rejected | Failed
