"""The values that the log accepts and returns: append requests, conditions, commits, recorded events, verdicts.

*Position* is an event's place in the whole log, gapless from 0. *Version* is its place in its stream, gapless from 0.
A *commit* is the unit of durability: events appended atomically to one stream.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from odradek_events.errors import AppendError, LogError
from odradek_events.validation import items, plain_text, shown

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
    "events_of",
    "type_name",
]

ANY = -2
"""Expected version: append whatever the stream's version is."""
NO_STREAM = -1
"""Expected version: the stream must not exist yet."""


class Decision(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The events of one command within a commit: how many there are, and their correlation and causation ids."""

    event_count: int
    correlation_id: str = ""
    causation_id: str = ""


class QueryItem(msgspec.Struct, frozen=True, gc=False):
    """Matches an event that has one of `types` (empty: any type) and all of `tags`."""

    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Reject a string in place of a tuple, and a class in place of a name: a condition on them would never fail."""
        for field in ("types", "tags"):
            given = getattr(self, field)
            names = items(field, given)
            if not all(isinstance(name, str) for name in names):
                raise TypeError(
                    f"{field} must be a tuple of names, not {shown(given)}; use the name that an event type is "
                    "registered under, such as 'MessageProduced', not its class"
                )
            if type(given) is not tuple:
                msgspec.structs.force_setattr(self, field, tuple(names))


class Query(msgspec.Struct, frozen=True, gc=False):
    """Selects the events that match any of the items, as in the DCB specification (dcb.events).

    A query without items selects nothing; `QueryItem()` selects everything.
    """

    items: tuple[QueryItem, ...]

    def __post_init__(self) -> None:
        """Raise TypeError unless `items` is a tuple or list of QueryItem."""
        if not isinstance(self.items, tuple | list) or not all(isinstance(item, QueryItem) for item in self.items):
            advice = "; use Query((QueryItem(types, tags),))" if isinstance(self.items, QueryItem) else ""
            raise TypeError(f"items must be a tuple of QueryItem, not {shown(self.items)}{advice}")
        if type(self.items) is not tuple:
            msgspec.structs.force_setattr(self, "items", tuple(self.items))


class Condition(msgspec.Struct, frozen=True, gc=False):
    """Append only if no event after position `after` matches `query`: a dynamic consistency boundary.

    Read with the query, decide, and append with `after` set to the head as it was *before* that read. The log refuses
    an `after` that it has not reached (ConditionBeyondHead), and the constructor refuses a query without items: no
    event could violate such a condition.
    """

    query: Query
    after: int = -1

    def __post_init__(self) -> None:
        """Reject wrong types, and a query that nothing matches."""
        if not isinstance(self.query, Query):
            advice = "; use Query((QueryItem(types, tags),))" if isinstance(self.query, QueryItem) else ""
            raise TypeError(f"query must be a Query, not {shown(self.query)}{advice}")
        if type(self.after) is not int:
            raise TypeError(f"after must be a position, or -1 for the beginning, not {shown(self.after)}")
        if self.after < -1:
            raise ValueError(f"after must be a position, or -1 for the beginning, not {shown(self.after)}")
        if not self.query.items:
            raise ValueError(
                "a condition whose query has no items can never fail; add items for the events that must not exist "
                "(QueryItem() for any event), or append without a condition"
            )


class Append(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request to append `events` to `stream` atomically.

    `expected_version` is the version of the stream's last event, `NO_STREAM` or `ANY`. The log checks it and
    `condition`; both checks include what earlier requests of the same call append.

    `commit_id` should be unique in the log. If it is empty, the log names the commit `<stream>@<first version>`. A
    request with a commit id may be repeated: if its expected version or its condition fails because of the commit that
    it stored before, the log returns that commit's place (`Appended.is_repeat`), or CommitIdReused if the content
    differs. The log looks for the commit id only there, since it has no index of commit ids. With `ANY` and no
    condition nothing can fail, so a repeated request is appended a second time, and so is a new request that reuses a
    commit id by mistake.

    A request without events runs its checks and writes nothing. Its verdict names the place where its events would
    have been stored: `last_position` is `first_position - 1`, and `last_version` is the stream's version.

    The event counts of `decisions` must add up to the number of events; if it is empty, the events are one decision.
    With `is_checked` the caller guarantees that every field of the request and of its events has a value of its type;
    otherwise the log decodes what it is about to store.

    A commit id has at most 1000 characters, a correlation or causation id 1024; the log rejects longer ones. A field of
    another type raises a TypeError that names it.
    """

    stream: str
    events: Sequence[Any]
    expected_version: int = ANY
    commit_id: str = ""
    actor: str = ""
    decisions: tuple[Decision, ...] = ()
    is_checked: bool = False
    condition: Condition | None = None

    def __post_init__(self) -> None:
        """Raise TypeError for a field of a wrong type, before the request reaches a log."""
        for name in ("stream", "commit_id", "actor"):
            value = getattr(self, name)
            if type(value) is not str:
                if not isinstance(value, str):
                    raise TypeError(f"{name} must be a str, not {shown(value)}")
                msgspec.structs.force_setattr(self, name, plain_text(value))
        if type(self.expected_version) is not int:
            raise TypeError(f"expected_version must be an int, not {shown(self.expected_version)}")
        if type(self.events) not in (list, tuple) and (
            isinstance(self.events, str | bytes) or not isinstance(self.events, Sequence)
        ):
            advice = "; use events=[event]" if isinstance(self.events, msgspec.Struct) else ""
            raise TypeError(f"events must be a list or tuple of events, not {shown(self.events)}{advice}")
        if not isinstance(self.decisions, tuple) or not set(map(type, self.decisions)) <= {Decision}:
            raise TypeError(f"decisions must be a tuple of Decision, not {shown(self.decisions)}")
        if self.condition is not None and not isinstance(self.condition, Condition):
            raise TypeError(f"condition must be a Condition or None, not {shown(self.condition)}")


class CommitMetadata(msgspec.Struct, frozen=True, gc=False):
    """The metadata that the log stores with a commit. `types` has the (name, schema version) pairs, sorted."""

    commit_id: str
    actor: str
    recorded_at: Annotated[datetime, msgspec.Meta(tz=True)]
    decisions: tuple[Decision, ...]
    types: tuple[tuple[str, int], ...]


class EventMetadata(msgspec.Struct, frozen=True, gc=False):
    """The metadata of one event. `type` is the current name of its type, `schema_version` the stored version."""

    event_id: str
    commit_id: str
    type: str
    schema_version: int
    correlation_id: str
    causation_id: str
    actor: str
    recorded_at: datetime


class Commit(msgspec.Struct, frozen=True, gc=False):
    """Decoded events that were appended together, with their positions and versions.

    `index` is the index of the first of these events in the stored commit; it is above 0 if a read started inside it.
    """

    first_position: int
    stream: str
    first_version: int
    events: list[Any]
    metadata: CommitMetadata
    index: int = 0

    def __repr__(self) -> str:
        place = f"position={self.first_position} stream={self.stream!r} version={self.first_version}"
        return f"<Commit {place} events={len(self.events)}>"

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
    """An event with its position, stream and version; `index` is its place in the commit."""

    event: Any
    position: int
    stream: str
    version: int
    commit: CommitMetadata
    index: int

    def __repr__(self) -> str:
        return f"<Recorded position={self.position} stream={self.stream!r} version={self.version} {self.event!r}>"

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
    """Return the stable name of a decoded event's type; for an OpaqueEvent, the name it is stored under."""
    tag = item.__struct_config__.tag
    return str(item.type_name if tag is None else tag)


def events_of(decided: object) -> list[Any] | tuple[Any, ...]:
    """Return what a decision returned as a list or tuple: an event, a list or tuple of events, or None for none.

    Raises TypeError for anything else.
    """
    if decided is None:
        return ()
    events = decided if isinstance(decided, list | tuple) else (decided,)
    for event in events:
        if not isinstance(event, msgspec.Struct):
            raise TypeError(f"{shown(event)} is not an event; return an event, a list or tuple of events, or None")
    return events


class StoredCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit as a store keeps it: `events` is a JSON array, `metadata` a JSON object, both UTF-8.

    `tags` (tag -> lowest offset or None) is derived from the events. It is set on commits to be written; SqliteLog
    leaves it empty on commits that it reads.
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
        """The end of the commit."""
        version = self.first_version + self.last_position - self.first_position
        return CommitEnd(self.stream, version, self.last_position, self.digest)


class CommitEnd(msgspec.Struct, frozen=True, gc=False):
    """The end of a commit: its stream, the version and position of its last event, and its digest."""

    stream: str
    version: int
    position: int
    digest: bytes


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of a log: its last position (-1 if empty), the chained digest there, and when it was recorded."""

    position: int
    digest: bytes
    recorded_at: datetime | None

    def __repr__(self) -> str:
        at = "" if self.recorded_at is None else f" recorded_at={self.recorded_at.isoformat()}"
        return f"<Head {self.to_text()}{at}>"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse `POSITION:DIGEST`, as `to_text` writes it; raise ValueError for anything else."""
        found = re.fullmatch(r"(-1|[0-9]{1,18}):([0-9a-fA-F]{64})", text)
        if found is None:
            raise ValueError(f"{text[:100]!r} is not a head; use POSITION:DIGEST as printed by 'odradek verify'")
        return cls(int(found[1]), bytes.fromhex(found[2]), None)

    def to_text(self) -> str:
        """Return `POSITION:DIGEST`, which you can keep outside the log and compare with it later."""
        return f"{self.position}:{self.digest.hex()}"


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The events are durable; with `is_repeat` an earlier request with the same commit id had stored them."""

    first_position: int
    last_position: int
    first_version: int
    last_version: int
    recorded_at: datetime
    is_repeat: bool = False


class Rejected(msgspec.Struct, frozen=True):
    """The request was refused and nothing was written."""

    error: AppendError


class Failed(msgspec.Struct, frozen=True):
    """The outcome is unknown; the log refuses further appends until it is reopened."""

    error: LogError


Verdict = Appended | Rejected | Failed
