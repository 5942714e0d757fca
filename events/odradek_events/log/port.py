"""The event log's port, and what every store promises.

1. `append` judges its requests in order and makes all accepted ones durable together. Each gets one verdict:
   *Appended*; *Rejected* (nothing of it was written); *Failed* (unknown: the log then refuses appends until `reopen`).
   An error in place of verdicts (LogUnavailable, or DamagedCommit where judging came to one): nothing was written.
2. A commit is all or none. Versions and positions are assigned by the log, gapless from 0.
3. Unrelated streams and conditions never conflict. An append of no events is fine and only checks what it expects.
4. What was appended is visible to every later read, in commit order, and never changes.
5. A read sees the log as it was when the read began, unless it is bounded further.
6. There is one writer. Reads may run in any thread, at any time.

`EventLog` is the port: what the domain may know. `ReadableLog` builds reading by event, by position and by time on the
one primitive that a store supplies, `stored`; `LogStore` adds writing. A store of your own is a LogStore.
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
    """The port: append, read commits, know the head and a stream's version."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Make all acceptable requests durable in one go and return a verdict for each, in order."""
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
        """Yield commits with positions above `after` up to `until` inclusive, split where a bound falls inside one.

        With tags or types: commits that *may* hold a match; match events with `read`.
        """
        ...

    def head(self) -> Head:
        """Return the end of the log."""
        ...

    def stream_version(self, stream: str) -> int:
        """Return the version of a stream's last event, or -1."""
        ...


class ReadableLog(ABC):
    """Reading built on `stored`, `head` and a codec; the base of the stores. `name` is for messages.

    A store tells `growth` when it has grown or is closed, so that those who wait look at once.
    """

    def __init__(self, name: str, codec: Codec | None = None) -> None:
        self.name = name
        self.codec = codec or Codec()
        self.growth = Growth()

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether it was closed."""

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
        """Yield stored commits that overlap the positions above `after` up to `until`, in order.

        Those that have all `tags` and any of `types` (none: whatever they have), not necessarily on the one event.
        """

    def stored_for_any(
        self, items: Sequence[QueryItem], *, after: int = -1, until: int | None = None, stream: str | None = None
    ) -> Iterator[StoredCommit]:
        """Yield stored commits that may hold a match of any of several items, each once. A store can do it in one walk.

        Each item has a tag, or exactly one type, as they are stored.
        """
        check_items(items)
        return merged(
            self.stored(after=after, until=until, stream=stream, tags=item.tags, types=item.types) for item in items
        )

    def scan(self) -> Iterator[StoredCommit | DamagedCommit]:
        """Yield every stored commit, and for a row that cannot be one the error that says so. For verification."""
        yield from self.stored()

    @abstractmethod
    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        """Return the first position of the commit whose entry for `tag` has the highest offset up to `offset`, or None.

        Only commits from position `not_before` on count, as offsets restart when a topic is created anew; and none
        beyond the head, also while it is being appended.
        """

    @abstractmethod
    def commit_at(self, position: int) -> StoredCommit:
        """Return the stored commit that holds `position`; PositionBeyondHead if there is none."""

    def commit_end(self, position: int) -> CommitEnd | None:
        """Return where the commit that holds `position` ends, or None. A store may do it without reading the events."""
        try:
            return self.commit_at(position).end
        except PositionBeyondHead:
            return None

    @abstractmethod
    def close(self) -> None:
        """Give back every resource; closing twice is fine."""

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
        """Yield the whole commits that `commits` decodes, for who keeps what was decoded.

        Unlike `stored` it knows what types were called and tagged with before.
        """
        check_bounds(after, until, stream)
        return self._may_hold(query_of(types, tags, None), after, until, stream)

    def _may_hold(self, query: Query, after: int, until: int | None, stream: str | None) -> Iterator[StoredCommit]:
        """Yield the commits that may hold a match, older versions and former names of types included."""
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
        """Yield events with positions above `after`, up to and including `until` (a position or a time).

        At most `limit` of them; none if nothing follows `after`, also where the log has not reached it.

        `types` names any of, `tags` all of: a match needs its type and every tag on the one event. A `query` in their
        place joins several such selections. `stream` keeps to one stream. Raises PositionBeyondHead for an `until` that
        the log has not reached, and UnknownEventType, unless `opaque`, when it comes to an event of a type that nothing
        registers (and the types asked for do not rule it out). With `opaque` such an event is yielded as it is stored;
        what it is tagged with nobody knows, so it passes where its commit has the tags.
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
        """Return the stored commit that holds this version of a stream, or None. A store can do better than walk."""
        check_int("version", version)
        for stored in self.stored(stream=stream):
            if version < stored.first_version + stored.last_position - stored.first_position + 1:
                return stored if version >= stored.first_version else None
        return None

    def first_match(self, query: Query, after: int) -> int | None:
        """Return the position of the first event after `after` that matches, or may (see `read`, `opaque`); or None."""
        check_instance("query", query, Query, "a Query")
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
        """Say whether an event that is stored under `name`, and not decoded, may match, as far as its commit tells."""
        choices = matcher.tags_for(name)
        retagged = self.codec.catalogue.retagged_names(())
        if not all(choices) or name in retagged or (matcher.is_single and not retagged):
            return bool(choices)
        first = stored.first_position  # found for one item of the query, or by type: the tags may be another's
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
        """Return an iterator over the matching events after `after`, future ones included; see `read` for what matches.

        It waits for more events until its `stop` is called; LogUnavailable once the log is closed. It waits in real
        time, whatever runtime appends to the log.
        """
        check_bounds(after, None, stream)
        return Subscription(self, max(after, -1), stream, query_of(types, tags, query), opaque)

    def wait_for(self, position: int, timeout: float | None = None) -> Head:
        """Wait until the log has reached `position`, whoever appends to it, and return the head.

        PositionNotReached after `timeout` seconds of real time, whatever runtime appends to the log; LogUnavailable
        when the log is closed meanwhile.
        """
        check_int("position", position)
        if timeout is not None:
            seconds("timeout", timeout)
        if not self.growth.wait(lambda: self.open_head().position >= position, timeout):
            raise PositionNotReached(position, self.head().position, timeout or 0.0)
        return self.head()

    def open_head(self) -> Head:
        """Return the end of the log; LogUnavailable once it is closed."""
        if self.is_closed:
            raise LogUnavailable(self.name, "it is closed")
        return self.head()

    def resolve(self, until: int | datetime) -> int:
        """Turn a position or an aware datetime (by recorded-at, inclusive) into the last position meant by it."""
        return resolve_until(self, until)


