"""The event log's port, and what every store promises.

1. `append` judges its requests in order and makes all accepted ones durable together. Each gets one verdict:
   *Appended*; *Rejected* (nothing of it was written); *Failed* (unknown: the log then refuses appends until `reopen`).
2. A commit is all or none. Versions and positions are assigned by the log, gapless from 0.
3. Unrelated streams never conflict. An append of no events is fine and only checks the expected version.
4. What was appended is visible to every later read, in commit order, and never changes.
5. A read sees the log as it was when the read began, unless it is bounded further.
6. There is one writer. Reads may run in any thread, at any time.

`EventLog` is the port: what the domain may know. `ReadableLog` builds reading by event, by position and by time on the
one primitive that a store supplies, `stored`; `LogStore` adds writing. A store of your own is a LogStore.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from odradek_events.codec import Codec, OpaqueEvent
from odradek_events.errors import DamagedCommit, PositionBeyondHead, UnknownEventType
from odradek_events.record import Append, Commit, Head, Recorded, StoredCommit, Verdict, type_name

__all__ = ["EventLog", "LogStore", "ReadableLog", "resolve_until"]


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
    """Reading built on `stored`, `head` and a codec; the base of the stores. `name` is for messages."""

    def __init__(self, name: str, codec: Codec | None = None) -> None:
        self.name = name
        self.codec = codec or Codec()

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
        """Yield stored commits that overlap the positions above `after` up to `until`, prefiltered by the index."""

    def scan(self) -> Iterator[StoredCommit | DamagedCommit]:
        """Yield every stored commit, and for a row that cannot be one the error that says so. For verification."""
        yield from self.stored()

    @abstractmethod
    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        """Return the first position of the commit whose entry for `tag` has the highest offset up to `offset`, or None.

        Only commits from position `not_before` on count: offsets restart when a topic is created anew.
        """

    @abstractmethod
    def commit_at(self, position: int) -> StoredCommit:
        """Return the stored commit that holds `position`; PositionBeyondHead if there is none."""

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
        decode = self.codec.commit
        for stored in self.stored(after=after, until=until, stream=stream, tags=tags, types=types):
            commit = decode(stored, opaque=opaque)
            if commit.first_position <= after or (until is not None and commit.last_position > until):
                commit = commit.between(after, commit.last_position if until is None else until)
            yield commit

    def read(
        self,
        *,
        after: int = -1,
        until: int | datetime | None = None,
        stream: str | None = None,
        types: Collection[str] = (),
        tags: Collection[str] = (),
        opaque: bool = False,
    ) -> Iterator[Recorded]:
        """Yield events with positions above `after`, up to and including `until` (a position or a time).

        `types` names any of, `tags` all of: a match needs its type and every tag on the one event. `stream` keeps to
        one stream. Raises PositionBeyondHead for an `until` that the log has not reached, and UnknownEventType, unless
        `opaque`, when it comes to an event of a type that nothing registers (and `types` does not rule it out).
        """
        if isinstance(types, str) or isinstance(tags, str):
            raise TypeError(f"types and tags are lists; use [{(types if isinstance(types, str) else tags)!r}]")
        last = None if until is None else self.resolve(until)
        wanted = frozenset(tags)
        for commit in self.commits(after=after, until=last, stream=stream, tags=tags, types=types, opaque=True):
            for number, item in enumerate(commit.events):
                if types and type_name(item) not in types:
                    continue
                if not opaque and isinstance(item, OpaqueEvent):
                    raise UnknownEventType(item.type_name, item.schema_version, commit.first_position + number)
                if wanted and not wanted.issubset(self.codec.tags_of(item)):
                    continue
                yield Recorded(
                    item,
                    commit.first_position + number,
                    commit.stream,
                    commit.first_version + number,
                    commit.metadata,
                    commit.index + number,
                )

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
            raise TypeError(f"a place to read up to is a position or an aware datetime, not {until!r}")
        if not -1 <= until <= head:
            raise PositionBeyondHead(until, head)
        return until
    if until.tzinfo is None:
        raise ValueError("a time to read up to needs a time zone; pass an aware datetime")
    low, high = -1, head  # invariant: everything up to `low` was recorded by then, nothing above `high`
    while low < high:
        commit = log.commit_at(low + (high - low + 1) // 2)
        if log.codec.metadata(commit).recorded_at <= until:
            low = commit.last_position
        else:
            high = commit.first_position - 1
    return low
