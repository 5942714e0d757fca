"""The event log's port, and the contract of every store.

1. `append` judges its requests in order and makes all accepted ones durable together. Each request gets one verdict:
   *Appended*; *Rejected* (nothing of it was written); *Failed* (the outcome is unknown, and the log refuses appends
   until `reopen`). If `append` raises (LogUnavailable, or DamagedCommit if judging read one), nothing was written.
2. A commit is atomic. The log assigns versions and positions, gapless from 0.
3. Unrelated streams and conditions never conflict. An append without events only checks what it expects.
4. Appended events are visible to every later read, in commit order, and never change.
5. A read sees the log as it was when the read began.
6. There is one writer. Reads may run in any thread at any time.

`EventLog` is the port that the domain may import. `ReadableLog` implements reading by event, position and time on the
primitives of a store, above all `stored`; `LogStore` adds writing. To write your own store, subclass LogStore.
"""

from __future__ import annotations

import itertools
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from odradek_events.errors import (
    DamagedCommit,
    LogUnavailable,
    PositionBeyondHead,
    PositionNotReached,
)
from odradek_events.log.queries import Matcher, check_bounds, check_items, indexed, merged, query_of
from odradek_events.log.subscription import Growth, Subscription
from odradek_events.record import Append, Commit, CommitEnd, Head, Query, QueryItem, Recorded, StoredCommit, Verdict
from odradek_events.schema.codec import Codec, OpaqueEvent
from odradek_events.validation import check_instance, check_int, moment, seconds, shown

__all__ = ["EventLog", "LogStore", "ReadableLog", "check_log", "resolve_until"]


