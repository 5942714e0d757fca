"""A log that wraps any store and fails on request, to test how actors and programs handle failures.

A failure is *clean* if nothing was written and the log still works, *ambiguous* if the outcome is unknown. After an
ambiguous failure the log is poisoned, as the contract of every store requires: it refuses appends until it is reopened.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from odradek_events.errors import DamagedCommit, LogFull, LogUnavailable, OutcomeUnknown
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import LogStore
from odradek_events.record import Append, CommitEnd, Failed, Head, Query, Rejected, StoredCommit, Verdict, type_name
from odradek_events.schema.codec import Codec

__all__ = ["FaultyLog", "Hold", "Operation"]

Operation = Literal["append", "sync", "read", "reopen"]
_Kind = Literal["append", "sync", "read", "reopen", "rejected", "written", "unwritten"]
_LOST: dict[_Kind, str] = {
    "written": "the answer was lost",
    "unwritten": "the answer was lost",
    "sync": "it could not be synced",
}


class _Fault(msgspec.Struct):
    """A failure of the next `times` operations on a stream (by prefix) and an event type."""

    kind: _Kind
    stream: str
    event: str
    times: int

    def strikes(self, request: Append) -> bool:
        """Say whether the fault applies to this request."""
        return request.stream.startswith(self.stream) and (
            not self.event or any(type_name(event) == self.event for event in request.events)
        )


class Hold:
    """Blocks one append before the store judges it, until `release` is called; `reached` is set once it blocks."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.reached = threading.Event()
        self._released = threading.Event()

    def release(self) -> None:
        """Let the append continue."""
        self._released.set()

    def wait(self) -> None:
        """Set `reached` and block; raise AssertionError if the append is not released within 30 seconds."""
        self.reached.set()
        assert self._released.wait(30), f"the held append to {self.stream} was not released within 30 seconds"


