"""Verify a log: chain, contiguity, streams, decodability, index, file, snapshots. Finds and reports; never repairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from odradek_events.errors import DamagedCommit, LogError, SnapshotsUnavailable
from odradek_events.log.checker import Checker
from odradek_events.log.judging import EMPTY_DIGEST
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.record import Commit, CommitEnd, Head, StoredCommit
from odradek_events.snapshots.store import SnapshotStore
from odradek_events.sqlite.index_walk import IndexWalk
from odradek_events.sqlite.log import SqliteLog
from odradek_events.validation import check_function, check_instance

__all__ = ["Finding", "Verification", "verify"]

_PROGRESS_EACH = 64  # commits


class Finding(msgspec.Struct, frozen=True):
    """One problem, of the commit with this first position; -1 means the whole file."""

    position: int
    problem: str


class Verification(msgspec.Struct, frozen=True):
    """The result of verify: what it read, where the log ends, and what is wrong.

    `events` counts the events of commits that can be decoded.

    `unfolded_streams` counts streams whose states were not checked, because their types have no registered aggregate or
    cannot be folded.

    `model_mistakes` lists registered types that do not fit stored events, with the first such event of each type and
    version, and aggregates that could not be folded, with the first such event of each stream type: the log is sound,
    but those events or streams cannot be read until the model is fixed.

    `stopped_policies` lists the events that policies failed on for good: the log is sound, and the policies wait for a
    fix.

    `notes` lists damage outside the log, such as that of a snapshot, which only costs time.
    """

    commits: int
    events: int
    streams: int
    head: int
    digest: str
    findings: tuple[Finding, ...]
    unknown_types: tuple[str, ...]
    snapshots: int = 0
    notes: tuple[str, ...] = ()
    unfolded_streams: int = 0
    model_mistakes: tuple[Finding, ...] = ()
    stopped_policies: tuple[Finding, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether the log is undamaged. Unregistered types and mistakes in a model are not damage."""
        return not self.findings

    @property
    def unread_events(self) -> int:
        """The number of positions up to the head whose events could not be read."""
        return max(0, self.head + 1 - self.events)


def verify(
    log: ReadableLog,
    progress: Callable[[int], None] | None = None,
    *,
    head: Head | None = None,
    snapshots: SnapshotStore | None = None,
    on_commit: Callable[[Commit | None], None] | None = None,
) -> Verification:
    """Check every commit of `log` up to its current head; call `progress` from time to time with the last position.

    Checks that positions and stream versions are gapless, that each digest continues the chain, that events can be
    decoded, that recorded-at never decreases, that the index matches the events, and the structure of the file. If
    commits are missing at the end, the chain is still valid: pass a `head` noted earlier, or `snapshots` of the log,
    and the log must still have those commits. It may have grown since. Calls `on_commit` with each commit, decoded as
    far as its types are known, or None for a damaged one. Does not raise for damage. Memory use is constant except for
    some words per stream.
    """
    check_log(log)
    check_function("progress", progress)
    check_function("on_commit", on_commit)
    if head is not None:
        check_instance("head", head, Head, "a Head or None")
    if snapshots is not None:
        check_instance("snapshots", snapshots, SnapshotStore, "a store of snapshots or None")
    findings: list[Finding] = []
    checker = Checker(log.codec)
    marks = _Marks(snapshots)  # read before the log, which is always ahead of its snapshots
    known = _KnownHead(head)
    with _index_of(log, findings) as index:
        for stored in _readable(log, index, findings):
            problems, commit = checker.check(stored)
            if on_commit is not None:
                on_commit(None if problems else commit)
            if index is not None:
                problems += _index_problems(index, log, stored, commit)
            findings.extend(Finding(stored.first_position, problem) for problem in problems)
            known.look_at(stored)
            marks.look_at(stored)
            if progress is not None and checker.commits % _PROGRESS_EACH == 0:
                progress(stored.last_position)
        if index is not None:
            index.finish()
            strays = [
                Finding(position, "the index has entries for a commit that does not exist")
                for position in sorted(index.strays)
            ]
            findings.extend(strays)
    if isinstance(log, SqliteLog):
        findings.extend(Finding(error.position, error.reason) for error in log.structural_damage())
    end = checker.head
    findings.extend(known.findings(end.position))
    findings.extend(marks.findings(end.position))
    unknown = tuple(sorted(checker.unknown_types))
    return Verification(
        checker.commits,
        checker.events,
        len(checker.versions),
        end.position,
        end.digest.hex(),
        tuple(findings),
        unknown,
        marks.count,
        tuple(marks.notes),
        model_mistakes=tuple(Finding(position, str(error)) for position, error in checker.model_mistakes.items()),
    )