class LogStore(ReadableLog):
    """A log that can be written too: what a store supplies, and what actors need. See `appending` for the judging."""

    @abstractmethod
    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Make all acceptable requests durable in one go and return a verdict for each, in order."""

    @abstractmethod
    def reopen(self) -> None:
        """Take appends again after one that failed, at the log's real end; LogUnavailable while that cannot be."""

    @abstractmethod
    def stream_version(self, stream: str) -> int:
        """Return the version of a stream's last event, or -1."""

    @abstractmethod
    def streams(self) -> Iterator[str]:
        """Yield every stream's name, sorted."""


def resolve_until(log: ReadableLog, until: int | datetime) -> int:
    """Return the last position meant by `until`; see ReadableLog.resolve. Binary search over recorded-at."""
    head = log.head().position
    if not isinstance(until, datetime):
        if type(until) is not int:
            raise TypeError(f"until must be a position or an aware datetime, not {shown(until)}")
        check_int("until", until)
        if not -1 <= until <= head:
            raise PositionBeyondHead(until, head)
        return until
    until = moment("until", until)
    low, high = -1, head  # invariant: everything up to `low` was recorded by then, nothing above `high`
    while low < high:
        commit = log.commit_at(low + (high - low + 1) // 2)
        if log.codec.metadata(commit).recorded_at <= until:
            low = commit.last_position
        else:
            high = commit.first_position - 1
    return low


def check_log(log: object) -> None:
    """Raise TypeError unless `log` is a log that can be read."""
    check_instance("log", log, ReadableLog, "a log, such as open_log returns")
