"""Logs that each break one rule of the contract, to show that the conformance suites can fail."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from odradek_events import ANY, Append, Appended, Head, MemoryLog, Query, Recorded, Rejected, SqliteLog
from odradek_events.errors import DamagedCommit
from odradek_events.log.judging import EMPTY_DIGEST, chain, judge
from odradek_events.log.subscription import Subscription
from odradek_events.record import Commit, StoredCommit, Verdict
from odradek_events.schema.codec import Codec
from odradek_events.testing.samples import START, produced
from support.jsonl import JsonLinesLog


class ForgetsTheIndex(MemoryLog):
    """Every second commit is not in the index."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        verdicts = super().append(requests, recorded_at)
        for tag, numbers in self._by_tag.items():
            self._by_tag[tag] = [number for number in numbers if number % 2 == 0]
        self._rows = [
            msgspec.structs.replace(row, tags={}) if number % 2 else row for number, row in enumerate(self._rows)
        ]
        return verdicts


class LeavesGaps(MemoryLog):
    """A refused request uses up a position."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        verdicts = super().append(requests, recorded_at)
        refused = sum(isinstance(verdict, Rejected) for verdict in verdicts)
        self._head = msgspec.structs.replace(self._head, position=self._head.position + refused)
        return verdicts


class IgnoresConditions(MemoryLog):
    """Conditions are not checked."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        return super().append([msgspec.structs.replace(request, condition=None) for request in requests], recorded_at)


class IgnoresVersions(MemoryLog):
    """Expected versions are not checked."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        free = [msgspec.structs.replace(request, expected_version=ANY) for request in requests]
        return super().append(free, recorded_at)


class LosesOnReopening(MemoryLog):
    """Reopening loses the last commit."""

    def reopen(self) -> None:
        if self._rows:
            self._rows.pop()
            self._firsts.pop()
            last = self._rows[-1] if self._rows else None
            self._head = Head(last.last_position, last.digest, None) if last else Head(-1, EMPTY_DIGEST, None)


class ReordersVerdicts(MemoryLog):
    """Verdicts of appended requests come first."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        return sorted(super().append(requests, recorded_at), key=lambda verdict: isinstance(verdict, Rejected))


class RefusesTogether(MemoryLog):
    """A refused request makes all requests of its call fail."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        judged = judge(requests, recorded_at, self.head(), self.stream_version, self)
        refused = next((verdict for verdict in judged.verdicts if isinstance(verdict, Rejected)), None)
        return [refused] * len(requests) if refused else super().append(requests, recorded_at)


class JudgesBeforeItLocks(MemoryLog):
    """The check and the append are not atomic."""

    def __init__(self, racers: int = 8) -> None:
        super().__init__()
        self._between = threading.Barrier(racers)

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        judged = judge(requests, recorded_at, self.head(), self.stream_version, self)
        if requests[0].expected_version != ANY or requests[0].condition:
            self._between.wait(10)
        if any(isinstance(verdict, Rejected) for verdict in judged.verdicts):
            return judged.verdicts
        free = [msgspec.structs.replace(request, expected_version=ANY, condition=None) for request in requests]
        return super().append(free, recorded_at)


class RemembersConditions(MemoryLog):
    """A query that once found nothing never finds anything again."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[Query, int], int | None] = {}

    def first_match(self, query: Query, after: int) -> int | None:
        return self._known.setdefault((query, after), super().first_match(query, after))


class Interleaves(MemoryLog):
    """The requests of two concurrent calls are interleaved."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Barrier(2)

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for request in requests:
            with suppress(threading.BrokenBarrierError):
                self._turn.wait(1)
            verdicts += super().append([request], recorded_at)
        return verdicts


class ShowsWhatIsComing(MemoryLog):
    """An event is visible before the others of its call."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for request in requests:
            for event in request.events:
                verdicts = super().append([msgspec.structs.replace(request, events=[event])], recorded_at)
        return verdicts


class IgnoresBounds(MemoryLog):
    """A read ignores `until`."""

    def stored(self, *, until: int | None = None, **more: Any) -> Iterator[StoredCommit]:
        return super().stored(**more)

    def _matching(self, query: Query, after: int, last: int, *more: Any) -> Iterator[Recorded]:
        return super()._matching(query, after, 1 << 62, *more)


class RepeatsTheLast(MemoryLog):
    """A read after an event repeats that event."""

    def _matching(self, query: Query, after: int, *more: Any) -> Iterator[Recorded]:
        return super()._matching(query, max(-1, after - 1), *more)


class SkipsTheNext(MemoryLog):
    """A read after an event skips the next one."""

    def _matching(self, query: Query, after: int, *more: Any) -> Iterator[Recorded]:
        return super()._matching(query, after if after < 0 else after + 1, *more)


class DropsARow(MemoryLog):
    """One commit is acknowledged and counted by the head, but never read."""

    def _matching(self, *wanted: Any) -> Iterator[Recorded]:
        return (recorded for recorded in super()._matching(*wanted) if recorded.position not in (2, 3))


