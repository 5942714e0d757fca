"""The messages of the Journal and the LogReader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from odradek_actors.errors import ActorStopped
from odradek_actors.messages.core import Recipient
from odradek_events.errors import LogUnavailable, OutcomeUnknown
from odradek_events.record import Append, Failed, Query, Recorded, Verdict

__all__ = [
    "AwaitGrowth",
    "CountProduced",
    "EventsRead",
    "Facts",
    "Fence",
    "Fenced",
    "Flush",
    "JournalAppend",
    "JournalResult",
    "ListTopics",
    "LocateMessage",
    "ReadEvents",
    "ReadFacts",
    "ReadOlder",
    "TopicIds",
    "unavailable_if_stopped",
]


def unavailable_if_stopped(name: str, error: Exception) -> Exception:
    """Return LogUnavailable in place of ActorStopped, because nothing works without the journal and the log reader."""
    return LogUnavailable(name, "it has stopped") if isinstance(error, ActorStopped) else error


class JournalAppend(msgspec.Struct, frozen=True):
    """Make these events durable; answered by a JournalResult."""

    append: Append
    reply_to: Recipient

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        """Answer that the outcome is unknown."""
        reason = unavailable_if_stopped("the journal", error)
        if not isinstance(reason, LogUnavailable):
            reason = OutcomeUnknown(self.append.stream, repr(error))
        return self.reply_to, JournalResult(Failed(reason))


class JournalResult(msgspec.Struct, frozen=True):
    """The verdict on one JournalAppend."""

    verdict: Verdict


class Flush(msgspec.Struct, frozen=True):
    """The journal's message to itself: commit all waiting appends."""


class Fence(msgspec.Struct, frozen=True):
    """Answered by Fenced once every earlier append to the journal has its verdict."""

    reply_to: Recipient
    number: int

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        """Answer with the error, so that the sender tries again."""
        return self.reply_to, Fenced(self.number, unavailable_if_stopped("the journal", error))


class Fenced(msgspec.Struct, frozen=True):
    """Every append from before the Fence has its verdict, unless there is an error."""

    number: int
    error: Exception | None = None


class AwaitGrowth(msgspec.Struct, frozen=True, gc=False):
    """Ask the journal to answer once the log may have events after a position: at once, or after its next commit."""

    after: int


class ReadOlder(msgspec.Struct, frozen=True, gc=False):
    """Read messages that a topic no longer holds in memory; answered by a FetchResult with these `bounds`."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    until_offset: int
    max_messages: int
    max_bytes: int
    not_before: int
    bounds: tuple[tuple[int, int], ...]


class CountProduced(msgspec.Struct, frozen=True, gc=False):
    """Count a producer's stored messages above a position; answered by (count, last position)."""

    producer_id: str
    after: int


class LocateMessage(msgspec.Struct, frozen=True, gc=False):
    """Find the position of a stored message; answered by the position."""

    topic: str
    partition: int
    offset: int
    message_id: str


class ListTopics(msgspec.Struct, frozen=True):
    """Ask for the names of all topics, sorted."""


class ReadFacts(msgspec.Struct, frozen=True, gc=False):
    """Read the events of the whole log that match a query, after a position; answered by Facts."""

    query: Query
    after: int


class Facts(msgspec.Struct, frozen=True, gc=False):
    """All events that match a query up to `position`; there may be more after it unless `is_last`.

    `matches` says whether an event matches the query.
    """

    events: tuple[Any, ...]
    position: int
    is_last: bool
    matches: Callable[[Any], bool]


class ReadEvents(msgspec.Struct, frozen=True, gc=False):
    """Read at most `limit` events of the whole log that match a query, after a position; answered by EventsRead."""

    query: Query
    after: int
    limit: int


class EventsRead(msgspec.Struct, frozen=True, gc=False):
    """The first events that match a query, all up to `position`; there may be more after it unless `is_last`.

    An event that cannot be decoded is an OpaqueEvent.
    """

    events: tuple[Recorded, ...]
    position: int
    is_last: bool


class TopicIds(msgspec.Struct, frozen=True):
    """Ask for the ids of all topics, by name."""
