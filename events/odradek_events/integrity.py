"""Verify a log: chain, contiguity, streams, decodability, index. Finds and reports; never repairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from odradek_events.appending import EMPTY_DIGEST, chain, split_stream
from odradek_events.codec import OpaqueEvent
from odradek_events.errors import DamagedCommit, InvalidStream, LogError
from odradek_events.log import ReadableLog
from odradek_events.record import Commit, StoredCommit
from odradek_events.sqlite import SqliteLog

__all__ = ["Finding", "Verification", "verify"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, at the commit with this first position."""

    position: int
    problem: str


class Verification(msgspec.Struct, frozen=True):
    """What verify saw: how much it read, where the log ends, and what is wrong."""

    commits: int
    events: int
    streams: int
    head: int
    digest: str
    findings: tuple[Finding, ...]
    unknown_types: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong. Types that nobody registers here are not damage."""
        return not self.findings


def verify(log: ReadableLog, progress: Callable[[int], None] | None = None) -> Verification:
    """Check every commit of `log`; `progress` is told the last position read, now and then. Raises nothing.

    Checks that positions and stream versions are gapless, that each digest continues the chain, that events decode,
    that recorded-at never runs backwards, that the index holds what the events say, and the file's own structure. Whole
    commits missing from the end leave a valid chain: compare `head` and `digest` with ones you noted earlier.
    """
    findings: list[Finding] = []
    versions: dict[str, int] = {}
    unknown: set[str] = set()
    previous: tuple[bytes, ...] = (EMPTY_DIGEST,)  # after a wrong digest also the right one: blame each commit once
    expected, commits, events = 0, 0, 0
    recorded_at = datetime.min.replace(tzinfo=UTC)
    for stored in _readable(log, findings):
        commits += 1
        problems = list(_place_problems(stored, expected, versions.get(stored.stream, -1) + 1))
        digests = [_digest(before, stored) for before in previous]
        is_chained = stored.digest in digests
        if is_chained:
            previous = (stored.digest,)
        else:
            problems.append("its digest does not continue the chain")
            previous = (stored.digest, digests[0])
        try:
            commit = log.codec.commit(stored, opaque=True)
            events += len(commit.events)
            if commit.metadata.recorded_at < recorded_at:
                problems.append("it was recorded before its predecessor")
            if is_chained:
                recorded_at = commit.metadata.recorded_at
            unknown |= {item.type_name for item in commit.events if isinstance(item, OpaqueEvent)}
            if not _has_its_index_entries(log, commit):
                problems.append("its index entries are not those of its events")
        except LogError as error:
            problems.append(error.reason if isinstance(error, DamagedCommit) else str(error))
        findings.extend(Finding(stored.first_position, problem) for problem in problems)
        expected = stored.last_position + 1
        versions[stored.stream] = stored.first_version + stored.last_position - stored.first_position
        if progress is not None and commits % 64 == 0:
            progress(stored.last_position)
    if isinstance(log, SqliteLog):
        findings.extend(Finding(error.position, error.reason) for error in log.structural_damage())
    return Verification(
        commits, events, len(versions), expected - 1, previous[0].hex(), tuple(findings), tuple(sorted(unknown))
    )


def _readable(log: ReadableLog, findings: list[Finding]) -> Iterator[StoredCommit]:
    """Yield stored commits until the store itself cannot go on."""
    try:
        for stored in log.scan():
            if isinstance(stored, DamagedCommit):
                findings.append(Finding(stored.position, stored.reason))
            else:
                yield stored
    except LogError as error:
        position = error.position if isinstance(error, DamagedCommit) else -1
        findings.append(Finding(position, f"the file cannot be read further ({error})"))


def _digest(previous: bytes, stored: StoredCommit) -> bytes:
    return chain(
        previous,
        stored.first_position,
        stored.last_position,
        stored.stream,
        stored.first_version,
        stored.metadata,
        stored.events,
    )


def _has_its_index_entries(log: ReadableLog, commit: Commit) -> bool:
    """Say whether a commit's index entries are its own. Only current types tell: older ones had other tags."""
    if not isinstance(log, SqliteLog) or not log.codec.catalogue.is_current(commit.metadata.types):
        return True
    try:
        return log.index_entries(commit.first_position) == log.codec.index(commit.events)
    except (TypeError, ValueError):  # events that no append would have let in
        return False


def _place_problems(stored: StoredCommit, position: int, version: int) -> Iterator[str]:
    if stored.first_position != position or stored.last_position < stored.first_position:
        yield f"it begins at position {stored.first_position} where {position} was due"
    if stored.first_version != version:
        yield f"stream {stored.stream!r} continues at version {stored.first_version} where {version} was due"
    try:
        split_stream(stored.stream)
    except InvalidStream as error:
        yield str(error)