class FaultyLog(LogStore):
    """Wraps `store` (by default a new MemoryLog) and fails on request; without requests it behaves like the store.

    While `is_away` is set, it refuses appends and reopening; while `is_unreadable` is set, it refuses reads. `fired`
    lists the kinds of the failures so far: an operation, or "rejected", "written", "unwritten". Failures happen in the
    order in which they were requested. Thread-safe.

    >>> from datetime import UTC, datetime
    >>> from odradek_events import Append, types
    >>> at = datetime(2024, 5, 1, tzinfo=UTC)
    >>> born = Append(stream="topic/a", events=[types.TopicCreated("a", "t-1", 1, at)])
    >>> log = FaultyLog()
    >>> log.reject(stream="topic/")
    >>> log.lose_answer(event="TopicCreated", written=True)
    >>> [type(log.append([born], at)[0]).__name__ for _ in range(2)]
    ['Rejected', 'Failed']
    >>> log.reopen()
    >>> log.append([born], at)[0].first_position
    1
    """

    def __init__(self, store: LogStore | None = None) -> None:
        self.store = MemoryLog() if store is None else store
        super().__init__(self.store.name, self.store.codec)
        self.growth = self.store.growth
        self.is_away = False
        self.is_unreadable = False
        self.fired: list[str] = []
        self._faults: list[_Fault] = []
        self._holds: list[Hold] = []
        self._poisoned: str | None = None
        self._every = 0
        self._appends = 0
        self._last_lost: set[str] = set()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        flags = {
            "is_away": self.is_away,
            "is_unreadable": self.is_unreadable,
            "is_poisoned": self._poisoned is not None,
        }
        shown = "".join(f" {flag}" for flag, is_set in flags.items() if is_set)
        return f"<FaultyLog {self.store!r}{shown} ordered={len(self._faults)} fired={len(self.fired)}>"

    # -- requesting failures ------------------------------------------------------------------------------------------

    def reject(self, stream: str = "", event: str = "", times: int = 1) -> None:
        """Reject the next `times` matching requests cleanly, with LogFull.

        A request matches if its stream starts with `stream` and it has an event of the type named `event`.
        """
        self._order("rejected", stream, event, times)

    def lose_answer(self, stream: str = "", event: str = "", times: int = 1, *, written: bool) -> None:
        """Fail the next `times` calls with a matching request ambiguously; `written` says whether they are stored."""
        self._order("written" if written else "unwritten", stream, event, times)

    def lose_every(self, count: int) -> None:
        """Lose every `count`-th answer, alternately written and not, never twice in a row per stream; 0 stops it."""
        self._every = count

    def fail(self, operation: Operation, stream: str = "", event: str = "", times: int = 1) -> None:
        """Fail the next `times` matching operations of a kind.

        append   raises LogUnavailable; nothing is written (clean)
        sync     returns Failed; the events are stored and visible after `reopen` (ambiguous)
        read     raises LogUnavailable when the read starts, or when it reaches a matching commit
        reopen   raises LogUnavailable, whatever `stream` and `event` are
        """
        self._order(operation, stream, event, times)

    def hold(self, stream: str = "") -> Hold:
        """Block the next append to a stream (by prefix) until the returned Hold is released."""
        hold = Hold(stream)
        with self._lock:
            self._holds.append(hold)
        return hold

    def heal(self) -> None:
        """Cancel all requested failures, `is_away` and `is_unreadable`. Held appends stay blocked."""
        with self._lock:
            self._faults.clear()
        self._every = 0
        self.is_away = self.is_unreadable = False

    def _order(self, kind: _Kind, stream: str, event: str, times: int) -> None:
        with self._lock:
            self._faults.append(_Fault(kind, stream, event, times))

    # -- writing ------------------------------------------------------------------------------------------------------

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Append to the store, or fail as requested."""
        for hold in self._reached(requests):
            hold.wait()
        if self.is_away:
            raise LogUnavailable(self.name, "it is away")
        if self._poisoned is not None:
            raise LogUnavailable(self.name, f"an append failed ({self._poisoned}); reopen it first")
        with self._lock:
            struck = self._regular_fault({request.stream for request in requests})
            faults = [self._fault_for(request) if struck is None else struck for request in requests]
        if "append" in faults:
            raise LogUnavailable(self.name, "it could not be reached")
        lost = next((fault for fault in faults if fault in _LOST), None)
        accepted = [request for request, fault in zip(requests, faults, strict=True) if fault != "rejected"]
        if lost is not None:
            self._poisoned = _LOST[lost]
        unwritten: list[Verdict] = [self._lost_answer()] * len(accepted)
        verdicts = iter(unwritten if lost == "unwritten" else self.store.append(accepted, recorded_at))
        answers: list[Verdict] = []
        for fault in faults:
            answer = Rejected(LogFull(self.name, "no room")) if fault == "rejected" else next(verdicts)
            answers.append(answer if lost is None or isinstance(answer, Rejected) else self._lost_answer())
        return answers

    def reopen(self) -> None:
        """Reopen the store and accept appends again, or fail as requested."""
        if self.is_away:
            raise LogUnavailable(self.name, "it is away")
        if self._strikes("reopen"):
            raise LogUnavailable(self.name, "it could not be reopened")
        self.store.reopen()
        self._poisoned = None

    def _lost_answer(self) -> Failed:
        return Failed(OutcomeUnknown(self.name, str(self._poisoned)))

    def _reached(self, requests: Sequence[Append]) -> list[Hold]:
        with self._lock:
            reached = [hold for hold in self._holds if any(r.stream.startswith(hold.stream) for r in requests)]
            for hold in reached:
                self._holds.remove(hold)
            return reached

    def _regular_fault(self, streams: set[str]) -> _Kind | None:
        self._appends += 1
        if not self._every or self._appends % self._every or streams & self._last_lost:
            self._last_lost -= streams
            return None
        self._last_lost |= streams
        struck: _Kind = "unwritten" if self.fired[-1:] == ["written"] else "written"
        self.fired.append(struck)
        return struck

    def _fault_for(self, request: Append) -> _Kind | None:
        for fault in self._faults:
            if fault.kind not in ("read", "reopen") and fault.strikes(request):
                return self._fire(fault)
        return None

    def _fire(self, fault: _Fault) -> _Kind:
        fault.times -= 1
        if fault.times <= 0:
            self._faults.remove(fault)
        self.fired.append(fault.kind)
        return fault.kind

    # -- reading ------------------------------------------------------------------------------------------------------

    def stored(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[StoredCommit]:
        """Yield stored commits, or fail as requested; see ReadableLog."""
        self._check_readable(stream or "")
        for commit in self.store.stored(after=after, until=until, stream=stream, tags=tags, types=types):
            self._check_commit(commit)
            yield commit

    def scan(self) -> Iterator[StoredCommit | DamagedCommit]:
        """Yield every stored commit, or fail as requested; see ReadableLog."""
        self._check_readable("")
        for commit in self.store.scan():
            if isinstance(commit, StoredCommit):
                self._check_commit(commit)
            yield commit

    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        """Return the first position of the commit that covers `offset` of `tag`; see ReadableLog."""
        self._check_readable("")
        return self.store.locate(tag, offset, not_before)

    def commit_at(self, position: int) -> StoredCommit:
        """Return the stored commit that holds `position`."""
        self._check_readable("")
        return self.store.commit_at(position)

    def commit_end(self, position: int) -> CommitEnd | None:
        """Return where the commit that holds `position` ends, or None."""
        self._check_readable("")
        return self.store.commit_end(position)

    def commit_of_version(self, stream: str, version: int) -> StoredCommit | None:
        """Return the stored commit that holds this version of a stream, or None."""
        self._check_readable(stream)
        return self.store.commit_of_version(stream, version)

    def first_match(self, query: Query, after: int) -> int | None:
        """Return the position of the first event after `after` that matches or may match, or None."""
        self._check_readable("")
        return self.store.first_match(query, after)

    def head(self) -> Head:
        """Return the end of the log."""
        return self.store.head()

    def stream_version(self, stream: str) -> int:
        """Return the version of a stream's last event, or -1."""
        return self.store.stream_version(stream)

    def streams(self) -> Iterator[str]:
        """Yield every stream's name, sorted."""
        return self.store.streams()

    def _check_readable(self, stream: str) -> None:
        if self.is_unreadable or self._strikes("read", stream):
            raise LogUnavailable(self.name, "it cannot be read")

    def _check_commit(self, commit: StoredCommit) -> None:
        if self._faults:
            names = {name for name, _ in self.codec.metadata(commit).types}
            if self._strikes("read", commit.stream, names):
                raise LogUnavailable(self.name, f"it cannot be read at position {commit.first_position}")

    def _strikes(self, kind: _Kind, stream: str = "", events: Collection[str] = ()) -> bool:
        with self._lock:
            for fault in self._faults:
                is_meant = stream.startswith(fault.stream) and (not fault.event or fault.event in events)
                if fault.kind == kind and (is_meant or kind == "reopen"):
                    self._fire(fault)
                    return True
        return False

    # -- the store ----------------------------------------------------------------------------------------------------

    @property
    def codec(self) -> Codec:
        """The store's codec; setting it sets the store's."""
        return self.store.codec

    @codec.setter
    def codec(self, codec: Codec) -> None:
        self.store.codec = codec

    @property
    def is_closed(self) -> bool:
        """Whether the store is closed."""
        return self.store.is_closed

    def close(self) -> None:
        """Close the store."""
        self.store.close()