class EventLog(Protocol):
    """The port: append, read commits, and return the head and a stream's version."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Make all accepted requests durable together, and return a verdict for each request, in order."""
        ...

    def commits(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[Commit]:
        """Yield commits with positions above `after` and up to `until`, inclusive; split a commit at a bound inside it.

        With tags or types, yields the commits that *may* contain a match; use `read` to match events.
        """
        ...

    def head(self) -> Head:
        """Return the end of the log."""
        ...

    def stream_version(self, stream: str) -> int:
        """Return the version of a stream's last event, or -1."""
        ...


class ReadableLog(ABC):
    """The base class of stores: implements reading on `stored`, `head` and a codec. Error messages call it `name`.

    A store must call `growth.notify` after every append and when it is closed, to wake waiting readers.
    """

    def __init__(self, name: str, codec: Codec | None = None) -> None:
        self.name = name
        self.codec = codec or Codec()
        self.growth = Growth()

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether the log is closed."""

    @abstractmethod
    def head(self) -> Head:
        """Return the end of the log."""

    @abstractmethod
    def stored(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        """Yield stored commits that overlap the positions above `after` and up to `until`, in order.

        Only those with all `tags` and any of `types` (empty: any type), not necessarily on the same event.
        """

    def stored_for_any(
        self, items: Sequence[QueryItem], *, after: int = -1, until: int | None = None, stream: str | None = None
    ) -> Iterator[StoredCommit]:
        """Yield stored commits that may contain a match of any item, each once. A store may override it with one walk.

        Each item has at least one tag, or exactly one type, as stored.
        """
        check_items(items)
        return merged(
            self.stored(after=after, until=until, stream=stream, tags=item.tags, types=item.types) for item in items
        )

    def scan(self) -> Iterator[StoredCommit | DamagedCommit]:
        """Yield every stored commit, or a DamagedCommit for a row that is not a valid commit. For verification."""
        yield from self.stored()

    @abstractmethod
    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        """Return the first position of the commit whose entry for `tag` has the highest offset up to `offset`, or None.

        Ignores commits before position `not_before`, since offsets restart when a topic is recreated, and commits
        beyond the head, even during an append.
        """

    @abstractmethod
    def commit_at(self, position: int) -> StoredCommit:
        """Return the stored commit that contains `position`; raise PositionBeyondHead if there is none."""

    def commit_end(self, position: int) -> CommitEnd | None:
        """Return the end of the commit that contains `position`, or None. A store may do so without reading events."""
        try:
            return self.commit_at(position).end
        except PositionBeyondHead:
            return None

    @abstractmethod
    def close(self) -> None:
        """Release all resources; may be called repeatedly."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def commits(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
        opaque: bool = False,
    ) -> Iterator[Commit]:
        """Yield decoded commits; see EventLog. `opaque` yields unknown events as OpaqueEvent instead of raising."""
        return self._decoded(
            self.encoded_commits(after=after, until=until, stream=stream, tags=tags, types=types), after, until, opaque
        )

    def _decoded(
        self, encoded: Iterator[StoredCommit], after: int, until: int | None, opaque: bool
    ) -> Iterator[Commit]:
        decode = self.codec.commit
        for stored in encoded:
            commit = decode(stored, opaque=opaque)
            if commit.first_position <= after or (until is not None and commit.last_position > until):
                commit = commit.between(after, commit.last_position if until is None else until)
            yield commit
            del commit  # where the reader lets go too, the next one is decoded into the same, still cached memory

    def encoded_commits(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        """Yield the whole commits that `commits` decodes, for callers that cache decoded commits.

        Unlike `stored` it includes former names of types, and older events stored with other tags.
        """
        check_bounds(after, until, stream)
        return self._may_hold(query_of(types, tags, None), after, until, stream)

    def _may_hold(self, query: Query, after: int, until: int | None, stream: str | None) -> Iterator[StoredCommit]:
        """Yield the commits that may contain a match, including older versions and former names of types."""
        items = indexed(query, self.codec.catalogue)
        if len(items) != 1:
            return self.stored_for_any(items, after=after, until=until, stream=stream)
        return self.stored(after=after, until=until, stream=stream, tags=items[0].tags, types=items[0].types)

    def read(
        self,
        *,
        after: int = -1,
        until: int | datetime | None = None,
        stream: str | None = None,
        types: Collection[str] = (),
        tags: Collection[str] = (),
        query: Query | None = None,
        limit: int | None = None,
        opaque: bool = False,
    ) -> Iterator[Recorded]:
        """Yield events with positions above `after` and up to `until`, inclusive (a position or a time).

        Yields at most `limit` events, and none if the log ends at or before `after`.

        An event matches if it has any of `types` and all of `tags`. Pass a `query` instead to combine several such
        selections. `stream` selects one stream. Raises PositionBeyondHead for an `until` that the log has not reached.
        Raises UnknownEventType at an event of an unregistered type, unless `types` exclude it. With `opaque`, yields
        such an event as stored; its own tags are unknown, so it matches if its commit has the tags.
        """
        if limit is not None:
            check_int("limit", limit)
            if limit < 0:
                raise ValueError(f"limit must be 0 or more, not {shown(limit)}")
            limit = min(limit, sys.maxsize)
        check_bounds(after, None, stream)
        wanted = query_of(types, tags, query)
        last = self.head().position if until is None else self.resolve(until)
        return itertools.islice(self._matching(wanted, after, last, stream, opaque), limit)

    def commit_of_version(self, stream: str, version: int) -> StoredCommit | None:
        """Return the stored commit that contains this version of a stream, or None. A store may override the walk."""
        check_int("version", version)
        for stored in self.stored(stream=stream):
            if version < stored.first_version + stored.last_position - stored.first_position + 1:
                return stored if version >= stored.first_version else None
        return None

    def first_match(self, query: Query, after: int) -> int | None:
        """Return the position of the first event after `after` that matches or may match (see `read`), or None."""
        check_instance("query", query, Query, "a Query")
        check_int("after", after)
        if after >= self.head().position:
            return None
        return next((found.position for found in self.read(after=after, query=query, opaque=True)), None)

    def _matching(self, query: Query, after: int, last: int, stream: str | None, opaque: bool) -> Iterator[Recorded]:
        matcher = Matcher(query, self.codec)
        for stored in self._may_hold(query, after, last, stream):
            commit = self.codec.commit(stored, opaque=True).between(after, last)
            for number, item in enumerate(commit.events):
                if isinstance(item, OpaqueEvent):
                    if not self._may_match(matcher, item.type_name, stored):
                        continue
                    if not opaque:
                        raise item.error_at(commit.first_position + number)
                elif not matcher.matches(item):
                    continue
                yield Recorded(
                    item,
                    commit.first_position + number,
                    commit.stream,
                    commit.first_version + number,
                    commit.metadata,
                    commit.index + number,
                )

    def _may_match(self, matcher: Matcher, name: str, stored: StoredCommit) -> bool:
        """Say whether an undecoded event that is stored under `name` may match, judging by its commit."""
        choices = matcher.tags_for(name)
        retagged = self.codec.catalogue.retagged_names(())
        if not all(choices) or name in retagged or (matcher.is_single and not retagged):
            return bool(choices)
        first = stored.first_position  # found by one item or by type: the commit may lack the tags of the other items
        return any(next(self.stored(after=first - 1, until=first, tags=tags), None) for tags in choices)

    def subscribe(
        self,
        *,
        after: int = -1,
        stream: str | None = None,
        types: Collection[str] = (),
        tags: Collection[str] = (),
        query: Query | None = None,
        opaque: bool = False,
    ) -> Subscription:
        """Return an iterator over the matching events after `after`, present and future; see `read` for matching.

        The iterator waits for more events until its `stop` is called, and raises LogUnavailable once the log is closed.
        It waits in real time, whichever runtime appends to the log.
        """
        check_bounds(after, None, stream)
        return Subscription(self, max(after, -1), stream, query_of(types, tags, query), opaque)

    def wait_for(self, position: int, timeout: float | None = None) -> Head:
        """Wait until the log has reached `position`, and return the head.

        Raises PositionNotReached after `timeout` seconds of real time, whichever runtime appends to the log, and
        LogUnavailable if the log is closed in the meantime.
        """
        check_int("position", position)
        if timeout is not None:
            seconds("timeout", timeout)
        if not self.growth.wait(lambda: self.open_head().position >= position, timeout):
            raise PositionNotReached(position, self.head().position, timeout or 0.0)
        return self.head()

    def open_head(self) -> Head:
        """Return the end of the log; raise LogUnavailable once it is closed."""
        if self.is_closed:
            raise LogUnavailable(self.name, "it is closed")
        return self.head()

    def resolve(self, until: int | datetime) -> int:
        """Return the last position up to `until`: a position, or an aware datetime (recorded-at, inclusive)."""
        return resolve_until(self, until)


class LogStore(ReadableLog):
    """The base class of stores that can be written, as actors need them. See `judging` for how requests are judged."""

    @abstractmethod
    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Make all accepted requests durable together, and return a verdict for each request, in order."""

    @abstractmethod
    def reopen(self) -> None:
        """Accept appends again after a failed one, at the log's real end. Raises LogUnavailable if it cannot."""

    @abstractmethod
    def stream_version(self, stream: str) -> int:
        """Return the version of a stream's last event, or -1."""

    @abstractmethod
    def streams(self) -> Iterator[str]:
        """Yield every stream's name, sorted."""


def resolve_until(log: ReadableLog, until: int | datetime) -> int:
    """Return the last position up to `until` by binary search over recorded-at; see ReadableLog.resolve."""
    head = log.head().position
    if not isinstance(until, datetime):
        if type(until) is not int:
            raise TypeError(f"until must be a position or an aware datetime, not {shown(until)}")
        check_int("until", until)
        if not -1 <= until <= head:
            raise PositionBeyondHead(until, head)
        return until
    until = moment("until", until)
    low, high = -1, head  # invariant: all events up to `low` were recorded by then, none above `high`
    while low < high:
        commit = log.commit_at(low + (high - low + 1) // 2)
        if log.codec.metadata(commit).recorded_at <= until:
            low = commit.last_position
        else:
            high = commit.first_position - 1
    return low


def check_log(log: object) -> None:
    """Raise TypeError unless `log` is a ReadableLog."""
    check_instance("log", log, ReadableLog, "a log, such as open_log returns")