class _KnownHead:
    """Checks that the log still has a known earlier head."""

    def __init__(self, head: Head | None) -> None:
        self.head = head or Head(-1, EMPTY_DIGEST, None)
        self.digest = EMPTY_DIGEST if self.head.position < 0 else None

    def look_at(self, stored: StoredCommit) -> None:
        if stored.last_position == self.head.position:
            self.digest = stored.digest

    def findings(self, end: int) -> Iterator[Finding]:
        position, digest = self.head.position, self.head.digest
        if self.digest == digest:
            return
        if self.digest is not None:
            what = (
                f"has digest {self.digest.hex()} there, not the known {digest.hex()}: it is another log, or was "
                "rewritten"
            )
        elif end < position:
            what = f"ends at position {end}, before the known head {position}: {position - end} events are missing"
        else:
            what = "has no readable commit that ends there, where its head is known to have been"
        yield Finding(position, f"the log {what}")


class _Marks:
    """Checks that the log still has the commits at whose ends snapshots were taken."""

    def __init__(self, snapshots: SnapshotStore | None) -> None:
        self.count = 0
        self.notes: list[str] = []
        self._sought: dict[tuple[int, bytes], CommitEnd] = {}
        try:
            for mark in () if snapshots is None else snapshots.scan():
                self.count += 1
                end = mark.end
                if mark.is_intact:
                    self._sought[end.position, end.digest] = end
                else:
                    self.notes.append(
                        f"the snapshot of {end.stream!r} at its version {end.version} has a wrong checksum"
                    )
        except SnapshotsUnavailable as error:
            self.notes.append(str(error))

    def look_at(self, stored: StoredCommit) -> None:
        self._sought.pop((stored.last_position, stored.digest), None)

    def findings(self, end: int) -> Iterator[Finding]:
        for (position, _), mark in sorted(self._sought.items()):
            what = "ends before it" if position > end else "has a different history up to there"
            yield Finding(
                position,
                f"a snapshot of {mark.stream!r} was taken here, but the log {what} "
                "(if an older log was restored on purpose, delete the snapshots)",
            )


@contextmanager
def _index_of(log: ReadableLog, findings: list[Finding]) -> Iterator[IndexWalk | None]:
    """Yield the index of a log on disk; report a finding if it cannot be read."""
    if not isinstance(log, SqliteLog):
        yield None
        return
    with ExitStack() as stack:
        index = None
        try:
            index = stack.enter_context(log.walk_index())
        except LogError as error:
            findings.append(Finding(-1, f"the index cannot be read ({_reason(error)})"))
        yield index


def _readable(log: ReadableLog, index: IndexWalk | None, findings: list[Finding]) -> Iterator[StoredCommit]:
    """Yield stored commits up to the head as of the start, or until the store cannot read further."""
    try:
        for stored in log.scan():
            position = stored.position if isinstance(stored, DamagedCommit) else stored.first_position
            if index is not None and position > index.last:
                return
            if isinstance(stored, StoredCommit):
                yield stored
                continue
            findings.append(Finding(position, stored.reason))
            if index is not None:
                index.entries_at(position)
    except LogError as error:
        position = error.position if isinstance(error, DamagedCommit) else -1
        findings.append(Finding(position, f"the file cannot be read further ({_reason(error)})"))


def _index_problems(index: IndexWalk, log: ReadableLog, stored: StoredCommit, commit: Commit | None) -> Iterator[str]:
    """Check that a commit's index entries match its events.

    For current types all entries are known; for events that are not decoded, only that the type's name is an entry.
    """
    entries = index.entries_at(stored.first_position)
    if commit is None:
        return
    types = commit.metadata.types
    try:
        if log.codec.is_indexable(commit):
            is_right = entries == log.codec.index(commit.events)
        else:
            is_right = entries is not None and all(f"type:{name}" in entries for name, _ in types)
    except (TypeError, ValueError):  # events that no append would have accepted
        is_right = False
    if not is_right:
        yield "its index entries do not match its events"


def _reason(error: LogError) -> str:
    return error.reason if isinstance(error, DamagedCommit) else str(error)