class KeepsWhatItIsGiven(MemoryLog):
    """The log and its callers share their events."""

    class _Codec(Codec):
        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[bytes, list[Any]] = {}

        def encode_events(self, stream: str, events: Sequence[Any], *more: Any) -> tuple[bytes, Sequence[Any]]:
            encoded, facts = super().encode_events(stream, events, *more)
            self.kept[encoded] = list(events)
            return encoded, facts

        def commit(self, stored: StoredCommit, *, opaque: bool = False) -> Commit:
            return msgspec.structs.replace(super().commit(stored, opaque=opaque), events=self.kept[stored.events])

    def __init__(self) -> None:
        super().__init__(self._Codec())


class LetsTimeRunBackwards(MemoryLog):
    """Recorded-at follows a clock that steps back."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        self._head = msgspec.structs.replace(self._head, recorded_at=None)
        return super().append(requests, recorded_at)


class ForgetsCommitIds(MemoryLog):
    """A repeat is not recognised."""

    def commit_of_version(self, stream: str, version: int) -> StoredCommit | None:
        return None


class BelievesCommitIds(MemoryLog):
    """Every request with a known commit id counts as a repeat."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[str, Appended] = {}

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        (request,) = requests
        if request.commit_id in self._answers:
            return [msgspec.structs.replace(self._answers[request.commit_id], is_repeat=True)]
        (verdict,) = super().append(requests, recorded_at)
        if request.commit_id and isinstance(verdict, Appended):
            self._answers[request.commit_id] = verdict
        return [verdict]


class MixesStreams(MemoryLog):
    """A stream name matches every stream that starts with it."""

    def stored(self, *, stream: str | None = None, **more: Any) -> Iterator[StoredCommit]:
        return (row for row in super().stored(**more) if row.stream.startswith(stream or ""))


class LocatesTheLatest(MemoryLog):
    """Every offset is located in the newest commit."""

    def locate(self, tag: str, offset: int, not_before: int = 0) -> int | None:
        return super().locate(tag, 1 << 62, not_before)


class CountsFromOne(MemoryLog):
    """The commit at a position is the one at the next position."""

    def commit_at(self, position: int) -> StoredCommit:
        return super().commit_at(position + 1)


class BreaksTheChain(MemoryLog):
    """A digest does not continue that of the previous commit."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        known = len(self._rows)
        verdicts = super().append(requests, recorded_at)
        for number, row in enumerate(self._rows[known:], known):
            place = row.first_position, row.last_position, row.stream, row.first_version
            digest = chain(EMPTY_DIGEST, *place, row.metadata, row.events)
            self._rows[number] = msgspec.structs.replace(row, digest=digest)
            self._head = msgspec.structs.replace(self._head, digest=digest)
        return verdicts


class SkipsUnknownTypes(MemoryLog):
    """Events of unknown types are skipped."""

    def _matching(self, query: Query, after: int, last: int, stream: str | None, opaque: bool) -> Iterator[Recorded]:
        for recorded in super()._matching(query, after, last, stream, True):
            if opaque or self.codec.catalogue.by_class(type(recorded.event)):
                yield recorded


class FollowsFromNowOn(MemoryLog):
    """A subscription always starts at the head."""

    def subscribe(self, *, after: int = -1, **more: Any) -> Subscription:
        return super().subscribe(after=max(after, self.head().position), **more)


class DoesNotWait(MemoryLog):
    """`wait_for` returns at once."""

    def wait_for(self, position: int, timeout: float | None = None) -> Head:
        return self.head()


class TakesAppendsWhenClosed(MemoryLog):
    """`close` does nothing."""

    def close(self) -> None:
        pass


class AddsWhatIsNotThere(MemoryLog):
    """A refused request is appended anyway."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        verdicts = super().append(requests, recorded_at)
        for request, verdict in zip(requests, verdicts, strict=True):
            if isinstance(verdict, Rejected):
                super().append([Append(stream="topic/lost", events=request.events)], recorded_at)
        return verdicts


# -- on disk ----------------------------------------------------------------------------------------------------------


class AnswersBeforeItWrites(JsonLinesLog):
    """Appended commits are written at the next call."""

    def __init__(self, path: str) -> None:
        self._late: list[tuple[Sequence[Append], datetime]] = []
        super().__init__(path)
        self._twin = MemoryLog()
        for commit in self.commits():
            self._twin.append([Append(stream=commit.stream, events=commit.events)], commit.metadata.recorded_at)

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        while self._late:
            super().append(*self._late.pop())
        self._late.append((requests, recorded_at))
        return self._twin.append(requests, recorded_at)


class KeepsAHalf(JsonLinesLog):
    """A partial commit of thirteen events that a crash left counts as a commit."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.append([Append(stream="topic/torn", events=[produced(0, value=b"1000000 13 x")])], START)


class LetsEverybodyIn(SqliteLog):
    """A second writer is admitted."""

    def __init__(self, path: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{path}.lock")
        super().__init__(path)


class ForgetsAtClosing(JsonLinesLog):
    """`close` removes the last commit."""

    def close(self) -> None:
        if not self.is_closed and self._rows:
            self._file.truncate(self._file.tell() - 10)
        super().close()


class VerifiesSomethingElse(JsonLinesLog):
    """Verify reads other commits than a read."""

    first: ClassVar[list[tuple[Head, list[StoredCommit]]]] = []

    def scan(self) -> Iterator[StoredCommit | DamagedCommit]:
        yield from self.first[0][1]

    def head(self) -> Head:
        return self.first[0][0] if self.first else super().head()

    def close(self) -> None:
        if not self.first:
            self.first.append((self.head(), self._rows))
        super().close()
